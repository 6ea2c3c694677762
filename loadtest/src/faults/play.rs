//! Plays runs against the server, and judges each by its faults.

use super::{Expected, FaultsOptions, RunLog, Sent, expected, judge as judge_history, runs};
use crate::{
    checker::{Given, History, Rule, SessionHistory, Start, Violation},
    client::{
        Client, Follow, Setup,
        read::{files, log},
    },
    greenroom::{Greenroom, PROVIDER_KEY},
    mix::Mix,
    provider::{Api, Call, Provider, fault::Mixture, prompt::Tree},
    world::{Board, World},
};
use anyhow::{Context, Result, bail};
use greenroom_protocol::{
    client::{Answer, Pace},
    error::Reason,
    event::Outcome,
    frame::After,
    id::{CommandId, SessionId},
    method::{Method, OnBusy, RunAccepted, RunStart, SessionCreate},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// A command's id.
pub(super) type Cid = CommandId;

/// Longest a run may take: an answer that drips is read for some seconds.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// A run to play.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) mixture: Mixture,
    /// Whether further calls of the run meet the mixture as well.
    pub(super) is_again: bool,
    /// The model that is asked for, which names the faults.
    pub(super) model: String,
}

/// Where runs are played.
pub(super) struct Stage<'a> {
    pub(super) options: &'a FaultsOptions,
    pub(super) greenroom: &'a Greenroom,
    pub(super) provider: &'a Provider,
    pub(super) tokens: &'a [String],
}

/// What runs came to.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) violations: Vec<Violation>,
    /// How many ended for which reason.
    pub(super) ends: BTreeMap<String, usize>,
}

/// One session with the runs that it is to play, one after the other.
struct Script {
    client: Client,
    world: Arc<World>,
    session: SessionId,
    runs: Vec<(CommandId, Planned)>,
}

impl Planned {
    pub(super) fn new(mixture: Mixture, mix: &mut Mix) -> Self {
        let is_again = mix.chance(50);
        let rate = if mix.chance(80) { 0 } else { 4000 };
        let seed = mix.below(1000);
        let times = if is_again { "" } else { "*1" };
        let model = if mixture == Mixture::default() {
            format!("app-{rate}-f{seed}")
        } else {
            format!("app-{rate}-f{seed}+{mixture}{times}")
        };
        Self { mixture, is_again, model }
    }
}

impl Stage<'_> {
    /// Plays all runs and judges them; the clients are gone then.
    pub(super) async fn play(&self, planned: Vec<Planned>) -> Result<Played> {
        let (world, tasks) = (World::new(), TaskTracker::new());
        let clients: Vec<_> =
            self.tokens.iter().map(|token| self.client(token, &world, &tasks)).collect();
        let sessions = self.options.sessions.clamp(1, planned.len().max(1));
        let mut scripts = Vec::new();
        for (_, client) in (0..sessions).zip(clients.iter().cycle()) {
            let session = SessionId::new(Uuid::now_v7());
            create(client, session).await?;
            let (client, world) = (client.clone(), Arc::clone(&world));
            scripts.push(Script { client, world, session, runs: Vec::new() });
        }
        for (place, planned) in planned.into_iter().enumerate() {
            if let Some(script) = scripts.get_mut(place % sessions) {
                script.runs.push((CommandId::new(Uuid::now_v7()), planned));
            }
        }
        let by_cid: BTreeMap<_, _> =
            scripts.iter().flat_map(|script| script.runs.iter().cloned()).collect();
        let mut playing = JoinSet::new();
        for script in scripts {
            playing.spawn(Box::pin(script.play()));
        }
        let mut history = History::default();
        while let Some(played) = playing.join_next().await {
            history.sessions.push(played.context("a script of the test failed")??);
        }
        for client in &clients {
            for (session, transcript) in client.stop().await {
                let of = history.sessions.iter_mut().find(|history| history.session == session);
                of.into_iter().for_each(|history| history.transcripts.push(transcript.clone()));
            }
        }
        history.calls = self.provider.log().calls();
        let mut violations = world.violations();
        violations.extend(judge_history(&history, &by_cid, self.options.api));
        let mut ends = BTreeMap::new();
        for run in history.sessions.iter().flat_map(|session| runs(&session.log)) {
            let reason = ended(&run).and_then(|end| end.reason);
            let end = reason.map_or_else(|| "Completed".to_owned(), |reason| format!("{reason:?}"));
            *ends.entry(end).or_default() += 1;
        }
        Ok(Played { violations, ends })
    }

    fn client(&self, token: &str, world: &Arc<World>, tasks: &TaskTracker) -> Client {
        let setup = Setup {
            name: "the only client".to_owned(),
            addr: self.greenroom.addr,
            token: token.to_owned(),
            seed: 1,
            call_timeout: RUN_TIMEOUT,
            follow: Vec::new(),
        };
        Client::spawn(tasks, Arc::clone(world), setup)
    }
}

