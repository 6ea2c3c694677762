//! The key pool's actor: performs what its state decides.

use super::{
    draw::Draw,
    key::{Generation, Memory, PROBE_TIMEOUT},
    memory::{self, Moment},
    meter::Meter,
    state::{Effect, Grant, Input, KeyRef, Member, Need, Pool, Refusal, Settings, WaiterId, Why},
    ticket::Ticket,
    view::ProviderView,
};
use crate::port::{
    Clock, Cooldowns, Cooling, KeyCheck, Provider, ProviderError, ProviderErrorKind as Kind, Store,
};
use greenroom_protocol::error::ErrorBody;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// The answer to a call that asks for a key.
pub(crate) type Answer = Result<Ticket, ErrorBody>;

/// What is known at once.
#[derive(Debug)]
pub(crate) enum Asked {
    Now(Answer),
    Later { eta: Duration, answer: oneshot::Receiver<Answer> },
}

/// One variant a method of the handle, of a ticket, or of what the actor starts itself.
pub(crate) enum Message {
    Ask {
        waiter: WaiterId,
        need: Need,
        reply: oneshot::Sender<Asked>,
    },
    Leave(WaiterId),
    Hear(Input),
    Checked(KeyRef, Generation, KeyCheck),
    /// Acknowledged, so that other nodes fill no mailbox.
    Cooling {
        cooling: Cooling,
        ack: oneshot::Sender<()>,
    },
    View {
        reply: oneshot::Sender<Vec<ProviderView>>,
    },
    Tick,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask { .. } => "Ask",
            Self::Leave(_) => "Leave",
            Self::Hear(_) => "Hear",
            Self::Checked(..) => "Checked",
            Self::Cooling { .. } => "Cooling",
            Self::View { .. } => "View",
            Self::Tick => "Tick",
        })
    }
}

/// What the actor needs.
pub(crate) struct KeyPoolArguments {
    /// In the order of preference.
    pub(crate) providers: Vec<Arc<dyn Provider>>,
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cooldowns: Arc<dyn Cooldowns>,
    pub(crate) meter: Meter,
}

/// What the actor holds.
pub(crate) struct State {
    arguments: KeyPoolArguments,
    pool: Pool,
    /// Calls that wait, and since when.
    waiting: BTreeMap<WaiterId, (oneshot::Sender<Answer>, Instant)>,
    /// The next tick.
    timer: Option<(Instant, AbortOnDropHandle<()>)>,
    /// Hears other nodes.
    _ear: AbortOnDropHandle<()>,
}

/// All keys of the node.
#[derive(Debug)]
pub(crate) struct KeyPoolActor;

impl Actor for KeyPoolActor {
    type Msg = Message;
    type State = State;
    type Arguments = KeyPoolArguments;

    /// Remembers what earlier lives of the node found out about the keys.
    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: KeyPoolArguments,
    ) -> Result<State, ActorProcessingErr> {
        let member = |provider: &Arc<dyn Provider>| Member {
            name: provider.name().to_owned(),
            model: provider.default_model().to_owned(),
            keys: provider.keys(),
            terms: provider.terms(),
        };
        let members = arguments.providers.iter().map(member).collect();
        let pool = Pool::new(arguments.settings, members);
        let _ear = crate::spawn_owned(hear_others(arguments.cooldowns.clone(), myself.clone()));
        let mut state = State { arguments, pool, waiting: BTreeMap::new(), timer: None, _ear };
        state.recall().await;
        for provider in &state.arguments.providers {
            state.arguments.meter.touch(provider.name());
        }
        state.arguments.meter.show(&state.pool);
        state.wind(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Ask { waiter, need, reply } => state.ask(&myself, waiter, need, reply),
            Message::Leave(waiter) => {
                if state.waiting.remove(&waiter).is_some() {
                    state.hear(&myself, Input::Leave(waiter));
                }
            }
            Message::Hear(input) => state.hear(&myself, input),
            Message::Checked(key, generation, check) => {
                state.hear(&myself, Input::Checked(key, generation, check));
            }
            Message::Cooling { cooling, ack } => {
                if let Some(rest) = state.pool.heard(cooling, Instant::now()) {
                    state.hear(&myself, Input::Rested(rest));
                }
                let _ = ack.send(());
            }
            Message::View { reply } => {
                let _ = reply.send(state.pool.view(Instant::now()));
            }
            Message::Tick => {
                state.timer = None;
                state.hear(&myself, Input::Tick);
            }
        }
        state.arguments.meter.show(&state.pool);
        state.wind(&myself);
        Ok(())
    }

    /// The pool has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Passes on what other nodes tell, one after the other.
