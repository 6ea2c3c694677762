//! Ports: what the engine needs from outside, one trait a file. `src` implements them; the
//! contract suite in `tests/` holds every implementation to the same behaviour.

mod auth;
mod clock;
mod cooldowns;
mod documents;
mod journal;
mod ledger;
mod limiter;
mod nodes;
mod objects;
mod provider;
mod segments;
mod sessions;
mod socket;
mod store;

pub use auth::{AuthError, Authenticator, Principal, SignIn};
pub use clock::{Clock, FixedClock};
pub use cooldowns::{Alone, Cooldowns, Cooling};
pub use documents::{Document, Documents, Put};
pub use journal::{Appended, Incarnation, Journal, Position, Record};
pub use ledger::{Ledger, LedgerChange, LedgerHead, LedgerRow, Posted};
pub use limiter::{Limited, Limiter, Unlimited};
pub use nodes::{NodeRow, Nodes};
pub use objects::{Object, ObjectKind, Objects, Oid, OidError};
pub use provider::{
    Allowance, Delta, DeltaStream, Finish, KeyCheck, KeyInfo, Limits, Message, Provider,
    ProviderError, ProviderErrorKind, Reply, Request, Role, Terms,
};
pub use segments::{Segment, Segments, Snapshot};
pub use sessions::{Claim, Created, Origin, Page, Projection, SessionRow, Sessions};
pub use socket::{Received, Socket, SocketError, Step};
pub use store::{Store, StoreError};

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
