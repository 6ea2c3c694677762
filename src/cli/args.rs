//! What the command line takes.

use super::{client::ClientArgs, edits::EditsArgs};
use crate::config::Flag;
use clap::{Args, Parser, Subcommand, ValueEnum};
use greenroom_protocol::id::SessionId;
use std::{net::IpAddr, path::PathBuf};

const EXAMPLES: &str = "\
Examples:
  greenroom dev                                       start a server to try, with a demo user
  greenroom client generate \"a todo app\" --out todo   generate an app into the folder todo
  greenroom serve --config greenroom.toml             start a server for production
  greenroom config check                              show every setting and where it comes from

Exit codes: 0 done, 1 failed, 2 usage, 69 something needed cannot be reached, 78 bad configuration.";

/// A realtime session engine for products that build with AI.
#[derive(Debug, Parser)]
#[command(name = "greenroom", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct CommonArgs {
    /// Configuration file; without it, greenroom.toml in the working folder, where it exists
    #[arg(long, value_name = "FILE", env = "GREENROOM_CONFIG", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Folder of the embedded store [default: .greenroom]
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data_dir: Option<PathBuf>,
    /// Set any key: --set session.window_ms=0; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, global = true)]
    pub(super) set: Vec<(String, String)>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a server to try and to develop with: needs nothing, keeps its data in .greenroom
    ///
    /// Makes its own secrets and a demo user, answers with a built-in stand-in unless a provider is
    /// configured, and prints its addresses, a token, and lines for curl and websocat.
    #[command(after_help = DEV_EXAMPLES)]
    Dev(ServerArgs),
    /// Start a server for production: nothing is made up, logs are JSON
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServerArgs),
    /// Talk to a server: generate, chat, follow, export
    Client(ClientArgs),
    /// Print an access token of the demo user, or of another one, from the data folder
    #[command(after_help = TOKEN_EXAMPLE)]
    Token(TokenArgs),
    /// Check, print and explain the configuration
    Config(ConfigArgs),
    /// Check what a server needs here: ports, limits, disk, clock, providers
    #[command(after_help = DOCTOR_EXAMPLE)]
    Doctor(DoctorArgs),
    /// List the providers of answers, or try one
    Provider(ProviderArgs),
    /// Take a model's edits apart, or apply them to a folder: why one does not apply
    Edits(EditsArgs),
    /// Look at a user's credits, or give some: at the running server's internal port
    Credits(CreditsArgs),
    /// Look at sessions, or end one that hangs: at the running server's internal port
    Session(SessionArgs),
    /// List the nodes that share a store, or drain one: at the running server's internal port
    Node(NodeArgs),
    /// Bring the schema of a cluster to this release, or look how far it is
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(MigrateArgs),
    /// Write a consistent copy of the embedded store; the server may run meanwhile
    #[command(after_help = "Example:\n  greenroom backup /backups/greenroom-$(date +%F).db")]
    Backup(BackupArgs),
    /// Print the version
    Version(VersionArgs),
}

const TOKEN_EXAMPLE: &str = "\
Example:
  curl -X POST -H \"authorization: Bearer $(greenroom token)\" http://127.0.0.1:8000/api/v1/ws/ticket";

const DOCTOR_EXAMPLE: &str = "\
Example:
  greenroom doctor --config /etc/greenroom.toml

Exit codes: 0 nothing is in the way (warnings may be), 69 something is.";

const DEV_EXAMPLES: &str = "\
Examples:
  greenroom dev
  greenroom dev --port 9000 --data-dir /tmp/try
  GROQ_API_KEYS=… greenroom dev       a real model answers";

const SERVE_EXAMPLES: &str = "\
Examples:
  greenroom serve --config /etc/greenroom.toml
  GROQ_API_KEYS=… greenroom serve --host 0.0.0.0 --data-dir /var/lib/greenroom";

