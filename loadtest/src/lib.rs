//! Load harness, stand-in provider and crash test, written from the protocol alone.
//!
//! | command | what it does |
//! |---|---|
//! | `provider` | an OpenAI-compatible API that needs no key and is no model: [`provider`] |
//! | `crash --bin PATH` | kills a server again and again, checks all that its clients saw: [`crash`] |
//! | `faults --bin PATH` | each fault of a provider alone and mixtures of them, leaks counted: [`faults`] |
//! | `keypool --bin PATH` | limits, cooldowns and bad keys: who is asked, and when: [`keypool`] |
//! | `compare --bin PATH --against CMD` | CPU, latency and memory beside another relay: [`measure`] |
//! | `hostile --bin PATH` | floods and sockets that never finish, beside honest clients: [`hostile`] |
//! | `idle`, `slow`, `first-delta` | memory at rest, slow readers, time to the first text |
//!
//! Exit codes: 0 passed, 1 did not pass, 2 could not be carried out.
//!
//! ```text
//! greenroom-loadtest crash --bin target/debug/greenroom --kills 4 --drops 60
//! greenroom-loadtest crash --bin PATH --plant skip_dedupe --expect-violation
//! greenroom-loadtest compare --bin target/release/greenroom --against 'relay --port {port} --up {upstream}'
//! ```
//!
//! What a server promises is in [`checker`]: pure, and tested with histories that break each
//! promise. `examples/mini` is a server as small as the protocol allows; `tests/planted.rs` makes
//! it wrong in nine ways, which the crash test must find.

pub mod checker;
pub mod client;
pub mod clock;
pub mod crash;
pub mod faults;
pub mod greenroom;
pub mod hostile;
pub mod keypool;
pub mod load;
pub mod measure;
pub mod mix;
pub mod process;
pub mod provider;
pub mod report;
pub mod world;
