use super::*;
use proptest::prelude::*;

fn block(search: &str, replace: &str) -> Block {
    let (search, replace) = (search.to_owned(), replace.to_owned());
    Block { search, replace, line: None, is_closed: true }
}

/// The file after one block, and the rung.
fn one(text: &str, search: &str, replace: &str) -> Result<(String, Step), Miss> {
    match edit(Some(text), &[block(search, replace)]) {
        Ok(Edited { text, blocks }) => Ok((text, blocks[0].step)),
        Err(mut misses) => Err(misses.remove(0).1),
    }
}

fn done(text: &str, step: Step) -> Result<(String, Step), Miss> {
    Ok((text.to_owned(), step))
}

#[test]
fn a_text_that_stands_once_is_replaced() {
    assert_eq!(one("a\nb\nc\n", "b\n", "x\ny\n"), done("a\nx\ny\nc\n", Step::Exact));
    assert_eq!(one("a\nb\nc\n", "b\nc\n", ""), done("a\n", Step::Exact));
    assert_eq!(one("a\nab\n", "a\n", "x\n"), done("x\nab\n", Step::Exact), "whole lines only");
}

#[test]
fn a_file_without_a_last_newline_keeps_it_so() {
    assert_eq!(one("a\nb", "b\n", "c\n"), done("a\nc", Step::Exact));
    assert_eq!(one("a\nb", "b\n", "b\nc\n"), done("a\nb\nc", Step::Exact));
    assert_eq!(one("a\nb", "a\n", "x\n"), done("x\nb", Step::Exact));
}

#[test]
fn white_space_at_the_ends_of_lines_does_not_matter_and_stays_where_it_is() {
    let text = "one  \ntwo\t\nthree\n";
    let expected = done("one  \n2\nthree\n", Step::TrailingSpace);
    assert_eq!(one(text, "one\ntwo\nthree \n", "one\n2\nthree \n"), expected);
}

#[test]
fn a_block_that_is_indented_otherwise_takes_the_files_indentation() {
    let text = "fn a() {\n    if b {\n        c();\n\n    }\n}\n";
    let expected = "fn a() {\n    if b {\n        d();\n\n        e();\n    }\n}\n";
    let less = one(text, "if b {\n    c();\n\n}\n", "if b {\n    d();\n\n    e();\n}\n");
    assert_eq!(less, done(expected, Step::Indentation));
    let more = one(
        text,
        "      if b {\n          c();\n\n      }\n",
        "      if b {\n          d();\n\n          e();\n      }\n",
    );
    assert_eq!(more, done(expected, Step::Indentation));
    let tabs = one("\tif b\n\t\tc\n", "if b\n\tc\n", "if b\n\td\n");
    assert_eq!(tabs, done("\tif b\n\t\td\n", Step::Indentation));
}

#[test]
fn lines_that_are_indented_unevenly_are_another_text() {
    let miss = one("  a\n    b\n", "a\nb\n", "x\n").unwrap_err();
    assert!(matches!(miss, Miss::NotFound { nearest: Some(_) }), "{miss:?}");
    let miss = one("a\n", "    a\n", "x\n").unwrap_err();
    assert!(matches!(miss, Miss::NotFound { .. }), "the new text can't lose four spaces: {miss:?}");
}

#[test]
fn line_ends_are_the_files() {
    let crlf = done("a\r\nx\r\ny\r\nc\r\n", Step::Normalised);
    assert_eq!(one("a\r\nb\r\nc\r\n", "a\nb\n", "a\nx\ny\n"), crlf);
    assert_eq!(one("a\nb\n", "b\r\n", "x\r\ny\r\n"), done("a\nx\ny\n", Step::Normalised));
    assert_eq!(one("a\r\nb\r\n", "b\r\n", "x\r\n"), done("a\r\nx\r\n", Step::Exact));
    assert_eq!(one("a\r\nb", "b\n", "b\nc\n"), done("a\r\nb\r\nc", Step::Exact));
}

#[test]
fn typographic_characters_of_a_model_become_the_files_plain_ones() {
    let text = "say(\"hi\"); // it's – so\nend\n";
    let curly = one(
        text,
        "say(“hi”); // it’s – so\nend\n",
        "say(“ho”, “hum”); // it’s – so\nlet a = ‘b’;\nend\n",
    );
    let expected = "say(\"ho\", \"hum\"); // it's – so\nlet a = 'b';\nend\n";
    assert_eq!(curly, done(expected, Step::Normalised));
}

