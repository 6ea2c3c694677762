//! What is counted of Redis.

use super::script::Script;
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
use std::time::Duration;

/// All metrics of Redis. Without one they stay at zero.
#[derive(Clone, Debug)]
pub struct Meter {
    up: Gauge,
    nodes: Gauge,
    calls: Family<CallLabels, Counter>,
    seconds: Histogram,
}

/// Labels of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    script: &'static str,
    outcome: &'static str,
}

impl Default for Meter {
    fn default() -> Self {
        let meter = Self {
            up: Gauge::default(),
            nodes: Gauge::default(),
            calls: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 13)),
        };
        for script in Script::ALL {
            // So that a rate can be taken from the first one on.
            drop(meter.calls.get_or_create(&labels(script, "ok")));
        }
        meter
    }
}

impl Meter {
    /// Makes the metrics readable through a registry, which adds its own prefix.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("redis_up", "Whether Redis answers", self.up.clone());
        registry.register("redis_nodes", "Nodes that share this Redis", self.nodes.clone());
        let help = "Scripts run by Redis, by script and outcome";
        registry.register("redis_calls", help, self.calls.clone());
        let help = "From a question to Redis to its answer";
        registry.register("redis_call_seconds", help, self.seconds.clone());
    }

    pub(super) fn up(&self, is_up: bool) {
        self.up.set(i64::from(is_up));
    }

    pub(super) fn nodes(&self, nodes: u32) {
        self.nodes.set(i64::from(nodes));
    }

    pub(super) fn asked(&self, script: Script, is_ok: bool, took: Duration) {
        self.calls.get_or_create(&labels(script, if is_ok { "ok" } else { "failed" })).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn skipped(&self, script: Script) {
        self.calls.get_or_create(&labels(script, "skipped")).inc();
    }
}

const fn labels(script: Script, outcome: &'static str) -> CallLabels {
    CallLabels { script: script.name(), outcome }
}
