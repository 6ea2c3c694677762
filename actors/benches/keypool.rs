//! What the choice of a key costs: `cargo bench --bench keypool`.
//!
//! All keys are good and of accounts of their own, whose limits are known: nothing is left out of
//! the choice. The last column is a whole call as the pool sees it: asked for, told of its limits,
//! answered, over.

#![expect(clippy::unwrap_used, reason = "a bench that fails stops there")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use greenroom_actors::{
    keypool::{
        Draw, Selection,
        state::{Effect, Grant, Input, Member, Need, Pool, Settings},
    },
    port::{Allowance, KeyInfo, Limits, Terms},
};
use std::{hint::black_box, time::Duration};
use tokio::time::Instant;

const CHOICES: u32 = 1_000_000;
const CALLS: u32 = 200_000;
/// So many keys must be chosen among in a microsecond.
const KEYS: usize = 100;
const CHOICE_MAX: Duration = Duration::from_micros(1);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{:>12} {:>6} {:>12} {:>12}", "selection", "keys", "ns a choice", "ns a call");
    for selection in [Selection::Headroom, Selection::RoundRobin] {
        for keys in [1, 10, KEYS] {
            let (choice, call) = (choice(selection, keys), call(selection, keys));
            let name = format!("{selection:?}");
            println!("{name:>12} {keys:>6} {:>12} {:>12}", choice.as_nanos(), call.as_nanos());
            assert!(keys < KEYS || choice <= CHOICE_MAX, "a choice among {keys} keys is too slow");
        }
    }
}

fn pool(selection: Selection, keys: usize, now: Instant) -> (Pool, Need) {
    let key = |place| KeyInfo { fingerprint: Some(format!("key-{place}")), account: None };
    let member = Member {
        name: "provider".to_owned(),
        model: "model".to_owned(),
        keys: (0..keys).map(key).collect(),
        terms: Terms::NONE,
    };
    let exhausted = Duration::from_secs(600);
    let settings = Settings { selection, waiting_max: 1024, exhausted, calls_max: u32::MAX };
    let mut pool = Pool::new(settings, vec![member]);
    let need = Need {
        providers: vec![0],
        model: None,
        tokens: 1000,
        avoid: Vec::new(),
        may_repeat: true,
        retries: None,
        deadline: now + exhausted,
    };
    let mut draw = Draw::new(1);
    for _ in 0..keys * 20 {
        let grant = pool.choose(&need, (now, &mut draw)).unwrap();
        over(&mut pool, grant, now, &mut draw);
    }
    (pool, need)
}

/// What becomes of a call.
fn over(pool: &mut Pool, grant: Grant, now: Instant, draw: &mut Draw) {
    let left = Allowance { limit: 1 << 40, left: 1 << 40, reset_ms: 60_000 };
    let limits = Limits { requests: Some(left), tokens: Some(left), account: None };
    let ttft = Duration::from_millis(200);
    for input in [
        Input::Told(grant.clone(), limits),
        Input::Answered(grant.clone(), ttft),
        Input::Ended(grant),
    ] {
        black_box(pool.apply(input, (now, draw)));
    }
}

fn choice(selection: Selection, keys: usize) -> Duration {
    let now = Instant::now();
    let (mut pool, need) = pool(selection, keys, now);
    let mut draw = Draw::new(2);
    let begun = Instant::now();
    for _ in 0..CHOICES {
        black_box(pool.choose(black_box(&need), (now, &mut draw)).unwrap());
    }
    begun.elapsed() / CHOICES
}

fn call(selection: Selection, keys: usize) -> Duration {
    let now = Instant::now();
    let (mut pool, need) = pool(selection, keys, now);
    let mut draw = Draw::new(3);
    let begun = Instant::now();
    for waiter in 0..CALLS {
        let ask = Input::Ask(waiter.into(), need.clone());
        let granted = pool.apply(ask, (now, &mut draw)).pop();
        let Some(Effect::Grant(_, grant)) = granted else { return Duration::MAX };
        over(&mut pool, grant, now, &mut draw);
    }
    begun.elapsed() / CALLS
}
