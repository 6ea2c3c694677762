//! What a user's runs paid, against their logs: exact to one micro-credit.

use super::{
    history::{AccountHistory, History, SessionHistory},
    violation::{Rule, Violation},
};
use greenroom_protocol::{
    credits::{Account, CreditsInfo, Ending, Kind, Pays, Transaction},
    error::Reason,
    event::{Event, Outcome, StepName, Usage},
    id::RunId,
};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt::Write as _};

/// What a run's log says of its payment.
#[derive(Clone, Debug, Default)]
struct Said {
    /// It plans, or has planned and nothing else: that is free.
    is_planning: bool,
    /// What its calls used, an attempt each: the last one is the one that is paid.
    attempts: Vec<Usage>,
    /// The last attempt's answer is complete.
    is_generated: bool,
    /// What it said that it paid and cost, each time.
    settled: Vec<(u64, u64)>,
    end: Option<(Outcome, Option<Reason>)>,
}

/// Checks an account: its ledger by itself, and against the logs of its sessions.
pub(super) fn check(account: &AccountHistory, history: &History, found: &mut Vec<Violation>) {
    let Some(first) = account.sessions.first() else { return };
    let mut wrong = |rule, what: String| found.push(Violation::new(rule, *first, what));
    let runs = said(account, history);
    if let Err(what) = check_chain(&account.transactions, &account.info) {
        wrong(Rule::LedgerExact, what);
    }
    if !account.info.holds.is_empty() || account.info.balance.held > 0 {
        wrong(Rule::NoHoldStays, format!("holds are open: {:?}", account.info.holds));
    }
    let mut ends: BTreeMap<RunId, &Transaction> = BTreeMap::new();
    for transaction in &account.transactions {
        let Some(run) = transaction.run else { continue };
        // A run may reserve before its start is durable: one that is lost then was never accepted,
        // and its hold goes back.
        if !runs.contains_key(&run) && transaction.kind == Kind::Settle {
            wrong(Rule::RightCharge, format!("{run} paid and is of none of the user's sessions"));
        }
        let is_end = matches!(transaction.kind, Kind::Settle | Kind::Void);
        if is_end && ends.insert(run, transaction).is_some() {
            wrong(Rule::LedgerExact, format!("{run} ends twice"));
        }
    }
    for (run, said) in &runs {
        if let Err(what) = check_run(said, ends.get(run).copied()) {
            wrong(Rule::RightCharge, format!("{run}: {what}"));
        }
    }
}

/// What the logs of the user's sessions say of runs.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other events say nothing of payment")]
fn said(account: &AccountHistory, history: &History) -> BTreeMap<RunId, Said> {
    let mut runs: BTreeMap<RunId, Said> = BTreeMap::new();
    let mine = |session: &&SessionHistory| account.sessions.contains(&session.session);
    for session in history.sessions.iter().filter(mine) {
        let mut active = None;
        for entry in &session.log {
            match &entry.event {
                Event::InputUser { run, .. } => drop(runs.entry(*run).or_default()),
                Event::RunStarted { run, .. } => active = Some(*run),
                Event::RunRecovering { run, .. } => {
                    active = Some(*run);
                    let said = runs.entry(*run).or_default();
                    if !said.is_generated {
                        said.attempts.push(Usage::default());
                    }
                }
                Event::StepStarted { name } => {
                    if let Some(said) = active.and_then(|run| runs.get_mut(&run)) {
                        said.is_planning = *name == StepName::Planning;
                    }
                }
                Event::StepFinished { name: StepName::Generating } => {
                    if let Some(said) = active.and_then(|run| runs.get_mut(&run)) {
                        said.is_generated = true;
                    }
                }
                Event::Usage { run, .. } if runs.get(run).is_some_and(|said| said.is_planning) => {}
                Event::Usage { run, usage } => {
                    let attempts = &mut runs.entry(*run).or_default().attempts;
                    match attempts.last_mut() {
                        Some(last) => {
                            last.input_tokens += usage.input_tokens;
                            last.cached_tokens += usage.cached_tokens;
                            last.output_tokens += usage.output_tokens;
                        }
                        None => attempts.push(*usage),
                    }
                }
                Event::CreditsSettled { run, paid, cost, .. } => {
                    runs.entry(*run).or_default().settled.push((*paid, *cost));
                }
                Event::RunFinished { run, outcome, error } => {
                    let reason = error.as_ref().map(|error| error.reason);
                    runs.entry(*run).or_default().end = Some((*outcome, reason));
                }
                _ => {}
            }
        }
    }
    runs
}

