//! The server under test as a process that can be killed and started again.

use crate::clock;
use anyhow::{Context, Result, bail};
use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{self, Instant};

/// How long a server may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment variables on top of our own.
    pub env: Vec<(String, String)>,
    /// Where its output goes.
    pub log: PathBuf,
    /// Address that answers `GET /readyz` with 200 once it serves.
    pub ready: SocketAddr,
}

/// A server under test. Dropped, its process is killed.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    child: Mutex<Option<Child>>,
    /// When it was killed last, in microseconds since 1970; none: not since it was started.
    killed_us: Mutex<Option<u64>>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// A program that cannot be started, ends by itself, or is not ready in time.
    pub async fn start(launch: Launch) -> Result<Arc<Self>> {
        let server =
            Arc::new(Self { launch, child: Mutex::default(), killed_us: Mutex::default() });
        server.restart().await?;
        Ok(server)
    }

    /// Starts the process again after a kill and waits until it is ready.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn restart(&self) -> Result<()> {
        let child = self.spawn()?;
        *lock(&self.child) = Some(child);
        *lock(&self.killed_us) = None;
        let deadline = Instant::now() + READY_TIMEOUT;
        let url = format!("http://{}/readyz", self.launch.ready);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                bail!("the server ended by itself ({status}):\n{}", self.log_tail());
            }
            if http.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the server was not ready within {READY_TIMEOUT:?}:\n{}", self.log_tail())
    }

    fn spawn(&self) -> Result<Child> {
        let Launch { argv, env, log, .. } = &self.launch;
        let (program, arguments) = argv.split_first().context("no program to start")?;
        let open = || -> Result<File> {
            let file = OpenOptions::new().create(true).append(true).open(log);
            file.with_context(|| format!("log file {}", log.display()))
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(env.iter().cloned());
        command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
        command.spawn().with_context(|| format!("cannot start {program}"))
    }

    /// Kills the process at once, as `kill -9` does, without waiting for its end. False: there is
    /// none.
    pub fn kill_now(&self) -> bool {
        let mut child = lock(&self.child);
        let Some(child) = child.as_mut() else { return false };
        lock(&self.killed_us).get_or_insert_with(clock::now_us);
        child.kill().is_ok()
    }

    /// Kills the process, if that was not done, and waits for its end; when it was killed, in
    /// microseconds since 1970.
    pub fn reap(&self) -> u64 {
        self.kill_now();
        if let Some(mut child) = lock(&self.child).take() {
            let _ = child.wait(); // killed: it ends
        }
        lock(&self.killed_us).unwrap_or_default()
    }

    /// How the process ended, if it did so without being killed here.
    ///
    /// # Errors
    /// A process that the system does not know.
    pub fn ended(&self) -> Result<Option<std::process::ExitStatus>> {
        let mut child = lock(&self.child);
        match child.as_mut() {
            Some(child) if lock(&self.killed_us).is_none() => Ok(child.try_wait()?),
            _ => Ok(None),
        }
    }

    /// The process, for `/proc`; 0: there is none.
    #[must_use]
    pub fn pid(&self) -> u32 {
        lock(&self.child).as_ref().map_or(0, Child::id)
    }

    /// The last lines of its output.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.launch.log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.reap();
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port on 127.0.0.1 that nobody listens on, outside of the range from which the system takes
/// ports for outgoing connections: it must still be free after a kill.
///
/// # Errors
/// No free port.
pub fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let port = 15_000 + rand::random_range(0..15_000_u16);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("found no free port between 15000 and 30000")
}
