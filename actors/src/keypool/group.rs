//! A quota group: what one account may still ask of one model.
//!
//! ```text
//! Open --429, or mostly failures--> Cooling --its time--> HalfOpen --answers--> Open
//!                                      ^--------- twice as long ---------'
//! ```
//!
//! A group that cools has one deadline, which only grows. Half open, one call finds out whether the
//! provider answers again, then two, then four: those who waited do not come back all at once.

use super::{bucket::Bucket, draw::Draw, key::Generation};
use crate::{
    plant::{self, Plant},
    port::{Limits, ProviderErrorKind as Kind, Terms},
};
use std::time::Duration;
use tokio::time::Instant;

/// Calls that an account whose limits are not known yet is believed to have left: many, so that
/// it is tried and its limits are learnt.
const UNKNOWN_LEFT: f64 = 1000.0;
/// First wait after a refusal that names none; each further one may be twice as long.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Longest wait that comes from doubling; what a provider asks for may be longer.
const DOUBLED_MAX: Duration = Duration::from_secs(120);
/// First rest of a group most of whose calls fail.
const BROKEN: Duration = Duration::from_secs(5);
/// Calls without an answer at which a half-open group is open.
const WINDOW_OPEN: u32 = 16;
/// Time constant of the share of failures.
const HEALTH_SECS: f64 = 30.0;
/// Fewest calls in that time by which a group is judged.
const SAMPLES_MIN: f64 = 5.0;
/// Of retries there may be fewer than half as many tokens; each failure takes one, each answer
/// gives a tenth (gRPC's A6).
const RETRIES_MAX: f64 = 10.0;
/// Shortest time to the first content that tells groups apart, in seconds: below it is noise.
const TTFT_SECS_MIN: f64 = 0.1;

/// State of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Cooling {
        until: Instant,
        wait: Duration,
        why: Kind,
    },
    /// So many calls may be without an answer, and so many are.
    HalfOpen {
        window: u32,
        pending: u32,
        wait: Duration,
    },
}

/// One quota group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    phase: Phase,
    generation: Generation,
    /// Since when, in generations, the group has not been open: what began just before a cooldown
    /// may still lengthen it.
    cooled_from: Option<Generation>,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    /// Whether a bucket is configured and not told by the provider.
    limits_requests: bool,
    limits_tokens: bool,
    pub(super) in_flight: u32,
    /// Of those, the ones that the provider may not have counted yet.
    unanswered: u32,
    unanswered_tokens: f64,
    ttft_secs: f64,
    calls: f64,
    failures: f64,
    judged_at: Instant,
    retries: f64,
}

/// What a failure came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is counted; the state is as before.
    Counted,
    /// The state changed.
    Changed,
    /// It began before the last change and says nothing of the present.
    Late,
}

impl Group {
    pub(super) fn new(terms: &Terms, now: Instant) -> Self {
        let bucket = |limit: Option<u32>| limit.map(|limit| Bucket::per_minute(limit, now));
        Self {
            phase: Phase::Open,
            generation: 0,
            cooled_from: None,
            requests: bucket(terms.requests_per_minute),
            tokens: bucket(terms.tokens_per_minute),
            limits_requests: terms.requests_per_minute.is_some(),
            limits_tokens: terms.tokens_per_minute.is_some(),
            in_flight: 0,
            unanswered: 0,
            unanswered_tokens: 0.0,
            ttft_secs: TTFT_SECS_MIN,
            calls: 0.0,
            failures: 0.0,
            judged_at: now,
            retries: RETRIES_MAX,
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    #[cfg(test)]
    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether nothing is known of it that a new one would not know.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let rests = matches!(self.phase, Phase::Cooling { until, .. } if until > now);
        self.in_flight == 0 && !rests
    }

    /// Calls and tokens left; none: not known.
    pub(super) fn left(&self, now: Instant) -> (Option<f64>, Option<f64>) {
        let left = |bucket: &Option<Bucket>| bucket.as_ref().map(|bucket| bucket.left(now));
        (left(&self.requests), left(&self.tokens))
    }

    /// What time alone changes.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) {
        if let Phase::Cooling { until, wait, .. } = self.phase
            && until <= now
        {
            self.turn(Phase::HalfOpen { window: 1, pending: 0, wait });
        }
    }

    /// How many calls of so many tokens it has room for, in proportion to others; 0: none now.
    #[inline]
    pub(super) fn headroom(&self, tokens: f64, now: Instant) -> f64 {
        let is_open = match self.phase {
            Phase::Open => true,
            Phase::HalfOpen { window, pending, .. } => pending < window,
            Phase::Cooling { .. } => false,
        };
        if !is_open {
            return 0.0;
        }
        let requests = self.requests.as_ref().map(|bucket| bucket.fits(1.0, now));
        let tokens = self.tokens.as_ref().map(|bucket| bucket.fits(tokens, now));
        let headroom = match (requests, tokens) {
            (Some(requests), Some(tokens)) => requests.min(tokens),
            (Some(known), None) | (None, Some(known)) => known,
            (None, None) => UNKNOWN_LEFT,
        };
        if headroom >= 1.0 { headroom } else { 0.0 }
    }

