//! What runs pay, on a store and a provider that the test plays. A token costs one micro-credit.

use super::bench::{Bench, Client, OTHER, SESSION, USER, cid};
use crate::{
    CreditConfig, CreditTerms, EngineConfig, Prices,
    fake::FakeStore,
    port::{Delta, ProviderErrorKind},
    run::prompt::Parsed,
};
use greenroom_protocol::{
    credits::{CreditsInfo, Ending, Grant, Kind, Quote, Transaction, TransactionPage},
    error::Reason,
    event::{Event, Outcome, Usage, UsageSource},
    frame::{Ev, ServerFrame},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

const SIGN_UP: u64 = 1_000_000;

fn terms() -> CreditTerms {
    CreditTerms {
        hold_ttl_ms: 60_000,
        sign_up_grant: SIGN_UP,
        monthly_grant: 0,
        held_share: 80,
        prior_output_tokens: 1000,
        ..CreditTerms::default()
    }
}

async fn bench(terms: CreditTerms) -> Bench {
    let prices = Prices::read(&["* 1000000 1000000"]).unwrap();
    let credits = Some(CreditConfig { terms, prices });
    let config = EngineConfig { credits, ..EngineConfig::default() };
    Bench::on(Arc::new(FakeStore::new()), config).await
}

fn used(input_tokens: u64, output_tokens: u64) -> Delta {
    let source = UsageSource::Provider;
    Delta::Usage(Usage { input_tokens, output_tokens, source, ..Usage::default() })
}

async fn credits(client: &mut Client) -> CreditsInfo {
    let info = client.call("credits.get", cid(0), json!({})).await.unwrap();
    serde_json::from_value(info).unwrap()
}

async fn transactions(client: &mut Client) -> Vec<Transaction> {
    let page = client.call("credits.history", cid(0), json!({})).await.unwrap();
    serde_json::from_value::<TransactionPage>(page).unwrap().items
}

fn kinds(transactions: &[Transaction]) -> Vec<Kind> {
    transactions.iter().rev().map(|transaction| transaction.kind).collect()
}

/// What a run said of its payment, and that this was its last word but one.
fn settled(entries: &[Ev]) -> (u64, u64, Ending) {
    let [.., settled, end] = entries else { panic!("{entries:?}") };
    assert!(matches!(end.event, Event::RunFinished { .. }));
    match &settled.event {
        Event::CreditsSettled { paid, cost, rule, .. } => (*paid, *cost, rule.ending),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_reserves_before_its_call_and_pays_what_it_used() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let mut other = bench.client(USER).await;
    let during = credits(&mut other).await;
    assert!(during.balance.held >= 1000, "{during:?}");
    assert_eq!(during.balance.available + during.balance.held, SIGN_UP);
    assert_eq!(during.holds[0].session, SESSION);

    call.text("hello").await;
    call.send(Ok(used(100, 50))).await;
    call.finish().await;
    let (entries, outcome, _) = client.until_finished().await;

    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(settled(&entries), (150, 150, Ending::Completed));
    let held = entries.iter().position(|e| matches!(e.event, Event::CreditsHeld { .. }));
    let text = entries.iter().position(|e| matches!(e.event, Event::TextDelta { .. }));
    assert!(held.unwrap() < text.unwrap());
    let after = credits(&mut client).await;
    assert_eq!((after.balance.available, after.balance.held), (SIGN_UP - 150, 0));
    assert_eq!(after.month_spent, 150);
    let transactions = transactions(&mut client).await;
    assert_eq!(kinds(&transactions), [Kind::Grant, Kind::Hold, Kind::Settle]);
    let rule = transactions[0].rule.unwrap();
    assert_eq!((rule.version, rule.ending), (1, Ending::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_changed_balance_reaches_all_sockets_of_its_user_and_no_others() {
    let mut bench = bench(terms()).await;
    let (mut second, mut stranger) = (bench.client(USER).await, bench.client(OTHER).await);
    let mut client = bench.attached().await;
    bench.turn(&mut client, 2, &["hello"]).await;

    let balance = |frames: Vec<ServerFrame>| {
        frames.into_iter().rev().find_map(|frame| match frame {
            ServerFrame::Balance(balance) => Some(balance),
            _ => None,
        })
    };
    let shown = balance(second.frames().await).unwrap();
    assert_eq!(shown, credits(&mut client).await.balance);
    assert_eq!(balance(stranger.frames().await), None);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_paid_is_refused_before_its_call() {
    let mut bench = bench(CreditTerms { sign_up_grant: 500, ..terms() }).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();

    let (entries, outcome, error) = client.until_finished().await;

    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::InsufficientCredits));
    assert!(!entries.iter().any(|entry| matches!(entry.event, Event::RunStarted { .. })));
    assert!(bench.calls.try_next().is_none(), "the provider was never called");
    assert_eq!(credits(&mut client).await.balance.available, 500);
}

#[tokio::test(start_paused = true)]
async fn who_pays_depends_on_how_a_run_ends() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;

    client.start(2, "fails at once, and once more").await.unwrap();
    for _ in 0..2 {
        bench.calls.next().await.unwrap().fail(ProviderErrorKind::Failed).await;
    }
    let (entries, ..) = client.until_finished().await;
    assert_eq!(settled(&entries), (0, 0, Ending::NoContent), "a call that brought nothing");

    client.start(3, "breaks off").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("half a").await;
    call.send(Ok(used(70, 30))).await;
    call.fail(ProviderErrorKind::Broken).await;
    let (entries, ..) = client.until_finished().await;
    assert_eq!(settled(&entries), (0, 100, Ending::BrokenOff), "written off");

    let run = client.start(4, "is cancelled").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("12345678").await;
    client.until_delta("12345678").await;
    client.call("run.cancel", cid(5), json!({ "run": run })).await.unwrap();
    let mut reader = bench.reader().await;
    for _ in 0..2 {
        reader.until_finished().await;
    }
    let (entries, outcome, _) = reader.until_finished().await;
    assert_eq!(outcome, Outcome::Cancelled);
    let (paid, cost, ending) = settled(&entries);
    assert_eq!((paid, ending), (cost, Ending::Cancelled));
    assert!(paid > 2, "the prompt and two tokens");
    assert_eq!(credits(&mut client).await.balance.available, SIGN_UP - paid);
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_the_hold_is_renewed_and_the_last_attempt_is_paid() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("lost").await;
    client.until_delta("lost").await;
    sleep(Duration::from_secs(30)).await;

    let mut bench = bench.restart().await;
    let mut call = bench.calls.next().await.unwrap();
    let mut client = bench.reader().await;
    call.text("kept").await;
    call.send(Ok(used(10, 20))).await;
    call.finish().await;
    let (entries, outcome, _) = client.until_finished().await;

    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(settled(&entries), (30, 30, Ending::Completed));
    let transactions = transactions(&mut client).await;
    assert_eq!(kinds(&transactions), [Kind::Grant, Kind::Hold, Kind::Settle]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_hold_expired_in_a_crash_ends_and_costs_nothing() {
    let bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    client.entries_until(|event| matches!(event, Event::StepStarted { .. })).await;
    bench.engine.kill();
    sleep(Duration::from_secs(100)).await;

    let mut bench = bench.restart().await;
    let mut client = bench.reader().await;
    let (entries, outcome, error) = client.until_finished().await;

    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::HoldExpired));
    assert_eq!(settled(&entries), (0, 0, Ending::Expired));
    assert!(bench.calls.try_next().is_none(), "no second call");
    let after = credits(&mut client).await;
    assert_eq!((after.balance.available, after.balance.held), (SIGN_UP, 0));
    assert_eq!(kinds(&transactions(&mut client).await), [Kind::Grant, Kind::Hold, Kind::Void]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_lost_too_often_is_free_and_gives_back_what_it_reserved() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    for _ in 0..3 {
        let mut call = bench.calls.next().await.unwrap();
        call.text("lost").await;
        sleep(Duration::from_secs(1)).await;
        bench = bench.restart().await;
    }
    let mut client = bench.reader().await;
    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::OwnerLost));
    assert_eq!(settled(&entries), (0, 0, Ending::EngineFault));
    assert_eq!(credits(&mut client).await.balance.available, SIGN_UP);
}

#[tokio::test(start_paused = true)]
async fn a_long_run_renews_its_hold() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    for _ in 0..10 {
        call.text("word ").await;
        sleep(Duration::from_secs(30)).await;
    }
    call.send(Ok(used(10, 20))).await;
    call.finish().await;
    let (entries, ..) = bench.reader().await.until_finished().await;
    assert_eq!(settled(&entries), (30, 30, Ending::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_the_ledger_charges_nobody_twice() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    bench.store.lose_ledger_replies(1);
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    bench.store.lose_ledger_replies(1);
    call.send(Ok(used(10, 20))).await;
    call.finish().await;
    let (entries, ..) = client.until_finished().await;

    assert_eq!(settled(&entries), (30, 30, Ending::Completed));
    let transactions = transactions(&mut client).await;
    assert_eq!(kinds(&transactions), [Kind::Grant, Kind::Hold, Kind::Settle]);
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_with_its_end_until_the_ledger_takes_its_payment() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    bench.store.fail_ledger_appends(20);
    call.send(Ok(used(10, 20))).await;
    call.finish().await;
    let (entries, ..) = client.until_finished().await;
    assert_eq!(settled(&entries), (30, 30, Ending::Completed));
}

#[tokio::test(start_paused = true)]
async fn without_a_ledger_no_call_is_made() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    bench.store.fail_ledger_appends(1000);
    client.start(2, "talk").await.unwrap();
    let (_, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::StoreUnavailable));
    assert!(bench.calls.try_next().is_none(), "the provider was never called");
}

#[tokio::test(start_paused = true)]
async fn a_session_spends_no_more_than_its_budget() {
    let mut bench = bench(CreditTerms { session_budget: 2500, ..terms() }).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.send(Ok(used(1000, 4000))).await;
    call.finish().await;
    let (entries, ..) = client.until_finished().await;
    assert_eq!(settled(&entries), (2500, 5000, Ending::Completed), "the rest is written off");

    client.start(3, "more").await.unwrap();
    let (_, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::BudgetExceeded));
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_reserves_more_ahead_of_what_it_costs() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    for _ in 0..10 {
        call.text(&"word ".repeat(800)).await; // a thousand tokens
        sleep(Duration::from_millis(100)).await;
    }
    let held = credits(&mut bench.client(USER).await).await.balance.held;
    assert!(held > 10_000, "{held}");
    call.send(Ok(used(1000, 10_000))).await;
    call.finish().await;
    let (entries, ..) = client.until_finished().await;
    assert_eq!(settled(&entries), (11_000, 11_000, Ending::Completed));
    assert!(kinds(&transactions(&mut client).await).contains(&Kind::TopUp));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_may_not_cost_more_ends_at_a_file_and_what_is_complete_is_kept() {
    let mut bench = bench(CreditTerms { sign_up_grant: 6000, ..terms() }).await;
    let mut client = bench.attached().await;
    client.start(2, "many files").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    let (content, mut sent) = ("word ".repeat(400), 0);
    loop {
        let file = format!("@@{tag} write {sent}.txt\n{content}\n@@{tag} end\n");
        if !call.text(&file).await {
            break; // the call was closed
        }
        sent += 1;
        assert!(sent < 100, "it goes on without an end");
        sleep(Duration::from_millis(100)).await;
    }
    let (entries, outcome, error) = client.until_finished().await;

    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::InsufficientCredits));
    let (paid, cost, ending) = settled(&entries);
    assert_eq!(ending, Ending::Paused);
    assert!(paid <= 6000 && paid <= cost, "{paid} of {cost}");
    let is_cut = |entry: &Ev| matches!(entry.event, Event::FileEnd { complete: false, .. });
    assert!(!entries.iter().any(is_cut));
    let kept = entries.iter().find_map(|entry| match entry.event {
        Event::FilesCommitted { added, .. } => Some(added),
        _ => None,
    });
    assert!(kept.is_some_and(|kept| kept > 0 && kept <= sent), "{kept:?} of {sent}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_by_hand_has_one_effect_and_lapses_by_itself() {
    let bench = bench(terms()).await;
    let grant = Grant { priority: 1, expires_at: Some(1_090_000) };
    for _ in 0..2 {
        let given =
            bench.engine.grant_credits(USER, "order-7", 400, (grant.clone(), String::new()));
        assert_eq!(given.await.unwrap().balance.available, SIGN_UP + 400);
    }
    let other = bench.engine.grant_credits(USER, "order-7", 500, (grant, String::new())).await;
    assert_eq!(other.unwrap_err().reason, Reason::IdempotencyConflict);

    sleep(Duration::from_secs(200)).await; // nobody asks: the keeper sees to it
    let transactions = transactions(&mut bench.client(USER).await).await;
    assert_eq!(kinds(&transactions), [Kind::Grant, Kind::Grant, Kind::Lapse]);
    assert_eq!(transactions[0].available, SIGN_UP);
}

#[tokio::test(start_paused = true)]
async fn a_quote_says_what_a_run_would_reserve() {
    let mut bench = bench(terms()).await;
    let mut client = bench.attached().await;
    let asked = json!({ "input": "talk" });
    let quote = client.call("credits.quote", cid(0), asked).await.unwrap();
    let quote: Quote = serde_json::from_value(quote).unwrap();
    client.start(2, "talk").await.unwrap();
    let call = bench.calls.next().await.unwrap();

    let held = credits(&mut client).await.balance.held;
    assert_eq!((quote.hold, quote.sufficient), (held, true));
    assert_eq!(quote.output_tokens_p90, 1000);
    assert_eq!(quote.hold, quote.input_tokens + 1000);
    assert!(quote.policy.iter().any(|row| row.rule.ending == Ending::Cancelled));
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_credits_says_so() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    let refused = client.call("credits.get", cid(0), json!({})).await.unwrap_err();
    assert_eq!(refused.reason, Reason::UnknownMethod);
}
