//! Whether the providers can be reached. No call is made: that costs, and `provider test` does it.

use super::Finding;
use crate::{config::ProviderConfig, llm::connect_time};
use std::time::Duration;

/// Connects to a provider, for a moment.
pub(super) async fn examine(provider: &ProviderConfig) -> Finding {
    let subject = format!("provider {}", provider.name());
    let ProviderConfig::Model(model) = provider else {
        return Finding::ok(subject, "built in: a stand-in and no model");
    };
    let resolved = match model.resolve() {
        Ok(resolved) => resolved,
        Err(error) => return Finding::failed(subject, error.to_string(), "mend its configuration"),
    };
    if model.proxy.is_some() {
        return Finding::ok(subject, "goes through a proxy; `greenroom provider test` tries it");
    }
    let took = connect_time(&resolved.base_url, model.timeouts.connect).await;
    judge(subject, &resolved.base_url, took)
}

fn judge(subject: String, base_url: &str, took: Option<Duration>) -> Finding {
    match took {
        Some(took) => {
            Finding::ok(subject, format!("{base_url} connects in {} ms", took.as_millis()))
        }
        // The server starts all the same, and the next provider may answer.
        None => Finding::warning(
            subject,
            format!("{base_url} cannot be reached"),
            "check base_url, the network and the firewall; `greenroom provider test` tells more",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_provider_out_of_reach_is_a_warning_that_names_it() {
        let base_url = "http://192.0.2.1/v1";
        let finding = judge("provider groq".into(), base_url, None);
        assert_eq!(finding.state, State::Warning);
        assert!(finding.found.contains(base_url));
        let finding = judge("provider groq".into(), base_url, Some(Duration::from_millis(3)));
        assert_eq!(finding.state, State::Ok);
    }
}
