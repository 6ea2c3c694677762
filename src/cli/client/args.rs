//! What `greenroom client` takes.

use crate::cli::args::Output;
use clap::{Args, Subcommand};
use greenroom_protocol::{
    frame::After,
    id::{Cursor, Epoch, Seq, SessionId},
};
use std::path::PathBuf;

/// What `client` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
The server and the account are those of `greenroom dev` in this folder (or --data-dir), unless
--url and --token say otherwise.

Examples:
  greenroom client generate \"a kanban board\" --out board
  greenroom client ls
  greenroom client chat")]
pub struct ClientArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(subcommand)]
    pub(super) command: ClientCommand,
}

/// Which server, and who asks.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// Address of the server, such as `ws://127.0.0.1:8000`; also wss, http and https
    #[arg(long, env = "GREENROOM_URL", global = true)]
    pub(super) url: Option<String>,
    /// Access token
    #[arg(long, env = "GREENROOM_TOKEN", hide_env_values = true, global = true)]
    pub(super) token: Option<String>,
}

/// A command of the client.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Generate an app: run a prompt, watch it, write its files into a folder
    ///
    /// A lost connection is taken up again where it broke off. Ctrl-C leaves: the run goes on, and
    /// can be followed by `attach` or ended by `cancel`.
    #[command(after_help = "\
Examples:
  greenroom client generate \"a todo app with a dark mode\" --out todo
  greenroom client generate \"add due dates\" --out todo --session ses_0192…
  greenroom client generate \"a shop for tea\" --out shop --plan")]
    Generate(GenerateArgs),
    /// Talk to a session line by line
    Chat(ChatArgs),
    /// Print what a session says, from its start or from a place in its log
    #[command(after_help = "\
Examples:
  greenroom client attach ses_0192…                    all of it, until its run has ended
  greenroom client attach ses_0192… --after live --follow
  greenroom client attach ses_0192… --after 1:42 --json")]
    Attach(AttachArgs),
    /// List your sessions, newest first
    Ls(LsArgs),
    /// List the turns of a session: the entries to go back to, and their commits
    Turns(TurnsArgs),
    /// Show a session as it was at an entry, or write its files of then into a folder
    #[command(after_help = "\
Examples:
  greenroom client replay ses_0192… --at 41
  greenroom client replay ses_0192… --at 41 --out then")]
    Replay(ReplayArgs),
    /// Begin a session from what another one was
    #[command(after_help = "\
Example:
  greenroom client fork ses_0192… --at 41")]
    Fork(ForkArgs),
    /// Go on from what a session was at an entry: chat and files together
    ///
    /// Nothing leaves the log, so a rollback can be undone: roll back to an entry after it.
    #[command(after_help = "\
Example:
  greenroom client turns ses_0192… && greenroom client rollback ses_0192… --to 41")]
    Rollback(RollbackArgs),
    /// Show what differs between two commits; without any, what the last one changed
    #[command(after_help = "\
Example:
  greenroom client diff ses_0192… | git apply")]
    Diff(DiffArgs),
    /// Answer what a session waits with: questions, a plan, credits that ran out
    ///
    /// What goes on is followed to its end.
    #[command(after_help = "\
Examples:
  greenroom client respond ses_0192…                   go on as planned
  greenroom client respond ses_0192… \"in blue\"         answer, or go on with a remark
  greenroom client respond ses_0192… --decline")]
    Respond(RespondArgs),
    /// Say something to the run of a session, which takes it up at its next complete file
    #[command(after_help = "\
Example:
  greenroom client steer ses_0192… \"without a server\"")]
    Steer(SteerArgs),
    /// Cancel the run of a session
    Cancel(CancelArgs),
    /// Write all commits of a session as a bare git repository
    #[command(after_help = "\
Example:
  greenroom client export ses_0192… todo.git && git clone todo.git")]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// What to generate
    pub(super) prompt: String,
    /// Folder for the files; new, empty, or of the same session
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Go on with a session instead of a new one
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<SessionId>,
    /// Model to ask for; without it, the server's choice
    #[arg(long)]
    pub(super) model: Option<String>,
    /// Show what would be built and what it costs, and go on once that is approved
    #[arg(long)]
    pub(super) plan: bool,
    /// Approve what is asked for, except for questions
    #[arg(long)]
    pub(super) yes: bool,
    /// Overwrite what is in the folder
    #[arg(long)]
    pub(super) force: bool,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// Go on with a session instead of a new one
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<SessionId>,
    /// Model to ask for; without it, the server's choice
    #[arg(long)]
    pub(super) model: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// Where to begin: start, live, or EPOCH:SEQ for the entry after that one
    #[arg(long, default_value = "start", value_parser = after, value_name = "PLACE")]
    pub(super) after: After,
    /// Go on after the run's end, until Ctrl-C
    #[arg(long)]
    pub(super) follow: bool,
    /// Print one event a line: seq, epoch, ts, event
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct LsArgs {
    /// Most sessions to print
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(super) limit: usize,
    /// Form of the list
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct TurnsArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// Form of the list
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// The last entry to show; without it, all
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(super) at: Option<Seq>,
    /// Folder for the files as they were; new, empty, or of the same session
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Overwrite what is in the folder
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct ForkArgs {
    /// The session to begin from
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// The entry to begin at; without it, the last one
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(super) at: Option<Seq>,
    /// Title of the new session; without it, that of the old one
    #[arg(long)]
    pub(super) title: Option<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// The entry to go back to: see `turns`
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(super) to: Seq,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// The older commit; without it, the one before the newer
    #[arg(long, value_name = "COMMIT")]
    pub(super) from: Option<String>,
    /// The newer commit; without it, the head
    #[arg(long, value_name = "COMMIT")]
    pub(super) to: Option<String>,
    /// Form of the output; JSON: one file a line
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct RespondArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// The answer to questions, or a remark on a plan
    #[arg(conflicts_with = "decline")]
    pub(super) text: Option<String>,
    /// Let nothing come of it
    #[arg(long)]
    pub(super) decline: bool,
    /// Form of the output; JSON: the answer of the server alone
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct SteerArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// What to say
    pub(super) text: String,
    /// Form of the output; JSON: the answer of the server alone
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The session
    #[arg(value_name = "ID")]
    pub(super) session: SessionId,
    /// The repository to write; it must not exist
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

fn seq(text: &str) -> Result<Seq, String> {
    text.parse().map(Seq).map_err(|_| "use the number of an entry, such as 41".to_owned())
}

fn after(text: &str) -> Result<After, String> {
    match text {
        "start" => return Ok(After::Start),
        "live" => return Ok(After::Live),
        _ => {}
    }
    let cursor = text.split_once(':').and_then(|(epoch, seq)| {
        Some(Cursor { epoch: Epoch(epoch.parse().ok()?), seq: Seq(seq.parse().ok()?) })
    });
    cursor.map(After::Cursor).ok_or_else(|| "use start, live or EPOCH:SEQ such as 1:42".to_owned())
}
