//! What an account does with commands and with what the store answers. Pure: no I/O, no clock.
//!
//! Commands gather while an append is under way, and the next one takes all of them: one commit a
//! group. Each is decided on books that include those before it, and answered once it is durable.
//! Whatever the store's answer leaves open, the same commands are decided anew on the books as the
//! store then has them; they have names, so what was done is found and not done again.

use super::{
    command::{Answer, Command, CreditTerms, Refusal},
    decide::{Account, Known},
};
use crate::plant::{self, Plant};
use greenroom_protocol::credits::{Balance, Transaction};
use std::collections::VecDeque;

/// Commands in one append.
const GROUP_MAX: usize = 32;

/// Tries of a group; then its commands are answered that the ledger is unavailable.
const TRIES_MAX: u32 = 5;

/// Something that happens to an account. `R` is whom to answer.
#[derive(Debug)]
pub(crate) enum Input<R> {
    /// Somebody asks for something.
    Do { command: Command, reply: R },
    /// It is time to look what time has brought.
    Tend,
    /// The head as it is now; version 0: there is none.
    Loaded { version: u64, account: Box<Account> },
    /// The head as it is now, and what the store then had under the names that were asked for.
    Found { version: u64, account: Box<Account>, known: Known },
    /// The append is durable.
    Written,
    /// The append was not made: the ledger has this version, or one of its names is taken.
    Conflict { version: Option<u64> },
    /// The store does not answer; what became of an append is unknown.
    Failed,
    /// The wait after a failure is over.
    Again,
}

/// Something to do about it.
#[derive(Debug)]
pub(crate) enum Effect<R> {
    /// Read the head.
    Load,
    /// Read the head, then look up names: in this order, so that a hold that is in neither does not
    /// exist.
    Find(Vec<String>),
    /// Append, and replace the head by this account.
    Append { if_version: u64, transactions: Vec<Transaction>, account: Box<Account> },
    /// Wait a little, then say [`Input::Again`].
    Wait,
    /// Answer a command.
    Reply(R, Answer),
    /// The balance has changed.
    Balance(Balance),
}

/// A command that waits.
#[derive(Debug)]
struct Op<R> {
    /// None: time only.
    command: Option<(Command, R)>,
    /// The store may know its name already.
    doubtful: bool,
    /// The store was asked for its name.
    asked: bool,
}

/// What is under way. One thing at a time.
#[derive(Debug)]
enum Busy<R> {
    Idle,
    Loading,
    Finding,
    Waiting,
    Appending { account: Box<Account>, ops: Vec<(Op<R>, Option<Answer>)> },
}

/// One account on its way from command to command.
#[derive(Debug)]
pub(crate) struct State<R> {
    terms: CreditTerms,
    /// What the store has, as far as is known; none: it must be read.
    durable: Option<(u64, Account)>,
    waiting: VecDeque<Op<R>>,
    busy: Busy<R>,
    known: Known,
    failures: u32,
}

