use super::*;
use crate::{
    port::{Message, Oid, Role},
    run::{
        Change, Changes, Tag,
        artifact::Ending,
        edit::{EditFailure, Miss, Nearest},
        output::{Output, OutputLimits},
        tree::{FileEntry, Files},
    },
};
use greenroom_protocol::id::PartId;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Texts = BTreeMap<String, String>;

fn tag() -> Tag {
    Tag::parse("k3x7qa").unwrap()
}

/// The files of a project that has these contents.
fn files(texts: &Texts) -> Files {
    texts
        .iter()
        .map(|(path, text)| {
            (path.clone(), FileEntry { oid: Oid([0; 20]), bytes: text.len().try_into().unwrap() })
        })
        .collect()
}

fn texts(all: &[(&str, &str)]) -> Texts {
    all.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn input<'a>(files: &'a Files, texts: &'a Texts, request: &'a str) -> PromptInput<'a> {
    PromptInput { history: &[], files, texts, request, done: None, steered: false, mend: None }
}

fn bytes(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.content.len()).sum()
}

/// Contents as a prompt shows them.
fn shown(texts: &Texts) -> Texts {
    let newline = |text: &str| if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    texts.iter().map(|(path, text)| (path.clone(), format!("{text}{}", newline(text)))).collect()
}

#[test]
fn a_first_prompt_is_the_instructions_and_the_request() {
    let none = Texts::new();
    let messages = input(&Files::new(), &none, "A todo app").build(&tag(), CONTEXT_BYTES_MAX);
    let [system, user] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((system.role, user.role), (Role::System, Role::User));
    assert_eq!(user.content, "Request:\nA todo app");
    assert_eq!(Tag::find(&system.content), Some(tag()));
    assert!(!system.content.contains("{tag}"));
}

#[test]
fn the_example_in_the_instructions_is_an_answer_that_the_engine_takes() {
    let none = Texts::new();
    let messages = input(&Files::new(), &none, "").build(&tag(), CONTEXT_BYTES_MAX);
    let mut output = Output::new(&tag(), PartId(1), OutputLimits::default());
    let mut out = Vec::new();
    output.text(&messages[0].content, &mut out).unwrap();
    assert!(!output.finish(Ending::Stopped, &mut out));
    let changes: Vec<&Change> = output.changes().iter().collect();
    assert!(
        matches!(
            changes.as_slice(),
            [
                Change::Write { .. },
                Change::Write { .. },
                Change::Delete { .. },
                Change::Move { .. }
            ]
        ),
        "{changes:?}"
    );
}

#[test]
fn a_continuation_reads_as_the_contract_says() {
    let texts = texts(&[("a b.txt", "no newline"), ("empty", "")]);
    let files = files(&texts);
    let done: Changes = [
        Change::Write { path: "x".into(), content: "1\n".into() },
        Change::Delete { path: "old".into() },
        Change::Move { from: "a b.txt".into(), to: "c".into() },
    ]
    .into_iter()
    .collect();
    let turn = Turn { prompt: "Hi".into(), answer: " ".into() };
    let prompt = PromptInput {
        history: std::slice::from_ref(&turn),
        done: Some(&done),
        ..input(&files, &texts, "Go\nRequest:\n")
    };
    let messages = prompt.build(&tag(), CONTEXT_BYTES_MAX);
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
    assert_eq!(messages[2].content, NO_TEXT);
    let expected = "Current files:\n\
        @@k3x7qa file \"a b.txt\"\nno newline\n@@k3x7qa end\n\
        @@k3x7qa file empty\n@@k3x7qa end\n\
        Request:\nGo\nRequest:\n\n\
        Your answer was cut off. These files of it are complete; do not write them again:\n\
        @@k3x7qa done x\n1\n@@k3x7qa end\n\
        @@k3x7qa deleted old\n\
        @@k3x7qa moved \"a b.txt\" c\n\
        Write the rest of the answer now.";
    assert_eq!(messages[3].content, expected);
}

#[test]
fn the_example_of_an_edit_is_one_that_the_engine_takes() {
    let texts = texts(&[("a", "1\n")]);
    let messages = input(&files(&texts), &texts, "").build(&tag(), CONTEXT_BYTES_MAX);
    let mut output = Output::new(&tag(), PartId(1), OutputLimits::default());
    let mut out = Vec::new();
    output.text(&messages[0].content, &mut out).unwrap();
    output.finish(Ending::Stopped, &mut out);
    assert_eq!(output.failures().count(), 0);
    assert!(
        output.changes().iter().any(|change| matches!(change, Change::Write { content, .. }
            if content.contains("Hello, world"))),
        "{:?}",
        output.changes()
    );
    let none = Texts::new();
    let first = input(&Files::new(), &none, "").build(&tag(), CONTEXT_BYTES_MAX);
    assert!(!first[0].content.contains("SEARCH") && !first[0].content.contains("{edits}"));
}

