//! What came of an answer, as text for the calls after it.

use super::text::line;
use crate::run::artifact::quoted;
use greenroom_protocol::plan::{FileAction, Priority, Question, SPEC_BYTES_MAX, Spec, Stack};

/// Longest text of a plan, in bytes: whole for every specification that an answer may hold.
pub const PLAN_BYTES_MAX: usize = SPEC_BYTES_MAX + 1024;

/// Stands in place of what a longer plan has.
const CUT: &str = "(The rest of the plan is left out.)\n";

/// Stands before a plan in a request.
const PLAN: &str = "This plan for it was agreed on. Build what it says:";

/// Stands before what the user says to a plan.
const REMARK: &str = "The user adds to the plan:";

/// A plan as text: one line an item, at most [`PLAN_BYTES_MAX`].
#[must_use]
pub fn plan_text(spec: &Spec) -> String {
    let mut page = Page::default();
    page.labelled("Overview", &spec.overview);
    let Stack { frontend, backend, ai_services } = &spec.stack;
    for (label, names) in [("Built with", frontend), ("Server", backend), ("Services", ai_services)]
    {
        page.labelled(label, &names.join(", "));
    }
    page.list("Features", spec.features.iter(), |feature| {
        let priority = match feature.priority {
            Priority::High => " (needed)",
            Priority::Low => " (if it fits)",
            Priority::Medium => "",
        };
        format!("{}{priority}{}", feature.name, after_colon(&feature.description))
    });
    page.labelled("Interface", &spec.interface);
    page.list("Files", spec.files.iter(), |file| {
        let action = match file.action {
            FileAction::Create => "create",
            FileAction::Delete => "delete",
            FileAction::Modify => "modify",
        };
        format!("{action} {}{}", quoted(&file.path), after_colon(&file.purpose))
    });
    let lists = [
        ("Constraints", &spec.constraints),
        ("Done when", &spec.acceptance),
        ("Risks", &spec.risks),
    ];
    for (label, items) in lists {
        page.list(label, items.iter(), Clone::clone);
    }
    page.text
}

/// The request of a run that goes on with a plan: the prompt, the plan, and what the user said to
/// it.
#[must_use]
pub fn planned_request(prompt: &str, spec: &Spec, remark: &str) -> String {
    let plan = plan_text(spec);
    let remark = remark.trim();
    let remark = if remark.is_empty() { String::new() } else { format!("\n{REMARK}\n{remark}") };
    format!("{prompt}\n\n{PLAN}\n{plan}{remark}")
}

/// A request with a plan, read back: for stand-in providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned<'a> {
    /// The user's prompt.
    pub prompt: &'a str,
    /// The plan's text.
    pub plan: &'a str,
    /// What the user said to it, and to the run meanwhile.
    pub remark: &'a str,
}

impl<'a> Planned<'a> {
    /// Reads what [`planned_request`] made, with what was added to its end on lines of their own;
    /// none: there is no plan in it.
    #[must_use]
    pub fn read(request: &'a str) -> Option<Self> {
        let (prompt, rest) = request.split_once(&format!("\n\n{PLAN}\n"))?;
        // No line of a plan is empty.
        let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
        let (plan, remark) = rest.split_at(end);
        let remark = remark.trim();
        let remark = remark.strip_prefix(REMARK).unwrap_or(remark).trim_start();
        Some(Self { prompt, plan, remark })
    }
}

/// Questions as an answer in words: what the history shows of a turn that ended with them.
#[must_use]
pub fn said_questions(text: &str, questions: &[Question]) -> String {
    let mut said = text.trim().to_owned();
    for (number, question) in (1..).zip(questions) {
        let Question { question, context, options } = question;
        said += &format!("\n{number}. {question}");
        if !context.is_empty() {
            said += &format!(" ({context})");
        }
        options.iter().for_each(|option| said += &format!("\n   - {option}"));
    }
    said
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A text that grows by whole lines up to its bound.
#[derive(Default)]
struct Page {
    text: String,
    is_full: bool,
}

impl Page {
    fn line(&mut self, text: &str) {
        if self.is_full {
            return;
        }
        self.is_full = self.text.len() + text.len() + 1 + CUT.len() > PLAN_BYTES_MAX;
        if self.is_full {
            self.text += CUT;
        } else {
            self.text.extend([text, "\n"]);
        }
    }

    fn labelled(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            self.line(&format!("{label}: {}", line(text)));
        }
    }

    fn list<T>(
        &mut self,
        label: &str,
        items: impl ExactSizeIterator<Item = T>,
        text: impl Fn(T) -> String,
    ) {
        if items.len() > 0 {
            self.line(&format!("{label}:"));
        }
        for item in items {
            self.line(&format!("- {}", line(&text(item))));
        }
    }
}
