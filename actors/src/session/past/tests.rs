use super::*;
use greenroom_protocol::{
    event::Outcome,
    id::{CommandId, PartId, UserId},
};
use proptest::prelude::*;
use uuid::Uuid;

const USER: UserId = UserId::new(Uuid::nil());

fn run(n: u32) -> RunId {
    RunId::new(Uuid::from_u128(u128::from(n)))
}

/// A log that is written as sessions write theirs: prompts may wait, one run speaks at a time,
/// some commit, some never begin; rollbacks go anywhere while nothing is under way.
#[derive(Debug, Default)]
struct Log {
    events: Vec<Event>,
    runs: u32,
    waiting: Vec<u32>,
    /// Those of them that were said to the run that speaks.
    steering: Vec<u32>,
    speaking: Option<u32>,
}

impl Log {
    fn step(&mut self, (choice, amount): (u8, u8)) {
        match (choice, self.speaking) {
            (0 | 1, _) => {
                self.runs += 1;
                self.waiting.push(self.runs);
                let n = self.runs;
                let cid = CommandId::new(Uuid::from_u128(u128::from(n)));
                let text = format!("prompt {n}").repeat(usize::from(amount));
                self.events.push(Event::InputUser {
                    run: run(n),
                    cid,
                    by: USER,
                    text,
                    model: None,
                    plan: false,
                    steers: self.speaking.filter(|_| amount % 4 == 0).map(run),
                    answers: None,
                });
                if amount % 4 == 0 && self.speaking.is_some() {
                    self.steering.push(n);
                }
            }
            (2, _) if self.waiting.len() > 1 => {
                let n = self.waiting.pop().unwrap(); // taken back before it begins
                self.steering.retain(|steering| *steering != n);
                self.finish(n, Outcome::Cancelled);
            }
            (_, Some(n)) => match choice {
                3 | 4 => {
                    let text = format!("{n}: {amount} ").repeat(usize::from(amount) * 4);
                    self.events.push(Event::TextDelta { part: PartId(n), text });
                }
                5 => {
                    let (run, commit) = (run(n), format!("commit {n} {amount}"));
                    let (added, changed, removed) = (1, 0, 0);
                    let event = Event::FilesCommitted { run, commit, added, changed, removed };
                    self.events.push(event);
                }
                6 => self.events.push(Event::RunRecovering {
                    run: run(n),
                    attempt: 2,
                    superseded_from: None,
                }),
                8 if !self.steering.is_empty() => {
                    let n = self.steering.remove(0);
                    self.waiting.retain(|waiting| *waiting != n);
                    self.finish(n, Outcome::Steered);
                }
                _ => {
                    self.steering.clear();
                    self.speaking = None;
                    self.finish(n, Outcome::Completed);
                }
            },
            (_, None) if !self.waiting.is_empty() => {
                let n = self.waiting.remove(0);
                self.speaking = Some(n);
                let (provider, model) = ("p".into(), "m".into());
                self.events.push(Event::RunStarted { run: run(n), provider, model });
            }
            (7, None) if !self.events.is_empty() => {
                let to = Seq(1 + u64::from(amount) % self.events.len() as u64);
                self.roll_back(to);
            }
            (_, None) => {}
        }
    }

    fn finish(&mut self, n: u32, outcome: Outcome) {
        self.events.push(Event::RunFinished { run: run(n), outcome, error: None });
    }

    fn roll_back(&mut self, to: Seq) {
        let past = self.reference(to);
        let turns = serde_json::to_string(&past.turns).unwrap();
        let (cid, commit) = (CommandId::new(Uuid::nil()), past.commit);
        let files = commit.clone();
        self.events.push(Event::SessionRolledBack { by: USER, cid, to, files, commit, turns });
    }

    /// What the fold says that the session was when the last run that ended by `to` did.
    fn reference(&self, to: Seq) -> Past {
        let (mut core, mut past) = (Core::default(), Past::default());
        for (seq, event) in (1..=to.0).map(Seq).zip(&self.events) {
            core.apply(seq, 0, event);
            if let Some(turns) = core.unread.take() {
                core.put_before(serde_json::from_str(&turns).unwrap());
            }
            if let Event::RunFinished { .. } | Event::SessionRolledBack { .. } = event
                && core.runs.iter().all(|run| run.attempt == 0)
            {
                past = Past { turns: core.turns.clone().into(), commit: core.commit.clone() };
            }
        }
        past
    }

    fn backwards(&self, to: Seq) -> Past {
        let mut walk = Walk::default();
        let until = usize::try_from(to.0).unwrap();
        for event in self.events[..until].iter().rev() {
            if walk.is_done() {
                break;
            }
            walk.back(event.clone());
        }
        let earlier = walk.earlier.as_ref().map(|turns| serde_json::from_str(turns).unwrap());
        walk.finish(earlier.unwrap_or_default())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_log_read_backwards_from_any_entry_gives_what_the_session_was(
        steps in proptest::collection::vec((0u8..10, any::<u8>()), 1..300),
    ) {
        let mut log = Log::default();
        steps.into_iter().for_each(|step| log.step(step));
        for to in 1..=log.events.len() as u64 {
            prop_assert_eq!(log.backwards(Seq(to)), log.reference(Seq(to)), "at {}", to);
        }
    }
}

#[test]
fn turns_read_back_from_their_blob() {
    let turn = Turn { prompt: "a \"prompt\"".into(), answer: "an\nanswer".into() };
    let blob = turns_object(std::slice::from_ref(&turn));
    assert_eq!(serde_json::from_slice::<Vec<Turn>>(&blob.bytes).unwrap(), [turn]);
}
