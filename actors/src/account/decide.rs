//! What an account decides about a command. Pure: time is passed in.

use super::{
    books::{Books, Hold},
    command::{Answer, Command, CreditTerms, HoldRequest, Refusal, Settlement},
    month::Month,
};
use crate::plant::{self, Plant};
use greenroom_protocol::{
    credits::{
        AMOUNT_MAX, Account as At, CreditsInfo, Ending, HoldInfo, Kind, Leg, POLICY, Pays, Price,
        Quote, Transaction,
    },
    event::Usage,
    id::RunId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An account: what its ledger's head holds. `now_ms` is the time in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(super) books: Books,
    /// Of each hold. Renewals are no transactions.
    pub(super) leases: BTreeMap<RunId, Lease>,
    /// When it should be looked after; never later than something is due.
    pub(super) due_at_ms: Option<u64>,
}

/// How long a hold lasts, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    /// It goes back at this time, in milliseconds since 1970.
    pub(super) until_ms: u64,
    /// What the session's earlier runs have paid.
    session_spent: u64,
}

/// What the store knows under the names that a command would use; only asked for where the books
/// do not know the run.
pub(super) type Known = BTreeMap<String, Transaction>;

/// Name of what ends a run's hold, however it ends: so it ends once.
pub(super) fn end_id(run: RunId) -> String {
    format!("{run}/end")
}

impl Command {
    /// The name under which the store may know what this command would do, where the books alone
    /// cannot tell.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Hold(HoldRequest { run, .. })
            | Self::TopUp { run, .. }
            | Self::Renew { run }
            | Self::Settle { run, .. } => Some(end_id(*run)),
            Self::Grant { id, .. } => Some(id.clone()),
            Self::Look | Self::Quote { .. } => None,
        }
    }
}

impl Account {
    /// Whether a command needs to know what the store has under its name. A hold does not, since
    /// runs are new: the store refuses the name where it is not.
    pub(super) fn needs_name(&self, command: &Command) -> bool {
        match command {
            Command::TopUp { run, .. } | Command::Renew { run } | Command::Settle { run, .. } => {
                !self.books.holds.contains_key(run)
            }
            Command::Hold(_) | Command::Grant { .. } | Command::Look | Command::Quote { .. } => {
                false
            }
        }
    }

    /// Performs a command, after [`Account::tend`].
    pub(super) fn perform(
        &mut self,
        now_ms: u64,
        terms: &CreditTerms,
        (command, known): (&Command, &Known),
        out: &mut Vec<Transaction>,
    ) -> Answer {
        // What this very group did is not in the store yet.
        let found = command.name().and_then(|name| {
            out.iter().find(|done| done.id == name).or_else(|| known.get(&name)).cloned()
        });
        let found = found.as_ref();
        match command {
            Command::Hold(request) => self.hold(now_ms, terms, request, found, out),
            Command::TopUp { run, number, amount } => {
                self.top_up(now_ms, terms, (*run, *number, *amount), found, out)
            }
            Command::Renew { run } => self.renew(now_ms, terms, *run, found),
            Command::Settle { run, usage, ending } => {
                self.settle(now_ms, terms, *run, (usage, *ending), found, out)
            }
            Command::Grant { id, amount, grant, note } => {
                if let Some(found) = found {
                    let same = found.amount == *amount && found.grant.as_ref() == Some(grant);
                    return if same {
                        self.info(now_ms, terms)
                    } else {
                        refused(Refusal::Conflict)
                    };
                }
                let left = AMOUNT_MAX.saturating_sub(self.books.available + self.books.held);
                if *amount == 0 || *amount > left {
                    return refused(Refusal::TooMuch);
                }
                self.give(now_ms, id.clone(), *amount, grant.clone(), note, out);
                self.lapse(now_ms, out); // one that was over before it came
                self.set_due(now_ms, terms);
                self.info(now_ms, terms)
            }
            Command::Look => self.info(now_ms, terms),
            Command::Quote { price, input_tokens } => self.quote(terms, price, *input_tokens),
        }
    }

