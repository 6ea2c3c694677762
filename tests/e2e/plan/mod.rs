//! Runs that are planned first, on the real server: what is shown, asked, answered and paid.

mod chat;
mod crash;

use crate::{
    crash::harness,
    server::{Model, Script, Site, command, free_port, story, until},
};
use chat::{Chat, answers, asked, ended, intent_of, names, paid, quote_of, spec_of, used};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome, StepName},
    frame::Status,
    method::{Method, RunStart},
    plan::{InputKind, Intent},
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

const PROMPT: &str = "a to-do list called Groceries with due dates";

#[tokio::test]
async fn a_plan_is_shown_before_anything_is_spent_and_built_once_it_is_approved() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;

    let planned = chat.plan(PROMPT).await;
    let from = names(&planned).iter().position(|name| name == "input.user").unwrap();
    assert_eq!(
        names(&planned)[from..],
        [
            "input.user",
            "run.started",
            "step.started",
            "usage",
            "run.classified",
            "run.planned",
            "run.quoted",
            "input.requested",
            "step.finished",
            "run.finished"
        ]
    );
    assert_eq!(intent_of(&planned), Some(Intent::CodeGeneration));
    assert_eq!(asked(&planned), Some((1, InputKind::Plan, Vec::new())));
    assert_eq!(ended(&planned), Some(Outcome::Completed));
    let spec = spec_of(&planned).clone();
    assert!(spec.features.iter().any(|feature| feature.name == "Due dates"), "{spec:?}");
    let (price, hold, approved) = quote_of(&planned);
    assert!(hold > 0 && !approved);
    assert_eq!(chat.credits().await.balance, before, "planning is free");
    let info = chat.info().await;
    assert_eq!((info.status, info.request, info.run), (Status::Waiting, Some(1), None));

    let responded = chat.respond(1, true, "in green").await.unwrap();
    assert!(responded.run.is_some());
    let built = chat.end().await;
    assert!(
        matches!(&built[0], Event::InputResolved { request: 1, answered: true, by: Some(_), text, run, .. }
            if text == "in green" && *run == responded.run),
        "{:?}",
        built[0]
    );
    assert!(matches!(&built[1], Event::InputUser { answers: Some(1), plan: false, .. }));
    assert_eq!(ended(&built), Some(Outcome::Completed));
    assert_eq!(intent_of(&built), None, "it is not planned again");
    let files = chat.socket.files(chat.session, None).await;
    let planned_paths: Vec<&String> = spec.files.iter().map(|file| &file.path).collect();
    let mut paths: Vec<&String> = files.keys().collect();
    paths.sort_by_key(|path| planned_paths.iter().position(|planned| planned == path));
    assert_eq!(paths, planned_paths, "what was planned was written");
    let styles = String::from_utf8_lossy(&files["styles.css"]);
    assert!(styles.contains("--hue: 148;"), "the remark was heeded");
    assert_eq!(paid(&built), Some(price.cost(&used(&built))));
    let after = chat.credits().await.balance;
    assert_eq!(after.available, before.available - paid(&built).unwrap());
    assert_eq!(after.held, 0);
    let info = chat.info().await;
    assert_eq!((info.status, info.request), (Status::Idle, None));
    assert_eq!(answers(&server, "first", "code_generation").await, 1);
}

#[tokio::test]
async fn a_plan_that_reserves_little_goes_on_by_itself_and_the_hub_costs_nothing() {
    let site = Site::new()
        .with("GREENROOM__HUB__PLAN", "true")
        .with("GREENROOM__HUB__AUTO_APPROVE", "1000000000000");
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;

    chat.start(PROMPT, None).await;
    let events = chat.end().await;

    let (price, hold, approved) = quote_of(&events);
    assert!(hold > 0 && approved);
    assert_eq!((asked(&events), ended(&events)), (None, Some(Outcome::Completed)));
    let steps: Vec<StepName> = events
        .iter()
        .filter_map(|event| {
            let Event::StepStarted { name } = event else { return None };
            Some(*name)
        })
        .collect();
    assert_eq!(steps, [StepName::Planning, StepName::Generating, StepName::Applying]);
    let held = names(&events).iter().position(|name| name == "credits.held").unwrap();
    let quoted = names(&events).iter().position(|name| name == "run.quoted").unwrap();
    assert!(quoted < held);
    assert_eq!(paid(&events), Some(price.cost(&used(&events))));
    let after = chat.credits().await.balance;
    assert_eq!(after.available, before.available - paid(&events).unwrap());
    assert_eq!(after.held, 0);
    assert_eq!(chat.socket.files(chat.session, None).await.len(), spec_of(&events).files.len());

    chat.start("add a search box", Some(false)).await;
    let unplanned = chat.end().await;
    assert_eq!(intent_of(&unplanned), None, "a run may say that it is not to be planned");
}

