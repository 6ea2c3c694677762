//! One run that this client started: which it is, what it committed, how it ended. Pure.

use super::{
    driver::describe,
    request::{self, Request},
};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Outcome, Usage, UsageSource},
    id::{CommandId, RunId},
};

/// A run, from the command that starts it to its end.
#[derive(Debug)]
pub(super) struct Job {
    /// The command that starts it.
    pub(super) cid: CommandId,
    /// The run, once it is accepted.
    pub(super) run: Option<RunId>,
    /// Git id of what it committed.
    pub(super) commit: Option<String>,
    /// What its calls used.
    pub(super) usage: Option<Usage>,
    /// What it asked, and waits for.
    pub(super) request: Option<Request>,
    /// How it ended.
    pub(super) end: Option<(Outcome, Option<ErrorBody>)>,
}

impl Job {
    pub(super) const fn new(cid: CommandId) -> Self {
        Self { cid, run: None, commit: None, usage: None, request: None, end: None }
    }

    /// The server has accepted the command.
    pub(super) const fn accepted(&mut self, run: RunId) {
        self.run = Some(run);
    }

    /// A command that answers what it asked: it goes on as another run.
    pub(super) fn goes_on(&mut self, cid: CommandId) {
        self.cid = cid;
        (self.run, self.request, self.end) = (None, None, None);
    }

    /// Nothing comes of what it asked.
    pub(super) fn declined(&mut self) {
        self.request = None;
    }

    /// What it asked, where it waits for an answer.
    pub(super) fn waits(&self) -> Option<&Request> {
        self.request.as_ref().filter(|_| self.end.is_some())
    }

    /// Takes in an event of the session.
    pub(super) fn event(&mut self, event: &Event) {
        if let Event::InputUser { run, cid, .. } = event
            && *cid == self.cid
        {
            self.run = Some(*run);
        }
        if let Event::InputResolved { request, run, .. } = event
            && self.request.as_ref().is_some_and(|asked| asked.number == *request)
        {
            // Somebody else was first: where they accepted it, it goes on as their run.
            self.request = None;
            if run.is_some() {
                (self.run, self.end) = (*run, None);
            }
        }
        let Some(mine) = self.run else { return };
        if let Event::FilesCommitted { run, commit, .. } = event
            && *run == mine
        {
            self.commit = Some(commit.clone());
        } else if let Event::Usage { run, usage } = event
            && *run == mine
        {
            self.usage = Some(add(self.usage, *usage));
        } else if let Some(asked) = request::of(event)
            && asked.run == mine
        {
            self.request = Some(asked);
        } else if let Event::RunFinished { run, outcome, error } = event
            && *run == mine
        {
            self.end = Some((*outcome, error.clone()));
        }
    }

    /// Why the run did not complete; none where it did, or goes on.
    pub(super) fn failure(&self) -> Option<String> {
        let (outcome, error) = self.end.as_ref()?;
        let what = outcome.name();
        let why = error.as_ref().map(describe);
        match (outcome, why) {
            (Outcome::Completed, _) => None,
            (_, Some(why)) => Some(format!("the run ended as {what}: {why}")),
            (_, None) => Some(format!("the run ended as {what}")),
        }
    }
}

/// What the run used, in words.
pub(super) fn usage_text(usage: Usage) -> String {
    let Usage { input_tokens, output_tokens, .. } = usage;
    let by = match usage.source {
        UsageSource::Provider => "",
        UsageSource::ProviderPartial => ", at least",
        UsageSource::Estimate => ", estimated",
    };
    format!("{input_tokens} tokens in, {output_tokens} out{by}")
}

fn add(so_far: Option<Usage>, more: Usage) -> Usage {
    let Some(so_far) = so_far else { return more };
    Usage {
        input_tokens: so_far.input_tokens.saturating_add(more.input_tokens),
        output_tokens: so_far.output_tokens.saturating_add(more.output_tokens),
        cached_tokens: so_far.cached_tokens.saturating_add(more.cached_tokens),
        reasoning_tokens: so_far.reasoning_tokens.saturating_add(more.reasoning_tokens),
        source: if so_far.source == UsageSource::Provider { more.source } else { so_far.source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{
        error::{Code, Reason},
        id::UserId,
        plan::InputKind,
    };
    use uuid::Uuid;

    fn run(n: u128) -> RunId {
        RunId::new(Uuid::from_u128(n))
    }

    fn job() -> Job {
        Job::new(CommandId::new(Uuid::from_u128(1)))
    }

    fn committed(run: RunId, commit: &str) -> Event {
        Event::FilesCommitted { run, commit: commit.into(), added: 1, changed: 0, removed: 0 }
    }

    fn finished(run: RunId, outcome: Outcome, error: Option<ErrorBody>) -> Event {
        Event::RunFinished { run, outcome, error }
    }

    #[test]
    fn a_run_is_known_by_its_command_even_where_the_answer_got_lost() {
        let mut job = job();
        let by = UserId::new(Uuid::nil());
        for (n, cid) in [(7, 2), (8, 1)] {
            let cid = CommandId::new(Uuid::from_u128(cid));
            let text = String::new();
            job.event(&Event::InputUser {
                run: run(n),
                cid,
                by,
                text,
                model: None,
                plan: false,
                steers: None,
                answers: None,
            });
        }
        assert_eq!(job.run, Some(run(8)));
    }

    #[test]
    fn the_end_of_another_run_is_not_ours() {
        let mut job = job();
        job.accepted(run(1));
        job.event(&committed(run(2), "b"));
        job.event(&finished(run(2), Outcome::Failed, None));
        assert!(job.end.is_none() && job.commit.is_none());
        job.event(&committed(run(1), "a"));
        job.event(&finished(run(1), Outcome::Completed, None));
        assert_eq!(job.commit.as_deref(), Some("a"));
        assert_eq!(job.failure(), None);
    }

    #[test]
    fn a_run_that_asks_waits_and_goes_on_as_the_run_of_whoever_answers_first() {
        let mut job = job();
        job.accepted(run(1));
        job.event(&Event::InputRequested {
            request: 3,
            run: run(1),
            kind: InputKind::Plan,
            text: String::new(),
            questions: Vec::new(),
        });
        assert!(job.waits().is_none(), "it has not ended yet");
        job.event(&finished(run(1), Outcome::Completed, None));
        assert_eq!(job.waits().map(|request| request.number), Some(3));

        let resolved = |run| Event::InputResolved {
            request: 3,
            answered: true,
            by: None,
            cid: None,
            text: String::new(),
            run,
        };
        job.event(&resolved(Some(run(2))));
        assert!(job.waits().is_none() && job.end.is_none());
        job.event(&committed(run(2), "a"));
        job.event(&finished(run(2), Outcome::Completed, None));
        assert_eq!(job.commit.as_deref(), Some("a"));
    }

    #[test]
    fn a_failure_carries_its_coded_reason() {
        let mut job = job();
        job.accepted(run(1));
        let error = ErrorBody::new(Code::Unavailable, Reason::ProviderStalled, "nothing came");
        job.event(&finished(run(1), Outcome::Failed, Some(error)));
        let failure = job.failure().unwrap();
        assert_eq!(failure, "the run ended as failed: provider_stalled: nothing came");
    }

    #[test]
    fn usage_of_several_calls_is_summed_and_as_sure_as_the_least_sure() {
        let usage =
            |source| Usage { input_tokens: 10, output_tokens: 1, source, ..Usage::default() };
        let sum = add(Some(usage(UsageSource::Provider)), usage(UsageSource::Estimate));
        assert_eq!(usage_text(sum), "20 tokens in, 2 out, estimated");
    }
}
