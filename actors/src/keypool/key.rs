//! A key: whether it is good at all. What its account has left is its group's.
//!
//! ```text
//! Active --refused--> Suspect --the probe is refused too--> Invalid --a later probe is not--> Active
//!                             --else--> Active
//! Active --nothing to spend--> Exhausted --time--> Trial --answered--> Active
//! ```

use crate::{
    plant::{self, Plant},
    port::KeyCheck,
};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two probes of an invalid key: the first, and the longest.
const PROBE_EVERY: Duration = Duration::from_secs(3600);
const PROBE_EVERY_MAX: Duration = Duration::from_secs(24 * 3600);
/// Longest rest of a key whose account has nothing to spend.
pub(super) const EXHAUSTED_MAX: Duration = Duration::from_secs(6 * 3600);
/// How long a probe may take at most; then it counts as if it had said nothing.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Counts a state's changes. A result that began in an earlier one changes nothing.
pub(super) type Generation = u64;

/// What is remembered of a key across restarts; times of tokio's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    Invalid { probe_at: Instant, pause: Duration },
    Exhausted { until: Instant, pause: Duration },
}

/// State of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Active,
    /// Refused once; a probe is under way.
    Suspect {
        until: Instant,
    },
    Invalid {
        probe_at: Instant,
        pause: Duration,
    },
    Exhausted {
        until: Instant,
        pause: Duration,
    },
    /// Exhausted until a while ago: one call at a time finds out.
    Trial {
        busy: bool,
        pause: Duration,
    },
}

/// One key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// None: the provider needs no key.
    pub(super) fingerprint: Option<String>,
    /// Its account's place.
    pub(super) account: usize,
    phase: Phase,
    generation: Generation,
}

