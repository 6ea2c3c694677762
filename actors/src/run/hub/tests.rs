use super::*;
use crate::{
    port::{Message, Oid, Role},
    run::{
        artifact::PathError,
        prompt::Turn,
        tree::{FileEntry, Files},
    },
};
use greenroom_protocol::plan::{
    Complexity, Feature, FileAction, Intent, PlannedFile, Priority, QUESTIONS_MAX, Question,
    SPEC_BYTES_MAX, Spec, Stack,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn files(all: &[(&str, u64)]) -> Files {
    all.iter()
        .map(|(path, bytes)| ((*path).into(), FileEntry { oid: Oid([0; 20]), bytes: *bytes }))
        .collect()
}

fn bytes(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.content.len()).sum()
}

fn turn(prompt: &str, answer: &str) -> Turn {
    Turn { prompt: prompt.into(), answer: answer.into() }
}

/// An answer that builds something, with these fields of its specification.
fn building(spec: &Value) -> Value {
    json!({ "intent": "code_generation", "complexity": "simple", "confidence": 90, "spec": spec })
}

fn spec_of(answer: &Value) -> Spec {
    let decision = parse(&answer.to_string()).unwrap();
    let Next::Spec(spec) = decision.next else { panic!("{decision:?}") };
    *spec
}

fn error(answer: &Value) -> String {
    parse(&answer.to_string()).unwrap_err().to_string()
}

#[test]
fn the_examples_in_the_instructions_are_answers_that_the_engine_takes() {
    let examples: Vec<Decision> = SYSTEM
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| parse(line).unwrap())
        .collect();
    let intents: Vec<Intent> = examples.iter().map(|decision| decision.intent).collect();
    assert_eq!(intents, [Intent::Conversation, Intent::Ambiguous, Intent::FollowUp]);
    for intent in ["code_generation", "discussion", "review", "explain"] {
        assert!(SYSTEM.contains(&format!("\"{intent}\"")), "{intent} is not explained");
    }
}

#[test]
fn an_answer_to_build_is_its_specification() {
    let answer = json!({
        "intent": "Code-Generation", "complexity": "MODERATE", "confidence": 250, "more": [],
        "response": "", "spec": {
            "overview": " A board.\u{7}\nTwo lines. ", "stack": { "frontend": "HTML", "backend": [] },
            "features": ["Drag", { "name": "Search\tbox", "priority": "high", "extra": 1 }],
            "interface": null,
            "files": ["index.html", { "path": "old.html", "action": "delete", "purpose": "gone" }],
            "constraints": "no server", "risks": ["", "few"],
        },
    });
    let decision = parse(&answer.to_string()).unwrap();
    assert!(decision.needs_call());
    assert_eq!(
        (decision.intent, decision.complexity, decision.confidence),
        (Intent::CodeGeneration, Complexity::Moderate, 100)
    );
    let feature =
        |name: &str, priority| Feature { name: name.into(), description: String::new(), priority };
    let file = |path: &str, action, purpose: &str| PlannedFile {
        path: path.into(),
        action,
        purpose: purpose.into(),
    };
    let expected = Spec {
        overview: "A board.\nTwo lines.".into(),
        stack: Stack { frontend: vec!["HTML".into()], ..Stack::default() },
        features: vec![feature("Drag", Priority::Medium), feature("Search box", Priority::High)],
        interface: String::new(),
        files: vec![
            file("index.html", FileAction::Create, ""),
            file("old.html", FileAction::Delete, "gone"),
        ],
        constraints: vec!["no server".into()],
        acceptance: Vec::new(),
        risks: vec!["few".into()],
    };
    assert_eq!(decision.next, Next::Spec(Box::new(expected)));
}

#[test]
fn a_change_that_does_not_say_what_becomes_of_a_file_changes_it() {
    let answer = json!({
        "intent": "follow_up", "complexity": "simple",
        "spec": { "overview": "x", "files": ["a"], "stack": {} },
    });
    assert_eq!(spec_of(&answer).files[0].action, FileAction::Modify);
}