#[tokio::test]
async fn what_is_not_clear_is_asked_and_the_answer_is_planned() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;

    let unclear = chat.plan("make something").await;
    assert_eq!(intent_of(&unclear), Some(Intent::Ambiguous));
    let (request, kind, options) = asked(&unclear).unwrap();
    assert_eq!((request, kind), (1, InputKind::Question));
    assert!(options.len() > 1);
    assert_eq!(ended(&unclear), Some(Outcome::Completed));
    let empty = chat.respond(1, true, "").await.unwrap_err();
    assert_eq!(empty.reason, Reason::BadPrompt);
    assert_eq!(chat.info().await.request, Some(1), "it still waits");

    let quiz = options.iter().find(|option| option.contains("quiz")).unwrap();
    chat.respond(1, true, quiz).await.unwrap();
    let planned = chat.end().await;
    assert_eq!(asked(&planned), Some((2, InputKind::Plan, Vec::new())));
    assert!(spec_of(&planned).overview.starts_with("A quiz"), "{:?}", spec_of(&planned));
    assert_eq!(chat.credits().await.balance, before, "asking and planning are free");

    chat.respond(2, true, "").await.unwrap();
    let built = chat.end().await;
    assert_eq!(ended(&built), Some(Outcome::Completed));
    let page = &chat.socket.files(chat.session, None).await["index.html"];
    assert!(String::from_utf8_lossy(page).contains("Greenroom stand-in (quiz)"));
    assert_eq!(answers(&server, "first", "ambiguous").await, 1);
}

#[tokio::test]
async fn talk_is_answered_without_a_second_call_and_without_credits() {
    const REPLY: &str = r#"{"intent": "conversation", "response": "You are\nwelcome."}"#;
    let model = Model::start(Script::Hub([REPLY, ""])).await;
    let server = Site::new().answered_by(&model.base_url());
    let server = server.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;

    let said = chat.plan("thanks!").await;

    let from = names(&said).iter().position(|name| name == "run.classified").unwrap();
    assert_eq!(
        names(&said)[from..],
        ["run.classified", "text.start", "text.delta", "text.end", "step.finished", "run.finished"]
    );
    let text = said.iter().find_map(|event| event.as_delta().map(|(_, _, text)| text));
    assert_eq!(text, Some("You are\nwelcome."));
    assert_eq!((ended(&said), model.calls()), (Some(Outcome::Completed), 1));
    assert_eq!(chat.credits().await.balance, before);
    assert_eq!(chat.info().await.status, Status::Idle);
}

