//! One movement of a user's ledger.

use super::{Price, Rule};
use crate::{
    event::Usage,
    id::{RunId, SessionId},
};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Credits were given.
    Grant,
    /// What was left of a grant at its end is gone.
    Lapse,
    /// A run reserved what it is likely to cost.
    Hold,
    /// A run under way, or one that is about to pay, reserved more.
    TopUp,
    /// A run ended: it paid from its hold, and the rest went back.
    Settle,
    /// A hold went back whole.
    Void,
    /// A kind that this build does not know.
    #[serde(other)]
    Unknown,
}

/// Where credits lie. The first two are the user's; the others are the system's side of this user's
/// ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What the user may spend.
    Available,
    /// What holds of runs reserve.
    Held,
    /// Source of all grants: as far below zero as was ever given.
    Issued,
    /// What lapsed.
    Lapsed,
    /// What users paid.
    Revenue,
    /// What runs cost and nobody paid.
    WriteOff,
    /// The other side of what was written off.
    Provider,
    /// An account that this build does not know.
    #[serde(other)]
    Unknown,
}

impl Account {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Held => "held",
            Self::Issued => "issued",
            Self::Lapsed => "lapsed",
            Self::Revenue => "revenue",
            Self::WriteOff => "write_off",
            Self::Provider => "provider",
            Self::Unknown => "unknown",
        }
    }
}

/// One side of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Leg {
    /// The account.
    pub account: Account,
    /// What it gained, in micro-credits; below zero: what it lost.
    pub amount: i64,
}

/// Terms of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Grant {
    /// Grants of a lower number are spent first; then those that end first, then the oldest.
    pub priority: u8,
    /// When what is left of it lapses, in milliseconds since 1970; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// One movement. Transactions of a user are numbered 1, 2, 3, … and never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Transaction {
    /// Its number.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Its name: a repeat of what made it has the same one, and no effect. All that ends a hold has
    /// the name `RUN/end`, so that a hold ends once.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Micro-credits: given, lapsed, reserved, paid, or given back.
    pub amount: u64,
    /// Its sides; they sum to zero.
    pub legs: Vec<Leg>,
    /// What the user may spend after it.
    pub available: u64,
    /// What is reserved after it.
    pub held: u64,
    /// The run that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The session of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Terms of the grant that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The grant that lapsed: the name of the transaction that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The price by which the run pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// What the run used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The rule by which it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// For a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// SHA-256 of [`Transaction::digest_text`] with the hash before, in hex.
    pub hash: String,
}

impl Transaction {
    /// The text whose SHA-256 is this transaction's hash: the hash of the one before (none: an empty
    /// text), number, time, name, amount and legs, with spaces between them.
    #[must_use]
    pub fn digest_text(&self, before: &str) -> String {
        let Self { seq, at, id, amount, .. } = self;
        let mut text = format!("{before} {seq} {at} {id} {amount}");
        for Leg { account, amount } in &self.legs {
            let _ = write!(text, " {} {amount}", account.name()); // a String takes all
        }
        text
    }
}

/// Result of `credits.history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct TransactionPage {
    /// Newest first.
    pub items: Vec<Transaction>,
    /// `before` of the next page; none: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
}