#[test]
fn words_are_the_whole_answer_but_to_what_needs_the_files() {
    let said = |intent: &str, response: Value| {
        parse(&json!({ "intent": intent, "response": response }).to_string())
    };
    for intent in ["conversation", "discussion", "review", "explain"] {
        let decision = said(intent, json!(" One.\r\nTwo.\u{0} ")).unwrap();
        assert_eq!(decision.next, Next::Reply("One.\nTwo.".into()));
        assert!(!decision.needs_call());
        assert_eq!((decision.complexity, decision.confidence), (Complexity::Simple, 50));
    }
    for intent in ["review", "explain"] {
        let decision = said(intent, Value::Null).unwrap();
        assert_eq!((decision.needs_call(), decision.next), (true, Next::Answer));
    }
    for intent in ["conversation", "discussion"] {
        let missing = HubError::Missing {
            field: "response".into(),
            intent: if intent == "conversation" { "conversation" } else { "discussion" },
        };
        assert_eq!(said(intent, json!(" \u{1b}")), Err(missing));
    }
}

#[test]
fn an_answer_that_asks_has_one_to_three_questions() {
    let asked = |text: &str, questions: Value| {
        parse(
            &json!({ "intent": "ambiguous", "response": text, "questions": questions }).to_string(),
        )
    };
    let question = |text: &str| Question { question: text.into(), ..Question::default() };
    let full = Question {
        question: "Which?".into(),
        context: "It matters.".into(),
        options: vec!["a".into(), "b".into()],
    };
    let questions = json!([{ "question": "Which?", "context": "It\nmatters.", "options": ["a", "", "b"] }, "Why?"]);
    let decision = asked("First:", questions).unwrap();
    assert_eq!(decision.next, Next::Questions("First:".into(), vec![full, question("Why?")]));
    assert!(!decision.needs_call());
    let alone = asked("", json!("Why?")).unwrap();
    assert_eq!(alone.next, Next::Questions("Why?".into(), vec![question("Why?")]));
    for none in [json!([]), json!([" "]), json!([{ "context": "x" }]), Value::Null] {
        assert_eq!(
            asked("x", none).unwrap_err().to_string(),
            "\"questions\" is missing or empty; intent \"ambiguous\" needs it"
        );
    }
    let four = HubError::TooMany { field: "questions".into(), count: 4, most: QUESTIONS_MAX };
    assert_eq!(asked("x", json!(["a", "b", "c", "d"])), Err(four));
}

#[test]
fn what_is_wrong_is_named_such_that_it_can_be_mended() {
    for (answer, expected) in [
        (
            json!({ "intent": "build\u{1b}" }),
            "\"intent\" is \"build\u{fffd}\"; it has to be one of \"code_generation\", \
             \"follow_up\", \"conversation\", \"discussion\", \"review\", \"explain\", \
             \"ambiguous\"",
        ),
        (
            json!({ "intent": "follow_up" }),
            "\"spec\" is missing or empty; intent \"follow_up\" needs it",
        ),
        (building(&json!("x")), "\"spec\" has to be an object"),
        (
            building(&json!({ "files": ["a"] })),
            "\"spec.overview\" is missing or empty; intent \"code_generation\" needs it",
        ),
        (
            building(&json!({ "overview": "x" })),
            "\"spec.files\" is missing or empty; intent \"code_generation\" needs it",
        ),
        (
            building(&json!({ "overview": "x", "features": [{ "description": "y" }] })),
            "\"spec.features[0].name\" is missing or empty; intent \"code_generation\" needs it",
        ),
        (
            building(&json!({ "overview": "x", "files": ["a", { "path": "../b" }] })),
            "\"spec.files[1].path\" is \"../b\": a path has no empty names, no \".\" and no \"..\"",
        ),
        (
            building(&json!({ "overview": "x", "files": [7] })),
            "\"spec.files[0]\" has to be an object",
        ),
        (
            building(&json!({ "overview": "x", "files": ["a"], "risks": [{}] })),
            "\"spec.risks[0]\" has to be a text",
        ),
        (
            building(&json!({ "overview": "x".repeat(5000), "files": ["a"] })),
            "\"spec.overview\" has 5000 bytes; at most 4096 are allowed",
        ),
        (
            json!({ "intent": "follow_up", "spec": { "overview": "x", "files": ["a"] } }),
            "\"complexity\" is \"\"; it has to be one of \"simple\", \"moderate\", \"complex\"",
        ),
    ] {
        assert_eq!(error(&answer), expected);
    }
    let path = HubError::Path {
        field: "spec.files[0]".into(),
        path: "a\u{fffd}b".into(),
        error: PathError::Character,
    };
    let answer = building(&json!({ "overview": "x", "files": ["a\u{0}b"] }));
    assert_eq!(parse(&answer.to_string()), Err(path));
}

