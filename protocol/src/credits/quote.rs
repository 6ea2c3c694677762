//! What a user has, and what a run is likely to cost.

use super::{Grant, PolicyRow, Price};
use crate::id::{RunId, SessionId};
use serde::{Deserialize, Serialize};

/// What a user has, in micro-credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Balance {
    /// The last transaction that it includes: of two balances the one with the higher number is the
    /// later one.
    pub seq: u64,
    /// What may be spent.
    pub available: u64,
    /// What runs under way reserve.
    pub held: u64,
}

/// What is left of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct GrantInfo {
    /// The name of the transaction that made it.
    pub id: String,
    /// Its terms.
    pub grant: Grant,
    /// What may still be spent of it, in micro-credits.
    pub left: u64,
}

/// What a run reserves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct HoldInfo {
    /// The run.
    pub run: RunId,
    /// Its session.
    pub session: SessionId,
    /// Micro-credits.
    pub amount: u64,
    /// When it is given back unless it is renewed, in milliseconds since 1970.
    pub expires_at: u64,
}

/// Result of `credits.get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CreditsInfo {
    /// The sums.
    pub balance: Balance,
    /// Grants that have something left, in the order in which they are spent.
    pub grants: Vec<GrantInfo>,
    /// What runs reserve.
    pub holds: Vec<HoldInfo>,
    /// What was paid in this month of UTC, in micro-credits.
    pub month_spent: u64,
    /// Most that may be spent in a month, in micro-credits; none: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month_budget: Option<u64>,
    /// Most that one session may spend in all, in micro-credits; none: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_budget: Option<u64>,
}

/// Parameters of `credits.history`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CreditsHistory {
    /// Transactions before this one; none: from the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Most items, at most [`PAGE_ITEMS_MAX`](crate::limit::PAGE_ITEMS_MAX).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Parameters of `credits.quote`. With a session its files count, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CreditsQuote {
    /// The prompt.
    pub input: String,
    /// A model; none: the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Result of `credits.quote`: what a run is likely to cost. Amounts in micro-credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Quote {
    /// The price of the model.
    pub price: Price,
    /// Tokens of the prompt, estimated.
    pub input_tokens: u64,
    /// Tokens of the answer: one half of the like were shorter.
    pub output_tokens_p50: u64,
    /// Tokens of the answer: nine of ten of the like were shorter.
    pub output_tokens_p90: u64,
    /// What it costs with an answer of the former length.
    pub cost_p50: u64,
    /// What it costs with the latter: a run reserves this.
    pub hold: u64,
    /// What may be spent.
    pub available: u64,
    /// Whether a run would begin.
    pub sufficient: bool,
    /// Who pays for what.
    pub policy: Vec<PolicyRow>,
}
