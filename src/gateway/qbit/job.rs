//! One request of a client, from its acceptance to its end, as the dialect tells it. Pure.

use super::{
    message::{Credits, FileStatus, Message, SCP_VERSION, language},
    page::Page,
    prose::Prose,
    refusal::{Code, Kind, code, refusal},
    scp::Scp,
    stage::{Stage, Steps, TaskStatus, task_id},
};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Notice, Outcome, StepName},
    id::PartId,
    plan::{Complexity, Intent, Question, Spec},
};
use std::collections::{BTreeMap, BTreeSet};

/// A request. Several runs may serve it: one that plans, one that writes what was planned.
#[derive(Debug)]
pub(super) struct Job {
    kind: Kind,
    /// The last stage that was told.
    reached: Option<Stage>,
    steps: Steps,
    intent: Option<Intent>,
    complexity: Complexity,
    /// What will be built, until its price is known.
    spec: Option<Box<Spec>>,
    /// Files that are being written.
    open: BTreeMap<PartId, String>,
    prose: Prose,
    /// Whether it touches files: then what a model says is said beside them.
    writes: bool,
    /// Whether it was answered by questions.
    asks: bool,
    written: BTreeSet<String>,
    deleted: BTreeSet<String>,
    calls: u32,
    files_in_call: u32,
    paid: Credits,
}

