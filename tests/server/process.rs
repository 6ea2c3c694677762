//! The process: started, killed, asked over REST.

use super::{soon, until};
use greenroom_protocol::id::SessionId;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Where a server keeps its data, which ports it has, and its configuration. Outlives its process.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    public: u16,
    internal: u16,
    env: Vec<(String, OsString)>,
}

/// A server that runs; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) email: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

impl Site {
    /// The stand-in answers, as fast as it is read.
    pub(crate) fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            public: free_port(),
            internal: free_port(),
            env: Vec::new(),
        };
        fs::create_dir(site.folder.path().join("data")).unwrap();
        site.with("GREENROOM__RUNS__PROVIDER", "demo")
            .with("GREENROOM__PROVIDERS__DEMO__FIRST_TOKEN_MS", "0")
            .with("GREENROOM__AUTH__BCRYPT_COST", "10")
            .paced(0)
    }

    /// The stand-in writes so many tokens a second; 0: as fast as it is read.
    pub(crate) fn paced(self, tokens_per_second: u32) -> Self {
        let key = "GREENROOM__PROVIDERS__DEMO__TOKENS_PER_SECOND";
        self.with(key, tokens_per_second.to_string())
    }

    /// Another server answers: a base URL of an OpenAI-compatible API.
    pub(crate) fn answered_by(self, base_url: &str) -> Self {
        self.with("GREENROOM__RUNS__PROVIDER", "custom")
            .with("GREENROOM__PROVIDERS__CUSTOM__BASE_URL", base_url)
            .with("GREENROOM__PROVIDERS__CUSTOM__MODEL", "a-model")
    }

    /// Sets a variable of the server.
    pub(crate) fn with(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.retain(|(known, _)| known != key);
        self.env.push((key.to_owned(), value.into()));
        self
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place for files of the test.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `greenroom` with these arguments and nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
        command.env_clear().args(args).current_dir(self.folder.path());
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("GREENROOM__SERVER__DATA_DIR", self.data());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// `greenroom` with these arguments, as configured.
    pub(crate) fn configured(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }

    /// `greenroom serve` as configured.
    pub(crate) fn serve(&self) -> Command {
        let mut command = self.configured(&["serve"]);
        command.env("GREENROOM__SERVER__PORT", self.public.to_string());
        command.env("GREENROOM__SERVER__INTERNAL_PORT", self.internal.to_string());
        command
    }

    /// `greenroom client` against this server.
    pub(crate) fn client(&self, user: &User, args: &[&str]) -> Command {
        let mut command = self.command(&["client"]);
        command.args(["--url", &format!("http://127.0.0.1:{}", self.public)]);
        command.env("GREENROOM_TOKEN", &user.access).args(args);
        command
    }

    /// Begins `client generate` into the folder `out`; the session, once it is there.
    pub(crate) async fn generate(&self, user: &User, prompt: &str) -> (Child, SessionId) {
        let errors = self.place("generate.log");
        let mut command = self.client(user, &["generate", prompt, "--out", "out"]);
        command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap());
        let child = command.spawn().unwrap();
        let session = until("session", async || {
            let said = fs::read_to_string(&errors).unwrap();
            let line = said.lines().find_map(|line| line.trim().strip_prefix("session "))?;
            line.parse().ok()
        });
        (child, session.await)
    }

    /// Starts the server and waits until it serves.
    pub(crate) async fn start(&self) -> Server {
        let mut count = 0;
        let log = loop {
            count += 1;
            let log = self.folder.path().join(format!("log.{count}"));
            if !log.exists() {
                break log;
            }
        };
        let file = File::create(&log).unwrap();
        let mut command = self.serve();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut server = Server {
            child: command.spawn().unwrap(),
            log,
            public: address(self.public),
            internal: address(self.internal),
        };
        until("readiness", async || {
            let log = server.log();
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {ended:?}");
            log.contains("\"msg\":\"serving\"").then_some(())
        })
        .await;
        server
    }
}

impl Server {
    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; the exit code.
    pub(crate) async fn exit(&mut self) -> Option<i32> {
        soon("end of the server", self.child.wait()).await.unwrap().code()
    }

    /// Signs up.
    pub(crate) async fn register(&self, name: &str) -> User {
        let email = format!("{name}@example.org");
        let body = json!({ "email": email, "password": PASSWORD });
        let (status, answer) = self.post("/api/v1/auth/register", None, &body).await;
        assert_eq!(status, 201, "{answer}");
        user(email, &answer)
    }

    /// Signs in.
    pub(crate) async fn login(&self, user: &User) -> User {
        let body = json!({ "email": user.email, "password": PASSWORD });
        let (status, answer) = self.post("/api/v1/auth/login", None, &body).await;
        assert_eq!(status, 200, "{answer}");
        self::user(user.email.clone(), &answer)
    }

    /// New tokens by the refresh token.
    pub(crate) async fn refresh(&self, user: &User) -> User {
        let body = json!({ "refresh_token": user.refresh });
        let (status, answer) = self.post("/api/v1/auth/refresh", None, &body).await;
        assert_eq!(status, 200, "{answer}");
        self::user(user.email.clone(), &answer)
    }

    /// A ticket for one WebSocket.
    pub(crate) async fn ticket(&self, user: &User) -> String {
        let answer = self.post("/api/v1/ws/ticket", Some(user), &json!({})).await;
        assert_eq!(answer.0, 201, "{answer:?}");
        answer.1["ticket"].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, user: Option<&User>, body: &Value) -> (u16, Value) {
        let mut request = http().post(format!("http://{}{path}", self.public)).json(body);
        if let Some(user) = user {
            request = request.bearer_auth(&user.access);
        }
        let answer = soon("answer", request.send()).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// An answer of the internal port.
    pub(crate) async fn internal(&self, path: &str) -> (u16, String) {
        let request = http().get(format!("http://{}{path}", self.internal));
        let answer = soon("answer", request.send()).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}", self.log());
        }
    }
}

fn user(email: String, answer: &Value) -> User {
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    User { email, access: text("access_token"), refresh: text("refresh_token") }
}

pub(super) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Runs a command to its end.
pub(crate) async fn output(command: &mut Command) -> Output {
    soon("end of the command", command.output()).await.unwrap()
}

/// Runs git; its output. None, said aloud, where this machine has none.
pub(crate) async fn git(args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").kill_on_drop(true);
    let Ok(run) = soon("end of git", command.output()).await else {
        eprintln!("skipped: this machine has no git, so that nothing can check the export");
        return None;
    };
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "git {args:?}: {errors}");
    assert!(!errors.contains("warning") && !errors.contains("error"), "git {args:?}: {errors}");
    Some(String::from_utf8(run.stdout).unwrap())
}

/// All files of a folder by their paths, without what git and the client keep there themselves.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).unwrap() {
            let path = item.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if name == ".git" || name == ".greenroom-session.json" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// A port that nothing listens on, and that the system gives to nobody by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random()));
    loop {
        let port = 20_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
