//! What `greenroom dev` prints once it is ready: addresses, a token, lines to paste.

use super::saved::{self, Saved};
use crate::server::Ready;
use greenroom_protocol::{
    SUBPROTOCOL, VERSION,
    frame::{After, Attach, Call, ClientFrame, ClientInfo, Hello},
    id::{Channel, CommandId, SessionId},
    method::{OnBusy, RunStart, SessionCreate},
};
use serde::Serialize;
use std::path::Path;
use uuid::Uuid;

/// Prompt of the printed lines.
const PROMPT: &str = "a todo app with a dark mode";

/// Stands for the token in a printed frame, until the shell's variable takes its place.
const TOKEN: &str = "TOKEN";

/// What the text is made of.
pub(super) struct Facts<'a> {
    /// How to call this program, quoted for the shell.
    pub(super) program: &'a str,
    pub(super) data_dir: &'a Path,
    pub(super) ready: &'a Ready,
    pub(super) saved: &'a Saved,
    /// Ids for the lines of websocat: fresh ones, so that pasting them twice has one effect.
    pub(super) session: Uuid,
    pub(super) create: Uuid,
    pub(super) start: Uuid,
}

/// The whole text.
pub(super) fn text(facts: &Facts<'_>) -> String {
    [addresses(facts), client(facts), curl(facts), websocat(facts)].join("\n")
}

fn addresses(facts: &Facts<'_>) -> String {
    let Facts { ready, saved, data_dir, .. } = facts;
    let url = &saved.url;
    let internal = super::dev::reachable(ready.internal);
    let stand_in = if ready.stand_in {
        "  (a built-in stand-in, no model: set GROQ_API_KEYS or the like for one)"
    } else {
        ""
    };
    let password = match saved.password.as_str() {
        "" => format!(
            "   (an earlier start has set its password; remove {} to forget all)",
            data_dir.display()
        ),
        password => format!("   password {password}"),
    };
    format!(
        "\nGreenroom is ready.\n
  Console    {url}/console   (in a browser)
  REST       {url}/api/v1   documentation {url}/docs
  WebSocket  {}   subprotocol {SUBPROTOCOL}
  Internal   http://{internal}/readyz  /livez  /metrics  /keys
  Provider   {} with {}{stand_in}
  User       {}{password}
  Data       {}   (tokens for the client commands are in {})\n",
        socket(url),
        ready.provider,
        ready.model,
        saved.email,
        data_dir.display(),
        saved::path(data_dir).display(),
    )
}

fn client(facts: &Facts<'_>) -> String {
    let Facts { program, data_dir, .. } = facts;
    let data_dir = match data_dir.to_str() {
        Some(".greenroom") => String::new(),
        _ => format!(" --data-dir {}", quoted(&data_dir.to_string_lossy())),
    };
    format!(
        "Generate an app, from another terminal in this folder:\n
  {program} client generate \"{PROMPT}\" --out todo{data_dir}\n"
    )
}

fn curl(facts: &Facts<'_>) -> String {
    #[derive(Serialize)]
    struct Login<'a> {
        email: &'a str,
        password: &'a str,
    }
    let Facts { saved, .. } = facts;
    let url = &saved.url;
    let login = json(&Login { email: &saved.email, password: &saved.password });
    let kind = "-H 'content-type: application/json'";
    let token = quoted(&saved.access_token);
    let ticket =
        format!("curl -s -X POST {url}/api/v1/ws/ticket -H \"authorization: Bearer $TOKEN\"");
    if saved.password.is_empty() {
        return format!(
            "Get a ticket for a browser's WebSocket, with curl:\n\n  TOKEN={token}\n  {ticket}\n"
        );
    }
    format!(
        "Sign in, refresh and get a ticket for a browser's WebSocket, with curl:\n
  TOKEN={token}
  curl -s {url}/api/v1/auth/login {kind} -d {}
  curl -s {url}/api/v1/auth/refresh {kind} -d {}
  {ticket}\n",
        quoted(&login),
        quoted(&format!(r#"{{"refresh_token":{}}}"#, json(&saved.refresh_token))),
    )
}

fn websocat(facts: &Facts<'_>) -> String {
    let lines: Vec<_> = frames(facts)
        .iter()
        // The shell puts its variable where the frame has the word.
        .map(|frame| quoted(&frame.encode()).replace(TOKEN, r#"'"$TOKEN"'"#))
        .collect();
    format!(
        "The same with websocat: say hello, create a session, follow it, start a run:\n
  (printf '%s\\n' {}; sleep 60) | websocat --protocol {SUBPROTOCOL} {}\n\n",
        lines.join(" \\\n    "),
        socket(&facts.saved.url),
    )
}

/// The frames of the websocat line.
fn frames(facts: &Facts<'_>) -> [ClientFrame; 4] {
    let session = SessionId::new(facts.session);
    let call = |id, cid, method: &str, params: String| {
        ClientFrame::Call(Call {
            id,
            cid: Some(CommandId::new(cid)),
            method: method.to_owned(),
            session: Some(session),
            params: serde_json::value::RawValue::from_string(params).ok(),
        })
    };
    let start =
        RunStart { input: PROMPT.to_owned(), on_busy: OnBusy::Reject, model: None, plan: None };
    [
        ClientFrame::Hello(Hello {
            v: (VERSION, VERSION),
            token: Some(TOKEN.to_owned()),
            client: ClientInfo { name: "websocat".to_owned(), version: String::new() },
            ..Hello::default()
        }),
        call(1, facts.create, "session.create", json(&SessionCreate { title: PROMPT.to_owned() })),
        ClientFrame::Attach(Attach {
            ch: Channel(1),
            session,
            after: After::Start,
            credit: None,
            window_ms: 0,
        }),
        call(2, facts.start, "run.start", json(&start)),
    ]
}

/// Address of the WebSocket of a server.
pub(super) fn socket(url: &str) -> String {
    let rest = url.strip_prefix("http").unwrap_or(url);
    format!("ws{rest}/ws")
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() // texts alone, which always serialise
}

/// A text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
