//! The crash test: scripted clients, dropped sockets, `kill -9`, and a checker that watches it all.
//!
//! ```text
//! nemesis ── kills and restarts the server, drops sockets
//! script/<session> ── starts, repeats, cancels runs; waits for their ends
//!    client/<user, n> ── one socket, attached to all sessions of its user; an observer each
//! world ── what anybody was shown; the first violation ends the test
//! ```

mod collect;
mod nemesis;
mod script;
mod turn;

use crate::{
    checker::{self, Downtime, History, Rule, SessionHistory, Violation},
    client::{Client, Follow, Setup},
    clock,
    greenroom::{Extra, Greenroom, ServerOptions},
    mix::Mix,
    provider::{self, End, Provider},
    report,
    world::World,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use greenroom_protocol::{
    client::{Answer, Pace},
    credits::Kind,
    event::Event,
    frame::After,
    id::{CommandId, SessionId},
    method::{Method, SessionCreate},
};
use script::{Record, Script};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Sessions of one user: as many as a socket of the test follows.
const SESSIONS_PER_USER: usize = 2;

/// Most violations of one rule that are printed.
const SHOWN_MAX: usize = 3;

/// Options of `crash`.
#[derive(Args, Clone, Debug)]
pub struct CrashOptions {
    /// How the server is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// How often the server is killed, half of the times as a chosen frame arrives.
    #[arg(long, default_value_t = 20)]
    pub kills: u32,
    /// How often a socket is dropped.
    #[arg(long, default_value_t = 300)]
    pub drops: u32,
    /// Decides what happens; none: a new one each time.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Sessions.
    #[arg(long, default_value_t = 8)]
    pub sessions: usize,
    /// Attachments of each session, over as many sockets.
    #[arg(long, default_value_t = 3)]
    pub attachments: usize,
    /// Runs of each session at least; as long as kills and drops are left, more follow.
    #[arg(long, default_value_t = 6)]
    pub runs_per_session: u32,
    /// Tokens a second of an answer.
    #[arg(long, default_value_t = 500)]
    pub rate: u64,
    /// Milliseconds between two drops, on average.
    #[arg(long, default_value_t = 60)]
    pub drop_every_ms: u64,
    /// Seconds that a run may take, kills included.
    #[arg(long, default_value_t = 60)]
    pub run_timeout_secs: u64,
    /// Seconds for all of it.
    #[arg(long, default_value_t = 900)]
    pub deadline_secs: u64,
    /// Defect that the server is to play, if it was built for that; the checker must find it.
    #[arg(long)]
    pub plant: Option<String>,
    /// Succeed if, and only if, a violation is found.
    #[arg(long)]
    pub expect_violation: bool,
}

/// What a crash test found.
#[derive(Debug, Default)]
struct Outcome {
    violations: Vec<Violation>,
    history: History,
    downtimes: Vec<Downtime>,
}

/// The parts of a test that runs.
struct Test<'a> {
    options: &'a CrashOptions,
    seed: u64,
    greenroom: &'a Greenroom,
    provider: &'a Provider,
    world: Arc<World>,
    tasks: TaskTracker,
    users: Vec<User>,
}

/// One user with its sessions and sockets.
struct User {
    token: String,
    sessions: Vec<SessionId>,
    clients: Vec<Client>,
}

