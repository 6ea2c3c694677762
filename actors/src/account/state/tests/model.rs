//! The reference: what a ledger's rows have to be, read one after the other by the simplest means.

use super::super::super::month::Month;
use greenroom_protocol::{
    credits::{Account, Ending, Kind, Price, Transaction},
    event::Usage,
    id::RunId,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What a run used, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) usage: Usage,
    pub(super) ending: Ending,
}

/// What has to be known besides the rows.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) plans: BTreeMap<RunId, Plan>,
    /// Runs that asked to pay.
    pub(super) asked_to_pay: Vec<RunId>,
    /// Until when a run was told that it may keep its hold.
    pub(super) promised_until: BTreeMap<RunId, u64>,
    /// Grants that were asked for: name and amount.
    pub(super) grants: BTreeMap<String, u64>,
    pub(super) sign_up: u64,
    pub(super) monthly: u64,
    pub(super) month_budget: u64,
    pub(super) session_budget: u64,
    pub(super) held_share: u64,
}

/// A grant, coin by coin; or rather, lot by lot.
#[derive(Debug)]
struct Lot {
    id: String,
    order: (u8, u64, u64),
    left: u64,
}

/// Sums of all accounts, lots, and the lots that each open hold took.
#[derive(Debug, Default)]
pub(super) struct Model {
    sums: BTreeMap<Account, i64>,
    lots: Vec<Lot>,
    open: BTreeMap<RunId, Vec<(String, u64)>>,
    ended: Vec<RunId>,
    months: Vec<String>,
    spent: BTreeMap<String, u64>,
    names: Vec<String>,
    hash: String,
    seq: u64,
}

macro_rules! ensure {
    ($holds:expr, $($said:tt)*) => {
        if !$holds {
            return Err(format!($($said)*));
        }
    };
}
pub(super) use ensure;

/// The price by which all runs pay: odd, so that costs have to be rounded.
pub(super) fn price() -> Price {
    Price { version: "v".into(), model: "m".into(), input: 333_333, cached: 1, output: 1_700_001 }
}

/// What a usage costs: the exact sum, and one more where there is a rest.
fn cost(usage: &Usage) -> u64 {
    let fresh = usage.input_tokens - usage.cached_tokens;
    let exact = fresh * 333_333 + usage.cached_tokens + usage.output_tokens * 1_700_001;
    exact / 1_000_000 + u64::from(!exact.is_multiple_of(1_000_000))
}

impl Model {
    /// Reads all rows of a ledger.
    pub(super) fn read(rows: &[Transaction], facts: &Facts) -> Result<Self, String> {
        let mut model = Self::default();
        for row in rows {
            model.row(row, facts).map_err(|wrong| format!("{wrong}, in {row:?}"))?;
        }
        Ok(model)
    }

    pub(super) fn sum(&self, account: Account) -> i64 {
        self.sums.get(&account).copied().unwrap_or(0)
    }

