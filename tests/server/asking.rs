//! What a model says that plans, asks, and builds.

use super::Script;

/// A plan, as the hub is asked for.
const PLAN: &str = r#"{
  "intent": "code_generation", "complexity": "simple", "confidence": 95,
  "spec": {
    "overview": "A page that greets.",
    "stack": { "frontend": ["HTML"] },
    "features": [{ "name": "Greeting", "description": "It says hello.", "priority": "high" }],
    "files": [{ "path": "index.html", "action": "create", "purpose": "the page" }]
  }
}"#;

const QUESTIONS: &str = r#"{
  "intent": "ambiguous", "complexity": "simple", "confidence": 30,
  "response": "Tell me more.",
  "questions": [{ "question": "Whom does it greet?", "options": ["the world", "a cat"] }]
}"#;

const PAGE: &str = "Here it is.\n@@TAG write index.html\n<p>Hello</p>\n@@TAG end\n";

/// What the page holds in the end.
pub(crate) const GREETING: &str = "<p>Hello</p>\n";

/// A plan, and what is built by it.
pub(crate) const PLANS: Script = Script::Turns(&[PLAN, PAGE]);

/// Questions, then a plan, then what is built by it.
pub(crate) const ASKS: Script = Script::Turns(&[QUESTIONS, PLAN, PAGE]);
