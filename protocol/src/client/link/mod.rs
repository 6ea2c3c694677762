//! A client's connection: when to connect, what to say first, what to ask again.

mod io;
mod receive;

use super::{
    attachment::{Attachment, Pace, Phase},
    backoff::next_random,
    calls::{Answer, Calls, Ticket, TooManyCalls},
};
use crate::{
    VERSION,
    error::{AfterClose, CloseCode, retry_after_ms},
    frame::{After, Attach, Call, ClientFrame, Heartbeat, Hello},
    id::{Channel, Cursor, SessionId},
    limit::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT},
};
pub use io::{Begun, Config, Effect, GiveUp, Input, State};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Longest wait for an `ack` to go out, in milliseconds.
const ACK_MS: u64 = 250;

/// Longest wait for a token that was asked for, in milliseconds.
const TOKEN_WAIT_MS: u64 = 60_000;

/// A socket that was ready for this long, in milliseconds, ends a series of failed attempts.
const STABLE_MS: u64 = 1000;

/// Most attachments in a `hello`, which so stays below the limit of a message: one takes at most
/// 200 bytes. The others follow after `welcome`.
const HELLO_ATTACH_MAX: usize = 256;

/// Close code of a client that is done with a socket.
const NORMAL_CLOSE: u16 = 1000;