impl<R> State<R> {
    pub(crate) const fn new(terms: CreditTerms) -> Self {
        Self {
            terms,
            durable: None,
            waiting: VecDeque::new(),
            busy: Busy::Idle,
            known: Known::new(),
            failures: 0,
        }
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.busy, Busy::Idle) && self.waiting.is_empty()
    }

    /// The version that is known to be durable.
    #[cfg(test)]
    fn version(&self) -> Option<u64> {
        self.durable.as_ref().map(|(version, _)| *version)
    }

    /// Applies one input and says what to do about it.
    pub(crate) fn apply(&mut self, now_ms: u64, input: Input<R>, out: &mut Vec<Effect<R>>) {
        match input {
            Input::Do { command, reply } => self.queue(Some((command, reply))),
            Input::Tend => self.queue(None),
            Input::Loaded { version, account } => {
                self.durable = Some((version, *account));
                self.busy = Busy::Idle;
            }
            Input::Found { version, account, known } => {
                self.durable = Some((version, *account));
                self.known = known;
                self.busy = Busy::Idle;
            }
            Input::Written => self.written(out),
            Input::Conflict { version } => {
                self.put_back();
                self.busy = Busy::Idle;
                match (&mut self.durable, version) {
                    (Some(durable), Some(version)) if plant::is(Plant::CheckThenAct) => {
                        durable.0 = version;
                    }
                    _ => self.durable = None,
                }
                self.give_up_if_due(out);
            }
            Input::Failed => {
                self.put_back();
                self.durable = None;
                self.busy = Busy::Waiting;
                out.push(Effect::Wait);
                self.give_up_if_due(out);
            }
            Input::Again => self.busy = Busy::Idle,
        }
        self.step(now_ms, out);
    }

    fn queue(&mut self, command: Option<(Command, R)>) {
        self.waiting.push_back(Op { command, doubtful: false, asked: false });
    }

    /// Begins what comes next, unless something is under way.
    fn step(&mut self, now_ms: u64, out: &mut Vec<Effect<R>>) {
        while matches!(self.busy, Busy::Idle) && !self.waiting.is_empty() {
            let Some((version, mut account)) = self.durable.clone() else {
                self.busy = Busy::Loading;
                out.push(Effect::Load);
                return;
            };
            let mut transactions = Vec::new();
            account.tend(now_ms, &self.terms, &mut transactions);
            let names = self.names(&account, &transactions);
            if !names.is_empty() {
                self.busy = Busy::Finding;
                out.push(Effect::Find(names));
                return;
            }
            let group = self.waiting.len().min(GROUP_MAX);
            let ops: Vec<(Op<R>, Option<Answer>)> = self
                .waiting
                .drain(..group)
                .map(|op| {
                    let answer = op.command.as_ref().map(|(command, _)| {
                        let asked = (command, &self.known);
                        account.perform(now_ms, &self.terms, asked, &mut transactions)
                    });
                    (op, answer)
                })
                .collect();
            self.known.clear();
            let is_same = self.durable.as_ref().is_some_and(|(_, durable)| *durable == account);
            if transactions.is_empty() && is_same {
                reply(ops, out);
                continue;
            }
            if plant::is(Plant::AnsweredBeforeDurable) {
                reply(ops, out);
                self.busy = Busy::Appending { account: Box::new(account.clone()), ops: vec![] };
            } else {
                self.busy = Busy::Appending { account: Box::new(account.clone()), ops };
            }
            let account = Box::new(account);
            out.push(Effect::Append { if_version: version, transactions, account });
        }
    }

    /// The names that the next group has to know of, and marks that they are asked for.
    fn names(&mut self, account: &Account, done: &[Transaction]) -> Vec<String> {
        let mut names = Vec::new();
        for op in self.waiting.iter_mut().take(GROUP_MAX).filter(|op| !op.asked) {
            let Some((command, _)) = &op.command else { continue };
            if !op.doubtful && !account.needs_name(command) {
                continue;
            }
            op.asked = true;
            names.extend(command.name().filter(|name| done.iter().all(|done| done.id != *name)));
        }
        if !names.is_empty() {
            // All of the group is looked up anew: what was found for some may be gone from here.
            for op in self.waiting.iter_mut().take(GROUP_MAX).filter(|op| op.asked) {
                let name = op.command.as_ref().and_then(|(command, _)| command.name());
                names.extend(name.filter(|name| !names.contains(name)));
            }
        }
        names
    }

    fn written(&mut self, out: &mut Vec<Effect<R>>) {
        self.failures = 0;
        let Busy::Appending { account, ops } = std::mem::replace(&mut self.busy, Busy::Idle) else {
            return;
        };
        let before = self.durable.take();
        let version = before.as_ref().map_or(0, |(version, _)| *version);
        let balance = account.books.balance();
        if before.is_none_or(|(_, before)| before.books.balance() != balance) {
            out.push(Effect::Balance(balance));
        }
        self.durable = Some((version + 1, *account));
        reply(ops, out);
    }

    /// What was under way waits again, in front; the store may have it all the same.
    fn put_back(&mut self) {
        self.failures += 1;
        self.known.clear();
        let busy = std::mem::replace(&mut self.busy, Busy::Idle);
        if let Busy::Appending { ops, .. } = busy {
            for (op, _) in ops.into_iter().rev() {
                self.waiting.push_front(op);
            }
        }
        for op in &mut self.waiting {
            (op.doubtful, op.asked) = (true, false);
            if plant::is(Plant::RetriedUnderNewName)
                && let Some((Command::Grant { id, .. }, _)) = &mut op.command
            {
                id.push_str("-again");
            }
        }
    }

    /// After too many failures in a row whoever waits is told so.
    fn give_up_if_due(&mut self, out: &mut Vec<Effect<R>>) {
        if self.failures < TRIES_MAX {
            return;
        }
        self.failures = 0;
        for op in self.waiting.drain(..) {
            if let Some((_, reply)) = op.command {
                out.push(Effect::Reply(reply, Answer::Refused(Refusal::Unavailable)));
            }
        }
    }
}

fn reply<R>(ops: Vec<(Op<R>, Option<Answer>)>, out: &mut Vec<Effect<R>>) {
    for (op, answer) in ops {
        if let (Some((_, reply)), Some(answer)) = (op.command, answer) {
            out.push(Effect::Reply(reply, answer));
        }
    }
}

#[cfg(test)]
mod tests;
