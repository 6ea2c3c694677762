//! `greenroom provider`: which providers there are, and whether one answers.

mod list;

use super::{
    args::{Output, ProviderArgs, ProviderCommand},
    output::{clean, line, out},
    tools::block_on,
};
use crate::{
    config::{Config, ProviderConfig},
    failure::Failure,
    llm::{self, Meter, Probe},
    server,
};
use greenroom_actors::port::{Provider, ProviderError, ProviderErrorKind as Kind};
use greenroom_protocol::{event::UsageSource, id::RunId};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// What a test is to say of a provider besides what the call brings.
struct Target {
    provider: Arc<dyn Provider>,
    base_url: Option<String>,
    /// Longest wait for a connection; none: it goes through a proxy or needs none.
    connect: Option<Duration>,
}

pub(super) fn run(config: &Config, args: &ProviderArgs) -> Result<(), Failure> {
    match &args.command {
        ProviderCommand::Ls { output } => list::list(config, *output),
        ProviderCommand::Test { name, output } => test(config, name.as_deref(), *output),
    }
}

fn unusable(error: &llm::ConfigError) -> Failure {
    Failure::Unavailable(error.to_string())
}

fn test(config: &Config, name: Option<&str>, output: Output) -> Result<(), Failure> {
    let provider = match name {
        None => config.providers.first(),
        Some(name) => config.providers.iter().find(|provider| provider.name() == name),
    };
    let provider = provider.ok_or_else(|| {
        let names: Vec<_> = config.providers.iter().map(ProviderConfig::name).collect();
        let name = name.unwrap_or_default();
        Failure::Usage(format!("no provider {name:?}; there are: {}", names.join(", ")))
    })?;
    let target = target(provider)?;
    let (connect, probe) = block_on(async {
        let connect = match (&target.base_url, target.connect) {
            (Some(base_url), Some(wait)) => llm::connect_time(base_url, wait).await,
            _ => None,
        };
        (connect, llm::probe(&*target.provider, RunId::new(Uuid::now_v7())).await)
    })?;
    match (probe, output) {
        (Ok(probe), Output::Text) => out(told(&target, connect, &probe)),
        (Ok(probe), Output::Json) => line(report(&target, connect, &probe)),
        (Err(error), Output::Text) => Err(failed(&error)),
        (Err(error), Output::Json) => {
            line(refused(&target, connect, &error))?;
            Err(failed(&error))
        }
    }
}

fn target(config: &ProviderConfig) -> Result<Target, Failure> {
    let provider = server::provider(config, Meter::default()).map_err(|error| unusable(&error))?;
    let (mut base_url, mut connect) = (None, None);
    if let ProviderConfig::Model(model) = config {
        base_url = Some(model.resolve().map_err(|error| unusable(&error))?.base_url);
        connect = model.proxy.is_none().then_some(model.timeouts.connect);
    }
    Ok(Target { provider, base_url, connect })
}

const fn ms(time: Duration) -> u128 {
    time.as_millis()
}

fn told(target: &Target, connect: Option<Duration>, probe: &Probe) -> String {
    let (name, model) = (target.provider.name(), target.provider.default_model());
    let base_url = target.base_url.as_deref().unwrap_or("the built-in stand-in");
    let connect = connect.map_or_else(String::new, |time| format!("connect {} ms, ", ms(time)));
    let first = match probe.first_content {
        Some(time) => format!("first content {} ms, ", ms(time)),
        None => "no content, ".to_owned(),
    };
    let usage = match probe.usage {
        Some(usage) => format!(
            "{} tokens in, {} out, {}",
            usage.input_tokens,
            usage.output_tokens,
            if usage.source == UsageSource::Estimate { "estimated" } else { "as it reports" }
        ),
        None => "it reports no usage, which runs then estimate".to_owned(),
    };
    format!(
        "{name} answers: {model} at {base_url}\n{connect}{first}total {} ms\n{usage}\n",
        ms(probe.total)
    )
}

fn report(target: &Target, connect: Option<Duration>, probe: &Probe) -> Value {
    json!({
        "name": target.provider.name(),
        "model": target.provider.default_model(),
        "base_url": target.base_url,
        "ok": true,
        "connect_ms": connect.map(ms),
        "first_content_ms": probe.first_content.map(ms),
        "total_ms": ms(probe.total),
        "usage": probe.usage,
    })
}

fn refused(target: &Target, connect: Option<Duration>, error: &ProviderError) -> Value {
    json!({
        "name": target.provider.name(),
        "model": target.provider.default_model(),
        "base_url": target.base_url,
        "ok": false,
        "connect_ms": connect.map(ms),
        "error": error.body(),
        "fix": fix(error),
    })
}

fn failed(error: &ProviderError) -> Failure {
    Failure::Unavailable(clean(&format!("{error}\n{}", fix(error))))
}

/// What to do about a failure.
fn fix(error: &ProviderError) -> String {
    let key = |field: &str| format!("providers.{}.{field}", error.provider);
    match error.kind {
        Kind::Unreachable => {
            format!("see that the server runs and that {} names it", key("base_url"))
        }
        Kind::Unauthorized | Kind::ModelUnavailable => {
            format!("set {} to a key that may use the model", key("api_key"))
        }
        Kind::QuotaExhausted => format!("add credit there, or set another {}", key("api_key")),
        Kind::RateLimited => match error.retry_after_ms {
            Some(wait_ms) => format!("try again in {} s", wait_ms.div_ceil(1000)),
            None => "try again in a minute".to_owned(),
        },
        Kind::Rejected => format!("see that {} is a model that it has", key("model")),
        Kind::Failed => "it fails by itself: try again, or see its status page".to_owned(),
        Kind::Stalled => {
            format!("see whether the model is loaded, or raise {}.*", key("timeouts"))
        }
        Kind::Broken => format!(
            "see that {} is the API itself, and that no proxy cuts or compresses its answers",
            key("base_url")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_fix_and_a_wait_is_named() {
        let kinds = [
            Kind::Unreachable,
            Kind::Unauthorized,
            Kind::QuotaExhausted,
            Kind::RateLimited,
            Kind::ModelUnavailable,
            Kind::Rejected,
            Kind::Failed,
            Kind::Stalled,
            Kind::Broken,
        ];
        for kind in kinds {
            let error = ProviderError {
                provider: "groq".to_owned(),
                kind,
                message: "it\u{1b}[31m failed".to_owned(),
                retry_after_ms: Some(62_500),
            };
            let failure = failed(&error);
            let said = failure.to_string();
            assert_eq!(failure.exit_code(), 69);
            assert!(said.starts_with("groq: it[31m failed\n") && said.len() > 30, "{said}");
            assert_eq!(said.contains("63 s"), kind == Kind::RateLimited, "{said}");
        }
    }
}
