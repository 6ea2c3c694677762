//! Plans, questions and steering over REST.

use crate::server::{
    ASKS, GREETING, Model, PLANS, Reply, Script, Server, Site, User, command, is_end,
};
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::Entry,
    id::{RunId, SessionId},
};
use serde_json::{Value, json};

struct Bed {
    site: Site,
    server: Server,
    user: User,
    session: SessionId,
    _model: Model,
}

impl Bed {
    /// A session whose first run has planned, or asked.
    async fn new(script: Script) -> Self {
        let model = Model::start(script).await;
        let site = Site::new().answered_by(&model.base_url());
        let server = site.start().await;
        let user = server.register("ada").await;
        let session = server.create(&user).await;
        let ask = server.rest("POST", &format!("/sessions/{session}/runs")).by(&user);
        let started = ask.json(&json!({ "input": "a greeting", "plan": true })).send().await;
        assert_eq!(started.status, 202, "{started:?}");
        server.poll_until(&user, session, |entry| is_end(&entry.event)).await;
        Self { site, server, user, session, _model: model }
    }

    async fn respond(&self, request: &str, key: &str, body: &Value) -> Reply {
        let path = format!("/sessions/{}/requests/{request}/respond", self.session);
        let ask = self.server.rest("POST", &path).by(&self.user);
        ask.header("idempotency-key", key).json(body).send().await
    }

    async fn view(&self) -> Value {
        self.server.get(&self.user, &format!("/sessions/{}", self.session)).await
    }

    /// Polls until a run has ended.
    async fn end_of(&self, run: &Value) -> Vec<Entry> {
        let wanted: RunId = run.as_str().unwrap().parse().unwrap();
        let ends =
            |entry: &Entry| matches!(entry.event, Event::RunFinished { run, .. } if run == wanted);
        self.server.poll_until(&self.user, self.session, ends).await
    }
}

#[tokio::test]
async fn a_plan_waits_across_a_crash_and_is_approved_once() {
    let mut bed = Bed::new(PLANS).await;
    bed.server.kill().await;
    bed.server = bed.site.start().await;
    let view = bed.view().await;
    assert_eq!((&view["status"], &view["request"]), (&json!("waiting"), &json!(1)), "{view}");
    assert!(bed.server.files(&bed.user, bed.session).await.is_empty());

    let (key, yes) = (command().to_string(), json!({ "accept": true }));
    let answered = bed.respond("1", &key, &yes).await;
    let run = answered.with(202)["run"].clone();
    let again = bed.respond("1", &key, &yes).await;
    assert_eq!((&again.with(202)["run"], again.header("idempotency-replayed")), (&run, "true"));
    let late = bed.respond("1", &command().to_string(), &yes).await;
    assert_eq!(late.problem(), (404, "request_not_found".to_owned()));
    let other = bed.respond("1", &key, &json!({ "accept": false })).await;
    assert_eq!(other.problem(), (422, "idempotency_conflict".to_owned()));

    bed.end_of(&run).await;
    let files = bed.server.files(&bed.user, bed.session).await;
    assert_eq!(files["index.html"], GREETING.as_bytes());
    assert_eq!(bed.view().await["status"], "idle");
}

#[tokio::test]
async fn a_plan_that_is_declined_builds_nothing() {
    let bed = Bed::new(PLANS).await;
    let no = bed.respond("1", &command().to_string(), &json!({ "accept": false })).await;
    assert_eq!(no.with(202).get("run"), None);
    let view = bed.view().await;
    assert_eq!((&view["status"], view.get("request")), (&json!("idle"), None));
    assert!(bed.server.files(&bed.user, bed.session).await.is_empty());
}

#[tokio::test]
async fn questions_are_answered_with_words() {
    let bed = Bed::new(ASKS).await;
    let say = |request: &'static str, text: &'static str| {
        let (bed, body) = (&bed, json!({ "accept": true, "text": text }));
        async move { bed.respond(request, &command().to_string(), &body).await }
    };
    assert_eq!(say("1", " ").await.problem(), (400, "bad_prompt".to_owned()));
    for unknown in ["2", "0", "-1", "one"] {
        let refused = say(unknown, "a cat").await;
        assert_eq!(refused.problem(), (404, "request_not_found".to_owned()), "{unknown}");
    }
    let planned = say("1", "a cat").await.with(202)["run"].clone();
    bed.end_of(&planned).await;
    assert_eq!(bed.view().await["request"], 2, "the plan waits next");
    let built = say("2", "").await.with(202)["run"].clone();
    bed.end_of(&built).await;
    assert!(bed.server.files(&bed.user, bed.session).await.contains_key("index.html"));
}

#[tokio::test]
async fn a_run_is_steered_and_one_that_is_not_under_way_is_not() {
    let site = Site::new().paced(200);
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    let run = server.start_run(&user, session, "a todo app").await["run"].clone();
    let steer = |input: &'static str| {
        let path = format!("/sessions/{session}/runs/{}/steer", run.as_str().unwrap());
        server.rest("POST", &path).by(&user).json(&json!({ "input": input })).send()
    };
    let writes = |entry: &Entry| matches!(entry.event, Event::FileStart { .. });
    server.poll_until(&user, session, writes).await;
    let said = steer("make it green").await.with(202);
    assert_ne!(said["run"], run);
    let whole: RunId = run.as_str().unwrap().parse().unwrap();
    let ends =
        |entry: &Entry| matches!(entry.event, Event::RunFinished { run, .. } if run == whole);
    let all = server.poll_until(&user, session, ends).await;
    let outcome = |of: &Value| {
        let of: RunId = of.as_str().unwrap().parse().unwrap();
        all.iter().find_map(|entry| {
            let Event::RunFinished { run, outcome, .. } = &entry.event else { return None };
            (*run == of).then_some(*outcome)
        })
    };
    assert_eq!(outcome(&said["run"]), Some(Outcome::Steered));
    assert_eq!(outcome(&run), Some(Outcome::Completed));
    assert_eq!(steer("too late").await.problem(), (409, "run_not_found".to_owned()));
    assert_eq!(steer(" ").await.problem(), (400, "bad_prompt".to_owned()));
}
