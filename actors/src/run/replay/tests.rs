use super::*;
use crate::run::{
    Tag,
    artifact::Ending,
    output::{Output, OutputLimits},
};
use greenroom_protocol::{event::Notice, id::RunId};
use proptest::prelude::*;

fn run_id() -> RunId {
    RunId::new(uuid::Uuid::nil())
}

/// What a provider wants to say. Contents end in a newline or are empty.
#[derive(Clone, Debug)]
enum Say {
    Prose(String),
    Change(Change),
}

fn say() -> impl Strategy<Value = Say> {
    let path = || "[a-c]( [a-c])?";
    let write = (path(), "([@a-zé ]{0,12}\n){0,5}");
    prop_oneof![
        "[a-z]{1,9}( [a-z\n]{1,9}){0,3}\n".prop_map(Say::Prose),
        write.prop_map(|(path, content)| Say::Change(Change::Write { path, content })),
        path().prop_map(|path| Say::Change(Change::Delete { path })),
        (path(), path()).prop_map(|(from, to)| Say::Change(Change::Move { from, to })),
    ]
}

/// A provider's text for all that is to be said after the first `done` changes.
fn text(tag: &Tag, all: &[Say], done: usize) -> String {
    let mut text = String::new();
    let mut changes = 0;
    for say in all {
        let line = match say {
            Say::Prose(prose) => prose.clone(),
            Say::Change(change) => {
                changes += 1;
                if changes <= done {
                    continue;
                }
                match change {
                    Change::Write { path, content } => {
                        format!("@@{tag} write \"{path}\"\n{content}@@{tag} end\n")
                    }
                    Change::Delete { path } => format!("@@{tag} delete \"{path}\"\n"),
                    Change::Move { from, to } => format!("@@{tag} move \"{from}\" \"{to}\"\n"),
                }
            }
        };
        text += &line;
    }
    text
}

/// The changes that all has, were it said without a break.
fn wanted(all: &[Say]) -> Changes {
    all.iter()
        .filter_map(|say| match say {
            Say::Prose(_) => None,
            Say::Change(change) => Some(change.clone()),
        })
        .collect()
}

/// Tags differ from call to call.
fn tag(attempt: u8) -> Tag {
    Tag::from_random([attempt, 25, 31, 25, 31, 25])
}

fn replay(log: &[Event]) -> Replay {
    let mut replay = Replay::new(PartId(3));
    for (event, seq) in log.iter().zip(11..) {
        replay.apply(Seq(seq), event);
    }
    replay
}

/// Says `text` in chunks of `size` characters, each delta an entry of its own.
fn speak(output: &mut Output, text: &str, size: usize, log: &mut Vec<Event>) {
    let chars: Vec<char> = text.chars().collect();
    for chunk in chars.chunks(size) {
        let mut out = Vec::new();
        output.text(&chunk.iter().collect::<String>(), &mut out).unwrap();
        log.extend(out);
    }
    output.finish(Ending::Stopped, log);
}

#[test]
fn the_calls_of_the_last_attempt_count_together_and_those_before_it_do_not() {
    let used = |output_tokens| Event::Usage {
        run: run_id(),
        usage: Usage { output_tokens, ..Usage::default() },
    };
    let begin = || Event::StepStarted { name: StepName::Generating };
    let again = || Event::RunRecovering { run: run_id(), attempt: 2, superseded_from: None };
    let end = || Event::StepFinished { name: StepName::Generating };
    let total = |log: &[Event]| replay(log).usage().map(|usage| usage.output_tokens);
    assert_eq!(total(&[begin(), used(7), used(5), end()]), Some(12));
    assert_eq!(total(&[begin(), used(7), again(), begin(), used(3), end()]), Some(3));
    assert_eq!(total(&[begin(), used(7), end(), again()]), Some(7), "nothing was written again");
}

#[test]
fn a_replay_knows_what_was_said_committed_and_used() {
    let usage = Usage { output_tokens: 7, ..Usage::default() };
    let part = PartId(3);
    let log = [
        Event::RunStarted { run: run_id(), provider: "p".into(), model: "m".into() },
        Event::StepStarted { name: StepName::Generating },
        Event::TextStart { part },
        Event::TextDelta { part, text: "Hi.\n".into() },
        Event::TextEnd { part },
        Event::FileStart { part: PartId(4), path: "a".into() },
        Event::FileDelta { part: PartId(4), text: "1\n".into() },
        Event::FileEnd { part: PartId(4), complete: true, bytes: 2, sha256: String::new() },
        Event::Usage { run: run_id(), usage },
        Event::StepFinished { name: StepName::Generating },
    ];
    assert!(!replay(&log[..9]).generated());
    let mut replay = replay(&log);
    assert!(replay.generated());
    assert_eq!((replay.commit(), replay.usage(), replay.prose()), (None, Some(usage), "Hi.\n"));
    assert_eq!((replay.next_part(), replay.attempt()), (PartId(5), 1));
    let commit = "c".repeat(40);
    let committed = Event::FilesCommitted {
        run: run_id(),
        commit: commit.clone(),
        added: 1,
        changed: 0,
        removed: 0,
    };
    replay.apply(Seq(99), &committed);
    assert_eq!(replay.commit(), Some(commit.as_str()));
}

#[test]
fn an_open_part_is_superseded_once() {
    let part = PartId(3);
    let mut log = vec![
        Event::TextStart { part },
        Event::TextDelta { part, text: "half a sen".into() },
        Event::Notice {
            notice: Notice::CancelRequested,
            by: None,
            cid: None,
            run: None,
            start_cid: None,
            message: String::new(),
        },
    ];
    let cut = replay(&log);
    assert_eq!(cut.superseded_from(), Some(Seq(11)));
    log.push(Event::RunRecovering {
        run: run_id(),
        attempt: 2,
        superseded_from: cut.superseded_from(),
    });
    let next = replay(&log);
    assert_eq!(next.superseded_from(), None);
    assert_eq!((next.attempt(), next.prose(), next.next_part()), (2, "", PartId(4)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn however_often_a_run_is_cut_it_ends_with_the_same_changes(
        all in prop::collection::vec(say(), 0..12),
        size in 1..30_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut log = Vec::new();
        let mut output = Output::new(&tag(1), PartId(3), OutputLimits::default());
        speak(&mut output, &text(&tag(1), &all, 0), size, &mut log);
        prop_assert_eq!(output.changes(), &wanted(&all));

        for (cut, attempt) in cuts.into_iter().zip(2..) {
            log.truncate(cut.index(log.len() + 1));
            let replay = replay(&log);
            let superseded_from = replay.superseded_from();
            let attempt_number = u32::from(attempt);
            log.push(Event::RunRecovering { run: run_id(), attempt: attempt_number, superseded_from });
            let rest = text(&tag(attempt), &all, replay.changes().len());
            let used = replay.next_part();
            output = Output::resume(&tag(attempt), OutputLimits::default(), replay);
            prop_assert!(output.next_part() >= used, "a part's number is used once");
            speak(&mut output, &rest, size, &mut log);
        }

        prop_assert_eq!(output.changes(), &wanted(&all));
        let read = replay(&log);
        prop_assert_eq!(read.changes(), output.changes());
        prop_assert_eq!(read.prose(), output.prose());
        prop_assert_eq!(read.next_part(), output.next_part());
    }
}
