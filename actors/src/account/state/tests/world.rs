//! Proposers, a store with its faults, runs, and time.

use super::{
    super::{
        super::{
            command::{Answer, Command, CreditTerms, HoldRequest, Refusal},
            decide::{Account, Known},
        },
        Effect, Input, State,
    },
    model::{Facts, Model, Plan, ensure, price},
};
use greenroom_protocol::{
    credits::{Account as At, Ending, Grant, Transaction},
    event::Usage,
    id::{RunId, SessionId},
};
use rand::{Rng as _, rngs::SmallRng, seq::IndexedRandom as _};
use std::collections::BTreeMap;
use uuid::Uuid;

const TTL_MS: u64 = 60_000;
const RUNS_MAX: usize = 6;

/// An append on its way.
#[derive(Clone, Debug)]
struct Append {
    if_version: u64,
    transactions: Vec<Transaction>,
    account: Account,
}

/// The durable side.
#[derive(Debug, Default)]
struct Store {
    version: u64,
    head: Account,
    rows: Vec<Transaction>,
    /// Number of the last row before the last append.
    before: u64,
}

impl Store {
    fn post(&mut self, append: &Append) -> Input<usize> {
        if append.if_version != self.version {
            return Input::Conflict { version: Some(self.version) };
        }
        let is_there = |new: &Transaction| self.rows.iter().any(|row| row.id == new.id);
        if append.transactions.iter().any(is_there) {
            return Input::Conflict { version: None };
        }
        self.version += 1;
        self.before = self.rows.len() as u64;
        self.rows.extend(append.transactions.iter().cloned());
        self.head = append.account.clone();
        Input::Written
    }
}

/// A proposer, and what it asked the store for.
struct Node {
    state: State<usize>,
    asked: Option<Asked>,
}

enum Asked {
    Load,
    Find(Vec<String>),
    Append(Append),
    Wait,
}

pub(super) struct World {
    now_ms: u64,
    terms: CreditTerms,
    store: Store,
    /// Two: one proposer is the rule, and a fenced one may still speak.
    nodes: Vec<Node>,
    /// Appends whose proposer does not wait for them any more.
    late: Vec<Append>,
    commands: Vec<Command>,
    answered: Vec<bool>,
    runs: Vec<RunId>,
    facts: Facts,
}

fn session(random: &mut SmallRng) -> SessionId {
    SessionId::new(Uuid::from_u128(random.random_range(1..3)))
}

impl World {
    pub(super) fn new(random: &mut SmallRng) -> Self {
        let pick = |random: &mut SmallRng, of: &[u64]| of.choose(random).copied().unwrap_or(0);
        let terms = CreditTerms {
            hold_ttl_ms: TTL_MS,
            sign_up_grant: pick(random, &[0, 500, 5_000, 1_000_000]),
            monthly_grant: pick(random, &[0, 0, 700]),
            month_budget: pick(random, &[0, 0, 0, 3_000]),
            session_budget: pick(random, &[0, 0, 0, 2_500]),
            held_share: pick(random, &[100, 80, 50]),
            prior_output_tokens: 800,
        };
        let facts = Facts {
            sign_up: terms.sign_up_grant,
            monthly: terms.monthly_grant,
            month_budget: terms.month_budget,
            session_budget: terms.session_budget,
            held_share: terms.held_share,
            ..Facts::default()
        };
        // Shortly before a month ends.
        let now_ms = 1_796_083_200_000 - random.random_range(1..4 * TTL_MS);
        let node = || Node { state: State::new(terms.clone()), asked: None };
        Self {
            now_ms,
            store: Store::default(),
            nodes: vec![node(), node()],
            terms,
            late: Vec::new(),
            commands: Vec::new(),
            answered: Vec::new(),
            runs: Vec::new(),
            facts,
        }
    }

