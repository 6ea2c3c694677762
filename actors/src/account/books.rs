//! A user's books: what the transactions of the ledger come to. Pure.
//!
//! Nothing here is set but by [`Books::apply`], so that books that were read from the store's head
//! and books that are folded from all rows are the same.

use super::{habit::Habits, month::Month};
use crate::plant::{self, Plant};
use greenroom_protocol::{
    credits::{Account, Balance, Ending, Grant, GrantInfo, Kind, Leg, Price, Transaction},
    id::{RunId, SessionId},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt::Write as _};

/// What the names of monthly grants begin with.
pub(super) const MONTHLY: &str = "grant/month/";

/// The fold of a ledger. Amounts in micro-credits.
///
/// Invariant: `available` is the sum of what is left of the grants, `held` that of the holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Books {
    /// Number of the last transaction.
    pub(super) seq: u64,
    /// Its hash, in hex; empty before the first.
    hash: String,
    pub(super) available: u64,
    pub(super) held: u64,
    /// In the order in which they are spent.
    pub(super) buckets: Vec<Bucket>,
    pub(super) holds: BTreeMap<RunId, Hold>,
    /// The month in which something was paid last, and what was paid in it.
    spent: (Month, u64),
    /// The last month for which the monthly grant was given.
    pub(super) granted: Month,
    pub(super) habits: Habits,
}

/// What is left of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// Name of the transaction that made it.
    pub(super) id: String,
    pub(super) grant: Grant,
    pub(super) left: u64,
}

/// What a run reserves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) session: SessionId,
    pub(super) amount: u64,
    pub(super) price: Price,
    pub(super) top_ups: u32,
    /// From which grants it came, in the order in which it is spent.
    slices: Vec<(String, u64)>,
}

impl Books {
    /// Appends a transaction: numbers and chains it, and applies it.
    pub(super) fn post(&mut self, mut transaction: Transaction) -> Transaction {
        transaction.seq = self.seq + if plant::is(Plant::SequenceGap) { 2 } else { 1 };
        transaction.legs.retain(|leg| leg.amount != 0);
        let before = if plant::is(Plant::ChainCut) { "" } else { &self.hash };
        transaction.hash = digest(&transaction.digest_text(before));
        self.apply(&transaction);
        (transaction.available, transaction.held) = (self.available, self.held);
        transaction
    }

    /// Applies a transaction.
    pub(super) fn apply(&mut self, transaction: &Transaction) {
        let Transaction { kind, amount, at, .. } = transaction;
        self.seq = transaction.seq;
        self.hash.clone_from(&transaction.hash);
        for Leg { account, amount } in &transaction.legs {
            match account {
                Account::Available => {
                    self.available = self.available.saturating_add_signed(*amount);
                }
                Account::Held => self.held = self.held.saturating_add_signed(*amount),
                Account::Issued
                | Account::Lapsed
                | Account::Revenue
                | Account::WriteOff
                | Account::Provider
                | Account::Unknown => {}
            }
        }
        match kind {
            Kind::Grant => {
                self.open_bucket(transaction);
                if transaction.id.starts_with(MONTHLY) {
                    self.granted = Month::of_ms(*at);
                }
            }
            Kind::Lapse => {
                let of = transaction.of.as_deref();
                if let Some(bucket) = self.buckets.iter_mut().find(|b| Some(&*b.id) == of) {
                    bucket.left = bucket.left.saturating_sub(*amount);
                }
            }
            Kind::Hold => self.open_hold(transaction),
            Kind::TopUp => {
                let slices = self.take(*amount);
                let hold = transaction.run.and_then(|run| self.holds.get_mut(&run));
                if let Some(hold) = hold {
                    hold.amount += amount;
                    hold.top_ups += 1;
                    hold.slices.extend(slices);
                }
            }
            Kind::Settle => {
                self.end_hold(transaction.run, *amount);
                self.count_spent(*at, *amount);
                if let (Some(rule), Some(usage), Some(price)) =
                    (&transaction.rule, &transaction.usage, &transaction.price)
                    && rule.ending == Ending::Completed
                {
                    self.habits.completed(&price.model, usage.output_tokens);
                }
            }
            Kind::Void => self.end_hold(transaction.run, 0),
            Kind::Unknown => {}
        }
        self.forget_empty_buckets();
    }

    /// Grants of a lower number come first, then those that end first, then the oldest.
    fn open_bucket(&mut self, transaction: &Transaction) {
        let Some(grant) = transaction.grant.clone() else { return };
        let order = |grant: &Grant| (grant.priority, grant.expires_at.unwrap_or(u64::MAX));
        let at = self.buckets.partition_point(|old| order(&old.grant) <= order(&grant));
        let bucket = Bucket { id: transaction.id.clone(), grant, left: transaction.amount };
        self.buckets.insert(at, bucket);
    }

    fn open_hold(&mut self, transaction: &Transaction) {
        let (Some(run), Some(session), Some(price)) =
            (transaction.run, transaction.session, transaction.price.clone())
        else {
            return;
        };
        let amount = transaction.amount;
        let hold = Hold { session, amount, price, top_ups: 0, slices: self.take(amount) };
        self.holds.insert(run, hold);
    }

    /// Takes an amount from the grants in their order.
    fn take(&mut self, mut amount: u64) -> Vec<(String, u64)> {
        let mut slices = Vec::new();
        for bucket in &mut self.buckets {
            let slice = bucket.left.min(amount);
            if slice > 0 {
                bucket.left -= slice;
                amount -= slice;
                slices.push((bucket.id.clone(), slice));
            }
        }
        slices
    }

    /// Ends a hold: what is paid comes from its first slices, and each of the rest goes back to the
    /// grant that it came from.
    fn end_hold(&mut self, run: Option<RunId>, mut paid: u64) {
        let Some(hold) = run.and_then(|run| self.holds.remove(&run)) else { return };
        for (id, slice) in hold.slices {
            let spent = slice.min(paid);
            paid -= spent;
            let back = self
                .buckets
                .iter_mut()
                .find(|bucket| bucket.id == id || plant::is(Plant::WrongBucket));
            if let Some(bucket) = back {
                bucket.left += slice - spent;
            }
        }
    }

    fn count_spent(&mut self, at_ms: u64, paid: u64) {
        let month = Month::of_ms(at_ms);
        let before = self.spent_in(month);
        self.spent = (month, before.saturating_add(paid));
    }

    /// A grant that is used up goes, unless a hold may still give something back to it.
    fn forget_empty_buckets(&mut self) {
        let holds = &self.holds;
        let awaits =
            |id: &str| holds.values().any(|hold| hold.slices.iter().any(|(of, _)| of == id));
        self.buckets.retain(|bucket| bucket.left > 0 || awaits(&bucket.id));
    }

    /// What was paid in a month.
    pub(super) fn spent_in(&self, month: Month) -> u64 {
        if self.spent.0 == month { self.spent.1 } else { 0 }
    }

    /// The sums.
    pub(crate) const fn balance(&self) -> Balance {
        Balance { seq: self.seq, available: self.available, held: self.held }
    }

    /// Grants with something left, in the order in which they are spent.
    pub(super) fn grants(&self) -> Vec<GrantInfo> {
        let full = self.buckets.iter().filter(|bucket| bucket.left > 0);
        full.map(|Bucket { id, grant, left }| GrantInfo {
            id: id.clone(),
            grant: grant.clone(),
            left: *left,
        })
        .collect()
    }
}

/// SHA-256 of a text, in hex.
fn digest(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        let _ = write!(hex, "{byte:02x}"); // a String takes all
    }
    hex
}
