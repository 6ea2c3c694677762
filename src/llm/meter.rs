//! What the clients of providers count. Names by Prometheus' conventions.

use greenroom_protocol::event::Usage;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters of all providers; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    requests: Family<Request, Counter>,
    input_tokens: Family<Model, Counter>,
    output_tokens: Family<Model, Counter>,
    tool_calls: Family<Labels, Counter>,
    unknown_finish_reasons: Family<Labels, Counter>,
}

/// Providers are few: the configuration names them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    provider: String,
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    provider: String,
    model: String,
    outcome: &'static str,
}

impl Meter {
    /// Makes the counters readable through a registry, which adds its own prefix.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Calls of models that are over, by how they ended";
        registry.register("llm_requests", help, self.requests.clone());
        let tokens = [
            ("llm_input_tokens", "Tokens of prompts, as reported", &self.input_tokens),
            ("llm_output_tokens", "Tokens of answers, as reported", &self.output_tokens),
        ];
        for (name, help, counter) in tokens {
            registry.register(name, help, counter.clone());
        }
        let counters = [
            (
                "llm_tool_calls_dropped",
                "Tool calls that models made though no tool was offered",
                &self.tool_calls,
            ),
            (
                "llm_unknown_finish_reasons",
                "Answers that ended for a reason that is not known, taken as a stop",
                &self.unknown_finish_reasons,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }

    /// A call is over. Models and outcomes must be of a few.
    pub(crate) fn called(
        &self,
        provider: &str,
        model: &str,
        outcome: &'static str,
        usage: Option<Usage>,
    ) {
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let used = usage.map_or((0, 0), |usage| (usage.input_tokens, usage.output_tokens));
        let labels = Model { provider: provider.clone(), model: model.clone() };
        self.input_tokens.get_or_create(&labels).inc_by(used.0);
        self.output_tokens.get_or_create(&labels).inc_by(used.1);
        self.requests.get_or_create(&Request { provider, model, outcome }).inc();
    }

    /// An answer is over.
    pub(crate) fn answered(&self, provider: &str, tool_calls: u64, has_unknown_reason: bool) {
        let labels = || Labels { provider: provider.to_owned() };
        if tool_calls > 0 {
            self.tool_calls.get_or_create(&labels()).inc_by(tool_calls);
        }
        if has_unknown_reason {
            self.unknown_finish_reasons.get_or_create(&labels()).inc();
        }
    }
}

#[cfg(test)]
impl Meter {
    /// Tool calls and unknown reasons of a provider.
    pub(super) fn counts(&self, provider: &str) -> (u64, u64) {
        let labels = Labels { provider: provider.to_owned() };
        let count = |family: &Family<Labels, Counter>| family.get_or_create(&labels).get();
        (count(&self.tool_calls), count(&self.unknown_finish_reasons))
    }
}
