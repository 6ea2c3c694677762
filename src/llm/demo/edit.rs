//! Small edits of a file's text. Each names the one place it changes, or changes nothing.

use super::template::{html_text, js_string};

/// Replaces the one line that begins with `start` and ends with `end`, apart from those two.
pub(super) fn set_value(content: &str, start: &str, end: &str, value: &str) -> Option<String> {
    let mut lines = content.lines().filter(|line| line.starts_with(start) && line.ends_with(end));
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let at = content.find(line)?;
    let (before, after) = (content.get(..at)?, content.get(at + line.len()..)?);
    Some([before, start, value, end, after].concat())
}

/// The value in the one line that begins with `start` and ends with `end`.
pub(super) fn value<'a>(content: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let mut values = content.lines().filter_map(|line| line.strip_prefix(start)?.strip_suffix(end));
    values.next().filter(|_| values.next().is_none())
}

/// Gives a page another title: in its head, and in its first heading.
pub(super) fn retitle_page(html: &str, title: &str) -> Option<String> {
    let title = html_text(title);
    let renamed = set_inner(html, "<title>", "</title>", &title)?;
    Some(set_inner(&renamed, "<h1>", "</h1>", &title).unwrap_or(renamed))
}

/// Gives a Markdown file another first heading.
pub(super) fn retitle_readme(text: &str, title: &str) -> Option<String> {
    let (first, rest) = text.split_once('\n')?;
    first.starts_with("# ").then(|| format!("# {}\n{rest}", html_text(title)))
}

fn set_inner(text: &str, open: &str, close: &str, inner: &str) -> Option<String> {
    let (before, after) = text.split_once(open)?;
    let (_, after) = after.split_once(close)?;
    Some([before, open, inner, close, after].concat())
}

/// What to add to a list of JavaScript that has one string a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entries<'a> {
    /// Name of the list.
    pub list: &'a str,
    /// The texts to add.
    pub texts: &'a [String],
    /// The text before which they go; at the end, where it is missing.
    pub before: Option<&'a str>,
}

/// Adds texts to a list, those that it lacks.
pub(super) fn add_entries(script: &str, entries: Entries<'_>) -> Option<String> {
    let open = format!("const {} = [\n", entries.list);
    let (head, rest) = script.split_once(&open)?;
    let (body, tail) = match rest.strip_prefix("];\n") {
        Some(tail) => ("", tail),
        None => {
            let end = rest.find("\n];\n")?;
            (rest.get(..=end)?, rest.get(end + "\n];\n".len()..)?)
        }
    };
    let line = |text: &str| format!("  {},\n", js_string(text));
    let added: String = entries
        .texts
        .iter()
        .map(|text| line(text))
        .filter(|line| !body.contains(line.as_str()))
        .collect();
    let place = entries.before.and_then(|before| body.find(&line(before))).unwrap_or(body.len());
    let (first, last) = body.split_at_checked(place)?;
    Some([head, &open, first, &added, last, "];\n", tail].concat())
}

/// The texts of a list of JavaScript that has one string a line.
pub(super) fn entries(script: &str, list: &str) -> Vec<String> {
    let open = format!("const {list} = [\n");
    let body = script.split_once(&open).map_or("", |(_, rest)| rest);
    let lines = body.lines().take_while(|line| *line != "];");
    lines.filter_map(|line| serde_json::from_str(line.trim().trim_end_matches(',')).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_set_where_its_line_is_alone() {
        assert_eq!(
            set_value("a\n  --hue: 3;\nb\n", "  --hue: ", ";", "9").unwrap(),
            "a\n  --hue: 9;\nb\n"
        );
        assert_eq!(value("  --hue: 3;\n", "  --hue: ", ";"), Some("3"));
        assert_eq!(set_value("x: 1;\nx: 2;\n", "x: ", ";", "9"), None);
        assert_eq!(set_value("", "x: ", ";", "9"), None);
    }

    #[test]
    fn a_title_is_escaped_on_its_way_in() {
        let page = retitle_page("<title>a</title><h1>a</h1><h1>b</h1>", "<b> & \"c\"").unwrap();

        assert_eq!(
            page,
            "<title>&lt;b&gt; &amp; &quot;c&quot;</title><h1>&lt;b&gt; &amp; &quot;c&quot;</h1>\
             <h1>b</h1>"
        );
        assert_eq!(retitle_readme("# a\nb\n", "c").unwrap(), "# c\nb\n");
        assert_eq!(retitle_readme("a\nb\n", "c"), None);
    }

    #[test]
    fn texts_are_added_to_a_list_once() {
        let add = |script, texts: &[&str], before| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            add_entries(script, Entries { list: "A", texts: &texts, before })
        };

        let two = add("const A = [\n];\nend\n", &["x", "y\"];"], None).unwrap();
        assert_eq!(two, "const A = [\n  \"x\",\n  \"y\\\"];\",\n];\nend\n");
        let three = add(&two, &["x", "w"], Some("y\"];")).unwrap();
        assert_eq!(three, "const A = [\n  \"x\",\n  \"w\",\n  \"y\\\"];\",\n];\nend\n");
        assert_eq!(entries(&three, "A"), ["x", "w", "y\"];"]);
        assert_eq!(add("const B = [];\n", &["x"], None), None);
    }
}