/// Runs a crash test; false: it found what it should not, or not what it should.
///
/// # Errors
/// What keeps the test from being carried out.
pub async fn run(options: CrashOptions) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| clock::now_us() % 1_000_000_007);
    report::line(format!("seed {seed}"));
    let begin = Instant::now();
    let provider = Provider::start(provider::Options::default_on_free_port(seed))?;
    let mut extra = Extra::default();
    let hold_ttl = collect::HOLD_TTL.as_secs().to_string();
    extra.env.push(("GREENROOM__CREDITS__HOLD_TTL_SECS".to_owned(), hold_ttl));
    if let Some(plant) = &options.plant {
        extra.env.push(("GREENROOM_PLANT".to_owned(), plant.clone()));
    }
    let mut greenroom = Greenroom::start(&options.server, &provider.base_url(), &extra).await?;
    let deadline = Duration::from_secs(options.deadline_secs);
    let mut test = Test {
        options: &options,
        seed,
        greenroom: &greenroom,
        provider: &provider,
        world: World::new(),
        tasks: TaskTracker::new(),
        users: Vec::new(),
    };
    let outcome = time::timeout(deadline, test.carry_out()).await;
    let outcome =
        outcome.with_context(|| format!("not done within {deadline:?}; seed {seed}"))??;
    let world = Arc::clone(&test.world);
    drop(test);
    summarise(&outcome, &world, begin.elapsed());
    let mut shown = BTreeMap::<Rule, usize>::new();
    for violation in &outcome.violations {
        let count = shown.entry(violation.rule).or_default();
        *count += 1;
        if *count <= SHOWN_MAX {
            report::line(format!("  {violation}"));
        }
    }
    let found = !outcome.violations.is_empty();
    if found && !options.expect_violation {
        report::line(format!("the server's data and log: {}", greenroom.keep().display()));
    }
    let passed = found == options.expect_violation;
    let verdict = match (passed, found) {
        (true, false) => "PASSED: no violation",
        (true, true) => "PASSED: the violation was found",
        (false, true) => "FAILED: violations",
        (false, false) => "FAILED: a violation was expected and none was found",
    };
    report::line(format!("{verdict}; seed {seed}"));
    Ok(passed)
}

impl Test<'_> {
    async fn carry_out(&mut self) -> Result<Outcome> {
        self.open().await?;
        let (records, downtimes) = self.play().await?;
        let mut outcome = Outcome { downtimes, ..Outcome::default() };
        outcome.violations = self.world.violations();
        if outcome.violations.is_empty() {
            match self.collect(records, &mut outcome.downtimes).await {
                Ok(history) => outcome.history = history,
                Err(error) => outcome.violations.push(error.downcast::<Violation>()?),
            }
            outcome.violations.extend(self.world.violations());
            outcome.violations.extend(checker::check(&outcome.history));
        }
        Ok(outcome)
    }

    /// Creates accounts and sessions, attaches all clients.
    async fn open(&mut self) -> Result<()> {
        let mut mix = Mix::new(self.seed);
        let users = self.options.sessions.div_ceil(SESSIONS_PER_USER).max(1);
        let tokens = self.greenroom.accounts(users).await.context("accounts for the test")?;
        let mut left = self.options.sessions;
        for (number, token) in tokens.into_iter().enumerate() {
            let count = left.min(SESSIONS_PER_USER);
            left -= count;
            let sessions = (0..count).map(|_| SessionId::new(Uuid::now_v7())).collect();
            let mut user = User { token, sessions, clients: Vec::new() };
            for n in 0..self.options.attachments.max(1) {
                let name = format!("user {number} client {n}");
                let first = n == 0;
                let client = self.client(
                    &user,
                    name,
                    mix.draw(),
                    if first { &[] } else { &user.sessions },
                    n,
                );
                if first {
                    for session in &user.sessions {
                        create(&client, *session).await?;
                    }
                }
                user.clients.push(client);
            }
            self.users.push(user);
        }
        Ok(())
    }

    fn client(
        &self,
        user: &User,
        name: String,
        seed: u64,
        sessions: &[SessionId],
        n: usize,
    ) -> Client {
        let follow =
            |session: &SessionId| Follow { session: *session, after: After::Start, pace: pace(n) };
        let setup = Setup {
            name,
            addr: self.greenroom.addr,
            token: user.token.clone(),
            seed,
            call_timeout: Duration::from_secs(self.options.run_timeout_secs),
            follow: sessions.iter().map(follow).collect(),
        };
        Client::spawn(&self.tasks, Arc::clone(&self.world), setup)
    }

    /// Lets scripts and nemesis work until both are done, or a violation ends it.
    async fn play(&self) -> Result<(BTreeMap<SessionId, Record>, Vec<Downtime>)> {
        let mut mix = Mix::new(self.seed ^ 1);
        let nemesis_done = Arc::new(AtomicBool::new(false));
        let mut scripts = JoinSet::new();
        for user in &self.users {
            for session in &user.sessions {
                let script =
                    Script::new(self, user, *session, mix.fork(), Arc::clone(&nemesis_done));
                scripts.spawn(Box::pin(script.run()));
            }
        }
        let clients: Vec<_> = self.users.iter().flat_map(|user| user.clients.clone()).collect();
        let drops = nemesis::drops(self.options, &self.world, &clients, mix.fork());
        let kills = nemesis::kills(self.options, &self.world, &self.greenroom.server, mix.fork());
        let nemesis = async {
            let ((), downtimes) = tokio::join!(drops, kills);
            nemesis_done.store(true, Ordering::Relaxed);
            downtimes
        };
        let all = async {
            let mut records = BTreeMap::new();
            while let Some(script) = scripts.join_next().await {
                let (session, record) = script.context("a script of the test failed")?;
                records.insert(session, record);
            }
            Ok::<_, anyhow::Error>(records)
        };
        let (records, downtimes) = tokio::join!(all, nemesis);
        Ok((records?, downtimes?))
    }
}

