//! Whether a call that failed is made once more, and with what. Pure.
//!
//! Only before the commit point: once a client could see a word of an answer, no other answer takes
//! its place.

use crate::{
    keypool::{
        Draw,
        state::{Grant, Need},
    },
    port::{ProviderError, ProviderErrorKind as Kind},
};
use std::time::Duration;

/// Calls for one answer, the first one included.
const CALLS_MAX: u32 = 4;
/// Longest pause before a further call, where the provider asks for none; twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause that a failing provider may ask for; after it the run ends.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The calls made for one answer.
#[derive(Debug)]
pub(crate) struct Attempts {
    need: Need,
    made: u32,
}

impl Attempts {
    pub(crate) const fn new(need: Need) -> Self {
        Self { need, made: 0 }
    }

    /// What the next call needs.
    pub(crate) const fn need(&self) -> &Need {
        &self.need
    }

    /// After a failure: how long to pause before the key for a further call is asked for; none:
    /// there is none.
    pub(crate) fn after(
        &mut self,
        grant: &Grant,
        error: &ProviderError,
        draw: &mut Draw,
    ) -> Option<Duration> {
        self.made += 1;
        if self.made >= CALLS_MAX {
            return None;
        }
        let is_second = self.need.avoid.contains(&grant.key);
        self.need.avoid.push(grant.key);
        self.need.retries = None;
        match error.kind {
            Kind::Rejected => None,
            // The pool knows how long the group rests, and whether the key is good.
            Kind::RateLimited | Kind::Unauthorized | Kind::ModelUnavailable => {
                self.need.may_repeat = true;
                Some(Duration::ZERO)
            }
            // Not with the same one: time does not fill an account.
            Kind::QuotaExhausted => {
                self.need.may_repeat = false;
                Some(Duration::ZERO)
            }
            // What took long to say nothing would take as long again.
            Kind::Stalled => {
                self.need.may_repeat = false;
                self.need.retries = Some(grant.clone());
                Some(Duration::ZERO)
            }
            Kind::Unreachable | Kind::Failed | Kind::Broken => {
                self.need.may_repeat = !is_second;
                self.need.retries = Some(grant.clone());
                let jitter = draw.part_of(PAUSE * (1 << (self.made - 1)));
                let hint = error.retry_after_ms.map_or(Duration::ZERO, Duration::from_millis);
                (hint <= PAUSE_MAX).then_some(hint.max(jitter))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keypool::{
            Selection,
            state::{Effect, Input, Member, Pool, Settings},
        },
        port::{KeyInfo, Terms},
    };
    use tokio::time::Instant;

    fn first() -> (Attempts, Grant) {
        let settings = Settings {
            selection: Selection::Headroom,
            waiting_max: 1,
            exhausted: PAUSE,
            calls_max: 9,
        };
        let (name, model) = ("p".to_owned(), "m".to_owned());
        let keys = vec![KeyInfo::default()];
        let mut pool = Pool::new(settings, vec![Member { name, model, keys, terms: Terms::NONE }]);
        let now = Instant::now();
        let need = Need {
            providers: vec![0],
            model: None,
            tokens: 1,
            avoid: Vec::new(),
            may_repeat: true,
            retries: None,
            deadline: now + PAUSE,
        };
        let granted = pool.apply(Input::Ask(1, need.clone()), (now, &mut Draw::new(1))).pop();
        let Some(Effect::Grant(_, grant)) = granted else { panic!("{granted:?}") };
        (Attempts::new(need), grant)
    }

    /// How many calls are made that all fail like this, and whether the last one may be with a
    /// key that failed.
    fn calls(kind: Kind, retry_after_ms: Option<u64>) -> (u32, bool) {
        let (mut attempts, grant) = first();
        let error =
            ProviderError { provider: "p".into(), kind, message: String::new(), retry_after_ms };
        let mut calls = 1;
        while attempts.after(&grant, &error, &mut Draw::new(1)).is_some() {
            if !attempts.need.may_repeat {
                return (calls, false);
            }
            calls += 1;
        }
        (calls, true)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_over_is_tried_once_more_with_the_same_key_and_a_limit_is_waited_for() {
        assert_eq!(calls(Kind::Failed, None), (2, false));
        assert_eq!(calls(Kind::Unreachable, Some(1000)), (2, false));
        assert_eq!(calls(Kind::RateLimited, Some(60_000)), (CALLS_MAX, true));
        assert_eq!(calls(Kind::Unauthorized, None), (CALLS_MAX, true));
    }

    #[tokio::test(start_paused = true)]
    async fn what_time_does_not_cure_is_not_tried_with_the_same_key() {
        assert_eq!(calls(Kind::Stalled, None), (1, false));
        assert_eq!(calls(Kind::QuotaExhausted, None), (1, false));
        assert_eq!(calls(Kind::Rejected, None), (1, true));
        assert_eq!(calls(Kind::Failed, Some(60_000)), (1, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_provider_is_given_the_pause_that_it_asks_for() {
        let (mut attempts, grant) = first();
        let mut error = ProviderError {
            provider: "p".into(),
            kind: Kind::Failed,
            message: String::new(),
            retry_after_ms: Some(2000),
        };
        let mut draw = Draw::new(3);
        assert_eq!(attempts.after(&grant, &error, &mut draw), Some(Duration::from_secs(2)));
        error.retry_after_ms = None;
        assert!(attempts.after(&grant, &error, &mut draw).unwrap() <= PAUSE * 2);
    }
}
