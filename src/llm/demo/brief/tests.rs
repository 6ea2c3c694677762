use super::*;

fn title(text: &str) -> String {
    Brief::read(text).title
}

#[test]
fn the_title_comes_from_the_prompt() {
    for (text, expected) in [
        ("A quiz about volcanoes", "Volcanoes quiz"),
        ("Make me a quiz about the history of art, in blue", "History of art quiz"),
        ("Build a fun Greek mythology quiz with 5 questions", "Greek mythology quiz"),
        ("a quiz", "General knowledge quiz"),
        ("quiz for my biology class", "Quiz for my biology class"),
        ("a to-do list", "To-do list"),
        ("Make a dark to-do app with milk, eggs and bread", "To-do list"),
        ("a shopping list with milk", "Shopping list"),
        ("a simple packing list for Iceland", "Packing list for Iceland"),
        ("a to-do list for my wedding with cake", "To-do list for my wedding"),
        ("todo app called \"Chores & co\" in green", "Chores & co"),
        ("a kanban board", "Kanban board"),
        ("a hiring board with columns New, Talks, Hired", "Hiring board"),
        ("kanban board for our book launch, dark", "Kanban board for our book launch"),
        ("a board with columns A, B for our book launch", "Kanban board for our book launch"),
        ("flash cards about French", "French flash cards"),
        ("a weather page", "To-do list"),
    ] {
        assert_eq!(title(text), expected, "{text}");
    }
}

#[test]
fn listed_items_are_what_the_app_begins_with() {
    let items = |text| Brief::read(text).items;

    assert_eq!(items("a list with milk, eggs and bread"), ["Milk", "Eggs", "Bread"]);
    assert_eq!(items("a list with milk, a search box and due dates, in green"), ["Milk"]);
    assert_eq!(items("a to-do app with dark mode, filters and drag and drop"), [""; 0]);
    assert_eq!(
        items("a to-do app:\n- Call Ann\n- Pay rent\nMake it dark"),
        ["Call Ann", "Pay rent"]
    );
    assert_eq!(items("a to-do app:\n- Add tasks\n- Dark mode\n- Filters"), [""; 0]);
    assert_eq!(items("to-do list, tasks: call Ann, pay rent"), ["Call Ann", "Pay rent"]);
    assert_eq!(items("a list of tasks with milk"), ["Milk"]);
    assert_eq!(
        items("a list with hand in the form, and bread in dark green"),
        ["Hand in the form", "Bread"]
    );
    assert_eq!(items("a board with columns A, B and cards x and y"), ["X", "Y"]);
}

#[test]
fn columns_are_read_before_and_after_their_word() {
    let columns = |text| Brief::read(text).columns;

    let three = ["Backlog", "Doing", "Done"];
    assert_eq!(columns("a kanban board with columns Backlog, Doing, Done"), three);
    assert_eq!(columns("kanban, columns: backlog → doing → done. In blue"), three);
    assert_eq!(columns("a kanban board with Backlog, Doing and Done columns"), three);
    assert_eq!(columns("a board with three columns called Backlog, Doing and Done"), three);
    assert_eq!(columns("columns Backlog, Doing, Done for the book"), three);
    assert_eq!(columns("columns Open, Waiting for Ann"), ["Open", "Waiting for Ann"]);
    assert!(columns("a board with columns").is_empty());
}

#[test]
fn looks_are_read_outside_of_topics_and_items() {
    let look = |text| {
        let brief = Brief::read(text);
        (brief.scheme, brief.colour.map(|colour| colour.name))
    };

    assert_eq!(look("a quiz about the dark ages"), (Scheme::System, None));
    assert_eq!(look("a dark quiz about red pandas"), (Scheme::Dark, None));
    assert_eq!(look("a list with green apples, in blue"), (Scheme::System, Some("blue")));
}

#[test]
fn the_number_of_questions_is_read() {
    assert_eq!(Brief::read("a quiz with 5 questions").count, Some(5));
    assert_eq!(Brief::read("ten hard questions about space").count, Some(10));
    assert_eq!(Brief::read("a quiz").count, None);
}