/// Creates a session and follows it, in one burst.
async fn create(client: &Client, session: SessionId) -> Result<()> {
    let cid = CommandId::new(Uuid::now_v7());
    let title = "crash test".to_owned();
    let call = Method::SessionCreate(session, cid, SessionCreate { title }).to_call();
    let follow = Follow { session, after: After::Start, pace: pace(0) };
    let (answer, ()) = tokio::join!(client.call(call), client.follow(follow));
    match answer {
        Answer::Ok { .. } => Ok(()),
        refused @ (Answer::Err(_) | Answer::TimedOut) => {
            bail!("session.create was answered {refused:?}")
        }
    }
}

/// Clients differ: paced by the socket, by ample credit, by scarce credit and a wide window.
const fn pace(n: usize) -> Pace {
    match n % 3 {
        0 => Pace { credit_bytes: None, window_ms: 0 },
        1 => Pace { credit_bytes: Some(64 * 1024), window_ms: 0 },
        _ => Pace { credit_bytes: Some(4 * 1024), window_ms: 120 },
    }
}

fn summarise(outcome: &Outcome, world: &World, took: Duration) {
    let history = &outcome.history;
    let entries: usize = history.sessions.iter().map(|session| session.log.len()).sum();
    let runs: usize = history.sessions.iter().map(|session| session.starts.len()).sum();
    let count = |wanted: fn(&Event) -> bool| {
        let logs = history.sessions.iter().flat_map(|session| &session.log);
        logs.filter(|entry| wanted(&entry.event)).count()
    };
    let ended = count(|event| matches!(event, Event::RunFinished { .. }));
    let recovered = count(|event| matches!(event, Event::RunRecovering { .. }));
    let committed = count(|event| matches!(event, Event::FilesCommitted { .. }));
    let transcripts: usize = history.sessions.iter().map(|session| session.transcripts.len()).sum();
    let closed = history.calls.iter().filter(|call| call.end == Some(End::ClientClosed)).count();
    let cancels: usize = history.sessions.iter().map(|session| session.cancels.len()).sum();
    report::line(format!(
        "{} kills, {} sockets, {} frames and {} entries delivered in {:.1} s",
        outcome.downtimes.len(),
        world.sockets.load(Ordering::Relaxed),
        world.frames.load(Ordering::Relaxed),
        world.entries.load(Ordering::Relaxed),
        took.as_secs_f64(),
    ));
    report::line(format!(
        "{} sessions, {entries} entries, {runs} commands to start, {ended} runs ended, {committed} commits, \
         {recovered} recoveries, {cancels} cancels, {transcripts} transcripts, {} provider calls of which {closed} were closed",
        history.sessions.len(),
        history.calls.len(),
    ));
    let transactions = || history.accounts.iter().flat_map(|account| &account.transactions);
    let paid = transactions().filter(|transaction| transaction.kind == Kind::Settle);
    let sum: u64 = paid.clone().map(|transaction| transaction.amount).sum();
    let lost = transactions().filter(|transaction| transaction.kind == Kind::Void).count();
    report::line(format!(
        "{} accounts, {} transactions, {} payments of {sum} micro-credits, {lost} holds given back",
        history.accounts.len(),
        transactions().count(),
        paid.count(),
    ));
}

/// An internal failure of a script is a violation too: it names what the server did not do.
fn no_end(session: SessionId, what: String) -> Violation {
    Violation::new(Rule::OneEnd, session, what)
}

/// What a session's script and all of its clients saw.
fn session_history(session: SessionId, record: Record) -> SessionHistory {
    SessionHistory {
        session,
        epoch: None,
        commit: None,
        log: Vec::new(),
        log_after_restart: None,
        files: provider::prompt::Tree::new(),
        transcripts: record.transcripts,
        starts: record.starts,
        cancels: record.cancels,
    }
}