    /// One random thing happens.
    pub(super) fn step(&mut self, random: &mut SmallRng) -> Result<(), String> {
        let node = usize::from(random.random_ratio(1, 8));
        match random.random_range(0..100) {
            0..=44 => self.serve(node, random),
            45..=76 => {
                let command = self.command(random);
                self.ask(node, command)
            }
            77..=81 => {
                self.now_ms += random.random_range(1..TTL_MS);
                Ok(())
            }
            82..=84 => self.input(node, Input::Tend),
            85..=88 => {
                self.crash(node, random);
                Ok(())
            }
            89..=92 => {
                if !self.late.is_empty() {
                    let append = self.late.remove(random.random_range(0..self.late.len()));
                    let _ = self.store.post(&append);
                }
                Ok(())
            }
            _ => {
                // Somebody asks again, as after a reply that was lost.
                let again = self.commands.choose(random).cloned();
                again.map_or(Ok(()), |again| self.ask(node, again))
            }
        }
    }

    fn plan(&mut self, random: &mut SmallRng) -> RunId {
        if self.runs.len() < RUNS_MAX && random.random_ratio(1, 3) || self.runs.is_empty() {
            let run = RunId::new(Uuid::from_u128(1000 + self.runs.len() as u128));
            let input_tokens = random.random_range(0..3000);
            let usage = Usage {
                input_tokens,
                cached_tokens: random.random_range(0..=input_tokens),
                output_tokens: random.random_range(0..2000),
                ..Usage::default()
            };
            let ending = [
                Ending::Completed,
                Ending::Completed,
                Ending::Cancelled,
                Ending::Truncated,
                Ending::NoContent,
                Ending::BrokenOff,
                Ending::EngineFault,
            ];
            let ending = ending.choose(random).copied().unwrap_or(Ending::Completed);
            self.facts.plans.insert(run, Plan { usage, ending });
            self.runs.push(run);
        }
        self.runs.choose(random).copied().unwrap_or(RunId::new(Uuid::nil()))
    }

    fn command(&mut self, random: &mut SmallRng) -> Command {
        let run = self.plan(random);
        match random.random_range(0..20) {
            0..=6 => Command::Hold(HoldRequest {
                run,
                session: session(random),
                session_spent: 0,
                price: price(),
                input_tokens: random.random_range(0..2000),
            }),
            7..=8 => Command::TopUp {
                run,
                number: random.random_range(1..3),
                amount: random.random_range(1..1500),
            },
            9..=10 => Command::Renew { run },
            11..=16 => {
                let Plan { usage, ending } = self.facts.plans[&run];
                Command::Settle { run, usage, ending }
            }
            17..=18 => {
                let id = format!("grant/by-hand/{}", self.facts.grants.len());
                let amount = random.random_range(1..2000);
                let lapses = random.random_ratio(1, 2);
                let expires_at = lapses.then(|| self.now_ms + random.random_range(1..TTL_MS * 2));
                let grant = Grant { priority: random.random_range(0..3) * 40, expires_at };
                self.facts.grants.insert(id.clone(), amount);
                Command::Grant { id, amount, grant, note: String::new() }
            }
            _ => Command::Look,
        }
    }

    fn ask(&mut self, node: usize, command: Command) -> Result<(), String> {
        if let Command::Settle { run, .. } = &command {
            self.facts.asked_to_pay.push(*run);
        }
        self.commands.push(command.clone());
        self.answered.push(false);
        self.input(node, Input::Do { command, reply: self.commands.len() - 1 })
    }

    fn input(&mut self, node: usize, input: Input<usize>) -> Result<(), String> {
        let mut effects = Vec::new();
        self.nodes[node].state.apply(self.now_ms, input, &mut effects);
        for effect in effects {
            let asked = match effect {
                Effect::Reply(reply, answer) => {
                    // A proposer that is fenced, and does not know it yet, may repeat what was so.
                    let version = self.nodes[node].state.version();
                    let is_current = version == Some(self.store.version);
                    self.reply(reply, &answer, is_current)?;
                    continue;
                }
                Effect::Balance(_) => continue,
                Effect::Load => Asked::Load,
                Effect::Find(names) => Asked::Find(names),
                Effect::Wait => Asked::Wait,
                Effect::Append { if_version, transactions, account } => {
                    Asked::Append(Append { if_version, transactions, account: *account })
                }
            };
            ensure!(self.nodes[node].asked.is_none(), "two things are under way");
            self.nodes[node].asked = Some(asked);
        }
        Ok(())
    }