#[test]
fn the_files_typographic_characters_stay_where_a_model_wrote_plain_ones() {
    let text = "<p>“It’s late”, she said.</p>\n";
    let plain = one(text, "<p>\"It's late\", she said.</p>\n", "<p>\"It's late\", he said.</p>\n");
    assert_eq!(plain, done("<p>“It’s late”, he said.</p>\n", Step::Normalised));
}

#[test]
fn a_text_that_stands_twice_is_refused_with_its_places() {
    let text = "a\nb\nc\na\nb\n";
    assert_eq!(one(text, "a\nb\n", "x\n"), Err(Miss::Ambiguous { lines: vec![1, 4] }));
    // A model that moved the first one to the left would have written the second one.
    assert_eq!(one("a\n  b\nb\n", "b\n", "x\n"), Err(Miss::Ambiguous { lines: vec![2, 3] }));
    let miss = one("  b\n\tb\n", "b\n", "x\n");
    assert_eq!(miss, Err(Miss::Ambiguous { lines: vec![1, 2] }));
}

#[test]
fn a_line_number_decides_between_places_and_nothing_else() {
    let at = |line, text: &str| {
        edit(Some(text), &[Block { line: Some(line), ..block("a\n", "x\n") }]).map(|e| e.text)
    };
    assert_eq!(at(3, "a\nb\na\n"), Ok("a\nb\nx\n".into()));
    assert_eq!(at(3, "a\nb\n  a\n"), Ok("a\nb\n  x\n".into()), "also by another rung");
    assert_eq!(at(7, "b\na\n"), Ok("b\nx\n".into()), "there is one place only");
    let lines = vec![1, 3];
    assert_eq!(at(2, "a\nb\na\n"), Err(vec![(1, Miss::Ambiguous { lines })]));
    // Numbers are those of the file as it was.
    let blocks = [block("b\n", "1\n2\n3\n"), Block { line: Some(3), ..block("a\n", "x\n") }];
    let edited = edit(Some("a\nb\na\n"), &blocks).unwrap();
    assert_eq!(edited.text, "a\n1\n2\n3\nx\n");
    assert_eq!(edited.blocks[1], Placed { step: Step::Anchor, line: 3 });
}

#[test]
fn an_empty_search_is_for_files_that_are_new_or_empty() {
    let new = [block("", "a\nb\n")];
    assert_eq!(edit(None, &new).unwrap().text, "a\nb\n");
    assert_eq!(edit(Some(""), &new).unwrap().text, "a\nb\n");
    assert_eq!(edit(Some("x\n"), &new).unwrap_err(), [(1, Miss::NoSearch)]);
    assert_eq!(edit(None, &[block("a\n", "b\n")]).unwrap_err(), [(1, Miss::NoFile)]);
    let grown = [block("", "a\n"), block("a\n", "b\n")];
    assert_eq!(edit(None, &grown).unwrap().text, "b\n");
}

#[test]
fn a_block_sees_what_the_ones_before_it_left_and_one_miss_leaves_all() {
    let blocks = [block("a\n", "b\n"), block("b\n", "c\n"), block("z\n", "y\n")];
    assert_eq!(edit(Some("a\n"), &blocks[..2]).unwrap().text, "c\n");
    let misses = edit(Some("a\n"), &blocks).unwrap_err();
    assert_eq!(misses.len(), 1);
    assert_eq!(misses[0].0, 3);
    assert_eq!(edit(Some("a\n"), &[]).unwrap_err(), [(0, Miss::Broken(BlockError::NoBlock))]);
    let many = vec![block("a\n", "a\n"); BLOCKS_MAX + 1];
    assert_eq!(edit(Some("a\n"), &many[..BLOCKS_MAX]).unwrap().text, "a\n");
    assert_eq!(edit(Some("a\n"), &many).unwrap_err(), [(0, Miss::Broken(BlockError::TooMany))]);
    let open = [Block { is_closed: false, ..block("a\n", "b\n") }];
    let broken = Miss::Broken(BlockError::SecondDivider);
    assert_eq!(edit(Some("a\n"), &open).unwrap_err(), [(1, broken)]);
}

