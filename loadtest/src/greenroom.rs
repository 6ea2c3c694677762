//! The server under test is Greenroom: how to start it, how to get accounts on it.

use crate::process::{self, Launch, Server};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The key that the server sends to the stand-in, which repeats it where it refuses it. It must
/// reach nobody else.
pub const PROVIDER_KEY: &str = "stand-in-key";

/// How the server under test is started.
#[derive(Args, Clone, Debug)]
pub struct ServerOptions {
    /// The server's binary.
    #[arg(long)]
    pub bin: PathBuf,
    /// More environment for the server, as NAME=VALUE; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Folder for the server's data and log; none: a temporary one, removed at the end.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The session's flush window in milliseconds.
    #[arg(long, default_value_t = 40)]
    pub window: u64,
}

/// A running Greenroom and where it is.
#[derive(Debug)]
pub struct Greenroom {
    /// The process.
    pub server: Arc<Server>,
    /// The public port.
    pub addr: SocketAddr,
    /// The internal port.
    pub internal: SocketAddr,
    dir: PathBuf,
    is_temporary: bool,
}

/// What is wanted beyond [`ServerOptions`].
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// Words before the binary, such as `taskset -c 0`.
    pub prefix: Vec<String>,
    /// More environment; wins over the defaults, loses against `--env`.
    pub env: Vec<(String, String)>,
}

impl Greenroom {
    /// Starts a server whose only provider is `provider_url`, with limits out of the way.
    ///
    /// # Errors
    /// A folder that cannot be made, a server that does not become ready.
    pub async fn start(options: &ServerOptions, provider_url: &str, extra: &Extra) -> Result<Self> {
        let is_temporary = options.dir.is_none();
        let dir = options.dir.clone().unwrap_or_else(|| {
            std::env::temp_dir()
                .join(format!("greenroom-loadtest-{}", uuid::Uuid::now_v7().as_simple()))
        });
        std::fs::create_dir_all(&dir).with_context(|| format!("folder {}", dir.display()))?;
        let port = process::free_port()?;
        let mut internal = process::free_port()?;
        while internal == port {
            internal = process::free_port()?;
        }
        let mut argv = extra.prefix.clone();
        argv.extend([options.bin.display().to_string(), "serve".to_owned()]);
        let mut env = environment(&dir, [port, internal], provider_url, options.window);
        env.extend(extra.env.iter().cloned());
        for pair in &options.env {
            let (name, value) = pair.split_once('=').context("--env wants NAME=VALUE")?;
            env.push((name.to_owned(), value.to_owned()));
        }
        let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, internal));
        let launch = Launch { argv, env, log: dir.join("server.log"), ready };
        let server = Server::start(launch).await?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { server, addr, internal: ready, dir, is_temporary })
    }

    /// Keeps the folder, for whoever looks into what went wrong; where it is.
    pub fn keep(&mut self) -> &Path {
        self.is_temporary = false;
        &self.dir
    }

    /// Creates accounts, a few at a time: a password costs the server tens of milliseconds.
    ///
    /// # Errors
    /// A server that refuses one.
    pub async fn accounts(&self, count: usize) -> Result<Vec<String>> {
        let http =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let mut tokens = Vec::with_capacity(count);
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(4) {
            let created = some.iter().map(|_| self.account(&http));
            tokens.extend(futures_util::future::try_join_all(created).await?);
        }
        Ok(tokens)
    }

    async fn account(&self, http: &reqwest::Client) -> Result<String> {
        let id = uuid::Uuid::now_v7().as_simple().to_string();
        let email = format!("load-{id}@example.com");
        let body = json!({"email": email, "password": format!("Load-{id}!")});
        let url = |what: &str| format!("http://{}/api/v1/auth/{what}", self.addr);
        let created =
            answer(http.post(url("register")).json(&body)).await.context("registration")?;
        if let Some(token) = token(&created) {
            return Ok(token);
        }
        let login = answer(http.post(url("login")).json(&body)).await.context("login")?;
        token(&login).context("the login's answer has no access_token")
    }
}

impl Drop for Greenroom {
    fn drop(&mut self) {
        self.server.reap();
        if self.is_temporary {
            let _ = std::fs::remove_dir_all(&self.dir); // a leftover in the system's own folder
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}

fn token(answer: &Value) -> Option<String> {
    answer.get("access_token").and_then(Value::as_str).map(str::to_owned)
}

/// The server's configuration: one provider, all limits as wide as they go.
fn environment(
    dir: &Path,
    [port, internal]: [u16; 2],
    provider_url: &str,
    window_ms: u64,
) -> Vec<(String, String)> {
    let secret = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let values = [
        ("SERVER__HOST", "127.0.0.1".to_owned()),
        ("SERVER__PORT", port.to_string()),
        ("SERVER__INTERNAL_HOST", "127.0.0.1".to_owned()),
        ("SERVER__INTERNAL_PORT", internal.to_string()),
        ("SERVER__DATA_DIR", dir.join("data").display().to_string()),
        ("GATEWAY__CONNECTIONS_MAX", "100000".to_owned()),
        ("GATEWAY__CONNECTIONS_PER_SOURCE_MAX", "100000".to_owned()),
        ("GATEWAY__HANDSHAKES_MAX", "4096".to_owned()),
        ("GATEWAY__LIMITS__REQUESTS_PER_MINUTE", "0".to_owned()),
        ("GATEWAY__LIMITS__AUTH_PER_MINUTE", "0".to_owned()),
        ("GATEWAY__LIMITS__ACCOUNT_PER_MINUTE", "0".to_owned()),
        ("GATEWAY__LIMITS__UPGRADES_PER_MINUTE", "0".to_owned()),
        ("AUTH__JWT_SECRET", secret),
        ("AUTH__ACCESS_SECS", "86400".to_owned()),
        ("AUTH__BCRYPT_COST", "10".to_owned()),
        ("AUTH__HASH_WAIT_SECS", "60".to_owned()),
        ("LIMITS__SOCKETS_PER_USER_MAX", "10000".to_owned()),
        ("LIMITS__ATTACHMENTS_PER_SOCKET_MAX", "10000".to_owned()),
        ("LIMITS__MESSAGES_PER_MINUTE", "1000000".to_owned()),
        ("LIMITS__MESSAGES_BURST", "1000000".to_owned()),
        ("LIMITS__RUNS_PER_MINUTE", "1000000".to_owned()),
        ("LIMITS__RUNS_BURST", "1000000".to_owned()),
        ("SESSION__WINDOW_MS", window_ms.to_string()),
        ("SESSION__WINDOW_MAX_MS", window_ms.max(250).to_string()),
        ("RUNS__PER_USER_MAX", "10000".to_owned()),
        ("RUNS__PROVIDER_CALLS_MAX", "10000".to_owned()),
        ("PROVIDERS__STANDIN__KIND", "custom".to_owned()),
        ("PROVIDERS__STANDIN__BASE_URL", provider_url.to_owned()),
        ("PROVIDERS__STANDIN__MODEL", "app-100-default".to_owned()),
        ("PROVIDERS__STANDIN__API_KEY", PROVIDER_KEY.to_owned()),
        ("PROVIDERS__STANDIN__TIMEOUTS__STALL_MS", "2000".to_owned()),
        ("PROVIDERS__STANDIN__TIMEOUTS__FIRST_CONTENT_MS", "5000".to_owned()),
        ("LOG__LEVEL", "warn".to_owned()),
    ];
    values.map(|(key, value)| (format!("GREENROOM__{key}"), value)).into()
}
