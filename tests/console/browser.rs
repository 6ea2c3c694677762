//! Chromium without a window, driven over its DevTools protocol.

use crate::server::{Server, soon, until};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{env, net::SocketAddr, path::PathBuf, process::Stdio, sync::LazyLock, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::{Mutex, MutexGuard},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// What the program may be called.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Longest wait for one answer of a page or a frame, which gives none while it is being replaced.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// One browser at a time: a few of them would starve each other on a small machine.
static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// A browser with a profile of its own; ends when it is dropped.
pub(super) struct Browser {
    _turn: MutexGuard<'static, ()>,
    _child: Child,
    _profile: TempDir,
    /// Reads what it says, so that it never waits for a reader.
    _says: JoinSet<()>,
    address: String,
}

/// A tab.
pub(super) struct Page {
    ws: WebSocketStream<TcpStream>,
    origin: String,
    calls: u64,
    events: Vec<Value>,
}

/// The program; none, said aloud, where this machine has none.
fn program() -> Option<PathBuf> {
    if let Some(named) = env::var_os("GREENROOM_TEST_CHROMIUM") {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let found = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = found.into_iter().find(|program| program.is_file());
    if found.is_none() {
        eprintln!("skipped: the console is not tried in a browser, no Chromium is installed");
    }
    found
}

impl Browser {
    /// Starts a browser; none where there is none.
    pub(super) async fn start() -> Option<Self> {
        let program = program()?;
        let turn = TURN.lock().await;
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                let at = line.strip_prefix("DevTools listening on ws://");
                if let Some(address) = at.and_then(|at| at.split('/').next()) {
                    return address.to_owned();
                }
            }
            panic!("the browser ended before it listened");
        };
        let address = soon("browser", address).await;
        let mut says = JoinSet::new();
        says.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { _turn: turn, _child: child, _profile: profile, _says: says, address })
    }

    /// A new tab at a path of the server's public port. All tabs share one profile.
    pub(super) async fn open(&self, server: &Server, path: &str) -> Page {
        self.open_at(server.public, path).await
    }

    /// A new tab at a path of an address.
    pub(super) async fn open_at(&self, address: SocketAddr, path: &str) -> Page {
        let url = format!("http://{}/json/new?about:blank", self.address);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let tab: Value = soon("tab", client.put(url).send()).await.unwrap().json().await.unwrap();
        let debugger = tab["webSocketDebuggerUrl"].as_str().unwrap();
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (ws, _) = soon("debugger", client_async(debugger, stream)).await.unwrap();
        let origin = format!("http://{address}");
        let mut page = Page { ws, origin, calls: 0, events: Vec::new() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({})).await;
        }
        let follow =
            json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        page.call("Target.setAutoAttach", follow).await;
        page.go(path).await;
        page
    }
}

