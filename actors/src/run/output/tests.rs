use super::*;
use greenroom_protocol::error::Reason;
use proptest::prelude::*;

const TAG: &str = "k3x7qa";

fn output(limits: OutputLimits) -> Output {
    Output::new(&Tag::parse(TAG).unwrap(), PartId(5), limits)
}

/// The events of an answer in which `@@` stands for the whole prefix, one delta a chunk.
fn events(chunks: &[&str]) -> Vec<Event> {
    let mut output = output(OutputLimits::default());
    let mut out = Vec::new();
    for chunk in chunks {
        output.text(&chunk.replace("@@", &format!("@@{TAG} ")), &mut out).unwrap();
    }
    output.finish(Ending::Stopped, &mut out);
    out
}

fn part(number: u32) -> PartId {
    PartId(number)
}

fn file_end(number: u32, complete: bool, content: &str) -> Event {
    let bytes = u64::try_from(content.len()).unwrap();
    let sha256 = format!("{:x}", Sha256::digest(content));
    Event::FileEnd { part: part(number), complete, bytes, sha256 }
}

#[test]
fn an_answer_becomes_numbered_parts() {
    let answer =
        "\n\nHere it is.\n\n@@write a b\n1\n2\n@@end\n\n@@delete c\n \n@@move d e\n\nDone.";
    let quoted = answer.replace("a b", "\"a b\"");
    let expected = [
        Event::TextStart { part: part(5) },
        Event::TextDelta { part: part(5), text: "Here it is.\n\n".into() },
        Event::TextEnd { part: part(5) },
        Event::FileStart { part: part(6), path: "a b".into() },
        Event::FileDelta { part: part(6), text: "1\n2\n".into() },
        file_end(6, true, "1\n2\n"),
        Event::FileDeleted { path: "c".into() },
        Event::FileMoved { from: "d".into(), to: "e".into() },
        Event::TextStart { part: part(7) },
        Event::TextDelta { part: part(7), text: "Done.".into() },
        Event::TextEnd { part: part(7) },
    ];
    assert_eq!(events(&[&quoted]), expected);
}

#[test]
fn changes_and_prose_are_kept() {
    let mut output = output(OutputLimits::default());
    let mut out = Vec::new();
    let text = format!("Hi.\n@@{TAG} write a\n1\n@@{TAG} end\n@@{TAG} write b\n2");
    output.text(&text, &mut out).unwrap();
    assert!(output.finish(Ending::Stopped, &mut out), "it ended within b");
    let expected: Changes =
        [Change::Write { path: "a".into(), content: "1\n".into() }].into_iter().collect();
    assert_eq!(output.changes(), &expected);
    assert_eq!(output.prose(), "Hi.\n");
    assert_eq!(output.next_part(), part(8));
    assert_eq!(out[out.len() - 2], file_end(7, false, "2"));
    assert!(
        matches!(&out[out.len() - 1], Event::Notice { notice: Notice::FileRejected, message, .. }
            if message.contains("\"b\"")),
        "{out:?}"
    );
}

#[test]
fn reasoning_is_a_part_of_its_own_and_never_splits_a_file() {
    let mut output = output(OutputLimits::default());
    let mut out = Vec::new();
    output.reasoning("\n", &mut out).unwrap();
    output.reasoning(" Let me", &mut out).unwrap();
    output.reasoning(" see.", &mut out).unwrap();
    output.text("\n", &mut out).unwrap();
    output.reasoning(" Yes.", &mut out).unwrap();
    output.text(&format!("A\n@@{TAG} write a\n1"), &mut out).unwrap();
    output.reasoning("Hm.", &mut out).unwrap();
    output.text(&format!("\n@@{TAG} end"), &mut out).unwrap();
    assert!(!output.finish(Ending::Stopped, &mut out));
    let expected = [
        Event::ReasoningStart { part: part(5) },
        Event::ReasoningDelta { part: part(5), text: "Let me see. Yes.".into() },
        Event::ReasoningEnd { part: part(5) },
        Event::TextStart { part: part(6) },
        Event::TextDelta { part: part(6), text: "A\n".into() },
        Event::TextEnd { part: part(6) },
        Event::FileStart { part: part(7), path: "a".into() },
        Event::FileDelta { part: part(7), text: "1\n".into() },
        file_end(7, true, "1\n"),
    ];
    assert_eq!(out, expected);
}

#[test]
fn a_large_delta_is_split_between_characters() {
    let text = "é".repeat(DELTA_BYTES_MAX);
    let out = events(&["a", &text]);
    let mut joined = String::new();
    for event in &out {
        if let Event::TextDelta { text, .. } = event {
            assert!(text.len() <= DELTA_BYTES_MAX);
            joined += text;
        }
    }
    assert_eq!(joined, format!("a{text}"));
    assert!(out.len() <= 6, "a handful of events, not one a character: {}", out.len());
}

