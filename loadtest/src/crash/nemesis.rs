//! What goes wrong around the server: its own death, broken sockets, readers that stall.

use super::CrashOptions;
use crate::{
    checker::{Downtime, Rule, Violation},
    client::Client,
    clock,
    mix::Mix,
    process::Server,
    world::World,
};
use anyhow::Result;
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time};

/// Frames and entries at whose arrival the server is killed.
const TRAPS: [&str; 17] = [
    "attached",
    "caught_up",
    "ok",
    "welcome",
    "input.user",
    "run.started",
    "step.started",
    "text.start",
    "text.delta",
    "text.end",
    "file.start",
    "file.delta",
    "file.end",
    "files.committed",
    "usage",
    "run.finished",
    "run.recovering",
];

/// Longest wait for a chosen frame; then the kill comes without it.
const TRAP_TIMEOUT: Duration = Duration::from_secs(3);

/// Kills the server and starts it again, as often as the options say.
pub(super) async fn kills(
    options: &CrashOptions,
    world: &Arc<World>,
    server: &Arc<Server>,
    mut mix: Mix,
) -> Result<Vec<Downtime>> {
    let mut downtimes = Vec::new();
    for _ in 0..options.kills {
        wait_until_busy(world).await;
        if mix.chance(50) {
            let name = mix.pick(&TRAPS).copied().unwrap_or("ev");
            kill_at(name, mix.between(1, 5), world, server).await;
        } else {
            time::sleep(Duration::from_millis(mix.below(1200))).await;
        }
        if let Some(status) = server.ended()? {
            let what = format!("the server ended by itself ({status}):\n{}", server.log_tail());
            world.violation(Violation { rule: Rule::Orderly, session: None, what });
        }
        if world.stop().is_cancelled() {
            break;
        }
        let from_us = server.reap();
        time::sleep(Duration::from_millis(mix.below(250))).await;
        if let Err(error) = server.restart().await {
            let what = format!("the server does not come back after a kill: {error:#}");
            world.violation(Violation { rule: Rule::Durable, session: None, what });
            break;
        }
        downtimes.push(Downtime { from_us, until_us: clock::now_us() });
        time::sleep(Duration::from_millis(mix.between(100, 600))).await;
    }
    Ok(downtimes)
}

async fn wait_until_busy(world: &World) {
    for _ in 0..100 {
        if world.is_busy() || world.stop().is_cancelled() {
            return;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
}

async fn kill_at(name: &str, nth: u64, world: &World, server: &Arc<Server>) {
    let (sprung, wait) = oneshot::channel();
    let victim = Arc::clone(server);
    world.set_trap(name, nth, move || {
        victim.kill_now();
        let _ = sprung.send(()); // nobody waits any more: the kill itself has been done
    });
    let _ = time::timeout(TRAP_TIMEOUT, wait).await; // too late or sprung: it is killed either way
    world.clear_trap();
}

/// Drops sockets and stalls readers, as often as the options say.
pub(super) async fn drops(options: &CrashOptions, world: &World, clients: &[Client], mut mix: Mix) {
    let mut left = options.drops;
    while left > 0 && !world.stop().is_cancelled() {
        time::sleep(Duration::from_millis(mix.between(1, options.drop_every_ms * 2))).await;
        let Some(client) = mix.pick(clients) else { return };
        if mix.chance(15) {
            client.stall(Duration::from_millis(mix.between(20, 700))).await;
        } else {
            client.drop_socket().await;
            left -= 1;
        }
    }
}
