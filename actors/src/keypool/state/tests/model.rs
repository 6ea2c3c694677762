//! Any order of calls, results, probes and time against what must always hold.

use super::*;
use crate::keypool::group::Phase;
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

/// One step. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Ask,
    Answer(usize),
    Limit(usize, u8),
    Fail(usize),
    Refuse(usize),
    Exhaust(usize),
    Abandon(usize),
    Check(usize, bool),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Ask),
        5 => any::<usize>().prop_map(Step::Answer),
        2 => (any::<usize>(), 0..30_u8).prop_map(|(at, secs)| Step::Limit(at, secs)),
        1 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Refuse),
        1 => any::<usize>().prop_map(Step::Exhaust),
        1 => any::<usize>().prop_map(Step::Abandon),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(at, good)| Step::Check(at, good)),
        3 => (0..8000_u16).prop_map(Step::Pass),
    ]
}

/// What is under way.
#[derive(Default)]
struct UnderWay {
    calls: Vec<Grant>,
    probes: Vec<(KeyRef, Generation)>,
}

fn take<T>(list: &mut Vec<T>, at: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.swap_remove(at % list.len()))
}

/// The keys and groups that no call may use.
fn barred(pool: &Pool) -> Vec<bool> {
    let provider = &pool.providers[0];
    let keys = provider.keys.iter().map(|key| !key.is_usable());
    let groups = provider.classes.values().flat_map(|class| &class.groups);
    keys.chain(groups.map(cools)).collect()
}

fn cools(group: &Group) -> bool {
    matches!(group.phase(), Phase::Cooling { .. })
}

fn group_of<'a>(pool: &'a Pool, grant: &Grant) -> &'a Group {
    let provider = &pool.providers[0];
    &provider.classes[&grant.model].groups[provider.account_of(grant)]
}

/// Whether a failure of this class comes too late to say anything: what it is about has changed
/// since its call began.
fn is_late(pool: &Pool, grant: &Grant, kind: Kind) -> bool {
    if matches!(kind, Kind::Unauthorized | Kind::QuotaExhausted) {
        pool.providers[0].keys[grant.key.key].generation() != grant.of_key
    } else {
        group_of(pool, grant).generation() != grant.of_group
    }
}

/// How a step's call fails; none: it does not.
fn failure(step: &Step) -> Option<(usize, Kind, Option<u32>)> {
    match step {
        Step::Limit(at, secs) => {
            Some((*at, Kind::RateLimited, (*secs > 0).then_some(u32::from(*secs))))
        }
        Step::Fail(at) => Some((*at, Kind::Failed, None)),
        Step::Refuse(at) => Some((*at, Kind::Unauthorized, None)),
        Step::Exhaust(at) => Some((*at, Kind::QuotaExhausted, None)),
        Step::Ask | Step::Answer(_) | Step::Abandon(_) | Step::Check(..) | Step::Pass(_) => None,
    }
}

/// Makes one step; what does not hold.
fn make(table: &mut Table, under_way: &mut UnderWay, step: &Step) -> Result<(), TestCaseError> {
    let mut effects = Vec::new();
    if let Some((at, kind, hint)) = failure(step) {
        let Some(grant) = take(&mut under_way.calls, at) else { return Ok(()) };
        let (late, before) = (is_late(&table.pool, &grant, kind), barred(&table.pool));
        let failure = Failure { kind, hint: hint.map(|secs| SECOND * secs), answered: false };
        effects = table.apply(Input::Failed(grant.clone(), failure));
        let after = barred(&table.pool);
        let poisons = before.iter().zip(&after).any(|(before, after)| !before && *after);
        let trial = effects.iter().any(|effect| matches!(effect, Effect::Grant(..)));
        prop_assert!(!late || !poisons || trial, "a late failure barred a key or a group");
        effects.extend(table.apply(Input::Ended(grant)));
    }
    effects.extend(match step {
        Step::Ask => table.ask(),
        Step::Pass(ms) => table.pass(Duration::from_millis(u64::from(*ms))),
        Step::Answer(at) => {
            take(&mut under_way.calls, *at).map(|grant| table.answer(&grant)).unwrap_or_default()
        }
        Step::Abandon(at) => take(&mut under_way.calls, *at)
            .map(|grant| {
                let mut effects = table.apply(Input::Abandoned(grant.clone()));
                effects.extend(table.apply(Input::Ended(grant)));
                effects
            })
            .unwrap_or_default(),
        Step::Check(at, good) => take(&mut under_way.probes, *at)
            .map(|(key, generation)| {
                let check = if *good { KeyCheck::Accepted } else { KeyCheck::Refused };
                table.apply(Input::Checked(key, generation, check))
            })
            .unwrap_or_default(),
        Step::Limit(..) | Step::Fail(_) | Step::Refuse(_) | Step::Exhaust(_) => Vec::new(),
    });
    for effect in effects {
        if let Effect::Grant(_, grant) = effect {
            prop_assert!(!cools(group_of(&table.pool, &grant)), "a call in a cooldown");
            under_way.calls.push(grant);
        } else if let Effect::Probe(key, generation) = effect {
            under_way.probes.push((key, generation));
        }
    }
    Ok(())
}

/// Plays steps; what does not hold.
fn play(steps: &[Step], seed: u64) -> Result<(), TestCaseError> {
    let mut table = Table::new(vec![member("p", &[Some("org"), Some("org"), None])]);
    table.draw = Draw::new(seed);
    let mut under_way = UnderWay::default();
    for step in steps {
        make(&mut table, &mut under_way, step)?;
        let provider = &table.pool.providers[0];
        let groups = provider.classes.values().flat_map(|class| &class.groups);
        let in_flight: u32 = groups.map(|group| group.in_flight).sum();
        prop_assert_eq!(in_flight, provider.in_flight);
        prop_assert_eq!(in_flight as usize, under_way.calls.len());
    }
    Ok(())
}

/// Plays many; the shortest that does not hold. Always the same ones.
fn check() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).build().unwrap();
    let _time = runtime.enter();
    let config = ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let steps = (proptest::collection::vec(step(), 1..80), any::<u64>());
    runner.run(&steps, |(steps, seed)| play(&steps, seed)).map_err(|error| error.to_string())
}

#[test]
fn whatever_happens_no_late_failure_poisons_a_key_and_no_call_is_made_in_a_cooldown() {
    check().unwrap();
}

#[cfg(not(feature = "plant"))]
#[test]
fn a_planted_late_failure_that_poisons_is_found() {
    use crate::plant::{self, Plant};
    let found = plant::play(Some(Plant::LateFailurePoisons), check).unwrap_err();
    assert!(found.contains("a late failure barred"), "{found}");
}