#[test]
fn each_limit_ends_the_run_with_its_own_error() {
    let limits = OutputLimits { files_max: 2, file_bytes_max: 4, run_bytes_max: 100 };
    let fail = |text: &str| {
        let mut output = output(limits);
        let mut out = Vec::new();
        let error = output.text(text, &mut out).unwrap_err();
        assert_eq!(output.text("more", &mut Vec::new()), Err(error.clone()));
        output.finish(Ending::CutOff, &mut out);
        (error, out)
    };
    let delete = format!("@@{TAG} delete a\n");
    assert_eq!(fail(&delete.repeat(3)).0, OutputError::Files { limit: 2 });
    let (error, out) = fail(&format!("@@{TAG} write a\nabc\n@@{TAG} end\n@@{TAG} write b\n12345"));
    assert_eq!(error, OutputError::FileBytes { path: "b".into(), limit: 4 });
    assert_eq!(out[out.len() - 2], file_end(6, false, "1234"));
    let (error, out) = fail(&"x".repeat(101));
    assert_eq!(error, OutputError::RunBytes { limit: 100 });
    assert_eq!(out[1], Event::TextDelta { part: part(5), text: "x".repeat(100) });
    assert_eq!(out.len(), 3);
    assert_eq!(error.body().reason, Reason::OutputLimit);
}

/// An answer over these files: its events and what it owes.
fn over(files: &[(&str, &str)], answer: &str) -> (Vec<Event>, Output) {
    let base = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let mut output = output(OutputLimits::default()).over(Arc::new(base.collect()));
    let mut out = Vec::new();
    output.text(&answer.replace("@@", &format!("@@{TAG} ")), &mut out).unwrap();
    output.finish(Ending::Stopped, &mut out);
    (out, output)
}

const BLOCK: &str = "<<<<<<< SEARCH\ntwo\n=======\n2\n>>>>>>> REPLACE\n";

#[test]
fn an_edit_is_said_as_the_whole_file_that_it_gives() {
    let answer = format!("@@edit a\n{BLOCK}@@end\n");
    let (events, output) = over(&[("a", "one\ntwo\n")], &answer);
    let expected = [
        Event::FileStart { part: part(5), path: "a".into() },
        Event::FileDelta { part: part(5), text: "one\n2\n".into() },
        file_end(5, true, "one\n2\n"),
    ];
    assert_eq!(events, expected);
    assert_eq!(output.failures().count(), 0);
    assert_eq!(output.tally(), &BTreeMap::from([("exact", 1)]));
    let aiders = format!("a\n```\n{BLOCK}```\n");
    let (events, _) = over(&[("a", "one\ntwo\n")], &aiders);
    assert_eq!(events[3].part(), Some(part(6)), "the path is a text part of its own");
    assert!(matches!(&events[4], Event::FileDelta { text, .. } if text == "one\n2\n"));
}

#[test]
fn an_edit_sees_what_the_answer_did_before() {
    let answer = format!(
        "@@write b\ntwo\ntwo\n@@end\n@@move a c\n@@edit c\n{BLOCK}@@end\n\
         @@write b\ntwo\n@@end\n@@edit b\n{BLOCK}@@end\n@@delete b\n@@edit b\n{BLOCK}@@end\n"
    );
    let (_, output) = over(&[("a", "two\n"), ("b", "x\n")], &answer);
    let changes: Vec<&Change> = output.changes().iter().collect();
    let write = |path: &str, text: &str| Change::Write { path: path.into(), content: text.into() };
    assert_eq!(changes[2], &write("c", "2\n"));
    assert_eq!(changes[4], &write("b", "2\n"));
    let failures: Vec<String> = output.failures().map(ToString::to_string).collect();
    assert_eq!(failures, ["\"b\" was not edited: block 1: there is no such file"]);
}

#[test]
fn an_edit_that_does_not_apply_is_said_and_owed_until_it_is_mended() {
    let files = [("a", "one\n"), ("b", "one\n"), ("c", "one\n")];
    let answer =
        format!("@@edit a\n{BLOCK}@@end\n@@edit b\n{BLOCK}@@end\n@@edit c\nno block\n@@end\n");
    let (events, mut output) = over(&files, &answer);
    assert_eq!(events.len(), 3);
    assert!(
        matches!(&events[0], Event::Error { error }
            if error.reason == Reason::EditFailed && error.message.contains("\"a\"")),
        "{events:?}"
    );
    assert_eq!(output.tally(), &BTreeMap::from([("not_found", 2), ("malformed", 1)]));
    assert!(output.changes().is_empty());

    output = output.following(&Tag::parse("aaaaaa").unwrap());
    let owed = |output: &Output| -> Vec<String> {
        output.failures().map(|failure| failure.path.clone()).collect()
    };
    assert_eq!(owed(&output), ["a", "b", "c"]);
    let mut out = Vec::new();
    let one = BLOCK.replace("two", "one");
    let mend = format!("@@aaaaaa edit a\n{one}@@aaaaaa end\n@@aaaaaa delete c\n");
    output.text(&mend, &mut out).unwrap();
    output.finish(Ending::Stopped, &mut out);
    assert_eq!(owed(&output), ["b"]);
    assert_eq!(output.tally(), &BTreeMap::from([("exact", 1)]));
}

