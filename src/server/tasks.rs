//! How many tasks live: one that is forgotten shows here.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};
use tokio::runtime::{Handle, RuntimeMetrics};

/// The tasks of a runtime, counted as they are asked for.
#[derive(Debug)]
pub(super) struct Tasks(RuntimeMetrics);

impl Tasks {
    /// Those of the runtime that this is called on.
    pub(super) fn of_this_runtime() -> Self {
        Self(Handle::current().metrics())
    }
}

impl Collector for Tasks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let alive = ConstGauge::new(i64::try_from(self.0.num_alive_tasks()).unwrap_or(i64::MAX));
        let help = "Tasks of the runtime that have not ended";
        let kind = alive.metric_type();
        alive.encode(encoder.encode_descriptor("runtime_tasks_alive", help, None, kind)?)
    }
}
