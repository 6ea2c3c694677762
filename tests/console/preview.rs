//! What a generated page may do, and what it may not.

use super::bed::{APP, Bed, click, ended, start};
use crate::server::{Model, Script, Site};
use serde_json::Value;

/// A page that reaches for all that is not its own.
const HOSTILE: &str = r#"
@@TAG write index.html
<!doctype html>
<title>Hostile</title>
<p>Hello</p>
<form id="form" action="/api/v1/auth/logout" method="post"><button>Send</button></form>
<script>
  const loaded = (node) => new Promise((resolve, reject) => {
    node.onload = () => resolve("loaded");
    node.onerror = () => reject(new Error("blocked"));
    document.body.append(node);
  });
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const socket = () => new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://${new URL(document.baseURI).host}/ws`, "greenroom.v1.json");
    ws.onopen = () => resolve("open");
    ws.onerror = () => reject(new Error("blocked"));
  });
  const inner = () => {
    const frame = make("iframe", {});
    document.body.append(frame);
    return frame.contentWindow.localStorage.length;
  };
  const ATTEMPTS = {
    origin: () => { if (origin === "null") throw new Error("opaque"); return origin; },
    cookie: () => document.cookie,
    "set cookie": () => { document.cookie = "a=1"; },
    "parent's page": () => parent.document.title,
    "parent's storage": () => parent.localStorage.length,
    "parent's address": () => parent.location.href,
    "top's address": () => { top.location = "about:blank"; },
    "a frame's storage": inner,
    "indexed database": () => new Promise((resolve, reject) => {
      const asked = indexedDB.open("x");
      asked.onsuccess = resolve;
      asked.onerror = reject;
    }),
    caches: () => caches.keys(),
    worker: () => navigator.serviceWorker.register("/console/app.js"),
    "API": () => fetch("/api/v1/ws/ticket", { method: "POST" }),
    "API without an answer": () => fetch("/api/v1/ws/ticket", { method: "POST", mode: "no-cors" }),
    "console's page": () => fetch("/console"),
    socket,
    "own server's script": () => loaded(make("script", { src: "/console/app.js" })),
    "own server's picture": () => loaded(make("img", { src: "/console/icon.svg" })),
    "another server's script": () => loaded(make("script", { src: "http://127.0.0.1:9/x.js" })),
    "another server's picture": () => loaded(make("img", { src: "http://127.0.0.1:9/x.png" })),
    "another server's style": () => loaded(make("link", { rel: "stylesheet", href: "http://127.0.0.1:9/x.css" })),
    window: () => { if (!open("/console")) throw new Error("blocked"); },
  };
  // Neither is believed; the second one asks to be loaded again and again.
  parent.postMessage({ page: "../../etc/passwd" }, "*");
  parent.postMessage({ files: [["index.html", "stolen"]], page: "index.html" }, "*");
  form.submit();
  window.verdicts = (async () => {
    const all = {};
    for (const [name, attempt] of Object.entries(ATTEMPTS)) {
      try { all[name] = `OPEN: ${await attempt()}`; } catch (error) { all[name] = "blocked"; }
    }
    return all;
  })();
</script>
@@TAG end
"#;

#[tokio::test]
async fn a_generated_page_gets_at_nothing_but_its_own_files() {
    let model = Model::start(Script::Whole(HOSTILE)).await;
    let Some(bed) = Bed::new(Site::new().answered_by(&model.base_url())).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "something hostile").await;
    ended(&mut page, 1).await;
    page.wait_in_frame("page", "window.verdicts.then(() => document.title === 'Hostile')").await;

    let verdicts = page.eval_in_frame("window.verdicts").await;
    let verdicts = verdicts.as_object().expect("verdicts").clone();
    assert!(verdicts.len() > 20);
    let open: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict != "blocked").collect();
    assert!(open.is_empty(), "{open:#?}");

    // The console is where it was, and knows no file that the page has made up.
    page.wait("console", &format!("{APP} return app.client.state === 'ready';")).await;
    let frame = "document.querySelector('iframe').contentDocument === null";
    page.wait("a frame apart", &format!("return {frame};")).await;
    let name = "document.querySelector('#preview h3').textContent === 'index.html'";
    page.wait("the page", &format!("return {name};")).await;
}

