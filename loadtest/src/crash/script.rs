//! One session's script: what its users do.

use super::{
    Test, User, no_end,
    turn::{self, Turn},
};
use crate::{
    checker::{Cancel, Given, Start, Target, Transcript},
    client::{Client, Follow, Setup},
    clock,
    mix::Mix,
    world::{Board, World},
};
use greenroom_protocol::{
    client::{Answer, Pace},
    frame::After,
    id::{CommandId, RunId, SessionId},
    method::{Method, OnBusy, RunAccepted, RunCancel, RunCancelled, RunStart},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Most clients that come later and stay.
const VISITORS_MAX: usize = 3;
/// How often a refused command is sent again where the server says that it may be.
const RETRIES_MAX: u32 = 20;

/// What a script did and got.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) starts: Vec<Start>,
    pub(super) cancels: Vec<Cancel>,
    pub(super) visitors: Vec<Client>,
    pub(super) transcripts: Vec<Transcript>,
}

/// One session's script.
pub(super) struct Script {
    session: SessionId,
    clients: Vec<Client>,
    world: Arc<World>,
    board: watch::Receiver<Board>,
    tasks: TaskTracker,
    addr: SocketAddr,
    token: String,
    mix: Mix,
    rate: u64,
    runs: u32,
    run_timeout: Duration,
    nemesis_done: Arc<AtomicBool>,
    record: Record,
}

impl Script {
    pub(super) fn new(
        test: &Test<'_>,
        user: &User,
        session: SessionId,
        mix: Mix,
        nemesis_done: Arc<AtomicBool>,
    ) -> Self {
        Self {
            session,
            clients: user.clients.clone(),
            board: test.world.board(session),
            world: Arc::clone(&test.world),
            tasks: test.tasks.clone(),
            addr: test.greenroom.addr,
            token: user.token.clone(),
            mix,
            rate: test.options.rate,
            runs: test.options.runs_per_session,
            run_timeout: Duration::from_secs(test.options.run_timeout_secs),
            nemesis_done,
            record: Record::default(),
        }
    }

    /// Plays turns until there were enough and nothing goes wrong any more.
    pub(super) async fn run(mut self) -> (SessionId, Record) {
        let stop = self.world.stop().clone();
        let play = async {
            let mut turns = 0;
            while turns < self.runs || !self.nemesis_done.load(Ordering::Relaxed) {
                self.turn().await;
                turns += 1;
            }
        };
        let _ = stop.run_until_cancelled(play).await; // a violation: what is recorded is enough
        (self.session, self.record)
    }

    async fn turn(&mut self) {
        if self.mix.chance(15) && self.record.visitors.len() < VISITORS_MAX {
            self.visit();
        }
        time::sleep(Duration::from_millis(self.mix.below(60))).await;
        let turn = Turn::any(&mut self.mix);
        match turn {
            Turn::Plain | Turn::Long | Turn::Faulty => self.plain(turn).await,
            Turn::Repeated => self.repeated().await,
            Turn::Cancelled => self.cancelled().await,
            Turn::CancelledBefore => self.cancelled_before().await,
            Turn::Queued => self.two(turn, OnBusy::Queue).await,
            Turn::Interrupting => self.two(turn, OnBusy::Interrupt).await,
            Turn::Refused => self.two(turn, OnBusy::Reject).await,
        }
    }

    /// One more client comes, and stays.
    fn visit(&mut self) {
        let after = match self.mix.below(4) {
            0 => After::Start,
            1 => After::Live,
            2 => After::Open,
            _ => After::Tail(u32::try_from(self.mix.below(200)).unwrap_or(0)),
        };
        let credit_bytes = self.mix.chance(50).then_some(8 * 1024);
        let pace = Pace { credit_bytes, window_ms: 0 };
        let setup = Setup {
            name: format!("visitor {} from {after:?}", self.record.visitors.len()),
            addr: self.addr,
            token: self.token.clone(),
            seed: self.mix.draw(),
            call_timeout: self.run_timeout,
            follow: vec![Follow { session: self.session, after, pace }],
        };
        let visitor = Client::spawn(&self.tasks, Arc::clone(&self.world), setup);
        self.record.visitors.push(visitor);
    }

    async fn plain(&mut self, turn: Turn) {
        let start = self.prepare(turn, OnBusy::Queue);
        let client = self.any_client();
        self.start(&start, &[client]).await;
        self.wait_end(start.cid).await;
    }

    async fn repeated(&mut self) {
        let start = self.prepare(Turn::Repeated, OnBusy::Queue);
        let (a, b) = (self.any_client(), self.any_client());
        self.start(&start, &[a.clone(), b, a]).await;
        self.wait_end(start.cid).await;
        let late = self.any_client();
        self.start(&start, &[late]).await;
    }

    async fn cancelled(&mut self) {
        let start = self.prepare(Turn::Cancelled, OnBusy::Queue);
        let client = self.any_client();
        let run = self.start(&start, &[client]).await;
        time::sleep(Duration::from_millis(self.mix.below(500))).await;
        let target = match run.filter(|_| self.mix.chance(60)) {
            Some(run) => Target::Run(run),
            None => Target::Start(start.cid),
        };
        self.cancel(target).await;
        self.wait_end(start.cid).await;
    }

