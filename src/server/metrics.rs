//! All that a node counts, in one registry.

use super::tasks::Tasks;
use crate::{llm, redis};
use greenroom_actors::Meter;
use prometheus_client::{metrics::info::Info, registry::Registry};

/// What the names of all metrics begin with.
const PREFIX: &str = "greenroom";

/// The metrics of the engine, of the providers' clients and of Redis, the runtime's tasks, and what
/// runs.
/// Their names are those of the table in `deploy/README.md`.
pub(super) fn registry(engine: &Meter, llm: &llm::Meter, redis: &redis::Meter) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    engine.register(&mut registry);
    llm.register(&mut registry);
    redis.register(&mut registry);
    registry.register_collector(Box::new(Tasks::of_this_runtime()));
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The version that runs", build);
    registry
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_actors::{HubCall, run::hub};
    use prometheus_client::encoding::text::encode;
    use std::collections::BTreeMap;

    const OPERATORS_PAGE: &str = include_str!("../../deploy/README.md");

    /// Names and kinds in the form of the text format, such as `greenroom_runs_total`, `counter`.
    fn exported() -> BTreeMap<String, String> {
        let llm = llm::Meter::default();
        // A family without members is not exported.
        llm.answered("openai", 1, true);
        llm.called("openai", "a-model", "stop", None);
        let engine = Meter::default();
        engine.edits("gpt", &BTreeMap::from([("exact", 1)]));
        engine.hub(HubCall::First, &hub::parse(""));
        engine.keypool.touch("openai");
        let mut text = String::new();
        encode(&mut text, &registry(&engine, &llm, &redis::Meter::default())).unwrap();
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let named = kinds.map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            (format!("{name}{suffix}"), kind.to_owned())
        });
        named.collect()
    }

    #[tokio::test]
    async fn the_operators_page_lists_all_metrics_and_no_others() {
        let rows = OPERATORS_PAGE.lines().filter(|line| line.starts_with("| `greenroom_"));
        let documented: BTreeMap<String, String> = rows
            .map(|row| {
                let mut cells = row.trim_matches('|').split('|').map(str::trim);
                let name = cells.next().unwrap().trim_matches('`');
                (name.to_owned(), cells.next().unwrap().to_owned())
            })
            .collect();
        assert_eq!(documented, exported());
    }

    #[tokio::test]
    async fn names_follow_the_conventions_of_prometheus() {
        for (name, kind) in exported() {
            let lower = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(lower && name.starts_with("greenroom_"), "{name}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}: a base unit");
        }
    }
}
