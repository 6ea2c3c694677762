//! What slow readers do to everybody else.

use super::{Bench, idle::megabytes, put_on};
use crate::{
    greenroom::{Greenroom, ServerOptions},
    load::{Load, Numbers, Reader, Stream, greenroom_follow, greenroom_stream},
    report,
};
use anyhow::{Context, Result};
use clap::Args;
use greenroom_protocol::id::SessionId;
use std::time::Duration;
use uuid::Uuid;

/// Options of `slow`.
#[derive(Args, Clone, Debug)]
pub struct SlowOptions {
    /// How Greenroom is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Sessions that stream to readers who keep up.
    #[arg(long, default_value_t = 8)]
    pub sessions: usize,
    /// Tokens a second of each.
    #[arg(long, default_value_t = 500)]
    pub rate: u64,
    /// Bytes a second that the slow reader takes.
    #[arg(long, default_value_t = 1024)]
    pub bytes_per_sec: usize,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 10)]
    pub secs: u64,
    /// Highest p99 of the others that passes, as a multiple of that without slow readers.
    #[arg(long, default_value_t = 1.5)]
    pub ratio_max: f64,
}

/// Measures without and with two slow readers, and prints.
///
/// # Errors
/// A server that does not start, a load of which not one stream begins.
pub async fn run(options: SlowOptions) -> Result<bool> {
    let bench = Bench::start().await?;
    let mut rows = Vec::new();
    for slow in [false, true] {
        let greenroom = bench.greenroom(&options.server, &[]).await?;
        let numbers = round(&bench, &greenroom, &options, slow).await?;
        let [before, after] = numbers.rss_bytes;
        report::line(format!(
            "{:<20} p50 {:7.2} ms, p99 {:7.2} ms, RSS {:.1} MB -> {:.1} MB, {} deltas, {} failed",
            if slow { "with slow readers" } else { "without" },
            numbers.late_ms(0.5),
            numbers.late_ms(0.99),
            megabytes(before),
            megabytes(after),
            numbers.deltas,
            numbers.failed,
        ));
        rows.push(numbers);
    }
    let [without, with] = rows.as_slice() else { return Ok(false) };
    let ratio = with.late_ms(0.99) / without.late_ms(0.99);
    let grown =
        |numbers: &Numbers| megabytes(numbers.rss_bytes[1]) - megabytes(numbers.rss_bytes[0]);
    report::line(format!(
        "p99 of the others: {ratio:.2} times; RSS grew by {:.1} MB instead of {:.1} MB",
        grown(with),
        grown(without),
    ));
    Ok(ratio <= options.ratio_max)
}

async fn round(
    bench: &Bench,
    greenroom: &Greenroom,
    options: &SlowOptions,
    slow: bool,
) -> Result<Numbers> {
    let tokens = greenroom.accounts(1).await?;
    let token = tokens.first().context("one account")?;
    let model = format!("m-{}-10000000", options.rate);
    let sessions: Vec<_> =
        (0..options.sessions.max(2)).map(|_| SessionId::new(Uuid::now_v7())).collect();
    let quick = |session: &SessionId| Stream {
        reader: Reader::Fast,
        messages: greenroom_stream(token, *session, Some(&model)),
    };
    let mut streams: Vec<_> = sessions.iter().map(quick).collect();
    if slow {
        let readers = [Reader::BytesPerSec(options.bytes_per_sec), Reader::Stopped];
        // They come last: the sessions that they follow exist by then.
        streams.extend(sessions.iter().zip(readers).map(|(session, reader)| Stream {
            reader,
            messages: greenroom_follow(token, *session),
        }));
    }
    let window = Duration::from_secs(options.secs);
    let load = bench.load(greenroom.addr, greenroom.server.pid(), streams, window);
    put_on(Load { spread: Duration::from_secs(2), ..load }).await
}