#[test]
fn a_specification_is_bounded_as_a_whole() {
    let item = "\"".repeat(500);
    let answer = building(&json!({
        "overview": "x", "files": ["a"], "risks": vec![&item; 20], "constraints": vec![&item; 20],
    }));
    let HubError::LongSpec { bytes } = parse(&answer.to_string()).unwrap_err() else { panic!() };
    assert!(bytes > SPEC_BYTES_MAX);
    let many = building(&json!({ "overview": "x", "features": vec!["f"; 41] }));
    assert_eq!(error(&many), "\"spec.features\" has 41 items; at most 40 are allowed");
    let long = " ".repeat(ANSWER_BYTES_MAX + 1);
    assert_eq!(parse(&long), Err(HubError::TooLong { bytes: long.len() }));
}

#[test]
fn an_object_is_found_wherever_it_stands() {
    let object = json!({ "intent": "conversation", "response": "```{\"intent\": \"review\"}```" });
    let expected = parse(&object.to_string()).unwrap();
    let pretty = serde_json::to_string_pretty(&object).unwrap();
    for text in [
        format!("```json\n{pretty}\n```"),
        format!("<think>Is it {{\"intent\": \"review\"}}? {{No</think>\n\n{pretty}"),
        format!("Here you are: {{ {pretty} }} I hope {{this}} helps!"),
        format!("{{\"decision\": {pretty}}}"),
        format!("[{pretty}, 7]"),
    ] {
        assert_eq!(parse(&text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn what_is_no_object_says_how_far_it_is_from_one() {
    for text in ["", "Hello!", "[1]", "} {"] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, HubError::NoObject | HubError::Unfinished), "{text}: {error}");
    }
    let cut = parse("So: {\"intent\": \"conversation\", \"response\": \"You are wel").unwrap_err();
    assert_eq!(cut, HubError::Unfinished);
    let comma = parse("```\n{\n  \"intent\": \"conversation\",\n}\n``` {").unwrap_err();
    assert_eq!(
        comma.to_string(),
        "the JSON object is malformed: trailing comma at line 3 column 1, counted from its \"{\""
    );
    let nameless = parse("{\"response\": \"Hello\"} {").unwrap_err();
    assert!(nameless.to_string().starts_with("\"intent\" is \"\"; it has to be one of"));
}

#[test]
fn how_sure_an_answer_is_lies_within_percents() {
    let sure = |confidence: Value| {
        let answer = json!({ "intent": "conversation", "response": "x", "confidence": confidence });
        parse(&answer.to_string()).unwrap().confidence
    };
    for (said, read) in [
        (json!(0), 0),
        (json!(1), 1),
        (json!(0.92), 92),
        (json!(1.0), 100),
        (json!(87.4), 87),
        (json!(-3), 0),
        (json!(-0.5), 0),
        (json!(1e300), 100),
        (json!(u64::MAX), 100),
        (json!("high"), 50),
    ] {
        assert_eq!(sure(said.clone()), read, "{said}");
    }
}

#[test]
fn the_hub_is_asked_as_the_contract_says() {
    let files = files(&[("a b.txt", 3), ("index.html", 1200)]);
    let history = [turn("Hi", " "), turn("more", "Done.")];
    let input = HubInput { history: &history, files: &files, request: "Go\nRequest:\nx" };
    let messages = input.build(CONTEXT_BYTES_MAX);
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    let [system, user, assistant] = [Role::System, Role::User, Role::Assistant];
    assert_eq!(roles, [system, user, assistant, user, assistant, user]);
    assert_eq!(
        messages.last().unwrap().content,
        "Current files:\n\"a b.txt\" 3\nindex.html 1200\nRequest:\nGo\nRequest:\nx"
    );
    let asked = Asked::read(&messages).unwrap();
    assert_eq!(asked.request, "Go\nRequest:\nx");
    assert_eq!(asked.files, [("a b.txt".to_owned(), 3), ("index.html".to_owned(), 1200)].into());
    assert_eq!(asked.history[1], history[1]);
    assert_eq!(asked.unusable, None);

    let messages = repair(messages, "{ oops", &HubError::NoObject);
    assert_eq!(messages.len(), 8);
    assert_eq!(
        messages[7].content,
        "Your answer could not be used: there is no JSON object in the answer\n\
         Answer again with the whole JSON object, corrected, and nothing else."
    );
    let again = Asked::read(&messages).unwrap();
    assert_eq!(again.unusable.as_deref(), Some("there is no JSON object in the answer"));
    assert_eq!((again.request, again.history), (asked.request, asked.history));
    assert_eq!(Asked::read(&messages[1..]), None);
    let long = repair(Vec::new(), &"é".repeat(100_000), &HubError::NoObject);
    assert!(bytes(&long) < 25 * 1024);
}

#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let names: Vec<String> = (0..500).map(|n| format!("{n:03}.html")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let files = files(&all);
    let history: Vec<Turn> = (0..100).map(|_| turn("p", &"a".repeat(1000))).collect();
    let input = HubInput { history: &history, files: &files, request: "Go" };
    let least = bytes(&input.build(0));
    for budget in [least, least + 99, least + 1000, least + 4000] {
        let messages = input.build(budget);
        assert!(bytes(&messages) <= budget, "{budget}");
        let asked = Asked::read(&messages).unwrap();
        let left = 500 - asked.files.len();
        let last = &messages.last().unwrap().content;
        assert!(last.contains(&format!("({left} more files are not listed.)")), "{last}");
        assert!(asked.history.len() < 100);
    }
    let none = HubInput { history: &[], files: &Files::new(), request: "Go" }.build(0);
    assert_eq!(none[1].content, "Request:\nGo");
}

