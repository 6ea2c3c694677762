//! Requests that are planned before anything is spent. A token costs one micro-credit.

use super::bench::{Bench, Client, USER, cid, text_of};
use crate::{
    CreditConfig, CreditTerms, EngineConfig, HubTerms, Prices,
    fake::{Call, FakeStore},
    run::{hub::Asked, prompt::Parsed},
};
use greenroom_protocol::{
    credits::Grant,
    error::{ErrorBody, Reason},
    event::{Event, Outcome},
    frame::{Ev, Status},
    method::{InputResponded, SessionInfo},
    plan::{InputKind, Intent},
};
use serde_json::{Value, json};
use std::sync::Arc;

const SIGN_UP: u64 = 1_000_000;

async fn bench(sign_up_grant: u64, auto_approve: u64) -> Bench {
    let terms = CreditTerms {
        hold_ttl_ms: 60_000,
        sign_up_grant,
        monthly_grant: 0,
        held_share: 80,
        prior_output_tokens: 1000,
        ..CreditTerms::default()
    };
    let prices = Prices::read(&["* 1000000 1000000"]).unwrap();
    let config = EngineConfig {
        credits: Some(CreditConfig { terms, prices }),
        hub: HubTerms { plan: true, auto_approve, model: None },
        ..EngineConfig::default()
    };
    Bench::on(Arc::new(FakeStore::new()), config).await
}

fn spec() -> Value {
    json!({
        "intent": "code_generation", "complexity": "simple", "confidence": 90,
        "spec": {"overview": "A page in green.", "files": [{"path": "index.html"}],
            "features": [{"name": "Green"}]}
    })
}

fn questions() -> Value {
    json!({
        "intent": "ambiguous", "complexity": "simple", "confidence": 20, "response": "A page?",
        "questions": [{"question": "Which colour?", "options": ["green", "red"]}]
    })
}

async fn answers(mut call: Call, answer: &str) {
    call.text(answer).await;
    call.finish().await;
}

async fn writes(mut call: Call) {
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    call.text(&format!("@@{tag} write index.html\n<p>\n@@{tag} end\n")).await;
    call.finish().await;
}

fn asked(call: &Call) -> Asked {
    Asked::read(&call.request.messages).unwrap()
}

fn request(call: &Call) -> String {
    Parsed::read(&call.request.messages).unwrap().request
}

async fn respond(
    client: &mut Client,
    n: u128,
    (request, accept, text): (u32, bool, &str),
) -> Result<InputResponded, ErrorBody> {
    let params = json!({ "request": request, "accept": accept, "text": text });
    let result = client.call("input.respond", cid(n), params).await?;
    Ok(serde_json::from_value(result).unwrap())
}

async fn info(client: &mut Client) -> SessionInfo {
    let info = client.call("session.get", cid(0), json!({})).await.unwrap();
    serde_json::from_value(info).unwrap()
}

