//! Whether and how runs are planned before they begin.

use super::error::Problems;
use greenroom_actors::HubTerms;
use greenroom_protocol::credits::AMOUNT_MAX;
use serde::Deserialize;

/// Section `[hub]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// Whether a run that does not say is planned.
    pub plan: bool,
    /// Largest reserve, in micro-credits, with which a plan is not shown for approval first.
    pub auto_approve: u64,
    /// Model of the hub's calls; empty: the run's own.
    pub model: String,
}

impl HubConfig {
    /// The settings of the engine.
    #[must_use]
    pub fn engine(&self) -> HubTerms {
        let model = Some(&self.model).filter(|model| !model.is_empty()).cloned();
        HubTerms { plan: self.plan, auto_approve: self.auto_approve, model }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("hub.auto_approve", self.auto_approve, 0, AMOUNT_MAX);
        if self.model.trim() != self.model || self.model.contains(char::is_control) {
            let fix = "name a model as its provider does, or leave it empty";
            problems.add(
                "hub.model",
                "it begins or ends with a space, or has a control character",
                fix,
            );
        }
    }
}
