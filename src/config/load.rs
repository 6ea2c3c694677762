//! Puts the layers together and checks what comes out.

use super::{
    Config, ProviderConfig, auth,
    error::{ConfigError, Problem, Problems},
    providers::{DEMO, NO_PROVIDER, NO_PROVIDER_FIX},
    source::{DEFAULT, Flag, Layer},
    spec::{self, DEFAULT_TOML},
};
use crate::llm::demo::DemoConfig;
use config::{Map, Value, ValueKind};
use std::{collections::BTreeMap, path::PathBuf};

/// Where configuration may come from. Passed in, so that tests need no environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that the user named; it must exist.
    pub file: Option<PathBuf>,
    /// Environment variables, all of them.
    pub environment: Vec<(String, String)>,
    /// Values of the command line.
    pub flags: Vec<Flag>,
}

/// What the configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Development: the demo provider answers where none is configured.
    Dev,
    /// Production: nothing is made up.
    Serve,
    /// Production, examined: that no provider is configured is for who examines to say.
    Examine,
}

/// A configuration and where each value comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every value, by key.
    pub values: Vec<Resolved>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its key.
    pub key: String,
    /// The value as TOML; `…` where it is a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: String,
}

/// Reads all sources and checks the result. Blocks on files: call it before the runtime starts.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(sources: &Sources, mode: Mode) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::default();
    let mut layers = vec![Layer::toml(DEFAULT_TOML, DEFAULT, &mut problems)];
    if let Some(path) = &sources.file {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => layers.push(Layer::toml(&text, &name, &mut problems)),
            Err(error) => problems.0.push(Problem {
                key: String::new(),
                origin: name,
                what: format!("the file cannot be read: {error}"),
                fix: "check the path; `greenroom config default` prints a file to begin with"
                    .to_owned(),
            }),
        }
    }
    layers.push(Layer::environment(&sources.environment, &mut problems));
    layers.push(Layer::flags(&sources.flags, &mut problems));
    if !problems.0.is_empty() {
        return Err(ConfigError(problems.0));
    }
    merge(layers, mode)
}

/// Reads a file's text alone: neither files nor the environment.
///
/// # Errors
/// As [`load`].
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn load_text(text: &str, mode: Mode) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::default();
    let layer = Layer::toml(text, "greenroom.toml", &mut problems);
    if problems.0.is_empty() { merge(vec![layer], mode) } else { Err(ConfigError(problems.0)) }
}

fn merge(layers: Vec<Layer>, mode: Mode) -> Result<Loaded, ConfigError> {
    let mut builder = config::Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let mut values = BTreeMap::new();
    let merged =
        builder.build().map_err(|error| ConfigError(vec![of_library(error, "", &values)]))?;
    flatten("", &merged.cache, &mut values);
    let mut root = merged.cache.into_table().unwrap_or_default();
    let tables = root.remove("providers").and_then(|value| value.into_table().ok());
    let secrets = secrets_of(root.get("auth"));
    let mut config: Config = Value::new(None, root)
        .try_deserialize()
        .map_err(|error| ConfigError(vec![of_library(error, "", &values)]))?;
    config.providers = providers(tables.unwrap_or_default(), &config.runs.provider, mode, &values)?;
    let mut problems = Problems::default();
    config.check(&mut problems);
    if config.providers.is_empty() && mode != Mode::Examine {
        problems.add("providers", NO_PROVIDER, NO_PROVIDER_FIX);
    }
    for (key, secret) in &secrets {
        auth::check_secret(key, secret, &mut problems);
    }
    for problem in &mut problems.0 {
        if let Some((_, origin)) = values.get(&problem.key) {
            problem.origin.clone_from(origin);
        }
    }
    if !problems.0.is_empty() {
        return Err(ConfigError(problems.0));
    }
    let resolved = |(key, (value, origin))| Resolved { key, value, origin };
    Ok(Loaded { config, values: values.into_iter().map(resolved).collect() })
}

