//! What a run has said and its session has not taken yet, and when to send it. Pure.

use greenroom_protocol::{event::Event, limit::DELTA_BYTES_MAX};
use std::time::Duration;
use tokio::time::Instant;

/// Text that may wait here, in bytes; beyond it the provider is not read.
const BYTES_MAX: usize = 64 * 1024;

/// Most distance of the points at which windows end: sessions that end theirs at the same moment
/// share a record, and one moment's work costs less than the same work spread out.
const GRID_MAX: Duration = Duration::from_millis(20);

/// How many times as long as a batch takes a window is, where that is more than it is to be: under
/// load batches take longer, and fewer and larger ones cost less.
const LATENCIES: u32 = 8;

/// How long before the end of a window the provider is read again, at least.
const READING_MIN: Duration = Duration::from_millis(4);

/// A run's events on their way to its session. One batch is under way at a time.
#[derive(Debug)]
pub(super) struct Outbox {
    events: Vec<Event>,
    bytes: usize,
    is_under_way: bool,
    /// When the last batch with text was sent: its window began then.
    sent: Option<Instant>,
    /// When the batch under way was sent.
    begun: Option<Instant>,
    /// How long batches take to be durable, smoothed.
    latency: Duration,
    window: Window,
    /// Since when the provider is read in this window.
    reading: Option<Instant>,
}

/// How wide the coalescing window is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) least: Duration,
    pub(super) most: Duration,
    /// Begin of the grid.
    pub(super) origin: Instant,
}

impl Window {
    /// A distance that divides the window, so that each is as long as it should be.
    fn grid(&self) -> Duration {
        let parts = self.least.as_micros().div_ceil(GRID_MAX.as_micros());
        self.least / u32::try_from(parts).unwrap_or(u32::MAX).max(1)
    }
}

impl Outbox {
    pub(super) const fn new(window: Window) -> Self {
        Self {
            events: Vec::new(),
            bytes: 0,
            is_under_way: false,
            sent: None,
            begun: None,
            latency: Duration::ZERO,
            window,
            reading: None,
        }
    }

    /// Where new events go: text joins a last event of the same part.
    pub(super) fn push(&mut self, event: Event) {
        self.bytes += event.as_delta().map_or(0, |(_, _, text)| text.len());
        let rest = match self.events.last_mut() {
            Some(last) => last.join(event, DELTA_BYTES_MAX).err(),
            None => Some(event),
        };
        self.events.extend(rest);
    }

