//! Where the two ports and the data are.

use super::error::Problems;
use serde::Deserialize;
use std::{net::IpAddr, path::PathBuf};

/// Section `[server]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address of the public port.
    pub host: String,
    /// Public port; 0: the system chooses.
    pub port: u16,
    /// Address of the internal port.
    pub internal_host: String,
    /// Internal port; 0: the system chooses.
    pub internal_port: u16,
    /// Folder of the embedded store.
    pub data_dir: PathBuf,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8000,
            internal_host: "127.0.0.1".to_owned(),
            internal_port: 8001,
            data_dir: PathBuf::from(".greenroom"),
        }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.port != 0 && self.port == self.internal_port && self.host == self.internal_host {
            let fix = "give the internal port another number, such as 8001";
            problems.add("server.internal_port", "it is the public port too", fix);
        }
        for (key, host) in
            [("server.host", &self.host), ("server.internal_host", &self.internal_host)]
        {
            if host.parse::<IpAddr>().is_err() && host != "localhost" {
                problems.add(key, format!("{host:?} is no address"), "use one such as 127.0.0.1");
            }
        }
        if self.data_dir.as_os_str().is_empty() {
            problems.add("server.data_dir", "it is empty", "name a folder");
        }
    }
}