#[test]
fn a_plan_is_shown_one_line_an_item() {
    let spec = spec_of(&building(&json!({
        "overview": "A board.\nFor teams.",
        "stack": { "frontend": ["HTML", "CSS"], "ai_services": ["none"] },
        "features": [{ "name": "Drag", "description": "moves cards", "priority": "high" }, "Undo"],
        "interface": "Calm.",
        "files": [{ "path": "a b.html", "purpose": "the page" }, { "path": "x", "action": "delete" }],
        "constraints": ["no server"], "acceptance": ["a card moves"], "risks": [],
    })));
    let plan = "Overview: A board. For teams.\nBuilt with: HTML, CSS\nServices: none\nFeatures:\n\
        - Drag (needed): moves cards\n- Undo\nInterface: Calm.\nFiles:\n\
        - create \"a b.html\": the page\n- delete x\nConstraints:\n- no server\nDone when:\n\
        - a card moves\n";
    assert_eq!(plan_text(&spec), plan);

    let request = planned_request("a board", &spec, " in green ");
    let read = Planned { prompt: "a board", plan, remark: "in green" };
    assert_eq!(Planned::read(&request), Some(read));
    let request = planned_request("a board", &spec, "");
    assert_eq!(Planned::read(&request), Some(Planned { remark: "", ..read }));
    let steered = request + "\n\nlarger";
    assert_eq!(Planned::read(&steered), Some(Planned { remark: "larger", ..read }));
    assert_eq!(Planned::read("a board"), None);
}

#[test]
fn a_plan_that_is_too_long_is_cut_between_lines() {
    let spec = Spec { risks: vec!["x".repeat(1000); 100], ..Spec::default() };
    let plan = plan_text(&spec);
    assert!(plan.len() <= PLAN_BYTES_MAX && plan.len() > PLAN_BYTES_MAX - 1100);
    assert!(plan.ends_with("xx\n(The rest of the plan is left out.)\n"));
}

#[test]
fn questions_are_an_answer_in_words() {
    let questions = [
        Question { question: "Which?".into(), context: "why".into(), options: vec!["a".into()] },
        Question { question: "When?".into(), ..Question::default() },
    ];
    let said = "First:\n1. Which? (why)\n   - a\n2. When?";
    assert_eq!(said_questions("First:", &questions), said);
}

/// Words with what JSON escapes, control characters and other alphabets.
fn words(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof!["[a-z\"\\\\{}é ]{1,12}", Just("\n".to_owned()), Just("\u{7f}".to_owned())],
        0..most,
    )
    .prop_map(|words| words.concat())
}

fn path() -> impl Strategy<Value = String> {
    "[a-c]{1,2}(/[a-c] ?[a-c])?"
}

