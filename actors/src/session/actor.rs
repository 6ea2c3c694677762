//! A session's actor: performs what its state decides.

use super::{
    Stake,
    answer::Answered,
    command::Command,
    core::Ending,
    feed::Feed,
    handle::{Message, Reply, SessionHandle},
    load::{LoadError, load},
    state::{Effect, Input, RunSpec, State},
};
use crate::{
    cluster::{Home, Owner},
    journal::{OnFlushed, record::Group},
    node::Node,
    permits::Permit,
    plant::{self, Plant},
    port::{Created, Limited, Origin, Projection, SessionRow, StoreError},
    run::{self, Orders, RunActor, RunArguments, RunHandle},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    frame::Status,
    id::{CommandId, Epoch, RunId, Seq, SessionId, UserId},
};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

/// How long a run may take to end once it was asked; then its actor is stopped.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an actor says that its session is another node's, before that is read again.
const ELSEWHERE: Duration = Duration::from_millis(100);

/// Incarnation of a new log.
const FIRST_EPOCH: Epoch = Epoch(1);

/// What a session's actor needs.
#[derive(Clone)]
pub(crate) struct SessionArguments {
    pub(crate) node: Arc<Node>,
    pub(crate) session: SessionId,
    /// Where the session's feed is or will be.
    pub(crate) feed: Arc<OnceLock<Arc<Feed>>>,
    /// Whether it stays claimed when it sleeps.
    pub(crate) stake: Arc<Stake>,
    /// What the actor is for.
    pub(crate) purpose: Purpose,
}

/// What a session's actor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be awake.
    Wake,
    /// To end the claim of a session that sleeps: what claims is what releases, so that the one
    /// never overtakes the other.
    Release,
}

/// What the actor holds.
pub(crate) struct Live {
    arguments: SessionArguments,
    phase: Phase,
}

enum Phase {
    /// Not read yet, or there is none: only a creation helps.
    Missing,
    /// It is another node's. The actor says so for a moment and ends.
    Elsewhere(Owner),
    /// Read and claimed.
    Awake(Box<Awake>),
}

struct Awake {
    arguments: SessionArguments,
    myself: ActorRef<Message>,
    on_flushed: Arc<dyn OnFlushed>,
    node: Arc<Node>,
    feed: Arc<Feed>,
    state: State<Reply>,
    permit: Option<Permit>,
    run: Option<(ActorId, RunHandle)>,
    shutting_down: Option<oneshot::Sender<()>>,
    /// Everything is in segments, the snapshot is new, nobody asked for anything for a while.
    hibernating: bool,
    effects: Vec<Effect<Reply>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("session", &self.arguments.session).finish_non_exhaustive()
    }
}

/// One session.
#[derive(Debug)]
pub(crate) struct SessionActor;

