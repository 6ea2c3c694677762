//! A server with a stand-in whose keys have rules, and runs on it.

use crate::{
    client::{Client, Follow, Setup, read},
    greenroom::{Extra, Greenroom, ServerOptions},
    provider::{Call, End, Options, Provider, keys::KeyRule},
    world::{Board, World},
};
use anyhow::{Context, Result, bail};
use greenroom_protocol::{
    client::{Answer, Pace},
    error::Reason,
    event::{Event, Notice, Outcome},
    frame::After,
    id::{CommandId, RunId, Seq, SessionId},
    method::{Method, OnBusy, RunAccepted, RunCancel, RunStart, SessionCreate},
};
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Longest a run may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// Entry of a session with the first text of its first run, after its creation, the input, the
/// run's begin, a step's begin and the text's own.
const FIRST_TEXT: Seq = Seq(6);

/// Where scenarios are played.
pub(super) struct Bed {
    pub(super) greenroom: Greenroom,
    pub(super) provider: Provider,
    token: String,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Ran {
    /// The provider that it named at its start.
    pub(super) provider: String,
    /// What it said of its provider meanwhile.
    pub(super) notices: Vec<String>,
    pub(super) outcome: Option<Outcome>,
    pub(super) reason: Option<Reason>,
    pub(super) retry_after_ms: Option<u64>,
}

impl Ran {
    pub(super) fn is_completed(&self) -> bool {
        self.outcome == Some(Outcome::Completed)
    }
}

/// One run of a session of its own, under way.
pub(super) struct Running {
    world: Arc<World>,
    client: Client,
    session: SessionId,
    cid: CommandId,
    pub(super) run: RunId,
}

impl Bed {
    /// A server whose keys are `keys`, as the stand-in's rules name them, and which has these
    /// settings besides; `dir`: where its data is, to be found again.
    pub(super) async fn new(
        options: &ServerOptions,
        rules: &[&str],
        settings: &[(&str, &str)],
        dir: Option<&Path>,
    ) -> Result<Self> {
        let keys = rules.iter().map(|rule| rule.parse()).collect::<Result<Vec<KeyRule>, _>>()?;
        let provider = Provider::start(Options { keys, ..Options::default_on_free_port(1) })?;
        let names: Vec<_> = rules.iter().filter_map(|rule| rule.split('=').next()).collect();
        let has_keys = |name: &str| name.contains("ACCOUNTS") || name.contains("STANDIN__KEYS");
        let mut env = vec![("PROVIDERS__STANDIN__API_KEY".to_owned(), String::new())];
        env.push(("PROVIDERS__STANDIN__MODEL".to_owned(), "app-0-default".to_owned()));
        if !settings.iter().any(|(name, _)| has_keys(name)) {
            env.push(("PROVIDERS__STANDIN__KEYS".to_owned(), names.join(",")));
        }
        let base_url = provider.base_url();
        let setting = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), value.replace("{provider}", &base_url))
        };
        env.extend(settings.iter().map(setting));
        let env = env.into_iter().map(|(name, value)| (format!("GREENROOM__{name}"), value));
        let extra = Extra { env: env.collect(), ..Extra::default() };
        let options = ServerOptions {
            dir: dir.map(Path::to_owned).or_else(|| options.dir.clone()),
            ..options.clone()
        };
        let greenroom = Greenroom::start(&options, &base_url, &extra).await?;
        let token = greenroom.accounts(1).await?.pop().context("an account")?;
        Ok(Self { greenroom, provider, token })
    }

    /// Begins a run with a model.
    pub(super) async fn begin(&self, model: Option<&str>) -> Result<Running> {
        let (world, tasks) = (World::new(), TaskTracker::new());
        let setup = Setup {
            name: "the only client".to_owned(),
            addr: self.greenroom.addr,
            token: self.token.clone(),
            seed: 1,
            call_timeout: RUN_TIMEOUT,
            follow: Vec::new(),
        };
        let client = Client::spawn(&tasks, Arc::clone(&world), setup);
        let (session, cid) = (SessionId::new(Uuid::now_v7()), CommandId::new(Uuid::now_v7()));
        let title = "keys".to_owned();
        let create = SessionCreate { title };
        let create = Method::SessionCreate(session, CommandId::new(Uuid::now_v7()), create);
        accepted(client.call(create.to_call()).await)?;
        let pace = Pace { credit_bytes: None, window_ms: 0 };
        client.follow(Follow { session, after: After::Start, pace }).await;
        let start = RunStart {
            input: "make it so".to_owned(),
            on_busy: OnBusy::Reject,
            model: model.map(str::to_owned),
            plan: None,
        };
        let answer = client.call(Method::RunStart(session, cid, start).to_call()).await;
        let run = serde_json::from_value::<RunAccepted>(accepted(answer)?)?.run;
        Ok(Running { world, client, session, cid, run })
    }

    /// Plays one run to its end.
    pub(super) async fn run(&self, model: Option<&str>) -> Result<Ran> {
        self.begin(model).await?.end().await
    }

    /// Plays runs at the same time.
    pub(super) async fn runs(self: &Arc<Self>, count: usize) -> Result<Vec<Ran>> {
        let mut playing = JoinSet::new();
        for _ in 0..count {
            let bed = Arc::clone(self);
            playing.spawn(Box::pin(async move { bed.run(None).await }));
        }
        let mut all = Vec::new();
        while let Some(ran) = playing.join_next().await {
            all.push(ran.context("a run of the test failed")??);
        }
        Ok(all)
    }

    /// Has the next calls meet these faults.
    pub(super) async fn faults(&self, faults: &str) -> Result<()> {
        let url = format!("http://{}/faults", self.provider.addr());
        let http = reqwest::Client::builder().no_proxy().build()?;
        http.post(url).body(faults.to_owned()).send().await?.error_for_status()?;
        Ok(())
    }

    /// The calls so far, as they began.
    pub(super) fn calls(&self) -> Vec<Call> {
        let mut calls = self.provider.log().calls();
        calls.sort_by_key(|call| call.start_us);
        calls
    }

    /// Waits until so many calls have ended.
    pub(super) async fn ended(&self, count: usize) -> Result<()> {
        let has = || self.calls().iter().filter(|call| call.end_us > 0).count() >= count;
        let wait = async {
            while !has() {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        time::timeout(RUN_TIMEOUT, wait).await.with_context(|| format!("no {count} calls ended"))
    }

    /// What the server says of its providers.
    pub(super) async fn view(&self) -> Result<Value> {
        let url = format!("http://{}/providers", self.greenroom.internal);
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// The states of the first provider's keys.
    pub(super) async fn key_states(&self) -> Result<Vec<String>> {
        let view = self.view().await?;
        let keys = view.pointer("/0/keys").and_then(Value::as_array).context("keys")?;
        let state = |key: &Value| key.get("state").and_then(Value::as_str).map(str::to_owned);
        keys.iter().map(|key| state(key).context("a state")).collect()
    }
}

impl Running {
    /// Waits for the end.
    pub(super) async fn end(self) -> Result<Ran> {
        let mut board = self.world.board(self.session);
        let ended = |board: &Board| board.of(self.cid).is_some_and(|run| run.end.is_some());
        let waited = time::timeout(RUN_TIMEOUT, board.wait_for(ended)).await;
        waited.with_context(|| format!("{} has no end", self.run))??;
        let (_, log) = read::log(&self.client, self.session).await?;
        let mut ran = Ran::default();
        for entry in log {
            if let Event::RunStarted { provider, .. } = entry.event {
                ran.provider = provider;
            } else if let Event::Notice {
                notice: Notice::ProviderWait | Notice::ProviderChanged,
                message,
                ..
            } = entry.event
            {
                ran.notices.push(message);
            } else if let Event::RunFinished { outcome, error, .. } = entry.event {
                ran.outcome = Some(outcome);
                ran.reason = error.as_ref().map(|error| error.reason);
                ran.retry_after_ms = error.and_then(|error| error.retry_after_ms);
            }
        }
        self.client.stop().await;
        Ok(ran)
    }

    /// Waits until it said something.
    pub(super) async fn speaks(&self) -> Result<()> {
        let mut board = self.world.board(self.session);
        let begun = |board: &Board| board.shown >= FIRST_TEXT;
        let waited = time::timeout(RUN_TIMEOUT, board.wait_for(begun)).await;
        waited.with_context(|| format!("{} says nothing", self.run))??;
        Ok(())
    }

    /// Asks to cancel it.
    pub(super) async fn cancel(&self) -> Result<()> {
        let cancel = RunCancel::Run(self.run);
        let cid = CommandId::new(Uuid::now_v7());
        let call = Method::RunCancel(self.session, cid, cancel).to_call();
        accepted(self.client.call(call).await).map(drop)
    }
}

fn accepted(answer: Answer) -> Result<Value> {
    match answer {
        Answer::Ok { result, .. } => Ok(result),
        refused @ (Answer::Err(_) | Answer::TimedOut) => bail!("a call was answered {refused:?}"),
    }
}

/// Whether a call was refused by the stand-in.
pub(super) fn is_refused(call: &Call) -> bool {
    call.fault.is_some() && call.end == Some(End::Fault)
}
