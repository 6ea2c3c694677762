//! A session with runs that are planned, and what they say.

use crate::server::{Server, Socket, User, command, entries, is_end, session, story};
use greenroom_protocol::{
    credits::{CreditsInfo, Price},
    error::ErrorBody,
    event::{Event, Outcome, StepName, Usage},
    frame::{After, Ev},
    id::SessionId,
    method::{InputRespond, InputResponded, Method, OnBusy, RunStart, SessionInfo},
    plan::{InputKind, Intent, Spec},
};

/// A socket at a session of its own.
pub(super) struct Chat {
    pub(super) socket: Socket,
    pub(super) session: SessionId,
}

impl Chat {
    pub(super) async fn new(server: &Server, user: &User) -> Self {
        let (mut socket, session) = (Socket::connect(server, user).await, session());
        socket.create(session, 1).await;
        Self { socket, session }
    }

    /// Follows a session anew from its start.
    pub(super) async fn again(server: &Server, user: &User, session: SessionId) -> Self {
        let mut socket = Socket::connect(server, user).await;
        socket.attach(session, 1, After::Start).await;
        Self { socket, session }
    }

    pub(super) async fn start(&mut self, prompt: &str, plan: Option<bool>) {
        let input = prompt.to_owned();
        let start = RunStart { input, on_busy: OnBusy::Reject, model: None, plan };
        let call = Method::RunStart(self.session, command(), start);
        self.socket.call(&call).await.unwrap();
    }

    /// Starts a run that is planned; what it says up to its end.
    pub(super) async fn plan(&mut self, prompt: &str) -> Vec<Event> {
        self.start(prompt, Some(true)).await;
        self.end().await
    }

    /// What is said up to the end of the run.
    pub(super) async fn end(&mut self) -> Vec<Event> {
        story(&self.until(is_end).await)
    }

    pub(super) async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Vec<Ev> {
        entries(&self.socket.take_until_event(wanted).await, 1)
    }

    pub(super) async fn respond(
        &mut self,
        request: u32,
        accept: bool,
        text: &str,
    ) -> Result<InputResponded, ErrorBody> {
        let respond = InputRespond { request, accept, text: text.to_owned() };
        let call = Method::InputRespond(self.session, command(), respond);
        let result = self.socket.call(&call).await;
        result.map(|result| serde_json::from_value(result).unwrap())
    }

    pub(super) async fn info(&mut self) -> SessionInfo {
        self.socket.ask(&Method::SessionGet(self.session)).await
    }

    pub(super) async fn credits(&mut self) -> CreditsInfo {
        self.socket.ask(&Method::CreditsGet).await
    }
}

/// The names of events on the wire, without what is for display.
pub(super) fn names(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| {
        let json = serde_json::to_value(event).unwrap();
        json["type"].as_str().unwrap().to_owned()
    };
    let names = events.iter().map(name);
    names.filter(|name| !matches!(name.as_str(), "notice" | "progress")).collect()
}

pub(super) fn spec_of(events: &[Event]) -> &Spec {
    let spec = events.iter().find_map(|event| {
        let Event::RunPlanned { spec, .. } = event else { return None };
        Some(&**spec)
    });
    spec.expect("a plan")
}

/// What a run's quote said: the price, what it reserves, whether it was approved by itself.
pub(super) fn quote_of(events: &[Event]) -> (&Price, u64, bool) {
    let quote = events.iter().find_map(|event| {
        let Event::RunQuoted { price, hold, approved, .. } = event else { return None };
        Some((price, *hold, *approved))
    });
    quote.expect("a quote")
}

pub(super) fn intent_of(events: &[Event]) -> Option<Intent> {
    events.iter().find_map(|event| {
        let Event::RunClassified { intent, .. } = event else { return None };
        Some(*intent)
    })
}

/// What was asked: the number, the kind, and the answers to choose from.
pub(super) fn asked(events: &[Event]) -> Option<(u32, InputKind, Vec<String>)> {
    events.iter().find_map(|event| {
        let Event::InputRequested { request, kind, questions, .. } = event else { return None };
        let options = questions.iter().flat_map(|question| question.options.clone());
        Some((*request, *kind, options.collect()))
    })
}

pub(super) fn paid(events: &[Event]) -> Option<u64> {
    events.iter().find_map(|event| {
        let Event::CreditsSettled { paid, .. } = event else { return None };
        Some(*paid)
    })
}

/// What the last generation used.
pub(super) fn used(events: &[Event]) -> Usage {
    let is_begin =
        |event: &Event| matches!(event, Event::StepStarted { name: StepName::Generating });
    let begin = events.iter().rposition(is_begin).expect("a generation");
    let usage = events[begin..].iter().find_map(|event| {
        let Event::Usage { usage, .. } = event else { return None };
        Some(*usage)
    });
    usage.expect("what it used")
}

pub(super) fn ended(events: &[Event]) -> Option<Outcome> {
    events.iter().rev().find_map(|event| {
        let Event::RunFinished { outcome, .. } = event else { return None };
        Some(*outcome)
    })
}

/// The value of a counter of the hub's answers.
pub(super) async fn answers(server: &Server, call: &str, result: &str) -> u32 {
    let (status, metrics) = server.internal("/metrics").await;
    assert_eq!(status, 200);
    let name = format!("greenroom_hub_answers_total{{call=\"{call}\",result=\"{result}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
    value.map_or(0, |value| value.parse().unwrap())
}
