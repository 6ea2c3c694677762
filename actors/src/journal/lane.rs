//! A lane: the only writer of its part of the journal.

use super::{
    handle::{Flushed, OnFlushed, Tail},
    record::Group,
    state::{Lane, NextRecord},
};
use crate::{
    health::Health,
    meter::Meter,
    plant::{self, Plant},
    port::{Appended, Incarnation, Position, Store, StoreError},
};
use greenroom_protocol::id::{Seq, SessionId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until},
};

/// First wait after a refusal of the store; doubled up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(50);

/// Longest wait between two tries of the same record.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// How often records that are in segments are forgotten.
const DROP_INTERVAL: Duration = Duration::from_secs(1);

/// Settings of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneConfig {
    /// Least time between the begins of two records where nothing is urgent: groups of sessions
    /// whose windows end close together share a record.
    pub(crate) linger: Duration,
}

/// One variant a method of [`super::JournalHandle`], and what the lane tells itself.
pub(super) enum Message {
    Append { group: Group, owner: Arc<dyn OnFlushed>, urgent: bool },
    Segmented { session: SessionId, last: Seq },
    Tail { session: SessionId, reply: oneshot::Sender<Tail> },
    Stored { record: NextRecord, result: Result<Appended, StoreError>, tries: u32 },
    Linger,
    Drop,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append { .. } => "Append",
            Self::Segmented { .. } => "Segmented",
            Self::Tail { .. } => "Tail",
            Self::Stored { .. } => "Stored",
            Self::Linger => "Linger",
            Self::Drop => "Drop",
        })
    }
}

pub(super) struct LaneArguments {
    pub(super) store: Arc<dyn Store>,
    pub(super) incarnation: Incarnation,
    pub(super) lane: u16,
    pub(super) config: LaneConfig,
    pub(super) health: Arc<Health>,
    pub(super) meter: Arc<Meter>,
}

pub(super) struct State {
    arguments: LaneArguments,
    lane: Lane<Arc<dyn OnFlushed>>,
    begun: Instant,
    lingering: bool,
    /// Sessions that wait for their groups before their tail is answered.
    tails: Vec<(SessionId, oneshot::Sender<Tail>)>,
}

pub(super) struct LaneActor;

/// Somebody sealed this incarnation: it writes nothing more, and whatever it owned is another's.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the journal is fenced: another process has taken over")]
pub(crate) struct FencedError;

impl Actor for LaneActor {
    type Msg = Message;
    type State = State;
    type Arguments = LaneArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: LaneArguments,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_after(DROP_INTERVAL, || Message::Drop);
        Ok(State {
            arguments,
            lane: Lane::new(),
            begun: Instant::now(),
            lingering: false,
            tails: Vec::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Append { group, owner, urgent } => {
                state.lane.push(group, owner, urgent);
                state.begin(&myself);
            }
            Message::Stored { record, result, tries } => {
                state.stored(&myself, record, result, tries)?;
            }
            Message::Segmented { session, last } => state.lane.segmented(session, last),
            Message::Tail { session, reply } => {
                state.tails.push((session, reply));
                state.answer_tails();
            }
            Message::Linger => {
                state.lingering = false;
                state.begin_now(&myself);
            }
            Message::Drop => state.drop_records(&myself),
        }
        Ok(())
    }

    /// A lane has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    /// Begins the next record, at once or after the linger.
    fn begin(&mut self, myself: &ActorRef<Message>) {
        if !self.lane.is_ready() || (self.lingering && !self.lane.is_urgent()) {
            return;
        }
        let due = self.begun + self.arguments.config.linger;
        if self.lane.is_urgent() || due <= Instant::now() {
            self.begin_now(myself);
            return;
        }
        self.lingering = true;
        let myself = myself.clone();
        crate::spawn(async move {
            sleep_until(due).await;
            let _ = myself.cast(Message::Linger);
        });
    }

    fn begin_now(&mut self, myself: &ActorRef<Message>) {
        if let Some(record) = self.lane.begin() {
            self.begun = Instant::now();
            self.append(myself, record, 0);
        }
    }

    /// Appends in a task of its own, since a handler never waits for slow work.
    fn append(&self, myself: &ActorRef<Message>, record: NextRecord, tries: u32) {
        let (store, myself) = (self.arguments.store.clone(), myself.clone());
        let (incarnation, lane) = (self.arguments.incarnation, self.arguments.lane);
        crate::spawn(async move {
            if tries > 0 {
                sleep((RETRY_MIN * 2_u32.saturating_pow(tries.min(8))).min(RETRY_MAX)).await;
            }
            if plant::is(Plant::DeliverBeforeCommit) {
                sleep(Duration::from_millis(30)).await;
            }
            let at = Position { incarnation, lane, offset: record.offset };
            let result = store.append(at, record.bytes.clone()).await;
            let _ = myself.cast(Message::Stored { record, result, tries });
        });
    }

    fn stored(
        &mut self,
        myself: &ActorRef<Message>,
        record: NextRecord,
        result: Result<Appended, StoreError>,
        tries: u32,
    ) -> Result<(), FencedError> {
        match result {
            Ok(Appended::Durable) => {
                self.arguments.health.set_store_writes(true);
                self.arguments.meter.journal_records.inc();
                self.arguments.meter.journal_seconds.observe(self.begun.elapsed().as_secs_f64());
                for (owner, last) in self.lane.durable() {
                    owner.flushed(Flushed::Durable(last));
                }
                self.answer_tails();
                self.begin(myself);
                Ok(())
            }
            Ok(Appended::Fenced) if plant::is(Plant::FenceIgnored) => {
                for (owner, last) in self.lane.durable() {
                    owner.flushed(Flushed::Durable(last));
                }
                Ok(())
            }
            Ok(Appended::Fenced) => {
                self.arguments.health.set_store_writes(false);
                Err(FencedError)
            }
            Err(error) => {
                if tries == 0 {
                    tracing::error!(%error, "the store refuses the journal; trying on");
                    self.lane.under_way().for_each(|owner| owner.flushed(Flushed::Refused));
                }
                self.arguments.health.set_store_writes(false);
                self.arguments.meter.journal_refusals.inc();
                self.append(myself, record, tries.saturating_add(1));
                Ok(())
            }
        }
    }

    fn answer_tails(&mut self) {
        let lane = &self.lane;
        for (session, reply) in self.tails.extract_if(.., |(session, _)| !lane.is_pending(*session))
        {
            let (first, entries) = lane.tail(session);
            let _ = reply.send(Tail { first, entries }); // the asker may have given up
        }
    }

    fn drop_records(&mut self, myself: &ActorRef<Message>) {
        myself.send_after(DROP_INTERVAL, || Message::Drop);
        if let Some(before) = self.lane.drop_before() {
            let store = self.arguments.store.clone();
            let (incarnation, lane) = (self.arguments.incarnation, self.arguments.lane);
            crate::spawn(async move {
                if let Err(error) = store.drop_before(incarnation, lane, before).await {
                    // Harmless: the records stay until the next time.
                    tracing::warn!(%error, "old journal records were not dropped");
                }
            });
        }
    }
}
