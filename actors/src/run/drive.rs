//! The steps of a run: generating, applying, the end. What it says is durable before it goes on.

use super::{
    RunArguments,
    bill::Bill,
    hub::planned_request,
    mouth::Mouth,
    outbox::Window,
    project::Project,
    replay::Replay,
    tree::{ApplyError, ProjectLimits, apply, commit},
};
use crate::{
    port::{Oid, StoreError},
    session::{ATTEMPTS_MAX, RunSpec, RunStopped, core::Run, owner_lost, reader},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome, StepName},
    frame::Entry,
    id::Seq,
    plan::InputKind,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Tries of a write or read at the store, and the wait between them.
const STORE_TRIES: u32 = 5;
const STORE_WAIT: Duration = Duration::from_millis(200);

/// Stands after a request that was answered in part.
const REST: &str = "\n\nThe answer to this was stopped. What was complete of it is among the \
                    current files: write the rest.";

/// A run under way.
pub(super) struct Drive {
    pub(super) arguments: RunArguments,
    pub(super) mouth: Mouth,
    pub(super) bill: Bill,
    /// All that is asked for.
    pub(super) request: String,
    /// Whether the log says that the run began.
    pub(super) has_begun: bool,
    /// Whether this attempt has said that it plans.
    pub(super) is_planning: bool,
}

/// How a run ends.
pub(super) type End = (Outcome, Option<ErrorBody>);

/// Why a step did not bring the run further.
pub(super) enum Stop {
    /// Say how it ended.
    End(Box<End>),
    /// The session takes no more of this run.
    Stopped,
}

impl From<RunStopped> for Stop {
    fn from(RunStopped: RunStopped) -> Self {
        Self::Stopped
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a run failed at the store");
        Self::failed(match error {
            StoreError::Unavailable(_) => ErrorBody::store_unavailable(),
            StoreError::Corrupt(_) => ErrorBody::internal(),
        })
    }
}

impl Stop {
    pub(super) fn failed(error: ErrorBody) -> Self {
        Self::End(Box::new((Outcome::Failed, Some(error))))
    }
}

impl Drive {
    pub(super) fn new(arguments: RunArguments) -> Self {
        let node = &arguments.node;
        let window = Window {
            least: node.config.window,
            most: node.config.window_max,
            origin: node.started,
        };
        let session = arguments.session.clone();
        let mouth = Mouth::new(arguments.spec.run.run, session, window);
        let bill = Bill::new(node, arguments.feed.session, &arguments.spec);
        let request = request(&arguments.spec.run);
        let has_begun = arguments.spec.attempt > 1;
        Self { arguments, mouth, bill, request, has_begun, is_planning: false }
    }

    pub(super) const fn spec(&self) -> &RunSpec {
        &self.arguments.spec
    }

    /// Runs to the end; the last word is `run.finished`, unless the session takes no more.
    pub(super) async fn run(mut self) {
        self.arguments.node.meter.runs.inc();
        let limit = self.arguments.node.config.run_timeout;
        let end = match timeout(limit, self.steps()).await {
            Ok(Ok(())) => (Outcome::Completed, None),
            Ok(Err(Stop::End(end))) => *end,
            Ok(Err(Stop::Stopped)) => return,
            Err(_) => (Outcome::Failed, Some(overlong(limit))),
        };
        self.ask_for_more(&end);
        // What is paid for is durable before it is paid.
        if self.bill.is_open() {
            if self.mouth.drain().await.is_err() {
                return;
            }
            let settled = self.bill.settle(&end).await;
            settled.into_iter().for_each(|event| self.mouth.outbox.push(event));
        }
        let (outcome, error) = end;
        tracing::Span::current().record("outcome", outcome.name());
        let run = self.spec().run.run;
        self.mouth.outbox.push(Event::RunFinished { run, outcome, error });
        // A session that takes no more has written the end itself.
        let _ = self.mouth.drain().await;
    }

    async fn steps(&mut self) -> Result<(), Stop> {
        if self.spec().attempt > ATTEMPTS_MAX {
            self.bill.resume(None).await?; // one that has paid ends as it was paid
            return Err(Stop::failed(owner_lost()));
        }
        let replay = if self.spec().attempt > 1 { self.recover().await? } else { self.fresh() };
        if replay.commit().is_some() {
            return Ok(()); // only the last word was lost
        }
        let parent = self.spec().commit.as_deref().and_then(|commit| commit.parse::<Oid>().ok());
        let (node, root) = (self.arguments.node.clone(), self.spec().project);
        let project = retry(|| Project::read(&*node.store, root, parent)).await?;
        let changes = if replay.generated() {
            replay.changes().clone()
        } else if self.spec().run.plan && !self.plan(&project, &replay).await? {
            return Ok(());
        } else {
            self.generate(&project, replay).await?
        };
        self.apply(&project, parent, &changes).await?;
        // What was complete when the credits did not suffice for more is kept.
        self.bill.stopped().map_or(Ok(()), |error| Err(Stop::failed(error)))
    }

