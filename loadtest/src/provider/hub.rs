//! Questions of the engine's hub, which asks what a request wants before anything is built, and the
//! answers of a script.

use super::{
    app::{self, Step},
    prompt::Tree,
};
use greenroom_protocol::plan::{
    Complexity, Feature, FileAction, Intent, PlannedFile, Priority, Question, Spec,
};
use serde_json::json;
use std::str::FromStr;

/// How the hub's instructions begin.
const INSTRUCTIONS: &str = "You are the planner of an app workspace.";
/// How a message begins that follows an answer of no use.
const UNUSABLE: &str = "Your answer could not be used: ";
const FILES: &str = "Current files:";
const REQUEST: &str = "Request:";
/// What `ask` asks.
const WHICH: &str = "Which of them?";

/// How an `app` model answers the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planner {
    /// With a plan of just the files that it will write, change and remove.
    #[default]
    Plan,
    /// With a question, then with a plan.
    Ask,
    /// With words.
    Talk,
    /// With nothing but that an explanation is wanted.
    Explain,
    /// With an object that says too little, then with a plan.
    Mend,
    /// Never with an object.
    Broken,
}

impl FromStr for Planner {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "plan" => Self::Plan,
            "ask" => Self::Ask,
            "talk" => Self::Talk,
            "explain" => Self::Explain,
            "mend" => Self::Mend,
            "broken" => Self::Broken,
            _ => return Err(()),
        })
    }
}

/// What the hub asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The user's words.
    pub request: String,
    /// The project's files, without their contents.
    pub files: Tree,
    /// Whether the answer before was of no use.
    pub is_repair: bool,
    /// Whether [`Planner::Ask`] has asked already.
    pub has_asked: bool,
}

/// Reads messages, each a role and a text; none: the hub does not ask.
///
/// # Errors
/// What breaks the contract.
pub fn read(messages: &[(&str, String)]) -> Result<Option<Asked>, &'static str> {
    let [("system", system), rest @ ..] = messages else { return Ok(None) };
    if !system.starts_with(INSTRUCTIONS) {
        return Ok(None);
    }
    let (is_repair, rest) = match rest {
        [earlier @ .., ("assistant", _), ("user", last)] if last.starts_with(UNUSABLE) => {
            (true, earlier)
        }
        _ => (false, rest),
    };
    let [earlier @ .., ("user", last)] = rest else {
        return Err("the hub's last message is not the user's");
    };
    let (files, request) = read_last(last)?;
    let has_asked = earlier.iter().any(|(role, text)| *role == "assistant" && text.contains(WHICH));
    Ok(Some(Asked { request: request.to_owned(), files, is_repair, has_asked }))
}

/// The files and the request of the last message.
fn read_last(text: &str) -> Result<(Tree, &str), &'static str> {
    let mut files = Tree::new();
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').ok_or("no line \"Request:\" for the hub")?;
        rest = after;
        match line {
            REQUEST => return Ok((files, rest)),
            FILES => {}
            _ if line.starts_with('(') && line.ends_with(" more files are not listed.)") => {}
            _ => {
                let (path, _) = line.rsplit_once(' ').ok_or("a file without its length")?;
                let path = path.trim_matches('"');
                files.insert(path.to_owned(), String::new());
            }
        }
    }
}

/// The answer to what the hub asks.
#[must_use]
pub fn answer(planner: Planner, seed: &str, asked: &Asked) -> String {
    match planner {
        Planner::Ask if !asked.has_asked => {
            let options = vec!["this one".to_owned(), "that one".to_owned()];
            let question = Question { question: WHICH.to_owned(), options, ..Question::default() };
            json!({ "intent": Intent::Ambiguous, "questions": [question] }).to_string()
        }
        Planner::Talk => {
            json!({ "intent": Intent::Conversation, "response": "You are welcome." }).to_string()
        }
        Planner::Explain => json!({ "intent": Intent::Explain }).to_string(),
        Planner::Mend if !asked.is_repair => {
            json!({ "intent": Intent::CodeGeneration, "complexity": Complexity::Simple })
                .to_string()
        }
        Planner::Broken => "I would rather talk about it.".to_owned(),
        Planner::Plan | Planner::Ask | Planner::Mend => plan(seed, asked),
    }
}

