//! What becomes of a refresh token that is presented. Pure.

use crate::auth::AuthConfig;
use greenroom_protocol::id::UserId;
use serde::{Deserialize, Serialize};

/// Most exchanges that are remembered within the grace; the rate limits allow fewer.
const RECENT_MAX: usize = 32;

/// Time limits, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    grace: u64,
    idle: u64,
    life: u64,
}

/// All tokens that descend from one sign-in. Invariant: one generation is current; those in
/// `recent` are its direct ancestors, the youngest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Family {
    pub(super) user: UserId,
    /// The generation that is good now.
    pub(super) generation: u64,
    began_at_ms: u64,
    used_at_ms: u64,
    /// When the latest generations were exchanged: the last is that of `generation - 1`.
    recent: Vec<u64>,
}

/// What becomes of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is exchanged: the family becomes this.
    Rotated(Family),
    /// It was exchanged a moment ago: its newest successor is given out again.
    Again,
    /// It was exchanged before: somebody else has it too.
    Reused,
    /// The family is over.
    Expired,
}

impl Rules {
    pub(super) const fn new(config: &AuthConfig) -> Self {
        Self {
            grace: config.refresh_grace_secs.saturating_mul(1000),
            idle: config.refresh_idle_secs.saturating_mul(1000),
            life: config.refresh_secs_max.saturating_mul(1000),
        }
    }

    /// When a family ends if it is not used again.
    pub(super) fn ends_at_ms(&self, family: &Family) -> u64 {
        let life = family.began_at_ms.saturating_add(self.life);
        family.used_at_ms.saturating_add(self.idle).min(life)
    }
}

impl Family {
    pub(super) const fn new(user: UserId, now_ms: u64) -> Self {
        Self { user, generation: 0, began_at_ms: now_ms, used_at_ms: now_ms, recent: Vec::new() }
    }

    /// Judges a token of this family whose secret part is right.
    pub(super) fn present(&self, generation: u64, now_ms: u64, rules: &Rules) -> Verdict {
        if now_ms >= rules.ends_at_ms(self) {
            return Verdict::Expired;
        }
        let in_grace = |exchanged: u64| now_ms < exchanged.saturating_add(rules.grace);
        let Some(age) = self.generation.checked_sub(generation) else { return Verdict::Reused };
        if age > 0 {
            let exchanged =
                usize::try_from(age).ok().and_then(|age| self.recent.iter().nth_back(age - 1));
            return if exchanged.copied().is_some_and(in_grace) {
                Verdict::Again
            } else {
                Verdict::Reused
            };
        }
        let mut recent: Vec<_> = self.recent.iter().copied().filter(|at| in_grace(*at)).collect();
        recent.push(now_ms);
        let surplus = recent.len().saturating_sub(RECENT_MAX);
        recent.drain(..surplus);
        let generation = self.generation.saturating_add(1);
        Verdict::Rotated(Self { generation, used_at_ms: now_ms, recent, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const DAY: u64 = 24 * 3_600_000;

    fn rules() -> Rules {
        Rules::new(&AuthConfig::default())
    }

    fn family() -> Family {
        Family::new(UserId::new(uuid::Uuid::from_u128(7)), 0)
    }

    fn rotated(family: &Family, generation: u64, now_ms: u64) -> Family {
        let verdict = family.present(generation, now_ms, &rules());
        let Verdict::Rotated(next) = verdict else { panic!("{verdict:?}") };
        next
    }

    #[test]
    fn the_current_token_is_exchanged() {
        let next = rotated(&family(), 0, 5);
        assert_eq!(next.generation, 1);
        assert_eq!(rotated(&next, 1, 6).generation, 2);
    }

    #[test]
    fn an_exchanged_token_works_again_within_the_grace_and_ends_the_family_after_it() {
        let next = rotated(&family(), 0, 1000);
        assert_eq!(next.present(0, 20_999, &rules()), Verdict::Again);
        assert_eq!(next.present(0, 21_000, &rules()), Verdict::Reused);
    }

    #[test]
    fn the_grace_holds_although_the_successor_was_exchanged_too() {
        let second = rotated(&rotated(&family(), 0, 1000), 1, 2000);
        assert_eq!(second.present(0, 20_999, &rules()), Verdict::Again);
        assert_eq!(second.present(0, 21_000, &rules()), Verdict::Reused);
        assert_eq!(second.present(1, 21_999, &rules()), Verdict::Again);
    }

    #[test]
    fn a_generation_that_does_not_exist_yet_ends_the_family() {
        assert_eq!(family().present(1, 0, &rules()), Verdict::Reused);
    }

    #[test]
    fn a_family_ends_after_seven_idle_days() {
        assert!(matches!(family().present(0, 7 * DAY - 1, &rules()), Verdict::Rotated(_)));
        assert_eq!(family().present(0, 7 * DAY, &rules()), Verdict::Expired);
    }

    #[test]
    fn a_family_ends_after_thirty_days_however_much_it_is_used() {
        let mut family = family();
        for day in 1..30 {
            family = rotated(&family, family.generation, day * DAY);
        }
        assert_eq!(family.present(family.generation, 30 * DAY, &rules()), Verdict::Expired);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Present(u64),
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// The model remembers every exchange; the family, only what it needs.
        #[test]
        fn a_family_judges_as_a_model_with_unlimited_memory(
            steps in prop::collection::vec(
                prop_oneof![
                    (0_u64..15_000).prop_map(Step::Wait),
                    (0_u64..4).prop_map(Step::Present),
                ],
                1..60,
            )
        ) {
            let (mut family, mut now, mut exchanged) = (family(), 0, BTreeMap::new());
            for step in steps {
                let back = match step {
                    Step::Wait(ms) => { now += ms; continue }
                    Step::Present(back) => back,
                };
                let Some(generation) = family.generation.checked_sub(back) else { continue };
                let expected_again = exchanged.get(&generation).is_some_and(|at| now < at + 20_000);
                match family.present(generation, now, &rules()) {
                    Verdict::Rotated(next) => {
                        prop_assert!(exchanged.insert(generation, now).is_none(), "exchanged twice");
                        family = next;
                    }
                    Verdict::Again => prop_assert!(expected_again),
                    Verdict::Reused => {
                        prop_assert!(!expected_again && exchanged.contains_key(&generation));
                        break; // the family has ended
                    }
                    Verdict::Expired => prop_assert!(false, "within the first hour"),
                }
            }
        }
    }
}
