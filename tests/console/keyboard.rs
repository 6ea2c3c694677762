//! All of it without a mouse.

use super::{
    bed::{APP, Bed, ended, start, written},
    browser::Page,
};
use crate::server::{PASSWORD, Site};
use serde_json::Value;

/// Presses Tab until an element has the focus.
pub(super) async fn tab_to(page: &mut Page, what: &str, is_it: &str) {
    for _ in 0..60 {
        if page.eval(&format!("const at = document.activeElement; return Boolean({is_it});")).await
        {
            return;
        }
        page.press("Tab").await;
    }
    panic!("the Tab key does not lead to {what}");
}

#[tokio::test]
async fn who_cannot_sign_in_is_told_why_and_can_create_an_account() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.browser.open(&bed.server, "/console").await;
    page.wait("form", "return document.activeElement.id === 'email';").await;
    page.type_text("eve@example.org").await;
    page.press("Tab").await;
    page.type_text("short").await;
    page.press("Enter").await;
    let problem = "document.querySelector('.problem').textContent";
    page.wait("refusal", &format!("return {problem}.includes('wrong');")).await;
    tab_to(&mut page, "the other button", "at.value === 'create'").await;
    page.press("Enter").await;
    page.wait(
        "advice",
        &format!("return {problem} === 'password must have at least 8 characters';"),
    )
    .await;
    page.eval::<Value>("document.activeElement.select(); return null;").await;
    page.type_text(PASSWORD).await;
    tab_to(&mut page, "the other button", "at.value === 'create'").await;
    page.press("Enter").await;
    page.wait("console", &format!("{APP} return app.account.email === 'eve@example.org';")).await;
}

#[tokio::test]
async fn a_session_is_made_read_and_cancelled_with_the_keyboard_alone() {
    let Some(bed) = Bed::new(Site::new().paced(2000)).await else { return };
    let mut page = bed.signed_in().await; // with the keyboard, too
    start(&mut page, "a todo app").await;
    ended(&mut page, 1).await;

    // The tabs are one stop, the files another; arrows move within.
    tab_to(&mut page, "the tabs", "at.id === 'tab-preview'").await;
    page.press("ArrowRight").await;
    page.wait("focus", "return document.activeElement.id === 'tab-files';").await;
    tab_to(&mut page, "the files", "at.role === 'treeitem'").await;
    let shown = "document.querySelector('#files h3').textContent";
    let before: String = page.eval(&format!("return {shown};")).await;
    page.press("ArrowDown").await;
    page.wait("another file", &format!("return {shown} !== '{before}';")).await;
    page.wait("focus", "return document.activeElement.ariaSelected === 'true';").await;
    tab_to(&mut page, "the source", "at.className.startsWith('source')").await;

    // Another app: long enough to be cancelled in the middle.
    start(&mut page, "make a kanban board").await;
    written(&mut page, "styles.css", 1).await;
    tab_to(&mut page, "cancel", "at.id === 'cancel'").await;
    page.press("Enter").await;
    ended(&mut page, 2).await;
    let last =
        format!("{APP} return [...app.replica.runs.values()].at(-1).outcome === 'cancelled';");
    page.wait("cancel", &last).await;

    tab_to(&mut page, "the sessions", "at.id === 'new'").await;
    page.press("Enter").await;
    page.wait("new session", "return document.activeElement.id === 'prompt' && !location.hash;")
        .await;
    tab_to(&mut page, "the session", "at.localName === 'a' && at.hash").await;
    page.press("Enter").await;
    page.wait("session", &format!("{APP} return app.replica?.commits.length === 1;")).await;
    tab_to(&mut page, "the way out", "at.id === 'sign-out'").await;
    page.press("Enter").await;
    page.wait("form", "return document.activeElement.id === 'email' && localStorage.length === 0;")
        .await;
    page.assert_clean();
}
