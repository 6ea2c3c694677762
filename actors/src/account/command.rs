//! What an account is asked, and what it answers.

use super::month::Month;
use greenroom_protocol::{
    credits::{CreditsInfo, Ending, Grant, Price, Quote, Rule, amount_text},
    error::{Code, ErrorBody, Reason},
    event::Usage,
    id::{RunId, SessionId},
};

/// By which terms credits are given and reserved. Amounts in micro-credits; 0: none, or no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditTerms {
    /// How long a hold lasts unless it is renewed, in milliseconds.
    pub hold_ttl_ms: u64,
    /// What a new user gets; it never lapses.
    pub sign_up_grant: u64,
    /// What every user gets each month of UTC; it lapses at its end.
    pub monthly_grant: u64,
    /// Most that a user may spend in a month of UTC.
    pub month_budget: u64,
    /// Most that a session may spend in all.
    pub session_budget: u64,
    /// Most of a user's credits that may be held while several runs are under way, in percent; 100:
    /// no limit. The rest is there to top them up.
    pub held_share: u64,
    /// Tokens of an answer that is expected of a model of which nothing is known yet.
    pub prior_output_tokens: u64,
}

impl Default for CreditTerms {
    fn default() -> Self {
        Self {
            hold_ttl_ms: 600_000,
            sign_up_grant: 10_000_000_000,
            monthly_grant: 5_000_000_000,
            month_budget: 0,
            session_budget: 0,
            held_share: 80,
            prior_output_tokens: 4096,
        }
    }
}

/// What a run wants to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HoldRequest {
    pub(crate) run: RunId,
    pub(crate) session: SessionId,
    /// What the session's runs have paid.
    pub(crate) session_spent: u64,
    pub(crate) price: Price,
    pub(crate) input_tokens: u64,
}

/// What an account is asked. Everything has a name by which a repeat of it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Reserve what a run is likely to cost.
    Hold(HoldRequest),
    /// Reserve more for a run: top-ups are numbered 1, 2, 3, …
    TopUp { run: RunId, number: u32, amount: u64 },
    /// Keep a run's hold for another while.
    Renew { run: RunId },
    /// A run has ended: pay from its hold, give back the rest.
    Settle { run: RunId, usage: Usage, ending: Ending },
    /// Give credits.
    Grant { id: String, amount: u64, grant: Grant, note: String },
    /// What does it have?
    Look,
    /// What would a run cost?
    Quote { price: Price, input_tokens: u64 },
}

/// What a run paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settlement {
    pub(crate) paid: u64,
    pub(crate) cost: u64,
    pub(crate) rule: Rule,
}

/// What an account answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The run's hold is open and this large.
    Held {
        amount: u64,
    },
    /// The run has ended: now or before.
    Settled(Settlement),
    /// Also after a grant.
    Info(Box<CreditsInfo>),
    Quote(Box<Quote>),
    /// Nothing was done.
    Refused(Refusal),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The credits do not suffice.
    Insufficient { needed: u64, available: u64 },
    /// The user's other runs hold most of the credits.
    HeldByOthers { share: u64 },
    /// The month's budget does not suffice.
    MonthBudget { month: Month, budget: u64 },
    /// The session's budget does not suffice.
    SessionBudget { budget: u64 },
    /// The run has no hold and never had one.
    NoHold,
    /// The same name was used for something else.
    Conflict,
    /// An amount is beyond what an account may have.
    TooMuch,
    /// The ledger does not answer; what became of it is unknown, and a repeat finds out.
    Unavailable,
}

impl Refusal {
    /// The refusal as it reaches the user.
    pub(crate) fn body(&self) -> ErrorBody {
        let (code, reason, message) = match self {
            Self::Insufficient { needed, available } => {
                let (needed, available) = (amount_text(*needed), amount_text(*available));
                let message = format!(
                    "it may cost {needed} credits and {available} are available; get more \
                     credits, or ask for less",
                );
                (Code::FailedPrecondition, Reason::InsufficientCredits, message)
            }
            Self::HeldByOthers { share } => {
                let message = format!(
                    "runs under way would hold more than {share} % of the credits; wait until one \
                     of them has ended, or get more credits",
                );
                (Code::FailedPrecondition, Reason::InsufficientCredits, message)
            }
            Self::MonthBudget { month, budget } => {
                let message = format!(
                    "the budget of {} credits for {month} does not suffice; wait for the next \
                     month, or have the budget raised",
                    amount_text(*budget)
                );
                (Code::FailedPrecondition, Reason::BudgetExceeded, message)
            }
            Self::SessionBudget { budget } => {
                let message = format!(
                    "the budget of {} credits for a session does not suffice; go on in another \
                     session, or have the budget raised",
                    amount_text(*budget)
                );
                (Code::FailedPrecondition, Reason::BudgetExceeded, message)
            }
            Self::NoHold => return ErrorBody::internal(),
            Self::Conflict => {
                let message = "this name was used for another grant; use a new one".to_owned();
                (Code::InvalidArgument, Reason::IdempotencyConflict, message)
            }
            Self::TooMuch => {
                let message = "the amount is beyond what an account may have".to_owned();
                (Code::InvalidArgument, Reason::Malformed, message)
            }
            Self::Unavailable => return ErrorBody::store_unavailable(),
        };
        ErrorBody::new(code, reason, message)
    }
}