    /// Whether more may be read from the provider.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes < BYTES_MAX
    }

    /// Whether anything waits or is under way.
    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.is_under_way
    }

    /// When to send what waits: at once where nothing was sent for a window, else at its end.
    /// `None` while a batch is under way or nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.is_under_way || self.events.is_empty() {
            return None;
        }
        let Some(end) = self.window_end() else { return Some(self.window.origin) };
        Some(self.reading.map_or(end, |since| end.max(since + READING_MIN)))
    }

    /// Until when the provider need not be read: what came now would wait for the end of the window
    /// all the same, and what is read together costs less. `None`: it is read from now on.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Instant> {
        let end = self.window_end().filter(|_| self.reading.is_none());
        let until = end.and_then(|end| end.checked_sub(READING_MIN)).filter(|until| *until > now);
        if until.is_none() {
            self.reading.get_or_insert(now);
        }
        until
    }

    /// End of the window that the last text began.
    fn window_end(&self) -> Option<Instant> {
        let sent = self.sent.filter(|_| self.window.least > Duration::ZERO)?;
        let window = (self.latency * LATENCIES).clamp(self.window.least, self.window.most);
        Some(self.on_grid(sent + window))
    }

    /// The last point of the grid that is not after a time; the time itself before the first.
    fn on_grid(&self, at: Instant) -> Instant {
        let grid = self.window.grid();
        let since = at.saturating_duration_since(self.window.origin);
        let steps = u32::try_from(since.as_micros() / grid.as_micros().max(1)).unwrap_or(u32::MAX);
        self.window.origin + grid * steps
    }

    /// Takes what waits, to send it now. It is urgent where nothing was sent for a while.
    pub(super) fn begin(&mut self, now: Instant) -> (Vec<Event>, bool) {
        let urgent = self
            .sent
            .is_none_or(|sent| now.duration_since(sent) > self.window.most.max(GRID_MAX) * 2);
        self.is_under_way = true;
        self.begun = Some(now);
        // A window begins with text: what only announces a text does not hold it up.
        if self.bytes > 0 {
            // Counted from when it was due: being a little late does not add up.
            let due =
                self.window_end().filter(|end| *end <= now && now < *end + self.window.grid());
            self.sent = Some(due.unwrap_or(now));
            self.reading = None;
        }
        self.bytes = 0;
        (std::mem::take(&mut self.events), urgent)
    }

    /// The batch under way is durable.
    pub(super) fn taken(&mut self, now: Instant) {
        self.is_under_way = false;
        if let Some(begun) = self.begun.take() {
            self.latency = (self.latency * 3 + now.duration_since(begun)) / 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::PartId;

    fn outbox(now: Instant) -> Outbox {
        let window = Window {
            least: Duration::from_millis(40),
            most: Duration::from_millis(250),
            origin: now,
        };
        Outbox::new(window)
    }

    fn delta(text: &str) -> Event {
        Event::TextDelta { part: PartId(1), text: text.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_delta_goes_at_once_and_the_next_at_the_end_of_the_window() {
        let start = Instant::now();
        let mut outbox = outbox(start);
        assert_eq!(outbox.due(), None);
        outbox.push(delta("a"));
        assert!(outbox.due().unwrap() <= start);
        assert_eq!(outbox.begin(start), (vec![delta("a")], true));

        outbox.push(delta("b"));
        outbox.push(delta("c"));
        assert_eq!(outbox.due(), None, "a batch is under way");
        outbox.taken(start + Duration::from_millis(2));
        let due = outbox.due().unwrap();
        assert_eq!(due, start + Duration::from_millis(40));
        assert_eq!(outbox.begin(due), (vec![delta("bc")], false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_announces_a_text_does_not_hold_it_up() {
        let start = Instant::now();
        let mut outbox = outbox(start);
        outbox.push(Event::TextStart { part: PartId(1) });
        outbox.begin(start);
        outbox.taken(start);
        outbox.push(delta("a"));
        assert!(outbox.due().unwrap() <= start);
        assert!(outbox.begin(start).1, "urgent");
    }

    #[tokio::test(start_paused = true)]
    async fn windows_end_on_points_that_all_runs_share_and_do_not_grow_by_delays() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut outbox = outbox(start);
        outbox.push(delta("a"));
        outbox.begin(at(7));
        outbox.taken(at(8));
        outbox.push(delta("b"));
        assert_eq!(outbox.due(), Some(at(40)), "the point before 47");
        outbox.begin(at(43));
        outbox.taken(at(44));
        outbox.push(delta("c"));
        assert_eq!(outbox.due(), Some(at(80)), "counted from 40");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_widens_the_window_up_to_its_limit() {
        let mut now = Instant::now();
        let mut outbox = outbox(now);
        for _ in 0..20 {
            outbox.push(delta("a"));
            outbox.begin(now);
            now += Duration::from_millis(200);
            outbox.taken(now);
        }
        outbox.push(delta("b"));
        let wait = outbox.due().unwrap() - (now - Duration::from_millis(200));
        assert!(wait > Duration::from_millis(230) && wait <= Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_is_not_read_while_what_it_brings_would_wait_anyway() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut outbox = outbox(start);
        assert_eq!(outbox.pause(start), None, "nothing was sent yet");
        outbox.push(delta("a"));
        outbox.begin(start);
        assert_eq!(outbox.pause(at(1)), Some(at(36)));
        outbox.taken(at(2));
        assert_eq!(outbox.pause(at(36)), None);
        outbox.push(delta("b"));
        assert_eq!(outbox.due(), Some(at(40)), "what else is there is read until then");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_is_read_late_is_read_for_a_while_all_the_same() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut outbox = outbox(start);
        outbox.push(delta("a"));
        outbox.begin(start);
        outbox.taken(at(1));
        assert_eq!(outbox.pause(at(60)), None);
        outbox.push(delta("b"));
        assert_eq!(outbox.due(), Some(at(64)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_outbox_has_no_room_until_it_is_sent() {
        let mut outbox = outbox(Instant::now());
        while outbox.has_room() {
            outbox.push(delta(&"x".repeat(1000)));
        }
        let (events, _) = outbox.begin(Instant::now());
        assert!(outbox.has_room());
        assert!(events.len() > BYTES_MAX / DELTA_BYTES_MAX, "joined, but never above the limit");
    }
}
