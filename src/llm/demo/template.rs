//! Fills the placeholders of a prepared file, each value escaped for the syntax it lands in.

/// What a placeholder stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Words of the user: escaped.
    Text(String),
    /// Words of the user, each a line of a list in JavaScript.
    Lines(Vec<String>),
    /// Ours, already in the file's syntax.
    Raw(String),
}

/// The syntax of a file, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    JavaScript,
    Markup,
}

/// Fills every `{{name}}` of `template` that is among `values`; the rest stays as it is.
///
/// One pass: a value that itself holds `{{name}}` is not filled again.
pub(super) fn fill(path: &str, template: &str, values: &[(&str, Value)]) -> String {
    let syntax = if path.ends_with(".js") { Syntax::JavaScript } else { Syntax::Markup };
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let known = after.split_once("}}").and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        if let Some((value, after)) = known {
            filled.push_str(&escape(value, syntax));
            rest = after;
        } else {
            filled.push_str("{{");
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

fn escape(value: &Value, syntax: Syntax) -> String {
    match (value, syntax) {
        (Value::Raw(text), _) => text.clone(),
        (Value::Text(text), Syntax::JavaScript) => js_string(text),
        (Value::Text(text), Syntax::Markup) => html_text(text),
        (Value::Lines(lines), _) => js_lines(lines),
    }
}

/// A text as HTML; good in Markdown, and between double quotes.
pub(super) fn html_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A text as a string of JavaScript, which may also stand within `<script>`.
pub(super) fn js_string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('<', "\\u003c")
}

/// Texts as the lines of a list: `  "one",`.
pub(super) fn js_lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {},", js_string(line))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_escaped_for_the_file_it_lands_in() {
        let values = [("title", Value::Text(r#"</script> & "you""#.into()))];

        let html = fill("index.html", "<h1>{{title}}</h1>", &values);
        let js = fill("app.js", "const T = {{title}};", &values);

        assert_eq!(html, "<h1>&lt;/script&gt; &amp; &quot;you&quot;</h1>");
        assert_eq!(js, r#"const T = "\u003c/script> & \"you\"";"#);
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_stays_as_it_is() {
        let values = [("a", Value::Text("{{b}}".into())), ("b", Value::Text("no".into()))];

        assert_eq!(fill("x.html", "{{a}} {{ {{b}}", &values), "{{b}} {{ no");
    }
}
