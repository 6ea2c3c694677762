//! The step before the model writes: what the request asks for, and whether it may cost that.

use super::{
    caller::{Called, Caller},
    drive::{Drive, Stop},
    generate::cut_off,
    hub::{self, Decision, HubError, HubInput, Next, planned_request},
    project::Project,
    replay::{Plan, Replay},
    usage,
};
use crate::{
    meter::HubCall,
    port::{Delta, Finish, Message, Request},
};
use futures_util::StreamExt;
use greenroom_protocol::{
    credits::{Price, amount_text},
    error::{Code, ErrorBody, Reason},
    event::{Event, StepName, Usage},
    id::PartId,
    limit::DELTA_BYTES_MAX,
    plan::{InputKind, Question, Spec},
};

/// What a run is likely to cost, in micro-credits.
pub(super) struct Cost {
    pub(super) price: Price,
    /// With an answer of the usual length.
    pub(super) cost: u64,
    /// What it reserves.
    pub(super) hold: u64,
}

impl Drive {
    /// Finds out what the request asks for, unless the log says it; whether the model writes now.
    /// All that comes of it is said at once, so that the log has all of it or nothing.
    pub(super) async fn plan(&mut self, project: &Project, replay: &Replay) -> Result<bool, Stop> {
        match replay.plan() {
            Plan::Open => {}
            Plan::Ended => return Ok(false),
            Plan::Agreed(spec) => {
                self.go_on_with(spec);
                return Ok(true);
            }
            Plan::Left => return Ok(true),
        }
        self.take_up();
        let mut decision = self.decide(project).await?;
        while self.take_up() {
            decision = self.decide(project).await?;
        }
        let Decision { intent, complexity, confidence, next } = decision;
        let run = self.spec().run.run;
        self.mouth.outbox.push(Event::RunClassified { run, intent, complexity, confidence });
        let writes = match next {
            Next::Answer => true,
            Next::Reply(text) => {
                self.reply(&text, replay.next_part());
                false
            }
            Next::Questions(text, questions) => {
                self.ask(InputKind::Question, text, questions);
                false
            }
            Next::Spec(spec) => self.propose(project, spec).await?,
        };
        self.mouth.outbox.push(Event::StepFinished { name: StepName::Planning });
        Ok(writes)
    }

    /// One call of the hub, and another one where its answer can't be used.
    async fn decide(&mut self, project: &Project) -> Result<Decision, Stop> {
        let history = self.history();
        let input = HubInput { history: &history, files: &project.files, request: &self.request };
        let messages = input.build(hub::CONTEXT_BYTES_MAX);
        let answer = self.consult(messages.clone()).await?;
        let read = hub::parse(&answer);
        self.arguments.node.meter.hub(HubCall::First, &read);
        let error = match read {
            Ok(decision) => return Ok(decision),
            Err(error) => error,
        };
        let answer = self.consult(hub::repair(messages, &answer, &error)).await?;
        let read = hub::parse(&answer);
        self.arguments.node.meter.hub(HubCall::Repair, &read);
        read.map_err(|error| Stop::failed(unusable(&error)))
    }

