//! The crash test's own test: a server that is right passes, one with a defect does not.

use anyhow::{Context, Result, ensure};
use greenroom_loadtest::{
    crash::{self, CrashOptions},
    greenroom::ServerOptions,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The minimal server of `examples/mini`, built if it is not.
fn mini() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "mini", "--manifest-path"])
        .arg(manifest)
        .status()?;
    ensure!(built.success(), "examples/mini does not build");
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).context("a folder above our own binary")?;
    Ok(target.join("examples/mini"))
}

fn options(seed: u64, plant: Option<&str>) -> Result<CrashOptions> {
    Ok(CrashOptions {
        server: ServerOptions { bin: mini()?, env: Vec::new(), dir: None, window: 0 },
        kills: 2,
        drops: 15,
        seed: Some(seed),
        sessions: 6,
        attachments: 3,
        runs_per_session: 3,
        rate: 2000,
        drop_every_ms: 40,
        run_timeout_secs: 8,
        deadline_secs: 100,
        plant: plant.map(str::to_owned),
        expect_violation: plant.is_some(),
    })
}

/// Some seeds do not meet a defect, as some days do not: looks for one that does.
async fn find(plants: &[&str]) -> Result<()> {
    for plant in plants {
        let mut found = false;
        for seed in 1..=6 {
            if !found {
                found = crash::run(options(seed, Some(plant))?).await?;
            }
        }
        ensure!(found, "{plant} was not found");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_defect_passes() -> Result<()> {
    ensure!(crash::run(options(11, None)?).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; run it with --ignored"]
async fn defects_of_the_log_are_found() -> Result<()> {
    find(&["deliver_before_commit", "segment_before_durable", "epoch_raised_at_restart"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; run it with --ignored"]
async fn defects_of_delivery_are_found() -> Result<()> {
    find(&["replay_off_by_one", "ring_skips_on_wrap"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; run it with --ignored"]
async fn defects_of_runs_and_commands_are_found() -> Result<()> {
    find(&["skip_dedupe", "terminal_event_lost", "truncated_file_committed", "cancel_lost"]).await
}