#[test]
fn a_file_that_is_written_whole_after_its_edit_failed_owes_nothing() {
    let answer = format!("@@edit a\n{BLOCK}@@end\n@@write a\nx\n@@end\n");
    assert_eq!(over(&[("a", "one\n")], &answer).1.failures().count(), 0);
    let unended = format!("@@edit a\n{BLOCK}@@write a\nx\n");
    assert_eq!(over(&[("a", "two\n")], &unended).1.failures().count(), 1);
}

#[test]
fn an_edit_that_changes_nothing_is_a_notice() {
    let answer = format!("@@edit a\n{}@@end\n", BLOCK.replace("\n2\n", "\ntwo\n"));
    let (events, output) = over(&[("a", "two\n")], &answer);
    assert!(
        matches!(events.as_slice(), [Event::Notice { message, .. }]
            if message.contains("changes nothing")),
        "{events:?}"
    );
    assert_eq!(output.failures().count(), 0);
}

#[test]
fn what_edits_give_counts_against_the_limit_of_a_run() {
    let base = Arc::new(BTreeMap::from([("a".to_owned(), "two\n".repeat(50) + "one\n")]));
    let limits = OutputLimits { files_max: 9, file_bytes_max: 1000, run_bytes_max: 500 };
    let mut output = output(limits).over(base);
    let edit = |from: u32, to: u32| {
        let numbered = |n: u32| if n == 0 { "one".to_owned() } else { n.to_string() };
        let (from, to) = (numbered(from), numbered(to));
        format!(
            "@@{TAG} edit a\n<<<<<<< SEARCH\n{from}\n=======\n{to}\n>>>>>>> REPLACE\n@@{TAG} end\n"
        )
    };
    let mut out = Vec::new();
    assert_eq!(output.text(&edit(0, 1), &mut out), Ok(()));
    assert_eq!(output.text(&edit(1, 2), &mut out), Ok(()));
    let over = output.text(&edit(2, 3), &mut out);
    assert_eq!(over, Err(OutputError::RunBytes { limit: 500 }));
}

/// Joins neighbouring deltas of the same part, whatever their size.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    for event in events {
        let apart = match all.last_mut() {
            Some(last) => last.join(event, usize::MAX).err(),
            None => Some(event),
        };
        all.extend(apart);
    }
    all
}

fn run(chunks: &[&str], limits: OutputLimits) -> (Vec<Event>, Option<OutputError>, Changes) {
    let base = ["a", "b"].map(|path| (path.to_owned(), "x\ny\n".to_owned()));
    let mut output = output(limits).over(Arc::new(base.into()));
    let mut out = Vec::new();
    let error = chunks.iter().find_map(|chunk| output.text(chunk, &mut out).err());
    output.finish(Ending::Stopped, &mut out);
    (joined(out), error, output.changes().clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_chunking_gives_the_same_events_also_at_a_limit(
        lines in prop::collection::vec(prop_oneof![
            Just(format!("@@{TAG} write a\n")),
            Just(format!("@@{TAG} end\n")),
            Just(format!("@@{TAG} delete b\n")),
            Just(format!("@@{TAG} write ..\n")),
            Just(format!("@@{TAG} edit a\n")),
            Just("b\n```\n".to_owned()),
            "[xy]".prop_map(|from| {
                format!("<<<<<<< SEARCH\n{from}\n=======\nz\n>>>>>>> REPLACE\n")
            }),
            "[ @aé\n]{0,20}",
        ], 0..16),
        size in 1..9_usize,
        limits in (1..9_usize, 1..40_usize, 1..300_usize),
    ) {
        let text: String = lines.concat();
        let (files_max, file_bytes_max, run_bytes_max) = limits;
        let limits = OutputLimits { files_max, file_bytes_max, run_bytes_max };
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        let chunks: Vec<&str> = chars
            .chunks(size)
            .map(|group| {
                let (last, c) = group[group.len() - 1];
                &text[group[0].0..last + c.len_utf8()]
            })
            .collect();
        prop_assert_eq!(run(&chunks, limits), run(&[&text], limits));
    }

    /// What a reader of the events sees is what is committed.
    #[test]
    fn the_events_alone_give_the_changes(
        lines in prop::collection::vec(prop_oneof![
            "[a-c]".prop_map(|path| format!("@@{TAG} write {path}\n")),
            Just(format!("@@{TAG} end\n")),
            "[a-c]".prop_map(|path| format!("@@{TAG} delete {path}\n")),
            Just(format!("@@{TAG} move a b\n")),
            "[a-c]".prop_map(|path| format!("@@{TAG} edit {path}\n")),
            "[xy]".prop_map(|from| {
                format!("<<<<<<< SEARCH\n{from}\n=======\nz\n>>>>>>> REPLACE\n")
            }),
            "[ @aé\n]{0,20}",
        ], 0..24),
    ) {
        let (events, _, changes) = run(&[&lines.concat()], OutputLimits::default());
        let mut replay = Replay::new(PartId(5));
        for (event, seq) in events.iter().zip(1..) {
            replay.apply(greenroom_protocol::id::Seq(seq), event);
        }
        prop_assert_eq!(replay.changes(), &changes);
        prop_assert_eq!(replay.superseded_from(), None);
    }
}
