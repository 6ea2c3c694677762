//! Which server a command talks to, and with whose token.

use super::args::ServerArgs;
use crate::{
    cli::{
        banner::quoted,
        saved::{self, Saved},
    },
    failure::Failure,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use greenroom_protocol::id::SessionId;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest wait for an answer of the REST API.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// A token that expires sooner is replaced before it is used.
const TOKEN_REST_MS: u64 = 30_000;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A server and who asks it.
#[derive(Debug)]
pub(super) struct Account {
    /// Base address of the REST API.
    base: String,
    /// The file with the tokens, where no token was given.
    file: Option<PathBuf>,
    /// The token that was given.
    token: Option<Token>,
    /// What to add to a command so that it finds the same server; never a token.
    flags: String,
}

struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Account {
    /// The server and the token of the command line, else those of `greenroom dev`.
    ///
    /// # Errors
    /// [`Failure::Usage`] where there is neither, or the address is none.
    pub(super) fn find(args: &ServerArgs, data_dir: &Path) -> Result<Self, Failure> {
        let file = saved::path(data_dir);
        let mut flags = String::new();
        if data_dir != Path::new(".greenroom") {
            flags = format!(" --data-dir {}", quoted(&data_dir.to_string_lossy()));
        }
        if let Some(url) = &args.url {
            flags += &format!(" --url {}", quoted(url));
        }
        let url = args.url.as_deref().map(base_of).transpose()?;
        let token = args.token.clone().filter(|token| !token.is_empty()).map(Token);
        if let (Some(base), Some(_)) = (&url, &token) {
            return Ok(Self { base: base.clone(), file: None, token, flags });
        }
        let saved = saved::read(&file).map_err(|error| Failure::Usage(error.to_string()))?;
        // The tokens of one server are no other server's business.
        let saved = saved.filter(|saved| url.as_ref().is_none_or(|url| *url == saved.url));
        match (saved, token) {
            (Some(saved), None) => {
                Ok(Self { base: saved.url, file: Some(file), token: None, flags })
            }
            (saved, Some(token)) => {
                let saved = || saved.map(|saved| saved.url);
                let usual = || "http://127.0.0.1:8000".to_owned();
                let base = url.or_else(saved).unwrap_or_else(usual);
                Ok(Self { base, file: None, token: Some(token), flags })
            }
            (None, None) => Err(Failure::Usage(format!(
                "there is no token for the server: {} is not there or is another server's; start \
                 `greenroom dev` in this folder, or give --url and --token (or GREENROOM_TOKEN)",
                file.display()
            ))),
        }
    }

    /// Address of the WebSocket.
    pub(super) fn socket_url(&self) -> String {
        crate::cli::banner::socket(&self.base)
    }

    /// How to come back to a session.
    pub(super) fn hint(&self, session: SessionId) -> String {
        let flags = &self.flags;
        format!(
            "follow: greenroom client attach {session}{flags}\n\
             cancel: greenroom client cancel {session}{flags}\n\
             export: greenroom client export {session} DIR{flags}"
        )
    }

    /// How to answer what a session waits with.
    pub(super) fn answer_hint(&self, session: SessionId) -> String {
        let flags = &self.flags;
        format!(
            "answer:  greenroom client respond {session} [TEXT]{flags}\n\
             decline: greenroom client respond {session} --decline{flags}"
        )
    }

    /// Base address of the server, for messages.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// A token that is valid for a while; a new one where the saved one is about to expire.
    ///
    /// # Errors
    /// [`Failure::Usage`] where there is none.
    pub(super) async fn token(&self, now_ms: u64) -> Result<String, Failure> {
        if let Some(Token(token)) = &self.token {
            return Ok(token.clone());
        }
        let saved = self.saved().ok_or_else(|| {
            Failure::Usage("the file with the token is gone; start `greenroom dev`".to_owned())
        })?;
        if saved.access_expires_at_ms > now_ms.saturating_add(TOKEN_REST_MS) {
            return Ok(saved.access_token);
        }
        // Where it cannot be renewed now, the server says what it thinks of the old one.
        Ok(self.renew(&saved.access_token).await.unwrap_or(saved.access_token))
    }

    /// A token in place of one that expires; none where nothing is known that could get one.
    pub(super) async fn renew(&self, old: &str) -> Option<String> {
        let path = self.file.as_ref()?;
        let saved = self.saved()?;
        if saved.access_token != old {
            return Some(saved.access_token); // another command has renewed it meanwhile
        }
        let refresh = Refresh { refresh_token: &saved.refresh_token };
        let login = Login { email: &saved.email, password: &saved.password };
        let tokens = match self.post("refresh", &refresh).await {
            Some(tokens) => tokens,
            None if saved.password.is_empty() => return None,
            None => self.post("login", &login).await?,
        };
        let Tokens { access_token, refresh_token, .. } = tokens;
        let access_expires_at_ms =
            tokens.expires_at_ms.or_else(|| expires_at_ms(&access_token)).unwrap_or_default();
        let renewed = Saved {
            access_token: access_token.clone(),
            refresh_token,
            access_expires_at_ms,
            ..saved
        };
        if let Err(error) = saved::write(path, &renewed) {
            tracing::warn!(%error, "the renewed token cannot be saved");
        }
        Some(access_token)
    }

    fn saved(&self) -> Option<Saved> {
        saved::read(self.file.as_ref()?).ok().flatten()
    }

    async fn post(&self, what: &str, body: &impl Serialize) -> Option<Tokens> {
        let http = reqwest::Client::builder()
            .timeout(HTTP_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none()) // it would take the password along
            .no_proxy() // as the socket, which knows of none
            .build()
            .ok()?;
        let url = format!("{}/api/v1/auth/{what}", self.base);
        let mut response = http.post(url).json(body).send().await.ok()?;
        if !response.status().is_success() {
            tracing::debug!(status = %response.status(), what, "no new token");
            return None;
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            text.extend_from_slice(&chunk);
            if text.len() > ANSWER_BYTES_MAX {
                return None;
            }
        }
        serde_json::from_slice(&text).ok()
    }
}

#[derive(Serialize)]
struct Refresh<'a> {
    refresh_token: &'a str,
}

#[derive(Serialize)]
struct Login<'a> {
    email: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    #[serde(default)]
    expires_at_ms: Option<u64>,
}

/// When a JWT expires by its own word, in milliseconds since 1970. Checks nothing.
fn expires_at_ms(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    claims.exp.checked_mul(1000)
}

/// The base address of the REST API: `ws` is `http`, a path `/ws` and a slash at the end are
/// dropped.
fn base_of(url: &str) -> Result<String, Failure> {
    let bad = |what: &str| {
        Failure::Usage(format!("{what}; write an address such as ws://127.0.0.1:8000"))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("--url has no scheme"))?;
    let scheme = match scheme {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        _ => return Err(bad("--url has an unknown scheme")),
    };
    if rest.contains(['@', '?', '#']) {
        return Err(bad("--url holds more than host and port: a token in it would reach logs"));
    }
    let host = rest.trim_end_matches('/');
    let host = host.strip_suffix("/ws").unwrap_or(host);
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(bad("--url has no host"));
    }
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests;
