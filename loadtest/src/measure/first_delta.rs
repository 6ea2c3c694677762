//! How long the first text of an answer takes from the provider to the client.

use super::{Bench, put_on};
use crate::{
    greenroom::ServerOptions,
    load::{Load, Reader, Stream, greenroom_stream},
    report,
};
use anyhow::{Context, Result};
use clap::Args;
use greenroom_protocol::id::SessionId;
use std::time::Duration;
use uuid::Uuid;

/// Options of `first-delta`.
#[derive(Args, Clone, Debug)]
pub struct FirstDeltaOptions {
    /// How Greenroom is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Streams in all.
    #[arg(long, default_value_t = 200)]
    pub streams: usize,
    /// Tokens a second of each stream.
    #[arg(long, default_value_t = 50)]
    pub rate: u64,
    /// Tokens of each stream.
    #[arg(long, default_value_t = 100)]
    pub tokens: u64,
    /// Seconds over which they start.
    #[arg(long, default_value_t = 10)]
    pub spread_secs: u64,
}

/// Measures and prints.
///
/// # Errors
/// A server that does not start, a load of which not one stream begins.
pub async fn run(options: FirstDeltaOptions) -> Result<bool> {
    let bench = Bench::start().await?;
    let greenroom = bench.greenroom(&options.server, &[]).await?;
    let tokens = greenroom.accounts(1).await?;
    let token = tokens.first().context("one account")?;
    let model = format!("m-{}-{}", options.rate, options.tokens);
    let stream = |_| Stream {
        reader: Reader::FirstOnly,
        messages: greenroom_stream(token, SessionId::new(Uuid::now_v7()), Some(&model)),
    };
    let streams = (0..options.streams).map(stream).collect();
    let load =
        bench.load(greenroom.addr, greenroom.server.pid(), streams, Duration::from_millis(100));
    let spread = Duration::from_secs(options.spread_secs);
    let numbers = put_on(Load { spread, settle: Duration::ZERO, ..load }).await?;
    report::line(format!(
        "first delta of {} streams ({} failed): p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        numbers.started,
        numbers.failed,
        numbers.first_ms(0.5),
        numbers.first_ms(0.9),
        numbers.first_ms(0.99),
        numbers.first_ms(1.0),
    ));
    if let Some(error) = numbers.error {
        report::line(format!("one failure: {error}"));
    }
    Ok(numbers.failed == 0)
}