/// One connection of a client over its whole life, with its attachments and unanswered calls.
///
/// Its memory is bounded by the attachments that the caller makes and by
/// [`CALLS_MAX`](super::CALLS_MAX) calls; effects wait only until the caller takes them, which it
/// does after every input.
#[derive(Debug)]
pub struct Link {
    config: Config,
    state: State,
    /// Failed attempts in a row.
    attempt: u32,
    random: u64,
    token_asked: bool,
    heartbeat: Heartbeat,
    heard_ms: u64,
    ready_ms: u64,
    /// No calls before this time.
    quiet_until_ms: u64,
    ack_at_ms: Option<u64>,
    slots: BTreeMap<Channel, Slot>,
    last_channel: u32,
    calls: Calls,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
struct Slot {
    attachment: Attachment,
    /// Not before this time, where the server or prudence asks to wait.
    attach_at_ms: Option<u64>,
    /// Holes since the last entry that applied.
    holes: u32,
}

impl Slot {
    /// Whether to ask for it now: at once where nobody said to wait, and again after a refusal.
    fn is_due(&self, now_ms: u64) -> bool {
        match self.attachment.phase() {
            Phase::Detached => self.attach_at_ms.is_none_or(|at_ms| at_ms <= now_ms),
            Phase::Attaching => self.attach_at_ms.is_some_and(|at_ms| at_ms <= now_ms),
            Phase::Replaying | Phase::Live | Phase::Ended => false,
        }
    }
}

impl Link {
    /// A link that waits for [`Input::Start`].
    #[must_use]
    pub fn new(config: Config) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            state: State::Idle,
            attempt: 0,
            random: config.seed,
            token_asked: false,
            heartbeat: Heartbeat {
                interval_ms: millis(HEARTBEAT_INTERVAL),
                timeout_ms: millis(HEARTBEAT_TIMEOUT),
            },
            heard_ms: 0,
            ready_ms: 0,
            quiet_until_ms: 0,
            ack_at_ms: None,
            slots: BTreeMap::new(),
            last_channel: 0,
            calls: Calls::default(),
            effects: VecDeque::new(),
            config,
        }
    }

    /// Where the link is in its life.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// An attachment, unless it was given up by [`Link::detach`].
    #[must_use]
    pub fn attachment(&self, ch: Channel) -> Option<&Attachment> {
        self.slots.get(&ch).map(|slot| &slot.attachment)
    }

    /// The position of an attachment: persist it together with what was applied up to it.
    #[must_use]
    pub fn cursor(&self, ch: Channel) -> Option<Cursor> {
        self.attachment(ch)?.cursor()
    }

    /// The next thing to do; ask until there is none, after every call of another method.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Follows a session on a channel of its own, over all reconnects, until [`Link::detach`].
    pub fn attach(&mut self, now_ms: u64, session: SessionId, after: After, pace: Pace) -> Channel {
        self.last_channel = self.last_channel.wrapping_add(1);
        let ch = Channel(self.last_channel);
        let attachment = Attachment::new(session, after, pace);
        self.slots.insert(ch, Slot { attachment, attach_at_ms: None, holes: 0 });
        self.send_due(now_ms);
        ch
    }

    /// Stops following a session.
    pub fn detach(&mut self, ch: Channel) {
        let Some(slot) = self.slots.remove(&ch) else { return };
        let on_socket = !matches!(slot.attachment.phase(), Phase::Detached | Phase::Ended);
        if on_socket && self.is_open() {
            self.send(ClientFrame::Detach { ch });
        }
    }

    /// Grants an attachment nothing more while `held`: for readers that cannot keep up.
    pub fn hold(&mut self, now_ms: u64, ch: Channel, held: bool) {
        if let Some(slot) = self.slots.get_mut(&ch) {
            slot.attachment.hold(held);
            if slot.attachment.ack_is_due() {
                self.ack_at_ms = Some(now_ms);
            }
        }
    }

    /// Asks for something; the answer is an [`Effect::Answered`] with the ticket. The call's `id`
    /// is the link's business: [`crate::method::Method::to_call`] leaves it open.
    ///
    /// A call without an answer is asked again on the next socket, under the same command id.
    ///
    /// # Errors
    /// [`TooManyCalls`] if [`CALLS_MAX`](super::CALLS_MAX) calls wait for an answer.
    pub fn call(&mut self, now_ms: u64, call: Call) -> Result<Ticket, TooManyCalls> {
        let give_up_at_ms = now_ms.saturating_add(self.config.call_timeout_ms);
        let ticket = self.calls.add(call, give_up_at_ms)?;
        self.send_due(now_ms);
        Ok(ticket)
    }

    /// Takes in what happened.
    pub fn apply(&mut self, now_ms: u64, input: Input<'_>) {
        match input {
            Input::Start => {
                if matches!(self.state, State::Idle) {
                    self.connect(now_ms);
                }
            }
            Input::Opened => {
                if matches!(self.state, State::Connecting { .. }) {
                    self.hello(now_ms);
                }
            }
            Input::Text(text) => self.text(now_ms, text),
            Input::Alive => self.heard_ms = now_ms,
            Input::Closed { code, reason } => self.closed(now_ms, code, reason),
            Input::Token(token) => self.token(now_ms, token),
            Input::NoToken => {
                self.token_asked = false;
                if matches!(self.state, State::AwaitingToken { .. }) {
                    self.fail(GiveUp::NoToken);
                }
            }
            Input::Tick => self.tick(now_ms),
            Input::Stop => {
                if !matches!(self.state, State::Idle | State::Failed) {
                    self.leave(NORMAL_CLOSE);
                    self.state = State::Idle;
                }
            }
        }
    }

    /// When [`Input::Tick`] is due at the latest; none while nothing can happen by itself.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let silence_ms = self.silence_ms();
        let (state_ms, open) = match self.state {
            State::Idle | State::Failed => return self.calls.deadline_ms(),
            State::Connecting { until_ms }
            | State::HelloSent { until_ms }
            | State::AwaitingToken { until_ms, .. }
            | State::Backoff { until_ms } => (until_ms, false),
            State::Ready => (silence_ms, true),
            State::Draining { until_ms } => (until_ms.min(silence_ms), true),
        };
        let mut deadline_ms = state_ms.min(self.calls.deadline_ms().unwrap_or(u64::MAX));
        if open {
            let held_back = self.calls.any_unsent() && matches!(self.state, State::Ready);
            let quiet_ms = held_back.then_some(self.quiet_until_ms);
            let attach_ms = self.slots.values().filter_map(|slot| self.attach_ms(slot));
            let timers = quiet_ms.into_iter().chain(self.ack_at_ms).chain(attach_ms);
            deadline_ms = timers.fold(deadline_ms, u64::min);
        }
        Some(deadline_ms)
    }

    /// When an attachment is to be asked for, where that hangs on time alone.
    fn attach_ms(&self, slot: &Slot) -> Option<u64> {
        let waits = matches!(slot.attachment.phase(), Phase::Detached | Phase::Attaching);
        let by_time = waits && !self.calls.creates_later(slot.attachment.session());
        slot.attach_at_ms.filter(|_| by_time)
    }

    fn silence_ms(&self) -> u64 {
        let Heartbeat { interval_ms, timeout_ms } = self.heartbeat;
        self.heard_ms.saturating_add(interval_ms).saturating_add(timeout_ms)
    }

    const fn is_open(&self) -> bool {
        matches!(self.state, State::Ready | State::Draining { .. })
    }

    fn send(&mut self, frame: ClientFrame) {
        self.effects.push_back(Effect::Send(frame));
    }

    fn connect(&mut self, now_ms: u64) {
        let until_ms = now_ms.saturating_add(self.config.connect_timeout_ms);
        self.state = State::Connecting { until_ms };
        self.effects.push_back(Effect::Connect);
    }

    fn hello(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
        let until_ms = now_ms.saturating_add(self.config.connect_timeout_ms);
        self.state = State::HelloSent { until_ms };
        let attach = self.attachable(now_ms, HELLO_ATTACH_MAX);
        let hello = Hello {
            v: (VERSION, VERSION),
            token: self.config.token.clone(),
            client: self.config.client.clone(),
            features: self.config.features.clone(),
            attach,
        };
        self.send(ClientFrame::Hello(hello));
    }

    /// Requests for all attachments that should be on the socket and are not. A session whose
    /// creation has not gone out waits for it.
    fn attachable(&mut self, now_ms: u64, most: usize) -> Vec<Attach> {
        let calls = &self.calls;
        let due =
            |slot: &Slot| slot.is_due(now_ms) && !calls.creates_later(slot.attachment.session());
        let requests = self.slots.iter_mut().filter(|(_, slot)| due(slot)).map(|(ch, slot)| {
            slot.attach_at_ms = None;
            slot.attachment.request(*ch)
        });
        requests.take(most).collect()
    }

    /// Sends what waits, as far as the state allows.
    fn send_due(&mut self, now_ms: u64) {
        if matches!(self.state, State::Ready) && self.quiet_until_ms <= now_ms {
            let frames = self.calls.send().map(|call| Effect::Send(ClientFrame::Call(call)));
            self.effects.extend(frames);
        }
        if self.is_open() {
            for attach in self.attachable(now_ms, usize::MAX) {
                self.send(ClientFrame::Attach(attach));
            }
        }
    }

    fn send_acks(&mut self) {
        self.ack_at_ms = None;
        let acks: Vec<_> =
            self.slots.iter_mut().filter_map(|(ch, slot)| slot.attachment.ack(*ch)).collect();
        if !acks.is_empty() {
            self.send(ClientFrame::Ack { acks });
        }
    }

    fn tick(&mut self, now_ms: u64) {
        let late = self.calls.timed_out(now_ms);
        let answers = late.map(|ticket| Effect::Answered { ticket, answer: Answer::TimedOut });
        self.effects.extend(answers);
        match self.state {
            State::Connecting { until_ms } | State::HelloSent { until_ms } => {
                if until_ms <= now_ms {
                    self.broken(now_ms, NORMAL_CLOSE);
                }
            }
            State::Ready | State::Draining { .. } if self.silence_ms() <= now_ms => {
                self.broken(now_ms, CloseCode::HeartbeatTimeout.number());
            }
            State::Draining { until_ms } if until_ms <= now_ms => {
                self.leave(NORMAL_CLOSE);
                self.attempt = 0;
                self.connect(now_ms);
            }
            State::Ready | State::Draining { .. } => {
                self.send_due(now_ms);
                if self.ack_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                    self.send_acks();
                }
            }
            State::AwaitingToken { until_ms, .. } => {
                if until_ms <= now_ms {
                    self.fail(GiveUp::NoToken);
                }
            }
            State::Backoff { until_ms } => {
                if until_ms <= now_ms {
                    self.connect(now_ms);
                }
            }
            State::Idle | State::Failed => {}
        }
    }

    fn token(&mut self, now_ms: u64, token: String) {
        self.token_asked = false;
        self.config.token = Some(token.clone());
        if self.is_open() {
            self.send(ClientFrame::Auth { token });
        } else if let State::AwaitingToken { connect_at_ms, .. } = self.state {
            self.state = State::Backoff { until_ms: connect_at_ms.max(now_ms) };
            self.tick(now_ms);
        }
    }

    fn ask_for_token(&mut self) {
        if !std::mem::replace(&mut self.token_asked, true) {
            self.effects.push_back(Effect::RefreshToken);
        }
    }

    /// Forgets the socket; all that hung on it is to be asked for again.
    fn lost(&mut self) {
        self.calls.lost();
        self.ack_at_ms = None;
        for slot in self.slots.values_mut() {
            slot.attachment.detach();
        }
    }

    /// Leaves the socket.
    fn leave(&mut self, code: u16) {
        let has_socket = matches!(
            self.state,
            State::Connecting { .. }
                | State::HelloSent { .. }
                | State::Ready
                | State::Draining { .. }
        );
        if has_socket {
            self.effects.push_back(Effect::Disconnect { code });
        }
        self.lost();
    }

    /// Leaves a socket that is of no use, and tries again.
    fn broken(&mut self, now_ms: u64, code: u16) {
        self.leave(code);
        let connect_at_ms = self.next_attempt_ms(now_ms, None);
        self.back_off(now_ms, connect_at_ms);
    }

    fn closed(&mut self, now_ms: u64, code: Option<u16>, reason: &str) {
        let planned_ms = match self.state {
            State::Idle | State::Failed | State::Backoff { .. } | State::AwaitingToken { .. } => {
                return;
            }
            State::Draining { until_ms } => Some(until_ms.max(now_ms)),
            State::Connecting { .. } | State::HelloSent { .. } | State::Ready => None,
        };
        self.lost();
        let hint_ms = retry_after_ms(reason);
        match code.map_or(AfterClose::Resume, AfterClose::from_number) {
            AfterClose::GiveUp => {
                let code = code.unwrap_or_default();
                self.fail(GiveUp::Closed { code, reason: reason.to_owned() });
            }
            AfterClose::RefreshToken => {
                let connect_at_ms = self.next_attempt_ms(now_ms, hint_ms);
                let until_ms = now_ms.saturating_add(TOKEN_WAIT_MS);
                self.state = State::AwaitingToken { until_ms, connect_at_ms };
                self.ask_for_token();
            }
            AfterClose::Resume => {
                let connect_at_ms =
                    planned_ms.unwrap_or_else(|| self.next_attempt_ms(now_ms, hint_ms));
                self.back_off(now_ms, connect_at_ms);
            }
        }
    }

    /// When to connect after a failure: full jitter, and never sooner than the server asks for.
    fn next_attempt_ms(&mut self, now_ms: u64, hint_ms: Option<u64>) -> u64 {
        if self.is_open() && now_ms.saturating_sub(self.ready_ms) >= STABLE_MS {
            self.attempt = 0;
        }
        let jitter_ms = self.config.backoff.wait_ms(self.attempt, next_random(&mut self.random));
        self.attempt = self.attempt.saturating_add(1);
        now_ms.saturating_add(jitter_ms.saturating_add(hint_ms.unwrap_or(0)))
    }

    fn back_off(&mut self, now_ms: u64, connect_at_ms: u64) {
        self.state = State::Backoff { until_ms: connect_at_ms };
        let retry_in_ms = connect_at_ms.saturating_sub(now_ms);
        self.effects.push_back(Effect::Lost { retry_in_ms });
    }

    fn fail(&mut self, why: GiveUp) {
        self.state = State::Failed;
        for slot in self.slots.values_mut() {
            slot.attachment.end();
        }
        let unanswered = self.calls.abandon();
        self.effects.push_back(Effect::GiveUp { why, unanswered });
    }
}

#[cfg(test)]
mod tests;