    /// How busy it is for its room: what selection compares.
    #[inline]
    pub(super) fn load(&self, headroom: f64) -> f64 {
        f64::from(self.in_flight) * self.ttft_secs / headroom
    }

    /// When a call of so many tokens may be made; none: never.
    pub(super) fn ready(&self, tokens: f64, now: Instant) -> Option<Instant> {
        let from = match self.phase {
            Phase::Cooling { until, .. } => until,
            Phase::HalfOpen { window, pending, .. } if pending >= window => {
                now + Duration::try_from_secs_f64(self.ttft_secs).unwrap_or(BACKOFF)
            }
            Phase::HalfOpen { .. } | Phase::Open => now,
        };
        let when = |bucket: &Option<Bucket>, size| match bucket {
            Some(bucket) => bucket.ready(size, now),
            None => Some(now),
        };
        Some(from.max(when(&self.requests, 1.0)?).max(when(&self.tokens, tokens)?))
    }

    /// Whether a further try after a failure here may be made.
    pub(super) fn may_retry(&self) -> bool {
        self.retries > RETRIES_MAX / 2.0
    }

    /// A call begins; answers the generation that its result is to name.
    pub(super) fn grant(&mut self, tokens: f64, now: Instant) -> Generation {
        if let Phase::HalfOpen { pending, .. } = &mut self.phase {
            *pending += 1;
        }
        self.in_flight += 1;
        self.unanswered += 1;
        self.unanswered_tokens += tokens;
        if let Some(bucket) = &mut self.requests {
            bucket.take(1.0, now);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.take(tokens, now);
        }
        self.generation
    }

    /// A call that was granted has ended.
    pub(super) const fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A call ended before the provider said anything.
    pub(super) fn abandoned(&mut self, generation: Generation, tokens: f64) {
        self.reported(tokens);
        if self.generation == generation
            && let Phase::HalfOpen { pending, .. } = &mut self.phase
        {
            *pending = pending.saturating_sub(1);
        }
    }

    /// The first content came after `ttft`; whether the state changed.
    pub(super) fn answered(
        &mut self,
        generation: Generation,
        tokens: f64,
        (ttft, now): (Duration, Instant),
    ) -> bool {
        self.reported(tokens);
        self.judge(0.0, now);
        self.retries = (self.retries + 0.1).min(RETRIES_MAX);
        let ttft_secs = ttft.as_secs_f64().max(TTFT_SECS_MIN);
        self.ttft_secs += (ttft_secs - self.ttft_secs) * 0.2;
        if self.generation != generation {
            return false;
        }
        let Phase::HalfOpen { window, pending, .. } = &mut self.phase else { return false };
        *pending = pending.saturating_sub(1);
        *window *= 2;
        if *window >= WINDOW_OPEN {
            self.turn(Phase::Open);
            self.cooled_from = None;
        }
        true
    }

    /// Takes what an answer told of the limits.
    pub(super) fn told(&mut self, limits: &Limits, now: Instant) {
        let tell = |bucket: &mut Option<Bucket>, told: Option<Bucket>, is_configured: bool| match (
            bucket, told,
        ) {
            (_, None) => {}
            (Some(bucket), Some(told)) if is_configured => bucket.tighten(&told, now),
            (bucket, told) => *bucket = told,
        };
        let pending = f64::from(self.unanswered);
        let requests = limits.requests.map(|one| Bucket::told(one, pending, now));
        tell(&mut self.requests, requests, self.limits_requests);
        let tokens = limits.tokens.map(|one| Bucket::told(one, self.unanswered_tokens, now));
        tell(&mut self.tokens, tokens, self.limits_tokens);
    }

