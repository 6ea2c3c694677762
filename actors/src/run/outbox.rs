//! What a run has said and its session has not taken yet, and when to send it. Pure.

use greenroom_protocol::{event::Event, limit::DELTA_BYTES_MAX};
use std::time::Duration;
use tokio::time::Instant;

/// Text that may wait here, in bytes; beyond it the provider is not read.
const BYTES_MAX: usize = 64 * 1024;

/// The grid on which windows end: sessions whose windows end near each other share a record.
const GRID: Duration = Duration::from_millis(8);

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
}

/// How wide the coalescing window is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) least: Duration,
    pub(super) most: Duration,
    /// Begin of the grid.
    pub(super) origin: Instant,
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
        let Some(sent) = self.sent.filter(|_| self.window.least > Duration::ZERO) else {
            return Some(self.window.origin);
        };
        // Under load batches take longer; fewer and larger ones then cost less.
        let window = (self.latency * 4).clamp(self.window.least, self.window.most);
        Some(self.on_grid(sent + window))
    }

    fn on_grid(&self, at: Instant) -> Instant {
        let since = at.saturating_duration_since(self.window.origin).as_micros();
        let grid = GRID.as_micros();
        let steps = u32::try_from(since.div_ceil(grid)).unwrap_or(u32::MAX);
        self.window.origin + GRID * steps
    }

    /// Takes what waits, to send it now. It is urgent where nothing was sent for a while.
    pub(super) fn begin(&mut self, now: Instant) -> (Vec<Event>, bool) {
        let urgent =
            self.sent.is_none_or(|sent| now.duration_since(sent) > self.window.most.max(GRID) * 2);
        self.is_under_way = true;
        self.begun = Some(now);
        // A window begins with text: what only announces a text does not hold it up.
        if self.bytes > 0 {
            self.sent = Some(now);
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
        assert!(wait >= Duration::from_millis(250) && wait <= Duration::from_millis(258));
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
