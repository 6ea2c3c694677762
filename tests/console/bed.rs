//! A server, a user, a browser; and what the console can be asked.

use super::browser::{Browser, Page};
use crate::server::{PASSWORD, Server, Site, User};
use greenroom_protocol::{frame::Ev, id::SessionId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The console of a page, for scripts.
pub(super) const APP: &str = "const { app } = await import('/console/app.js');";

/// A phone and a desk.
pub(super) const PHONE: (u32, u32) = (390, 844);
pub(super) const DESK: (u32, u32) = (1280, 800);

pub(super) struct Bed {
    pub(super) site: Site,
    pub(super) server: Server,
    pub(super) user: User,
    pub(super) browser: Browser,
}

impl Bed {
    /// None where this machine has no browser.
    pub(super) async fn new(site: Site) -> Option<Self> {
        let browser = Browser::start().await?;
        let server = site.start().await;
        let user = server.register("ada").await;
        Some(Self { site, server, user, browser })
    }

    /// A tab in which the user has signed in by the form, with the keyboard.
    pub(super) async fn signed_in(&self) -> Page {
        let mut page = self.browser.open(&self.server, "/console").await;
        page.look(DESK, "light").await;
        page.wait("form", "return document.activeElement.id === 'email';").await;
        page.type_text(&self.user.email).await;
        page.press("Tab").await;
        page.type_text(PASSWORD).await;
        page.press("Enter").await;
        page.wait("console", "return document.activeElement.id === 'prompt';").await;
        page.wait("connection", &format!("{APP} return app.client.state === 'ready';")).await;
        page
    }

    /// Another tab of the same browser on a session.
    pub(super) async fn tab(&self, session: SessionId) -> Page {
        let mut page = self.browser.open(&self.server, &format!("/console#{session}")).await;
        page.look(DESK, "light").await;
        page
    }
}

/// Types a prompt and sends it; the session.
pub(super) async fn start(page: &mut Page, prompt: &str) -> SessionId {
    page.eval::<Value>("document.getElementById('prompt').focus(); return null;").await;
    page.type_text(prompt).await;
    page.press("Enter").await;
    page.wait("session", "return location.hash.startsWith('#ses_');").await;
    let id: String = page.eval("return location.hash.slice(1);").await;
    id.parse().unwrap()
}

/// Waits until a page has seen the end of so many runs.
pub(super) async fn ended(page: &mut Page, runs: usize) {
    let script = format!(
        "{APP} return [...app.replica.runs.values()].filter(({{ outcome }}) => outcome).length === {runs};"
    );
    page.wait("end of the run", &script).await;
}

/// Waits until a page has so much of a file.
pub(super) async fn written(page: &mut Page, path: &str, letters: usize) {
    let path = json!(path);
    let script =
        format!("{APP} return app.replica.working().get({path})?.text.length >= {letters};");
    page.wait("contents of a file", &script).await;
}

/// The files that a page has on show.
pub(super) async fn files(page: &mut Page) -> BTreeMap<String, Vec<u8>> {
    let script =
        format!("{APP} return [...app.files()].map(([path, {{ text }}]) => [path, text]);");
    let files: Vec<(String, String)> = page.eval(&script).await;
    files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
}

/// The entries that a page has applied.
pub(super) async fn entries(page: &mut Page) -> Vec<Ev> {
    let values: Vec<Value> = page.eval(&format!("{APP} return app.follow.entries;")).await;
    values.into_iter().map(|value| serde_json::from_value(value).unwrap()).collect()
}

/// Clicks what a selector finds.
pub(super) async fn click(page: &mut Page, selector: &str) {
    let selector = json!(selector);
    page.eval::<Value>(&format!("document.querySelector({selector}).click(); return null;")).await;
}
