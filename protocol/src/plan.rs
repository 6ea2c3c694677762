//! What a request asks for: its intent, what is to be built, and what is not clear about it.

use serde::{Deserialize, Serialize};

/// Most questions of one request for input.
pub const QUESTIONS_MAX: usize = 3;

/// Largest specification, in bytes of its JSON: it is one entry.
pub const SPEC_BYTES_MAX: usize = 16 * 1024;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Something new to be built.
    CodeGeneration,
    /// A change of what is there.
    FollowUp,
    /// Talk that needs no files: a greeting, thanks.
    Conversation,
    /// Thoughts about what is there or could be, without changing it.
    Discussion,
    /// A judgement of what is there.
    Review,
    /// An explanation of what is there.
    Explain,
    /// It is not clear what is wanted: questions come.
    Ambiguous,
    /// An intent that this build does not know.
    #[serde(other)]
    Unknown,
}

impl Intent {
    /// Whether files are written for it.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::CodeGeneration | Self::FollowUp)
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeGeneration => "code_generation",
            Self::FollowUp => "follow_up",
            Self::Conversation => "conversation",
            Self::Discussion => "discussion",
            Self::Review => "review",
            Self::Explain => "explain",
            Self::Ambiguous => "ambiguous",
            Self::Unknown => "unknown",
        }
    }
}

/// How much work a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// A page or two, no state to speak of.
    Simple,
    /// Several parts that work together.
    Moderate,
    /// Many parts, a server, or data of its own.
    Complex,
    /// A complexity that this build does not know.
    #[serde(other)]
    Unknown,
}

impl Complexity {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of answer a request for input waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Words: what was asked for is not clear.
    Question,
    /// Approval of a plan and of what it costs.
    Plan,
    /// Approval to go on: the credits did not suffice for all of it.
    Credits,
    /// A kind that this build does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A question about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Question {
    /// The question.
    pub question: String,
    /// Why it matters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// Answers to choose from; others are welcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// What is to be built: the system's context of a project, as a model specified it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Spec {
    /// The whole in a few sentences.
    pub overview: String,
    /// What it is built with.
    pub stack: Stack,
    /// What it can do.
    pub features: Vec<Feature>,
    /// How it looks and behaves.
    pub interface: String,
    /// The files that will be written, changed or removed.
    pub files: Vec<PlannedFile>,
    /// What it has to heed.
    pub constraints: Vec<String>,
    /// How one sees that it is done.
    pub acceptance: Vec<String>,
    /// What might go wrong.
    pub risks: Vec<String>,
}

/// What something is built with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Stack {
    /// In the browser.
    pub frontend: Vec<String>,
    /// On the server.
    pub backend: Vec<String>,
    /// Models and services of others.
    pub ai_services: Vec<String>,
}

/// Something that it can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// How much it matters.
    #[serde(default)]
    pub priority: Priority,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It is not done without.
    High,
    /// It would be nice.
    Low,
    /// It should be there.
    #[default]
    #[serde(other)]
    Medium,
}

/// A file that is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct PlannedFile {
    /// Its path, relative to the project's root.
    pub path: String,
    /// What becomes of it.
    #[serde(default)]
    pub action: FileAction,
    /// What for.
    #[serde(default)]
    pub purpose: String,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileAction {
    /// It is new.
    Create,
    /// It is removed.
    Delete,
    /// It is changed.
    #[default]
    #[serde(other)]
    Modify,
}
