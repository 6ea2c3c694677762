//! Where values come from: the file, the environment, flags. Each value keeps its source.

use super::{
    error::{Problem, Problems},
    spec::{self, Key, Kind},
};
use config::{Map, Value, ValueKind};
use std::{collections::BTreeMap, path::Path};
use toml::de::{DeTable, DeValue};

/// Prefix of our environment variables.
const PREFIX: &str = "GREENROOM__";

/// Largest file that a secret is read from, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// A variable that other programs of this kind use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alias {
    /// Its name.
    pub(super) name: &'static str,
    /// The key that it sets.
    pub(super) key: &'static str,
    /// How its value becomes ours.
    pub(super) reading: Reading,
    /// It counts only where one of these is set too; empty: always.
    pub(super) with: &'static [&'static str],
    /// It counts only where this one is not set; empty: always.
    pub(super) without: &'static str,
}

const fn alias(name: &'static str, key: &'static str, reading: Reading) -> Alias {
    Alias { name, key, reading, with: &[], without: "" }
}

/// Variables of other programs. Later rows win over earlier ones; our own names win over all.
///
/// With `OPENAI_BASE_URL` the key belongs to that server and never goes to OpenAI.
pub(super) const ALIASES: [Alias; 25] = [
    alias("SECRET_KEY", "auth.jwt_secret", Reading::Same),
    alias("JWT_SECRET_KEY", "auth.jwt_secret", Reading::Same),
    alias("ACCESS_TOKEN_EXPIRE_MINUTES", "auth.access_secs", Reading::Minutes),
    alias("CORS_ORIGINS", "gateway.allowed_origins", Reading::Same),
    alias("DEBUG", "log.level", Reading::DebugSwitch),
    alias("LOG_LEVEL", "log.level", Reading::PythonLevel),
    alias("REDIS_URL", "redis.url", Reading::Same),
    alias("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint", Reading::Same),
    Alias {
        without: OTHER_URL,
        ..alias("OPENAI_API_KEY", "providers.openai.api_key", Reading::First)
    },
    Alias { without: OTHER_URL, ..alias("OPENAI_API_KEY", "providers.openai.keys", Reading::Rest) },
    Alias {
        without: OTHER_URL,
        with: &["OPENAI_API_KEY"],
        ..alias("OPENAI_MODEL", "providers.openai.model", Reading::Same)
    },
    alias(OTHER_URL, "providers.custom.base_url", Reading::Same),
    Alias {
        with: &[OTHER_URL],
        ..alias("OPENAI_API_KEY", "providers.custom.api_key", Reading::First)
    },
    Alias { with: &[OTHER_URL], ..alias("OPENAI_API_KEY", "providers.custom.keys", Reading::Rest) },
    Alias { with: &[OTHER_URL], ..alias("OPENAI_MODEL", "providers.custom.model", Reading::Same) },
    alias("GROQ_API_KEY", "providers.groq.api_key", Reading::First),
    alias("GROQ_API_KEY", "providers.groq.keys", Reading::Rest),
    alias("GROQ_API_KEYS", "providers.groq.api_key", Reading::First),
    alias("GROQ_API_KEYS", "providers.groq.keys", Reading::Rest),
    Alias {
        with: &["GROQ_API_KEY", "GROQ_API_KEYS"],
        ..alias("GROQ_MODEL", "providers.groq.model", Reading::Same)
    },
    alias("CEREBRAS_API_KEYS", "providers.cerebras.api_key", Reading::First),
    alias("CEREBRAS_API_KEYS", "providers.cerebras.keys", Reading::Rest),
    Alias {
        with: &["CEREBRAS_API_KEYS"],
        ..alias("CEREBRAS_MODEL", "providers.cerebras.model", Reading::Same)
    },
    alias("OLLAMA_BASE_URL", "providers.ollama.base_url", Reading::Same),
    Alias {
        with: &["OLLAMA_BASE_URL"],
        ..alias("OLLAMA_MODEL", "providers.ollama.model", Reading::Same)
    },
];

/// Names another server that speaks OpenAI's API.
const OTHER_URL: &str = "OPENAI_BASE_URL";

