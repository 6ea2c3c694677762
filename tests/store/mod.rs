//! The stores: one contract for all of them, then what is particular to each.

mod child;
mod contract;
mod cql;
mod crash;
mod disk;
mod harness;
mod sqlite;

use contract::contract;
use cql::CqlHarness;
use harness::{FakeHarness, Harness, SharedFakeHarness, SqliteHarness};

contract!(fake_store, FakeHarness);
contract!(shared_fake_store, SharedFakeHarness);
contract!(sqlite_store, SqliteHarness);
contract!(cql_store, CqlHarness);