    fn hold(
        &mut self,
        now_ms: u64,
        terms: &CreditTerms,
        request: &HoldRequest,
        found: Option<&Transaction>,
        out: &mut Vec<Transaction>,
    ) -> Answer {
        let HoldRequest { run, session, session_spent, price, input_tokens } = request;
        if let Some(hold) = self.books.holds.get(run) {
            return Answer::Held { amount: hold.amount }; // a repeat
        }
        if let Some(found) = found {
            return Answer::Settled(settlement(found));
        }
        let (least, wanted) = self.estimate(terms, price, *input_tokens);
        let available = self.books.available;
        if least > available && !plant::is(Plant::BalanceUnchecked) {
            return refused(Refusal::Insufficient { needed: least, available });
        }
        let beside = self.beside(terms);
        if least > beside && !plant::is(Plant::BalanceUnchecked) {
            return refused(Refusal::HeldByOthers { share: terms.held_share });
        }
        let amount = wanted.min(beside).max(least);
        let room = self.room(now_ms, terms, *session_spent);
        if amount > room.amount {
            return refused(room.refusal);
        }
        let until_ms = now_ms.saturating_add(terms.hold_ttl_ms);
        self.leases.insert(*run, Lease { until_ms, session_spent: *session_spent });
        out.push(self.books.post(Transaction {
            run: Some(*run),
            session: Some(*session),
            price: Some(price.clone()),
            ..draft(now_ms, format!("{run}/hold"), Kind::Hold, amount, reserve(amount))
        }));
        self.set_due(now_ms, terms);
        Answer::Held { amount }
    }

    /// Most that a further hold may take: beside others it leaves a rest from which all of them can
    /// be topped up, or none of them might get to its end.
    fn beside(&self, terms: &CreditTerms) -> u64 {
        let Books { available, held, .. } = self.books;
        if held == 0 {
            return available;
        }
        // In u128: no amount is too large for it.
        let share = u128::from(available + held) * u128::from(terms.held_share) / 100;
        available.min(u64::try_from(share).unwrap_or(u64::MAX).saturating_sub(held))
    }

    fn top_up(
        &mut self,
        now_ms: u64,
        terms: &CreditTerms,
        (run, number, amount): (RunId, u32, u64),
        found: Option<&Transaction>,
        out: &mut Vec<Transaction>,
    ) -> Answer {
        let Some(hold) = self.books.holds.get(&run) else { return self.no_hold(found) };
        if number <= hold.top_ups {
            return Answer::Held { amount: hold.amount }; // a repeat
        }
        let available = self.books.available;
        if amount > available {
            return refused(Refusal::Insufficient { needed: amount, available });
        }
        let room = self.room(now_ms, terms, self.session_spent(run));
        if amount > room.amount {
            return refused(room.refusal);
        }
        self.renew_lease(now_ms, terms, run);
        let amount = self.raise(now_ms, run, amount, out);
        Answer::Held { amount }
    }

    /// Raises a hold; what it is then.
    fn raise(&mut self, now_ms: u64, run: RunId, amount: u64, out: &mut Vec<Transaction>) -> u64 {
        let Some(Hold { session, price, top_ups, .. }) = self.books.holds.get(&run).cloned() else {
            return 0;
        };
        let id = format!("{run}/top-up/{}", top_ups + 1);
        out.push(self.books.post(Transaction {
            run: Some(run),
            session: Some(session),
            price: Some(price),
            ..draft(now_ms, id, Kind::TopUp, amount, reserve(amount))
        }));
        self.books.holds.get(&run).map_or(0, |hold| hold.amount)
    }

