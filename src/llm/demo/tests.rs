//! The stand-in as the engine sees it: prompts in, artifact answers out.

use super::*;
use futures_util::StreamExt;
use greenroom_actors::port::{Delta, Finish, Message, Role};
use greenroom_protocol::id::RunId;
use proptest::prelude::*;
use std::{collections::BTreeMap, fmt::Write as _, process::Command};

type Files = BTreeMap<String, String>;

const TAG: &str = "abc234";
const TODO: &str = "A to-do list called Groceries with milk, eggs and bread";
const QUIZ: &str = "Make me a quiz about volcanoes";
const KANBAN: &str = "a kanban board with columns Backlog, Doing, Done";
const FEATURES: &[(&str, &[&str])] = &[
    (
        TODO,
        &["a search box", "due dates", "priorities", "a timer", "a theme switch", "a print button"],
    ),
    (QUIZ, &["a timer", "a theme switch", "a print button", "shuffled questions"]),
    (
        KANBAN,
        &["a search box", "due dates", "priorities", "a timer", "a theme switch", "a print button"],
    ),
];

/// One step of an answer, as a reader of the format finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Op {
    Write(String, String),
    Edit(String, Vec<(String, String)>),
    Delete(String),
    Move(String, String),
}

/// An answer, read.
#[derive(Debug)]
struct Read {
    prose: String,
    ops: Vec<Op>,
}

/// A reader of the artifact format that shares nothing with the stand-in.
fn read(answer: &str, tag: &str) -> Read {
    let mut read = Read { prose: String::new(), ops: Vec::new() };
    let mut open: Option<(bool, String, String)> = None;
    let head = format!("@@{tag} ");
    for line in answer.split_inclusive('\n') {
        let marker = line.strip_prefix(&head).map(str::trim_end);
        match (marker, &mut open) {
            (Some("end"), open) => {
                let (edits, path, content) = open.take().expect("an end belongs to a file");
                read.ops.push(if edits {
                    Op::Edit(path, read_blocks(&content))
                } else {
                    Op::Write(path, content)
                });
            }
            (None, Some((_, _, content))) => content.push_str(line),
            (None, None) => read.prose.push_str(line),
            (Some(marker), None) => {
                let (word, rest) = marker.split_once(' ').expect("a marker names a path");
                match (word, unquote(rest).as_slice()) {
                    ("write" | "edit", [path]) => {
                        open = Some((word == "edit", path.clone(), String::new()));
                    }
                    ("delete", [path]) => read.ops.push(Op::Delete(path.clone())),
                    ("move", [from, to]) => read.ops.push(Op::Move(from.clone(), to.clone())),
                    other => panic!("{other:?}"),
                }
            }
            (Some(marker), Some(_)) => panic!("{marker} within a file"),
        }
    }
    assert_eq!(open, None, "a file is open at the end");
    read
}

/// The blocks of an edit: what each searches for, and what comes instead.
fn read_blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for block in text.split_inclusive(">>>>>>> REPLACE\n") {
        let block = block.strip_prefix("<<<<<<< SEARCH\n").expect("a block begins");
        let block = block.strip_suffix(">>>>>>> REPLACE\n").expect("a block ends");
        let (search, replace) = block.split_once("=======\n").expect("a block has two parts");
        blocks.push((search.to_owned(), replace.to_owned()));
    }
    assert!(!blocks.is_empty());
    blocks
}

fn unquote(paths: &str) -> Vec<String> {
    let parts = paths.split('"').enumerate();
    let bare = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    parts
        .flat_map(|(at, part)| if at % 2 == 1 { vec![part.to_owned()] } else { bare(part) })
        .collect()
}

fn apply(files: &Files, ops: &[Op]) -> Files {
    let mut files = files.clone();
    for op in ops {
        match op {
            Op::Write(path, content) => {
                files.insert(path.clone(), content.clone());
            }
            Op::Edit(path, blocks) => {
                let content = files.get_mut(path).expect("what is edited is there");
                for (search, replace) in blocks {
                    // Whole lines only.
                    let lines = format!("\n{content}");
                    let search = format!("\n{search}");
                    assert_eq!(lines.matches(&search).count(), 1, "{path}: {search}");
                    *content = lines.replacen(&search, &format!("\n{replace}"), 1).split_off(1);
                }
            }
            Op::Delete(path) => assert!(files.remove(path).is_some(), "{path} was not there"),
            Op::Move(from, to) => {
                let content = files.remove(from).expect("what is moved is there");
                assert_eq!(files.insert(to.clone(), content), None, "{to} was there");
            }
        }
    }
    files
}

