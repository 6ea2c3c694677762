//! Clients that mean harm: many sockets from one thread, each of which does one of the things that
//! have brought servers down. Whoever is closed comes back.

mod socket;

use crate::load::proc;
use anyhow::Result;
use greenroom_protocol::frame::{ClientFrame, Hello};
use hdrhistogram::Histogram;
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    task::{LocalSet, spawn_local},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

/// Time between two looks at the server's memory.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// What a hostile client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connects and says nothing.
    Idle,
    /// Sends the head of a request, one byte now and then.
    SlowHead,
    /// Sends a whole head and the body one byte now and then.
    SlowBody,
    /// Sends headers without an end, 7 KB every 5 ms.
    HeaderFlood,
    /// Opens a WebSocket and says nothing.
    SilentSocket,
    /// Opens a WebSocket and sends a message in frames of one byte, 1,024 every 5 ms.
    FragmentFlood,
    /// Signs in on a WebSocket, then sends a message in frames of one byte, one now and then.
    SlowFragments,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::SlowHead,
        Self::SlowBody,
        Self::HeaderFlood,
        Self::SilentSocket,
        Self::FragmentFlood,
        Self::SlowFragments,
    ];

    /// Its name in a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle sockets",
            Self::SlowHead => "slow heads",
            Self::SlowBody => "slow bodies",
            Self::HeaderFlood => "header floods",
            Self::SilentSocket => "silent WebSockets",
            Self::FragmentFlood => "fragment floods",
            Self::SlowFragments => "slow fragments",
        }
    }
}

/// An attack to make.
#[derive(Clone, Debug)]
pub struct Attack {
    /// The server.
    pub addr: SocketAddr,
    /// The server's process.
    pub pid: u32,
    /// How many of each kind are there at once.
    pub sockets: Vec<(Kind, usize)>,
    /// Access token of those that sign in.
    pub token: String,
    /// Time between two bytes of those that are slow.
    pub drip: Duration,
    /// Time from being closed to coming back, on average: it varies by half, so that sockets which
    /// were closed together do not come together.
    pub again: Duration,
}

/// What became of one kind.
#[derive(Clone, Debug)]
pub struct Fate {
    /// The kind.
    pub kind: Kind,
    /// How many were there at once.
    pub sockets: usize,
    /// Connections that could not be made.
    pub refused: u64,
    /// Milliseconds from the connect to the end that the server made.
    pub closed_ms: Histogram<u64>,
    /// Age of the oldest one that was still open at the end.
    pub oldest_open: Duration,
}

impl Fate {
    /// The longest that a socket of this kind held out.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_millis(self.closed_ms.max()).max(self.oldest_open)
    }
}

/// What an attack came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By kind.
    pub fates: Vec<Fate>,
    /// The server's resident bytes before, and the most that they came to.
    pub rss_bytes: [u64; 2],
    /// Hostile sockets that were open at that moment.
    pub open_at_peak: u64,
}

impl Outcome {
    /// Resident bytes of the server for one hostile socket.
    #[must_use]
    pub fn rss_per_socket(&self) -> u64 {
        let [before, peak] = self.rss_bytes;
        peak.saturating_sub(before) / self.open_at_peak.max(1)
    }
}

/// What all sockets share.
struct Shared {
    attack: Attack,
    hello: String,
    /// By place in `attack.sockets`.
    tallies: Vec<Tally>,
    open: Cell<u64>,
    /// Most resident bytes so far, and the sockets that were open then.
    peak: Cell<(u64, u64)>,
}

struct Tally {
    refused: Cell<u64>,
    closed_ms: RefCell<Histogram<u64>>,
    /// When each socket that is open was opened.
    since: RefCell<Vec<Option<Instant>>>,
}

/// An attack under way.
#[derive(Debug)]
pub struct UnderWay {
    stop: CancellationToken,
    thread: JoinHandle<Result<Outcome>>,
}

impl Attack {
    /// Begins from a thread of its own.
    ///
    /// # Errors
    /// No thread.
    pub fn begin(self) -> Result<UnderWay> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("hostile".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalSet::new().run_until(self.make(stopped)))
        })?;
        Ok(UnderWay { stop, thread })
    }

    async fn make(self, stop: CancellationToken) -> Result<Outcome> {
        let before = proc::rss_bytes(self.pid);
        let hello = Hello { v: (1, 1), token: Some(self.token.clone()), ..Hello::default() };
        let tally = |(_, count): &(Kind, usize)| -> Result<Tally> {
            Ok(Tally {
                refused: Cell::default(),
                closed_ms: RefCell::new(Histogram::new_with_bounds(1, 600_000, 3)?),
                since: RefCell::new(vec![None; *count]),
            })
        };
        let shared = Rc::new(Shared {
            tallies: self.sockets.iter().map(tally).collect::<Result<_>>()?,
            hello: ClientFrame::Hello(hello).encode(),
            open: Cell::default(),
            peak: Cell::new((before, 0)),
            attack: self,
        });
        for (place, (kind, count)) in shared.attack.sockets.iter().enumerate() {
            for number in 0..*count {
                spawn_local(Rc::clone(&shared).keep_coming(place, *kind, number));
            }
        }
        spawn_local(Rc::clone(&shared).watch_memory());
        stop.cancelled().await;
        Ok(shared.outcome(before))
    }
}

impl Shared {
    async fn keep_coming(self: Rc<Self>, place: usize, kind: Kind, number: usize) {
        let Some(tally) = self.tallies.get(place) else { return };
        loop {
            match socket::connect(self.attack.addr).await {
                Ok(stream) => {
                    let begun = Instant::now();
                    tally.opened(number, Some(begun));
                    self.open.set(self.open.get() + 1);
                    socket::hold(stream, kind, &self.hello, self.attack.drip).await;
                    self.open.set(self.open.get() - 1);
                    tally.opened(number, None);
                    let held = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    tally.closed_ms.borrow_mut().saturating_record(held.max(1));
                }
                Err(_) => tally.refused.set(tally.refused.get() + 1),
            }
            time::sleep(self.attack.again.mul_f64(rand::random_range(0.5..1.5))).await;
        }
    }

    async fn watch_memory(self: Rc<Self>) {
        loop {
            let (rss_bytes, (peak, _)) = (proc::rss_bytes(self.attack.pid), self.peak.get());
            if rss_bytes > peak {
                self.peak.set((rss_bytes, self.open.get()));
            }
            time::sleep(SAMPLE_INTERVAL).await;
        }
    }

    fn outcome(&self, before: u64) -> Outcome {
        let fates = self.attack.sockets.iter().zip(&self.tallies).map(|((kind, count), tally)| {
            let oldest = tally.since.borrow().iter().flatten().map(Instant::elapsed).max();
            Fate {
                kind: *kind,
                sockets: *count,
                refused: tally.refused.get(),
                closed_ms: tally.closed_ms.borrow().clone(),
                oldest_open: oldest.unwrap_or_default(),
            }
        });
        let (peak, open_at_peak) = self.peak.get();
        Outcome { fates: fates.collect(), rss_bytes: [before, peak], open_at_peak }
    }
}

impl Tally {
    fn opened(&self, number: usize, since: Option<Instant>) {
        if let Some(place) = self.since.borrow_mut().get_mut(number) {
            *place = since;
        }
    }
}

impl UnderWay {
    /// Ends it: all its sockets close.
    ///
    /// # Errors
    /// Its thread failed.
    pub fn end(self) -> Result<Outcome> {
        self.stop.cancel();
        self.thread.join().map_err(|_| anyhow::anyhow!("the hostile clients panicked"))?
    }
}