#[test]
fn a_prompt_that_asks_to_mend_edits_shows_the_real_lines() {
    let texts = texts(&[("a", "one\ntwo\n"), ("b", "x\n")]);
    let files = files(&texts);
    let done: Changes =
        [Change::Write { path: "b".into(), content: "y\n".into() }].into_iter().collect();
    let nearest = Nearest { line: 1, text: "one\ntwo".into(), percent: 50 };
    let misses = vec![
        (1, Miss::NotFound { nearest: Some(nearest) }),
        (3, Miss::Ambiguous { lines: vec![4, 9] }),
    ];
    let failures = [EditFailure { path: "a".into(), misses }];
    for (remedy, done) in [(Remedy::Edit, Some(&done)), (Remedy::Write, None)] {
        let mend = Some(Mend { failures: &failures, remedy });
        let prompt = PromptInput { done, mend, ..input(&files, &texts, "Go") };
        let messages = prompt.build(&tag(), CONTEXT_BYTES_MAX);
        let parsed = Parsed::read(&messages).unwrap();
        assert_eq!((parsed.request.as_str(), parsed.remedy), ("Go", Some(remedy)));
        assert_eq!(parsed.done.len(), usize::from(done.is_some()));
        let report = "block 1: its search text is not in the file.\n\
            The nearest lines are 1 to 2 (50 % alike):\none\ntwo\n\
            block 3: its search text stands at 2 places: lines 4, 9.\n\
            Search for more lines, or name the first line of the place that you mean: \
            \"<<<<<<< SEARCH 4\".\n";
        assert_eq!(parsed.failed["a"], report);
    }
}