fn spec() -> impl Strategy<Value = Spec> {
    let list = || prop::collection::vec(words(4), 0..5);
    let feature = (
        words(3),
        words(9),
        prop_oneof![Just(Priority::High), Just(Priority::Low), Just(Priority::Medium)],
    )
        .prop_map(|(name, description, priority)| Feature {
            name: format!("f{name}"),
            description,
            priority,
        });
    let action =
        prop_oneof![Just(FileAction::Create), Just(FileAction::Delete), Just(FileAction::Modify)];
    let file = (path(), action, words(3)).prop_map(|(path, action, purpose)| PlannedFile {
        path,
        action,
        purpose,
    });
    (
        words(9),
        (list(), list(), list()),
        prop::collection::vec(feature, 0..5),
        words(9),
        prop::collection::vec(file, 1..5),
        (list(), list(), list()),
    )
        .prop_map(|(overview, stack, features, interface, files, lists)| Spec {
            overview: format!("o{overview}"),
            stack: Stack { frontend: stack.0, backend: stack.1, ai_services: stack.2 },
            features,
            interface,
            files,
            constraints: lists.0,
            acceptance: lists.1,
            risks: lists.2,
        })
}

/// Text that looks like parts of an answer, but names no intent.
fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("```json\n".to_owned()),
        Just("<think>".to_owned()),
        Just("</think>".to_owned()),
        Just("{\"a\":".to_owned()),
        Just("{\"a\": [\"".to_owned()),
        Just("\\".to_owned()),
        "[{}\\[\\]\":,a 0\n]{0,6}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_answer_makes_the_reader_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                noise(),
                ".{0,9}",
                Just("{\"intent\": \"follow_up\", ".to_owned()),
                Just("\"intent\": \"ambiguous\", \"questions\": [".to_owned()),
                Just("\"spec\": {\"files\": [".to_owned()),
                Just("}".to_owned()),
            ],
            0..12,
        ),
    ) {
        let _ = parse(&pieces.concat());
    }

    #[test]
    fn noise_around_an_answer_makes_no_difference(
        before in noise(), after in noise(), spec in spec(), pretty: bool,
    ) {
        let answer = building(&json!(spec));
        let expected = parse(&answer.to_string());
        let answer = if pretty { format!("{answer:#}") } else { answer.to_string() };
        prop_assert!(expected.is_ok(), "{:?}", expected);
        prop_assert_eq!(parse(&format!("{before}{answer}{after}")), expected);
    }

    #[test]
    fn what_was_read_reads_back_the_same(spec in spec()) {
        let read = spec_of(&building(&json!(spec)));
        prop_assert!(json!(read).to_string().len() <= SPEC_BYTES_MAX);
        prop_assert!(!json!(read).to_string().contains("\\u00"));
        prop_assert_eq!(&spec_of(&building(&json!(read))), &read);
    }

    #[test]
    fn a_plan_s_text_is_bounded_and_whole_for_what_an_answer_may_hold(
        spec in spec(), times in 1..300_usize,
    ) {
        let plan = plan_text(&spec);
        prop_assert!(json!(spec).to_string().len() > SPEC_BYTES_MAX || !plan.contains("left out"));
        let risks = std::iter::repeat_n(spec.overview.clone(), times).collect();
        let long = plan_text(&Spec { risks, ..spec });
        prop_assert!(long.len() <= PLAN_BYTES_MAX);
        for (number, line) in long.lines().enumerate() {
            prop_assert!(number > 0 || line.starts_with("Overview: "));
        }
    }

    #[test]
    fn a_question_to_the_hub_reads_back_as_it_was_asked(
        history in prop::collection::vec((words(5), words(5)), 0..4),
        files in prop::collection::btree_map(path(), 0..u64::MAX, 0..6),
        request in words(9),
        heading: bool,
    ) {
        let history: Vec<Turn> = history.iter().map(|(prompt, answer)| turn(prompt, &format!("a{answer}"))).collect();
        let entries = files.iter().map(|(path, bytes)| (path.clone(), FileEntry { oid: Oid([0; 20]), bytes: *bytes }));
        let request = if heading { format!("Current files:\n{request}\nRequest:\n") } else { request };
        let input = HubInput { history: &history, files: &entries.collect(), request: &request };
        let asked = Asked::read(&input.build(CONTEXT_BYTES_MAX)).unwrap();
        prop_assert_eq!(asked, Asked { history, files, request, unusable: None });
    }
}
