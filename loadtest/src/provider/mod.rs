//! A stand-in for a model's API: OpenAI's chat completions, streamed, with faults on request.
//!
//! One thread serves it all: a task a connection reads requests, a timer wheel writes tokens.
//! `POST /v1/chat/completions` (stream only), `GET /v1/models`, `GET /log` (JSON lines of [`Call`]),
//! `POST /faults` (a [`fault::Fault`] as text; the next calls meet it). Models: [`model::Model`].

pub mod app;
pub mod fault;
mod http;
mod log;
pub mod model;
pub mod prompt;
mod serve;
mod sse;
mod stream;
mod wheel;

pub use log::{AppCall, Call, End, Log};

use anyhow::{Context, Result};
use clap::Args;
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
    /// Percentage of calls that meet a fault.
    #[arg(long, default_value_t = 0)]
    pub fault_percent: u64,
    /// Decides which ones, and which faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Options {
    /// A stand-in on a free port that plays only the faults that it is asked for.
    #[must_use]
    pub const fn default_on_free_port(seed: u64) -> Self {
        Self { port: 0, log: None, recordings: None, replay_rate: 0, fault_percent: 0, seed }
    }
}

/// A stand-in that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Provider {
    addr: SocketAddr,
    log: Arc<Log>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Provider {
    /// Binds the port and begins to serve.
    ///
    /// # Errors
    /// A port that is taken, a log file that cannot be opened.
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
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("provider".into()).spawn({
            let (log, stop) = (Arc::clone(&log), stop.clone());
            move || serve::run(&runtime, listener, options, log, &stop)
        })?;
        Ok(Self { addr, log, stop, thread: Some(thread) })
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