/// The kinds of what a run says besides its words, in order.
fn kinds(entries: &[Ev]) -> Vec<&'static str> {
    let kind = |entry: &Ev| match &entry.event {
        Event::RunStarted { .. } => "started",
        Event::RunClassified { .. } => "classified",
        Event::RunPlanned { .. } => "planned",
        Event::RunQuoted { .. } => "quoted",
        Event::InputRequested { .. } => "requested",
        Event::CreditsHeld { .. } => "held",
        Event::CreditsSettled { .. } => "settled",
        Event::FilesCommitted { .. } => "committed",
        Event::RunFinished { .. } => "finished",
        _ => "",
    };
    entries.iter().map(kind).filter(|kind| !kind.is_empty()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_shown_with_its_cost_and_built_once_it_is_approved() {
    let mut bench = bench(SIGN_UP, 0).await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    let call = bench.calls.next().await.unwrap();
    assert_eq!(asked(&call).request, "a page");
    answers(call, &spec().to_string()).await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
    let shown = ["started", "classified", "planned", "quoted", "requested", "finished"];
    assert_eq!(kinds(&entries), shown, "nothing is reserved");
    let waits = info(&mut client).await;
    assert_eq!((waits.status, waits.request), (Status::Waiting, Some(1)));

    bench.asleep().await;
    let mut client = bench.reader().await;
    client.until_finished().await;
    let waits = info(&mut client).await;
    assert_eq!((waits.status, waits.request), (Status::Waiting, Some(1)), "it slept meanwhile");
    let run = respond(&mut client, 3, (1, true, "with a footer")).await.unwrap().run;
    let call = bench.calls.next().await.unwrap();
    let built = request(&call);
    assert!(built.starts_with("a page\n\n") && built.ends_with("with a footer"), "{built}");
    assert!(built.contains("A page in green."), "{built}");
    writes(call).await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
    let built = ["started", "held", "committed", "settled", "finished"];
    assert_eq!(kinds(&entries), built);
    let again = respond(&mut client, 3, (1, true, "with a footer")).await.unwrap();
    assert_eq!(again.run, run, "one effect");
    let gone = respond(&mut client, 4, (1, true, "")).await.unwrap_err();
    assert_eq!(gone.reason, Reason::RequestNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_costs_little_goes_on_by_itself() {
    let mut bench = bench(SIGN_UP, 100_000).await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    answers(bench.calls.next().await.unwrap(), &spec().to_string()).await;
    let call = bench.calls.next().await.unwrap();
    assert!(request(&call).contains("A page in green."));
    writes(call).await;
    let (entries, ..) = client.until_finished().await;
    let all =
        ["started", "classified", "planned", "quoted", "held", "committed", "settled", "finished"];
    assert_eq!(kinds(&entries), all);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_clear_is_asked_and_costs_nothing() {
    let mut bench = bench(SIGN_UP, 100_000).await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    answers(bench.calls.next().await.unwrap(), &questions().to_string()).await;
    let (entries, ..) = client.until_finished().await;
    let asks = entries.iter().any(|entry| {
        matches!(&entry.event, Event::InputRequested { kind: InputKind::Question, questions, .. }
            if questions[0].options == ["green", "red"])
    });
    assert!(asks, "{entries:?}");
    assert_eq!(kinds(&entries), ["started", "classified", "requested", "finished"]);

    let error = respond(&mut client, 3, (1, true, "")).await.unwrap_err();
    assert_eq!(error.reason, Reason::BadPrompt);
    respond(&mut client, 4, (1, true, "green")).await.unwrap();
    let call = bench.calls.next().await.unwrap();
    let asked = asked(&call);
    assert_eq!(asked.request, "a page\n\ngreen");
    assert!(asked.history[0].answer.contains("Which colour?"));
    answers(call, &spec().to_string()).await;
    writes(bench.calls.next().await.unwrap()).await;
    assert_eq!(client.until_finished().await.1, Outcome::Completed);
}

#[tokio::test(start_paused = true)]
async fn talk_takes_one_call_and_costs_nothing() {
    let mut bench = bench(SIGN_UP, 0).await;
    let mut client = bench.attached().await;
    client.start(2, "hi").await.unwrap();
    let hi = json!({"intent": "conversation", "response": "Hello! What shall we build?"});
    answers(bench.calls.next().await.unwrap(), &hi.to_string()).await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(
        (text_of(&entries).as_str(), outcome),
        ("Hello! What shall we build?", Outcome::Completed)
    );
    assert_eq!(kinds(&entries), ["started", "classified", "finished"]);
    assert!(bench.calls.try_next().is_none());
    let classified = entries.iter().find_map(|entry| match entry.event {
        Event::RunClassified { intent, .. } => Some(intent),
        _ => None,
    });
    assert_eq!(classified, Some(Intent::Conversation));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_makes_no_sense_is_mended_once() {
    let mut bench = bench(SIGN_UP, 100_000).await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    answers(bench.calls.next().await.unwrap(), "{\"intent\": \"dance\"}").await;
    let call = bench.calls.next().await.unwrap();
    assert!(asked(&call).unusable.unwrap().contains("intent"));
    answers(call, &spec().to_string()).await;
    writes(bench.calls.next().await.unwrap()).await;
    assert_eq!(client.until_finished().await.1, Outcome::Completed);

    client.start(3, "another").await.unwrap();
    for _ in 0..2 {
        answers(bench.calls.next().await.unwrap(), "no idea").await;
    }
    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::ProviderBroken));
    assert_eq!(kinds(&entries), ["started", "finished"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_plans_again_what_was_not_planned_and_builds_what_was() {
    let mut bench = bench(SIGN_UP, 100_000).await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    let _lost = bench.calls.next().await.unwrap();
    let mut bench = bench.restart().await;
    answers(bench.calls.next().await.unwrap(), &spec().to_string()).await;
    let call = bench.calls.next().await.unwrap();
    assert!(request(&call).contains("A page in green."));
    drop(call);
    let mut bench = bench.restart().await;
    let call = bench.calls.next().await.unwrap();
    assert!(request(&call).contains("A page in green."), "the plan is in the log");
    writes(call).await;
    let (entries, outcome, _) = bench.reader().await.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(kinds(&entries).iter().filter(|kind| **kind == "planned").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_credits_did_not_suffice_for_goes_on_after_an_approval() {
    let mut bench = bench(6000, 0).await;
    let mut client = bench.attached().await;
    let start = json!({ "input": "many files", "plan": false });
    client.call("run.start", cid(2), start).await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    for n in 0..100 {
        let content = "word ".repeat(400);
        if !call.text(&format!("@@{tag} write {n}.txt\n{content}\n@@{tag} end\n")).await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::InsufficientCredits));
    assert!(kinds(&entries).ends_with(&["committed", "requested", "settled", "finished"]));

    respond(&mut client, 3, (1, true, "")).await.unwrap();
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Failed, "there are still too few");
    assert_eq!(kinds(&entries), ["requested", "finished"], "it asks again");
    let grant = Grant { priority: 1, expires_at: None };
    bench.engine.grant_credits(USER, "order", 100_000, (grant, String::new())).await.unwrap();
    respond(&mut client, 4, (2, true, "")).await.unwrap();
    let call = bench.calls.next().await.unwrap();
    let asked = Parsed::read(&call.request.messages).unwrap();
    assert!(asked.request.starts_with("many files\n\n"), "{}", asked.request);
    assert!(asked.request.contains("write the rest"), "{}", asked.request);
    assert!(asked.files.contains_key("0.txt"));
    writes(call).await;
    assert_eq!(client.until_finished().await.1, Outcome::Completed);
}
