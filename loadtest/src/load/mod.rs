//! A load client: many sockets from one thread, with as little work as possible on each.

mod connection;
pub mod pin;
pub mod proc;
pub mod stamps;
pub mod ws;

use anyhow::{Result, bail};
use greenroom_protocol::{
    VERSION,
    frame::{After, Attach, ClientFrame, Hello},
    id::{Channel, CommandId, SessionId},
    method::{Method, OnBusy, RunStart, SessionCreate},
};
use hdrhistogram::Histogram;
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::{LocalSet, spawn_local},
    time::{self, Instant},
};
use uuid::Uuid;

/// What all connections of a load client share.
struct Shared {
    addr: SocketAddr,
    until: Until,
    measuring: Cell<bool>,
    deltas: Cell<u64>,
    /// Time from the provider's stamp to our read, in microseconds, of every delta and of the
    /// first one of each stream.
    late_us: RefCell<Histogram<u64>>,
    first_us: RefCell<Histogram<u64>>,
    started: Cell<usize>,
    failed: Cell<usize>,
    lost: Cell<usize>,
    error: RefCell<Option<String>>,
    buffer: RefCell<Vec<u8>>,
}

impl Shared {
    fn delta(&self, late_us: u64) {
        if self.measuring.get() {
            self.deltas.set(self.deltas.get() + 1);
            self.late_us.borrow_mut().saturating_record(late_us.max(1));
        }
    }

    fn first(&self, late_us: u64) {
        self.first_us.borrow_mut().saturating_record(late_us.max(1));
    }
}

/// What shows that a stream has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A time stamp of the provider.
    Stamp,
    /// A text in a message.
    Text(&'static str),
}

/// How a connection reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As fast as it can; its deltas are measured.
    Fast,
    /// As fast as it can; only its first delta is measured.
    FirstOnly,
    /// So many bytes a second.
    BytesPerSec(usize),
    /// Nothing after the upgrade.
    Stopped,
}

/// One connection to open.
#[derive(Clone, Debug)]
pub struct Stream {
    /// How it reads.
    pub reader: Reader,
    /// What it sends first.
    pub messages: Vec<String>,
}

/// A load to put on a server.
#[derive(Debug)]
pub struct Load {
    /// The server.
    pub addr: SocketAddr,
    /// Path of the upgrade.
    pub path: String,
    /// The connections.
    pub streams: Vec<Stream>,
    /// Their starts are spread over this time, so that their phases are.
    pub spread: Duration,
    /// What shows that a stream has begun.
    pub until: Until,
    /// Longest wait for all of them to begin.
    pub begin_timeout: Duration,
    /// Wait between the last beginning and the measurement.
    pub settle: Duration,
    /// Length of the measurement.
    pub window: Duration,
    /// The server's process and the provider's.
    pub pids: [u32; 2],
}

/// What a load came to.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Streams that began.
    pub started: usize,
    /// Streams that did not, or that were lost; and one reason.
    pub failed: usize,
    /// One reason for that.
    pub error: Option<String>,
    /// Deltas within the window.
    pub deltas: u64,
    /// Length of the window in seconds.
    pub wall_secs: f64,
    /// CPU seconds of server, provider and this process within the window.
    pub cpu_secs: [f64; 3],
    /// From the provider's stamp to our read, in microseconds.
    pub late_us: Histogram<u64>,
    /// The same, of the first delta of each stream, all of them.
    pub first_us: Histogram<u64>,
    /// The server's resident bytes before the load and at its end.
    pub rss_bytes: [u64; 2],
}

impl Numbers {
    /// The server's CPU microseconds for one delta.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn us_per_delta(&self) -> f64 {
        let [server, ..] = self.cpu_secs;
        server * 1e6 / self.deltas.max(1) as f64
    }

    /// The server's resident bytes for one stream.
    #[must_use]
    pub fn rss_per_stream(&self) -> u64 {
        let [before, after] = self.rss_bytes;
        after.saturating_sub(before) / (self.started.max(1) as u64)
    }

    /// A quantile of the latency in milliseconds.
    #[must_use]
    pub fn late_ms(&self, quantile: f64) -> f64 {
        millis(&self.late_us, quantile)
    }

    /// A quantile of the first deltas' latency in milliseconds.
    #[must_use]
    pub fn first_ms(&self, quantile: f64) -> f64 {
        millis(&self.first_us, quantile)
    }

    /// How much of one core provider and load client took: near 1 they are the limit.
    #[must_use]
    pub fn tools_share(&self) -> f64 {
        let [_, provider, own] = self.cpu_secs;
        (provider + own) / self.wall_secs.max(0.001)
    }
}

#[expect(clippy::cast_precision_loss, reason = "latencies stay far below 2^52 microseconds")]
fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}

