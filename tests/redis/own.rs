//! A Redis of a test's own, which may be killed.

use greenroom::config::RedisConfig;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/services/redis.sh");

/// A Redis; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct OwnRedis {
    folder: TempDir,
    address: String,
}

impl OwnRedis {
    /// Starts one; none: there is none here, and the test is noted as skipped.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let Some(address) = start(0, folder.path()) else {
            super::skip();
            return None;
        };
        Some(Self { folder, address })
    }

    /// An address at which there is none yet; [`Self::restart`] starts it.
    pub(crate) fn absent() -> Option<Self> {
        let mut redis = Self::start()?;
        redis.kill();
        Some(redis)
    }

    /// How a node is told of it.
    pub(crate) fn config(&self) -> RedisConfig {
        RedisConfig { url: self.address.clone(), answer_ms_max: 1000, ..RedisConfig::default() }
    }

    /// Sends it a signal.
    fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.folder.path().join("redis.pid")).unwrap();
        let sent = Command::new("kill").args([signal, pid.trim()]).status().unwrap();
        assert!(sent.success(), "{signal} {pid}");
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        fs::remove_file(self.folder.path().join("redis.pid")).unwrap();
    }

    /// Stops it where it is: its connections stay, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Goes on after [`Self::freeze`].
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Starts it again at the same address, with nothing in it.
    pub(crate) fn restart(&mut self) {
        let port = self.address.rsplit(':').next().unwrap().parse().unwrap();
        let address = start(port, self.folder.path());
        assert_eq!(address.as_ref(), Some(&self.address), "its port was taken meanwhile");
    }

    /// Sends a command of one line; its answer.
    pub(crate) fn command(&self, line: &str) -> String {
        let place = self.address.trim_start_matches("redis://");
        let mut stream = TcpStream::connect(place).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "{line}\r\n").unwrap();
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..count]).into_owned()
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        if self.folder.path().join("redis.pid").exists() {
            self.kill();
        }
    }
}

fn start(port: u16, folder: &Path) -> Option<String> {
    let started = Command::new(SCRIPT).args(["start", &port.to_string()]).arg(folder).output();
    let output = started.unwrap();
    let address = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    match output.status.code() {
        Some(0) => Some(address),
        Some(69) => None,
        _ => panic!("Redis does not start: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