/// How the value of an alias becomes ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As it is; a JSON list of texts counts as a list.
    Same,
    /// A level by its name in Python: `WARNING`, `CRITICAL`.
    PythonLevel,
    /// Minutes become seconds.
    Minutes,
    /// `true` or `1` means `debug`; anything else is somebody else's variable.
    DebugSwitch,
    /// The first one of a comma list.
    First,
    /// All but the first one of a comma list.
    Rest,
}

/// A value given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag, such as `--port`.
    pub name: String,
    /// The key that it sets.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Values by key, each with its source.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer(BTreeMap<String, Value>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl Layer {
    /// Reads TOML; `name` is the file's name, and each value's source is its line.
    pub(super) fn toml(text: &str, name: &str, problems: &mut Problems) -> Self {
        let mut layer = Self::default();
        match DeTable::parse(text) {
            Ok(table) => {
                let origin = |at: usize| match name {
                    DEFAULT => DEFAULT.to_owned(),
                    _ => format!("{name}:{}", line(text, at)),
                };
                layer.table("", table.get_ref(), &origin, problems);
            }
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                problems.0.push(Problem {
                    key: String::new(),
                    origin: format!("{name}:{}", line(text, at)),
                    what: format!("it is not TOML: {}", error.message()),
                    fix: "compare with `greenroom config default`".to_owned(),
                });
            }
        }
        layer
    }

    fn table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        origin: &dyn Fn(usize) -> String,
        problems: &mut Problems,
    ) {
        for (name, value) in table {
            let key = match prefix {
                "" => name.get_ref().to_string(),
                _ => format!("{prefix}.{}", name.get_ref()),
            };
            let from = origin(name.span().start);
            if let (None, Some(table)) = (spec::find(&key), value.get_ref().as_table()) {
                self.table(&key, table, origin, problems);
            } else if let Some(known) = known(&key, &from, problems) {
                match toml_kind(known, value.get_ref()) {
                    Some(kind) => self.set(key, &from, kind),
                    None => problems.0.push(wrong_kind(known, &key, &from)),
                }
            }
        }
    }

    /// Reads environment variables; `read` reads the file that a `…_FILE` names.
    pub(super) fn environment(variables: &[(String, String)], problems: &mut Problems) -> Self {
        let mut layer = Self::default();
        let get = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let is_set = |name: &str| get(name).is_some() || get(&format!("{name}_FILE")).is_some();
        for Alias { name, key, reading, with, without } in ALIASES {
            let together = with.is_empty() || with.iter().any(|name| is_set(name));
            if !together || is_set(without) {
                continue;
            }
            let file = format!("{name}_FILE");
            if let Some(path) = get(&file).filter(|_| spec::find(key).is_some_and(|k| k.secret)) {
                layer.secret_file(key, &file, path, reading, problems);
            }
            if let Some(value) = get(name).and_then(|value| reading.apply(value)) {
                layer.text(key, &format!("variable {name}"), &value, problems);
            }
        }
        let ours = variables.iter().filter_map(|(name, value)| {
            name.strip_prefix(PREFIX).map(|key| (name.as_str(), key, value.as_str()))
        });
        for (name, key, value) in ours.filter(|(.., value)| !value.is_empty()) {
            let key = key.to_lowercase().replace("__", ".");
            let of_file = key
                .strip_suffix("_file")
                .filter(|key| spec::find(key).is_some_and(|known| known.secret));
            match of_file {
                Some(_) if get(name.trim_end_matches("_FILE")).is_some() => {
                    problems.0.push(Problem {
                        key: String::new(),
                        origin: format!("variable {name}"),
                        what: "the same variable without _FILE is set too".to_owned(),
                        fix: "unset one of the two".to_owned(),
                    });
                }
                Some(key) => layer.secret_file(key, name, value, Reading::Same, problems),
                None => layer.text(&key, &format!("variable {name}"), value, problems),
            }
        }
        layer
    }

    /// Reads flags.
    pub(super) fn flags(flags: &[Flag], problems: &mut Problems) -> Self {
        let mut layer = Self::default();
        for flag in flags {
            layer.text(&flag.key, &format!("flag {}", flag.name), &flag.value, problems);
        }
        layer
    }

    fn secret_file(
        &mut self,
        key: &str,
        name: &str,
        path: &str,
        reading: Reading,
        problems: &mut Problems,
    ) {
        let from = format!("variable {name}, file {path}");
        match read_secret(Path::new(path)) {
            Ok(text) => {
                if let Some(text) = reading.apply(text.trim()) {
                    self.text(key, &from, &text, problems);
                }
            }
            Err(error) => problems.0.push(Problem {
                key: key.to_owned(),
                origin: from,
                what: error.to_string(),
                fix: "check the path and who may read it".to_owned(),
            }),
        }
    }

    /// Sets a key from a text that has no type of its own.
    fn text(&mut self, key: &str, from: &str, text: &str, problems: &mut Problems) {
        let Some(known) = known(key, from, problems) else { return };
        let number = || text.parse().ok().map(ValueKind::I64);
        let kind = match known.kind {
            Kind::Integer => number(),
            Kind::Bool => match text {
                "true" | "1" => Some(ValueKind::Boolean(true)),
                "false" | "0" => Some(ValueKind::Boolean(false)),
                _ => None,
            },
            Kind::Text => Some(ValueKind::String(text.to_owned())),
            Kind::List => {
                let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
                Some(list(items, from))
            }
        };
        match kind {
            Some(kind) => self.set(key.to_owned(), from, kind),
            None => problems.0.push(wrong_kind(known, key, from)),
        }
    }

    fn set(&mut self, key: String, from: &str, kind: ValueKind) {
        self.0.insert(key, Value::new(Some(&from.to_owned()), kind));
    }
}

