//! What paying for a run costs on the embedded store, each commit synced to the disk: `cargo bench
//! --bench ledger`.
//!
//! Every user has runs under way that reserve and pay, one after the other, through the user's own
//! account as the engine does it. CPU is that of the whole process.

#![expect(clippy::unwrap_used, reason = "a bench that fails stops there")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use greenroom::store::sqlite::{Options, SqliteStore};
use greenroom_actors::{CreditTerms, Prices, fake::Payers};
use std::{fs, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use uuid::Uuid;

const USERS: u128 = 256;
const ROW_TIME: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    println!("{:>26} {:>12} {:>10} {:>10}", "", "pairs/s", "CPU us", "p50 ms");
    for runs in [1, 8] {
        pairs(runs).await;
    }
}

/// Pairs of a reservation and a payment, by so many runs of each user at a time.
async fn pairs(runs: u128) {
    let directory = tempfile::Builder::new().prefix("greenroom-bench-").tempdir_in(".").unwrap();
    let store = Arc::new(SqliteStore::open(directory.path(), Options::default(), 0).unwrap());
    let prices = Prices::read(&["* 500000 1500000"]).unwrap();
    let terms = CreditTerms { sign_up_grant: 1_000_000_000_000, ..CreditTerms::default() };
    let payers = Payers::start(store.clone(), terms, prices).await.unwrap();
    let (begun, cpu) = (Instant::now(), process_cpu());
    let mut callers = JoinSet::new();
    for caller in 0..USERS * runs {
        let payers = payers.clone();
        callers.spawn(async move {
            let mut waits = Vec::new();
            while begun.elapsed() < ROW_TIME {
                let asked = Instant::now();
                assert!(payers.pair(Uuid::from_u128(caller % USERS), Uuid::now_v7()).await);
                waits.push(asked.elapsed());
            }
            waits
        });
    }
    let mut waits = callers.join_all().await.concat();
    let done = waits.len();
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), process_cpu() - cpu);
    waits.sort_unstable();
    let p50 = waits.get(waits.len() / 2).copied().unwrap_or_default();
    println!(
        "{:>26} {:>12.0} {:>10.1} {:>10.1}",
        format!("{USERS} users, {runs} runs each"),
        done as f64 / wall,
        cpu.as_secs_f64() * 1e6 / done as f64,
        p50.as_secs_f64() * 1e3
    );
    store.close().await.unwrap();
}

/// CPU time of all threads that live.
fn process_cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let nanos = threads.map(|thread| {
        let stat = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        stat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}
