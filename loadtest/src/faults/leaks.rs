//! What a server holds: tasks, descriptors, connections. Nothing of it may grow with what it did.

use crate::{greenroom::Greenroom, provider::Provider};
use anyhow::{Context, Result};
use std::{fmt, time::Duration};
use tokio::time::{self, Instant};

/// How long a server may take to give back what it held for clients and runs that are gone. A
/// common client of HTTP looks after its idle connections every 30 s, by a task that ends only then.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(45);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So many looks that are alike make it quiet.
const ALIKE: usize = 15;

/// What a server holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Tasks of its runtime that have not ended.
    pub tasks: u64,
    /// Its file descriptors.
    pub descriptors: u64,
    /// Sessions in its memory.
    pub sessions: u64,
    /// Runs under way.
    pub runs: u64,
    /// Sockets of clients.
    pub sockets: u64,
    /// Connections to the provider, as the provider counts them.
    pub provider_connections: u64,
    /// Calls to the provider that go on.
    pub provider_calls: u64,
}

impl Held {
    /// Whether this holds nothing for anybody.
    const fn is_idle(&self) -> bool {
        let Self { sessions, runs, sockets, provider_connections, provider_calls, .. } = *self;
        sessions + runs + sockets + provider_connections + provider_calls == 0
    }

    /// Whether this holds no more than `before`.
    const fn fits(&self, before: &Self) -> bool {
        self.is_idle() && self.tasks <= before.tasks && self.descriptors <= before.descriptors
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, descriptors, sessions, runs, sockets, .. } = self;
        let (connections, calls) = (self.provider_connections, self.provider_calls);
        write!(
            f,
            "{tasks} tasks, {descriptors} descriptors, {sessions} sessions, {runs} runs, \
             {sockets} sockets, {connections} connections to the provider with {calls} calls"
        )
    }
}

/// Waits until a server without clients holds nothing for anybody, and as much otherwise as a
/// moment before, and no more than `before`; what it holds then, or still.
///
/// # Errors
/// Metrics that cannot be read.
pub async fn settle(
    greenroom: &Greenroom,
    provider: &Provider,
    before: Option<&Held>,
) -> Result<Held> {
    // As providers do after a while: a connection that is kept for the next call is no leak.
    provider.connections().hang_up();
    // One connection for all looks: each of them counts it, and none that is just closing.
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let mut last = held(&http, greenroom, provider).await?;
    let mut alike = 0;
    while Instant::now() < deadline {
        time::sleep(LOOK_EVERY).await;
        let now = held(&http, greenroom, provider).await?;
        alike = if now == last { alike + 1 } else { 0 };
        last = now;
        let is_settled = before.map_or_else(|| now.is_idle(), |before| now.fits(before));
        if is_settled && alike >= ALIKE {
            break;
        }
    }
    Ok(last)
}

/// What is wrong with what a server holds in the end.
#[must_use]
pub fn leak(before: &Held, after: &Held) -> Option<String> {
    (!after.fits(before)).then(|| format!("before: {before}; after: {after}"))
}

async fn held(http: &reqwest::Client, greenroom: &Greenroom, provider: &Provider) -> Result<Held> {
    let url = format!("http://{}/metrics", greenroom.internal);
    let text = http.get(url).send().await?.text().await?;
    let metric = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).with_context(|| format!("no metric {name}"))
    };
    let pid = greenroom.server.pid();
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).context("descriptors")?.count();
    Ok(Held {
        tasks: metric("greenroom_runtime_tasks_alive")?,
        descriptors: descriptors as u64,
        sessions: metric("greenroom_sessions_live")?,
        runs: metric("greenroom_runs_active")?,
        sockets: metric("greenroom_ws_connections")?,
        provider_connections: provider.connections().open() as u64,
        provider_calls: provider.connections().busy() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grew_is_a_leak_and_what_is_idle_is_none() {
        let before = Held { tasks: 12, descriptors: 30, ..Held::default() };
        assert_eq!(leak(&before, &before), None);
        assert_eq!(leak(&before, &Held { tasks: 11, ..before }), None);
        for after in [
            Held { tasks: 13, ..before },
            Held { descriptors: 31, ..before },
            Held { sessions: 1, ..before },
            Held { provider_connections: 1, ..before },
        ] {
            assert!(leak(&before, &after).is_some_and(|what| what.contains("after")), "{after}");
        }
    }
}
