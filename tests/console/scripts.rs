//! The console's scripts in node: alone, and its client against the real server.

use crate::server::{Site, Socket, assert_contiguous, entries, is_end, output, session, story};
use greenroom_protocol::{
    frame::{Ev, ServerFrame},
    id::Seq,
};
use serde_json::Value;
use std::path::Path;
use tokio::process::Command;

/// node, with this flag where its version needs it; none, said aloud, where there is none.
async fn node(flag: &str, needed_below: u32) -> Option<Command> {
    let Ok(version) = Command::new("node").arg("--version").output().await else {
        eprintln!("skipped: the console's scripts are not tried, node does not run");
        return None;
    };
    let version = String::from_utf8(version.stdout).unwrap();
    let major: u32 = version.trim_start_matches('v').split('.').next().unwrap().parse().unwrap();
    let mut command = Command::new("node");
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).kill_on_drop(true);
    command.args((major < needed_below).then_some(flag));
    Some(command)
}

#[tokio::test]
async fn the_scripts_keep_their_own_rules() {
    let Some(mut node) = node("--no-warnings", 0).await else { return };
    let names = ["greenroom", "replica", "highlight"];
    node.arg("--test").args(names.map(|name| format!("tests/console/{name}.test.mjs")));
    let run = output(&mut node).await;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

#[tokio::test]
async fn the_client_in_javascript_resumes_at_the_real_server_without_gap_or_repeat() {
    let Some(mut node) = node("--experimental-websocket", 22).await else { return };
    let site = Site::new().paced(1500);
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;

    node.arg("tests/console/resume.mjs")
        .env("GREENROOM_URL", format!("ws://{}/ws", server.public))
        .env("GREENROOM_TOKEN", &user.access)
        .env("GREENROOM_SESSION", session.to_string());
    let run = output(&mut node).await;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert!(told["cuts"].as_u64().unwrap() >= 5, "{}", told["cuts"]);
    let ev = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    let there: Vec<Ev> = told["entries"].as_array().unwrap().iter().map(ev).collect();

    let ends = |frame: &ServerFrame| matches!(frame, ServerFrame::Ev(ev) if is_end(&ev.event));
    let seen = entries(&socket.take_until(ends).await, 1);
    assert_eq!(assert_contiguous(&there, Seq::START), assert_contiguous(&seen, Seq::START));
    assert_eq!(story(&there), story(&seen));
    let files = told["files"].as_object().unwrap().iter();
    let files = files.map(|(path, text)| (path.clone(), text.as_str().unwrap().into()));
    assert_eq!(
        files.collect::<std::collections::BTreeMap<_, Vec<u8>>>(),
        socket.files(session, None).await
    );
}