    async fn cancelled_before(&mut self) {
        let start = self.prepare(Turn::CancelledBefore, OnBusy::Queue);
        self.cancel(Target::Start(start.cid)).await;
        let client = self.any_client();
        self.start(&start, &[client]).await;
        self.wait_end(start.cid).await;
    }

    async fn two(&mut self, turn: Turn, on_busy: OnBusy) {
        let first = self.prepare(turn, OnBusy::Queue);
        let client = self.any_client();
        self.start(&first, &[client]).await;
        time::sleep(Duration::from_millis(self.mix.below(300))).await;
        let second = self.prepare(Turn::Plain, on_busy);
        let client = self.any_client();
        self.start(&second, &[client]).await;
        self.wait_end(first.cid).await;
        self.wait_end(second.cid).await;
    }

    fn prepare(&mut self, turn: Turn, on_busy: OnBusy) -> Command {
        let number = self.record.starts.len();
        Command {
            cid: CommandId::new(Uuid::now_v7()),
            start: RunStart {
                input: format!("request {number}: make it {:x}\nplease", self.mix.below(1 << 32)),
                on_busy,
                model: Some(turn::model(turn, self.rate, &mut self.mix)),
                plan: None,
            },
        }
    }

    fn any_client(&mut self) -> Client {
        let at = usize::try_from(self.mix.below(self.clients.len() as u64)).unwrap_or(0);
        // There is at least one: `crash` makes it so.
        self.clients
            .get(at)
            .or_else(|| self.clients.first())
            .cloned()
            .unwrap_or_else(Client::nobody)
    }

    /// Sends one command from all of `clients` at once; keeps every answer.
    async fn start(
        &mut self,
        Command { cid, start }: &Command,
        clients: &[Client],
    ) -> Option<RunId> {
        let call = || Method::RunStart(self.session, *cid, start.clone()).to_call();
        let calls = clients.iter().map(|client| persist(client, call()));
        let answers: Vec<_> = futures_util::future::join_all(calls).await.concat();
        let run = answers.iter().find_map(|given| match given {
            Given::Accepted { run, .. } => Some(*run),
            Given::Refused(_) | Given::Unknown => None,
        });
        match self.record.starts.iter_mut().find(|known| known.cid == *cid) {
            Some(known) => known.answers.extend(answers),
            None => self.record.starts.push(Start {
                cid: *cid,
                text: start.input.clone(),
                model: start.model.clone(),
                answers,
            }),
        }
        run
    }

    async fn cancel(&mut self, target: Target) {
        let params = match target {
            Target::Run(run) => RunCancel::Run(run),
            Target::Start(cid) => RunCancel::StartCid(cid),
        };
        let cid = CommandId::new(Uuid::now_v7());
        let client = self.any_client();
        let answer = client.call(Method::RunCancel(self.session, cid, params).to_call()).await;
        let answered_us = clock::now_us();
        let answer = match answer {
            Answer::Ok { result, .. } => {
                serde_json::from_value::<RunCancelled>(result).ok().map(|said| (answered_us, said))
            }
            Answer::Err(error) => {
                tracing::debug!(?error, "cancel");
                None
            }
            Answer::TimedOut => None,
        };
        self.record.cancels.push(Cancel { target, answer });
    }

    /// Waits until some client was shown the end of the run, if the command was accepted.
    async fn wait_end(&mut self, cid: CommandId) {
        let refused = |start: &&Start| {
            start.cid == cid && start.answers.iter().all(|given| matches!(given, Given::Refused(_)))
        };
        if self.record.starts.iter().any(|start| refused(&start)) {
            return;
        }
        let ended = |board: &Board| board.of(cid).is_some_and(|run| run.end.is_some());
        let wait = time::timeout(self.run_timeout, self.board.wait_for(ended)).await;
        let has_end = matches!(wait, Ok(Ok(_)));
        drop(wait); // it holds the board
        if !has_end {
            let seen = self.board.borrow().of(cid).cloned();
            let what =
                format!("{cid} has no end after {:?}; seen so far: {seen:?}", self.run_timeout);
            self.world.violation(no_end(self.session, what));
        }
    }
}

/// A command that starts a run.
struct Command {
    cid: CommandId,
    start: RunStart,
}

/// Sends a command until the answer is final; every answer on the way.
async fn persist(client: &Client, call: greenroom_protocol::frame::Call) -> Vec<Given> {
    let mut answers = Vec::new();
    for _ in 0..RETRIES_MAX {
        let given = match client.call(call.clone()).await {
            Answer::Ok { result, duplicate } => match serde_json::from_value::<RunAccepted>(result)
            {
                Ok(accepted) => Given::Accepted { run: accepted.run, seq: accepted.seq, duplicate },
                Err(_) => Given::Unknown,
            },
            Answer::Err(error) => Given::Refused(error),
            Answer::TimedOut => Given::Unknown,
        };
        let again = match &given {
            Given::Refused(error) if error.retryable => Some(error.retry_after_ms.unwrap_or(100)),
            Given::Refused(_) | Given::Accepted { .. } | Given::Unknown => None,
        };
        answers.push(given);
        let Some(wait_ms) = again else { break };
        time::sleep(Duration::from_millis(wait_ms.min(1000))).await;
    }
    answers
}