async fn hear_others(cooldowns: Arc<dyn Cooldowns>, pool: ActorRef<Message>) {
    loop {
        let (cooling, (ack, heard)) = (cooldowns.next().await, oneshot::channel());
        if pool.cast(Message::Cooling { cooling, ack }).is_err() || heard.await.is_err() {
            return; // the pool has ended
        }
    }
}

impl State {
    fn ask(
        &mut self,
        myself: &ActorRef<Message>,
        waiter: WaiterId,
        need: Need,
        reply: oneshot::Sender<Asked>,
    ) {
        let mut reply = Some(reply);
        for effect in self.decide(Input::Ask(waiter, need)) {
            let answer = match effect {
                Effect::Grant(id, grant) if id == waiter => {
                    let Some(ticket) = self.ticket(myself, grant) else { continue };
                    Asked::Now(Ok(ticket))
                }
                Effect::Refuse(id, refusal) if id == waiter => {
                    Asked::Now(Err(self.refusal(refusal)))
                }
                Effect::Wait(id, eta) if id == waiter => {
                    let (sender, answer) = oneshot::channel();
                    self.waiting.insert(id, (sender, Instant::now()));
                    Asked::Later { eta, answer }
                }
                Effect::Grant(..)
                | Effect::Refuse(..)
                | Effect::Wait(..)
                | Effect::Probe(..)
                | Effect::Remember(_)
                | Effect::Merged(..)
                | Effect::Share(_)
                | Effect::Late(_) => {
                    self.perform(myself, effect);
                    continue;
                }
            };
            if let Some(reply) = reply.take() {
                let _ = reply.send(answer); // who is gone gives its ticket back by that
            }
        }
    }

    fn hear(&mut self, myself: &ActorRef<Message>, input: Input) {
        self.arguments.meter.heard(&self.pool, &input);
        for effect in self.decide(input) {
            self.perform(myself, effect);
        }
    }

    fn decide(&mut self, input: Input) -> Vec<Effect> {
        self.pool.apply(input, (Instant::now(), &mut Draw::new(rand::random())))
    }

    fn perform(&mut self, myself: &ActorRef<Message>, effect: Effect) {
        match effect {
            Effect::Grant(waiter, grant) => {
                // Without a waiter the ticket goes back at once.
                let Some(ticket) = self.ticket(myself, grant) else { return };
                if let Some((reply, since)) = self.waiting.remove(&waiter) {
                    self.arguments.meter.wait_seconds.observe(since.elapsed().as_secs_f64());
                    let _ = reply.send(Ok(ticket));
                }
            }
            Effect::Refuse(waiter, refusal) => {
                let refusal = self.refusal(refusal);
                if let Some((reply, _)) = self.waiting.remove(&waiter) {
                    let _ = reply.send(Err(refusal));
                }
            }
            Effect::Wait(..) => {}
            Effect::Probe(key, generation) => self.probe(myself, key, generation),
            Effect::Remember(key) => self.remember(key),
            Effect::Merged(one, other) => tracing::info!(
                provider = self.name(one.provider),
                key = self.pool.fingerprint(one),
                other = self.pool.fingerprint(other),
                "two keys turned out to share one account's limits"
            ),
            Effect::Share(rest) => {
                self.arguments.cooldowns.tell(self.pool.cooling(&rest, Instant::now()));
            }
            Effect::Late(provider) => self.arguments.meter.late(self.name(provider), 1),
        }
    }

    fn ticket(&self, myself: &ActorRef<Message>, grant: Grant) -> Option<Ticket> {
        let provider = self.arguments.providers.get(grant.key.provider)?;
        Some(Ticket::new(provider.clone(), grant, myself.clone()))
    }