    /// A call failed; `tokens` are those of one that was not answered before. `alone`: no other
    /// group could take its place, so that a rest would help nobody.
    pub(super) fn failed(
        &mut self,
        (generation, tokens): (Generation, Option<f64>),
        (why, hint): (Kind, Option<Duration>),
        alone: bool,
        (now, draw): (Instant, &mut Draw),
    ) -> Judged {
        if let Some(tokens) = tokens {
            self.reported(tokens);
        }
        let is_transient = is_transient(why);
        if is_transient {
            self.judge(1.0, now);
            self.retries = (self.retries - 1.0).max(0.0);
        }
        if self.generation != generation && !plant::is(Plant::LateFailurePoisons) {
            return self.late(generation, why, hint, now);
        }
        let is_broken = is_transient
            && !alone
            && (matches!(self.phase, Phase::HalfOpen { .. })
                || (self.calls >= SAMPLES_MIN && self.failures * 2.0 > self.calls));
        if why == Kind::RateLimited || is_broken {
            let least = if is_broken { BROKEN } else { self.backoff(draw) };
            self.cool(why, hint.unwrap_or(least), (now, draw));
            return Judged::Changed;
        }
        if let (Some(_), Phase::HalfOpen { pending, .. }) = (tokens, &mut self.phase) {
            *pending = pending.saturating_sub(1);
        }
        Judged::Counted
    }

    /// Another node was refused: it rests until then, or longer if it does already.
    pub(super) fn rest(&mut self, until: Instant, now: Instant) {
        match &mut self.phase {
            Phase::Cooling { until: last, .. } => *last = until.max(*last),
            Phase::Open | Phase::HalfOpen { .. } if until > now => {
                self.cooled_from = Some(self.generation);
                let (wait, why) = ((until - now).min(DOUBLED_MAX), Kind::RateLimited);
                self.turn(Phase::Cooling { until, wait, why });
            }
            Phase::Open | Phase::HalfOpen { .. } => {}
        }
    }

    /// Becomes one with another group: both turned out to be the same account's.
    pub(super) fn absorb(&mut self, other: &Self, now: Instant) {
        self.in_flight += other.in_flight;
        self.unanswered += other.unanswered;
        self.unanswered_tokens += other.unanswered_tokens;
        let tighter = |one: &mut Option<Bucket>, other: &Option<Bucket>| match (one, other) {
            (Some(one), Some(other)) => one.tighten(other, now),
            (one @ None, other) => *one = *other,
            (Some(_), None) => {}
        };
        tighter(&mut self.requests, &other.requests);
        tighter(&mut self.tokens, &other.tokens);
        let deadline = |phase: Phase| match phase {
            Phase::Cooling { until, .. } => Some(until),
            Phase::Open | Phase::HalfOpen { .. } => None,
        };
        if deadline(other.phase) > deadline(self.phase) {
            self.phase = other.phase;
        }
        self.generation = self.generation.max(other.generation) + 1;
    }

    /// A failure of an earlier generation: one from just before the cooldown may lengthen it.
    fn late(
        &mut self,
        generation: Generation,
        why: Kind,
        hint: Option<Duration>,
        now: Instant,
    ) -> Judged {
        if let (Phase::Cooling { until, .. }, Kind::RateLimited, Some(hint)) =
            (&mut self.phase, why, hint)
            && self.cooled_from == Some(generation)
            && now + hint > *until
        {
            *until = now + hint;
            return Judged::Changed;
        }
        Judged::Late
    }

    fn cool(&mut self, why: Kind, wait: Duration, (now, draw): (Instant, &mut Draw)) {
        let wait = match self.phase {
            Phase::HalfOpen { wait: last, .. } => wait.max((last * 2).min(DOUBLED_MAX)),
            Phase::Open | Phase::Cooling { .. } => wait,
        };
        let jitter = draw.part_of(wait / 5);
        let mut until = now + wait + jitter;
        if let Phase::Cooling { until: last, .. } = self.phase {
            until = until.max(last);
        }
        self.cooled_from = Some(self.generation);
        self.turn(Phase::Cooling { until, wait, why });
    }

    fn backoff(&self, draw: &mut Draw) -> Duration {
        let most = match self.phase {
            Phase::HalfOpen { wait, .. } => (wait * 2).min(BACKOFF_MAX),
            Phase::Open | Phase::Cooling { .. } => BACKOFF,
        };
        draw.part_of(most).max(BACKOFF_MIN)
    }

    fn reported(&mut self, tokens: f64) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.unanswered_tokens = (self.unanswered_tokens - tokens).max(0.0);
    }

    fn judge(&mut self, failures: f64, now: Instant) {
        let since = now.saturating_duration_since(self.judged_at).as_secs_f64();
        let fading = (-since / HEALTH_SECS).exp();
        self.calls = self.calls.mul_add(fading, 1.0);
        self.failures = self.failures.mul_add(fading, failures);
        self.judged_at = now;
    }

    const fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

/// Whether a failure is the provider's and may be over with the next call.
pub(super) const fn is_transient(kind: Kind) -> bool {
    match kind {
        Kind::Unreachable | Kind::Failed | Kind::Stalled | Kind::Broken => true,
        Kind::Unauthorized
        | Kind::QuotaExhausted
        | Kind::RateLimited
        | Kind::ModelUnavailable
        | Kind::Rejected => false,
    }
}

#[cfg(test)]
mod tests;
