//! Makes a demanded change in the files, or says why not.

use super::{
    demand::{Change, Neighbour, Size},
    edit::{Entries, add_entries, entries, retitle_page, retitle_readme, set_value, value},
    feature::Feature,
    kind::Kind,
    links::{self, clean_path},
    look::{Colour, Scheme},
    patch::{self, Patched},
    tree::Tree,
};

/// Sizes of text, in percent.
const TEXT_SIZES: [u32; 5] = [90, 100, 112, 125, 140];
/// Where a script keeps a timer's length.
const TIMER: (&str, &str) = ("const TIMER_SECONDS = ", ";");
const SCHEME: (&str, &str) = ("  color-scheme: ", ";");
/// Names of a last column, before which a new one goes.
const LAST_COLUMNS: &[&str] = &["done", "finished", "complete", "completed", "closed", "archive"];

/// What became of a change: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is made.
    Made(String),
    /// It is not made, for the reason given.
    NotMade(String),
}

/// Makes one change.
pub(super) fn make(tree: &mut Tree, kind: Option<Kind>, change: &Change) -> Outcome {
    match (change, kind) {
        (Change::Delete(path), _) => {
            links::delete(tree, path);
            Outcome::Made(format!("{path} is deleted, and nothing refers to it any more."))
        }
        (Change::Move(from, to), _) => move_file(tree, from, to),
        (Change::Title(title), _) => set_title(tree, title),
        (_, None) => Outcome::NotMade(
            "These files are not the stand-in's own, so it can't change them.".into(),
        ),
        (Change::Scheme(scheme), _) => set_scheme(tree, *scheme),
        (Change::Colour(colour), _) => set_colour(tree, *colour),
        (Change::TextSize(size), _) => set_text_size(tree, *size),
        (Change::Add(feature, seconds), Some(kind)) => add(tree, kind, *feature, *seconds),
        (Change::Remove(feature), Some(kind)) => remove(tree, kind, *feature),
        (Change::Columns(names, neighbour), _) => add_columns(tree, names, neighbour),
        (Change::Items(items), Some(kind)) => add_items(tree, kind, items),
    }
}

/// Rewrites the file of this name by `edit`; whether it could.
fn rewrite(tree: &mut Tree, name: &str, edit: impl FnOnce(&str) -> Option<String>) -> bool {
    let Some(path) = tree.find(name).map(str::to_owned) else { return false };
    let Some(content) = tree.get(&path).and_then(edit) else { return false };
    tree.write(&path, content);
    true
}

fn outcome(made: bool, file: &str, sentence: String) -> Outcome {
    if made {
        return Outcome::Made(sentence);
    }
    Outcome::NotMade(format!("{file} is not as the stand-in knows it, so it left it alone."))
}

fn move_file(tree: &mut Tree, from: &str, to: &str) -> Outcome {
    let Some(to) = clean_path(to) else {
        return Outcome::NotMade(format!("“{to}” can't be a path in this project."));
    };
    let folder = format!("{to}/");
    let taken = tree.paths().any(|path| *path == to || path.starts_with(&folder));
    let mut folders = to.match_indices('/').filter_map(|(at, _)| to.get(..at));
    let below_a_file = folders.any(|folder| tree.has(folder));
    if taken || below_a_file {
        return Outcome::NotMade(format!("{to} is taken, so {from} stays where it is."));
    }
    links::rename(tree, from, &to);
    Outcome::Made(format!("{from} is now {to}, and the page loads it from there."))
}

fn set_title(tree: &mut Tree, title: &str) -> Outcome {
    let made = rewrite(tree, "index.html", |page| retitle_page(page, title));
    if made {
        rewrite(tree, "README.md", |text| retitle_readme(text, title));
    }
    outcome(made, "index.html", format!("The title is now “{title}”."))
}

fn set_scheme(tree: &mut Tree, scheme: Scheme) -> Outcome {
    let made = rewrite(tree, "styles.css", |css| {
        // The first is the page's; paper has its own.
        let (first, rest) = css.split_once(SCHEME.0)?;
        let (_, rest) = rest.split_once(SCHEME.1)?;
        Some([first, SCHEME.0, scheme.css(), SCHEME.1, rest].concat())
    });
    let sentence = match scheme {
        Scheme::System => "The page is light or dark as the system is set.",
        Scheme::Light => "The page is light now, whatever the system says.",
        Scheme::Dark => "The page is dark now, whatever the system says.",
    };
    outcome(made, "styles.css", sentence.to_owned())
}

fn set_colour(tree: &mut Tree, colour: Colour) -> Outcome {
    let made = rewrite(tree, "styles.css", |css| {
        let css = set_value(css, "  --hue: ", ";", &colour.hue.to_string())?;
        set_value(&css, "  --tint: ", ";", colour.tint)
    });
    outcome(made, "styles.css", format!("The colour is now {}.", colour.name))
}

