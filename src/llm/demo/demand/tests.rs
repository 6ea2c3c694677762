use super::*;
use crate::llm::demo::look::COLOURS;
use std::collections::{BTreeMap, BTreeSet};

fn demands(text: &str, kind: Kind) -> Vec<Change> {
    let paths = ["README.md", "app.js", "index.html", "styles.css", "notes/my list.txt"];
    let files: BTreeMap<_, _> = paths.map(|path| (path.to_owned(), String::new())).into();
    read(text, &Tree::new(files, BTreeSet::new()), Some(kind))
}

fn colour(name: &str) -> Change {
    Change::Colour(*COLOURS.iter().find(|colour| colour.name == name).unwrap())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn looks_are_understood() {
    let read = |text| demands(text, Kind::Todo);

    assert_eq!(read("Make it dark"), [Change::Scheme(Scheme::Dark)]);
    assert_eq!(read("use a green theme"), [colour("green")]);
    assert_eq!(read("make it dark blue"), [Change::Scheme(Scheme::Dark), colour("blue")]);
    assert_eq!(read("add a dark mode"), [Change::Add(Feature::ThemeSwitch, None)]);
    assert_eq!(read("follow the system theme"), [Change::Scheme(Scheme::System)]);
    assert_eq!(read("remove the dark theme"), [Change::Scheme(Scheme::System)]);
    assert_eq!(read("make the text bigger"), [Change::TextSize(Size::Larger)]);
}

#[test]
fn several_demands_keep_their_order() {
    assert_eq!(
        demands("Make it dark, add a search box and due dates and remove the readme.", Kind::Todo),
        [
            Change::Scheme(Scheme::Dark),
            Change::Add(Feature::Search, None),
            Change::Add(Feature::DueDates, None),
            Change::Delete("README.md".into()),
        ]
    );
}

#[test]
fn titles_are_understood() {
    let read = |text| demands(text, Kind::Todo);
    let title = |text: &str| vec![Change::Title(text.to_owned())];

    assert_eq!(read("rename it to Groceries"), title("Groceries"));
    assert_eq!(read("rename to \"Add, drop & dark\""), title("Add, drop & dark"));
    assert_eq!(read("Call it Milk and honey"), title("Milk and honey"));
    assert_eq!(
        read("change the title to Week 3 and make it dark"),
        [Change::Title("Week 3".into()), Change::Scheme(Scheme::Dark)]
    );
}

#[test]
fn files_are_moved_and_deleted_by_path_and_name() {
    let read = |text| demands(text, Kind::Todo);
    let moved = |from: &str, to: &str| vec![Change::Move(from.to_owned(), to.to_owned())];

    assert_eq!(read("move styles.css to css/styles.css"), moved("styles.css", "css/styles.css"));
    assert_eq!(read("Move styles.css into the css folder."), moved("styles.css", "css/styles.css"));
    assert_eq!(read("rename app.js to main.js"), moved("app.js", "main.js"));
    assert_eq!(read("put `app.js` in js/"), moved("app.js", "js/app.js"));
    assert_eq!(
        read("move notes/my list.txt to \"old list.txt\""),
        moved("notes/my list.txt", "old list.txt")
    );
    assert_eq!(read("remove the readme"), [Change::Delete("README.md".into())]);
    assert_eq!(
        read("delete app.js and styles.css"),
        [Change::Delete("app.js".into()), Change::Delete("styles.css".into())]
    );
    assert_eq!(read("delete nothing.txt"), []);
}

#[test]
fn features_come_and_go() {
    let read = |text| demands(text, Kind::Quiz);

    assert_eq!(read("add a 30 second timer"), [Change::Add(Feature::Timer, Some(30))]);
    assert_eq!(read("please shuffle the questions"), [Change::Add(Feature::Shuffle, None)]);
    assert_eq!(read("add a print button"), [Change::Add(Feature::Print, None)]);
    assert_eq!(read("get rid of the timer"), [Change::Remove(Feature::Timer)]);
    assert_eq!(read("Can you tell me a joke?"), []);
}

#[test]
fn columns_and_items_are_understood() {
    let columns = |names: &[&str], neighbour| vec![Change::Columns(texts(names), neighbour)];
    let items = |names: &[&str]| vec![Change::Items(texts(names))];

    assert_eq!(
        demands("Add a column Review before Done", Kind::Kanban),
        columns(&["Review"], Neighbour::Before("Done".into()))
    );
    assert_eq!(
        demands("add a Code review column", Kind::Kanban),
        columns(&["Code review"], Neighbour::Unsaid)
    );
    assert_eq!(
        demands("add columns called Ideas, Later and Blocked", Kind::Kanban),
        columns(&["Ideas", "Later", "Blocked"], Neighbour::Unsaid)
    );
    assert_eq!(demands("add milk and the eggs to the list", Kind::Todo), items(&["Milk", "Eggs"]));
    assert_eq!(
        demands("Add the tasks call Ann, pay rent", Kind::Todo),
        items(&["Call Ann", "Pay rent"])
    );
    assert_eq!(
        demands("add a card Fix the bug to the board", Kind::Kanban),
        items(&["Fix the bug"])
    );
}