/// Source of the values that nobody set.
pub(super) const DEFAULT: &str = "default";

impl Reading {
    fn apply(self, value: &str) -> Option<String> {
        Some(match self {
            Self::Same => match serde_json::from_str::<Vec<String>>(value) {
                Ok(items) => items.join(","),
                Err(_) => value.to_owned(),
            },
            Self::PythonLevel => match value.to_lowercase().as_str() {
                "warning" => "warn".to_owned(),
                "critical" | "fatal" => "error".to_owned(),
                other => other.to_owned(),
            },
            Self::Minutes => match value.parse::<i64>().ok().and_then(|n| n.checked_mul(60)) {
                Some(seconds) => seconds.to_string(),
                None => value.to_owned(), // refused where the number is read
            },
            Self::DebugSwitch => {
                return matches!(value, "1" | "true" | "True").then(|| "debug".to_owned());
            }
            Self::First => return items(value).next().map(str::to_owned),
            Self::Rest => {
                let rest: Vec<_> = items(value).skip(1).collect();
                return (!rest.is_empty()).then(|| rest.join(","));
            }
        })
    }
}

/// The items of a comma list.
fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn known(key: &str, from: &str, problems: &mut Problems) -> Option<&'static Key> {
    let known = spec::find(key);
    if known.is_none() {
        let fix = match spec::nearest(key) {
            Some(near) => format!("did you mean {near}?"),
            None => "remove it; `greenroom config doc` lists all keys".to_owned(),
        };
        let what = "there is no such key".to_owned();
        problems.0.push(Problem { key: key.to_owned(), origin: from.to_owned(), what, fix });
    }
    known
}

/// The value itself stays out: it may be a secret that was put into the wrong place.
fn wrong_kind(known: &Key, key: &str, from: &str) -> Problem {
    Problem {
        key: key.to_owned(),
        origin: from.to_owned(),
        what: "the value has the wrong type".to_owned(),
        fix: format!("write {}, such as {}", known.kind.expected(), known.default),
    }
}

fn toml_kind(known: &Key, value: &DeValue<'_>) -> Option<ValueKind> {
    match known.kind {
        Kind::Integer => {
            let number = value.as_integer()?;
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(ValueKind::I64)
        }
        Kind::Bool => value.as_bool().map(ValueKind::Boolean),
        Kind::Text => value.as_str().map(|text| ValueKind::String(text.to_owned())),
        Kind::List => {
            let items: Option<Vec<_>> =
                value.as_array()?.iter().map(|item| item.get_ref().as_str()).collect();
            items.map(|items| list(items.into_iter(), ""))
        }
    }
}

fn list<'a>(items: impl Iterator<Item = &'a str>, from: &str) -> ValueKind {
    let from = from.to_owned();
    ValueKind::Array(items.map(|item| Value::new(Some(&from), item)).collect())
}

/// The number of the line that holds byte `at`.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(SECRET_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
