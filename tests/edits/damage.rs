//! What models do to the text that they quote.

use super::corpus::Case;
use greenroom_actors::run::edit::Block;

/// A way to damage a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    /// None.
    None,
    /// White space at the ends of the lines searched for.
    TrailingSpace,
    /// No white space at the ends of lines where the file has some.
    NoTrailingSpace,
    /// All lines begin further left than in the file.
    Outdent,
    /// All lines begin further right.
    Indent,
    /// The file has CRLF, the block LF.
    FileCrlf,
    /// The other way round.
    BlockCrlf,
    /// Typographic quotes where the file has plain ones.
    Curly,
    /// Plain characters where the file has typographic ones.
    Plain,
    /// Several of these at once.
    Mixed,
    /// The lines searched for stand in the file a second time.
    Repeated,
    /// The same, and the block names its line.
    RepeatedAnchored,
    /// No line around the change, so that it may stand anywhere.
    NoContext,
    /// A line that the file does not have.
    Invented,
}

impl Damage {
    pub(super) const ALL: [Self; 14] = [
        Self::None,
        Self::TrailingSpace,
        Self::NoTrailingSpace,
        Self::Outdent,
        Self::Indent,
        Self::FileCrlf,
        Self::BlockCrlf,
        Self::Curly,
        Self::Plain,
        Self::Mixed,
        Self::Repeated,
        Self::RepeatedAnchored,
        Self::NoContext,
        Self::Invented,
    ];

    /// The damaged case; none where there is nothing to damage in this way.
    pub(super) fn apply(self, case: &Case) -> Option<Case> {
        let case = case.clone();
        match self {
            Self::None => Some(case),
            Self::TrailingSpace => Some(with_trailing_space(case)),
            Self::NoTrailingSpace => without_trailing_space(case),
            Self::Outdent => indented(case, true),
            Self::Indent => indented(case, false),
            Self::FileCrlf => with_crlf_in_the_file(case),
            Self::BlockCrlf => with_crlf_in_the_block(case),
            Self::Curly => with_curly_quotes(case),
            Self::Plain => with_plain_characters(case),
            Self::Mixed => {
                let case = with_crlf_in_the_file(case)?;
                let case = with_curly_quotes(case.clone()).unwrap_or(case);
                let case = indented(case.clone(), true).unwrap_or(case);
                Some(with_trailing_space(case))
            }
            Self::Repeated => Some(repeated(case)),
            Self::RepeatedAnchored => {
                let mut case = repeated(case);
                case.block.line = Some(case.line);
                Some(case)
            }
            Self::NoContext => without_context(case),
            Self::Invented => with_an_invented_line(case),
        }
    }
}

fn with_trailing_space(mut case: Case) -> Case {
    case.block.search = lines(&case.block.search, |number, line| {
        if number % 2 == 0 { format!("{line}  ") } else { line.to_owned() }
    });
    case
}

fn without_trailing_space(case: Case) -> Option<Case> {
    // Also what goes: of equal lines, a difference does not say which one does.
    in_a_file_with(case, true, |line| lines(line, |_, line| format!("{line} \t")))
}

/// The case in a file whose lines, with or without those that go, are other ones; the block knows
/// them as they are. None where that makes no difference to what it searches for.
fn in_a_file_with(
    mut case: Case,
    with_removed: bool,
    change: impl Fn(&str) -> String,
) -> Option<Case> {
    let file: Vec<&str> = case.before.split_inclusive('\n').collect();
    let from = case.line - 1 + case.context;
    let (above, rest) = file.split_at(from);
    let (_, below) = rest.split_at(case.removed.len());
    let changed = |lines: &[&str]| lines.iter().map(|line| change(line)).collect::<String>();
    if change(&case.block.search) == case.block.search || case.context == 0 {
        return None;
    }
    let removed = case.removed.concat();
    let removed = if with_removed { change(&removed) } else { removed };
    let (above, below) = (changed(above), changed(below));
    case.before = [&*above, &removed, &below].concat();
    case.expected = [&*above, &case.added.concat(), &below].concat();
    Some(case)
}