#[test]
fn a_miss_shows_the_real_lines() {
    let text = "import x\n\nfn first() {\n    one();\n    two();\n}\n\nfn last() {}\n";
    let miss = one(text, "fn first() {\n    one();\n    three();\n}\n", "x\n").unwrap_err();
    let Miss::NotFound { nearest: Some(nearest) } = &miss else { panic!("{miss:?}") };
    assert_eq!((nearest.line, nearest.percent), (1, 66));
    assert!(nearest.text.contains("    one();\n    two();\n}"), "{nearest:?}");
    let failure = EditFailure { path: "a.rs".into(), misses: vec![(2, miss)] };
    let report = failure.report();
    assert!(report.contains("block 2: its search text is not in the file"), "{report}");
    assert!(report.contains("lines are 1 to 8 (66 % alike):\nimport x"), "{report}");

    let miss = one(text, "    twoo();\n", "x\n").unwrap_err();
    let Miss::NotFound { nearest: Some(nearest) } = &miss else { panic!("{miss:?}") };
    assert!(nearest.text.contains("two();"), "{nearest:?}");
    assert_eq!(one(text, "%%%\n", "x\n"), Err(Miss::NotFound { nearest: None }));
}

#[test]
fn repetition_costs_no_more_than_its_length() {
    let text = "\n".repeat(1 << 20);
    let miss = one(&text, &"\n".repeat(1 << 19), "x\n").unwrap_err();
    assert!(matches!(miss, Miss::Ambiguous { .. }));
    let text = " x\n\tx\n".repeat(1 << 17);
    let miss = one(&text, &"x\n".repeat(1 << 12), "x\n").unwrap_err();
    assert!(matches!(miss, Miss::Ambiguous { .. }));
}

#[test]
fn a_large_file_with_many_blocks_is_edited_as_a_whole() {
    let line = |n: usize| format!("line number {n} of a file that is one megabyte long or so\n");
    let text: String = (0..20_000).map(line).collect();
    let blocks: Vec<Block> = (0..200).map(|n| block(&line(n * 99), &format!("{n}\n"))).collect();
    let edited = edit(Some(&text), &blocks).unwrap();
    let expected: String = (0..20_000)
        .map(|n| if n % 99 == 0 && n / 99 < 200 { format!("{}\n", n / 99) } else { line(n) })
        .collect();
    assert_eq!(edited.text, expected);
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = ("[ \t]{0,2}", "[abc“\"’']{0,2}", "[ \r]{0,1}");
    prop::collection::vec(line.prop_map(|(a, b, c)| a + &b + &c + "\n"), 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever is searched for: a text is replaced where it stands once, and nowhere else.
    #[test]
    fn only_one_place_changes_and_it_is_the_one_searched_for(
        file in lines(),
        search in lines(),
        replace in lines(),
    ) {
        let text = file.concat();
        if let Ok(edited) = edit(Some(&text), &[block(&search.concat(), &replace.concat())]) {
            let placed = edited.blocks[0];
            prop_assert!(!search.is_empty() || file.is_empty());
            let at = placed.line - 1;
            let before = file[..at.min(file.len())].concat();
            let after = file[(at + search.len()).min(file.len())..].concat();
            prop_assert!(edited.text.starts_with(&before));
            prop_assert!(edited.text.ends_with(&after));
            if placed.step == Step::Exact {
                prop_assert_eq!(edited.text, before + &replace.concat() + &after);
                let places = (0..file.len()).filter(|at| file[*at..].starts_with(&search));
                prop_assert_eq!(places.count(), usize::from(!search.is_empty()));
            }
        }
    }

    /// What a file holds once can be replaced, and what it holds more often can't.
    #[test]
    fn a_text_of_the_file_applies_if_it_stands_there_once(
        file in lines(),
        range in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        prop_assume!(!file.is_empty());
        let from = range.0.index(file.len());
        let to = from + 1 + range.1.index(file.len() - from);
        let search = &file[from..to];
        let places = (0..file.len()).filter(|at| file[*at..].starts_with(search)).count();
        let result = one(&file.concat(), &search.concat(), "new\n");
        let trimmed = |lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| key::plain_text(line.trim()).into_owned()).collect()
        };
        let (all, wanted) = (trimmed(&file), trimmed(search));
        let alike = (0..file.len()).filter(|at| all[*at..].starts_with(&wanted)).count();
        if places == 1 && (alike == 1 || result.is_ok()) {
            let expected = file[..from].concat() + "new\n" + &file[to..].concat();
            prop_assert_eq!(result, done(&expected, Step::Exact));
        } else {
            let is_ambiguous = matches!(result, Err(Miss::Ambiguous { .. }));
            prop_assert!(is_ambiguous, "{:?}", result);
        }
    }
}