    /// The store serves what a node asked for, well or not.
    fn serve(&mut self, node: usize, random: &mut SmallRng) -> Result<(), String> {
        let Some(asked) = self.nodes[node].asked.take() else { return Ok(()) };
        let fails = random.random_ratio(1, 12);
        let input = match asked {
            Asked::Append(append) if fails => {
                match random.random_range(0..3) {
                    0 => drop(self.store.post(&append)), // the reply is lost
                    1 => self.late.push(append),
                    _ => {}
                }
                Input::Failed
            }
            Asked::Load | Asked::Find(_) if fails => Input::Failed,
            asked @ (Asked::Wait | Asked::Append(_) | Asked::Load | Asked::Find(_)) => {
                self.well(asked)
            }
        };
        self.input(node, input)
    }

    /// A node loses all that it knew; its append may be on its way all the same.
    fn crash(&mut self, node: usize, random: &mut SmallRng) {
        if let Some(Asked::Append(append)) = self.nodes[node].asked.take() {
            match random.random_range(0..3) {
                0 => drop(self.store.post(&append)),
                1 => self.late.push(append),
                _ => {}
            }
        }
        self.nodes[node].state = State::new(self.terms.clone());
    }

    /// What is answered is durable, and the same as what is durable.
    fn reply(&mut self, reply: usize, answer: &Answer, is_current: bool) -> Result<(), String> {
        ensure!(!std::mem::replace(&mut self.answered[reply], true), "answered twice");
        let command = &self.commands[reply];
        let row = |id: String| self.store.rows.iter().find(|row| row.id == id);
        // What the same group did after it comes after the answer.
        let is_open = |run: RunId| {
            let end = row(format!("{run}/end"));
            row(format!("{run}/hold")).is_some()
                && end.is_none_or(|end| end.seq > self.store.before)
        };
        match (command, answer) {
            (_, Answer::Refused(Refusal::Unavailable)) => {}
            (Command::Hold(HoldRequest { run, .. }), Answer::Held { .. })
            | (Command::Renew { run } | Command::TopUp { run, .. }, Answer::Held { .. }) => {
                let is_held = is_open(*run) || !is_current;
                ensure!(is_held, "{command:?} is answered, and no hold is open");
                if let Some(lease) = self.store.head.leases.get(run).filter(|_| is_current) {
                    self.facts.promised_until.insert(*run, lease.until_ms);
                }
            }
            (
                Command::Hold(HoldRequest { run, .. })
                | Command::Renew { run }
                | Command::TopUp { run, .. }
                | Command::Settle { run, .. },
                Answer::Settled(settlement),
            ) => {
                let end = row(format!("{run}/end")).ok_or("a run is said to have paid")?;
                let paid: i64 = end
                    .legs
                    .iter()
                    .filter(|leg| leg.account == At::Revenue)
                    .map(|leg| leg.amount)
                    .sum();
                ensure!(settlement.paid as i64 == paid, "I5: {settlement:?} and {end:?}");
            }
            (Command::Grant { id, .. }, Answer::Info(_)) => {
                ensure!(row(id.clone()).is_some(), "a grant is confirmed and not there");
            }
            (Command::Look, Answer::Info(_)) => {}
            (
                Command::Hold(_) | Command::TopUp { .. },
                Answer::Refused(
                    Refusal::Insufficient { .. }
                    | Refusal::HeldByOthers { .. }
                    | Refusal::MonthBudget { .. }
                    | Refusal::SessionBudget { .. },
                ),
            ) => {}
            (
                Command::TopUp { run, .. } | Command::Renew { run } | Command::Settle { run, .. },
                Answer::Refused(Refusal::NoHold),
            ) => {
                let hold = row(format!("{run}/hold"));
                let is_later = hold.is_none_or(|hold| hold.seq > self.store.before);
                ensure!(is_later || !is_current, "{run} had a hold");
            }
            _ => return Err(format!("{command:?} is answered by {answer:?}")),
        }
        Ok(())
    }

