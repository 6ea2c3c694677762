//! A specification as the dialect has it (SCP, "structured context").

use super::message::SCP_VERSION;
use greenroom_protocol::{
    id::SessionId,
    plan::{Complexity, Feature, FileAction, Spec, Stack},
};
use serde::Serialize;

/// A specification.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Scp {
    version: &'static str,
    project_overview: String,
    complexity: Complexity,
    tech_stack: Stack,
    features: Vec<Feature>,
    ui_specifications: Interface,
    file_structure: Files,
    constraints: Vec<String>,
    acceptance: Vec<String>,
    risks: Vec<String>,
    existing_context: Option<Existing>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Interface {
    description: String,
}

/// Paths to be written, by what they are part of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Files {
    frontend: Vec<String>,
    backend: Vec<String>,
}

/// What there is already of what is asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Existing {
    affected_files: Vec<String>,
    project_id: SessionId,
}

/// Folders whose files run on a server.
const BACKEND: [&str; 4] = ["api/", "backend/", "server/", "services/"];

impl Scp {
    /// The same specification. A plan that changes files tells which.
    pub(super) fn new(project_id: SessionId, complexity: Complexity, spec: Spec) -> Self {
        let (mut file_structure, mut affected_files) = (Files::default(), Vec::new());
        for file in spec.files {
            if file.action != FileAction::Create {
                affected_files.push(file.path.clone());
            }
            if file.action == FileAction::Delete {
                continue;
            }
            let of_server = BACKEND.iter().any(|folder| file.path.starts_with(folder));
            let Files { frontend, backend } = &mut file_structure;
            if of_server { backend } else { frontend }.push(file.path);
        }
        let existing =
            (!affected_files.is_empty()).then_some(Existing { affected_files, project_id });
        Self {
            version: SCP_VERSION,
            project_overview: spec.overview,
            complexity,
            tech_stack: spec.stack,
            features: spec.features,
            ui_specifications: Interface { description: spec.interface },
            file_structure,
            constraints: spec.constraints,
            acceptance: spec.acceptance,
            risks: spec.risks,
            existing_context: existing,
        }
    }

    /// How many files will be written.
    pub(super) const fn file_count(&self) -> usize {
        self.file_structure.frontend.len() + self.file_structure.backend.len()
    }
}