    fn renew(
        &mut self,
        now_ms: u64,
        terms: &CreditTerms,
        run: RunId,
        found: Option<&Transaction>,
    ) -> Answer {
        let Some(hold) = self.books.holds.get(&run) else {
            if plant::is(Plant::RenewedAfterEnd) && found.is_some() {
                return Answer::Held { amount: 0 };
            }
            return self.no_hold(found);
        };
        let amount = hold.amount;
        self.renew_lease(now_ms, terms, run);
        Answer::Held { amount }
    }

    fn settle(
        &mut self,
        now_ms: u64,
        terms: &CreditTerms,
        run: RunId,
        (usage, ending): (&Usage, Ending),
        found: Option<&Transaction>,
        out: &mut Vec<Transaction>,
    ) -> Answer {
        if plant::is(Plant::DoubleRefund)
            && let Some(found) = found.filter(|found| found.kind == Kind::Settle)
        {
            let back =
                [(At::Revenue, -signed(found.amount)), (At::Available, signed(found.amount))];
            let id = format!("{run}/refund/{}", self.books.seq);
            out.push(self.books.post(draft(now_ms, id, Kind::Void, found.amount, legs(back))));
        }
        let Some(hold) = self.books.holds.get(&run) else { return self.no_hold(found) };
        let rule = ending.rule();
        let cost = hold.price.cost(usage);
        let cost = if plant::is(Plant::RoundedDown) { cost.saturating_sub(1) } else { cost };
        let due = if rule.pays == Pays::Used { cost } else { 0 };
        let mut reserved = hold.amount;
        let room = self.room(now_ms, terms, self.session_spent(run)).amount;
        let more = due.saturating_sub(reserved).min(self.books.available).min(room);
        if more > 0 && !plant::is(Plant::PaidAboveHold) {
            // What it cost beyond its hold, as far as there are credits; the rest is written off.
            reserved = self.raise(now_ms, run, more, out);
        }
        let paid = if plant::is(Plant::PaidAboveHold) { due } else { due.min(reserved) };
        let settlement = Settlement { paid, cost, rule };
        let Some(hold) = self.books.holds.get(&run).cloned() else { return self.no_hold(found) };
        self.leases.remove(&run);
        let written_off = if plant::is(Plant::NothingWrittenOff) { 0 } else { signed(cost - paid) };
        let sides = [
            (At::Held, -signed(reserved)),
            (At::Revenue, signed(paid)),
            (At::Available, signed(reserved) - signed(paid)),
            (At::WriteOff, written_off),
            (At::Provider, -signed(cost - paid)),
        ];
        out.push(self.books.post(Transaction {
            run: Some(run),
            session: Some(hold.session),
            price: Some(hold.price),
            usage: Some(*usage),
            rule: Some(rule),
            ..draft(now_ms, end_id(run), Kind::Settle, paid, legs(sides))
        }));
        self.lapse(now_ms, out); // what went back to a grant that has ended meanwhile
        Answer::Settled(settlement)
    }

    fn renew_lease(&mut self, now_ms: u64, terms: &CreditTerms, run: RunId) {
        if let Some(lease) = self.leases.get_mut(&run) {
            lease.until_ms = now_ms.saturating_add(terms.hold_ttl_ms);
        }
    }

    /// What a run's session has spent or reserved.
    fn session_spent(&self, run: RunId) -> u64 {
        let before = self.leases.get(&run).map_or(0, |lease| lease.session_spent);
        before.saturating_add(self.books.holds.get(&run).map_or(0, |hold| hold.amount))
    }

    /// What a run costs with an answer of the usual length, and what it should reserve.
    fn estimate(&self, terms: &CreditTerms, price: &Price, input_tokens: u64) -> (u64, u64) {
        let expected = self.books.habits.expected(&price.model, terms.prior_output_tokens);
        let cost =
            |output_tokens| price.cost(&Usage { input_tokens, output_tokens, ..Usage::default() });
        (cost(expected.p50), cost(expected.p90))
    }

