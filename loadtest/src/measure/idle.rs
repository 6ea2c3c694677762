//! What a connected user costs who does nothing.

use super::{Bench, put_on};
use crate::{
    greenroom::ServerOptions,
    load::{Load, Reader, Stream, Until, greenroom_stream},
    report,
};
use anyhow::Result;
use clap::Args;
use greenroom_protocol::id::SessionId;
use std::time::Duration;
use uuid::Uuid;

/// Options of `idle`.
#[derive(Args, Clone, Debug)]
pub struct IdleOptions {
    /// How Greenroom is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Connected users, each attached to one session.
    #[arg(long, default_value_t = 10_000)]
    pub users: usize,
    /// Accounts that they share; none: each has its own, which takes the server some 50 ms of
    /// CPU apiece to create.
    #[arg(long)]
    pub accounts: Option<usize>,
    /// Seconds after which a session hibernates.
    #[arg(long, default_value_t = 2)]
    pub hibernate_secs: u64,
    /// Seconds between the last connect and the measurement.
    #[arg(long, default_value_t = 15)]
    pub settle_secs: u64,
    /// Connects a second.
    #[arg(long, default_value_t = 1000)]
    pub connects_per_sec: u64,
}

/// Measures and prints.
///
/// # Errors
/// A server that does not start, or that takes no user.
pub async fn run(options: IdleOptions) -> Result<bool> {
    let bench = Bench::start().await?;
    let hibernate = ("SESSION__HIBERNATE_AFTER_SECS", options.hibernate_secs.max(1).to_string());
    let greenroom = bench.greenroom(&options.server, &[hibernate]).await?;
    let accounts = options.accounts.unwrap_or(options.users).clamp(1, options.users.max(1));
    report::line(format!("creating {accounts} accounts"));
    let tokens = greenroom.accounts(accounts).await?;
    let stream = |token: &String| Stream {
        reader: Reader::Fast,
        messages: greenroom_stream(token, SessionId::new(Uuid::now_v7()), None),
    };
    let streams: Vec<_> = tokens.iter().cycle().take(options.users).map(stream).collect();
    let load = bench.load(greenroom.addr, greenroom.server.pid(), streams, Duration::from_secs(5));
    let spread = Duration::from_secs(options.users as u64 / options.connects_per_sec.max(1) + 1);
    let settle = Duration::from_secs(options.settle_secs);
    let until = Until::Text(r#""type":"caught_up""#);
    let numbers = put_on(Load { spread, settle, until, ..load }).await?;
    let [before, after] = numbers.rss_bytes;
    let [server, ..] = numbers.cpu_secs;
    report::line(format!(
        "{} users over {accounts} accounts ({} failed): {} bytes of RSS a user ({:.1} MB -> {:.1} MB), \
         {:.2} % of a core at rest",
        numbers.started,
        numbers.failed,
        numbers.rss_per_stream(),
        megabytes(before),
        megabytes(after),
        server / numbers.wall_secs * 100.0,
    ));
    if let Some(error) = numbers.error {
        report::line(format!("one failure: {error}"));
    }
    Ok(numbers.failed == 0)
}

#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 bytes")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
