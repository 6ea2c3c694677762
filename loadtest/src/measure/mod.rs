//! Measurements: each puts a load on a server of its own and prints what it cost.
//!
//! With two cores the server under test has core 0 for itself; provider and clients share core 1.

pub mod compare;
pub mod first_delta;
pub mod hostile;
pub mod idle;
pub mod slow;

use crate::{
    greenroom::{Extra, Greenroom, ServerOptions},
    load::{self, Load, Stream, Until, pin},
    process,
};
use anyhow::{Context, Result};
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{net::TcpStream, time};

/// The stand-in provider in a process of its own, so that its CPU time can be told apart.
#[derive(Debug)]
struct ProviderProcess {
    child: Child,
    addr: SocketAddr,
}

impl ProviderProcess {
    async fn start() -> Result<Self> {
        let port = process::free_port()?;
        let own = std::env::current_exe().context("our own binary")?;
        let child = Command::new(own)
            .args(["provider", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .context("the stand-in provider")?;
        let provider = Self { child, addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        wait_for(provider.addr).await?;
        Ok(provider)
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ProviderProcess {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Waits until a port answers.
async fn wait_for(addr: SocketAddr) -> Result<()> {
    for _ in 0..500 {
        if TcpStream::connect(addr).await.is_ok() {
            return Ok(());
        }
        time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("nothing listens on {addr} after 10 s")
}

/// What every measurement of Greenroom needs.
#[derive(Debug)]
struct Bench {
    provider: ProviderProcess,
    /// Words before a server's command that put it on its core.
    prefix: Vec<String>,
}

impl Bench {
    async fn start() -> Result<Self> {
        let prefix = pin::pin(); // before anything is started, which inherits it
        Ok(Self { provider: ProviderProcess::start().await?, prefix })
    }

    async fn greenroom(
        &self,
        options: &ServerOptions,
        env: &[(&str, String)],
    ) -> Result<Greenroom> {
        let named = |(key, value): &(&str, String)| (format!("GREENROOM__{key}"), value.clone());
        let extra = Extra { prefix: self.prefix.clone(), env: env.iter().map(named).collect() };
        Greenroom::start(options, &self.provider.url(), &extra).await
    }

    /// A load of streams that begin with their first stamp.
    fn load(&self, addr: SocketAddr, pid: u32, streams: Vec<Stream>, window: Duration) -> Load {
        Load {
            addr,
            path: "/ws".to_owned(),
            streams,
            spread: Duration::from_secs(1),
            until: Until::Stamp,
            begin_timeout: Duration::from_secs(60),
            settle: Duration::from_secs(2),
            window,
            pids: [pid, self.provider.pid()],
        }
    }
}

/// Runs a load without holding up the runtime.
async fn put_on(load: Load) -> Result<load::Numbers> {
    tokio::task::spawn_blocking(move || load.run()).await.context("the load client")?
}

/// The middle one of some values.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median([]).is_nan());
    }
}
