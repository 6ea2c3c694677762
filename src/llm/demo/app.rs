//! Builds an app from its prepared files.

use super::{
    bank::{self, Fit, Question},
    brief::Brief,
    kind::Kind,
    look::COLOURS,
    template::{Value, fill, js_string},
};
use std::collections::BTreeMap;

/// Accent of an app whose prompt names no colour, by kind.
const DEFAULT_COLOURS: [(Kind, &str); 3] =
    [(Kind::Todo, "indigo"), (Kind::Quiz, "purple"), (Kind::Kanban, "teal")];
/// Columns of a board whose prompt names none.
const DEFAULT_COLUMNS: [&str; 3] = ["To do", "Doing", "Done"];

/// The prepared parts of an app.
struct Parts {
    page: &'static str,
    styles: &'static str,
    /// Top of the script: what the app begins with.
    start: &'static str,
    /// Rest of the script: joined as it is.
    script: &'static [&'static str],
    readme: &'static str,
}

const BASE: &str = include_str!("apps/shared/base.css");
const KIT: &str = include_str!("apps/shared/kit.js");
const UNDO: &str = include_str!("apps/shared/undo.js");

const TODO: Parts = Parts {
    page: include_str!("apps/todo/index.html"),
    styles: include_str!("apps/todo/styles.css"),
    start: include_str!("apps/todo/start.js"),
    script: &[KIT, UNDO, include_str!("apps/todo/app.js")],
    readme: include_str!("apps/todo/README.md"),
};
const QUIZ: Parts = Parts {
    page: include_str!("apps/quiz/index.html"),
    styles: include_str!("apps/quiz/styles.css"),
    start: include_str!("apps/quiz/start.js"),
    script: &[KIT, include_str!("apps/quiz/app.js")],
    readme: include_str!("apps/quiz/README.md"),
};
const KANBAN: Parts = Parts {
    page: include_str!("apps/kanban/index.html"),
    styles: include_str!("apps/kanban/styles.css"),
    start: include_str!("apps/kanban/start.js"),
    script: &[KIT, UNDO, include_str!("apps/kanban/app.js")],
    readme: include_str!("apps/kanban/README.md"),
};

/// A built app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct App {
    /// Its files by path.
    pub files: BTreeMap<String, String>,
    /// What the user should know of its contents.
    pub remarks: Vec<String>,
}

/// Builds the app that was asked for.
pub(super) fn build(brief: &Brief, prompt: &str) -> App {
    let parts = match brief.kind {
        Kind::Todo => TODO,
        Kind::Quiz => QUIZ,
        Kind::Kanban => KANBAN,
    };
    let mut remarks = Vec::new();
    let values = values(brief, prompt, &mut remarks);
    let file = |path: &str, content: &str| (path.to_owned(), fill(path, content, &values));
    let files = BTreeMap::from([
        file("index.html", parts.page),
        file("styles.css", &[BASE, parts.styles].concat()),
        ("app.js".to_owned(), fill("app.js", parts.start, &values) + &parts.script.concat()),
        file("README.md", parts.readme),
    ]);
    App { files, remarks }
}

fn values(brief: &Brief, prompt: &str, remarks: &mut Vec<String>) -> Vec<(&'static str, Value)> {
    let default = DEFAULT_COLOURS.iter().find(|(kind, _)| *kind == brief.kind);
    let named = |(_, name): &(Kind, &str)| COLOURS.iter().find(|colour| colour.name == *name);
    let colour = brief.colour.or_else(|| default.and_then(named).copied());
    let mut values = vec![
        ("title", Value::Text(brief.title.clone())),
        ("key", Value::Text(key(brief))),
        ("scheme", Value::Raw(brief.scheme.css().to_owned())),
        ("hue", Value::Raw(colour.map_or(260, |colour| colour.hue).to_string())),
        ("tint", Value::Raw(colour.map_or("1", |colour| colour.tint).to_owned())),
    ];
    if brief.kind == Kind::Quiz {
        let (questions, intro) = questions(brief, remarks);
        values.push(("intro", Value::Text(intro)));
        values.push(("questions", Value::Raw(questions)));
        return values;
    }
    let items = if brief.items.is_empty() {
        bank::starters(brief.kind, prompt)
    } else {
        brief.items.clone()
    };
    let columns = if brief.columns.is_empty() {
        DEFAULT_COLUMNS.map(str::to_owned).to_vec()
    } else {
        brief.columns.clone()
    };
    values.push(("items", Value::Lines(unique(items))));
    values.push(("columns", Value::Lines(unique(columns))));
    values
}

/// Without repeats: the page knows what it began with by its words.
fn unique(items: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// The key under which the browser keeps the app's state: apart from that of other apps.
fn key(brief: &Brief) -> String {
    let slug: String = brief
        .title
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_alphanumeric() { letter } else { '-' })
        .collect();
    let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    format!("{}.{slug}", brief.kind.id())
}

/// The questions as JavaScript, and what the first screen says of them.
fn questions(brief: &Brief, remarks: &mut Vec<String>) -> (String, String) {
    let (mut questions, fit) = bank::questions(brief.topic.as_deref());
    let topic = brief.topic.as_deref().unwrap_or("general knowledge");
    let intro = match &fit {
        Fit::Good => "Pick an answer with a click or its number.".to_owned(),
        Fit::Near(near) => {
            remarks.push(format!(
                "It has no questions on exactly {topic}: these are about {near}. Edit them in the \
                 page.",
            ));
            format!("These questions are about {near} in general: “Edit questions” makes them fit.")
        }
        Fit::Samples => {
            remarks.push(format!(
                "It has no questions about {topic}, and invents none: the page begins with three \
                 samples, and “Edit questions” on its first screen is where you write your own.",
            ));
            "These are samples: write your own with “Edit questions”.".to_owned()
        }
    };
    if let Some(count) = brief.count {
        if count > questions.len() {
            remarks.push(format!(
                "You asked for {count} questions; the stand-in has {} here.",
                questions.len()
            ));
        }
        questions.truncate(count);
    }
    (questions.iter().map(js_question).collect::<Vec<_>>().join("\n"), intro)
}

fn js_question(one: &Question) -> String {
    let wrong: Vec<_> = one.wrong.iter().map(|text| js_string(text)).collect();
    format!(
        "  {{\n    question: {},\n    right: {},\n    wrong: [{}],\n    why: {},\n  }},",
        js_string(&one.question),
        js_string(&one.right),
        wrong.join(", "),
        js_string(&one.why),
    )
}
