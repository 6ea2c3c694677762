//! What time brings to an account: holds expire, grants end and begin. Pure: time is passed in.

use super::{
    books::{Books, MONTHLY},
    command::CreditTerms,
    decide::{Account, draft, end_id, legs, signed},
    month::Month,
};
use crate::plant::{self, Plant};
use greenroom_protocol::{
    credits::{AMOUNT_MAX, Account as At, Ending, Grant, Kind, Transaction},
    id::RunId,
};

/// Priorities of our own grants: what lapses is spent before what does not.
const MONTHLY_PRIORITY: u8 = 50;
const SIGN_UP_PRIORITY: u8 = 100;

impl Account {
    /// Does what time brings: expired holds go back, grants end, new ones come.
    pub(super) fn tend(&mut self, now_ms: u64, terms: &CreditTerms, out: &mut Vec<Transaction>) {
        self.expire(now_ms, out);
        self.lapse(now_ms, out);
        self.grant_due(now_ms, terms, out);
        self.set_due(now_ms, terms);
    }

    /// Voids the holds that were not renewed in time, to zero, whoever had them.
    fn expire(&mut self, now_ms: u64, out: &mut Vec<Transaction>) {
        if plant::is(Plant::HoldLeaked) {
            return;
        }
        let gone = self.leases.iter().filter(|(_, lease)| lease.until_ms <= now_ms);
        let gone: Vec<RunId> = gone.map(|(run, _)| *run).collect();
        for run in gone {
            self.leases.remove(&run);
            let Some(hold) = self.books.holds.get(&run).cloned() else { continue };
            let amount = hold.amount;
            let charged = plant::is(Plant::ExpiredCharged);
            let to = if charged { At::Revenue } else { At::Available };
            let sides = legs([(At::Held, -signed(amount)), (to, signed(amount))]);
            out.push(self.books.post(Transaction {
                run: Some(run),
                session: Some(hold.session),
                price: Some(hold.price),
                rule: Some(Ending::Expired.rule()),
                ..draft(now_ms, end_id(run), Kind::Void, amount, sides)
            }));
        }
    }

    /// Takes away what is left of grants that have ended.
    pub(super) fn lapse(&mut self, now_ms: u64, out: &mut Vec<Transaction>) {
        let ended = |end: Option<u64>| end.is_some_and(|end| end <= now_ms);
        let over: Vec<(String, u64)> = self
            .books
            .buckets
            .iter()
            .filter(|bucket| bucket.left > 0 && ended(bucket.grant.expires_at))
            .map(|bucket| (bucket.id.clone(), bucket.left))
            .collect();
        for (of, left) in over {
            let id = format!("{of}/lapse/{}", self.books.seq + 1);
            let sides = legs([(At::Available, -signed(left)), (At::Lapsed, signed(left))]);
            let lapse = draft(now_ms, id, Kind::Lapse, left, sides);
            out.push(self.books.post(Transaction { of: Some(of), ..lapse }));
        }
    }

    /// Gives what the terms promise: once at the beginning, and once a month.
    fn grant_due(&mut self, now_ms: u64, terms: &CreditTerms, out: &mut Vec<Transaction>) {
        let room = |books: &Books| AMOUNT_MAX.saturating_sub(books.available + books.held);
        if self.books.seq == 0 && terms.sign_up_grant > 0 {
            let grant = Grant { priority: SIGN_UP_PRIORITY, expires_at: None };
            let amount = terms.sign_up_grant.min(AMOUNT_MAX);
            self.give(now_ms, "grant/sign-up".into(), amount, grant, "for signing up", out);
        }
        let month = Month::of_ms(now_ms);
        let amount = terms.monthly_grant.min(room(&self.books));
        let is_due = month > self.books.granted || plant::is(Plant::MonthlyTwice);
        if is_due && amount > 0 {
            let grant = Grant { priority: MONTHLY_PRIORITY, expires_at: Some(month.end_ms()) };
            let again = if plant::is(Plant::MonthlyTwice) { self.books.seq } else { 0 };
            let id = match again {
                0 => format!("{MONTHLY}{month}"),
                again => format!("{MONTHLY}{month}/{again}"),
            };
            self.give(now_ms, id, amount, grant, &format!("for {month}"), out);
        }
    }

    pub(super) fn give(
        &mut self,
        now_ms: u64,
        id: String,
        amount: u64,
        grant: Grant,
        note: &str,
        out: &mut Vec<Transaction>,
    ) {
        let sides = legs([(At::Issued, -signed(amount)), (At::Available, signed(amount))]);
        out.push(self.books.post(Transaction {
            grant: Some(grant),
            note: note.to_owned(),
            ..draft(now_ms, id, Kind::Grant, amount, sides)
        }));
    }

    /// Sets when this account should be looked after. A time that is earlier than need be stays:
    /// looking after it once too often costs less than writing a new time with every run.
    pub(super) fn set_due(&mut self, now_ms: u64, terms: &CreditTerms) {
        let month = (terms.monthly_grant > 0).then(|| Month::of_ms(now_ms).end_ms());
        let left = self.books.buckets.iter().filter(|bucket| bucket.left > 0);
        let grants = left.filter_map(|bucket| bucket.grant.expires_at);
        let first =
            self.leases.values().map(|lease| lease.until_ms).chain(grants).chain(month).min();
        let kept = self.due_at_ms.filter(|due| *due > now_ms);
        self.due_at_ms = match (kept, first) {
            (Some(kept), Some(first)) => Some(kept.min(first)),
            (Some(kept), None) => Some(kept),
            (None, first) => first,
        };
    }
}
