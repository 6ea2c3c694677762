//! What hostile clients do to everybody else, and how long they are let.

use super::{Bench, idle::megabytes, put_on};
use crate::{
    greenroom::{Greenroom, ServerOptions},
    hostile::{Attack, Kind, Outcome, UnderWay},
    load::{Numbers, Reader, Stream, greenroom_stream},
    report,
};
use anyhow::{Context, Result};
use clap::Args;
use greenroom_protocol::id::SessionId;
use std::time::Duration;
use tokio::time;
use uuid::Uuid;

/// Longest that the server may hold a hostile socket.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// Most resident bytes of the server for a hostile socket.
const RSS_BYTES_MAX: u64 = 64 * 1024;

/// Options of `hostile`.
#[derive(Args, Clone, Debug)]
pub struct HostileOptions {
    /// How Greenroom is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Sockets that connect and say nothing.
    #[arg(long, default_value_t = 2000)]
    pub idle: usize,
    /// Sockets of each other kind.
    #[arg(long, default_value_t = 250)]
    pub each: usize,
    /// Milliseconds between two bytes of those that are slow.
    #[arg(long, default_value_t = 500)]
    pub drip_ms: u64,
    /// Milliseconds from being closed to coming back, on average.
    #[arg(long, default_value_t = 1000)]
    pub again_ms: u64,
    /// Sessions of the honest clients, which stream.
    #[arg(long, default_value_t = 8)]
    pub sessions: usize,
    /// Tokens a second of each.
    #[arg(long, default_value_t = 500)]
    pub rate: u64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 15)]
    pub secs: u64,
    /// Rounds, each without and with the attack; the middle ratio counts.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Highest p99 of the honest clients that passes, as a multiple of that without the attack.
    #[arg(long, default_value_t = 2.0)]
    pub ratio_max: f64,
}

/// Measures and prints.
///
/// # Errors
/// A server that does not start, a load of which not one stream begins.
pub async fn run(options: HostileOptions) -> Result<bool> {
    let bench = Bench::start().await?;
    let (mut ratios, mut passed) = (Vec::new(), true);
    for _ in 0..options.rounds.max(1) {
        let without = quiet(&bench, &options).await?;
        let (with, outcome) = attacked(&bench, &options).await?;
        passed &= show(&outcome);
        for (name, numbers) in [("without", &without), ("attacked", &with)] {
            let [server, _, clients] = numbers.cpu_secs;
            report::line(format!(
                "honest, {name:<8} p50 {:7.2} ms, p99 {:7.2} ms, {} deltas, {} failed; \
                 of a core the server took {:.0} %, the clients {:.0} %",
                numbers.late_ms(0.5),
                numbers.late_ms(0.99),
                numbers.deltas,
                numbers.failed,
                server / numbers.wall_secs * 100.0,
                clients / numbers.wall_secs * 100.0,
            ));
            passed &= numbers.failed == 0;
        }
        ratios.push(with.late_ms(0.99) / without.late_ms(0.99));
    }
    let ratio = super::median(ratios.iter().copied());
    passed &= ratio <= options.ratio_max;
    let all: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    report::line(format!(
        "{}: honest p99 is {ratio:.2} times that without the attack ({})",
        if passed { "PASSED" } else { "FAILED" },
        all.join(", "),
    ));
    Ok(passed)
}

async fn quiet(bench: &Bench, options: &HostileOptions) -> Result<Numbers> {
    let greenroom = bench.greenroom(&options.server, &[]).await?;
    honest(bench, &greenroom, options).await
}

async fn attacked(bench: &Bench, options: &HostileOptions) -> Result<(Numbers, Outcome)> {
    let greenroom = bench.greenroom(&options.server, &[]).await?;
    let token = greenroom.accounts(1).await?.pop().context("one account")?;
    let kinds = Kind::ALL.iter().map(|kind| match kind {
        Kind::Idle => (*kind, options.idle),
        Kind::SlowHead
        | Kind::SlowBody
        | Kind::HeaderFlood
        | Kind::SilentSocket
        | Kind::FragmentFlood
        | Kind::SlowFragments => (*kind, options.each),
    });
    let attack = Attack {
        addr: greenroom.addr,
        pid: greenroom.server.pid(),
        sockets: kinds.collect(),
        token,
        drip: Duration::from_millis(options.drip_ms),
        again: Duration::from_millis(options.again_ms),
    };
    // Alone at first, so that the server's memory is that of the attack.
    let memory = attack.clone().begin()?;
    time::sleep(CLOSED_WITHIN + Duration::from_secs(2)).await;
    let memory = end(memory).await?;
    let under_way = attack.begin()?;
    let numbers = honest(bench, &greenroom, options).await;
    let outcome = end(under_way).await?;
    let Outcome { rss_bytes, open_at_peak, .. } = memory;
    Ok((numbers?, Outcome { rss_bytes, open_at_peak, ..outcome }))
}

async fn end(attack: UnderWay) -> Result<Outcome> {
    tokio::task::spawn_blocking(|| attack.end()).await.context("the hostile clients")?
}

/// Streams to clients that keep up.
async fn honest(bench: &Bench, greenroom: &Greenroom, options: &HostileOptions) -> Result<Numbers> {
    let token = greenroom.accounts(1).await?.pop().context("one account")?;
    let model = format!("m-{}-10000000", options.rate);
    let stream = |_| Stream {
        reader: Reader::Fast,
        messages: greenroom_stream(&token, SessionId::new(Uuid::now_v7()), Some(&model)),
    };
    let streams = (0..options.sessions.max(1)).map(stream).collect();
    let window = Duration::from_secs(options.secs);
    put_on(bench.load(greenroom.addr, greenroom.server.pid(), streams, window)).await
}

/// Prints what became of the hostile sockets; false: the server let one too much.
fn show(outcome: &Outcome) -> bool {
    let mut passed = true;
    for fate in &outcome.fates {
        let longest = fate.longest();
        let is_good = longest <= CLOSED_WITHIN && !fate.closed_ms.is_empty();
        passed &= is_good;
        report::line(format!(
            "{:<18} {:5} at once, closed {:6} times: after {:6.2} s in the middle, {:6.2} s at most{}",
            fate.kind.name(),
            fate.sockets,
            fate.closed_ms.len(),
            seconds(fate.closed_ms.value_at_quantile(0.5)),
            longest.as_secs_f64(),
            if is_good { "" } else { "  TOO LONG" },
        ));
    }
    let [before, peak] = outcome.rss_bytes;
    let each = outcome.rss_per_socket();
    report::line(format!(
        "{each} bytes of RSS a hostile socket ({:.1} MB -> {:.1} MB, {} open)",
        megabytes(before),
        megabytes(peak),
        outcome.open_at_peak,
    ));
    passed && each <= RSS_BYTES_MAX
}

#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
