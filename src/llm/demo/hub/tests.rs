use super::{super::request::Prompt, *};
use crate::llm::demo::answer;
use greenroom_actors::{
    port::{Message, Role},
    run::{
        hub::{Decision, Next, parse, planned_request, said_questions},
        prompt::Turn,
    },
};
use proptest::prelude::*;

fn asked(request: &str) -> Asked {
    Asked {
        history: Vec::new(),
        files: BTreeMap::new(),
        request: request.to_owned(),
        unusable: None,
    }
}

fn decide(asked: &Asked) -> Decision {
    let text = write(asked);
    parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What it is asked in a project with an app after these turns.
fn later(turns: &[(&str, &str)], request: &str) -> Asked {
    let names = ["README.md", "app.js", "index.html", "styles.css"];
    let turn = |(prompt, answer): &(&str, &str)| Turn {
        prompt: (*prompt).to_owned(),
        answer: (*answer).to_owned(),
    };
    Asked {
        history: turns.iter().map(turn).collect(),
        files: names.map(|name| (name.to_owned(), 1000)).into(),
        ..asked(request)
    }
}

fn spec_of(decision: Decision) -> Spec {
    let Next::Spec(spec) = decision.next else { panic!("{decision:?}") };
    *spec
}

/// The answer of the ordinary call to a request in an empty project.
fn written(earlier: &[&str], request: &str) -> String {
    answer::write(&Prompt {
        tag: Some("abc234".to_owned()),
        earlier: earlier.iter().map(|prompt| (*prompt).to_owned()).collect(),
        request: request.to_owned(),
        ..Prompt::default()
    })
}

#[test]
fn an_app_is_planned_as_it_will_be_written() {
    for request in [
        "A to-do list called Groceries with milk, eggs and bread, due dates and a search box",
        "Make me a dark quiz about volcanoes with a timer",
        "a kanban board with columns Backlog, Doing, Done in green",
        "a weather page for sailors",
    ] {
        let decision = decide(&asked(request));
        assert_eq!(decision.intent, Intent::CodeGeneration);
        let spec = spec_of(decision);
        let written = written(&[], request);
        assert_eq!(spec.files.len(), written.matches("\n@@abc234 write ").count(), "{request}");
        for file in &spec.files {
            assert_eq!(file.action, FileAction::Create);
            assert!(written.contains(&format!("\n@@abc234 write {}\n", file.path)), "{file:?}");
        }
        assert!(spec.features.len() >= 4 && spec.features.len() < 12, "{:?}", spec.features);
    }
    let spec = spec_of(decide(&asked("a to-do list called Groceries with due dates")));
    assert!(spec.overview.starts_with("A to-do list, “Groceries”."), "{}", spec.overview);
    assert!(spec.features.iter().any(|feature| feature.name == "Due dates"), "{spec:?}");
}

#[test]
fn a_plan_makes_no_difference_to_what_is_written_and_a_remark_does() {
    let spec = spec_of(decide(&asked("a to-do list")));
    let request = |remark| {
        let content = format!("Request:\n{}", planned_request("a to-do list", &spec, remark));
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        let system = message(Role::System, "@@abc234 end");
        Prompt::read(&[system, message(Role::User, &content)]).request
    };
    assert_eq!(request(""), "a to-do list");
    assert_eq!(request("in green"), "a to-do list\nin green");
    assert!(written(&[], &request("in green")).contains("--hue: 148;"));
}

#[test]
fn small_talk_is_answered_in_words() {
    for request in ["hi", "Hello there!", "thanks a lot", "Good morning, how are you?"] {
        let decision = decide(&asked(request));
        assert_eq!(decision.intent, Intent::Conversation, "{request}");
        assert!(!decision.needs_call());
        assert_eq!(decide(&later(&[], request)).intent, Intent::Conversation);
    }
}

#[test]
fn what_is_vague_is_asked_about_once() {
    for request in ["make something", "an app", "weather", "Build me a cool website, please!", "…"]
    {
        let decision = decide(&asked(request));
        let Next::Questions(text, questions) = decision.next else { panic!("{request}") };
        let options = &questions[0].options;
        assert!(options.len() > 1);
        for said in options.iter().map(String::as_str).chain(["dark please", "whatever"]) {
            let turn =
                Turn { prompt: request.to_owned(), answer: said_questions(&text, &questions) };
            let after = Asked { history: vec![turn], ..asked(said) };
            let spec = spec_of(decide(&after));
            let written = written(&[request], said);
            let title = spec.overview.split(['“', '”']).nth(1).unwrap();
            assert!(written.contains(&format!("“{title}”")), "{said}: {title}: {written}");
        }
    }
    let quiz = ("a quiz about volcanoes", "Here it is.");
    let decision = decide(&later(&[quiz], "make it nice"));
    let Next::Questions(text, questions) = decision.next else { panic!() };
    let answer = said_questions(&text, &questions);
    for option in &questions[0].options[..2] {
        let decision = decide(&later(&[quiz, ("make it nice", &answer)], option));
        assert_eq!(decision.intent, Intent::FollowUp, "{option}");
    }
    let decision = decide(&later(&[quiz, ("make it nice", &answer)], "no idea"));
    assert_eq!(decision.intent, Intent::Discussion);
}

#[test]
fn a_change_names_the_files_that_it_touches() {
    let todo = ("a todo app", "Here it is.");
    let files = |request: &str| {
        let spec = spec_of(decide(&later(&[todo], request)));
        let files = spec.files.into_iter().map(|file| (file.path, file.action));
        files.collect::<Vec<_>>()
    };
    let modified = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), FileAction::Modify)).collect::<Vec<_>>()
    };
    assert_eq!(files("make it dark"), modified(&["styles.css"]));
    assert_eq!(files("add due dates"), modified(&["README.md", "app.js", "styles.css"]));
    assert_eq!(files("rename it to Errands"), modified(&["README.md", "index.html"]));
    assert_eq!(files("delete README.md"), [("README.md".to_owned(), FileAction::Delete)]);
    assert_eq!(
        files("move app.js to js/app.js"),
        [("app.js".to_owned(), FileAction::Delete), ("js/app.js".to_owned(), FileAction::Create)]
    );
    let other = decide(&later(&[todo], "make a quiz about rivers instead"));
    assert_eq!(other.intent, Intent::CodeGeneration);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_answer_is_one_that_the_engine_takes(
        request in prop_oneof![
            "\\PC{0,60}",
            "(make|add|remove|move|a quiz about|a list with|columns) [a-z./\" ]{0,30}(app.js|dark)?",
        ],
        prompts in prop::collection::vec("[a-z ]{0,20}", 0..3),
        has_files: bool,
    ) {
        let turns: Vec<(&str, &str)> =
            prompts.iter().map(|prompt| (prompt.as_str(), WHICH_APP)).collect();
        let mut asked = later(&turns, &request);
        if !has_files {
            asked.files.clear();
        }
        decide(&asked);
    }
}