    /// Faults end: everything under way is served, then all that is due comes.
    pub(super) fn settle_down(&mut self, random: &mut SmallRng) -> Result<(), String> {
        for append in std::mem::take(&mut self.late) {
            let _ = self.store.post(&append);
        }
        self.calm()?;
        let replayed = Model::read(&self.store.rows, &self.facts)?;
        let held = u64::try_from(replayed.sum(At::Held)).map_err(|_| "below zero")?;
        ensure!(held == self.store.head.books.balance().held, "I9: the head has other holds");
        // Whoever held something is gone: the holds end within their time.
        self.now_ms += TTL_MS + 1;
        self.crash(0, random);
        self.input(0, Input::Tend)?;
        self.calm()?;
        let model = Model::read(&self.store.rows, &self.facts)?;
        ensure!(model.open_count() == 0, "I8: {} holds are open", model.open_count());
        ensure!(model.sum(At::Held) == 0, "I8: {} are held", model.sum(At::Held));
        // All that was ever asked is asked again, and changes nothing.
        let rows = self.store.rows.len();
        let plans: BTreeMap<RunId, Plan> = self.facts.plans.clone();
        for (run, Plan { usage, ending }) in plans {
            let has_ended = self.store.rows.iter().any(|row| row.id == format!("{run}/end"));
            if has_ended {
                self.ask(0, Command::Settle { run, usage, ending })?;
                self.ask(0, Command::Renew { run })?;
            }
        }
        self.calm()?;
        ensure!(self.store.rows.len() == rows, "I5: a repeat had an effect");
        Ok(())
    }

    /// Serves all that is asked for, without faults.
    fn calm(&mut self) -> Result<(), String> {
        for _ in 0..1000 {
            let Some(node) = self.nodes.iter().position(|node| node.asked.is_some()) else {
                return Ok(());
            };
            if let Some(asked) = self.nodes[node].asked.take() {
                let input = self.well(asked);
                self.input(node, input)?;
            }
        }
        Err("it never comes to rest".into())
    }

    /// What the store answers where it works.
    fn well(&mut self, asked: Asked) -> Input<usize> {
        match asked {
            Asked::Wait => Input::Again,
            Asked::Append(append) => self.store.post(&append),
            Asked::Load => {
                let account = Box::new(self.store.head.clone());
                Input::Loaded { version: self.store.version, account }
            }
            Asked::Find(names) => {
                let rows = self.store.rows.iter().filter(|row| names.contains(&row.id));
                let known: Known = rows.map(|row| (row.id.clone(), row.clone())).collect();
                let account = Box::new(self.store.head.clone());
                Input::Found { version: self.store.version, account, known }
            }
        }
    }

    /// The head is what all rows come to, by the books' own fold and by the model's.
    pub(super) fn check(&self) -> Result<(), String> {
        let model = Model::read(&self.store.rows, &self.facts)?;
        let mut folded = super::super::super::books::Books::default();
        self.store.rows.iter().for_each(|row| folded.apply(row));
        ensure!(folded == self.store.head.books, "I9: the head is not the fold of the rows");
        let grants = folded.grants();
        let left: BTreeMap<&str, u64> =
            grants.iter().map(|grant| (grant.id.as_str(), grant.left)).collect();
        ensure!(left == model.left(), "grants: {left:?}, and {:?} by the model", model.left());
        ensure!(self.facts.plans.keys().all(|run| !model.is_open(*run)), "I8: a hold is open");
        Ok(())
    }
}
