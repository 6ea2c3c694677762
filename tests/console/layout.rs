//! How it looks: on a desk and on a phone, light and dark.

use super::{
    bed::{Bed, DESK, PHONE, click, ended, start},
    browser::Page,
    picture::repack,
};
use crate::server::Site;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{env, fs, path::PathBuf};

/// Pictures are kept in the folder that this variable names.
const FOLDER: &str = "GREENROOM_TEST_SCREENSHOTS";

/// Keeps a picture of a page where somebody wants it.
pub(super) async fn keep_picture(page: &mut Page, name: &str) {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let bytes = repack(&STANDARD.decode(page.picture().await).unwrap());
    fs::write(PathBuf::from(folder).join(format!("{name}.png")), bytes).unwrap();
}

#[tokio::test]
async fn nothing_scrolls_sideways_and_every_control_has_a_name_and_room() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.browser.open(&bed.server, "/console").await;
    page.look(PHONE, "dark").await;
    page.wait("form", "return document.activeElement.id === 'email';").await;
    keep_picture(&mut page, "phone-sign-in").await;
    assert_fits(&mut page, "sign-in").await;
    drop(page);

    let mut page = bed.signed_in().await;
    keep_picture(&mut page, "welcome").await;
    start(&mut page, "a todo app with a dark mode").await;
    ended(&mut page, 1).await;
    for (size, theme) in
        [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark"), ((320, 640), "light")]
    {
        page.look(size, theme).await;
        for view in ["sessions", "chat", "preview", "files", "versions", "log"] {
            click(&mut page, &format!("#tab-{view}")).await;
            assert_fits(&mut page, view).await;
            keep_picture(&mut page, &format!("{view}-{}-{theme}", size.0)).await;
        }
    }
    page.assert_clean();
}

#[test]
fn the_pictures_of_the_readme_are_there_and_small() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let named = readme.split("](").filter_map(|rest| rest.split(')').next());
    let pictures: Vec<_> = named.filter(|path| path.ends_with(".png")).collect();
    assert_eq!(pictures.len(), 2);
    for picture in pictures {
        let bytes = fs::read(root.join(picture)).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() < 150_000, "{picture}");
    }
}

/// Nothing is wider than the window, and every control on show can be named and hit.
pub(super) async fn assert_fits(page: &mut Page, view: &str) {
    let script = "
        const wide = document.documentElement.scrollWidth - innerWidth;
        const controls = [...document.querySelectorAll('button, a[href], input, textarea, [tabindex=\"0\"]')];
        const shown = controls.filter((one) => one.checkVisibility());
        const named = (one) => one.ariaLabel || one.textContent.trim() || one.labels?.length || one.title;
        const small = (one) => { const { width, height } = one.getBoundingClientRect(); return width < 24 || height < 24; };
        const outside = (one) => { const { left, right } = one.getBoundingClientRect(); return left < 0 || right > innerWidth; };
        const bad = shown.filter((one) => !named(one) || small(one) || outside(one));
        return [wide > 0 ? `the page is ${wide} too wide` : '', ...bad.map((one) => one.outerHTML.slice(0, 120))].filter(Boolean);";
    let wrong: Vec<String> = page.eval(script).await;
    assert!(wrong.is_empty(), "{view}: {wrong:#?}");
}

#[tokio::test]
async fn texts_stand_out_from_what_is_behind_them_in_both_themes() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "a kanban board").await;
    ended(&mut page, 1).await;
    for theme in ["light", "dark"] {
        page.look(DESK, theme).await;
        for view in ["files", "versions", "log"] {
            click(&mut page, &format!("#tab-{view}")).await;
            assert_stands_out(&mut page, &format!("{theme} {view}")).await;
        }
    }
}

/// Every text on show stands out from what is behind it.
pub(super) async fn assert_stands_out(page: &mut Page, view: &str) {
    let weak: Vec<String> = page.eval(CONTRAST).await;
    assert!(weak.is_empty(), "{view}: {weak:#?}");
}

/// Texts whose contrast is less than 4.5 to 1, as WCAG counts it.
const CONTRAST: &str = "
    const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const weak = new Set();
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest(':disabled, noscript')) continue;
        const pair = [light(rgba(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
        const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (contrast < 4.5) weak.add(`${contrast.toFixed(2)} ${node.className || node.localName}: ${texts.currentNode.data.slice(0, 30)}`);
    }
    return [...weak].slice(0, 10);";