    /// Makes one call and reads its answer to the end. The first one of a run begins it.
    async fn consult(&mut self, messages: Vec<Message>) -> Result<String, Stop> {
        let (node, orders) = (self.arguments.node.clone(), self.arguments.orders.clone());
        let input_tokens = usage::of_prompt(&messages);
        let run = self.spec().run.run;
        let model = node.config.hub.model.clone().or_else(|| self.spec().run.model.clone());
        let mut caller = Caller::new((&node, &orders), run, model.as_deref(), input_tokens)?;
        let ticket = caller.ticket(&mut self.mouth).await?.ok_or_else(|| self.asked_to_end())?;
        if !std::mem::replace(&mut self.has_begun, true) {
            let (provider, model) = (ticket.provider.name().to_owned(), ticket.model().to_owned());
            self.mouth.outbox.push(Event::RunStarted { run, provider, model });
        }
        if !std::mem::replace(&mut self.is_planning, true) {
            self.mouth.outbox.push(Event::StepStarted { name: StepName::Planning });
        }
        self.mouth.drain().await?;
        let request = Request { run, model, messages };
        let mut call = match caller.call(ticket, request, &mut self.mouth).await? {
            Called::Answer(call) => call,
            Called::Failed(error) => return Err(Stop::failed(error)),
            Called::Asked => return Err(self.asked_to_end()),
        };
        let (mut answer, mut reported, mut finish) = (String::new(), None, None);
        while finish.is_none() && answer.len() <= hub::ANSWER_BYTES_MAX {
            let delta = tokio::select! {
                () = orders.asked() => return Err(self.asked_to_end()),
                delta = call.next() => delta,
            };
            match delta {
                None => break,
                Some(Err(error)) => return Err(Stop::failed(error.body())),
                Some(Ok(Delta::Text(text))) => answer.push_str(&text),
                Some(Ok(Delta::Reasoning(_))) => {}
                Some(Ok(Delta::Usage(usage))) => reported = Some(usage),
                Some(Ok(Delta::Finish(end))) => finish = Some(end),
            }
        }
        let output_tokens = usage::estimate([answer.len()]);
        let estimated = Usage { input_tokens, output_tokens, ..Usage::default() };
        let usage = reported.unwrap_or(estimated);
        self.mouth.outbox.push(Event::Usage { run, usage });
        match finish {
            // One that was cut off is read as far as it goes: what is missing is named.
            Some(Finish::Stop | Finish::Length) => Ok(answer),
            _ if answer.len() > hub::ANSWER_BYTES_MAX => Ok(answer),
            finish => Err(cut_off(finish).map_or_else(|| self.asked_to_end(), Stop::failed)),
        }
    }

    /// Words to the user, and nothing else.
    fn reply(&mut self, text: &str, part: PartId) {
        self.mouth.outbox.push(Event::TextStart { part });
        let mut rest = text;
        while !rest.is_empty() {
            let (delta, more) = rest.split_at(rest.floor_char_boundary(DELTA_BYTES_MAX));
            self.mouth.outbox.push(Event::TextDelta { part, text: delta.to_owned() });
            rest = more;
        }
        self.mouth.outbox.push(Event::TextEnd { part });
    }

    /// Shows a plan and what it costs; whether it goes on at once.
    async fn propose(&mut self, project: &Project, spec: Box<Spec>) -> Result<bool, Stop> {
        let run = self.spec().run.run;
        let planned = planned_request(&self.request, &spec, "");
        let input_tokens = usage::estimate_input(project, &planned).unwrap_or_default();
        let node = self.arguments.node.clone();
        let model = self.spec().run.model.clone().or_else(|| node.default_model.clone());
        let model = model.unwrap_or_default();
        let Cost { price, cost, hold } = self.bill.quote(&model, input_tokens).await?;
        let auto_approve = node.config.hub.auto_approve;
        let approved = auto_approve > 0 && hold <= auto_approve;
        let question = if node.config.credits.is_some() {
            format!("build this for about {} credits?", amount_text(cost))
        } else {
            "build this?".to_owned()
        };
        self.mouth.outbox.push(Event::RunPlanned { run, spec: spec.clone() });
        self.mouth.outbox.push(Event::RunQuoted { run, price, cost, hold, approved });
        if approved {
            self.go_on_with(&spec);
        } else {
            self.ask(InputKind::Plan, question, Vec::new());
        }
        Ok(approved)
    }

    fn go_on_with(&mut self, spec: &Spec) {
        self.request = planned_request(&self.request, spec, "");
    }

    /// Asks the user; the run ends, and an answer begins another one.
    pub(super) fn ask(&mut self, kind: InputKind, text: String, questions: Vec<Question>) {
        let (run, request) = (self.spec().run.run, self.spec().request);
        self.mouth.outbox.push(Event::InputRequested { request, run, kind, text, questions });
    }
}

fn unusable(error: &HubError) -> ErrorBody {
    let message = format!(
        "the model could not say what the request asks for, twice ({error}); try again, or start \
         without a plan"
    );
    ErrorBody::new(Code::Unavailable, Reason::ProviderBroken, message)
}
