//! Another relay and Greenroom, one after the other in each round, fed by the same provider.

use super::{Bench, median, put_on, wait_for};
use crate::{
    greenroom::ServerOptions,
    load::{Load, Numbers, Reader, Stream, greenroom_stream},
    process, report,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use greenroom_protocol::id::SessionId;
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};
use uuid::Uuid;

/// Options of `compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareOptions {
    /// How Greenroom is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Command that starts the other relay, for `sh`, with {port} and {upstream} (HOST:PORT): a
    /// WebSocket client's first message is an OpenAI request, deltas come back in frames.
    #[arg(long)]
    pub against: String,
    /// Path of the other relay's WebSocket.
    #[arg(long, default_value = "/ws")]
    pub against_path: String,
    /// Streams at a time.
    #[arg(long, default_value_t = 500)]
    pub streams: usize,
    /// Tokens a second of each stream.
    #[arg(long, default_value_t = 50)]
    pub rate: u64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 4)]
    pub secs: u64,
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
}

/// The other relay's process.
struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// Runs the comparison and prints it.
///
/// # Errors
/// A server that does not start, a load of which not one stream begins.
pub async fn run(options: CompareOptions) -> Result<bool> {
    let bench = Bench::start().await?;
    let (mut relay, mut engine) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        for (name, rows) in [("relay", &mut relay), ("greenroom", &mut engine)] {
            let numbers = if name == "relay" {
                relay_round(&bench, &options).await
            } else {
                engine_round(&bench, &options).await
            };
            let numbers = numbers.with_context(|| format!("round {round}, {name}"))?;
            report::line(row(&format!("round {round} {name}"), &numbers));
            rows.push(numbers);
        }
    }
    let ratios = relay
        .iter()
        .zip(&engine)
        .map(|(relay, engine)| engine.us_per_delta() / relay.us_per_delta());
    let ratios: Vec<f64> = ratios.collect();
    for (name, rows) in [("relay", &relay), ("greenroom", &engine)] {
        report::line(format!(
            "median {name:<10} {:6.1} us/delta, p50 {:6.2} ms, p99 {:6.2} ms, first p99 {:6.2} ms, {:6.1} KB/stream",
            median(rows.iter().map(Numbers::us_per_delta)),
            median(rows.iter().map(|row| row.late_ms(0.5))),
            median(rows.iter().map(|row| row.late_ms(0.99))),
            median(rows.iter().map(|row| row.first_ms(0.99))),
            median(rows.iter().map(kilobytes)),
        ));
    }
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    report::line(format!(
        "CPU per delta, greenroom / relay: median {:.2} ({low:.2} to {high:.2})",
        median(ratios)
    ));
    Ok(true)
}

#[expect(clippy::cast_precision_loss, reason = "a few kilobytes")]
fn kilobytes(numbers: &Numbers) -> f64 {
    numbers.rss_per_stream() as f64 / 1000.0
}

fn row(name: &str, numbers: &Numbers) -> String {
    let [server, ..] = numbers.cpu_secs;
    let failed = match (&numbers.error, numbers.failed) {
        (_, 0) => String::new(),
        (error, n) => format!(", {n} FAILED: {}", error.clone().unwrap_or_default()),
    };
    format!(
        "{name:<18} {:6.1} us/delta, {} deltas in {:.2} s, server {:3.0} %, tools {:3.0} %, \
         p50 {:6.2} p99 {:6.2} ms, first p50 {:6.2} p99 {:6.2} ms, {:5.1} KB/stream, {} streams{failed}",
        numbers.us_per_delta(),
        numbers.deltas,
        numbers.wall_secs,
        server / numbers.wall_secs * 100.0,
        numbers.tools_share() * 100.0,
        numbers.late_ms(0.5),
        numbers.late_ms(0.99),
        numbers.first_ms(0.5),
        numbers.first_ms(0.99),
        kilobytes(numbers),
        numbers.started,
    )
}

fn model(options: &CompareOptions) -> String {
    format!("m-{}-100000", options.rate)
}

async fn relay_round(bench: &Bench, options: &CompareOptions) -> Result<Numbers> {
    let port = process::free_port()?;
    let upstream = bench.provider.addr.to_string();
    let command =
        options.against.replace("{port}", &port.to_string()).replace("{upstream}", &upstream);
    let argv = [
        bench.prefix.clone(),
        ["sh", "-c"].map(str::to_owned).into(),
        vec![format!("exec {command}")],
    ]
    .concat();
    let (program, arguments) = argv.split_first().context("a command")?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start the relay: {command}"))?;
    let mut relay = Relay(child);
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait_for(addr).await?;
    if let Some(status) = relay.0.try_wait()? {
        bail!("the relay ended by itself ({status}): {command}");
    }
    let request = serde_json::json!({
        "model": model(options), "stream": true, "messages": [{"role": "user", "content": "go"}],
    });
    let stream = Stream { reader: Reader::Fast, messages: vec![request.to_string()] };
    let streams = vec![stream; options.streams];
    let window = Duration::from_secs(options.secs);
    let load = bench.load(addr, relay.0.id(), streams, window);
    put_on(Load { path: options.against_path.clone(), ..load }).await
}

async fn engine_round(bench: &Bench, options: &CompareOptions) -> Result<Numbers> {
    let greenroom = bench.greenroom(&options.server, &[]).await?;
    let tokens = greenroom.accounts(1).await?;
    let token = tokens.first().context("one account")?;
    let model = model(options);
    let stream = |_| Stream {
        reader: Reader::Fast,
        messages: greenroom_stream(token, SessionId::new(Uuid::now_v7()), Some(&model)),
    };
    let streams = (0..options.streams).map(stream).collect();
    let window = Duration::from_secs(options.secs);
    put_on(bench.load(greenroom.addr, greenroom.server.pid(), streams, window)).await
}
