//! The page about keys, on the internal port.

use super::{
    bed::{Bed, DESK, PHONE},
    layout::{assert_fits, assert_stands_out, keep_picture},
};
use crate::server::{Model, Script, Site};

const SECRET: &str = "sk-CANARY-that-nobody-may-see";

#[tokio::test]
async fn operators_see_what_keys_are_like_and_nobody_sees_a_key() {
    let model = Model::start(Script::Whole("Hello.")).await;
    let site = Site::new().answered_by(&model.base_url());
    let site = site.with("GREENROOM__PROVIDERS__CUSTOM__API_KEY", SECRET);
    let Some(bed) = Bed::new(site).await else { return };
    let session = bed.server.create(&bed.user).await;
    bed.server.start_run(&bed.user, session, "hello").await;
    let ends = |entry: &greenroom_protocol::frame::Entry| crate::server::is_end(&entry.event);
    bed.server.poll_until(&bed.user, session, ends).await;

    let mut page = bed.browser.open_at(bed.server.internal, "/keys").await;
    let cells = "[...document.querySelectorAll('#keys td')].map((cell) => cell.textContent)";
    page.wait("a key", &format!("return {cells}.includes('active');")).await;
    page.wait("a group", &format!("return {cells}.includes('open');")).await;
    let shown: String = page.eval("return document.documentElement.outerHTML;").await;
    assert!(!shown.contains("CANARY"), "{shown}");
    for (size, theme) in [(DESK, "light"), (PHONE, "dark")] {
        page.look(size, theme).await;
        assert_fits(&mut page, "keys").await;
        assert_stands_out(&mut page, "keys").await;
        keep_picture(&mut page, &format!("keys-{}-{theme}", size.0)).await;
    }
    page.assert_clean();

    for path in ["/../../keys", "/../../console/keys.js", "/../../providers"] {
        let reply = bed.server.rest("GET", path).by(&bed.user).send().await;
        assert_eq!(reply.status, 404, "{path} on the public port");
    }
}