#[test]
fn what_does_not_fit_is_named_and_the_smallest_files_are_shown() {
    let large = "x".repeat(5000);
    let texts = texts(&[("a", &large), ("b", "small\n"), ("c", "tiny\n")]);
    let mut files = files(&texts);
    files.insert("unread".into(), FileEntry { oid: Oid([0; 20]), bytes: 1 << 40 });
    let prompt = input(&files, &texts, "Go");
    let system = prompt.build(&tag(), 0)[0].content.len();
    let budget = system + 1000;
    let messages = prompt.build(&tag(), budget);
    assert!(bytes(&messages) <= budget);
    let parsed = Parsed::read(&messages).unwrap();
    assert_eq!(parsed.files.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(parsed.omitted, [("a".to_owned(), 5000), ("unread".to_owned(), 1 << 40)].into());
    let read = |bytes| readable(&files, bytes).map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(read(5011), ["c", "b", "a"]);
    assert_eq!(read(5010), ["c", "b"]);
    assert!(prompt.build(&tag(), 0)[1].content.contains("(4 more files are not listed.)"));
}

#[test]
fn every_budget_is_kept_to_the_byte() {
    let texts = texts(&[("a", "1\n"), ("b", "22"), ("c d", "")]);
    let files = files(&texts);
    let done: Changes = [Change::Delete { path: "x".into() }].into_iter().collect();
    let prompt = PromptInput { done: Some(&done), ..input(&files, &texts, "Go") };
    let least = bytes(&prompt.build(&tag(), 0));
    for budget in least..least + 400 {
        assert!(bytes(&prompt.build(&tag(), budget)) <= budget, "{budget} of {least}");
    }
    let all = Parsed::read(&prompt.build(&tag(), least + 400)).unwrap();
    assert_eq!(all.files.len(), 3);
}

#[test]
fn the_latest_turns_are_kept() {
    let history: Vec<Turn> = (0..100)
        .map(|n| Turn { prompt: format!("{n}{}", "p".repeat(1000)), answer: "a".repeat(1000) })
        .collect();
    let (files, none) = (Files::new(), Texts::new());
    let prompt = PromptInput { history: &history, ..input(&files, &none, "Go") };
    let messages = prompt.build(&tag(), 40_000);
    let parsed = Parsed::read(&messages).unwrap();
    assert_eq!(parsed.history.len(), 4, "a quarter of the whole");
    assert_eq!(parsed.history.last(), Some(&history[99].prompt));
    assert!(bytes(&messages) <= 40_000);
}

#[test]
fn a_tag_that_occurs_anywhere_is_not_chosen() {
    let [a, b, c, d, e] = [[0; 6], [1; 6], [2; 6], [3; 6], [4; 6]];
    let texts = texts(&[("x", "..aaaaaa.."), ("bbbbbb", "")]);
    let files = files(&texts);
    let done: Changes =
        [Change::Move { from: "cccccc".into(), to: "x".into() }].into_iter().collect();
    let turn = Turn { prompt: String::new(), answer: "dddddd".into() };
    let prompt = PromptInput {
        history: std::slice::from_ref(&turn),
        done: Some(&done),
        ..input(&files, &texts, "")
    };
    assert_eq!(prompt.choose_tag([a, b, c, d, e]), Tag::parse("eeeeee"));
    assert_eq!(prompt.choose_tag([a, b, c, d]), None);
    assert_eq!(input(&files, &texts, "eeeeee").choose_tag([e]), None);
}

#[test]
fn what_is_no_prompt_is_refused() {
    let message = |role, content: &str| Message { role, content: content.into() };
    let system = message(Role::System, "@@k3x7qa write");
    let read = |last: &str| Parsed::read(&[system.clone(), message(Role::User, last)]).unwrap_err();
    assert_eq!(Parsed::read(&[]), Err(ReadError::NoTag));
    assert_eq!(Parsed::read(std::slice::from_ref(&system)), Err(ReadError::NoRequest));
    assert_eq!(read("hello"), ReadError::NoRequest);
    assert_eq!(read("Current files:\n@@k3x7qa file a\nno end\nRequest:\n"), ReadError::Block);
    assert_eq!(read("Request:\nx\n@@k3x7qa done a\n"), ReadError::Block);
}

fn path() -> impl Strategy<Value = String> {
    "[a-c]{1,2}(/[a-c] ?[a-c])?"
}

/// Text with lines that look like parts of a prompt, but never with the tag itself.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(REQUEST.to_owned()),
        Just(CURRENT_FILES.to_owned()),
        Just(CUT_OFF.to_owned()),
        Just(WRITE_THE_REST.to_owned()),
        Just("@@aaaaaa end".to_owned()),
        "[@a-cé \r]{0,6}",
    ];
    (prop::collection::vec(line, 0..6), any::<bool>())
        .prop_map(|(lines, newline)| lines.join("\n") + if newline { "\n" } else { "" })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (path(), text()).prop_map(|(path, content)| Change::Write { path, content }),
        path().prop_map(|path| Change::Delete { path }),
        (path(), path()).prop_map(|(from, to)| Change::Move { from, to }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_prompt_reads_back_as_it_was_built(
        history in prop::collection::vec((text(), text()), 0..3),
        texts in prop::collection::btree_map(path(), text(), 0..5),
        request in text(),
        done in prop::option::of(prop::collection::vec(change(), 0..5)),
    ) {
        let history: Vec<Turn> =
            history.into_iter().map(|(prompt, answer)| Turn { prompt, answer }).collect();
        let files = files(&texts);
        let done: Option<Changes> = done.map(|all| all.into_iter().collect());
        let prompt = PromptInput {
            history: &history,
            files: &files,
            texts: &texts,
            request: &request,
            done: done.as_ref(),
            steered: false,
            mend: None,
        };

        let parsed = Parsed::read(&prompt.build(&tag(), CONTEXT_BYTES_MAX)).unwrap();

        prop_assert_eq!(&parsed.tag, &tag());
        prop_assert_eq!(&parsed.request, &request);
        let prompts: Vec<String> = history.into_iter().map(|turn| turn.prompt).collect();
        prop_assert_eq!(&parsed.history, &prompts);
        prop_assert_eq!(&parsed.files, &shown(&texts));
        let done = done.unwrap_or_default();
        prop_assert_eq!(parsed.is_continuation(), !done.is_empty());
        let written = done.written().into_iter();
        let written: Texts = written.map(|(path, text)| (path.into(), text.into())).collect();
        prop_assert_eq!(&parsed.done, &shown(&written));
        let deleted = done.iter().filter(|change| matches!(change, Change::Delete { .. }));
        prop_assert_eq!(parsed.deleted.len(), deleted.count());
        let moved: Vec<(String, String)> = done
            .iter()
            .filter_map(|change| match change {
                Change::Move { from, to } => Some((from.clone(), to.clone())),
                Change::Write { .. } | Change::Delete { .. } => None,
            })
            .collect();
        prop_assert_eq!(&parsed.moved, &moved);
    }

    #[test]
    fn a_prompt_keeps_to_its_budget_and_stays_readable(
        history in prop::collection::vec((text(), text()), 0..6),
        texts in prop::collection::btree_map(path(), text(), 0..12),
        written in prop::collection::btree_map(path(), text(), 0..12),
        extra in prop_oneof![0..200_usize, 200..3000_usize],
    ) {
        let history: Vec<Turn> =
            history.into_iter().map(|(prompt, answer)| Turn { prompt, answer }).collect();
        let files = files(&texts);
        let done: Changes = written
            .iter()
            .map(|(path, content)| Change::Write { path: path.clone(), content: content.clone() })
            .collect();
        let prompt = PromptInput {
            history: &history,
            files: &files,
            texts: &texts,
            request: "Go",
            done: Some(&done),
            steered: false,
            mend: None,
        };
        let always = bytes(&prompt.build(&tag(), 0));
        let messages = prompt.build(&tag(), always + extra);
        prop_assert!(bytes(&messages) <= always + extra);
        let parsed = Parsed::read(&messages).unwrap();
        prop_assert_eq!(parsed.done.len() + parsed.done_omitted.len(), written.len());
    }
}
