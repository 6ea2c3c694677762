//! A link against a made-up server that loses, repeats, reorders nothing and forgets everything:
//! whatever happens to the sockets, the replica ends up as the log says.

use super::*;
use crate::client::{Keep, Replica};
use proptest::prelude::*;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The server sends the next entries, merged where they can be.
    Send { entries: u64, merged: bool },
    /// The server sends an entry again.
    Repeat,
    /// The server loses an entry: a hole.
    Skip,
    /// The socket breaks.
    Break,
    /// The server answers with another place than was asked for.
    Reset,
    /// The server refuses the next attach for now.
    Refuse,
    /// Time passes.
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..5, any::<bool>()).prop_map(|(entries, merged)| Step::Send { entries, merged }),
        1 => Just(Step::Repeat),
        1 => Just(Step::Skip),
        1 => Just(Step::Break),
        1 => Just(Step::Reset),
        1 => Just(Step::Refuse),
        2 => Just(Step::Sleep),
    ]
}

/// The event of an entry: parts of five deltas each.
fn event(seq: u64) -> Event {
    let (round, place) = (seq.div_ceil(7), (seq - 1) % 7);
    let part = PartId(u32::try_from(round).unwrap());
    match place {
        0 => Event::TextStart { part },
        6 => Event::TextEnd { part },
        _ => Event::TextDelta { part, text: format!("{seq} ") },
    }
}

/// One side of the world: a link with its replica, and a server with one attachment.
struct World {
    bench: Bench,
    replica: Replica,
    /// Position of the server's attachment; none while there is none.
    sent: Option<u64>,
    ch: Channel,
    resets: u64,
    refuses: bool,
}

impl World {
    fn new() -> Self {
        let mut bench = Bench::new();
        let (ch, _) = bench.attach(After::Start, Some(4096));
        bench.input(Input::Start);
        Self {
            bench,
            replica: Replica::new(Keep::Everything),
            sent: None,
            ch,
            resets: 0,
            refuses: false,
        }
    }

    /// Performs effects until there are none; the server answers attaches at once.
    fn settle(&mut self) {
        while let Some(effect) = self.bench.link.next_effect() {
            match effect {
                Effect::Connect => self.bench.link.apply(self.bench.now_ms, Input::Opened),
                Effect::Send(ClientFrame::Hello(hello)) => {
                    self.deliver(&welcome());
                    for attach in hello.attach {
                        self.serve(attach);
                    }
                }
                Effect::Send(ClientFrame::Attach(attach)) => self.serve(attach),
                Effect::Send(ClientFrame::Detach { .. }) | Effect::Disconnect { .. } => {
                    self.sent = None;
                }
                Effect::Attached(begun) => self.replica.begin(begun.begin, begun.place.seq),
                Effect::Event(ev) => self.replica.apply(&ev).unwrap(),
                Effect::GiveUp { why, .. } => panic!("{why}"),
                Effect::Send(_)
                | Effect::RefreshToken
                | Effect::Ready(_)
                | Effect::Lost { .. }
                | Effect::CaughtUp(_)
                | Effect::Detached(_)
                | Effect::Notice { .. }
                | Effect::Limits(_)
                | Effect::Answered { .. } => {}
            }
        }
    }

    fn deliver(&mut self, frame: &ServerFrame) {
        self.bench.link.apply(self.bench.now_ms, Input::Text(&frame.encode()));
    }

    fn serve(&mut self, attach: Attach) {
        if std::mem::take(&mut self.refuses) {
            return self.deliver(&refusal(self.ch, ErrorBody::store_unavailable()));
        }
        let after = if let After::Cursor(cursor) = attach.after { cursor.seq.0 } else { 0 };
        self.sent = Some(after);
        self.deliver(&attached(self.ch, 1 + self.resets, after));
    }

    fn entries(&mut self, from: u64, to: u64, merged: bool) {
        let mut seq = from;
        while seq <= to {
            let (first, mut joined) = (seq, event(seq));
            while merged && seq < to && joined.join(event(seq + 1), usize::MAX).is_ok() {
                seq += 1;
            }
            let from = (first < seq).then_some(Seq(first));
            let ev = Ev { ch: self.ch, seq: Seq(seq), from, ts: 0, event: joined };
            self.deliver(&ServerFrame::Ev(ev));
            seq += 1;
        }
    }

    fn step(&mut self, step: Step) {
        match (step, self.sent) {
            (Step::Send { entries, merged }, Some(sent)) => {
                self.sent = Some(sent + entries);
                self.entries(sent + 1, sent + entries, merged);
            }
            (Step::Repeat, Some(sent)) if sent > 0 => self.entries(sent, sent, false),
            (Step::Refuse, _) => self.refuses = true,
            (Step::Skip, Some(sent)) => self.sent = Some(sent + 1),
            (Step::Break, Some(_)) => {
                self.sent = None;
                self.bench.link.apply(self.bench.now_ms, Input::Closed { code: None, reason: "" });
            }
            (Step::Reset, Some(_)) => {
                self.resets += 1;
                self.sent = Some(0);
                let reset = Reset {
                    ch: self.ch,
                    session: session(1),
                    epoch: Epoch(1 + self.resets),
                    head: Seq(0),
                    after: Seq(0),
                    reason: Reason::EpochChanged,
                    status: Status::Idle,
                };
                self.deliver(&ServerFrame::Reset(reset));
            }
            _ => {
                self.bench.now_ms = self.bench.link.deadline_ms().unwrap().max(self.bench.now_ms);
                self.bench.link.apply(self.bench.now_ms, Input::Tick);
            }
        }
        self.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn resume_nothing_is_lost_or_repeated(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        world.settle();
        for step in steps {
            world.step(step);
            let last = world.replica.last().0;
            let mut plain = Replica::new(Keep::Everything);
            for seq in 1..=last {
                let ev = Ev { ch: world.ch, seq: Seq(seq), from: None, ts: 0, event: event(seq) };
                plain.apply(&ev).unwrap();
            }
            prop_assert_eq!(world.replica.digest(), plain.digest());
            for (id, part) in plain.parts() {
                prop_assert_eq!(&part.body, &world.replica.parts()[id].body);
            }
            let position = world.bench.link.cursor(world.ch).map_or(0, |cursor| cursor.seq.0);
            prop_assert_eq!(position, last);
            let next_ms = world.bench.link.deadline_ms().unwrap();
            prop_assert!(next_ms > world.bench.now_ms, "a driver would spin");
        }
    }
}
