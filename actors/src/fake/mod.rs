//! In-memory implementations of the ports, for tests: a store with fault switches, a provider
//! whose answers the test writes, a limiter that refuses on demand, and tokens that say whose they are.

mod auth;
mod limiter;
mod payers;
mod provider;
mod socket;
mod store;

pub use auth::FakeAuth;
pub use limiter::FakeLimiter;
pub use payers::Payers;
pub use provider::{Call, Calls, FakeProvider};
pub use socket::{FakeClient, FakeSocket};
pub use store::{FakeStore, FakeView};
