//! A session's past in the console: rollback, fork, changes, replay.

use super::{
    bed::{APP, Bed, click, ended, files, start},
    browser::Page,
};
use crate::server::{Site, Socket};
use greenroom_protocol::id::SessionId;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The commits that a page knows, oldest first.
pub(super) async fn commits(page: &mut Page) -> Vec<String> {
    let script = format!("{APP} return app.live.commits.map(({{ commit }}) => commit);");
    page.eval(&script).await
}

/// Rolls a session of two turns back from the first of two pages, and then undoes it: after each
/// step both pages and the server have the files of the turn, to the byte.
pub(super) async fn back_and_forth(
    bed: &Bed,
    session: SessionId,
    mut pages: [&mut Page; 2],
    turns: [(&str, &BTreeMap<String, Vec<u8>>); 2],
) {
    click(pages[0], "#tab-versions").await;
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    for ((target, wanted), heads) in turns.into_iter().zip(3..) {
        let button = format!("#rollback-{target}");
        let shown = format!("return document.querySelector('{button}') !== null;");
        pages[0].wait("way back", &shown).await;
        click(pages[0], &button).await;
        let moved = format!("{APP} return app.live.commits.length === {heads};");
        for page in &mut pages {
            page.wait("rollback", &moved).await;
            assert_eq!(files(page).await, *wanted);
            page.assert_clean();
        }
        assert_eq!(socket.files(session, None).await, *wanted);
    }
}

#[tokio::test]
async fn two_pages_agree_to_the_byte_after_a_rollback_and_after_its_undoing() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut steering = bed.signed_in().await;
    let session = start(&mut steering, "a todo app").await;
    let mut watching = bed.tab(session).await;
    ended(&mut steering, 1).await;
    let first = files(&mut steering).await;
    start(&mut steering, "make it green").await;
    ended(&mut steering, 2).await;
    ended(&mut watching, 2).await;
    let second = files(&mut steering).await;
    assert_ne!(first, second);
    let made = commits(&mut steering).await;

    steering.call("Page.bringToFront", json!({})).await; // a page behind others is not painted
    let turns = [(&*made[0], &first), (&*made[1], &second)];
    back_and_forth(&bed, session, [&mut steering, &mut watching], turns).await;
    watching.call("Page.bringToFront", json!({})).await;
    let pale = "return document.querySelectorAll('.story .left').length";
    watching.wait("the rollback that was undone, alone", &format!("{pale} === 1;")).await;
    steering.assert_clean();
    watching.assert_clean();
}

#[tokio::test]
async fn a_fork_opens_with_the_files_of_its_parent_and_leaves_that_alone() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    let parent = start(&mut page, "a quiz about rivers").await;
    ended(&mut page, 1).await;
    let first = files(&mut page).await;
    click(&mut page, "#tab-versions").await;
    let commit = commits(&mut page).await.remove(0);
    let shown = format!("return document.querySelector('#fork-{commit}') !== null;");
    page.wait("way on", &shown).await;
    click(&mut page, &format!("#fork-{commit}")).await;
    page.wait("fork", &format!("return location.hash !== '#{parent}';")).await;
    let count = first.len();
    page.wait("its files", &format!("{APP} return app.files().size === {count};")).await;
    assert_eq!(files(&mut page).await, first);
    let fork: String = page.eval("return location.hash.slice(1);").await;
    let fork: SessionId = fork.parse().unwrap();

    start(&mut page, "make it blue").await;
    ended(&mut page, 1).await;
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    let there = socket.files(fork, None).await;
    assert_ne!(there, first);
    let shown = format!(
        "{APP} return app.files().get('styles.css').text === {};",
        serde_json::json!(String::from_utf8(there["styles.css"].clone()).unwrap())
    );
    page.wait("what the fork changed", &shown).await;
    assert_eq!(files(&mut page).await, there);
    assert_eq!(socket.files(parent, None).await, first);
    page.assert_clean();
}

#[tokio::test]
async fn the_slider_shows_the_session_at_any_entry_and_changes_are_shown_as_lines() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "a kanban board").await;
    ended(&mut page, 1).await;
    let first = files(&mut page).await;
    let end: u64 = page.eval(&format!("{APP} return app.live.last;")).await;
    start(&mut page, "make it dark").await;
    ended(&mut page, 2).await;
    let second = files(&mut page).await;

    click(&mut page, "#tab-versions").await;
    let slide = |seq: u64| {
        format!(
            "const slider = document.getElementById('replay'); slider.value = {seq}; \
             slider.dispatchEvent(new Event('input')); return null;"
        )
    };
    // Without the entries that were followed, they come from the server.
    page.eval::<Value>(&format!("{APP} app.follow.entries.splice(0, 20); return null;")).await;
    page.eval::<Value>(&slide(end)).await;
    page.wait("the past", &format!("{APP} return app.past?.replica.last === {end};")).await;
    assert_eq!(files(&mut page).await, first);
    page.eval::<Value>(&slide(3)).await;
    page.wait("the beginning", &format!("{APP} return app.past?.replica.last === 3;")).await;
    assert!(files(&mut page).await.is_empty());
    page.eval::<Value>(&slide(u64::MAX)).await;
    page.wait("the present", &format!("{APP} return app.past === null;")).await;
    assert_eq!(files(&mut page).await, second);

    let commit = commits(&mut page).await.pop().unwrap();
    let shown = format!("return document.querySelector('#changes-{commit}') !== null;");
    page.wait("row of the commit", &shown).await;
    click(&mut page, &format!("#changes-{commit}")).await;
    page.wait("changes", "return document.querySelectorAll('.diff .plus').length > 0;").await;
    page.assert_clean();
}