impl Job {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            reached: None,
            steps: Steps::default(),
            intent: None,
            complexity: Complexity::Moderate,
            spec: None,
            open: BTreeMap::new(),
            prose: Prose::default(),
            writes: false,
            asks: false,
            written: BTreeSet::new(),
            deleted: BTreeSet::new(),
            calls: 0,
            files_in_call: 0,
            paid: Credits::default(),
        }
    }

    /// Which message asked.
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Tells that a stage is reached, and those before it that were not told: some have no entry,
    /// such as the check of credits where there are none.
    pub(super) fn reach(&mut self, stage: Stage, page: &mut Page) {
        for due in Stage::ALL {
            if due > stage || self.reached.is_some_and(|reached| due <= reached) {
                continue;
            }
            self.reached = Some(due);
            page.push(Message::CodeGenerationProgress {
                stage: due,
                progress: due.percent(),
                message: due.message().to_owned(),
                timestamp: page.at,
            });
        }
    }

    /// Tells an entry of the run that serves it now.
    pub(super) fn entry(&mut self, event: &Event, page: &mut Page) {
        match event {
            Event::Notice { notice, message, .. } => notice_of(*notice, message, page),
            Event::RunClassified { intent, complexity, confidence, .. } => {
                (self.intent, self.complexity) = (Some(*intent), *complexity);
                let (intent, complexity) = (intent.name(), complexity.name());
                let details = format!("{intent}, {complexity}, {confidence} % sure");
                page.planning("assessing_complexity", details);
            }
            Event::RunPlanned { spec, .. } => {
                self.spec = Some(spec.clone());
                page.planning("generating_architecture", "The specification is written");
            }
            Event::RunQuoted { hold, .. } => self.tell_spec(Credits(*hold), page),
            Event::RunRecovering { attempt, .. } => self.recover(*attempt, page),
            Event::StepStarted { name } => self.step_started(*name, page),
            Event::StepFinished { name } => self.step_finished(*name, page),
            Event::ReasoningStart { .. } => page.doing("thinking", None),
            Event::TextDelta { part, text } => self.prose.add(*part, text, page),
            Event::TextEnd { part } => {
                self.prose.end(*part, page);
                if self.writes {
                    self.prose.tell(page);
                }
            }
            Event::FileStart { part, path } => self.file_started(*part, path, page),
            Event::FileDelta { part, text } => self.token(*part, text, page),
            Event::FileEnd { part, complete, .. } => self.file_ended(*part, *complete, page),
            Event::FileDeleted { path } => self.file_deleted(path, page),
            Event::FileMoved { from, to } => {
                self.file_deleted(from, page);
                self.file_written(to, page);
            }
            Event::FilesCommitted { .. } => self.reach(Stage::DatabaseSave, page),
            Event::CreditsHeld { .. } => self.reach(Stage::CreditCheck, page),
            Event::CreditsSettled { paid, .. } => self.paid = Credits(self.paid.0 + paid),
            Event::Progress { message, .. } => page.doing(message.as_str(), None),
            Event::Error { error } => page.doing(error.message.as_ref(), None),
            // Nothing that the dialect has a word for, or told by whoever knows all jobs.
            Event::SessionRolledBack { .. }
            | Event::SessionForked { .. }
            | Event::InputUser { .. }
            | Event::InputRequested { .. }
            | Event::InputResolved { .. }
            | Event::RunStarted { .. }
            | Event::RunFinished { .. }
            | Event::TextStart { .. }
            | Event::ReasoningDelta { .. }
            | Event::ReasoningEnd { .. }
            | Event::ToolStart { .. }
            | Event::ToolArgsDelta { .. }
            | Event::ToolReady { .. }
            | Event::ToolOutputDelta { .. }
            | Event::ToolEnd { .. }
            | Event::Usage { .. }
            | Event::Unknown => {}
        }
    }

    /// Tells the questions that it was answered by.
    pub(super) fn ask(&mut self, text: &str, questions: &[Question], page: &mut Page) {
        self.asks = true;
        self.prose.tell(page);
        page.push(Message::Response {
            intent: Intent::Ambiguous,
            response: spelt_out(text, questions),
            questions: questions.to_vec(),
            timestamp: page.at,
        });
    }

    /// Tells that it is done.
    pub(super) fn complete(mut self, page: &mut Page) {
        if self.asks {
            return;
        }
        let (project_id, timestamp) = (page.project, page.at);
        if !self.writes {
            let response = self.prose.take();
            let intent = self.intent.unwrap_or(Intent::Conversation);
            page.push(Message::Response { intent, response, questions: Vec::new(), timestamp });
            return;
        }
        self.prose.tell(page);
        self.reach(Stage::Complete, page);
        let (scp_version, credits_used, preview_url) = (SCP_VERSION, self.paid, None);
        page.push(match self.kind {
            Kind::Generate => Message::CodeGenerationComplete {
                project_id,
                preview_url,
                scp_version,
                credits_used,
                file_count: self.written.len(),
                timestamp,
            },
            Kind::Modify => Message::GenerationComplete {
                project_id,
                preview_url,
                files_modified: self.written.into_iter().collect(),
                files_deleted: self.deleted.into_iter().collect(),
                scp_version,
                credits_used,
                hot_reload: false,
                timestamp,
            },
        });
    }

    /// Tells that it ended otherwise.
    pub(super) fn fail(mut self, outcome: Outcome, error: Option<&ErrorBody>, page: &mut Page) {
        self.prose.tell(page);
        self.drop_open(page);
        let step = self.steps.current();
        if let Some(step) = step {
            self.step(step, TaskStatus::Error, page);
        }
        let timestamp = page.at;
        let Some(error) = error else {
            let message = format!("the run was {}; send it again", outcome.name());
            let code = self.kind.code();
            page.push(Message::Error {
                message,
                code,
                retry_allowed: true,
                retry_after_ms: None,
                timestamp,
            });
            return;
        };
        let mut code = code(error.reason, self.kind);
        if step == Some(StepName::Planning) && code != Code::InsufficientCredits {
            code = Code::ScpGenerationFailed;
        }
        page.push(refusal(error, code, timestamp));
    }

    /// Tells what will be built, once.
    fn tell_spec(&mut self, credits_required: Credits, page: &mut Page) {
        let Some(spec) = self.spec.take() else { return };
        let summary = spec.overview.clone();
        let scp = Box::new(Scp::new(page.project, self.complexity, *spec));
        page.push(Message::ScpGenerated {
            file_count: scp.file_count(),
            scp,
            summary,
            complexity: self.complexity,
            credits_required,
            timestamp: page.at,
        });
    }

    fn step(&mut self, step: StepName, status: TaskStatus, page: &mut Page) {
        if self.steps.set(step, status) {
            page.push(Message::AgentTaskUpdate {
                tasks: self.steps.tasks(),
                current_task_id: self.steps.current().map(task_id),
                timestamp: page.at,
            });
        }
    }

    fn step_started(&mut self, step: StepName, page: &mut Page) {
        match step {
            StepName::Planning => page.planning("analyzing_intent", "What is asked for is read"),
            StepName::Generating => {
                self.reach(Stage::CodeGeneration, page);
                self.calls += 1;
                self.files_in_call = 0;
                let (scope, purpose) = match self.kind {
                    Kind::Generate => ("All files of the project", "Write the project"),
                    Kind::Modify => ("The files that change", "Change the project"),
                };
                page.push(Message::AgentStarted {
                    call_number: self.calls,
                    total_calls: self.calls,
                    scope,
                    purpose,
                    timestamp: page.at,
                });
            }
            StepName::Applying | StepName::Unknown => {}
        }
        self.step(step, TaskStatus::InProgress, page);
    }

    fn step_finished(&mut self, step: StepName, page: &mut Page) {
        match step {
            StepName::Planning => self.tell_spec(Credits::default(), page),
            StepName::Generating => page.push(Message::AgentCallComplete {
                call_number: self.calls,
                files_in_call: self.files_in_call,
                new_packages: [],
                timestamp: page.at,
            }),
            StepName::Applying | StepName::Unknown => {}
        }
        self.step(step, TaskStatus::Done, page);
    }

    fn recover(&mut self, attempt: u32, page: &mut Page) {
        self.prose.drop_open();
        self.drop_open(page);
        page.doing(format!("the server goes on after a crash, attempt {attempt}"), None);
    }

    /// What is being written breaks off.
    fn drop_open(&mut self, page: &mut Page) {
        for path in std::mem::take(&mut self.open).into_values() {
            page.file(&path, FileStatus::Error);
        }
    }

    fn file_started(&mut self, part: PartId, path: &str, page: &mut Page) {
        self.touches_files(page);
        page.doing("writing", Some(path));
        page.file(path, FileStatus::Processing);
        self.open.insert(part, path.to_owned());
    }

    fn token(&self, part: PartId, text: &str, page: &mut Page) {
        let Some(path) = self.open.get(&part) else { return };
        page.push(Message::CodeToken {
            file_path: path.clone(),
            token: text.to_owned(),
            is_complete: false,
            language: language(path),
        });
    }

    fn file_ended(&mut self, part: PartId, complete: bool, page: &mut Page) {
        let Some(path) = self.open.remove(&part) else { return };
        if !complete {
            page.file(&path, FileStatus::Error);
            return;
        }
        self.files_in_call += 1;
        page.push(Message::CodeToken {
            file_path: path.clone(),
            token: String::new(),
            is_complete: true,
            language: language(&path),
        });
        self.file_written(&path, page);
    }

    fn file_written(&mut self, path: &str, page: &mut Page) {
        self.deleted.remove(path);
        self.written.insert(path.to_owned());
        page.file(path, FileStatus::Complete);
    }

    fn file_deleted(&mut self, path: &str, page: &mut Page) {
        self.touches_files(page);
        self.written.remove(path);
        self.deleted.insert(path.to_owned());
        page.file(path, FileStatus::Deleted);
    }

    fn touches_files(&mut self, page: &mut Page) {
        self.writes = true;
        self.prose.tell(page);
    }
}

/// A text with the questions that it does not have itself: clients of the dialect show nothing else.
fn spelt_out(text: &str, questions: &[Question]) -> String {
    let mut response = text.to_owned();
    for Question { question, options, .. } in questions {
        if !text.contains(question.as_str()) {
            response.push_str("\n- ");
            response.push_str(question);
            if !options.is_empty() {
                response.push_str(&format!(" ({})", options.join(", ")));
            }
        }
    }
    response
}

fn notice_of(notice: Notice, message: &str, page: &mut Page) {
    match notice {
        Notice::FileRejected | Notice::ProviderWait | Notice::ProviderChanged => {
            page.doing(message, None);
        }
        Notice::SessionCreated
        | Notice::SessionClosed
        | Notice::CancelRequested
        | Notice::InterruptRequested
        | Notice::Unknown => {}
    }
}