fn indented(mut case: Case, less: bool) -> Option<Case> {
    if case.added.iter().any(|line| is_blank(line)) || case.block.search.trim().is_empty() {
        return None; // how far it is indented can't be told from the others
    }
    let Block { search, replace, .. } = &mut case.block;
    let common = if less { common_indent(search, replace)? } else { "    ".to_owned() };
    let change = |_, line: &str| match line {
        line if less => line.strip_prefix(&common).unwrap_or("").to_owned(),
        "" => String::new(),
        line => common.clone() + line,
    };
    (*search, *replace) = (lines(search, change), lines(replace, change));
    Some(case)
}

fn with_crlf_in_the_file(mut case: Case) -> Option<Case> {
    if case.before.contains('\r') || case.expected.contains('\r') {
        return None;
    }
    case.before = case.before.replace('\n', "\r\n");
    case.expected = case.expected.replace('\n', "\r\n");
    Some(case)
}

fn with_crlf_in_the_block(mut case: Case) -> Option<Case> {
    let Block { search, replace, .. } = &mut case.block;
    if search.contains('\r') || replace.contains('\r') {
        return None;
    }
    (*search, *replace) = (search.replace('\n', "\r\n"), replace.replace('\n', "\r\n"));
    Some(case)
}

fn with_curly_quotes(mut case: Case) -> Option<Case> {
    let Block { search, replace, .. } = &mut case.block;
    if !search.contains(['"', '\'']) || search.contains(CURLY) || replace.contains(CURLY) {
        return None;
    }
    (*search, *replace) = (curly(search), curly(replace));
    Some(case)
}

fn with_plain_characters(case: Case) -> Option<Case> {
    let is_plain = !case.before.contains(CURLY) && !case.expected.contains(CURLY);
    is_plain.then(|| in_a_file_with(case, false, curly))?
}

fn repeated(mut case: Case) -> Case {
    let apart = if case.before.ends_with('\n') { "" } else { "\n" };
    let again = format!("{apart}{}", case.block.search);
    case.expected += &again;
    case.before += &again;
    case
}

fn without_context(mut case: Case) -> Option<Case> {
    if case.removed.is_empty() {
        return None;
    }
    case.block.search = case.removed.concat();
    case.block.replace = case.added.concat();
    case.line += case.context;
    Some(case)
}

fn with_an_invented_line(mut case: Case) -> Option<Case> {
    let search = &mut case.block.search;
    if !search.contains(char::is_alphanumeric) {
        return None; // nothing to know it by
    }
    search.insert_str(search.find('\n')? + 1, "this line is in no file, whoever wrote it\n");
    Some(case)
}

const CURLY: [char; 4] = ['“', '”', '‘', '’'];

/// Changes each line, without its end.
fn lines(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    let line = |(number, line): (usize, &str)| {
        let body = line.trim_end_matches(['\r', '\n']);
        change(number, body) + line.get(body.len()..).unwrap_or_default()
    };
    text.split_inclusive('\n').enumerate().map(line).collect()
}

/// Whether a line has white space alone, and some.
fn is_blank(line: &str) -> bool {
    let body = line.trim_end_matches(['\r', '\n']);
    !body.is_empty() && body.trim().is_empty()
}

/// What all lines with text begin with, at most four spaces or one tab; none: nothing.
fn common_indent(search: &str, replace: &str) -> Option<String> {
    let all = || search.lines().chain(replace.lines()).filter(|line| !line.trim().is_empty());
    ["    ", "\t", "  "]
        .into_iter()
        .find(|indent| all().all(|line| line.starts_with(indent)))
        .map(str::to_owned)
}

fn curly(text: &str) -> String {
    let mut is_open = false;
    let mut curl = |c: char| match c {
        '"' => {
            is_open = !is_open;
            if is_open { '“' } else { '”' }
        }
        '\'' => '’',
        c => c,
    };
    text.chars().map(&mut curl).collect()
}
