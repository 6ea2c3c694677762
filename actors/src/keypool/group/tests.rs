use super::*;
use crate::port::Allowance;

const SECOND: Duration = Duration::from_secs(1);
const TERMS: Terms = Terms::NONE;

fn group() -> (Group, Instant, Draw) {
    let now = Instant::now();
    (Group::new(&TERMS, now), now, Draw::new(7))
}

fn deadline(group: &Group) -> Option<Instant> {
    match group.phase() {
        Phase::Cooling { until, .. } => Some(until),
        Phase::Open | Phase::HalfOpen { .. } => None,
    }
}

/// Ends a call with 429 and this wait.
fn limit(group: &mut Group, at: Generation, secs: u32, when: (Instant, &mut Draw)) -> Judged {
    let judged =
        group.failed((at, Some(0.0)), (Kind::RateLimited, Some(SECOND * secs)), true, when);
    group.ended();
    judged
}

#[tokio::test(start_paused = true)]
async fn a_limit_cools_the_group_until_its_time_and_a_fifth_more_at_most() {
    let (mut group, now, mut draw) = group();
    let call = group.grant(0.0, now);
    assert_eq!(limit(&mut group, call, 10, (now, &mut draw)), Judged::Changed);

    let until = deadline(&group).unwrap();
    assert!(until >= now + 10 * SECOND && until <= now + 12 * SECOND);
    group.advance(until - Duration::from_millis(1));
    assert_eq!(group.headroom(1.0, now), 0.0);
    group.advance(until);
    assert!(group.headroom(1.0, until) > 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_only_grows() {
    let (mut group, now, mut draw) = group();
    let calls = [group.grant(0.0, now), group.grant(0.0, now), group.grant(0.0, now)];
    limit(&mut group, calls[0], 10, (now, &mut draw));
    let first = deadline(&group).unwrap();
    assert_eq!(limit(&mut group, calls[1], 1, (now, &mut draw)), Judged::Late);
    assert_eq!(deadline(&group), Some(first));
    assert_eq!(limit(&mut group, calls[2], 60, (now, &mut draw)), Judged::Changed);
    assert_eq!(deadline(&group), Some(now + 60 * SECOND), "its own words are longer");
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_does_not_cool_a_group_that_recovered() {
    let (mut group, now, mut draw) = group();
    let (first, late) = (group.grant(0.0, now), group.grant(0.0, now));
    limit(&mut group, first, 1, (now, &mut draw));
    let later = now + 2 * SECOND;
    group.advance(later);
    assert_eq!(limit(&mut group, late, 60, (later, &mut draw)), Judged::Late);
    assert!(group.headroom(1.0, later) > 0.0, "half open as before");
    for _ in 0..4 {
        let call = group.grant(0.0, later);
        group.answered(call, 0.0, (SECOND, later));
    }
    assert_eq!(group.phase(), Phase::Open);
    assert_eq!(limit(&mut group, late, 60, (later, &mut draw)), Judged::Late);
    assert_eq!(group.phase(), Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_one_call_through_then_two_then_four() {
    let (mut group, now, mut draw) = group();
    let call = group.grant(0.0, now);
    limit(&mut group, call, 1, (now, &mut draw));
    let now = now + 2 * SECOND;
    group.advance(now);
    for expected in [1, 2, 4, 8] {
        let mut calls = Vec::new();
        while group.headroom(1.0, now) > 0.0 {
            calls.push(group.grant(0.0, now));
        }
        assert_eq!(calls.len(), expected);
        // One answer is enough to go on; the others make room by ending.
        group.answered(calls[0], 0.0, (SECOND, now));
        calls[1..].iter().for_each(|call| group.abandoned(*call, 0.0));
    }
    assert_eq!(group.phase(), Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn a_limit_while_half_open_doubles_the_wait_up_to_two_minutes() {
    let (mut group, mut now, mut draw) = group();
    let mut waits = Vec::new();
    for _ in 0..9 {
        group.advance(now);
        let call = group.grant(0.0, now);
        limit(&mut group, call, 1, (now, &mut draw));
        let Phase::Cooling { until, wait, .. } = group.phase() else { panic!("it cools") };
        waits.push(wait.as_secs());
        now = until;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
}

#[tokio::test(start_paused = true)]
async fn failures_break_a_group_that_another_one_can_stand_in_for() {
    for (alone, broken) in [(false, true), (true, false)] {
        let (mut group, now, mut draw) = group();
        for _ in 0..5 {
            let call = group.grant(0.0, now);
            group.failed((call, Some(0.0)), (Kind::Failed, None), alone, (now, &mut draw));
            group.ended();
        }
        assert_eq!(deadline(&group).is_some(), broken);
        assert!(!group.may_retry(), "five failures use up the retries");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_caller_touch_nothing() {
    let (mut group, now, mut draw) = group();
    for kind in [Kind::Rejected, Kind::Unauthorized, Kind::QuotaExhausted, Kind::ModelUnavailable] {
        let call = group.grant(0.0, now);
        let judged = group.failed((call, Some(0.0)), (kind, None), false, (now, &mut draw));
        assert_eq!(judged, Judged::Counted);
    }
    assert_eq!(group.phase(), Phase::Open);
    assert!(group.may_retry());
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_tells_is_corrected_by_calls_it_has_not_counted() {
    let (mut group, now, _) = group();
    let (first, _second) = (group.grant(100.0, now), group.grant(100.0, now));
    group.answered(first, 100.0, (SECOND, now));
    let tokens = Some(Allowance { limit: 1000, left: 900, reset_ms: 60_000 });
    group.told(&Limits { tokens, ..Limits::default() }, now);
    assert_eq!(group.left(now), (None, Some(800.0)));
    assert_eq!(group.headroom(100.0, now), 8.0);
    assert_eq!(group.headroom(801.0, now), 0.0);
    assert!(group.ready(801.0, now) > Some(now));
}