impl Page {
    /// Calls a method of the browser.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.call_in(None, method, params).await
    }

    /// Calls a method, for the frame of a session or for the page.
    async fn call_in(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        let answer = self.try_call(session, method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn try_call(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, Value> {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        self.ws.send(Message::text(call.to_string())).await.unwrap();
        let answer = async {
            loop {
                let message = self.ws.next().await.expect("the browser runs").unwrap();
                let Message::Text(text) = message else { continue };
                let mut frame: Value = serde_json::from_str(&text).unwrap();
                if frame["id"] != id {
                    self.events.push(frame);
                } else if frame["error"].is_null() {
                    return Ok(frame["result"].take());
                } else {
                    return Err(frame["error"].take());
                }
            }
        };
        soon(&format!("answer to {method}"), answer).await
    }

    /// Goes to a path of the server.
    pub(super) async fn go(&mut self, path: &str) {
        let url = format!("{}{path}", self.origin);
        self.call("Page.navigate", json!({ "url": url })).await;
    }

    /// The value of a script, which may await.
    pub(super) async fn eval<T: DeserializeOwned>(&mut self, script: &str) -> T {
        let answer = self.evaluate(script).await;
        assert!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        serde_json::from_value(answer["result"]["value"].clone())
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    async fn evaluate(&mut self, script: &str) -> Value {
        let ask = json!({
            "expression": format!("(async () => {{ {script} }})()"),
            "awaitPromise": true,
            "returnByValue": true,
        });
        self.try_call(None, "Runtime.evaluate", ask).await.unwrap_or_default()
    }

    /// Waits until a script gives true. One that throws, as in a page that is not there yet, is
    /// asked again.
    pub(super) async fn wait(&mut self, what: &str, script: &str) {
        until(what, async || {
            let answer = timeout(ANSWER_MAX, self.evaluate(script)).await.ok()?;
            (answer["result"]["value"] == true).then_some(())
        })
        .await;
    }

    /// The same for an expression in the frame that the page has.
    pub(super) async fn wait_in_frame(&mut self, what: &str, expression: &str) {
        until(what, async || (self.eval_in_frame(expression).await == true).then_some(())).await;
    }

    /// The value of an expression in the frame that the page has, which may await; null where the
    /// frame is being replaced.
    pub(super) async fn eval_in_frame(&mut self, expression: &str) -> Value {
        let mut ask =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        // A frame without rights has a process of its own, or at least a context.
        let latest = |method: &str, fits: &dyn Fn(&Value) -> bool| {
            let found = self.events.iter().rev();
            found
                .map(|event| (&event["method"], &event["params"]))
                .find_map(|(of, params)| (of == method && fits(params)).then(|| params.clone()))
        };
        let process =
            latest("Target.attachedToTarget", &|params| params["targetInfo"]["type"] == "iframe");
        let session = process.map(|params| params["sessionId"].as_str().unwrap().to_owned());
        if session.is_none() {
            let own = format!("{}/", self.origin);
            let context = latest("Runtime.executionContextCreated", &|params| {
                let origin = params["context"]["origin"].as_str().unwrap_or_default();
                !own.starts_with(origin) && params["context"]["auxData"]["isDefault"] == true
            });
            let Some(context) = context else { return Value::Null };
            ask["contextId"] = context["context"]["id"].clone();
        }
        let answer = self.try_call(session.as_deref(), "Runtime.evaluate", ask);
        match timeout(ANSWER_MAX, answer).await {
            Ok(Ok(mut answer)) => answer["result"]["value"].take(),
            Ok(Err(_)) | Err(_) => Value::Null,
        }
    }

    /// Types a text.
    pub(super) async fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a key, such as `Enter`, `Tab` or `ArrowDown`.
    pub(super) async fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            other => panic!("{other} is not among the keys"),
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Gives the window a size, and the colours of a theme.
    pub(super) async fn look(&mut self, (width, height): (u32, u32), theme: &str) {
        let mobile = width < 600;
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let theme = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.call("Emulation.setEmulatedMedia", theme).await;
    }

    /// A picture of what is on show, as a PNG in base64.
    pub(super) async fn picture(&mut self) -> String {
        self.call("Page.bringToFront", json!({})).await; // one behind another is not painted
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        shot["data"].as_str().unwrap().to_owned()
    }

    /// Checks that nothing went wrong so far: no exception, no error in the browser's console, no
    /// breach of a policy, no request to another server.
    pub(super) fn assert_clean(&self) {
        for event in &self.events {
            let params = &event["params"];
            let bad = match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => true,
                "Runtime.consoleAPICalled" => params["type"] == "error",
                "Log.entryAdded" => {
                    params["entry"]["level"] == "error" || params["entry"]["source"] == "security"
                }
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap();
                    let own = url == "about:blank" || url.starts_with(&format!("{}/", self.origin));
                    !own && !url.starts_with("data:") && !url.starts_with("blob:")
                }
                _ => false,
            };
            assert!(!bad, "{event:#}");
        }
    }
}