/// Creates a session and follows it, in one burst.
async fn create(client: &Client, session: SessionId) -> Result<()> {
    let title = "faults".to_owned();
    let cid = CommandId::new(Uuid::now_v7());
    let call = Method::SessionCreate(session, cid, SessionCreate { title }).to_call();
    let pace = Pace { credit_bytes: None, window_ms: 0 };
    let follow = Follow { session, after: After::Start, pace };
    match tokio::join!(client.call(call), client.follow(follow)).0 {
        Answer::Ok { .. } => Ok(()),
        refused @ (Answer::Err(_) | Answer::TimedOut) => {
            bail!("session.create was answered {refused:?}")
        }
    }
}

impl Script {
    /// Plays the runs; what is known of the session then.
    async fn play(self) -> Result<SessionHistory> {
        let mut starts = Vec::new();
        for (number, (cid, planned)) in self.runs.iter().enumerate() {
            let start = RunStart {
                input: format!("request {number}: make it so"),
                on_busy: OnBusy::Reject,
                plan: None,
                model: Some(planned.model.clone()),
            };
            let call = Method::RunStart(self.session, *cid, start.clone()).to_call();
            let answers = vec![given(self.client.call(call).await)];
            let is_accepted = matches!(answers.first(), Some(Given::Accepted { .. }));
            starts.push(Start { cid: *cid, text: start.input, model: start.model, answers });
            if !is_accepted || !self.has_ended(*cid).await {
                let what = format!("{cid} with {} has no end after {RUN_TIMEOUT:?}", planned.model);
                self.world.violation(Violation::new(Rule::OneEnd, self.session, what));
                break;
            }
        }
        let (epoch, log) = log(&self.client, self.session).await?;
        let (commit, files): (_, Tree) = files(&self.client, self.session).await?;
        Ok(SessionHistory {
            session: self.session,
            epoch,
            log,
            log_after_restart: None,
            commit,
            files,
            transcripts: Vec::new(),
            starts,
            cancels: Vec::new(),
        })
    }

    async fn has_ended(&self, cid: CommandId) -> bool {
        let mut board = self.world.board(self.session);
        let ended = |board: &Board| board.of(cid).is_some_and(|run| run.end.is_some());
        matches!(time::timeout(RUN_TIMEOUT, board.wait_for(ended)).await, Ok(Ok(_)))
    }
}

fn given(answer: Answer) -> Given {
    match answer {
        Answer::Ok { result, duplicate } => match serde_json::from_value::<RunAccepted>(result) {
            Ok(RunAccepted { run, seq, .. }) => Given::Accepted { run, seq, duplicate },
            Err(_) => Given::Unknown,
        },
        Answer::Err(error) => Given::Refused(error),
        Answer::TimedOut => Given::Unknown,
    }
}

/// What is wrong with one run, given the calls that it made.
pub(super) fn judge(
    planned: &Planned,
    api: Api,
    run: &RunLog,
    calls: &[&Call],
) -> Vec<(Rule, String)> {
    let mut wrong = Vec::new();
    let Some(call) = calls.last() else {
        return vec![(Rule::RightEnd, "the provider was never called".to_owned())];
    };
    let answer = call.app.as_ref();
    let bytes = answer.map_or(0, |app| app.answer.len() as u64);
    let right = expected(api, &planned.mixture, planned.is_again, bytes);
    let end = ended(run);
    if !right.iter().any(|right| is_met(right, end.as_ref())) {
        wrong.push((Rule::RightEnd, format!("ended as {:?}, expected {right:?}", run.end)));
    }
    let message = run.end.as_ref().and_then(|(_, error)| Some(&error.as_ref()?.message));
    if message.is_some_and(|message| message.contains(PROVIDER_KEY)) {
        wrong.push((Rule::Orderly, "the error tells the provider's key".to_owned()));
    }
    let Some(app) = answer else { return wrong };
    let sent = Sent::new(app, call.bytes);
    let is_drip = planned.mixture.drips().is_some();
    let is_right = if is_drip { sent.begins_with(&run.text) } else { sent.is_said_by(&run.text) };
    if !is_right {
        let same = sent.certain.bytes().zip(run.text.bytes()).take_while(|(a, b)| a == b).count();
        let what = format!(
            "said {} bytes of text, the provider sent {}; they differ at byte {same}",
            run.text.len(),
            sent.certain.len()
        );
        wrong.push((Rule::RightText, what));
    }
    wrong
}

/// How a run ended, in the terms of what is expected.
fn ended(run: &RunLog) -> Option<Expected> {
    let (outcome, error) = run.end.as_ref()?;
    let reason = error.as_ref().map(|error| error.reason);
    // A failure must say why.
    let reason = match outcome {
        Outcome::Completed => None,
        Outcome::Failed => Some(reason.unwrap_or(Reason::Internal)),
        Outcome::Cancelled | Outcome::Interrupted | Outcome::Steered => return None,
    };
    let retry_after_ms = error.as_ref().and_then(|error| error.retry_after_ms);
    Some(Expected { reason, retry_after_ms, usage: run.usage })
}

/// Whether an end is the expected one.
fn is_met(right: &Expected, end: Option<&Expected>) -> bool {
    end.is_some_and(|end| {
        end.reason == right.reason
            && end.retry_after_ms.unwrap_or(0) >= right.retry_after_ms.unwrap_or(0)
            && (right.usage.is_none() || end.usage == right.usage)
    })
}