fn set_text_size(tree: &mut Tree, size: Size) -> Outcome {
    const LINE: (&str, &str) = ("  font-size: ", "%;");
    let mut set = 0;
    let made = rewrite(tree, "styles.css", |css| {
        let now: u32 = value(css, LINE.0, LINE.1)?.parse().ok()?;
        let next = match size {
            Size::Larger => TEXT_SIZES.into_iter().find(|size| *size > now),
            Size::Smaller => TEXT_SIZES.into_iter().rev().find(|size| *size < now),
        };
        set = next.unwrap_or(now);
        set_value(css, LINE.0, LINE.1, &set.to_string())
    });
    outcome(made, "styles.css", format!("All text is now at {set} percent."))
}

fn add(tree: &mut Tree, kind: Kind, feature: Feature, seconds: Option<u32>) -> Outcome {
    let noun = feature.noun(kind);
    let timer_is_in = feature == Feature::Timer && timer(tree).is_some();
    if timer_is_in && let Some(seconds) = seconds {
        let seconds = seconds.to_string();
        let made = rewrite(tree, "app.js", |js| set_value(js, TIMER.0, TIMER.1, &seconds));
        return outcome(made, "app.js", format!("The timer takes {seconds} seconds now."));
    }
    if timer_is_in {
        return Outcome::NotMade(format!("The page has {noun} already."));
    }
    let Some(patches) = feature.patches(kind, seconds) else {
        return Outcome::NotMade(format!("A {} has no use for {noun}.", kind.noun()));
    };
    match patch::apply(tree, &patches) {
        Patched::Yes => Outcome::Made(format!("The page has {noun} now.{}", caveat(feature))),
        Patched::Already => Outcome::NotMade(format!("The page has {noun} already.")),
        Patched::DoesNotFit => does_not_fit(noun),
    }
}

fn remove(tree: &mut Tree, kind: Kind, feature: Feature) -> Outcome {
    let noun = feature.noun(kind);
    let patches = feature.patches(kind, timer(tree)).unwrap_or_default();
    match patch::revert(tree, &patches) {
        Patched::Yes => Outcome::Made(format!("The page is without {noun} again.")),
        Patched::Already => Outcome::NotMade(format!("The page does not have {noun}.")),
        Patched::DoesNotFit => does_not_fit(noun),
    }
}

const fn caveat(feature: Feature) -> &'static str {
    match feature {
        Feature::Print => " In a sandboxed preview the browser may refuse to print; open the page.",
        Feature::Search
        | Feature::DueDates
        | Feature::Priorities
        | Feature::Timer
        | Feature::Shuffle
        | Feature::ThemeSwitch => "",
    }
}

fn does_not_fit(noun: &str) -> Outcome {
    Outcome::NotMade(format!(
        "The files were changed where {noun} would go, so the stand-in left them alone.",
    ))
}

/// The length of the timer that is in, in seconds.
fn timer(tree: &Tree) -> Option<u32> {
    value(tree.get(tree.find("app.js")?)?, TIMER.0, TIMER.1)?.parse().ok()
}

fn add_columns(tree: &mut Tree, names: &[String], neighbour: &Neighbour) -> Outcome {
    let script = tree.find("app.js").and_then(|path| tree.get(path)).unwrap_or_default();
    let columns = entries(script, "COLUMNS");
    let place = |name: &String| columns.iter().position(|one| one.eq_ignore_ascii_case(name));
    let before = match neighbour {
        Neighbour::Before(name) => place(name),
        Neighbour::After(name) => place(name).map(|place| place + 1),
        Neighbour::Unsaid => {
            let is_last = |name: &&String| LAST_COLUMNS.contains(&name.to_lowercase().as_str());
            columns.last().filter(is_last).and_then(place)
        }
    };
    let before = before.and_then(|place| columns.get(place)).cloned();
    let lacking: Vec<_> = names.iter().filter(|name| place(name).is_none()).cloned().collect();
    if lacking.is_empty() && !columns.is_empty() {
        return Outcome::NotMade("The board has that column already.".into());
    }
    let added = Entries { list: "COLUMNS", texts: &lacking, before: before.as_deref() };
    let made = rewrite(tree, "app.js", |js| add_entries(js, added));
    outcome(made, "app.js", format!("New on the board: {}.", lacking.join(", ")))
}

fn add_items(tree: &mut Tree, kind: Kind, items: &[String]) -> Outcome {
    if kind == Kind::Quiz {
        return Outcome::NotMade(
            "The stand-in writes no questions: use “Edit questions” in the page.".into(),
        );
    }
    let added = Entries { list: "START", texts: items, before: None };
    let script = tree.find("app.js").and_then(|path| tree.get(path)).unwrap_or_default();
    let there = entries(script, "START");
    if items.iter().all(|item| there.contains(item)) {
        return Outcome::NotMade(format!("{} is there already.", items.join(", ")));
    }
    let made = rewrite(tree, "app.js", |js| add_entries(js, added));
    outcome(made, "app.js", format!("New on the list: {}.", items.join(", ")))
}
