//! Greenroom's behaviour: who owns what, who restarts whom. Knows no driver: what lies outside
//! are the traits of [`port`].
//!
//! ```text
//! engine                           a child that ends, ends the node; its next start recovers
//! ├─ keypool                       keys, quota groups, calls that wait
//! ├─ llm         ── provider       started again; reads answers to their end that nobody wants
//! └─ incarnation                   fenced: the sockets are closed, the next one begins
//!    ├─ lane                       the journal's only writer; fenced: the incarnation ends
//!    ├─ sessions ── session        from its log, 3 times in 5 s, then it rests for 30 s
//!    │               └ run         its session says how it ended
//!    ├─ users    ── user           comes back with its next socket
//!    │               └ connection  a plain task
//!    ├─ credits  ── account        comes back with the next who asks; its ledger knows all
//!    ├─ keeper
//!    └─ cluster                    where the store is shared: beats, recovers who is dead
//! ```
//!
//! Calls, which wait, form a graph without cycles: connection -> user, session; run -> session,
//! keypool, account. A session waits on nobody: its batch goes to its lane as a message and comes back as
//! one.
//!
//! | queue | bound | when it is full |
//! |---|---|---|
//! | lane, waiting groups | one a live session | the session's next batch grows |
//! | session, accepted entries | 64 KiB a run, one command a socket | the run stops reading its provider |
//! | session, runs | 9 | `queue_full` |
//! | connection, operations | 64 | the socket is not read |
//! | connection, answers | what one message asks for | the socket is not read |
//! | follower, entries | one read, 64 KiB | whoever follows asks for the next when it has room |
//! | ring | the tail in no segment, and 32 KiB | readers below it read segments |
//! | account, commands | one a run, one a socket | who asks waits |
//! | keypool, messages | one a run that asks, four a call | a run asks for one key at a time |
//! | keypool, waiting calls | configured | a run fails with `provider_rate_limited`, as at its deadline |
//! | cluster, recoveries | 2, 16 sessions each | the next look at the list |
//! | provider, calls | configured | a run waits |
//! | provider, answers read to their end | 64, 60 s each | the call is closed |

mod account;
mod children;
mod cluster;
pub(crate) mod connection;
mod credits;
mod engine;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod journal;
mod keeper;
pub mod keypool;
mod llm;
mod meter;
mod node;
mod permits;
mod plant;
pub mod port;
pub mod run;
mod session;
mod sessions;
mod sync;
mod user;
mod users;

pub use account::CreditTerms;
pub use cluster::ClusterTerms;
pub use connection::{Begun, Done, Followed, Follower, Tree};
pub use credits::{PriceError, Prices};
pub use engine::{Engine, EngineError, NodeInfo};
pub use health::Health;
pub use meter::{HubCall, Meter};
pub use node::{CreditConfig, EngineConfig, HubTerms, Ports};
pub use sessions::{LiveSession, LiveSessions};

use tokio_util::task::AbortOnDropHandle;

/// Spawns a task that ends by itself: every wait in it has a bound of its own.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns short tasks")]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}

/// Spawns a task that ends with its owner, who waits for it.
#[expect(clippy::disallowed_methods, reason = "the handle ends it when it is dropped")]
pub(crate) fn spawn_owned<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(task))
}