#[tokio::test]
async fn a_review_that_has_to_see_the_files_is_the_ordinary_call_s() {
    let model = Model::start(Script::Hub([r#"{"intent": "review"}"#, ""])).await;
    let site = Site::new().answered_by(&model.base_url());
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let events = chat.plan("is it any good?").await;
    assert_eq!(intent_of(&events), Some(Intent::Review));
    assert_eq!((ended(&events), model.calls()), (Some(Outcome::Completed), 2));
    assert!(paid(&events).is_some(), "that call is paid");
}

const PLAN: &str = r#"{"intent": "code_generation", "complexity": "simple",
    "spec": {"overview": "A page.", "files": [{"path": "index.html", "action": "create"}]}}"#;

#[tokio::test]
async fn an_answer_of_no_use_is_asked_for_once_more() {
    let broken = "{\"intent\": \"code_generation\", \"spec\": {\"files\": [\"../x\"]}}";
    let model = Model::start(Script::Hub([broken, PLAN])).await;
    let site = Site::new().answered_by(&model.base_url());
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let planned = chat.plan("a page").await;
    assert_eq!(spec_of(&planned).files[0].path, "index.html");
    assert_eq!((asked(&planned).unwrap().1, model.calls()), (InputKind::Plan, 2));
    assert_eq!(answers(&server, "first", "invalid").await, 1);
    assert_eq!(answers(&server, "repair", "code_generation").await, 1);
    chat.respond(1, true, "").await.unwrap();
    assert_eq!(ended(&chat.end().await), Some(Outcome::Completed));
    let files = chat.socket.files(chat.session, None).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["index.html"]);
}

#[tokio::test]
async fn a_hub_that_is_of_no_use_twice_fails_the_run_and_costs_nothing() {
    let model = Model::start(Script::Hub(["Let us talk.", "{\"intent\": \"build\"}"])).await;
    let site = Site::new().answered_by(&model.base_url());
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;
    let failed = chat.plan("a page").await;
    let Some(Event::RunFinished { outcome: Outcome::Failed, error: Some(error), .. }) =
        failed.last()
    else {
        panic!("{failed:?}");
    };
    assert!(error.message.contains("plan"), "{error:?}");
    assert_eq!((model.calls(), asked(&failed)), (2, None));
    assert_eq!(chat.credits().await.balance, before);
    assert_eq!(chat.info().await.status, Status::Idle);
    assert_eq!(answers(&server, "first", "no_object").await, 1);
    assert_eq!(answers(&server, "repair", "invalid").await, 1);
    chat.start("a page", Some(false)).await;
    assert_eq!(ended(&chat.end().await), Some(Outcome::Completed), "without a plan it goes");
}

#[tokio::test]
async fn a_plan_may_be_declined_and_another_prompt_takes_its_place() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;
    let unknown = chat.respond(1, true, "x").await.unwrap_err();
    assert_eq!(unknown.reason, Reason::RequestNotFound);

    chat.plan(PROMPT).await;
    let declined = chat.respond(1, false, "too large").await.unwrap();
    assert_eq!(declined.run, None);
    let is_resolved = |event: &Event| matches!(event, Event::InputResolved { .. });
    let resolved = story(&chat.until(is_resolved).await);
    assert!(
        matches!(resolved.last(), Some(Event::InputResolved { request: 1, answered: false, by: Some(_), run: None, text, .. })
            if text == "too large"),
        "{resolved:?}"
    );
    assert_eq!(chat.info().await.status, Status::Idle);
    let late = chat.respond(1, true, "").await.unwrap_err();
    assert_eq!(late.reason, Reason::RequestNotFound, "it is answered");
    assert_eq!(chat.credits().await.balance, before);

    chat.plan(PROMPT).await;
    assert_eq!(chat.info().await.request, Some(2));
    chat.start("a quiz about rivers", None).await;
    let events = chat.end().await;
    assert_eq!(names(&events)[..3], ["input.user", "input.resolved", "run.started"]);
    assert!(
        matches!(
            events[1],
            Event::InputResolved { request: 2, answered: false, by: None, run: None, .. }
        ),
        "{:?}",
        events[1]
    );
    assert_eq!(ended(&events), Some(Outcome::Completed));
    let dropped = chat.respond(2, true, "").await.unwrap_err();
    assert_eq!(dropped.reason, Reason::RequestNotFound);
}

/// The stand-in provider of the load harness, ended when it is dropped.
struct StandIn {
    port: u16,
    _process: Child,
}

impl StandIn {
    async fn start() -> Self {
        let port = free_port();
        let mut provider = Command::new(harness());
        provider.args(["provider", "--port", &port.to_string()]).kill_on_drop(true);
        let process = provider.spawn().unwrap();
        until("stand-in", async || TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        Self { port, _process: process }
    }

    fn site(&self, model: &str) -> Site {
        let url = format!("http://127.0.0.1:{}/v1", self.port);
        Site::new().answered_by(&url).with("GREENROOM__PROVIDERS__CUSTOM__MODEL", model)
    }
}

#[tokio::test]
async fn the_stand_in_of_the_load_harness_asks_errs_and_plans_just_what_it_writes() {
    let stand_in = StandIn::start().await;
    let site = stand_in.site("app-0-files:ask");
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let (_, kind, options) = asked(&chat.plan("make it").await).unwrap();
    assert_eq!((kind, options.len()), (InputKind::Question, 2));
    chat.respond(1, true, "this one").await.unwrap();
    let planned = chat.end().await;
    let mut expected: Vec<String> =
        spec_of(&planned).files.iter().map(|file| file.path.clone()).collect();
    chat.respond(2, true, "").await.unwrap();
    assert_eq!(ended(&chat.end().await), Some(Outcome::Completed));
    let files = chat.socket.files(chat.session, None).await;
    expected.sort();
    assert!(!expected.is_empty() && files.keys().eq(&expected), "{expected:?}: {files:?}");

    for (model, intent, end) in [
        ("app-0-files:mend", Some(Intent::FollowUp), Outcome::Completed),
        ("app-0-files:talk", Some(Intent::Conversation), Outcome::Completed),
        ("app-0-files:explain", Some(Intent::Explain), Outcome::Completed),
        ("app-0-files:broken", None, Outcome::Failed),
    ] {
        let (input, model) = ("more of it".to_owned(), Some(model.to_owned()));
        let start = RunStart { input, model, plan: Some(true), ..RunStart::default() };
        chat.socket.call(&Method::RunStart(chat.session, command(), start)).await.unwrap();
        let events = chat.end().await;
        assert_eq!((intent_of(&events), ended(&events)), (intent, Some(end)), "{events:?}");
    }
    assert_eq!(answers(&server, "repair", "follow_up").await, 1);
    assert_eq!(answers(&server, "repair", "no_object").await, 1);
}
