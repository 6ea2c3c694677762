//! Users whose runs do nothing but reserve and pay.

use crate::{
    account::{Answer, Command, CreditTerms, HoldRequest},
    credits::{CreditsActor, CreditsArguments, CreditsHandle, Prices},
    meter::Meter,
    port::{FixedClock, Store},
    users::{UsersActor, UsersArguments, UsersHandle},
};
use greenroom_protocol::{
    credits::Ending,
    event::Usage,
    id::{RunId, SessionId, UserId},
};
use ractor::Actor;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Any time.
const NOW_MS: u64 = 1_795_268_444_006;

/// The engine's accounts without its runs, for benches.
#[derive(Clone, Debug)]
pub struct Payers(CreditsHandle);

impl Payers {
    /// Starts accounts on a store; none where an actor does not start.
    pub async fn start(store: Arc<dyn Store>, terms: CreditTerms, prices: Prices) -> Option<Self> {
        let meter = Arc::new(Meter::default());
        let users = UsersArguments { connections_per_user: 1, meter: meter.clone() };
        let (users, _) = Actor::spawn(None, UsersActor, users).await.ok()?;
        let hold_ttl = Duration::from_millis(terms.hold_ttl_ms);
        let clock = Arc::new(FixedClock::new(NOW_MS));
        let users = UsersHandle::new(users);
        let arguments = CreditsArguments { terms, store, clock, users, meter };
        let (actor, _) = Actor::spawn(None, CreditsActor, arguments).await.ok()?;
        Some(Self(CreditsHandle::new(actor, Arc::new(prices), hold_ttl)))
    }

    /// A run reserves, and pays; says whether it paid.
    pub async fn pair(&self, user: Uuid, run: Uuid) -> bool {
        let (user, run) = (UserId::new(user), RunId::new(run));
        let request = HoldRequest {
            run,
            session: SessionId::new(Uuid::nil()),
            session_spent: 0,
            price: self.0.price("model"),
            input_tokens: 2000,
        };
        if !matches!(self.0.ask(user, Command::Hold(request)).await, Answer::Held { .. }) {
            return false;
        }
        let usage = Usage { input_tokens: 2000, output_tokens: 3000, ..Usage::default() };
        let settle = Command::Settle { run, usage, ending: Ending::Completed };
        matches!(self.0.ask(user, settle).await, Answer::Settled(settled) if settled.paid > 0)
    }
}
