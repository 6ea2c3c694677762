//! `greenroom-loadtest`: see `--help`.

use anyhow::Result;
use clap::{Parser, Subcommand};
use greenroom_loadtest::{
    crash::{self, CrashOptions},
    faults::{self, FaultsOptions},
    keypool::{self, KeyPoolOptions},
    measure::{
        compare::{self, CompareOptions},
        first_delta::{self, FirstDeltaOptions},
        hostile::{self, HostileOptions},
        idle::{self, IdleOptions},
        slow::{self, SlowOptions},
    },
    provider::{Options, Provider},
};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a stand-in for a model's API until it is interrupted.
    Provider(Options),
    /// Kills a server again and again and checks what its clients saw.
    Crash(CrashOptions),
    /// Plays every fault of a provider, alone and in mixtures, and checks what runs make of them.
    Faults(FaultsOptions),
    /// Plays limits, cooldowns and bad keys, and checks who is asked, and when.
    Keypool(KeyPoolOptions),
    /// Measures a server against another relay, alternately, with the same provider.
    Compare(CompareOptions),
    /// Measures the memory of connected users who do nothing.
    Idle(IdleOptions),
    /// Measures what slow readers do to everybody else.
    Slow(SlowOptions),
    /// Measures how long hostile clients are let, and what they do to everybody else.
    Hostile(HostileOptions),
    /// Measures the time of the first text from the provider to the client.
    FirstDelta(FirstDeltaOptions),
}

/// 0: passed; 1: it did not pass; 2: it could not be carried out.
#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<bool> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(match Cli::parse().command {
        Command::Provider(options) => {
            let provider = Provider::start(options)?;
            tracing::info!(addr = %provider.addr(), "stand-in provider");
            tokio::signal::ctrl_c().await?;
            true
        }
        Command::Crash(options) => crash::run(options).await?,
        Command::Faults(options) => faults::run(options).await?,
        Command::Keypool(options) => keypool::run(options).await?,
        Command::Compare(options) => compare::run(options).await?,
        Command::Idle(options) => idle::run(options).await?,
        Command::Slow(options) => slow::run(options).await?,
        Command::Hostile(options) => hostile::run(options).await?,
        Command::FirstDelta(options) => first_delta::run(options).await?,
    })
}
