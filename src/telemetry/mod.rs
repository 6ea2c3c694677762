//! Logs: to stdout, pretty for a developer's terminal, one JSON object a line in production.
//! Traces: to a collector, where the feature `otel` is built in and one is configured.
//!
//! Ids are fields of spans. Prompts, answers, tokens and keys are never logged above `trace`, and in
//! no trace.

mod line;
pub(crate) mod span;
#[cfg(feature = "otel")]
mod traces;

use crate::config::{Config, ConfigError, LogFormat, Mode, Problem};
use std::io::IsTerminal as _;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    fmt::{self, format::JsonFields},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// What the process tells of itself.
#[derive(Debug)]
#[must_use = "close it in the end, or the last spans are lost"]
pub struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<traces::Traces>,
}

impl Telemetry {
    /// Sends the spans that still wait, for at most 5 s.
    pub fn close(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.close();
        }
    }
}

/// Installs the subscriber of the process; where one is installed already, that one stays. Not to
/// be called on a runtime.
///
/// `rust_log` is the variable `RUST_LOG`, which wins over the configured level.
///
/// # Errors
/// Where `RUST_LOG` or the level is no filter, or traces cannot be sent.
pub fn init(config: &Config, mode: Mode, rust_log: Option<&str>) -> Result<Telemetry, ConfigError> {
    let (text, origin) = match rust_log.filter(|text| !text.is_empty()) {
        Some(text) => (text, "variable RUST_LOG"),
        None => (config.log.level.as_str(), "log.level"),
    };
    let filter = with_ceilings(filter(text, origin)?);
    let pretty = is_pretty(config.log.format, mode, std::io::stdout().is_terminal());
    let registry = tracing_subscriber::registry();
    #[cfg(feature = "otel")]
    let traces = start_traces(config)?;
    #[cfg(feature = "otel")]
    let registry = registry.with(traces.as_ref().map(traces::Traces::layer));
    // Fails only where a subscriber exists: in tests, which want theirs.
    let _ = if pretty {
        registry.with(fmt::layer().with_filter(filter)).try_init()
    } else {
        registry.with(json_layer().with_filter(filter)).try_init()
    };
    Ok(Telemetry {
        #[cfg(feature = "otel")]
        traces,
    })
}

/// Traces, where a collector is configured.
#[cfg(feature = "otel")]
fn start_traces(config: &Config) -> Result<Option<traces::Traces>, ConfigError> {
    let start = || -> Result<_, Box<dyn std::error::Error>> {
        let url = config.telemetry.traces_url()?;
        url.map(|url| traces::Traces::start(&url)).transpose()
    };
    start().map_err(|error| {
        ConfigError(vec![Problem {
            key: "telemetry.otlp_endpoint".to_owned(),
            origin: String::new(),
            what: format!("nothing can be sent there: {error}"),
            fix: "use http:// where the system has no root certificates".to_owned(),
        }])
    })
}

/// Lines for programs.
fn json_layer<S>() -> fmt::Layer<S, JsonFields, line::Line>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer().fmt_fields(JsonFields::new()).event_format(line::Line)
}

fn filter(text: &str, origin: &str) -> Result<EnvFilter, ConfigError> {
    EnvFilter::try_new(text).map_err(|error| {
        ConfigError(vec![Problem {
            key: String::new(),
            origin: origin.to_owned(),
            what: format!("it is no filter: {error}"),
            fix: "write a level or a filter such as info,greenroom=debug".to_owned(),
        }])
    })
}

/// What no filter lifts: the WebSocket library logs whole messages at `trace`, tokens included,
/// the actor library opens a span an actor, which thousands of sleeping ones would keep, and what
/// traces have is no matter of the log's.
const CEILINGS: [&str; 4] =
    ["tungstenite=info", "tokio_tungstenite=info", "ractor=warn", "greenroom_traces=off"];

fn with_ceilings(filter: EnvFilter) -> EnvFilter {
    let ceilings = CEILINGS.iter().filter_map(|ceiling| ceiling.parse().ok());
    ceilings.fold(filter, EnvFilter::add_directive)
}

const fn is_pretty(format: LogFormat, mode: Mode, terminal: bool) -> bool {
    match format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal && matches!(mode, Mode::Dev),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_pretty_for_a_developer_at_a_terminal_only() {
        assert!(is_pretty(LogFormat::Auto, Mode::Dev, true));
        assert!(!is_pretty(LogFormat::Auto, Mode::Dev, false));
        assert!(!is_pretty(LogFormat::Auto, Mode::Serve, true));
        assert!(is_pretty(LogFormat::Pretty, Mode::Serve, false));
        assert!(!is_pretty(LogFormat::Json, Mode::Dev, true));
    }

    #[test]
    fn no_filter_lifts_the_ceilings() {
        let filter = with_ceilings(filter("trace", "variable RUST_LOG").unwrap()).to_string();
        for ceiling in CEILINGS {
            assert!(filter.contains(ceiling), "{filter}");
        }
    }

    #[test]
    fn a_bad_filter_is_refused_with_its_source() {
        let error = filter("info,[", "variable RUST_LOG").unwrap_err();
        assert!(error.to_string().contains("variable RUST_LOG"), "{error}");
        assert!(filter("info,greenroom=debug", "log.level").is_ok());
    }
}