/// An app of several files, as models write them.
const SEVERAL: &str = r#"
@@TAG write index.html
<!doctype html>
<html lang="en">
<head>
<title>Several</title>
<link rel="stylesheet" href="css/main.css">
<script src="classic.js" defer></script>
<script type="module" src="./js/main.js"></script>
</head>
<body onload="document.body.dataset.onload = 'yes'">
<p id="p">Hello</p>
<img id="img" src="img/dot.svg" alt="">
<a id="link" href="pages/about.html">About</a>
</body>
</html>
@@TAG end
@@TAG write css/main.css
@import "more.css";
p { color: rgb(1, 2, 3); background: url("../img/dot.svg"); }
@@TAG end
@@TAG write css/more.css
p { margin: 7px; }
@@TAG end
@@TAG write img/dot.svg
<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"><circle r="2"/></svg>
@@TAG end
@@TAG write classic.js
document.body.dataset.classic = document.getElementById("p").textContent;
@@TAG end
@@TAG write js/main.js
import { ping } from "./lib/a.js";
import data from "../js/data.js";
const later = await import("./lib/later.js");
localStorage.setItem("kept", "here");
const answer = await fetch("data/list.json");
document.body.dataset.module = [ping(), data, later.default, localStorage.getItem("kept"), (await answer.json())[0]].join(" ");
@@TAG end
@@TAG write js/data.js
export default "data";
@@TAG end
@@TAG write js/lib/a.js
import { pong } from "./b.js";
export const name = "a";
export const ping = () => pong();
@@TAG end
@@TAG write js/lib/b.js
import { name } from "./a.js";
export const pong = () => `pong of ${name}`;
@@TAG end
@@TAG write js/lib/later.js
export default "later";
@@TAG end
@@TAG write data/list.json
["listed"]
@@TAG end
@@TAG write pages/about.html
<!doctype html>
<title>About</title>
<link rel="stylesheet" href="../css/main.css">
<p>About</p>
<a href="../index.html">Back</a>
@@TAG end
"#;

#[tokio::test]
async fn a_page_of_several_files_finds_its_styles_modules_pictures_and_other_pages() {
    let model = Model::start(Script::Whole(SEVERAL)).await;
    let Some(bed) = Bed::new(Site::new().answered_by(&model.base_url())).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "several files").await;
    ended(&mut page, 1).await;
    page.wait_in_frame("module", "Boolean(document.body?.dataset.module)").await;

    let said = page.eval_in_frame("({ ...document.body.dataset })").await;
    assert_eq!(said["classic"], "Hello");
    assert_eq!(said["onload"], "yes");
    assert_eq!(said["module"], "pong of a data later here listed");
    let style = "getComputedStyle(document.getElementById('p'))";
    assert_eq!(page.eval_in_frame(&format!("{style}.color")).await, "rgb(1, 2, 3)");
    assert_eq!(page.eval_in_frame(&format!("{style}.marginTop")).await, "7px");
    let width = page.eval_in_frame("document.getElementById('img').naturalWidth").await;
    assert_eq!(width, 5);

    page.eval_in_frame("document.getElementById('link').click()").await;
    page.wait_in_frame("other page", "document.title === 'About'").await;
    let margin = "getComputedStyle(document.querySelector('p')).marginTop === '7px'";
    page.wait_in_frame("style", margin).await;
    page.eval_in_frame("document.querySelector('a').click()").await;
    page.wait_in_frame("first page", "document.title === 'Several'").await;
    page.assert_clean();
}

#[tokio::test]
async fn the_preview_of_a_built_in_app_works_and_starts_over() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    start(&mut page, "a todo app").await;
    ended(&mut page, 1).await;
    let items = "document.querySelectorAll('#list li').length";
    page.wait_in_frame("list", &format!("{items} > 0")).await;
    let before = page.eval_in_frame(items).await.as_i64().unwrap();
    let add =
        "document.getElementById('new').value = 'One more'; document.getElementById('add').click()";
    page.eval_in_frame(add).await;
    page.wait_in_frame("new item", &format!("{items} === {}", before + 1)).await;
    click(&mut page, "#preview header button").await;
    page.wait_in_frame("start", &format!("{items} === {before}")).await;
    assert_eq!(
        page.eval_in_frame("document.getElementById('unsaved').hidden").await,
        Value::Bool(true)
    );
    page.assert_clean();
}