impl Key {
    pub(super) const fn new(fingerprint: Option<String>, account: usize) -> Self {
        Self { fingerprint, account, phase: Phase::Active, generation: 0 }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    /// What is to be remembered of it; none: it is as good as new.
    pub(super) const fn memory(&self) -> Option<Memory> {
        match self.phase {
            Phase::Active | Phase::Suspect { .. } | Phase::Trial { .. } => None,
            Phase::Invalid { probe_at, pause } => Some(Memory::Invalid { probe_at, pause }),
            Phase::Exhausted { until, pause } => Some(Memory::Exhausted { until, pause }),
        }
    }

    /// As an earlier life of the node left it.
    pub(super) const fn recall(&mut self, memory: Memory) {
        self.phase = match memory {
            Memory::Invalid { probe_at, pause } => Phase::Invalid { probe_at, pause },
            Memory::Exhausted { until, pause } => Phase::Exhausted { until, pause },
        };
    }

    /// Whether a call may use it.
    pub(super) const fn is_usable(&self) -> bool {
        matches!(self.phase, Phase::Active | Phase::Trial { busy: false, .. })
    }

    /// When it may be usable again; none: not by itself.
    pub(super) fn ready(&self, now: Instant) -> Option<Instant> {
        match self.phase {
            Phase::Active => Some(now),
            Phase::Trial { busy: false, .. } => Some(now),
            // A first word or a probe is rarely longer on its way.
            Phase::Trial { .. } | Phase::Suspect { .. } => Some(now + Duration::from_secs(1)),
            Phase::Exhausted { until, .. } => Some(until),
            Phase::Invalid { .. } => None,
        }
    }

    /// What time alone changes.
    pub(super) fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Exhausted { until, pause } if until <= now => {
                self.turn(Phase::Trial { busy: false, pause });
            }
            Phase::Active
            | Phase::Suspect { .. }
            | Phase::Invalid { .. }
            | Phase::Exhausted { .. }
            | Phase::Trial { .. } => {}
        }
    }

    /// A call uses it; answers the generation that its result is to name.
    pub(super) const fn grant(&mut self) -> Generation {
        if let Phase::Trial { busy, .. } = &mut self.phase {
            *busy = true;
        }
        self.generation
    }

    /// A call ended without a result.
    pub(super) const fn ended(&mut self, generation: Generation) {
        if self.generation == generation
            && let Phase::Trial { busy, .. } = &mut self.phase
        {
            *busy = false;
        }
    }

    /// A call was answered; whether that changed the state.
    pub(super) fn answered(&mut self, generation: Generation) -> bool {
        let is_proof = matches!(self.phase, Phase::Trial { .. }) && !self.is_late(generation);
        if is_proof {
            self.turn(Phase::Active);
        }
        is_proof
    }

    /// The provider refused it; whether it is to be probed.
    pub(super) fn refused(&mut self, generation: Generation, now: Instant) -> bool {
        let is_news = matches!(self.phase, Phase::Active | Phase::Trial { .. });
        if !is_news || self.is_late(generation) {
            return false;
        }
        self.turn(Phase::Suspect { until: now + PROBE_TIMEOUT });
        true
    }

    /// Its account has nothing to spend, and rests for `pause` or longer; whether that changed
    /// the state.
    pub(super) fn exhausted(
        &mut self,
        generation: Generation,
        now: Instant,
        pause: Duration,
    ) -> bool {
        if self.is_late(generation) {
            return false;
        }
        let pause = match self.phase {
            Phase::Active => pause,
            Phase::Trial { pause: last, .. } => pause.max(last * 2).min(EXHAUSTED_MAX),
            Phase::Suspect { .. } | Phase::Invalid { .. } | Phase::Exhausted { .. } => {
                return false;
            }
        };
        self.turn(Phase::Exhausted { until: now + pause, pause });
        true
    }

    /// Another node found that its account has nothing to spend until then.
    pub(super) fn rest(&mut self, until: Instant, now: Instant) {
        match &mut self.phase {
            Phase::Exhausted { until: last, .. } => *last = until.max(*last),
            Phase::Active | Phase::Trial { .. } if until > now => {
                let pause = (until - now).min(EXHAUSTED_MAX);
                self.turn(Phase::Exhausted { until, pause });
            }
            Phase::Active | Phase::Trial { .. } | Phase::Suspect { .. } | Phase::Invalid { .. } => {
            }
        }
    }

    /// When it is to be probed next; none: not by time.
    pub(super) const fn probe_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Invalid { probe_at, .. } => Some(probe_at),
            Phase::Active
            | Phase::Suspect { .. }
            | Phase::Exhausted { .. }
            | Phase::Trial { .. } => None,
        }
    }

    /// An invalid one is probed now: the next probe is due later.
    pub(super) fn probing(&mut self, now: Instant) {
        if let Phase::Invalid { probe_at, pause } = &mut self.phase {
            *pause = (*pause * 2).min(PROBE_EVERY_MAX);
            *probe_at = now + *pause;
        }
    }

    /// What a probe found; whether that changed the state for more than a moment.
    pub(super) fn checked(
        &mut self,
        generation: Generation,
        check: KeyCheck,
        now: Instant,
        jitter: Duration,
    ) -> bool {
        if self.generation != generation {
            return false;
        }
        match (self.phase, check) {
            (Phase::Suspect { .. }, KeyCheck::Refused) => {
                let pause = PROBE_EVERY;
                self.turn(Phase::Invalid { probe_at: now + pause + jitter, pause });
                true
            }
            (Phase::Suspect { .. }, KeyCheck::Accepted | KeyCheck::Unknown) => {
                self.turn(Phase::Active);
                false
            }
            (Phase::Invalid { .. }, KeyCheck::Accepted) => {
                self.turn(Phase::Active);
                true
            }
            (
                Phase::Active
                | Phase::Invalid { .. }
                | Phase::Exhausted { .. }
                | Phase::Trial { .. },
                _,
            ) => false,
        }
    }

    fn is_late(&self, generation: Generation) -> bool {
        self.generation != generation && !plant::is(Plant::LateFailurePoisons)
    }

    const fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(600);

    fn key() -> Key {
        Key::new(Some("sha256:12345678".into()), 0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_is_invalid_only_once_a_probe_is_refused_too() {
        let now = Instant::now();
        for (check, usable) in
            [(KeyCheck::Refused, false), (KeyCheck::Accepted, true), (KeyCheck::Unknown, true)]
        {
            let mut key = key();
            let used = key.grant();
            assert!(key.refused(used, now));
            assert!(!key.is_usable());
            let probed = key.generation();
            key.checked(probed, check, now, Duration::ZERO);
            assert_eq!(key.is_usable(), usable, "{check:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_invalid_key_comes_back_with_a_good_probe_and_is_probed_ever_less() {
        let now = Instant::now();
        let mut key = key();
        key.refused(0, now);
        key.checked(1, KeyCheck::Refused, now, Duration::ZERO);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let at = key.probe_at().unwrap();
            key.probing(at);
            pauses.push((key.probe_at().unwrap() - at).as_secs() / 3600);
            assert!(!key.checked(key.generation(), KeyCheck::Refused, at, Duration::ZERO));
        }
        assert_eq!(pauses, [2, 4, 8, 16, 24, 24]);
        assert!(key.checked(key.generation(), KeyCheck::Accepted, now, Duration::ZERO));
        assert!(key.is_usable() && key.memory().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_key_rests_longer_each_time_and_one_call_tries_it() {
        let now = Instant::now();
        let mut key = key();
        assert!(key.exhausted(0, now, PAUSE));
        key.advance(now + PAUSE / 2);
        assert!(!key.is_usable());
        key.advance(now + PAUSE);
        assert!(key.is_usable());
        let trial = key.grant();
        assert!(!key.is_usable(), "one at a time");
        assert!(key.exhausted(trial, now + PAUSE, PAUSE));
        assert_eq!(key.ready(now), Some(now + PAUSE * 3), "twice as long");
        key.advance(now + PAUSE * 3);
        let trial = key.grant();
        assert!(key.answered(trial));
        assert_eq!(key.phase(), Phase::Active);
    }

    #[tokio::test(start_paused = true)]
    async fn results_of_an_earlier_generation_change_nothing() {
        let now = Instant::now();
        let mut key = key();
        let (first, second) = (key.grant(), key.grant());
        key.refused(first, now);
        key.checked(key.generation(), KeyCheck::Accepted, now, Duration::ZERO);
        assert!(!key.refused(second, now) && key.is_usable());
        assert!(!key.exhausted(second, now, PAUSE) && key.is_usable());
        assert!(!key.checked(first, KeyCheck::Refused, now, Duration::ZERO) && key.is_usable());
    }
}