impl Actor for SessionActor {
    type Msg = Message;
    type State = Live;
    type Arguments = SessionArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: SessionArguments,
    ) -> Result<Live, ActorProcessingErr> {
        arguments.node.meter.sessions_live.inc();
        myself.cast(Message::Load)?;
        Ok(Live { arguments, phase: Phase::Missing })
    }

    async fn post_stop(
        &self,
        _: ActorRef<Message>,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        live.arguments.node.meter.sessions_live.dec();
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        match (message, &mut live.phase) {
            (Message::Load, _) if live.arguments.purpose == Purpose::Release => {
                live.release(&myself).await;
                Ok(())
            }
            (Message::Load, _) => live.load(&myself).await,
            (Message::Home { reply }, phase) => {
                let _ = reply.send(phase.home()); // the asker may have given up
                Ok(())
            }
            (Message::Tick, Phase::Elsewhere(_)) => {
                let _ = myself.drain(); // after what has come meanwhile; it may be ending already
                Ok(())
            }
            // Whose answer is dropped asks where the session is.
            (_, Phase::Elsewhere(_)) => Ok(()),
            (Message::Kill, _) => Err("killed by an operator".into()),
            #[cfg(test)]
            (Message::Panic, _) => panic!("as the test wants it"),
            (message, Phase::Awake(awake)) => {
                awake.handle(message);
                awake.end_if_due().await;
                Ok(())
            }
            (Message::Command { by, command, reply }, Phase::Missing) => {
                live.create_or_refuse(&myself, by, command, reply).await;
                Ok(())
            }
            (Message::Shutdown { .. } | Message::Tick, Phase::Missing) => {
                myself.stop(None);
                Ok(())
            }
            (Message::Input(_) | Message::EndOverdue(_), Phase::Missing) => Ok(()),
        }
    }

    /// A run that ends is news for the state; overrides ractor's default, which would end this
    /// actor with any child.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        event: SupervisionEvent,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        let Phase::Awake(awake) = &mut live.phase else { return Ok(()) };
        match event {
            SupervisionEvent::ActorTerminated(cell, ..) => {
                awake.run_down(cell.get_id(), None);
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                awake.run_down(cell.get_id(), Some(&*error));
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl Live {
    async fn load(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        let SessionArguments { node, session, feed, .. } = &self.arguments;
        match load(node, *session, feed).await {
            Ok((state, feed)) => {
                self.wake(myself, state, feed);
                Ok(())
            }
            Err(LoadError::NotFound) => {
                // A creation may come; a session that never does goes away again.
                myself.send_after(node.config.session_tick, || Message::Tick);
                Ok(())
            }
            Err(LoadError::Taken(owner)) => {
                self.phase = Phase::Elsewhere(owner);
                myself.send_after(ELSEWHERE, || Message::Tick);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the claim of a session that sleeps, unless somebody has come meanwhile.
    async fn release(&self, myself: &ActorRef<Message>) {
        if self.arguments.stake.is_idle() {
            self.arguments.release().await;
        }
        myself.stop(None); // who has sent something asks again
    }

    fn wake(&mut self, myself: &ActorRef<Message>, state: State<Reply>, feed: Arc<Feed>) {
        let node = self.arguments.node.clone();
        let permit = state.is_busy().then(|| node.permits.force(state.row().user));
        self.arguments.stake.keep(false);
        let mut awake = Awake {
            arguments: self.arguments.clone(),
            myself: myself.clone(),
            on_flushed: Arc::new(myself.clone()),
            node,
            feed,
            state,
            permit,
            run: None,
            shutting_down: None,
            hibernating: false,
            effects: Vec::new(),
        };
        let mut effects = Vec::new();
        awake.state.wake(awake.node.clock.now_ms(), &mut effects);
        awake.effects = effects;
        awake.perform();
        awake.tick_later();
        self.phase = Phase::Awake(Box::new(awake));
    }

    /// A creation, or the news that there is nothing here.
    async fn create_or_refuse(
        &mut self,
        myself: &ActorRef<Message>,
        by: UserId,
        command: Command,
        reply: oneshot::Sender<Result<Answered, ErrorBody>>,
    ) {
        let Command::Create { cid, title, origin } = command else {
            let _ = reply.send(Err(ErrorBody::session_not_found()));
            return;
        };
        match self.create(by, cid, title.clone(), origin.clone()).await {
            Ok(fresh) => {
                // A failure drops the reply: the caller asks again.
                if self.load(myself).await.is_ok()
                    && let Phase::Awake(awake) = &mut self.phase
                {
                    awake.answer_creation(by, (cid, title, origin), fresh, reply);
                }
            }
            Err(error) => {
                tracing::error!(%error, session = %self.arguments.session, "not created");
                let _ = reply.send(Err(ErrorBody::store_unavailable()));
            }
        }
    }

    async fn create(
        &self,
        by: UserId,
        cid: CommandId,
        title: String,
        origin: Option<Origin>,
    ) -> Result<bool, StoreError> {
        let SessionArguments { node, session, .. } = &self.arguments;
        let commit = origin.as_ref().and_then(|origin| origin.commit.clone());
        let row = SessionRow {
            session: *session,
            user: by,
            cid,
            title,
            created_at_ms: node.clock.now_ms(),
            epoch: FIRST_EPOCH,
            owner: Some(node.journal.incarnation()),
            origin,
            projection: Projection { seq: Seq::START, status: Status::Idle, commit },
        };
        // One that exists is loaded just the same.
        Ok(node.store.create_session(row).await? == Created::Created)
    }
}

impl SessionArguments {
    /// Ends the claim. Where that fails, the session stays this node's, which changes nothing for
    /// who wants it here, and leads others here.
    async fn release(&self) {
        self.stake.keep(false);
        let owner = self.node.journal.incarnation();
        if let Err(error) = self.node.store.release(self.session, owner).await {
            tracing::warn!(%error, session = %self.session, "a claim was not released");
        }
    }
}

impl Phase {
    fn home(&self) -> Home {
        match self {
            Self::Missing | Self::Awake(_) => Home::Here,
            Self::Elsewhere(owner) => Home::At(owner.clone()),
        }
    }
}

impl Awake {
    fn handle(&mut self, message: Message) {
        match message {
            Message::Load | Message::Kill | Message::Home { .. } => {}
            Message::Command { by, command, reply } => self.command(by, command, reply),
            Message::Input(input) => self.apply(input),
            Message::EndOverdue(run) => self.end_overdue(run),
            Message::Tick => {
                let idle = self.node.config.hibernate_after.as_millis();
                self.apply(Input::Tick { idle_ms: u64::try_from(idle).unwrap_or(u64::MAX) });
                self.tick_later();
            }
            Message::Shutdown { reply } => self.shut_down(reply),
            #[cfg(test)]
            Message::Panic => {}
        }
    }

    /// Ends this actor where it has nothing left to do. Commands that wait in the mailbox are
    /// dropped, and their callers ask for the session anew.
    async fn end_if_due(&mut self) {
        let is_shut = self.shutting_down.is_some() && self.is_shut_down();
        if !self.hibernating && !is_shut {
            return;
        }
        self.feed.sleep();
        let SessionArguments { node, stake, .. } = &self.arguments;
        let is_attached = node.store.is_shared() && self.hibernating && stake.is_leased();
        stake.keep(is_attached);
        // With an unfinished run, or something that only the journal holds, it stays claimed as
        // well: whoever recovers this node finds it so.
        if !is_attached && !self.state.is_busy() && self.state.is_flushed() {
            self.arguments.release().await;
        }
        if let Some(reply) = self.shutting_down.take() {
            let _ = reply.send(());
        }
        self.myself.stop(None);
    }

    /// Whether nothing is under way any more; what the store refuses stays in the journal.
    fn is_shut_down(&mut self) -> bool {
        if self.state.is_flushed() || !self.node.health.store_writes() {
            return true;
        }
        self.apply(Input::Tick { idle_ms: u64::MAX });
        false
    }

    fn tick_later(&self) {
        self.myself.send_after(self.node.config.session_tick, || Message::Tick);
    }

    fn apply(&mut self, input: Input<Reply>) {
        let now_ms = self.node.clock.now_ms();
        self.state.apply(now_ms, input, &mut self.effects);
        self.perform();
    }

    fn command(
        &mut self,
        by: UserId,
        command: Command,
        reply: oneshot::Sender<Result<Answered, ErrorBody>>,
    ) {
        if by != self.state.row().user {
            // The same answer as for a session that does not exist.
            let _ = reply.send(Err(ErrorBody::session_not_found()));
            return;
        }
        let reply = Reply::Call(reply);
        let input = match command {
            Command::Create { cid, title, origin } => {
                Input::Create { cid, title, origin, fresh: false, reply }
            }
            Command::Start { cid, mut start } => {
                start.plan.get_or_insert(self.node.config.hub.plan);
                let admitted = self.admit(by);
                let run = RunId::new(Uuid::now_v7());
                Input::Start { by, cid, run, start, admitted, reply }
            }
            Command::Cancel { cid, cancel } => Input::Cancel { by, cid, cancel, reply },
            Command::Steer { cid, steer } => {
                let (admitted, run) = (self.admit(by), RunId::new(Uuid::now_v7()));
                Input::Steer { by, cid, run, steer, admitted, reply }
            }
            Command::Respond { cid, respond } => {
                let admitted = if respond.accept { self.admit(by) } else { Ok(()) };
                let run = RunId::new(Uuid::now_v7());
                Input::Respond { by, cid, run, respond, admitted, reply }
            }
            Command::Close { cid } => Input::Close { by, cid, reply },
            Command::Rollback { cid, rollback } => Input::Rollback { by, cid, rollback, reply },
            Command::Get => Input::Get { reply },
        };
        self.apply(input);
    }

    /// Whether the node takes a run of the user now. Takes a permit where the session has none.
    fn admit(&mut self, by: UserId) -> Result<(), ErrorBody> {
        if self.node.health.draining() {
            let message = "the server is shutting down; try again in a moment";
            let error = ErrorBody::new(Code::Unavailable, Reason::Draining, message);
            return Err(error.retry_after_ms(1000));
        }
        if !self.node.health.store_writes() {
            return Err(ErrorBody::store_unavailable());
        }
        if let Err(retry_after_ms) = self.node.limiter.check(Limited::RunStart(by)) {
            self.node.meter.rate_limited.inc();
            let message = "too many runs in a short time; wait a little";
            let error = ErrorBody::new(Code::ResourceExhausted, Reason::RateLimited, message);
            return Err(error.retry_after_ms(retry_after_ms));
        }
        if self.permit.is_none() {
            self.permit = Some(self.node.permits.take(by)?);
        }
        Ok(())
    }

    fn answer_creation(
        &mut self,
        by: UserId,
        (cid, title, origin): (CommandId, String, Option<Origin>),
        fresh: bool,
        reply: oneshot::Sender<Result<Answered, ErrorBody>>,
    ) {
        if by == self.state.row().user {
            let reply = Reply::Call(reply);
            self.apply(Input::Create { cid, title, origin, fresh, reply });
        } else {
            let _ = reply.send(Err(ErrorBody::session_not_found()));
        }
    }

    /// Does what the state decided. Effects may not add effects: spawning a run is a message.
    fn perform(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Append { first, entries, urgent } => {
                    self.node.meter.entries.inc_by(entries.len() as u64);
                    let group = Group { session: self.feed.session, first, entries };
                    self.node.journal.append(group, self.on_flushed.clone(), urgent);
                }
                Effect::Publish { entries, view } => self.feed.publish(&entries, view),
                Effect::Alert(error) => self.feed.alert(&error),
                Effect::Reply(Reply::Call(reply), result) => drop(reply.send(result)),
                Effect::Reply(Reply::Says(reply), _) => drop(reply.send(Ok(Instant::now()))),
                Effect::Stopped(Reply::Says(reply), stopped) => drop(reply.send(Err(stopped))),
                Effect::Stopped(Reply::Call(_), _) => {}
                Effect::StartRun(spec) => self.start_run(*spec),
                Effect::EndRun(run, ending) => self.end_run(run, ending),
                Effect::SteerRun(run, steer) => {
                    if let Some((_, handle)) = self.run.as_ref().filter(|(_, h)| h.run() == run) {
                        handle.steer(steer);
                    }
                }
                Effect::PutSegment { segment, snapshot, projection } => {
                    self.put_segment(segment, snapshot, projection);
                }
                Effect::Segmented(last) => {
                    self.feed.segmented(last);
                    self.node.journal.segmented(self.feed.session, last);
                }
                Effect::Hibernate => self.hibernating = true,
            }
        }
        if self.effects.is_empty() {
            self.effects = effects; // keeps its allocation
        }
        if !self.state.is_busy() {
            self.permit = None;
        }
    }

    fn start_run(&mut self, spec: RunSpec) {
        let run = spec.run.run;
        let session = SessionHandle::new(self.myself.clone());
        let orders = Orders::new(spec.steers.clone());
        let arguments = RunArguments {
            node: self.node.clone(),
            feed: self.feed.clone(),
            session,
            spec,
            orders: orders.clone(),
        };
        let supervisor = self.myself.get_cell();
        let spawned = ActorRuntime::spawn_linked_instant(None, RunActor, arguments, supervisor);
        match spawned {
            Ok((actor, _)) => {
                self.run = Some((actor.get_id(), RunHandle::new(run, orders, actor.get_cell())));
            }
            Err(error) => {
                tracing::error!(%error, "a run was not spawned");
                let input = Input::RunDown { run, error: ErrorBody::internal() };
                let _ = self.myself.cast(Message::Input(input));
            }
        }
    }

    fn end_run(&self, run: RunId, ending: Ending) {
        if let Some((_, handle)) = &self.run {
            handle.end(ending);
            self.myself.send_after(END_TIMEOUT, move || Message::EndOverdue(run));
        }
    }

    fn end_overdue(&self, run: RunId) {
        if self.state.alive() == Some(run)
            && let Some((_, handle)) = &self.run
        {
            tracing::warn!(%run, "a run did not end in time and is stopped");
            handle.kill();
        }
    }

    fn run_down(&mut self, actor: ActorId, failure: Option<&dyn fmt::Display>) {
        let Some((id, handle)) = &self.run else { return };
        if *id != actor {
            return; // an earlier run, which said its last word
        }
        let run = handle.run();
        self.run = None;
        if let Some(failure) = failure {
            tracing::error!(failure = %failure, "a run failed");
            self.node.meter.actor_restarts.inc();
        }
        if self.shutting_down.is_some() {
            return; // the next start of the node goes on with it
        }
        if self.state.alive() == Some(run)
            && let Some(credits) = &self.node.credits
        {
            credits.tell(self.state.row().user, run::lost(run)); // it cannot say so itself
        }
        self.apply(Input::RunDown { run, error: ErrorBody::internal() });
    }

    /// Stores in a task of its own: a session waits on nobody.
    fn put_segment(
        &self,
        segment: Option<crate::port::Segment>,
        snapshot: Option<crate::port::Snapshot>,
        projection: Projection,
    ) {
        let (store, myself) = (self.node.store.clone(), self.myself.clone());
        let session = self.feed.session;
        let last = segment.as_ref().map_or(Seq::START, |segment| segment.last);
        if plant::is(Plant::SegmentBeforeDurable) {
            self.node.journal.segmented(session, last);
        }
        crate::spawn(async move {
            if plant::is(Plant::SegmentBeforeDurable) {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            let stored = store.put_segment(session, segment, snapshot).await;
            let projected = match stored {
                Ok(()) => store.project(session, projection).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &projected {
                tracing::warn!(%error, %session, "a segment was not stored; it stays in the journal");
            }
            let input = Input::Segmented { last, ok: projected.is_ok() };
            let _ = myself.cast(Message::Input(input));
        });
    }

    fn shut_down(&mut self, reply: oneshot::Sender<()>) {
        if let Some((_, handle)) = self.run.take() {
            handle.kill(); // without a terminal event: the next owner goes on with the run
        }
        self.shutting_down = Some(reply);
    }
}
