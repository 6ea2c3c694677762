//! The steps of a run: generating, applying, the end. What it says is durable before it goes on.

use super::{
    RunArguments,
    answer::{Answer, Answered},
    artifact,
    bill::Bill,
    caller::Caller,
    mouth::Mouth,
    outbox::Window,
    output::{Output, edit_failed},
    project::Project,
    prompt::{CONTEXT_BYTES_MAX, Mend, PromptInput, Remedy, Turn},
    replay::Replay,
    tag::Tag,
    tree::{ApplyError, ProjectLimits, apply, commit},
    usage,
};
use crate::{
    plant::{self, Plant},
    port::{Message, Oid, Request, StoreError},
    session::{ATTEMPTS_MAX, RunSpec, RunStopped, owner_lost, reader},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome, StepName, Usage},
    frame::Entry,
    id::Seq,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// Tries of a write or read at the store, and the wait between them.
const STORE_TRIES: u32 = 5;
const STORE_WAIT: Duration = Duration::from_millis(200);

/// Candidates for a tag; the first nearly always is free.
const TAG_TRIES: usize = 16;

/// A run under way.
pub(super) struct Drive {
    arguments: RunArguments,
    mouth: Mouth,
    bill: Bill,
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
        Self { arguments, mouth, bill }
    }

    const fn spec(&self) -> &RunSpec {
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
        } else {
            self.generate(&project, replay).await?
        };
        self.apply(&project, parent, &changes).await?;
        // What was complete when the credits did not suffice for more is kept.
        self.bill.stopped().map_or(Ok(()), |error| Err(Stop::failed(error)))
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

    /// The model writes; its complete changes. Edits that can't be applied are asked for once more,
    /// then as whole files; where that fails too, the run does.
    async fn generate(
        &mut self,
        project: &Project,
        replay: Replay,
    ) -> Result<super::Changes, Stop> {
        let limits = self.arguments.node.config.output;
        let done = (self.spec().attempt > 1).then(|| replay.changes().clone());
        let (tag, messages) = self.prompt(project, done.as_ref(), None)?;
        let output = Output::resume(&tag, limits, replay).over(Arc::clone(&project.contents));
        let mut output = self.call(messages, output, true).await?;
        for remedy in Remedy::ALL {
            let failures: Vec<_> = output.failures().cloned().collect();
            if failures.is_empty() {
                break;
            }
            let mend = Mend { failures: &failures, remedy };
            let (tag, messages) = self.prompt(project, Some(output.changes()), Some(mend))?;
            output = self.call(messages, output.mending(&tag), false).await?;
        }
        if let Some(failure) = output.failures().next() {
            return Err(Stop::failed(edit_failed(&format!(
                "{failure}; the model could not mend it, and nothing was changed; ask for less at \
                 once"
            ))));
        }
        self.mouth.outbox.push(Event::StepFinished { name: StepName::Generating });
        Ok(output.changes().clone())
    }

    /// Makes one call and reads its answer to the end. The first one of an attempt begins the step.
    async fn call(
        &mut self,
        messages: Vec<Message>,
        output: Output,
        is_first: bool,
    ) -> Result<Output, Stop> {
        let (node, end) = (self.arguments.node.clone(), self.arguments.end.clone());
        let input_tokens = usage::of_prompt(&messages);
        let RunSpec { ref run, attempt, .. } = self.arguments.spec;
        let (run, model) = (run.run, run.model.clone());
        let mut caller = Caller::new((&node, &end), run, model.as_deref(), input_tokens)?;
        let ticket = caller.ticket(&mut self.mouth).await?.ok_or_else(|| self.asked_to_end())?;
        let answering = ticket.model().to_owned();
        let held = self.bill.hold(&answering, input_tokens).await?;
        if is_first && attempt == 1 {
            let (provider, model) = (ticket.provider.name().to_owned(), answering.clone());
            self.mouth.outbox.push(Event::RunStarted { run, provider, model });
        }
        held.into_iter().for_each(|event| self.mouth.outbox.push(event));
        if is_first {
            self.mouth.outbox.push(Event::StepStarted { name: StepName::Generating });
        }
        // Durable before the call: a call that the log does not know is never made.
        self.mouth.drain().await?;
        let request = Request { run, model, messages };
        let answer = Answer::new(&node, &self.arguments.end, output, input_tokens);
        let Answered { mut output, finish, usage, failure } =
            answer.read((&mut caller, ticket), request, (&mut self.mouth, &mut self.bill)).await?;
        let complete = matches!(finish, Some(crate::port::Finish::Stop)) && failure.is_none();
        let ending = if complete { artifact::Ending::Stopped } else { artifact::Ending::CutOff };
        let mut events = Vec::new();
        let within_file = output.finish(ending, &mut events);
        let complete = complete || (within_file && plant::is(Plant::TruncatedFileCommitted));
        events.into_iter().for_each(|event| self.mouth.outbox.push(event));
        self.say_usage(usage);
        node.meter.edits(&answering, output.tally());
        let complete = complete || (finish.is_none() && self.bill.stopped().is_some());
        if let Some(failure) = failure.filter(|_| !complete) {
            return Err(failure);
        }
        if let Some(error) = cut_off(finish).filter(|_| !complete) {
            return Err(Stop::failed(error));
        }
        Ok(output)
    }

    fn say_usage(&mut self, usage: Option<Usage>) {
        let run = self.spec().run.run;
        if let Some(usage) = usage {
            self.bill.used(&usage);
            self.mouth.outbox.push(Event::Usage { run, usage });
        }
    }

    fn asked_to_end(&self) -> Stop {
        let ending = self.arguments.end.ending();
        let outcome = ending.map_or(Outcome::Cancelled, |ending| ending.outcome());
        Stop::End(Box::new((outcome, None)))
    }

    fn prompt(
        &self,
        project: &Project,
        done: Option<&super::Changes>,
        mend: Option<Mend<'_>>,
    ) -> Result<(Tag, Vec<Message>), Stop> {
        let turns = self.spec().turns.iter();
        let history: Vec<Turn> = turns
            .map(|turn| Turn { prompt: turn.prompt.clone(), answer: turn.answer.clone() })
            .collect();
        let input = PromptInput {
            history: &history,
            files: &project.files,
            texts: &project.contents,
            request: &self.spec().run.prompt,
            done,
            mend,
        };
        let candidates = std::iter::repeat_with(rand::random).take(TAG_TRIES);
        let tag =
            input.choose_tag(candidates).ok_or_else(|| Stop::failed(ErrorBody::internal()))?;
        let messages = input.build(&tag, CONTEXT_BYTES_MAX);
        Ok((tag, messages))
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

fn overlong(limit: Duration) -> ErrorBody {
    let message = format!("the run took longer than {} s; ask for less at once", limit.as_secs());
    ErrorBody::new(Code::DeadlineExceeded, Reason::Timeout, message)
}

fn too_large(error: &ApplyError) -> ErrorBody {
    ErrorBody::new(Code::ResourceExhausted, Reason::OutputLimit, error.to_string())
}

/// The error of an answer that its provider did not end well.
fn cut_off(finish: Option<crate::port::Finish>) -> Option<ErrorBody> {
    use crate::port::Finish;
    match finish {
        Some(Finish::Stop) => None,
        Some(Finish::Length) => {
            let message = "the answer was cut at the model's length limit; ask for less at once";
            Some(ErrorBody::new(Code::ResourceExhausted, Reason::Truncated, message))
        }
        Some(Finish::ContentFilter) => {
            let message = "the provider's content filter ended the answer; change the request";
            Some(ErrorBody::new(Code::FailedPrecondition, Reason::ContentFiltered, message))
        }
        None => {
            let message = "the provider's answer broke off; try again";
            Some(ErrorBody::new(Code::Unavailable, Reason::ProviderBroken, message))
        }
    }
}
