//! How far a request is: the stages that the dialect names, and the steps of a run as tasks.

use greenroom_protocol::event::StepName;
use serde::Serialize;

/// A stage of a request, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It was accepted.
    Orchestration,
    /// Its credits are reserved.
    CreditCheck,
    /// A model writes.
    CodeGeneration,
    /// The files are stored.
    DatabaseSave,
    /// It is done.
    Complete,
}

impl Stage {
    /// All stages, in order.
    pub(super) const ALL: [Self; 5] = [
        Self::Orchestration,
        Self::CreditCheck,
        Self::CodeGeneration,
        Self::DatabaseSave,
        Self::Complete,
    ];

    /// How much of a request is done, 0 to 100.
    pub(super) const fn percent(self) -> u8 {
        match self {
            Self::Orchestration => 10,
            Self::CreditCheck => 25,
            Self::CodeGeneration => 40,
            Self::DatabaseSave => 70,
            Self::Complete => 100,
        }
    }

    /// The same in words.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Orchestration => "Your request was accepted",
            Self::CreditCheck => "Credits are checked",
            Self::CodeGeneration => "The files are being written",
            Self::DatabaseSave => "The files are saved",
            Self::Complete => "Done",
        }
    }
}

/// A step of a run, as a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Task {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    status: TaskStatus,
    priority: &'static str,
    tools: [&'static str; 0],
}

/// How far a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TaskStatus {
    /// It has not begun.
    #[default]
    Pending,
    /// It is under way.
    InProgress,
    /// It is done.
    Done,
    /// It failed.
    Error,
}

/// The steps of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    /// None: nothing is planned before it is written.
    planning: Option<TaskStatus>,
    generating: TaskStatus,
    applying: TaskStatus,
}

impl Steps {
    /// Sets a step; whether that changed anything.
    pub(super) fn set(&mut self, step: StepName, status: TaskStatus) -> bool {
        let before = match step {
            StepName::Planning => self.planning.replace(status),
            StepName::Generating => Some(std::mem::replace(&mut self.generating, status)),
            StepName::Applying => Some(std::mem::replace(&mut self.applying, status)),
            StepName::Unknown => Some(status),
        };
        before != Some(status)
    }

    /// The step under way.
    pub(super) fn current(&self) -> Option<StepName> {
        let steps = [
            (StepName::Planning, self.planning),
            (StepName::Generating, Some(self.generating)),
            (StepName::Applying, Some(self.applying)),
        ];
        steps
            .into_iter()
            .find(|(_, status)| *status == Some(TaskStatus::InProgress))
            .map(|(step, _)| step)
    }

    /// All steps as tasks.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let planning = self.planning.map(|status| task(StepName::Planning, status));
        let rest =
            [task(StepName::Generating, self.generating), task(StepName::Applying, self.applying)];
        planning.into_iter().chain(rest).collect()
    }
}

/// The id of a step's task.
pub(super) const fn task_id(step: StepName) -> &'static str {
    match step {
        StepName::Planning => "planning",
        StepName::Generating => "generating",
        StepName::Applying => "applying",
        StepName::Unknown => "unknown",
    }
}

const fn task(step: StepName, status: TaskStatus) -> Task {
    let (title, description) = match step {
        StepName::Planning => ("Plan", "Say what is asked for, and what will be built"),
        StepName::Generating => ("Write", "Write the files"),
        StepName::Applying | StepName::Unknown => ("Save", "Commit the files"),
    };
    Task { id: task_id(step), title, description, status, priority: "medium", tools: [] }
}
