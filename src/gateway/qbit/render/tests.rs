use super::{
    super::{message::FileStatus, refusal::Code},
    *,
};
use crate::gateway::qbit::logs::{self, Log};
use proptest::{prelude::*, sample::Index};
use std::{collections::BTreeMap, env, fs, path::PathBuf};

/// All that a log becomes for whoever asked.
fn told(log: &Log) -> Vec<Message> {
    let mut renderer = Renderer::new(logs::PROJECT, Some(logs::CREATION));
    renderer.expect(logs::ASKED, log.kind);
    let mut messages = Vec::new();
    for (ts, event) in &log.entries {
        messages.extend(renderer.entry(*ts, event));
        if renderer.plan().is_some() {
            renderer.approve(logs::APPROVED);
        }
    }
    messages
}

/// The same with the tokens of a file joined, however they were cut.
fn joined(messages: Vec<Message>) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    for message in messages {
        if let Message::CodeToken { token: more, is_complete: false, file_path: of, .. } = &message
            && let Some(Message::CodeToken { token, is_complete: false, file_path, .. }) =
                all.last_mut()
            && file_path == of
        {
            token.push_str(more);
        } else {
            all.push(message);
        }
    }
    all
}

/// The figures of progress.
fn figures(messages: &[Message]) -> Vec<u8> {
    let figure = |message: &Message| {
        let Message::CodeGenerationProgress { progress, .. } = message else { return None };
        Some(*progress)
    };
    messages.iter().filter_map(figure).collect()
}

/// The files as a client has them that joins the tokens of each path since it was last begun.
fn files(messages: &[Message]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for message in messages {
        if let Message::FileTreeUpdate { file_path, status: FileStatus::Processing, .. } = message {
            files.insert(file_path.clone(), String::new());
        } else if let Message::FileTreeUpdate {
            file_path,
            status: FileStatus::Error | FileStatus::Deleted,
            ..
        } = message
        {
            files.remove(file_path);
        } else if let Message::CodeToken { file_path, token, .. } = message {
            files.get_mut(file_path).expect("it was begun").push_str(token);
        }
    }
    files
}

fn last(messages: &[Message]) -> &Message {
    messages.last().expect("something was told")
}

#[test]
fn every_log_is_told_as_its_golden_file_has_it() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/gateway/qbit/golden");
    for log in logs::all() {
        let lines = told(&log).into_iter().map(|message| message.encode(Some(logs::PROJECT)));
        let text: String = lines.map(|line| line + "\n").collect();
        let file = folder.join(format!("{}.jsonl", log.name));
        if env::var_os("GREENROOM_UPDATE_GOLDEN").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, golden, "{}: what is told has changed", log.name);
    }
}

#[test]
fn progress_has_the_five_figures_in_order_with_and_without_a_plan_and_credits() {
    for log in [logs::planned(), logs::plain(), logs::approved(), logs::modified()] {
        assert_eq!(figures(&told(&log)), [10, 25, 40, 70, 100], "{}", log.name);
    }
    assert_eq!(figures(&told(&logs::conversation())), [10]);
    assert_eq!(figures(&told(&logs::poor())), [10]);
}

#[test]
fn tokens_joined_are_the_files_also_where_one_broke_off_and_was_begun_again() {
    let modified = told(&logs::modified());
    let expected = [("a.css", "body { color: green }\n"), ("new/b.js", "let b = 2;\n")];
    assert_eq!(
        files(&modified),
        expected.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
    );
    let broken = |message: &&Message| {
        matches!(message, Message::FileTreeUpdate { status: FileStatus::Error, .. })
    };
    assert_eq!(modified.iter().filter(broken).count(), 1, "what had been told of it is void");
}

#[test]
fn runs_of_others_are_passed_over() {
    let mut renderer = Renderer::new(logs::PROJECT, None);
    for (ts, event) in logs::planned().entries {
        assert_eq!(renderer.entry(ts, &event), []);
    }
    assert!(renderer.is_done());
}

