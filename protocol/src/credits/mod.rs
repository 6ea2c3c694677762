//! Credits: what a run costs, by which rule it is paid, and what a user has.
//!
//! All amounts are integers of micro-credits: 1,000,000 are one credit. A run reserves what it is
//! likely to cost (a hold), and pays what it used when it ends, by a [`Rule`]; the rest of the hold
//! goes back. Every movement is a [`Transaction`] of an append-only ledger, a double entry whose legs
//! sum to zero, chained by hashes: whoever reads all of them can check every balance.

mod policy;
mod price;
mod quote;
mod transaction;

pub use policy::{Ending, POLICY, POLICY_VERSION, Pays, PolicyRow, Rule};
pub use price::Price;
pub use quote::{Balance, CreditsHistory, CreditsInfo, CreditsQuote, GrantInfo, HoldInfo, Quote};
pub use transaction::{Account, Grant, Kind, Leg, Transaction, TransactionPage};

/// Largest amount of one transaction and of a balance, in micro-credits: sums of them stay far from
/// the end of 64 bits, and below what JSON's numbers hold exactly.
pub const AMOUNT_MAX: u64 = 1_000_000_000_000_000;

/// Micro-credits of one credit.
const CREDIT: u64 = 1_000_000;

/// An amount in credits, for a person: `12.5`.
#[must_use]
pub fn amount_text(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / CREDIT, micro % CREDIT);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::amount_text;

    #[test]
    fn an_amount_reads_as_credits() {
        for (micro, text) in
            [(0, "0"), (1, "0.000001"), (1_500_000, "1.5"), (10_000_000_000, "10000")]
        {
            assert_eq!(amount_text(micro), text);
        }
    }
}
