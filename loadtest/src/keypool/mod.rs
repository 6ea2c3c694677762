//! The test of the key pool: scenarios with keys, limits and failures, each against a server of its
//! own, judged by what the stand-in was asked and what runs said.

mod bed;
mod scenarios;

use crate::{greenroom::ServerOptions, report};
use anyhow::{Context, Result};
use clap::Args;
use std::time::Duration;
use tokio::time::{self, Instant};

/// Options of `keypool`.
#[derive(Args, Clone, Debug)]
pub struct KeyPoolOptions {
    /// How the server is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Only scenarios whose names contain this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Seconds for one scenario.
    #[arg(long, default_value_t = 120)]
    pub deadline_secs: u64,
}

/// Plays all scenarios; false: something was not as it should be.
///
/// # Errors
/// What keeps a scenario from being carried out.
pub async fn run(options: KeyPoolOptions) -> Result<bool> {
    let deadline = Duration::from_secs(options.deadline_secs);
    let mut passed = true;
    for (name, scenario) in scenarios::ALL {
        if !name.contains(&options.only) {
            continue;
        }
        let begun = Instant::now();
        let played = time::timeout(deadline, scenario(&options.server)).await;
        let found = played.with_context(|| format!("{name}: not done within {deadline:?}"))?;
        let found = found.with_context(|| name.to_owned())?;
        let verdict = if found.is_empty() { "ok" } else { "FAILED" };
        report::line(format!("{verdict:<6} {name}, {:.1} s", begun.elapsed().as_secs_f64()));
        for what in &found {
            report::line(format!("       {what}"));
        }
        passed &= found.is_empty();
    }
    report::line(if passed { "PASSED" } else { "FAILED" });
    Ok(passed)
}