/// The providers in the order of preference.
fn providers(
    tables: Map<String, Value>,
    first: &str,
    mode: Mode,
    origins: &BTreeMap<String, (String, String)>,
) -> Result<Vec<ProviderConfig>, ConfigError> {
    let mut providers = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in tables {
        match ProviderConfig::read(&name, value.into_table().unwrap_or_default()) {
            Ok(provider) => providers.push(provider),
            Err(error) => {
                problems.push(of_library(error, &format!("providers.{name}."), origins));
            }
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let has_demo = providers.iter().any(|provider| provider.name() == DEMO);
    if !has_demo && (first == DEMO || (mode == Mode::Dev && providers.is_empty())) {
        providers.push(ProviderConfig::Demo(DemoConfig::default()));
    }
    providers.sort_by(|a, b| {
        let place = |one: &ProviderConfig| (one.name() != first, one.rank());
        place(a).cmp(&place(b)).then_with(|| a.name().cmp(b.name()))
    });
    Ok(providers)
}

/// The secrets that sign tokens, with their keys.
fn secrets_of(auth: Option<&Value>) -> Vec<(&'static str, String)> {
    let table = auth.cloned().and_then(|auth| auth.into_table().ok()).unwrap_or_default();
    let current = table.get("jwt_secret").cloned().and_then(|value| value.into_string().ok());
    let previous = table.get("jwt_secrets_previous").cloned().and_then(|v| v.into_array().ok());
    let previous = previous.unwrap_or_default().into_iter().filter_map(|v| v.into_string().ok());
    let current = current.into_iter().map(|secret| ("auth.jwt_secret", secret));
    current.chain(previous.map(|secret| ("auth.jwt_secrets_previous", secret))).collect()
}

/// All values with their sources, by key; secrets are hidden here already.
fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, (String, String)>) {
    if let ValueKind::Table(table) = &value.kind {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            flatten(&key, value, into);
        }
        return;
    }
    let secret = spec::find(prefix).is_none_or(|key| key.secret);
    let shown = if secret { hidden(&value.kind) } else { shown(&value.kind) };
    let origin = value.origin().unwrap_or(DEFAULT).to_owned();
    into.insert(prefix.to_owned(), (shown, origin));
}

fn hidden(kind: &ValueKind) -> String {
    if let ValueKind::Array(items) = kind {
        return format!("[{}]", vec!["\"…\""; items.len()].join(", "));
    }
    let empty = matches!(kind, ValueKind::String(text) if text.is_empty());
    if empty { "\"\"".to_owned() } else { "\"…\"".to_owned() }
}

fn shown(kind: &ValueKind) -> String {
    if let ValueKind::Array(items) = kind {
        let items: Vec<_> = items.iter().map(|item| shown(&item.kind)).collect();
        format!("[{}]", items.join(", "))
    } else if let ValueKind::String(text) = kind {
        toml::Value::String(text.clone()).to_string()
    } else {
        kind.to_string()
    }
}

/// An error of the library: a value of the right type that does not fit its field.
fn of_library(
    error: config::ConfigError,
    prefix: &str,
    origins: &BTreeMap<String, (String, String)>,
) -> Problem {
    let (key, what) = if let config::ConfigError::At { error, key, .. } = error {
        (key, error.to_string())
    } else if let config::ConfigError::Type { key, unexpected, expected, .. } = error {
        (key, format!("{unexpected} does not fit, it should be {expected}"))
    } else {
        (None, error.to_string())
    };
    let key = format!("{prefix}{}", key.unwrap_or_default());
    // A list's item: `server.trusted_proxies[0]`.
    let name = key.split('[').next().unwrap_or_default();
    let known = spec::find(name);
    Problem {
        origin: origins.get(name).map_or_else(|| "configuration".to_owned(), |o| o.1.clone()),
        what: match known {
            Some(key) if !key.secret => what,
            _ => "the value does not fit".to_owned(),
        },
        fix: known.map_or_else(
            || "`greenroom config doc` lists all keys".to_owned(),
            |key| format!("write {}, such as {}", key.kind.expected(), key.default),
        ),
        key,
    }
}