    fn name(&self, provider: usize) -> &str {
        self.arguments.providers.get(provider).map_or("", |provider| provider.name())
    }

    /// What a run is told that gets no key.
    fn refusal(&self, Refusal { provider, why, ready }: Refusal) -> ErrorBody {
        let wait = ready.map(|ready| ready.saturating_duration_since(Instant::now()));
        let (kind, message) = match why {
            Why::Limited => {
                (Kind::RateLimited, "its limits are used up for longer than a run waits")
            }
            Why::Exhausted => (Kind::QuotaExhausted, "none of its accounts has anything to spend"),
            Why::Crowded => (Kind::RateLimited, "too many runs wait for it already"),
            Why::Retried => (Kind::Failed, "too many calls failed of late to try once more"),
            Why::Invalid => {
                let message = "no key may be used; `greenroom provider ls` tells what each is like";
                (Kind::Unauthorized, message)
            }
        };
        let error = ProviderError {
            provider: self.name(provider).to_owned(),
            kind,
            message: message.to_owned(),
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        error.body()
    }

    /// Looks whether a key is accepted, beside this actor.
    fn probe(&self, myself: &ActorRef<Message>, key: KeyRef, generation: Generation) {
        let Some(provider) = self.arguments.providers.get(key.provider).cloned() else { return };
        let myself = myself.clone();
        crate::spawn(async move {
            let check = timeout(PROBE_TIMEOUT, provider.check_key(key.key)).await;
            let check = check.unwrap_or(KeyCheck::Unknown);
            let _ = myself.cast(Message::Checked(key, generation, check));
        });
    }

    /// Writes what is known of a key, beside this actor: a slow store must not hold calls back.
    fn remember(&self, key: KeyRef) {
        let Some(fingerprint) = self.pool.fingerprint(key).map(str::to_owned) else { return };
        let provider = self.name(key.provider).to_owned();
        let memory = self.pool.memory(key);
        let why = match memory {
            Some(Memory::Invalid { .. }) => Some("the provider refuses it"),
            Some(Memory::Exhausted { .. }) => Some("its account has nothing to spend"),
            None => None,
        };
        match why {
            Some(why) => tracing::warn!(provider, key = fingerprint, why, "a key is out of use"),
            None => tracing::info!(provider, key = fingerprint, "a key is in use again"),
        }
        let (store, moment) = (self.arguments.store.clone(), self.moment());
        crate::spawn(async move {
            let of = (provider.as_str(), fingerprint.as_str());
            if let Err(error) = memory::write(&*store, of, memory, moment).await {
                tracing::warn!(provider, key = fingerprint, %error, "the state of a key is not kept");
            }
        });
    }

    async fn recall(&mut self) {
        let moment = self.moment();
        for (place, provider) in self.arguments.providers.iter().enumerate() {
            for (at, key) in provider.keys().into_iter().enumerate() {
                let Some(fingerprint) = key.fingerprint else { continue };
                let of = (provider.name(), fingerprint.as_str());
                match memory::read(&*self.arguments.store, of, moment).await {
                    Ok(None) => {}
                    Ok(Some(memory)) => {
                        self.pool.recall(KeyRef { provider: place, key: at }, memory);
                    }
                    // The first call with it finds out again.
                    Err(error) => {
                        tracing::warn!(provider = provider.name(), %error, "keys are not recalled");
                    }
                }
            }
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: Instant::now(), now_ms: self.arguments.clock.now_ms() }
    }

    /// Sets the timer to when the state wants to know that time went by.
    fn wind(&mut self, myself: &ActorRef<Message>) {
        let due = self.pool.due();
        if self.timer.as_ref().map(|(at, _)| *at) == due {
            return;
        }
        self.timer = due.map(|due| {
            let wait = due.saturating_duration_since(Instant::now());
            let myself = myself.clone();
            let tick = async move {
                sleep(wait).await;
                let _ = myself.cast(Message::Tick);
            };
            (due, crate::spawn_owned(tick))
        });
    }
}