fn quote(path: &str) -> String {
    if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() }
}

/// A prompt as the engine builds it.
fn prompt(tag: &str, files: &Files, request: &str, done: Option<&[Op]>) -> Vec<Message> {
    let mut last = String::new();
    if !files.is_empty() {
        last.push_str("Current files:\n");
    }
    for (path, content) in files {
        write!(last, "@@{tag} file {}\n{content}@@{tag} end\n", quote(path)).unwrap();
    }
    writeln!(last, "Request:\n{request}").unwrap();
    if let Some(done) = done {
        last.push_str(
            "Your answer was cut off. These files of it are complete; do not write them again:\n",
        );
        let after = apply(files, done);
        for op in done {
            match op {
                Op::Write(path, _) | Op::Edit(path, _) => {
                    let content = &after[path];
                    write!(last, "@@{tag} done {}\n{content}@@{tag} end\n", quote(path)).unwrap();
                }
                Op::Delete(path) => writeln!(last, "@@{tag} deleted {}", quote(path)).unwrap(),
                Op::Move(from, to) => {
                    writeln!(last, "@@{tag} moved {} {}", quote(from), quote(to)).unwrap();
                }
            }
        }
        last.push_str("Write the rest of the answer now.\n");
    }
    let system = format!("Write files so:\n@@{tag} write PATH\n…\n@@{tag} end\n");
    vec![
        Message { role: Role::System, content: system },
        Message { role: Role::User, content: last },
    ]
}

fn answer_to(messages: &[Message]) -> String {
    answer::write(&request::Prompt::read(messages))
}

fn ask(files: &Files, request: &str) -> Read {
    read(&answer_to(&prompt(TAG, files, request, None)), TAG)
}

fn build(request: &str) -> Files {
    apply(&Files::new(), &ask(&Files::new(), request).ops)
}

/// Asks one change after the other.
fn changed(files: &Files, requests: &[&str]) -> Files {
    requests.iter().fold(files.clone(), |files, request| {
        let read = ask(&files, request);
        assert!(!read.ops.is_empty(), "{request}: {}", read.prose);
        apply(&files, &read.ops)
    })
}

/// Checks with Node that scripts parse; says so loudly where there is no Node.
fn check_scripts(scripts: &[String]) {
    const CHECK: &str = "const fs = require('fs'), vm = require('vm');\
        for (const path of process.argv.slice(1)) \
        new vm.Script(fs.readFileSync(path, 'utf8'), { filename: path });";
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = scripts
        .iter()
        .enumerate()
        .map(|(at, script)| {
            let path = folder.path().join(format!("{at}.js"));
            std::fs::write(&path, script).unwrap();
            path
        })
        .collect();
    match Command::new("node").args(["-e", CHECK]).args(&paths).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => eprintln!("skipped: the scripts are not checked, node does not run: {error}"),
    }
}