#[test]
fn a_plan_that_would_need_approval_is_the_dialect_s_to_approve_and_of_others_it_is_not() {
    let log = logs::approved();
    let ends = |event: &Event| matches!(event, Event::RunFinished { .. });
    let planned = log.entries.iter().position(|(_, event)| ends(event)).unwrap() + 1;
    let (mut ours, mut other) =
        (Renderer::new(logs::PROJECT, None), Renderer::new(logs::PROJECT, None));
    ours.expect(logs::ASKED, Kind::Generate);
    for (ts, event) in &log.entries[..planned] {
        ours.entry(*ts, event);
        other.entry(*ts, event);
    }
    assert_eq!((ours.plan(), ours.questions()), (Some(1), None));
    assert!(!ours.is_done());
    assert_eq!((other.plan(), other.questions()), (None, None));
    ours.approve(logs::APPROVED);
    assert_eq!(ours.plan(), None);
    assert_eq!(ours.refused(logs::APPROVED), Some(Kind::Generate));
    assert!(ours.is_done(), "its approval was refused");
}

#[test]
fn questions_wait_for_an_answer_until_something_takes_their_place() {
    let log = logs::ambiguous();
    let mut renderer = Renderer::new(logs::PROJECT, None);
    log.entries.iter().for_each(|(ts, event)| drop(renderer.entry(*ts, event)));
    assert_eq!(renderer.questions(), Some(1), "whoever asked them");
    renderer.entry(9, &logs::dropped(1));
    assert_eq!(renderer.questions(), None);
}

#[test]
fn an_end_that_is_none_of_completion_has_its_code() {
    for (log, expected) in [
        (logs::poor(), Code::InsufficientCredits),
        (logs::unplanned(), Code::ScpGenerationFailed),
        (logs::broken(), Code::AgentExecutionFailed),
        (logs::cancelled(), Code::ModificationError),
    ] {
        let messages = told(&log);
        let Message::Error { code, .. } = last(&messages) else { panic!("{messages:?}") };
        assert_eq!(*code, expected, "{}", log.name);
    }
}

#[test]
fn a_long_text_is_told_in_pieces_that_together_are_the_text() {
    let text = "é".repeat(40 * 1024);
    let mut log = logs::conversation();
    for (_, event) in &mut log.entries {
        if let Event::TextDelta { text: delta, .. } = event {
            delta.clone_from(&text);
        }
    }
    let mut whole = String::new();
    for message in told(&log) {
        if let Message::ConversationTurn { content: piece, .. }
        | Message::Response { response: piece, .. } = message
        {
            assert!(piece.len() <= 32 * 1024);
            whole += &piece;
        }
    }
    assert_eq!(whole, text.repeat(2), "it came in two deltas");
}

/// The same log with its deltas cut in two or joined, as places say.
fn cut(log: &Log, places: &[Index]) -> Log {
    let mut entries: Vec<(u64, Event)> = Vec::new();
    let mut places = places.iter().cycle();
    for (ts, event) in &log.entries {
        let pieces = match (event, places.next()) {
            (Event::TextDelta { part, text }, Some(place)) => {
                split(text, place).map(|text| Event::TextDelta { part: *part, text }).collect()
            }
            (Event::FileDelta { part, text }, Some(place)) => {
                split(text, place).map(|text| Event::FileDelta { part: *part, text }).collect()
            }
            (event, _) => vec![event.clone()],
        };
        let joins = places.next().is_some_and(|place| place.index(2) == 0);
        for piece in pieces {
            let rest = match entries.last_mut() {
                Some((_, last)) if joins => last.join(piece, usize::MAX).err(),
                _ => Some(piece),
            };
            entries.extend(rest.map(|event| (*ts, event)));
        }
    }
    Log { entries, ..*log }
}

fn split(text: &str, place: &Index) -> impl Iterator<Item = String> {
    let at = text.floor_char_boundary(place.index(text.len() + 1));
    let (head, tail) = text.split_at(at);
    [head.to_owned(), tail.to_owned()].into_iter()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_log_is_told_the_same_however_it_is_cut(
        places in proptest::collection::vec(any::<Index>(), 1..40),
    ) {
        for log in logs::all() {
            prop_assert_eq!(joined(told(&cut(&log, &places))), joined(told(&log)), "{}", log.name);
        }
    }
}
