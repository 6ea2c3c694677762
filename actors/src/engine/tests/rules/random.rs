//! Any order of attaches, detaches and acknowledgements while a run writes: every attachment gets
//! all entries after its place, each once, in order, with the contents of the log.

use super::super::bench::{Bench, Client, USER, at, attach, cid};
use greenroom_protocol::{
    error::Reason,
    event::Event,
    frame::{Ack, After, ClientFrame, Ev, ServerFrame},
    id::{Channel, Seq},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

const CHANNELS: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Attaches after so many percent of what is known of the log, or detaches.
    Toggle { ch: u32, percent: u64, credit: Option<u64> },
    /// Ends an attachment and begins another under its number, in one message.
    Replace { ch: u32, percent: u64 },
    /// Grants so many bytes more.
    Grant { ch: u32, bytes: u64 },
    /// The model says so many bytes.
    Say { bytes: usize },
    /// Time passes.
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let credit = prop_oneof![Just(None), (0..20_000_u64).prop_map(Some)];
    prop_oneof![
        (0..CHANNELS, 0..=100_u64, credit).prop_map(|(ch, percent, credit)| Step::Toggle {
            ch,
            percent,
            credit
        }),
        (0..CHANNELS, 0..=100_u64).prop_map(|(ch, percent)| Step::Replace { ch, percent }),
        (0..CHANNELS, 0..20_000_u64).prop_map(|(ch, bytes)| Step::Grant { ch, bytes }),
        (1..4_000_usize).prop_map(|bytes| Step::Say { bytes }),
        (1..4_000_usize).prop_map(|bytes| Step::Say { bytes }),
        (1..300_u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// What a client knows of one attachment.
#[derive(Debug)]
struct Following {
    next: u64,
    head: u64,
    is_caught_up: bool,
    granted: u64,
}

/// A client that checks what it gets.
struct Checker {
    client: Client,
    /// Whether the client wants the channel attached, and the credit that it granted at first.
    wanted: BTreeMap<u32, u64>,
    following: BTreeMap<u32, Following>,
    got: Vec<Ev>,
    head: u64,
}

impl Checker {
    async fn attach(&mut self, ch: u32, percent: u64, credit: Option<u64>) {
        let after = if percent == 100 { After::Live } else { at(self.head * percent / 100) };
        self.wanted.insert(ch, credit.unwrap_or(0));
        self.client.inner.send(attach(Channel(ch), after, credit)).await;
    }

    async fn detach(&mut self, ch: u32) {
        self.wanted.remove(&ch);
        self.client.inner.send(ClientFrame::Detach { ch: Channel(ch) }).await;
    }

    async fn grant(&mut self, ch: u32, bytes: u64) {
        let Some(following) = self.following.get_mut(&ch) else { return };
        following.granted += bytes;
        let ack = Ack(Channel(ch), Seq(following.next - 1), following.granted);
        self.client.inner.send(ClientFrame::Ack { acks: vec![ack] }).await;
    }

    async fn read(&mut self, patience: Duration) {
        while let Ok(frame) = timeout(patience, self.client.recv()).await {
            self.check(frame);
        }
    }

    fn check(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Attached(attached) => {
                let credit = self.wanted.get(&attached.ch.0).copied().unwrap_or(0);
                let following = Following {
                    next: attached.after.0 + 1,
                    head: attached.head.0,
                    is_caught_up: false,
                    granted: credit,
                };
                let before = self.following.insert(attached.ch.0, following);
                assert!(before.is_none(), "answered once, after the end of the one before");
            }
            ServerFrame::Ev(ev) => {
                let following = self.following.get_mut(&ev.ch.0).expect("attached");
                assert_eq!(ev.from.unwrap_or(ev.seq).0, following.next, "the next entry");
                assert_eq!(following.is_caught_up, following.next > following.head);
                following.next = ev.seq.0 + 1;
                self.head = self.head.max(ev.seq.0);
                self.got.push(ev);
            }
            ServerFrame::CaughtUp(caught_up) => {
                let following = self.following.get_mut(&caught_up.ch.0).expect("attached");
                assert_eq!((caught_up.seq.0, following.next), (following.head, following.head + 1));
                assert!(!std::mem::replace(&mut following.is_caught_up, true), "once");
            }
            ServerFrame::Detached(detached) => {
                assert!(self.following.remove(&detached.ch.0).is_some());
                if detached.reason == Reason::SlowConsumer {
                    self.wanted.remove(&detached.ch.0);
                }
            }
            ServerFrame::Error { error, .. } => {
                assert_eq!(error.reason, Reason::ChannelNotAttached, "the server was first");
            }
            frame => panic!("{frame:?}"),
        }
    }

    async fn step(&mut self, step: Step, call: &mut crate::fake::Call) {
        match step {
            Step::Toggle { ch, percent, credit } => {
                if self.wanted.contains_key(&ch) {
                    self.detach(ch).await;
                } else {
                    self.attach(ch, percent, credit).await;
                }
            }
            Step::Replace { ch, percent } => {
                if self.wanted.contains_key(&ch) {
                    self.detach(ch).await;
                    self.attach(ch, percent, None).await;
                }
            }
            Step::Grant { ch, bytes } => self.grant(ch, bytes).await,
            Step::Say { bytes } => {
                call.text(&"é\"x".repeat(bytes / 4 + 1)).await;
            }
            Step::Wait { ms } => sleep(Duration::from_millis(ms)).await,
        }
        self.read(Duration::from_millis(1)).await;
    }
}

/// That each frame holds what the log holds.
fn assert_true_to(log: &[Ev], got: &[Ev]) {
    let entry = |seq: u64| &log[usize::try_from(seq - 1).unwrap()];
    for ev in got {
        match (ev.from, ev.event.as_delta()) {
            (None, _) => assert_eq!(ev.event, entry(ev.seq.0).event),
            (Some(from), Some((part, stream, text))) => {
                let mut whole = String::new();
                for seq in from.0..=ev.seq.0 {
                    let (of_part, of_stream, piece) = entry(seq).event.as_delta().unwrap();
                    assert_eq!((of_part, of_stream), (part, stream));
                    whole.push_str(piece);
                }
                assert_eq!(text, whole);
            }
            (Some(_), None) => panic!("merged, but no delta: {ev:?}"),
        }
    }
}

/// The whole log.
async fn history(bench: &Bench) -> Vec<Ev> {
    let mut client = bench.client(USER).await;
    let (mut log, mut before) = (Vec::new(), None);
    loop {
        let params = serde_json::json!({"limit": 100, "before": before});
        let page = client.call("history.get", cid(0), params).await.unwrap();
        for entry in page["entries"].as_array().unwrap().iter().rev() {
            let mut entry = entry.clone();
            entry["ch"] = 0.into();
            log.push(serde_json::from_value::<Ev>(entry).unwrap());
        }
        before = page["next_before"].as_u64();
        if before.is_none() {
            log.reverse();
            return log;
        }
    }
}

async fn follow(steps: Vec<Step>, read_ms: u64) {
    let mut bench = Bench::new().await;
    let mut writer = bench.attached().await;
    writer.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    bench.store.slow_reads(Duration::from_millis(read_ms));
    drop(writer);
    let (wanted, following) = (BTreeMap::new(), BTreeMap::new());
    let client = bench.client(USER).await;
    let mut checker = Checker { client, wanted, following, got: Vec::new(), head: 1 };
    for step in steps {
        checker.step(step, &mut call).await;
    }
    call.finish().await;
    for _ in 0..40 {
        checker.read(Duration::from_millis(read_ms + 200)).await;
        for ch in 0..CHANNELS {
            checker.grant(ch, 1 << 20).await;
        }
    }
    bench.store.slow_reads(Duration::ZERO);
    let log = history(&bench).await;
    assert!(matches!(log.last().unwrap().event, Event::RunFinished { .. }));
    for (ch, following) in &checker.following {
        assert_eq!(following.next, log.len() as u64 + 1, "channel {ch} is complete");
        assert!(following.is_caught_up);
    }
    assert!(checker.wanted.keys().eq(checker.following.keys()), "who asked is attached");
    assert_true_to(&log, &checker.got);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn every_attachment_gets_all_entries_after_its_place_once_and_in_order(
        steps in prop::collection::vec(step(), 1..80), read_ms in 0..100_u64,
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(follow(steps, read_ms));
    }
}
