use super::*;
use proptest::prelude::*;

/// One small entry waits.
const ONE: Lag = Lag { entries: 1, bytes: 100 };
const NONE: Lag = Lag { entries: 0, bytes: 0 };
const PLAIN: Next = Next::Send { merge: false };
const MERGED: Next = Next::Send { merge: true };

#[test]
fn flow_without_credit_the_socket_sets_the_pace() {
    let mut flow = Flow::new(None, 0);
    flow.sent(u64::MAX);
    assert_eq!(flow.next(0, ONE, false), PLAIN);
    assert_eq!(flow.next(0, ONE, true), Next::Nothing, "the socket is blocked");
    assert_eq!(flow.next(0, NONE, false), Next::Nothing);
}

#[test]
fn flow_lost_ack_harmless() {
    let grant = |totals: &[u64]| {
        let mut flow = Flow::new(Some(100), 0);
        flow.sent(100);
        totals.iter().for_each(|total| flow.granted(0, *total));
        (flow.balance_bytes(), flow.next(0, ONE, false))
    };
    let all = grant(&[150, 180, 200]);
    assert_eq!(all, (100, PLAIN));
    assert_eq!(grant(&[200]), all, "some were lost");
    assert_eq!(grant(&[150, 150, 200, 200]), all, "some came twice");
    assert_eq!(grant(&[200, 150]), all, "one was overtaken");
}

#[test]
fn flow_paused_at_zero() {
    let mut flow = Flow::new(Some(100), 0);
    assert!(flow.may_send());
    flow.sent(5000); // one frame may overdraw
    assert!(!flow.may_send());
    assert_eq!(flow.next(7, ONE, false), Next::Pause { until_ms: 60_007 });
    assert_eq!(flow.level(), Level::Paused);
    flow.granted(8, 5000);
    assert_eq!(flow.next(8, ONE, false), Next::Pause { until_ms: 60_008 }, "still nothing left");
    flow.granted(9, 5100);
    assert_eq!(flow.next(9, ONE, false), PLAIN);
}

#[test]
fn flow_paused_60s_detaches() {
    let mut flow = Flow::new(Some(100), 0);
    flow.sent(100);
    flow.next(0, ONE, false);
    assert_eq!(flow.next(59_999, ONE, true), Next::Pause { until_ms: 60_000 });
    assert_eq!(flow.next(60_000, ONE, true), Next::Detach);
}

#[test]
fn flow_paused_with_nothing_to_send_waits_for_ever() {
    let mut flow = Flow::new(Some(100), 0);
    flow.sent(100);
    assert_eq!(flow.next(0, NONE, false), Next::Nothing);
    assert_eq!(flow.next(1_000_000, NONE, false), Next::Nothing);
    assert_eq!(flow.next(1_000_001, ONE, false), Next::Pause { until_ms: 1_060_001 });
}

#[test]
fn flow_any_ack_keeps_a_paused_attachment() {
    let mut flow = Flow::new(Some(100), 0);
    flow.sent(100);
    flow.next(0, ONE, false);
    flow.granted(50_000, 100);
    assert_eq!(flow.next(60_000, ONE, false), Next::Pause { until_ms: 110_000 });
}

#[test]
fn flow_throttled_below_a_quarter_live_from_a_half() {
    let mut flow = Flow::new(Some(1000), 0);
    let mut level = |sent, granted| {
        flow.sent(sent);
        flow.granted(0, granted);
        flow.next(0, ONE, false);
        flow.level()
    };
    assert_eq!(level(750, 0), Level::Live);
    assert_eq!(level(1, 0), Level::Throttled);
    assert_eq!(level(0, 1200), Level::Throttled, "449 of 1000 are left");
    assert_eq!(level(0, 1251), Level::Live);
    assert_eq!(level(250, 0), Level::Live);
}

#[test]
fn flow_throttled_widens_the_window_and_merges() {
    for (window_ms, wider_ms) in [(0, 160), (40, 160), (100, 400), (200, 500), (500, 500)] {
        let mut flow = Flow::new(Some(1000), window_ms);
        flow.sent(900);
        flow.flushed(1000);
        assert_eq!(flow.next(1000, ONE, false), Next::Wait { until_ms: 1000 + wider_ms });
        assert_eq!(flow.next(1000 + wider_ms, ONE, false), MERGED);
    }
}

#[test]
fn flow_an_attachment_coarsens_its_window() {
    let mut flow = Flow::new(None, 100);
    assert_eq!(flow.next(5, ONE, false), MERGED, "the first goes at once");
    flow.flushed(5);
    assert_eq!(flow.next(6, ONE, false), Next::Wait { until_ms: 105 });
    assert_eq!(flow.next(105, ONE, false), MERGED);
    let mut flow = Flow::new(None, u32::MAX);
    flow.flushed(0);
    assert_eq!(flow.next(0, ONE, false), Next::Wait { until_ms: 500 }, "not beyond the limit");
}

#[test]
fn flow_catching_up_merges_and_does_not_wait() {
    let mut flow = Flow::new(None, 100);
    flow.flushed(0);
    assert_eq!(flow.next(1, Lag { entries: 65, bytes: 10 }, false), MERGED);
    assert_eq!(flow.next(1, Lag { entries: 9, bytes: 10 }, false), MERGED, "not there yet");
    let close = Lag { entries: 8, bytes: 10 };
    assert_eq!(flow.next(1, close, false), Next::Wait { until_ms: 100 });
    assert_eq!(flow.next(1, Lag { entries: 1, bytes: 16 * 1024 + 1 }, false), MERGED);
}

#[test]
fn flow_a_full_frame_does_not_wait() {
    let mut flow = Flow::new(Some(1 << 20), 0);
    flow.sent((1 << 20) - 10);
    flow.flushed(0);
    let full = Lag { entries: 2, bytes: DATA_FRAME_BYTES_MAX as u64 };
    assert_eq!(flow.next(1, full, false), MERGED);
    assert_eq!(flow.level(), Level::Throttled);
}

proptest! {
    /// A server that asks before each frame overdraws by less than one frame.
    #[test]
    fn flow_sends_no_more_than_granted_and_one_frame(
        window in 1_u64..5000,
        steps in prop::collection::vec((1_u64..3000, 0_u64..6000), 1..60),
    ) {
        let mut flow = Flow::new(Some(window), 0);
        let (mut sent, mut granted) = (0, window);
        for (n, (frame, grant)) in steps.into_iter().enumerate() {
            if flow.may_send() {
                prop_assert!(sent < granted);
                flow.sent(frame);
                sent += frame;
            } else {
                prop_assert!(sent >= granted);
            }
            flow.granted(n as u64, grant);
            granted = granted.max(grant);
            let paused = matches!(flow.next(n as u64, ONE, false), Next::Pause { .. });
            prop_assert_eq!(paused, sent >= granted);
        }
    }
}