    /// Asks whether to go on, where the credits did not suffice for all of it.
    fn ask_for_more(&mut self, (_, error): &End) {
        let answers = self.spec().run.answers.as_ref().map(|request| request.kind);
        let was_stopped = self.bill.stopped().is_some() || answers == Some(InputKind::Credits);
        if let Some(error) = error.as_ref().filter(|error| was_stopped && is_for_credits(error)) {
            self.ask(InputKind::Credits, error.message.to_string(), Vec::new());
        }
    }

    fn fresh(&self) -> Replay {
        Replay::new(self.spec().part)
    }

    /// Finds out from the log how far the run came, and says that it goes on.
    async fn recover(&mut self) -> Result<Replay, Stop> {
        let node = self.arguments.node.clone();
        node.meter.runs_recovered.inc();
        let RunSpec { head, ref run, attempt, part, .. } = *self.spec();
        let (mut replay, mut after) = (Replay::new(part), run.accepted);
        let run = run.run;
        let mut has_begun = false;
        while after < head {
            let feed = &self.arguments.feed;
            let entries = retry(|| reader::read_after(feed, &*node.store, after)).await?;
            let Some((last, _)) = entries.last() else { break };
            after = *last;
            for (seq, rest) in entries {
                let entry = std::str::from_utf8(&rest).ok().and_then(|r| Entry::from_rest(r).ok());
                let entry = entry.ok_or_else(|| {
                    StoreError::Corrupt(format!("entry {seq} of {}", feed.session))
                })?;
                // A run that waited was accepted while another one spoke.
                has_begun |=
                    matches!(entry.event, Event::RunStarted { run: begun, .. } if begun == run);
                if has_begun {
                    replay.apply(seq, &entry.event);
                }
            }
        }
        let superseded_from: Option<Seq> = replay.superseded_from();
        self.mouth.outbox.push(Event::RunRecovering { run, attempt, superseded_from });
        self.mouth.drain().await?;
        self.bill.resume(replay.usage().filter(|_| replay.generated())).await?;
        Ok(replay)
    }

    /// Stores the files and commits them; nothing where nothing changed.
    async fn apply(
        &mut self,
        project: &Project,
        parent: Option<Oid>,
        changes: &super::Changes,
    ) -> Result<(), Stop> {
        let (node, root) = (self.arguments.node.clone(), self.spec().project);
        let run = self.spec().run.run;
        self.mouth.outbox.push(Event::StepStarted { name: StepName::Applying });
        let applied = apply(&project.files, changes, ProjectLimits::default())
            .map_err(|error| Stop::failed(too_large(&error)))?;
        for warning in &applied.warnings {
            self.mouth.outbox.push(Event::Notice {
                notice: Notice::FileRejected,
                by: None,
                cid: None,
                run: Some(run),
                start_cid: None,
                message: warning.to_string(),
            });
        }
        if !applied.is_empty() {
            let secs = node.clock.now_ms() / 1000;
            let prompt = &self.spec().run.prompt;
            let made = commit(&project.files, &applied, parent, secs, prompt, run);
            retry(|| node.store.put_objects(root, made.objects.clone())).await?;
            self.mouth.outbox.push(Event::FilesCommitted {
                run,
                commit: made.oid.to_string(),
                added: applied.added,
                changed: applied.changed,
                removed: applied.removed,
            });
        }
        self.mouth.outbox.push(Event::StepFinished { name: StepName::Applying });
        Ok(())
    }
}

/// Does something at the store again while it is unavailable, a few times.
async fn retry<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 1..STORE_TRIES {
        match attempt().await {
            Err(StoreError::Unavailable(_)) => sleep(STORE_WAIT).await,
            result => return result,
        }
    }
    attempt().await
}

/// All that a run is asked for, as its prompts say it.
fn request(run: &Run) -> String {
    let answered = run.answers.as_deref();
    let spec = answered.and_then(|answered| Some((answered, answered.spec.as_deref()?)));
    let mut request = match spec {
        Some((answered, spec)) => {
            planned_request(&answered.prompt, spec, run.remark().unwrap_or_default())
        }
        None => run.request().into_owned(),
    };
    if answered.is_some_and(|answered| answered.kind == InputKind::Credits) {
        request.push_str(REST);
    }
    request
}

const fn is_for_credits(error: &ErrorBody) -> bool {
    matches!(error.reason, Reason::InsufficientCredits | Reason::BudgetExceeded)
}

fn overlong(limit: Duration) -> ErrorBody {
    let message = format!("the run took longer than {} s; ask for less at once", limit.as_secs());
    ErrorBody::new(Code::DeadlineExceeded, Reason::Timeout, message)
}

fn too_large(error: &ApplyError) -> ErrorBody {
    ErrorBody::new(Code::ResourceExhausted, Reason::OutputLimit, error.to_string())
}