/// The ledger by itself: numbers, chain, sums, and what is shown of them.
fn check_chain(transactions: &[Transaction], info: &CreditsInfo) -> Result<(), String> {
    let (mut hash, mut sums) = (String::new(), BTreeMap::<Account, i64>::new());
    for (place, row) in transactions.iter().enumerate() {
        let (seq, id) = (row.seq, &row.id);
        if seq != place as u64 + 1 {
            return Err(format!("transaction {seq} stands at place {}", place + 1));
        }
        let text = row.digest_text(&hash);
        hash = String::new();
        for byte in Sha256::digest(text) {
            write!(hash, "{byte:02x}").map_err(|error| error.to_string())?;
        }
        if hash != row.hash {
            return Err(format!("{id} does not follow from those before it"));
        }
        if row.legs.iter().map(|leg| leg.amount).sum::<i64>() != 0 {
            return Err(format!("the sides of {id} do not sum to zero"));
        }
        for leg in &row.legs {
            *sums.entry(leg.account).or_default() += leg.amount;
        }
        let sum = |account| sums.get(&account).copied().unwrap_or(0);
        let (available, held) = (sum(Account::Available), sum(Account::Held));
        if available < 0 || held < 0 {
            return Err(format!("after {id} {available} are available and {held} held"));
        }
        if (row.available.cast_signed(), row.held.cast_signed()) != (available, held) {
            return Err(format!("{id} shows another balance than {available} and {held}"));
        }
    }
    let last = transactions.last().map_or((0, 0, 0), |row| (row.seq, row.available, row.held));
    let shown = (info.balance.seq, info.balance.available, info.balance.held);
    if last != shown {
        return Err(format!("the balance shows {shown:?}, its last transaction {last:?}"));
    }
    let grants: u64 = info.grants.iter().map(|grant| grant.left).sum();
    if grants != info.balance.available {
        return Err(format!("grants have {grants} left, {} are available", info.balance.available));
    }
    Ok(())
}

/// A run's payment: what its rule says of what its log says that it used.
fn check_run(said: &Said, end: Option<&Transaction>) -> Result<(), String> {
    let paid = end.filter(|end| end.kind == Kind::Settle).map_or(0, |end| end.amount);
    if said.settled.len() > 1 {
        return Err(format!("it says {} times what it paid", said.settled.len()));
    }
    if let Some((said_paid, said_cost)) = said.settled.first() {
        let cost = end.map_or(0, cost);
        if (*said_paid, *said_cost) != (paid, cost) {
            return Err(format!(
                "it says that it paid {said_paid} of {said_cost}; the ledger has {paid} of {cost}"
            ));
        }
    }
    let Some((outcome, reason)) = said.end else {
        return if paid == 0 { Ok(()) } else { Err("it paid and has no end".into()) };
    };
    let was_lost = matches!(
        reason,
        Some(Reason::OwnerLost | Reason::Internal | Reason::HoldExpired | Reason::StoreUnavailable)
    );
    if was_lost && paid > 0 {
        return Err(format!("the engine lost it, and it paid {paid}"));
    }
    let Some(end) = end else {
        let is_free = outcome != Outcome::Completed || said.is_planning;
        return if is_free { Ok(()) } else { Err("it completed and never paid".into()) };
    };
    if end.kind == Kind::Void {
        let is_expired = end.rule.is_some_and(|rule| rule.ending == Ending::Expired);
        return if is_expired { Ok(()) } else { Err("its hold went back for no reason".into()) };
    }
    let (Some(price), Some(rule), Some(usage)) = (&end.price, end.rule, &end.usage) else {
        return Err("the transaction does not say how it was paid".into());
    };
    let used = |usage: &Usage| (usage.input_tokens, usage.cached_tokens, usage.output_tokens);
    let nothing = Usage::default();
    let logged = said.attempts.iter().chain([&nothing]).any(|of| used(of) == used(usage));
    if !logged {
        return Err(format!("it paid for {usage:?}, its log has {:?}", said.attempts));
    }
    let due = if rule.pays == Pays::Used { price.cost(usage) } else { 0 };
    if (paid, cost(end)) != (due, price.cost(usage)) {
        return Err(format!("it paid {paid}, and {due} were due for {usage:?}"));
    }
    let is_completed = rule.ending == Ending::Completed;
    if is_completed != (outcome == Outcome::Completed) {
        return Err(format!("it paid as {:?} and ended {outcome:?}", rule.ending));
    }
    if is_completed && said.attempts.last().is_none_or(|last| used(last) != used(usage)) {
        return Err(format!("it paid for {usage:?}, and not for its last attempt"));
    }
    Ok(())
}

/// What a run cost, whoever paid it.
fn cost(end: &Transaction) -> u64 {
    let written_off = end.legs.iter().find(|leg| leg.account == Account::WriteOff);
    let paid = if end.kind == Kind::Settle { end.amount } else { 0 };
    paid + written_off.map_or(0, |leg| leg.amount.unsigned_abs())
}
