//! What a node needs of its machine, checked before it is missed.
//!
//! Each check is a pure judgement of something that was measured; [`examine`] measures.

mod clock;
mod disk;
mod files;
mod port;
mod provider;
mod redis;
mod store;

use crate::config::{Config, NO_PROVIDER, NO_PROVIDER_FIX};
use futures_util::future::join_all;
use serde::Serialize;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// The node works, less well than it could.
    Warning,
    /// The node does not start, or does not serve.
    Failed,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; none where nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), state: State::Ok, found: found.into(), fix: None }
    }

    fn warning(
        subject: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (subject, found, fix) = (subject.into(), found.into(), Some(fix.into()));
        Self { subject, state: State::Warning, found, fix }
    }

    fn failed(
        subject: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (subject, found, fix) = (subject.into(), found.into(), Some(fix.into()));
        Self { subject, state: State::Failed, found, fix }
    }
}

/// Examines the machine for this configuration. Changes nothing but for a small file in the data
/// directory, or in the folder that it would be made in, which is gone afterwards.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let server = &config.server;
    let mut findings = vec![
        port::examine("public", &server.host, server.port),
        port::examine("internal", &server.internal_host, server.internal_port),
        files::judge(files::limit(), config.gateway.connections_max),
    ];
    findings.extend(disk::examine(&server.data_dir));
    findings.push(clock::judge(clock::now(), clock::last_write(&server.data_dir)));
    findings.extend(redis::examine(&config.redis).await);
    findings.extend(store::examine(&config.store).await);
    if config.providers.is_empty() {
        findings.push(Finding::failed("providers", NO_PROVIDER, NO_PROVIDER_FIX));
    }
    findings.extend(join_all(config.providers.iter().map(provider::examine)).await);
    findings
}
