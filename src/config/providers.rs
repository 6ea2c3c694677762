//! Providers of answers: one table each.

use super::error::Problems;
use crate::llm::{self, Meter, OpenAi, demo::DemoConfig};
use config::{Map, Value, ValueKind};

/// A configured provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderConfig {
    /// A model behind an API.
    Model(Box<llm::ProviderConfig>),
    /// The built-in stand-in.
    Demo(DemoConfig),
}

/// Kinds of APIs in the order of preference; a table called so is of that kind.
const KINDS: [&str; 6] = ["openai", "groq", "cerebras", "ollama", "custom", DEMO];

/// Kind of the stand-in.
pub(super) const DEMO: &str = "demo";

/// What is wrong where there is none, and what to do about it.
pub(crate) const NO_PROVIDER: &str = "no provider is configured";
pub(crate) const NO_PROVIDER_FIX: &str = "set GROQ_API_KEYS, OPENAI_API_KEY or the like; or, for \
                                          the built-in stand-in, runs.provider = \"demo\"";

impl ProviderConfig {
    /// Its name, as in requests and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Model(model) => model.name(),
            Self::Demo(_) => DEMO,
        }
    }

    /// Place in the order of preference.
    pub(super) fn rank(&self) -> usize {
        KINDS.iter().position(|kind| *kind == self.name()).unwrap_or(KINDS.len())
    }

    /// Reads one table.
    ///
    /// # Errors
    /// Those of the library; keys in them are below the table.
    pub(super) fn read(
        name: &str,
        mut table: Map<String, Value>,
    ) -> Result<Self, config::ConfigError> {
        let kind = match table.get("kind").map(|value| &value.kind) {
            Some(ValueKind::String(kind)) => kind.clone(),
            _ if KINDS.contains(&name) => name.to_owned(),
            _ => "custom".to_owned(),
        };
        if kind == DEMO {
            table.remove("kind");
            return Value::new(None, table).try_deserialize().map(Self::Demo);
        }
        table.insert("kind".to_owned(), Value::new(None, kind));
        let mut model: llm::ProviderConfig = Value::new(None, table).try_deserialize()?;
        model.name = Some(name.to_owned());
        Ok(Self::Model(Box::new(model)))
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let Self::Model(model) = self else { return };
        let built = model.resolve().and_then(|model| OpenAi::new(model, Meter::default()));
        let key = |field: &str| format!("providers.{}.{field}", model.name());
        match built {
            Ok(_) => {}
            Err(llm::ConfigError::Missing { field, help, .. }) => {
                problems.add(key(field), "it is not set", help);
            }
            Err(llm::ConfigError::Invalid { field, problem, .. }) => {
                problems.add(key(field), problem, "see `greenroom config doc`");
            }
            Err(error @ llm::ConfigError::Client { .. }) => {
                problems.add(key("base_url"), error.to_string(), "install CA certificates");
            }
        }
    }
}