    /// What the budgets leave room for, and what to say to whom it does not suffice.
    fn room(&self, now_ms: u64, terms: &CreditTerms, session_spent: u64) -> Room {
        let left = |budget: u64, spent: u64| match budget {
            0 => u64::MAX,
            budget => budget.saturating_sub(spent),
        };
        let (month, budget) = (Month::of_ms(now_ms), terms.month_budget);
        let held = if plant::is(Plant::BudgetWithoutHolds) { 0 } else { self.books.held };
        let of_month = left(budget, self.books.spent_in(month).saturating_add(held));
        let of_session = left(terms.session_budget, session_spent);
        if of_month <= of_session {
            return Room { amount: of_month, refusal: Refusal::MonthBudget { month, budget } };
        }
        let refusal = Refusal::SessionBudget { budget: terms.session_budget };
        Room { amount: of_session, refusal }
    }

    fn no_hold(&self, found: Option<&Transaction>) -> Answer {
        found.map_or(refused(Refusal::NoHold), |found| Answer::Settled(settlement(found)))
    }

    fn info(&self, now_ms: u64, terms: &CreditTerms) -> Answer {
        let hold = |(run, hold): (&RunId, &Hold)| HoldInfo {
            run: *run,
            session: hold.session,
            amount: hold.amount,
            expires_at: self.leases.get(run).map_or(0, |lease| lease.until_ms),
        };
        let limit = |budget: u64| (budget > 0).then_some(budget);
        Answer::Info(Box::new(CreditsInfo {
            balance: self.books.balance(),
            grants: self.books.grants(),
            holds: self.books.holds.iter().map(hold).collect(),
            month_spent: self.books.spent_in(Month::of_ms(now_ms)),
            month_budget: limit(terms.month_budget),
            session_budget: limit(terms.session_budget),
        }))
    }

    fn quote(&self, terms: &CreditTerms, price: &Price, input_tokens: u64) -> Answer {
        let expected = self.books.habits.expected(&price.model, terms.prior_output_tokens);
        let (cost_p50, hold) = self.estimate(terms, price, input_tokens);
        let available = self.books.available;
        Answer::Quote(Box::new(Quote {
            price: price.clone(),
            input_tokens,
            output_tokens_p50: expected.p50,
            output_tokens_p90: expected.p90,
            cost_p50,
            hold,
            available,
            sufficient: cost_p50 <= available,
            policy: POLICY.to_vec(),
        }))
    }
}

/// What the budgets leave.
struct Room {
    amount: u64,
    refusal: Refusal,
}

const fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(refusal)
}

/// What the end of a hold says of its run.
fn settlement(end: &Transaction) -> Settlement {
    let written_off = end.legs.iter().find(|leg| leg.account == At::WriteOff);
    let written_off = written_off.map_or(0, |leg| leg.amount.unsigned_abs());
    let paid = if end.kind == Kind::Settle { end.amount } else { 0 };
    let rule = end.rule.unwrap_or_else(|| Ending::Expired.rule());
    Settlement { paid, cost: paid + written_off, rule }
}

/// An amount is at most [`AMOUNT_MAX`].
pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

pub(super) fn legs<const N: usize>(sides: [(At, i64); N]) -> Vec<Leg> {
    sides.into_iter().map(|(account, amount)| Leg { account, amount }).collect()
}

fn reserve(amount: u64) -> Vec<Leg> {
    legs([(At::Available, -signed(amount)), (At::Held, signed(amount))])
}

pub(super) fn draft(at: u64, id: String, kind: Kind, amount: u64, legs: Vec<Leg>) -> Transaction {
    Transaction {
        seq: 0,
        at,
        id,
        kind,
        amount,
        legs,
        available: 0,
        held: 0,
        run: None,
        session: None,
        grant: None,
        of: None,
        price: None,
        usage: None,
        rule: None,
        note: String::new(),
        hash: String::new(),
    }
}

#[cfg(test)]
mod tests;
