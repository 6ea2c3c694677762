//! Requests for input, and runs that another one took up.

use super::*;
use greenroom_protocol::{
    credits::{Balance, CreditsInfo},
    event::{StepName, Usage},
    plan::InputKind,
};

/// A run that plans, asks for approval and ends; nothing is written.
fn asking(writer: &mut Writer, n: u128, text: &str, request: u32) {
    writer.accept(n, text);
    writer.start(n);
    writer.add(Event::StepStarted { name: StepName::Planning });
    writer.call(n, text, &Tree::new(), &[], End::Done);
    let (run, kind) = (run_id(n), InputKind::Plan);
    let (text, questions) = ("Shall I?".into(), Vec::new());
    writer.add(Event::InputRequested { request, run, kind, text, questions });
    writer.add(Event::StepFinished { name: StepName::Planning });
    writer.finish(n, Outcome::Completed, None);
}

fn resolve(writer: &mut Writer, request: u32, run: Option<RunId>) {
    let (answered, text) = (run.is_some(), String::new());
    writer.add(Event::InputResolved { request, answered, by: None, cid: None, text, run });
}

#[test]
fn a_request_that_is_answered_dropped_or_left_open_passes() {
    let mut writer = Writer::new();
    asking(&mut writer, 1, "a shop", 1);
    writer.accept(5, "another shop");
    resolve(&mut writer, 1, None);
    writer.start(5);
    writer.add(Event::StepStarted { name: StepName::Planning });
    writer.call(5, "another shop", &Tree::new(), &[], End::Done);
    writer.finish(5, Outcome::Completed, None);
    asking(&mut writer, 2, "a page", 2);
    resolve(&mut writer, 2, Some(run_id(3)));
    writer.say(3, "blue", None, Some(2));
    writer.start(3);
    let steps = app::plan(SEED, "blue", &Tree::new());
    writer.call(3, "blue", &Tree::new(), &steps, End::Done);
    writer.answer(&steps);
    writer.commit(3, &steps);
    writer.finish(3, Outcome::Completed, None);
    asking(&mut writer, 4, "a quiz", 3);
    writer.calls.last_mut().unwrap().app = None;
    assert_eq!(check(&writer.history()), []);
}

#[test]
fn a_plan_is_free_and_what_is_generated_is_not() {
    let history = |step| {
        let mut writer = Writer::new();
        asking(&mut writer, 1, "a shop", 1);
        let usage = Usage { input_tokens: 9, ..Usage::default() };
        let end = writer.log.pop().unwrap();
        writer.add(Event::StepStarted { name: step });
        writer.add(Event::Usage { run: run_id(1), usage });
        writer.add(end.event);
        let mut history = writer.history();
        let info = CreditsInfo {
            balance: Balance::default(),
            grants: Vec::new(),
            holds: Vec::new(),
            month_spent: 0,
            month_budget: None,
            session_budget: None,
        };
        let (sessions, transactions) = (vec![SESSION], Vec::new());
        history.accounts.push(AccountHistory { sessions, transactions, info });
        history
    };
    assert_eq!(check(&history(StepName::Planning)), []);
    let unpaid = check(&history(StepName::Generating));
    assert!(unpaid.iter().any(|violation| violation.rule == Rule::RightCharge), "{unpaid:?}");
}

#[test]
fn a_request_that_is_resolved_twice_or_stays_open_beside_a_run_is_named() {
    let history = |what: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::new();
        asking(&mut writer, 1, "a shop", 1);
        what(&mut writer);
        writer.history()
    };
    let twice = history(&|writer| {
        resolve(writer, 1, None);
        resolve(writer, 1, None);
    });
    let beside = history(&|writer| writer.whole_run(2, "a page"));
    let again = history(&|writer| {
        resolve(writer, 1, None);
        asking(writer, 2, "a page", 1);
    });
    let unknown = history(&|writer| resolve(writer, 2, None));
    let other = history(&|writer| {
        resolve(writer, 1, Some(run_id(9)));
        writer.whole_run(2, "a page");
    });
    let nowhere = history(&|writer| resolve(writer, 1, Some(run_id(9))));
    for history in [twice, beside, again, unknown, other, nowhere] {
        assert_eq!(first_rule(&history), Some(Rule::OneAnswer));
    }
}

/// A run that takes up what is said to it, as run 2.
fn steered(steers: Option<RunId>) -> Writer {
    let mut writer = Writer::new();
    let steps = app::plan(SEED, "make a page", &Tree::new());
    writer.accept(1, "make a page");
    writer.start(1);
    writer.call(1, "make a page", &Tree::new(), &steps, End::Done);
    writer.say(2, "in blue", steers, None);
    writer.finish(2, Outcome::Steered, None);
    writer.answer(&steps);
    writer.commit(1, &steps);
    writer.finish(1, Outcome::Completed, None);
    writer
}

#[test]
fn what_a_run_took_up_needs_no_call_of_its_own_and_may_have_none() {
    assert_eq!(check(&steered(Some(run_id(1))).history()), []);
    assert_eq!(first_rule(&steered(None).history()), Some(Rule::RightEnd), "said to nobody");
    assert_eq!(first_rule(&steered(Some(run_id(9))).history()), Some(Rule::OneEnd));
    let mut called = steered(Some(run_id(1)));
    called.call(2, "in blue", &Tree::new(), &[], End::Done);
    assert_eq!(first_rule(&called.history()), Some(Rule::RightEnd));
    let mut twice = steered(Some(run_id(1)));
    twice.finish(2, Outcome::Steered, None);
    assert_eq!(first_rule(&twice.history()), Some(Rule::OneEnd));
}
