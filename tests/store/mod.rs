//! The stores: one contract for all of them, then what is particular to each.

mod child;
mod contract;
mod crash;
mod disk;
mod harness;
mod sqlite;

use contract::contract;
use harness::{FakeHarness, Harness, SharedFakeHarness, SqliteHarness};

contract!(fake_store, FakeHarness);
contract!(shared_fake_store, SharedFakeHarness);
contract!(sqlite_store, SqliteHarness);
