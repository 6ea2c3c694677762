//! Tickets: stand for an access token once, within seconds, in the URL of a WebSocket.

use super::AuthFailure;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use greenroom_actors::port::Principal;
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What every ticket starts with.
const PREFIX: &str = "tkt_";

/// A new ticket.
#[derive(Clone)]
pub struct Ticket {
    /// The ticket, safe in a URL.
    pub ticket: String,
    /// How long it can be used.
    pub life: Duration,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("life", &self.life).finish_non_exhaustive()
    }
}

/// The tickets of this node that were not used yet, by their SHA-256.
pub(super) struct Tickets {
    life: Duration,
    most: usize,
    open: Mutex<HashMap<[u8; 32], Open>>,
}

struct Open {
    principal: Principal,
    until_ms: u64,
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Tickets {
    pub(super) fn new(life: Duration, most: usize) -> Self {
        Self { life, most, open: Mutex::default() }
    }

    /// A ticket for somebody whose token was checked; refused while too many are outstanding.
    pub(super) fn issue(&self, principal: Principal, now_ms: u64) -> Result<Ticket, AuthFailure> {
        let ticket = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let life_ms = u64::try_from(self.life.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now_ms.saturating_add(life_ms).min(principal.expires_at_ms);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.most {
            open.retain(|_, ticket| ticket.until_ms > now_ms);
        }
        if open.len() >= self.most {
            return Err(AuthFailure::Busy { retry_after: self.life });
        }
        open.insert(digest(&ticket), Open { principal, until_ms });
        Ok(Ticket { ticket, life: self.life })
    }

    /// Uses a ticket up. Of any number of calls with one ticket, one gets its principal.
    pub(super) fn redeem(&self, ticket: &str, now_ms: u64) -> Option<Principal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.remove(&digest(ticket))?;
        (found.until_ms > now_ms).then_some(found.principal)
    }
}

fn digest(ticket: &str) -> [u8; 32] {
    Sha256::digest(ticket).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::UserId;

    const LIFE: Duration = Duration::from_secs(30);

    fn principal() -> Principal {
        let user = UserId::new(uuid::Uuid::from_u128(7));
        Principal { user, expires_at_ms: 900_000, sign_in: None }
    }

    #[test]
    fn of_a_hundred_uses_at_once_exactly_one_succeeds() {
        let tickets = Tickets::new(LIFE, 10);
        let ticket = tickets.issue(principal(), 0).unwrap().ticket;
        let start = std::sync::Barrier::new(100);

        let granted: usize = std::thread::scope(|scope| {
            let uses: Vec<_> = (0..100)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        usize::from(tickets.redeem(&ticket, 1) == Some(principal()))
                    })
                })
                .collect();
            uses.into_iter().map(|one| one.join().unwrap()).sum()
        });

        assert_eq!(granted, 1);
    }

    #[test]
    fn a_ticket_ends_after_its_life_and_with_its_token() {
        let tickets = Tickets::new(LIFE, 10);
        let late = tickets.issue(principal(), 0).unwrap().ticket;
        assert_eq!(tickets.redeem(&late, 30_000), None);

        let in_time = tickets.issue(principal(), 0).unwrap().ticket;
        assert_eq!(tickets.redeem(&in_time, 29_999), Some(principal()));

        let near_the_end = tickets.issue(principal(), 890_000).unwrap().ticket;
        assert_eq!(tickets.redeem(&near_the_end, 900_000), None);
    }

    #[test]
    fn the_table_is_bounded_and_expired_tickets_make_room() {
        let tickets = Tickets::new(LIFE, 3);
        for _ in 0..3 {
            tickets.issue(principal(), 0).unwrap();
        }
        assert!(matches!(tickets.issue(principal(), 1), Err(AuthFailure::Busy { .. })));
        assert!(tickets.issue(principal(), 30_000).is_ok());
        assert_eq!(tickets.open.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_was_never_issued_opens_nothing() {
        let tickets = Tickets::new(LIFE, 3);
        let ticket = tickets.issue(principal(), 0).unwrap();
        assert_eq!(tickets.redeem("tkt_", 0), None);
        assert_eq!(tickets.redeem(&ticket.ticket.to_uppercase(), 0), None);
        assert!(!format!("{ticket:?}").contains(&ticket.ticket));
    }
}
