//! What all scripted clients of a test share: boards of the sessions, the trap, the verdict.

use crate::checker::Violation;
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::Ev,
    id::{CommandId, RunId, Seq, SessionId},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What some client was shown of a session so far.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// The last entry that any client was shown.
    pub shown: Seq,
    /// The runs.
    pub runs: BTreeMap<RunId, RunSeen>,
}

/// What was shown of a run.
#[derive(Clone, Debug, Default)]
pub struct RunSeen {
    /// The command that started it.
    pub cid: Option<CommandId>,
    /// Whether it began.
    pub started: bool,
    /// How it ended.
    pub end: Option<Outcome>,
}

impl Board {
    /// What was shown of the run that a command started.
    #[must_use]
    pub fn of(&self, cid: CommandId) -> Option<&RunSeen> {
        self.runs.values().find(|run| run.cid == Some(cid))
    }

    /// Adds an entry; clients show them in any order, and most of them more than once. False: it
    /// changes nothing.
    fn add(&mut self, ev: &Ev) -> bool {
        let is_new = ev.seq > self.shown;
        self.shown = self.shown.max(ev.seq);
        if let Event::InputUser { run, cid, .. } = &ev.event {
            self.runs.entry(*run).or_default().cid = Some(*cid);
        } else if let Event::RunStarted { run, .. } = &ev.event {
            self.runs.entry(*run).or_default().started = true;
        } else if let Event::RunFinished { run, outcome, .. } = &ev.event {
            self.runs.entry(*run).or_default().end = Some(*outcome);
        } else {
            return is_new;
        }
        true
    }
}

/// Something to do at the instant when a chosen frame arrives.
struct Trap {
    name: String,
    left: u64,
    spring: Box<dyn FnOnce() + Send>,
}

/// Shared by all scripted clients of a test.
#[derive(Default)]
pub struct World {
    boards: Mutex<BTreeMap<SessionId, watch::Sender<Board>>>,
    trap: Mutex<Option<Trap>>,
    violations: Mutex<Vec<Violation>>,
    stop: CancellationToken,
    /// Frames that reached clients.
    pub frames: AtomicU64,
    /// Entries that reached clients.
    pub entries: AtomicU64,
    /// Sockets that were opened.
    pub sockets: AtomicU64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl World {
    /// A world in which nothing has happened.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Cancelled at the first violation, or when the test is over.
    #[must_use]
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// A session's board, to look at and to wait on.
    #[must_use]
    pub fn board(&self, session: SessionId) -> watch::Receiver<Board> {
        lock(&self.boards).entry(session).or_default().subscribe()
    }

    /// The last entry of a session that any client was shown.
    #[must_use]
    pub fn shown(&self, session: SessionId) -> Seq {
        lock(&self.boards).get(&session).map_or(Seq::START, |board| board.borrow().shown)
    }

    /// Whether a run is under way in any session, as far as clients were shown.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let running = |run: &RunSeen| run.started && run.end.is_none();
        lock(&self.boards).values().any(|board| board.borrow().runs.values().any(running))
    }

    /// An entry has reached a client.
    pub fn event(&self, session: SessionId, ev: &Ev) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        let mut boards = lock(&self.boards);
        let board = boards.entry(session).or_default();
        board.send_if_modified(|board| board.add(ev));
    }

    /// A frame has reached a client, before it is acted upon; `names` are its type and, of an
    /// entry, its event's type.
    pub fn frame<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        let mut guard = lock(&self.trap);
        let Some(trap) = guard.as_mut() else { return };
        if names.into_iter().any(|name| name == trap.name) {
            trap.left = trap.left.saturating_sub(1);
            if trap.left == 0
                && let Some(trap) = guard.take()
            {
                drop(guard);
                (trap.spring)();
            }
        }
    }

    /// Does `spring` at the instant when the `nth` frame or entry of a type arrives anywhere.
    pub fn set_trap(&self, name: &str, nth: u64, spring: impl FnOnce() + Send + 'static) {
        let trap = Trap { name: name.to_owned(), left: nth.max(1), spring: Box::new(spring) };
        *lock(&self.trap) = Some(trap);
    }

    /// Takes the trap away; false: it has sprung.
    pub fn clear_trap(&self) -> bool {
        lock(&self.trap).take().is_some()
    }

    /// A promise was broken: the test ends.
    pub fn violation(&self, violation: Violation) {
        lock(&self.violations).push(violation);
        self.stop.cancel();
    }

    /// All promises that were broken so far, in the order in which that was seen.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_trap_springs_once_at_the_nth_frame_of_its_name() {
        let (world, sprung) = (World::new(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&sprung);
        world.set_trap("file.end", 2, move || flag.store(true, Ordering::SeqCst));
        world.frame(["ev", "file.end"]);
        world.frame(["ok"]);
        assert!(!sprung.load(Ordering::SeqCst));
        world.frame(["ev", "file.end"]);
        assert!(sprung.load(Ordering::SeqCst) && !world.clear_trap());
    }
}