fn plan(seed: &str, asked: &Asked) -> String {
    let file = |path: String, action| PlannedFile { path, action, purpose: String::new() };
    let mut files = Vec::new();
    for step in app::plan(seed, asked.request.trim_end_matches('\n'), &asked.files) {
        match step {
            Step::Say(_) => {}
            Step::Write { path, .. } if asked.files.contains_key(&path) => {
                files.push(file(path, FileAction::Modify));
            }
            Step::Write { path, .. } => files.push(file(path, FileAction::Create)),
            Step::Delete(path) => files.push(file(path, FileAction::Delete)),
            Step::Move(from, to) => {
                files.push(file(from, FileAction::Delete));
                files.push(file(to, FileAction::Create));
            }
        }
    }
    let name = "What was asked for".to_owned();
    let features = vec![Feature { name, description: String::new(), priority: Priority::High }];
    let overview = "An answer with files.".to_owned();
    let spec = Spec { overview, features, files, ..Spec::default() };
    let is_new = asked.files.is_empty();
    let intent = if is_new { Intent::CodeGeneration } else { Intent::FollowUp };
    json!({
        "intent": intent, "complexity": Complexity::Simple, "confidence": 90, "spec": spec,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(rest: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let system = [("system", format!("{INSTRUCTIONS} And so on."))];
        let rest = rest.iter().map(|(role, text)| (*role, (*text).to_owned()));
        system.into_iter().chain(rest).collect()
    }

    #[test]
    fn a_question_of_the_hub_is_read() {
        let last = "Current files:\n\"a b.txt\" 3\nx.js 12\n(7 more files are not listed.)\n\
                    Request:\ngo\nRequest:\n";
        let asked = read(&messages(&[("user", last)])).unwrap().unwrap();
        assert_eq!(asked.request, "go\nRequest:\n");
        assert_eq!(asked.files.keys().collect::<Vec<_>>(), ["a b.txt", "x.js"]);
        assert!(!asked.is_repair && !asked.has_asked);
        let again = [
            ("user", "make it"),
            ("assistant", "1. Which of them?"),
            ("user", "Request:\nthis one"),
            ("assistant", "no"),
            ("user", "Your answer could not be used: why\nAgain."),
        ];
        let asked = read(&messages(&again)).unwrap().unwrap();
        assert_eq!(asked.request, "this one");
        assert!(asked.is_repair && asked.has_asked);
        assert_eq!(read(&[("system", "@@abc234 write".into())]), Ok(None));
        assert!(read(&messages(&[("user", "no request")])).is_err());
    }

    #[test]
    fn a_plan_names_the_files_that_the_answer_touches() {
        let files: Tree = ["a.ts", "b.ts"].map(|path| (path.to_owned(), "x".to_owned())).into();
        for request in ["one", "two", "three", "four"] {
            let names = files.keys().map(|path| (path.clone(), String::new())).collect();
            let asked = Asked {
                request: format!("{request}\n"),
                files: names,
                is_repair: false,
                has_asked: false,
            };
            let plan: serde_json::Value =
                serde_json::from_str(&answer(Planner::Plan, "s", &asked)).unwrap();
            let spec: Spec = serde_json::from_value(plan["spec"].clone()).unwrap();
            let after = app::apply(&app::plan("s", request, &files), &files);
            let touched = after.iter().filter(|(path, text)| files.get(*path) != Some(*text));
            let gone = files.keys().filter(|path| !after.contains_key(*path));
            let expected: std::collections::BTreeSet<&String> =
                touched.map(|(path, _)| path).chain(gone).collect();
            let planned: std::collections::BTreeSet<&String> =
                spec.files.iter().map(|file| &file.path).collect();
            assert_eq!(planned, expected, "{request}");
        }
    }

    #[test]
    fn a_script_asks_and_errs_once() {
        let asked =
            Asked { request: "go".into(), files: Tree::new(), is_repair: false, has_asked: false };
        let plan = answer(Planner::Plan, "s", &asked);
        let repair = Asked { is_repair: true, ..asked.clone() };
        let answered = Asked { has_asked: true, ..asked.clone() };
        assert!(answer(Planner::Ask, "s", &asked).contains("\"ambiguous\""));
        assert_eq!(answer(Planner::Ask, "s", &answered), plan);
        assert!(!answer(Planner::Mend, "s", &asked).contains("spec"));
        assert_eq!(answer(Planner::Mend, "s", &repair), plan);
        assert!(!answer(Planner::Broken, "s", &repair).contains('{'));
    }
}