impl Load {
    /// Puts the load on from a thread of its own and measures; the sockets close at the end.
    ///
    /// # Errors
    /// Not one stream began.
    pub fn run(self) -> Result<Numbers> {
        let thread = std::thread::Builder::new().name("load".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalSet::new().run_until(self.measure()))
        })?;
        thread.join().map_err(|_| anyhow::anyhow!("the load client panicked"))?
    }

    async fn measure(self) -> Result<Numbers> {
        let histogram = || Histogram::new_with_bounds(1, 120_000_000, 3);
        let shared = Rc::new(Shared {
            addr: self.addr,
            until: self.until,
            measuring: Cell::default(),
            deltas: Cell::default(),
            late_us: RefCell::new(histogram()?),
            first_us: RefCell::new(histogram()?),
            started: Cell::default(),
            failed: Cell::default(),
            lost: Cell::default(),
            error: RefCell::default(),
            buffer: RefCell::new(vec![0; 256 * 1024]),
        });
        let [server, provider] = self.pids;
        let rss_before = proc::rss_bytes(server);
        let count = self.streams.len();
        let deadline = Instant::now() + self.begin_timeout + self.spread;
        let (settle, length) = (self.settle, self.window);
        spawn_local(self.open_all(Rc::clone(&shared)));
        while shared.started.get() + shared.failed.get() < count && Instant::now() < deadline {
            time::sleep(Duration::from_millis(2)).await;
        }
        time::sleep(settle).await;
        let cpu = || {
            let own = proc::alone_cpu_secs(std::process::id());
            [proc::cpu_secs(server), proc::cpu_secs(provider), own]
        };
        let (begin, before) = (Instant::now(), cpu());
        shared.measuring.set(true);
        time::sleep(length).await;
        shared.measuring.set(false);
        let (wall_secs, after) = (begin.elapsed().as_secs_f64(), cpu());
        let rss_bytes = [rss_before, proc::rss_bytes(server)];
        let started = shared.started.get();
        let error = shared.error.borrow().clone();
        if started == 0 {
            bail!(
                "not one of {count} streams began: {}",
                error.unwrap_or_else(|| "in time".into())
            );
        }
        let [s, p, o] = before;
        let [server_after, provider_after, own_after] = after;
        let numbers = Numbers {
            started,
            failed: count - started + shared.lost.get(),
            error,
            deltas: shared.deltas.get(),
            wall_secs,
            cpu_secs: [server_after - s, provider_after - p, own_after - o],
            late_us: shared.late_us.borrow().clone(),
            first_us: shared.first_us.borrow().clone(),
            rss_bytes,
        };
        Ok(numbers)
    }

    /// Opens all connections, at most 128 at a time, spread over time.
    async fn open_all(self, shared: Rc<Shared>) {
        let slots = Arc::new(Semaphore::new(128));
        let count = u32::try_from(self.streams.len()).unwrap_or(u32::MAX).max(1);
        let (step, begin) = (self.spread / count, Instant::now());
        let path: Rc<str> = self.path.into();
        for (number, stream) in (0_u32..).zip(self.streams) {
            time::sleep_until(begin + step * number).await;
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let (shared, path) = (Rc::clone(&shared), Rc::clone(&path));
            spawn_local(async move {
                let mut slot = Some(slot);
                let started = || {
                    if slot.take().is_some() {
                        shared.started.set(shared.started.get() + 1);
                    }
                };
                let end =
                    connection::hold(&shared, &path, stream.reader, &stream.messages, started)
                        .await;
                let count = if slot.is_some() { &shared.failed } else { &shared.lost };
                count.set(count.get() + 1);
                if let Err(error) = end {
                    shared.error.borrow_mut().get_or_insert_with(|| format!("{error:#}"));
                }
            });
        }
    }
}

/// The messages that begin a stream on Greenroom: hello, then create, attach and start in a burst.
#[must_use]
pub fn greenroom_stream(token: &str, session: SessionId, model: Option<&str>) -> Vec<String> {
    let hello = Hello { v: (VERSION, VERSION), token: Some(token.to_owned()), ..Hello::default() };
    let cid = || CommandId::new(Uuid::now_v7());
    let numbered = |id: u32, method: Method| {
        let mut call = method.to_call();
        call.id = id;
        ClientFrame::Call(call).encode()
    };
    let title = "load test".to_owned();
    let mut burst = vec![
        numbered(1, Method::SessionCreate(session, cid(), SessionCreate { title })),
        attach(session),
    ];
    if let Some(model) = model {
        let start = RunStart {
            input: "go".to_owned(),
            on_busy: OnBusy::Reject,
            model: Some(model.to_owned()),
            plan: None,
        };
        burst.push(numbered(2, Method::RunStart(session, cid(), start)));
    }
    let hello = ClientFrame::Hello(hello).encode();
    vec![hello, format!("[{}]", burst.join(","))]
}

/// The messages that follow a session which exists.
#[must_use]
pub fn greenroom_follow(token: &str, session: SessionId) -> Vec<String> {
    let hello = Hello { v: (VERSION, VERSION), token: Some(token.to_owned()), ..Hello::default() };
    vec![ClientFrame::Hello(hello).encode(), attach(session)]
}

fn attach(session: SessionId) -> String {
    let after = After::Start;
    ClientFrame::Attach(Attach { ch: Channel(1), session, after, credit: None, window_ms: 0 })
        .encode()
}
