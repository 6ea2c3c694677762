//! The cards with which a run asks: how they look, and what they send. What they show is told to
//! the page by hand.

use super::{
    bed::{APP, Bed, DESK, PHONE, click, ended, start},
    browser::Page,
    keyboard::tab_to,
    layout::{assert_fits, assert_stands_out, keep_picture},
};
use crate::server::Site;
use serde_json::{Value, json};

/// Lets the page apply events as if the server had sent them.
async fn tell(page: &mut Page, events: Value) {
    let script = format!(
        "{APP} const {{ live }} = app;
         for (const event of {events}) live.apply({{ seq: live.last + 1, ts: Date.now(), event }});
         app.changed();
         return null;"
    );
    page.eval::<Value>(&script).await;
}

/// From now on commands go into a list, and not to the server.
async fn catch_commands(page: &mut Page) {
    let script = format!(
        "{APP} window.sent = [];
         app.client.command = async (method, {{ params }}) => {{ sent.push([method, params]); return {{}}; }};
         return null;"
    );
    page.eval::<Value>(&script).await;
}

/// Goes to a control of the conversation, from its top.
async fn tab_from_story_to(page: &mut Page, what: &str, is_it: &str) {
    page.eval::<Value>("document.querySelector('.story').focus(); return null;").await;
    tab_to(page, what, is_it).await;
}

/// Waits for a command, which must be the last one.
async fn sent(page: &mut Page, method: &str, params: Value) {
    page.wait("a command", "return window.sent.length > 0;").await;
    let got: Value = page.eval("return window.sent.splice(0);").await;
    assert_eq!(got, json!([[method, params]]));
}

fn resolved(request: u32, answered: bool) -> Value {
    json!([{ "type": "input.resolved", "request": request, "answered": answered, "by": "usr_1" }])
}

/// A run that plans and asks.
fn plan(request: u32) -> Value {
    let long = "a word and another one ".repeat(12);
    json!([
        { "type": "input.user", "run": "run_2", "cid": "cmd_2", "by": "usr_1", "text": "a shop", "plan": true },
        { "type": "run.started", "run": "run_2", "provider": "p", "model": "m" },
        { "type": "run.classified", "run": "run_2", "intent": "code_generation", "complexity": "moderate", "confidence": 90 },
        { "type": "run.planned", "run": "run_2", "spec": {
            "overview": long,
            "stack": { "frontend": ["HTML", "CSS"] },
            "features": [
                { "name": "Cart", "description": long, "priority": "high" },
                { "name": "Search", "priority": "low" },
            ],
            "files": [
                { "path": "index.html", "action": "create", "purpose": "the page" },
                { "path": format!("{}.js", "a-long-name-".repeat(12)), "action": "delete" },
            ],
            "acceptance": ["It can be used with the keyboard."],
            "risks": ["It is only a test."],
        } },
        { "type": "run.quoted", "run": "run_2", "price": {}, "cost": 8_600_000, "hold": 9_000_000, "approved": false },
        { "type": "input.requested", "request": request, "run": "run_2", "kind": "plan", "text": "Shall I?" },
        { "type": "run.finished", "run": "run_2", "outcome": "completed" },
    ])
}

fn questions(request: u32) -> Value {
    let ask = |text: &str| json!({ "question": text, "context": "It changes the words.", "options": ["a team", "me"] });
    json!([{
        "type": "input.requested", "request": request, "run": "run_2", "kind": "question",
        "text": "Tell me more.", "questions": [ask("For whom?"), ask("How many?")],
    }])
}

async fn card_says(page: &mut Page, text: &str) {
    let last = "[...document.querySelectorAll('.ask')].at(-1)";
    page.wait(text, &format!("return {last}.textContent.includes({});", json!(text))).await;
}

#[tokio::test]
async fn plans_questions_and_steering_fit_any_window_and_stand_out_in_both_themes() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "a todo app").await;
    ended(&mut page, 1).await;
    tell(&mut page, plan(1)).await;
    card_says(&mut page, "About 8.6 credits; 9 credits are reserved for it.").await;
    tell(&mut page, questions(2)).await;
    let running = json!([
        { "type": "input.user", "run": "run_3", "cid": "cmd_3", "by": "usr_1", "text": "a quiz" },
        { "type": "run.started", "run": "run_3", "provider": "p", "model": "m" },
        { "type": "input.user", "run": "run_4", "cid": "cmd_4", "by": "usr_1", "text": "in blue", "steers": "run_3" },
        { "type": "run.finished", "run": "run_4", "outcome": "steered" },
    ]);
    tell(&mut page, running).await;
    page.wait("ways to say more", "return document.getElementById('steer').checkVisibility();")
        .await;
    for (size, theme) in
        [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark"), ((320, 640), "light")]
    {
        page.look(size, theme).await;
        click(&mut page, "#tab-chat").await;
        assert_fits(&mut page, "asking").await;
        assert_stands_out(&mut page, "asking").await;
        keep_picture(&mut page, &format!("asking-{}-{theme}", size.0)).await;
    }
    page.assert_clean();
}

#[tokio::test]
async fn plans_and_questions_are_answered_with_the_keyboard_alone() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "a todo app").await;
    ended(&mut page, 1).await;
    catch_commands(&mut page).await;

    tell(&mut page, plan(1)).await;
    card_says(&mut page, "Plan").await;
    tab_from_story_to(&mut page, "the remark", "at.name === 'remark'").await;
    page.type_text("in blue").await;
    page.press("Enter").await;
    let answer = |accept: bool, text: &str| json!({ "request": 1, "accept": accept, "text": text });
    sent(&mut page, "input.respond", answer(true, "in blue")).await;
    tab_from_story_to(&mut page, "the way out", "at.classList.contains('decline')").await;
    page.press("Enter").await;
    sent(&mut page, "input.respond", answer(false, "")).await;
    tell(&mut page, resolved(1, true)).await;
    card_says(&mut page, "Approved.").await;
    let forms = "return document.querySelectorAll('.answer-form').length === 0;";
    page.wait("no more to answer", forms).await;

    tell(&mut page, questions(2)).await;
    card_says(&mut page, "Tell me more.").await;
    tab_from_story_to(&mut page, "an option", "at.textContent === 'me'").await;
    page.press("Enter").await; // which fills the field, and goes there
    page.wait("the choice", "return document.activeElement.value === 'me';").await;
    tab_from_story_to(&mut page, "the other field", "at.id === 'answer-2-1'").await;
    page.type_text("five").await;
    page.press("Enter").await;
    let text = "For whom? me\nHow many? five";
    let both = json!({ "request": 2, "accept": true, "text": text });
    sent(&mut page, "input.respond", both).await;
    tell(&mut page, resolved(2, false)).await;
    card_says(&mut page, "Not answered.").await;

    let credits = json!([{
        "type": "input.requested", "request": 3, "run": "run_2", "kind": "credits",
        "text": "Two of four files are there.",
    }]);
    tell(&mut page, credits).await;
    card_says(&mut page, "Two of four files are there.").await;
    tab_from_story_to(&mut page, "going on", "at.textContent === 'Go on'").await;
    page.press("Enter").await;
    let on = json!({ "request": 3, "accept": true, "text": "" });
    sent(&mut page, "input.respond", on).await;
    page.assert_clean();
}