    pub(super) fn is_open(&self, run: RunId) -> bool {
        self.open.contains_key(&run)
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// What is left of each grant, by name.
    pub(super) fn left(&self) -> BTreeMap<&str, u64> {
        let full = self.lots.iter().filter(|lot| lot.left > 0);
        full.map(|lot| (lot.id.as_str(), lot.left)).collect()
    }

    fn row(&mut self, row: &Transaction, facts: &Facts) -> Result<(), String> {
        ensure!(row.seq == self.seq + 1, "I6: number {} after {}", row.seq, self.seq);
        self.seq = row.seq;
        let text = row.digest_text(&self.hash);
        let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(hash == row.hash, "I10: the chain is broken");
        self.hash = hash;
        ensure!(!self.names.contains(&row.id), "I5: a name came twice");
        self.names.push(row.id.clone());
        let total: i64 = row.legs.iter().map(|leg| leg.amount).sum();
        ensure!(total == 0, "I1: legs sum to {total}");
        let before = self.sum(Account::Available);
        for leg in &row.legs {
            *self.sums.entry(leg.account).or_default() += leg.amount;
        }
        let sum: i64 = self.sums.values().sum();
        ensure!(sum == 0, "I1: all accounts sum to {sum}");
        let (available, held) = (self.sum(Account::Available), self.sum(Account::Held));
        ensure!(available >= 0 && held >= 0, "I2: {available} available, {held} held");
        let shown = (row.available as i64, row.held as i64);
        ensure!(
            shown == (available, held),
            "the row shows another balance than {available}, {held}"
        );
        match row.kind {
            Kind::Grant => self.grant(row, facts),
            Kind::Lapse => self.lapse(row),
            Kind::Hold => self.hold(row, facts, before),
            Kind::TopUp => self.top_up(row),
            Kind::Settle => self.settle(row, facts),
            Kind::Void => self.void(row, facts),
            Kind::Unknown => Err("of no kind".into()),
        }?;
        let lots: u64 = self.lots.iter().map(|lot| lot.left).sum();
        ensure!(lots as i64 == available, "grants have {lots} left, {available} are available");
        if row.kind == Kind::Hold && self.open.len() > 1 {
            let share = (available + held) * facts.held_share as i64 / 100;
            ensure!(held <= share, "{held} are held of {share} that may be");
        }
        self.within_budget(row, facts)
    }

    fn within_budget(&self, row: &Transaction, facts: &Facts) -> Result<(), String> {
        let month = Month::of_ms(row.at).to_string();
        let spent = self.spent.get(&month).copied().unwrap_or(0);
        let (held, budget) = (self.sum(Account::Held).cast_unsigned(), facts.month_budget);
        let is_within = budget == 0 || spent + held <= budget;
        ensure!(is_within, "{spent} paid and {held} held of a budget of {budget}");
        Ok(())
    }

    fn grant(&mut self, row: &Transaction, facts: &Facts) -> Result<(), String> {
        let wanted = match row.id.as_str() {
            "grant/sign-up" => facts.sign_up,
            id if id.starts_with("grant/month/") => {
                let month = Month::of_ms(row.at).to_string();
                ensure!(!self.months.contains(&month), "a month's grant came twice");
                self.months.push(month);
                facts.monthly
            }
            id => *facts.grants.get(id).ok_or("nobody asked for this grant")?,
        };
        ensure!(row.amount == wanted, "a grant of {wanted} was wanted");
        let grant = row.grant.as_ref().ok_or("a grant without terms")?;
        let order = (grant.priority, grant.expires_at.unwrap_or(u64::MAX), row.seq);
        self.lots.push(Lot { id: row.id.clone(), order, left: row.amount });
        self.lots.sort_by_key(|lot| lot.order);
        Ok(())
    }

    fn lapse(&mut self, row: &Transaction) -> Result<(), String> {
        let of = row.of.as_deref().ok_or("of no grant")?;
        let lot = self.lots.iter_mut().find(|lot| lot.id == of).ok_or("of an unknown grant")?;
        ensure!(lot.order.1 <= row.at, "before the grant's end");
        ensure!(lot.left == row.amount, "{} were left", lot.left);
        lot.left = 0;
        Ok(())
    }

    /// Takes from the lots in their order.
    fn take(&mut self, mut amount: u64, at: u64) -> Result<Vec<(String, u64)>, String> {
        let mut taken = Vec::new();
        while amount > 0 {
            let lot = self.lots.iter_mut().find(|lot| lot.left > 0).ok_or("nothing is left")?;
            ensure!(lot.order.1 > at, "a grant that has ended was spent");
            let slice = lot.left.min(amount);
            (lot.left, amount) = (lot.left - slice, amount - slice);
            taken.push((lot.id.clone(), slice));
        }
        Ok(taken)
    }

    fn run(row: &Transaction) -> Result<RunId, String> {
        row.run.ok_or_else(|| "of no run".into())
    }

    fn hold(&mut self, row: &Transaction, facts: &Facts, before: i64) -> Result<(), String> {
        let run = Self::run(row)?;
        ensure!(row.amount as i64 <= before, "I2: a hold of {} of {before}", row.amount);
        let is_new = !self.open.contains_key(&run) && !self.ended.contains(&run);
        ensure!(is_new, "I3: a second hold of a run");
        ensure!(facts.plans.contains_key(&run), "a hold that nobody asked for");
        let taken = self.take(row.amount, row.at)?;
        self.open.insert(run, taken);
        Ok(())
    }

    fn top_up(&mut self, row: &Transaction) -> Result<(), String> {
        let taken = self.take(row.amount, row.at)?;
        let open = self.open.get_mut(&Self::run(row)?).ok_or("of a run without a hold")?;
        open.extend(taken);
        Ok(())
    }

    /// Ends a hold: what is not paid goes back to where it came from.
    fn end(&mut self, run: RunId, mut paid: u64) -> Result<(), String> {
        let taken = self.open.remove(&run).ok_or("I3: the end of a hold that is not open")?;
        self.ended.push(run);
        for (id, slice) in taken {
            let spent = slice.min(paid);
            paid -= spent;
            let lot = self.lots.iter_mut().find(|lot| lot.id == id).ok_or("a grant is gone")?;
            lot.left += slice - spent;
        }
        ensure!(paid == 0, "I4: {paid} more were paid than were held");
        Ok(())
    }

    fn settle(&mut self, row: &Transaction, facts: &Facts) -> Result<(), String> {
        let run = Self::run(row)?;
        let plan = facts.plans.get(&run).ok_or("of an unknown run")?;
        ensure!(facts.asked_to_pay.contains(&run), "I7: paid by a run that did not ask to pay");
        let held: u64 = self.open.get(&run).into_iter().flatten().map(|(_, slice)| slice).sum();
        let is_free =
            matches!(plan.ending, Ending::NoContent | Ending::BrokenOff | Ending::EngineFault);
        let (cost, due) = (cost(&plan.usage), if is_free { 0 } else { cost(&plan.usage) });
        ensure!(row.amount == due.min(held), "{due} are due, {held} are held");
        // Beyond its hold a run pays as far as there are credits and budgets.
        let could_pay_more = due > held && facts.month_budget == 0 && facts.session_budget == 0;
        let available = self.sum(Account::Available);
        ensure!(!could_pay_more || available == 0, "{due} are due, {available} were there");
        let budget = facts.session_budget;
        ensure!(budget == 0 || row.amount <= budget, "beyond the session's budget of {budget}");
        let written_off = row.legs.iter().find(|leg| leg.account == Account::WriteOff);
        let written_off = written_off.map_or(0, |leg| leg.amount.cast_unsigned());
        ensure!(row.amount + written_off == cost, "what nobody pays is written off");
        *self.spent.entry(Month::of_ms(row.at).to_string()).or_default() += row.amount;
        self.end(run, row.amount)
    }

    fn void(&mut self, row: &Transaction, facts: &Facts) -> Result<(), String> {
        let run = Self::run(row)?;
        let promised = facts.promised_until.get(&run).copied().unwrap_or(0);
        ensure!(promised <= row.at, "I8: voided before {promised}");
        let revenue = row.legs.iter().any(|leg| leg.account == Account::Revenue);
        ensure!(!revenue, "I7: a run that was lost was charged");
        self.end(run, 0)
    }
}
