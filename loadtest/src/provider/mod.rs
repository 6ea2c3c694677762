//! A stand-in for a model's API: OpenAI's chat completions or Ollama's own chat, streamed, with
//! faults on request.
//!
//! One thread serves it all: a task a connection reads requests, a timer wheel writes tokens.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/chat/completions` | server-sent events; stream only |
//! | `POST /api/chat` | the same in Ollama's lines |
//! | `GET /v1/models` | two of the models; [`model::Model`] has all |
//! | `GET /log` | the calls, as JSON lines of [`Call`] |
//! | `POST /faults` | faults as text, [`fault::HELP`]; the next calls meet them, or those of the run in header `x-greenroom-run` |
//!
//! A key may have an owner and limits, [`keys::HELP`]; without any, and for all other keys, nothing
//! is limited.
//!
//! A call meets the faults that its model's name holds; else the next ones of its run, of a
//! [`script`] or posted; else the next ones of all calls; else those that the seed decides.

pub mod app;
mod asked;
mod connections;
pub mod fault;
mod http;
pub mod hub;
pub mod keys;
mod log;
pub mod model;
pub mod prompt;
mod refusal;
pub mod script;
mod serve;
mod stream;
pub mod wait;
mod wheel;
mod wire;

pub use connections::Connections;
pub use log::{AppCall, Call, End, Log};
pub use wire::Api;

use anyhow::{Context, Result};
use clap::Args;
use keys::KeyRule;
use script::Script;
use std::{
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread,
};
use tokio_util::sync::CancellationToken;

/// How a stand-in is set up.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = format!("{}\n\n{}\n\n{}", model::HELP, fault::HELP, keys::HELP))]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 9099)]
    pub port: u16,
    /// File that each ended call is appended to, as a line of JSON.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// Folder of recordings for the models `replay-FILE`: `FILE.chunks.txt`, a chunk a line.
    #[arg(long, env = "GREENROOM_TEST_RECORDINGS")]
    pub recordings: Option<PathBuf>,
    /// Chunks a second of a recording; 0: as fast as possible.
    #[arg(long, default_value_t = 0)]
    pub replay_rate: u64,
    /// Faults of calls, as a file: {"calls": ["429", null, "cut=90"], "runs": {"run_…": ["500"]}}.
    #[arg(long)]
    pub script: Option<PathBuf>,
    /// Percentage of other calls that meet a mixture of faults.
    #[arg(long, default_value_t = 0)]
    pub fault_percent: u64,
    /// Decides which ones, and which faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What a key may do; may be repeated.
    #[arg(long = "key", value_name = "KEY=WHAT")]
    pub keys: Vec<KeyRule>,
}

impl Options {
    /// A stand-in on a free port that plays only the faults that it is asked for.
    #[must_use]
    pub const fn default_on_free_port(seed: u64) -> Self {
        Self {
            port: 0,
            log: None,
            recordings: None,
            replay_rate: 0,
            script: None,
            fault_percent: 0,
            seed,
            keys: Vec::new(),
        }
    }
}

/// A stand-in that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Provider {
    addr: SocketAddr,
    log: Arc<Log>,
    connections: Arc<Connections>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Provider {
    /// Binds the port and begins to serve.
    ///
    /// # Errors
    /// A port that is taken, a log file that cannot be opened, a script that is none.
    pub fn start(options: Options) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .with_context(|| format!("port {} of the stand-in", options.port))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let open = |path: &PathBuf| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("log file {}", path.display()))
        };
        let log = Arc::new(Log::new(options.log.as_ref().map(open).transpose()?));
        let mut script = Script::new(options.fault_percent, options.seed);
        if let Some(path) = &options.script {
            script.add_file(path)?;
        }
        let connections = Arc::new(Connections::default());
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("provider".into()).spawn({
            let (shared, stop) = ((Arc::clone(&log), Arc::clone(&connections)), stop.clone());
            move || serve::run(&runtime, listener, (options, script), shared, &stop)
        })?;
        Ok(Self { addr, log, connections, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL for an OpenAI-compatible client.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The base URL of Ollama's own API.
    #[must_use]
    pub fn ollama_url(&self) -> String {
        format!("http://{}/api", self.addr)
    }

    /// The connections of its clients.
    #[must_use]
    pub const fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// What it was asked and what it sent.
    #[must_use]
    pub const fn log(&self) -> &Arc<Log> {
        &self.log
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been printed there
        }
    }
}

#[cfg(test)]
mod tests;
