//! An account on a store that the test plays, under random interleavings of commands, lost replies,
//! late writes, other proposers, crashes and time; a model that is written another way checks what
//! comes of it.

mod model;
mod world;

use crate::plant::{self, Plant};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use world::World;

/// Interleavings in every test run, and in the long one.
const SOME: u64 = 4_000;
const MANY: u64 = 100_000;

/// Interleavings in which a planted defect has to be found.
const PLANTED_MAX: u64 = 20_000;

/// One interleaving, from its seed: what is wrong, or nothing.
fn interleave(seed: u64) -> Result<(), String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut world = World::new(&mut random);
    for _ in 0..random.random_range(8..40) {
        world.step(&mut random)?;
    }
    world.settle_down(&mut random)?;
    world.check()
}

#[test]
fn any_interleaving_leaves_the_ledger_as_the_model_has_it() {
    interleave_all(SOME);
}

#[test]
#[ignore = "takes a minute or two"]
fn a_hundred_thousand_interleavings_leave_the_ledger_as_the_model_has_it() {
    interleave_all(MANY);
}

/// Interleaves with each seed, on all threads.
fn interleave_all(count: u64) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (0..count).skip(thread).step_by(threads) {
                    interleave(seed).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
                }
            });
        }
    });
}

#[test]
fn every_planted_defect_of_the_ledger_is_found() {
    let planted = [
        Plant::SequenceGap,
        Plant::ChainCut,
        Plant::WrongBucket,
        Plant::BalanceUnchecked,
        Plant::RenewedAfterEnd,
        Plant::DoubleRefund,
        Plant::RoundedDown,
        Plant::PaidAboveHold,
        Plant::NothingWrittenOff,
        Plant::HoldLeaked,
        Plant::ExpiredCharged,
        Plant::MonthlyTwice,
        Plant::BudgetWithoutHolds,
        Plant::AnsweredBeforeDurable,
        Plant::CheckThenAct,
        Plant::RetriedUnderNewName,
    ];
    for plant in planted {
        let found = plant::play(Some(plant), || {
            (0..PLANTED_MAX).find_map(|seed| Some((seed, interleave(seed).err()?)))
        });
        let (seed, wrong) = found.unwrap_or_else(|| panic!("{plant:?} was not found"));
        println!("{plant:?}: seed {seed}: {wrong}");
    }
}