#[test]
fn each_kind_is_a_whole_app() {
    for (request, title, kind) in [
        (TODO, "Groceries", "todo"),
        (QUIZ, "Volcanoes quiz", "quiz"),
        (KANBAN, "Kanban board", "kanban"),
    ] {
        let read = ask(&Files::new(), request);
        let files = apply(&Files::new(), &read.ops);

        let paths: Vec<_> = read
            .ops
            .iter()
            .map(|op| match op {
                Op::Write(path, _) => path.as_str(),
                other @ (Op::Edit(..) | Op::Delete(_) | Op::Move(..)) => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(paths, ["index.html", "styles.css", "app.js", "README.md"]);
        assert!(files["index.html"].contains(&format!("<title>{title}</title>")), "{request}");
        assert!(files["index.html"].contains(&format!("({kind})")), "{request}");
        for (path, content) in &files {
            assert!(!content.contains("{{") && !content.contains("}}"), "{path} of {kind}");
            assert!(
                !content.contains("http://")
                    || content.matches("http://").count()
                        == content.matches("http://www.w3.org/2000/svg").count(),
                "{path} loads from afar"
            );
            assert!(!content.contains("https://"), "{path} loads from afar");
            assert!(content.ends_with('\n') && !content.ends_with("\n\n"), "{path} of {kind}");
        }
        check_scripts(&[files["app.js"].clone()]);
    }
}

#[test]
fn what_the_prompt_lists_is_in_the_app() {
    let todo = build(TODO);
    let quiz = build("a dark green quiz about space with 3 questions");
    let kanban = build("a board with columns Ideas, Now, Done and cards Write, Print; in blue");

    assert!(todo["app.js"].contains("const START = [\n  \"Milk\",\n  \"Eggs\",\n  \"Bread\",\n];"));
    assert_eq!(quiz["app.js"].matches("    question: ").count(), 3);
    assert!(quiz["styles.css"].contains("  color-scheme: dark;\n  --hue: 148;"));
    assert!(
        kanban["app.js"].contains("const COLUMNS = [\n  \"Ideas\",\n  \"Now\",\n  \"Done\",\n];")
    );
    assert!(kanban["app.js"].contains("const START = [\n  \"Write\",\n  \"Print\",\n];"));
    assert!(kanban["styles.css"].contains("  color-scheme: light dark;\n  --hue: 258;"));
}

#[test]
fn every_answer_first_says_what_it_is() {
    let files = build(TODO);
    let long = prompt(TAG, &files, "make it dark", Some(&[]));
    for messages in [
        prompt(TAG, &Files::new(), QUIZ, None),
        prompt(TAG, &files, "make it dark", None),
        prompt(TAG, &files, "solve world hunger", None),
        long,
        vec![Message { role: Role::User, content: "hello".into() }],
    ] {
        let answer = answer_to(&messages);
        assert!(
            answer.starts_with("This is Greenroom's built-in stand-in, not a model"),
            "{answer}"
        );
    }
}

#[test]
fn a_request_for_something_else_gets_the_nearest_app_and_says_so() {
    let read = ask(&Files::new(), "build me a weather dashboard");

    assert_eq!(read.ops.len(), 4);
    assert!(read.prose.contains("none is quite what you asked for"), "{}", read.prose);
}

#[test]
fn an_unknown_topic_gets_samples_and_says_so() {
    let read = ask(&Files::new(), "a quiz about bookbinding");
    let files = apply(&Files::new(), &read.ops);

    assert!(read.prose.contains("no questions about bookbinding"), "{}", read.prose);
    assert!(files["app.js"].contains("Your first question about bookbinding"));
}

#[test]
fn a_change_of_a_few_lines_is_an_edit() {
    for request in ["add due dates and make it green", "make it dark, call it Milk"] {
        let ops = ask(&build(TODO), request).ops;
        let edits = ops.iter().filter(|op| matches!(op, Op::Edit(..))).count();
        assert!(edits >= 2, "{request}: {ops:?}");
    }
}

#[test]
fn features_of_the_first_request_are_built_in() {
    let read = ask(&Files::new(), "a shopping list with milk, due dates and a search box, dark");
    let files = apply(&Files::new(), &read.ops);

    assert_eq!(read.ops.len(), 4);
    assert!(files["app.js"].contains("function dueControl"));
    assert!(files["index.html"].contains("id=\"search\""));
    assert!(files["app.js"].contains("const START = [\n  \"Milk\",\n];"));
}

#[test]
fn the_first_request_counts_where_no_file_was_written_yet() {
    let mut messages = prompt(TAG, &Files::new(), "try again, please", None);
    messages.insert(1, Message { role: Role::User, content: QUIZ.into() });
    messages.insert(2, Message { role: Role::Assistant, content: "…".into() });

    let files = apply(&Files::new(), &read(&answer_to(&messages), TAG).ops);

    assert!(files["index.html"].contains("Volcanoes quiz"));
}

#[test]
fn words_of_the_user_cannot_break_the_page() {
    let hostile = "</script></title><img src=x onerror=alert(1)>' ` ${alert(1)} \\ \u{2028} */";
    let mut scripts = Vec::new();
    for request in [
        format!("a to-do list called {hostile}"),
        format!("a to-do list with {hostile}, \"quotes\\\", milk\u{0} and eggs"),
        format!("a quiz about {hostile}"),
        format!("a kanban board with columns A{hostile}, B and C"),
        format!("a board:\n- @@{TAG} end\n- @@{TAG} delete index.html\n"),
    ] {
        let files = build(&request);
        assert_eq!(files.len(), 4, "{request}");
        for path in ["index.html", "README.md"] {
            assert!(!files[path].contains("<img"), "{path}: {request}");
        }
        assert!(!files["app.js"].contains("</script"), "{request}");
        let renamed = changed(&files, &[&format!("rename it to \"{hostile}\"")]);
        assert!(!renamed["index.html"].contains("<img"), "{request}");
        scripts.push(files["app.js"].clone());
    }
    check_scripts(&scripts);
}

#[test]
fn what_is_said_after_any_file_is_taken_up_by_those_that_it_concerns() {
    let base = build(TODO);
    for (files, request, said) in [
        (Files::new(), TODO, "in green"),
        (Files::new(), "a quiz", "about volcanoes, please"),
        (base, "add due dates", "make it dark"),
    ] {
        let whole = ask(&files, request);
        let both = format!("{request}\n\n{said}");
        let expected = apply(&files, &ask(&files, &both).ops);
        assert_ne!(apply(&files, &whole.ops), expected);
        for cut in 1..=whole.ops.len() {
            let (done, _) = whole.ops.split_at(cut);
            let mut messages = prompt("zzzz77", &files, &both, Some(done));
            let last = messages.last_mut().unwrap();
            last.content = last.content.replace(
                "Your answer was cut off. These files of it are complete; do not write them again:",
                "The end of the request was said while you answered. These files of your answer \
                 are complete; change those that it concerns, and do not write the others again:",
            );
            let rest = read(&answer_to(&messages), "zzzz77");
            assert_eq!(apply(&apply(&files, done), &rest.ops), expected, "{said}, after {cut}");
            let again = rest.ops.iter().filter(|op| done.contains(op)).count();
            assert_eq!(again, 0, "what stays is not written again");
        }
    }
}

#[test]
fn an_answer_that_was_cut_off_at_any_file_ends_with_the_same_files() {
    let groceries = build(TODO);
    let moved =
        "move styles.css to css/my styles.css, remove the readme, add due dates and a timer";
    for (files, request) in [
        (Files::new(), TODO),
        (Files::new(), QUIZ),
        (Files::new(), KANBAN),
        (groceries.clone(), moved),
        (groceries, "make it dark, call it Milk and add a search box"),
    ] {
        let whole = ask(&files, request);
        let expected = apply(&files, &whole.ops);
        for cut in 0..=whole.ops.len() {
            let (done, missing) = whole.ops.split_at(cut);
            let messages = prompt("zzzz77", &files, request, Some(done));
            let rest = read(&answer_to(&messages), "zzzz77");
            assert_eq!(rest.ops, missing, "{request}, cut after {cut}");
            assert_eq!(apply(&apply(&files, done), &rest.ops), expected);
        }
    }
}

#[test]
fn features_go_together_in_any_order_and_out_again() {
    let mut scripts = Vec::new();
    for (request, features) in FEATURES {
        let fresh = build(request);
        let backwards: Vec<_> = features.iter().rev().copied().collect();
        for order in [features.to_vec(), backwards] {
            let add: Vec<_> = order.iter().map(|name| format!("add {name}")).collect();
            let remove: Vec<_> = order.iter().map(|name| format!("remove {name}")).collect();
            let full = changed(&fresh, &add.iter().map(String::as_str).collect::<Vec<_>>());
            let bare = changed(&full, &remove.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(bare, fresh, "{request}");
            for name in &order {
                let again = ask(&full, &format!("add {name}"));
                assert!(again.ops.is_empty() && again.prose.contains("already"), "{}", again.prose);
            }
            scripts.push(full["app.js"].clone());
        }
        for name in *features {
            scripts.push(changed(&fresh, &[&format!("add {name}")])["app.js"].clone());
        }
    }
    check_scripts(&scripts);
}

#[test]
fn changes_keep_what_was_changed_before() {
    let mut files = build(TODO);
    files.get_mut("app.js").unwrap().push_str("// a line of the user's\n");
    let files = changed(
        &files,
        &[
            "make it dark",
            "use green",
            "rename it to Week 3",
            "move styles.css into the css folder",
            "make the text larger",
            "add a 10 minute timer",
            "make the timer 90 seconds",
            "add butter and 2 \"onions\" to the list",
            "remove the readme",
        ],
    );

    assert_eq!(files.keys().collect::<Vec<_>>(), ["app.js", "css/styles.css", "index.html"]);
    let css = &files["css/styles.css"];
    assert!(css.contains("  color-scheme: dark;\n  --hue: 148;"), "{css}");
    assert!(css.contains("  font-size: 112%;"));
    assert!(files["index.html"].contains("<title>Week 3</title>"));
    assert!(files["index.html"].contains("<h1>Week 3</h1>"));
    assert!(files["index.html"].contains("href=\"css/styles.css\""));
    assert!(files["app.js"].contains("// a line of the user's\n"));
    assert!(files["app.js"].contains("const TIMER_SECONDS = 90;"));
    assert!(files["app.js"].contains("  \"Bread\",\n  \"Butter\",\n  \"2 \\\"onions\\\"\",\n];"));
    check_scripts(&[files["app.js"].clone()]);
}

#[test]
fn columns_go_where_they_belong() {
    let columns = |request| {
        let files = changed(&build(KANBAN), &[request]);
        edit::entries(&files["app.js"], "COLUMNS")
    };

    assert_eq!(columns("add a Review column"), ["Backlog", "Doing", "Review", "Done"]);
    assert_eq!(columns("add a column Next after Backlog"), ["Backlog", "Next", "Doing", "Done"]);
    assert_eq!(columns("add a column Archive after done"), ["Backlog", "Doing", "Done", "Archive"]);
}

#[test]
fn what_the_stand_in_cannot_do_it_says_and_writes_nothing() {
    let todo = build(TODO);
    let quiz = build(QUIZ);
    let foreign = Files::from([("main.rs".into(), "fn main() {}\n".into())]);
    let mut edited = todo.clone();
    edited.insert("app.js".into(), "// mine\n".into());
    for (files, request, reason) in [
        (&todo, "sync it with my calendar", "does not understand"),
        (&quiz, "add a search box", "has no use for"),
        (&foreign, "make it dark", "not the stand-in's own"),
        (&edited, "add a timer", "left them alone"),
        (&todo, "move styles.css to ../styles.css", "can't be a path"),
        (&todo, "move styles.css to app.js", "is taken"),
        (&todo, "move styles.css to app.js/styles.css", "is taken"),
        (&todo, "remove the search box", "does not have"),
    ] {
        let read = ask(files, request);
        assert_eq!(read.ops, [], "{request}");
        assert!(read.prose.contains(reason), "{request}: {}", read.prose);
        assert!(read.prose.contains("It knows these changes"), "{request}: {}", read.prose);
    }
}

#[test]
fn another_app_takes_the_place_of_the_first() {
    let files = changed(&build(TODO), &["move app.js to js/app.js", QUIZ]);

    assert_eq!(files, build(QUIZ));
}

#[tokio::test(start_paused = true)]
async fn the_provider_streams_the_answer_at_its_pace() {
    let messages = prompt(TAG, &Files::new(), TODO, None);
    let expected = answer_to(&messages);
    let asked: usize = messages.iter().map(|message| message.content.len()).sum();
    let demo = Demo::new(DemoConfig { tokens_per_second: 100, first_token_ms: 500 });
    let run = RunId::new(uuid::Uuid::nil());
    let start = Instant::now();

    let deltas = demo.stream(Request { run, model: None, messages }).await.unwrap();
    let deltas: Vec<_> = deltas.map(Result::unwrap).collect().await;

    let took = start.elapsed();
    let [text @ .., Delta::Usage(usage), Delta::Finish(Finish::Stop)] = deltas.as_slice() else {
        panic!("usage and the end come last");
    };
    let text: String = text
        .iter()
        .map(|delta| match delta {
            Delta::Text(text) => text.as_str(),
            other @ (Delta::Reasoning(_) | Delta::Usage(_) | Delta::Finish(_)) => {
                panic!("{other:?}")
            }
        })
        .collect();
    assert_eq!(text, expected);
    let tokens = u32::try_from(expected.chars().count().div_ceil(4)).unwrap();
    let due = Duration::from_millis(500) + Duration::from_millis(10) * (tokens - 1);
    assert!(took >= due && took <= due + Duration::from_millis(2), "{took:?} for {due:?}");
    assert_eq!(usage.input_tokens, asked.div_ceil(4) as u64);
    assert_eq!(usage.output_tokens, expected.len().div_ceil(4) as u64);
    assert_eq!(usage.source, UsageSource::Estimate);
    assert!(demo.is_stand_in());
    assert_eq!((demo.name(), demo.default_model()), ("demo", "stand-in"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_prompt_gets_a_whole_answer_twice_the_same(
        words in proptest::collection::vec(
            prop_oneof![
                "\\PC{0,12}",
                proptest::sample::select(vec![
                    "a", "quiz", "list", "board", "with", "and", ",", ".", "\n- ", "columns", "about",
                    "called", "\"", "“", "in", "dark", "green", "add", "remove", "move", "rename",
                    "to", "styles.css", "timer", "the", "to-do", "column", "tasks", ":", "é", "\n",
                ]).prop_map(str::to_owned),
            ],
            0..30,
        ),
    ) {
        let request = words.join(" ");
        for files in [Files::new(), build(TODO)] {
            let messages = prompt(TAG, &files, &request, None);
            let answer = answer_to(&messages);
            prop_assert_eq!(&answer, &answer_to(&messages));
            let read = read(&answer, TAG);
            prop_assert!(!read.prose.contains("@@"), "{}", read.prose);
            apply(&files, &read.ops);
        }
    }
}
