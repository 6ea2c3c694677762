//! What the engine counts. Names by Prometheus' conventions; no user or session is a label.

use crate::{
    keypool,
    run::hub::{Decision, HubError},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Most models that are counted apart: a client may name any.
const MODELS_MAX: usize = 64;

/// Stands for the models beyond them.
const OTHER_MODELS: &str = "other";

/// All metrics of the engine.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Sockets that said hello.
    pub connections: Gauge,
    /// Attachments on all sockets.
    pub attachments: Gauge,
    /// Session actors alive.
    pub sessions_live: Gauge,
    /// Runs under way.
    pub runs_active: Gauge,
    /// Runs that began.
    pub runs: Counter,
    /// Runs that went on after a crash.
    pub runs_recovered: Counter,
    /// Entries appended to logs.
    pub entries: Counter,
    /// Journal records written.
    pub journal_records: Counter,
    /// Appends that the store refused.
    pub journal_refusals: Counter,
    /// From a record's begin to its durability.
    pub journal_seconds: Histogram,
    /// From a provider's first content to the entry's durability.
    pub first_delta_seconds: Histogram,
    /// Frames sent.
    pub frames_sent: Counter,
    /// Attachments that began, with or without a reset.
    pub resumes: Counter,
    /// Attachments whose place did not exist.
    pub resets: Counter,
    /// Attachments detached because they read too slowly.
    pub slow_consumers: Counter,
    /// Actors restarted after a panic.
    pub actor_restarts: Counter,
    /// Requests refused for their rate.
    pub rate_limited: Counter,
    /// Keys and calls of providers.
    pub keypool: keypool::Meter,
    edit_blocks: Family<EditLabels, Counter>,
    hub_answers: Family<HubLabels, Counter>,
    /// The models that have a label.
    models: Arc<Mutex<BTreeSet<String>>>,
}

/// Labels of a block of an edit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EditLabels {
    model: String,
    /// The rung of the ladder that applied it, or why none did.
    result: &'static str,
}

/// Labels of an answer of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HubLabels {
    call: &'static str,
    /// The intent, or why the answer could not be used.
    result: &'static str,
}

/// Which of its calls the hub answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubCall {
    /// The first one for a request.
    First,
    /// The one after an answer that could not be used.
    Repair,
}

impl Default for Meter {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        Self {
            connections: Gauge::default(),
            attachments: Gauge::default(),
            sessions_live: Gauge::default(),
            runs_active: Gauge::default(),
            runs: Counter::default(),
            runs_recovered: Counter::default(),
            entries: Counter::default(),
            journal_records: Counter::default(),
            journal_refusals: Counter::default(),
            journal_seconds: seconds(),
            first_delta_seconds: seconds(),
            frames_sent: Counter::default(),
            resumes: Counter::default(),
            resets: Counter::default(),
            slow_consumers: Counter::default(),
            actor_restarts: Counter::default(),
            rate_limited: Counter::default(),
            edit_blocks: Family::default(),
            hub_answers: Family::default(),
            models: Arc::default(),
            keypool: keypool::Meter::default(),
        }
    }
}

impl Meter {
    /// Counts the blocks of a model's edits, by what became of them.
    pub fn edits(&self, model: &str, blocks: &BTreeMap<&'static str, u64>) {
        if blocks.is_empty() {
            return;
        }
        let model = self.label(model);
        for (result, count) in blocks {
            let labels = EditLabels { model: model.clone(), result };
            self.edit_blocks.get_or_create(&labels).inc_by(*count);
        }
    }

    /// How many blocks of a model ended so.
    #[must_use]
    pub fn edits_of(&self, model: &str, result: &'static str) -> u64 {
        let labels = EditLabels { model: model.to_owned(), result };
        self.edit_blocks.get(&labels).map_or(0, |count| count.get())
    }

    /// Counts an answer of the hub.
    pub fn hub(&self, call: HubCall, answer: &Result<Decision, HubError>) {
        let result = match answer {
            Ok(decision) => decision.intent.name(),
            Err(error) => error.name(),
        };
        let call = match call {
            HubCall::First => "first",
            HubCall::Repair => "repair",
        };
        self.hub_answers.get_or_create(&HubLabels { call, result }).inc();
    }

    fn label(&self, model: &str) -> String {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if !models.contains(model) {
            if models.len() >= MODELS_MAX {
                return OTHER_MODELS.to_owned();
            }
            models.insert(model.to_owned());
        }
        model.to_owned()
    }

    /// Makes the metrics readable through a registry, which adds its own prefix.
    pub fn register(&self, registry: &mut Registry) {
        let gauges = [
            ("ws_connections", "Sockets that said hello", &self.connections),
            ("attachments", "Attachments on all sockets", &self.attachments),
            ("sessions_live", "Session actors alive", &self.sessions_live),
            ("runs_active", "Runs under way", &self.runs_active),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            ("runs", "Runs that began", &self.runs),
            ("runs_recovered", "Runs that went on after a crash", &self.runs_recovered),
            ("entries", "Entries appended to logs", &self.entries),
            ("journal_records", "Journal records written", &self.journal_records),
            ("journal_refusals", "Appends that the store refused", &self.journal_refusals),
            ("frames_sent", "Frames sent", &self.frames_sent),
            ("session_resumes", "Attachments that began", &self.resumes),
            ("session_resets", "Attachments whose place did not exist", &self.resets),
            ("ws_slow_consumers", "Attachments that read too slowly", &self.slow_consumers),
            ("actor_restarts", "Actors restarted after a panic", &self.actor_restarts),
            ("ratelimit_rejected", "Requests refused for their rate", &self.rate_limited),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "edit_blocks",
            "Blocks of edits, by model and by the rung that applied them or why none did",
            self.edit_blocks.clone(),
        );
        registry.register(
            "hub_answers",
            "Answers of the hub, by call and by intent or why they could not be used",
            self.hub_answers.clone(),
        );
        registry.register(
            "journal_append_seconds",
            "From a record's begin to its durability",
            self.journal_seconds.clone(),
        );
        registry.register(
            "first_delta_seconds",
            "From a provider's first content to the entry's durability",
            self.first_delta_seconds.clone(),
        );
        self.keypool.register(registry);
    }
}
