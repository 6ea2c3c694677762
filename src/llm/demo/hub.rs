//! What the stand-in answers to the hub: what it would build or change, questions, or words. Pure.

use super::{
    answer::{KNOWN, WHO, asks_for_another},
    app,
    brief::Brief,
    change::{self, Outcome},
    demand::{self, Change},
    kind::Kind,
    links::clean_path,
    look::Scheme,
    tree::Tree,
    words::{has_any, tidy, words},
};
use greenroom_actors::run::hub::Asked;
use greenroom_protocol::plan::{
    Complexity, Feature, FileAction, Intent, PlannedFile, Priority, Question, Spec, Stack,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Words of requests that want nothing built.
const SMALL_TALK: &str = "hi hello hey hiya howdy greetings good morning afternoon evening day night \
    thanks thank thx you very much so a lot many cheers great nice cool awesome perfect wonderful ok \
    okay bye goodbye how are there";
/// Words that say that something is wanted, and nothing of what.
const VAGUE: &str = "a an any anything something thing things stuff some i we me us you my our need \
    want like would could can please make build create write do give show help with to for that this \
    it of new nice cool good great fun interesting useful surprise app apps application page website \
    site web project change improve better update fix";
/// Begins the questions about a new app, and about a change.
const WHICH_APP: &str = "What should the app be?";
const WHICH_CHANGE: &str = "What should change?";
/// What a user may answer: words that the stand-in understands.
const APPS: [&str; 3] = ["A to-do list", "A quiz about volcanoes", "A kanban board"];
const CHANGES: [&str; 3] = ["Make it dark", "Add a search box", "Add due dates"];

/// The answer, as JSON.
pub(super) fn write(asked: &Asked) -> String {
    answer(asked).to_string()
}

fn answer(asked: &Asked) -> Value {
    let found = words(&asked.request);
    let is_in = |list| found.iter().all(|word| word.is_in(list));
    let last = asked.history.last();
    let has_asked = last.is_some_and(|turn| {
        [WHICH_APP, WHICH_CHANGE].iter().any(|text| turn.answer.starts_with(text))
    });
    if !found.is_empty() && is_in(SMALL_TALK) {
        let thanked = has_any(&found, &["thanks", "thank", "thx", "cheers"]);
        let words = if thanked { "You are welcome." } else { "Hello!" };
        return said(Intent::Conversation, &format!("{words} {WHO}. What shall it write?"));
    }
    let is_clear = Kind::asked(&asked.request).is_some() || (found.len() > 1 && !is_in(VAGUE));
    if asked.files.is_empty() {
        return if is_clear || has_asked { build(asked) } else { questions(WHICH_APP, &APPS) };
    }
    let kind = asked.history.iter().find_map(|turn| Kind::asked(&turn.prompt));
    if asks_for_another(&asked.request, kind) {
        return build(asked);
    }
    let names: BTreeSet<String> = asked.files.keys().cloned().collect();
    let tree = Tree::new(BTreeMap::new(), names);
    let changes = demand::read(&asked.request, &tree, kind);
    match (changes.is_empty(), has_asked || is_clear) {
        (false, _) => spec(Intent::FollowUp, 90, &changed(&asked.request, &changes, &tree)),
        (true, true) => said(Intent::Discussion, &format!("{WHO}. {KNOWN}")),
        (true, false) => questions(WHICH_CHANGE, &CHANGES),
    }
}

fn said(intent: Intent, words: &str) -> Value {
    json!({
        "intent": intent, "complexity": Complexity::Simple, "confidence": 90, "response": words,
    })
}

fn questions(text: &str, options: &[&str]) -> Value {
    let question = Question {
        question: text.to_owned(),
        context: "The stand-in knows these, and takes other words for them.".to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    json!({
        "intent": Intent::Ambiguous, "complexity": Complexity::Simple, "confidence": 30,
        "response": text, "questions": [question],
    })
}

fn spec(intent: Intent, confidence: u8, spec: &Spec) -> Value {
    json!({
        "intent": intent, "complexity": Complexity::Simple, "confidence": confidence, "spec": spec,
    })
}

/// The app that the ordinary call will write.
fn build(asked: &Asked) -> Value {
    let first = asked.history.first().map_or(&asked.request, |turn| &turn.prompt);
    let is_named = Kind::asked(&asked.request).is_some() || !asked.files.is_empty();
    let request = if is_named { &asked.request } else { first };
    let brief = Brief::read(request);
    let app = app::build(&brief, request);
    let mut tree = Tree::new(app.files, BTreeSet::new());
    let mut risks = app.remarks;
    for feature in demand::features(&words(&brief.rest)) {
        match change::make(&mut tree, Some(brief.kind), &feature) {
            Outcome::Made(_) => {}
            Outcome::NotMade(why) => risks.push(why),
        }
    }
    if !brief.kind_named {
        risks.push("The stand-in has nothing of the kind: this is the nearest.".to_owned());
    }
    let readme = tree.get("README.md").unwrap_or_default();
    let (features, purposes) = readme.split_once("\n## Files\n").unwrap_or((readme, ""));
    let purposes: BTreeMap<&str, &str> = items(purposes).map(split).collect();
    let file = |path: &String| PlannedFile {
        path: path.clone(),
        action: if asked.files.contains_key(path) {
            FileAction::Modify
        } else {
            FileAction::Create
        },
        purpose: purposes.get(format!("`{path}`").as_str()).copied().unwrap_or_default().to_owned(),
    };
    let plan = Spec {
        overview: format!("A {}, “{}”. {WHO}.", brief.kind.noun(), brief.title),
        stack: in_the_browser(),
        features: items(features).map(split).map(|(name, what)| feature(name, what)).collect(),
        interface: look(&brief),
        files: tree.paths().map(file).collect(),
        constraints: vec!["no build step, no server, no network".to_owned()],
        acceptance: vec!["index.html opens and works by itself".to_owned()],
        risks,
    };
    let confidence = if brief.kind_named { 95 } else { 55 };
    spec(Intent::CodeGeneration, confidence, &plan)
}

/// The files that changes touch, as far as their names say.
fn changed(request: &str, changes: &[Change], tree: &Tree) -> Spec {
    let mut files: BTreeMap<String, FileAction> = BTreeMap::new();
    for change in changes {
        let names: &[&str] = match change {
            Change::Delete(path) => {
                files.insert(path.clone(), FileAction::Delete);
                &[]
            }
            Change::Move(from, to) => {
                files.insert(from.clone(), FileAction::Delete);
                files.extend(clean_path(to).map(|to| (to, FileAction::Create)));
                &[]
            }
            Change::Scheme(_) | Change::Colour(_) | Change::TextSize(_) => &["styles.css"],
            Change::Title(_) => &["index.html", "README.md"],
            Change::Add(..) | Change::Remove(_) => &["styles.css", "app.js", "README.md"],
            Change::Columns(..) | Change::Items(_) => &["app.js"],
        };
        for path in names.iter().filter_map(|name| tree.find(name)) {
            files.entry(path.to_owned()).or_insert(FileAction::Modify);
        }
    }
    let file = |(path, action)| PlannedFile { path, action, purpose: String::new() };
    Spec {
        overview: format!("A prepared change of the app. {WHO}."),
        stack: in_the_browser(),
        features: vec![feature(&tidy(request), "")],
        files: files.into_iter().map(file).collect(),
        constraints: vec!["nothing else changes".to_owned()],
        ..Spec::default()
    }
}

fn in_the_browser() -> Stack {
    let frontend = ["HTML", "CSS", "JavaScript"].map(str::to_owned).to_vec();
    Stack { frontend, ..Stack::default() }
}

fn feature(name: &str, description: &str) -> Feature {
    let (name, description) = (name.to_owned(), description.to_owned());
    Feature { name, description, priority: Priority::Medium }
}

fn look(brief: &Brief) -> String {
    let scheme = match brief.scheme {
        Scheme::System => "Light or dark as the system is set",
        Scheme::Light => "Light",
        Scheme::Dark => "Dark",
    };
    let colour = brief.colour.map(|colour| format!(", in {}", colour.name)).unwrap_or_default();
    format!("{scheme}{colour}; for phones, large screens and the keyboard.")
}

/// The items of a list in a README.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("- ")).map(|item| item.trim_end_matches('.'))
}

/// What stands before a colon, and after it.
fn split(item: &str) -> (&str, &str) {
    item.split_once(": ").unwrap_or((item, ""))
}

#[cfg(test)]
mod tests;
