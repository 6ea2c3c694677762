//! Plans, questions and steering in the console, against the real server.

use super::{
    bed::{APP, Bed, click, ended, files, start, written},
    browser::Page,
    time::{back_and_forth, commits},
};
use crate::server::{ASKS, GREETING, Model, PLANS, Site, Socket};
use greenroom_protocol::id::SessionId;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Waits until a page says that it waits with a request.
async fn waits(page: &mut Page, request: u32) {
    let script = format!("{APP} return app.live?.waiting?.request === {request};");
    page.wait("a request", &script).await;
}

/// Waits until the session of a page holds the page that greets, for it and for others.
async fn greets(page: &mut Page, bed: &Bed, session: SessionId, runs: usize) {
    ended(page, runs).await;
    let expected = BTreeMap::from([("index.html".to_owned(), GREETING.as_bytes().to_vec())]);
    assert_eq!(files(page).await, expected);
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    assert_eq!(socket.files(session, None).await, expected);
    page.assert_clean();
}

#[tokio::test]
async fn a_plan_is_shown_with_its_price_and_built_once_it_is_approved_in_another_tab() {
    let model = Model::start(PLANS).await;
    let Some(bed) = Bed::new(Site::new().answered_by(&model.base_url())).await else { return };
    let mut first = bed.signed_in().await;
    click(&mut first, "#plan").await;
    let session = start(&mut first, "a greeting").await;
    waits(&mut first, 1).await;
    let mut second = bed.tab(session).await;
    waits(&mut second, 1).await;
    for page in [&mut first, &mut second] {
        let card = "document.querySelector('.ask').textContent";
        for text in ["A page that greets.", "index.html", "credits"] {
            page.wait(text, &format!("return {card}.includes({});", json!(text))).await;
        }
        assert!(files(page).await.is_empty());
    }
    page_says(&mut first, "#sessions", "waits for you").await;
    click(&mut second, ".ask .approve").await;
    for page in [&mut first, &mut second] {
        greets(page, &bed, session, 2).await;
        page_says(page, ".ask", "Approved.").await;
    }
}

async fn page_says(page: &mut Page, place: &str, text: &str) {
    let (place, text) = (json!(place), json!(text));
    let script = format!("return document.querySelector({place}).textContent.includes({text});");
    page.wait("words", &script).await;
}

#[tokio::test]
async fn questions_are_answered_and_lead_to_a_plan() {
    let model = Model::start(ASKS).await;
    let Some(bed) = Bed::new(Site::new().answered_by(&model.base_url())).await else { return };
    let mut page = bed.signed_in().await;
    click(&mut page, "#plan").await;
    let session = start(&mut page, "a greeting").await;
    waits(&mut page, 1).await;
    page_says(&mut page, ".ask", "Whom does it greet?").await;
    click(&mut page, ".ask .option:last-child").await;
    page.wait("the choice", "return document.querySelector('.ask input').value === 'a cat';").await;
    click(&mut page, ".ask .primary").await;
    waits(&mut page, 2).await;
    page_says(&mut page, ".ask", "Answered.").await;
    click(&mut page, ".ask .approve").await;
    greets(&mut page, &bed, session, 3).await;
}

#[tokio::test]
async fn one_page_steers_while_the_other_watches_and_both_agree_after_a_rollback_and_its_undoing() {
    let Some(bed) = Bed::new(Site::new().paced(300)).await else { return };
    let mut steering = bed.signed_in().await;
    let session = start(&mut steering, "a todo app").await;
    let mut watching = bed.tab(session).await;
    ended(&mut steering, 1).await;
    let first = files(&mut steering).await;

    start(&mut steering, "make a kanban board").await;
    written(&mut steering, "styles.css", 50).await;
    steering.call("Page.bringToFront", json!({})).await;
    steering.eval::<Value>("document.getElementById('prompt').focus(); return null;").await;
    steering.type_text("make it green").await;
    click(&mut steering, "#steer").await;
    for page in [&mut steering, &mut watching] {
        ended(page, 3).await;
        let outcomes: Vec<String> = page
            .eval(&format!(
                "{APP} return [...app.live.runs.values()].map(({{ outcome }}) => outcome);"
            ))
            .await;
        assert_eq!(outcomes, ["completed", "completed", "steered"]);
        // Said within the turn that took it up: before that one's end.
        let kinds: Vec<String> =
            page.eval(&format!("{APP} return app.live.items.map(({{ kind }}) => kind);")).await;
        assert_eq!(kinds.last().map(String::as_str), Some("finished"));
        assert_eq!(kinds.iter().filter(|kind| *kind == "finished").count(), 2);
        page_says(page, ".input.steered", "taken up by the run").await;
    }
    let second = files(&mut steering).await;
    assert_ne!(first, second);
    assert_eq!(files(&mut watching).await, second);

    let made = commits(&mut steering).await;
    assert_eq!(made.len(), 2, "one commit a turn");
    let turns = [(&*made[0], &first), (&*made[1], &second)];
    back_and_forth(&bed, session, [&mut steering, &mut watching], turns).await;
}