/// What `dev` and `serve` take besides [`CommonArgs`]: the most used keys as flags.
#[derive(Debug, Default, Args)]
pub struct ServerArgs {
    /// Address of the public port [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// Public port: REST and WebSocket; 0 lets the system choose [default: 8000]
    #[arg(long)]
    port: Option<u16>,
    /// Internal port: health and metrics [default: 8001]
    #[arg(long, value_name = "PORT")]
    internal_port: Option<u16>,
    /// Name of the provider that answers, such as groq, ollama or demo
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Least level that is logged, or a filter [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// What `token` takes.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// E-mail address of the user; without it, the demo user
    #[arg(value_name = "EMAIL")]
    pub(super) email: Option<String>,
    /// Seconds that the token is valid
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    pub(super) valid_secs: u64,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// What `config` takes.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

/// A command about the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration and print every value with its source; secrets stay hidden
    Check {
        /// Check what `greenroom dev` would use instead of `greenroom serve`
        #[arg(long)]
        dev: bool,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print a commented file with every default
    #[command(after_help = "Example:\n  greenroom config default > greenroom.toml")]
    Default,
    /// Print a reference of all keys in Markdown
    Doc,
}

/// What `doctor` takes.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Check what `greenroom dev` would use instead of `greenroom serve`
    #[arg(long)]
    pub(super) dev: bool,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// What `provider` takes.
#[derive(Debug, Args)]
pub struct ProviderArgs {
    #[command(subcommand)]
    pub(super) command: ProviderCommand,
}

/// A command about providers.
#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// List the configured providers and which one answers by default; keys show as fingerprints
    Ls {
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Make one tiny call: times, model and usage, or what is wrong and what to do
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// The provider; without it, the one that answers by default
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

const TEST_EXAMPLES: &str = "\
Examples:
  greenroom provider test
  greenroom provider test groq --output json

Exit code 69 where the provider fails.";

/// What `credits` takes.
#[derive(Debug, Args)]
pub struct CreditsArgs {
    #[command(subcommand)]
    pub(super) command: CreditsCommand,
}

/// A command about credits.
#[derive(Debug, Subcommand)]
pub(super) enum CreditsCommand {
    /// Show what a user has, in credits
    Show {
        /// E-mail address of the user; without it, the demo user
        #[arg(value_name = "EMAIL")]
        email: Option<String>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Give a user credits; a repeat under the same name has one effect
    #[command(after_help = GRANT_EXAMPLES)]
    Grant {
        /// Credits, such as 100 or 0.5
        #[arg(value_name = "CREDITS", value_parser = micro_credits)]
        amount: u64,
        /// E-mail address of the user; without it, the demo user
        #[arg(long, value_name = "EMAIL")]
        email: Option<String>,
        /// Name of the grant; without it, a new one
        #[arg(long)]
        name: Option<String>,
        /// Days after which what is left of it lapses; without it, never
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: Option<u64>,
        /// What it is for, shown to the user
        #[arg(long)]
        note: Option<String>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

const GRANT_EXAMPLES: &str = "\
Examples:
  greenroom credits grant 100 --email ada@example.org --note \"sorry for Tuesday\"
  greenroom credits grant 50 --email ada@example.org --name order-7 --days 30";

/// What `session` takes.
#[derive(Debug, Args)]
pub struct SessionArgs {
    #[command(subcommand)]
    pub(super) command: SessionCommand,
}

/// A command about sessions, for operators.
#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List the sessions that are awake or watched, the newest first
    Ls {
        /// Most sessions
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print the entries of anybody's session, and those that come
    #[command(after_help = TAIL_EXAMPLES)]
    Tail {
        /// The session
        session: SessionId,
        /// Where to begin: start, open (what is being written), live, or a cursor such as 1.41
        #[arg(long, default_value = "open", value_name = "PLACE")]
        after: String,
        /// Wait for more entries, until Ctrl-C
        #[arg(long, short)]
        follow: bool,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// End a session's actor: it starts again from its log, and a run under way is recovered
    Kill {
        /// The session
        session: SessionId,
    },
}

const TAIL_EXAMPLES: &str = "\
Examples:
  greenroom session tail ses_0192… --follow
  greenroom session tail ses_0192… --after start --output json";

/// What `node` takes.
#[derive(Debug, Args)]
pub struct NodeArgs {
    #[command(subcommand)]
    pub(super) command: NodeCommand,
}

/// A command about nodes.
#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// List the lives of nodes that are not recovered
    Ls {
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// End the server as SIGTERM does: clients are told, runs end, all is stored
    Drain,
}

/// What `migrate` takes.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(subcommand)]
    pub(super) command: MigrateCommand,
}

/// A command about the schema.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Make the keyspace where it is missing, and bring its schema to this release
    Up {
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Say how far the schema is, and whether the nodes agree on it
    Status {
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print the statements that `up` would run, and run none
    Plan,
}

const MIGRATE_EXAMPLES: &str = "\
Examples:
  greenroom migrate plan --config /etc/greenroom.toml
  greenroom migrate up --config /etc/greenroom.toml

Run it once before the servers of a new release. Of several at once one migrates, and the others
exit with code 69.";

/// What `backup` takes.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// What `version` takes.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// Form of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl CommonArgs {
    pub(super) fn flags(&self) -> Vec<Flag> {
        let set = self.set.iter().map(|(key, value)| flag("--set", key, value));
        let data_dir = self.data_dir.iter();
        let data_dir =
            data_dir.map(|dir| flag("--data-dir", "server.data_dir", dir.to_string_lossy()));
        set.chain(data_dir).collect()
    }

    /// The data folder of commands that need nothing else of the configuration.
    pub(super) fn data_dir(&self, environment: &[(String, String)]) -> PathBuf {
        const VARIABLE: &str = "GREENROOM__SERVER__DATA_DIR";
        let set = self.set.iter().rev().find(|(key, _)| key == "server.data_dir");
        let variable = environment.iter().find(|(name, text)| name == VARIABLE && !text.is_empty());
        let other = set.or(variable).map(|(_, text)| PathBuf::from(text));
        self.data_dir.clone().or(other).unwrap_or_else(|| PathBuf::from(".greenroom"))
    }
}

impl ServerArgs {
    pub(super) fn flags(&self) -> Vec<Flag> {
        let flags = [
            self.host.map(|host| flag("--host", "server.host", host)),
            self.port.map(|port| flag("--port", "server.port", port)),
            self.internal_port.map(|port| flag("--internal-port", "server.internal_port", port)),
            self.provider.as_ref().map(|name| flag("--provider", "runs.provider", name)),
            self.log_level.as_ref().map(|level| flag("--log-level", "log.level", level)),
        ];
        flags.into_iter().flatten().collect()
    }
}

fn flag(name: &str, key: &str, value: impl ToString) -> Flag {
    Flag { name: name.to_owned(), key: key.to_owned(), value: value.to_string() }
}

/// Reads credits with at most six digits after the point.
fn micro_credits(text: &str) -> Result<u64, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let micro = format!("{whole}{part:0<6}");
    let is_amount = !whole.is_empty() && part.len() <= 6 && digits(&micro);
    let amount = micro.parse::<u64>().ok().filter(|amount| is_amount && *amount > 0);
    amount.ok_or_else(|| "write credits such as 100 or 0.5, with at most six decimals".to_owned())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as session.window_ms=0".to_owned()),
    }
}
