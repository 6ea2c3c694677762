//! What `greenroom config` prints.

use super::{
    load::Resolved,
    source::{ALIASES, Alias, Reading},
    spec::{self, Key},
};
use std::fmt::Write;

/// Every value with its source, in columns.
#[must_use]
pub fn values(values: &[Resolved]) -> String {
    let width = |part: fn(&Resolved) -> &String| {
        values.iter().map(|value| part(value).chars().count()).max().unwrap_or(0).min(48)
    };
    let (keys, texts) = (width(|value| &value.key), width(|value| &value.value));
    let mut text = String::new();
    for Resolved { key, value, origin } in values {
        let _ = writeln!(text, "{key:keys$} = {value:texts$}  # {origin}");
    }
    text
}

/// Every value with its source, as JSON.
#[must_use]
pub fn values_json(values: &[Resolved]) -> serde_json::Value {
    let item = |Resolved { key, value, origin }: &Resolved| serde_json::json!({ "key": key, "value": value, "source": origin });
    values.iter().map(item).collect()
}

/// A reference of all keys, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration\n\nA flag wins over an environment variable, that over the file, that \
         over the default.\nSecrets may be read from a file: add `_FILE` to the name of the \
         variable.\n",
    );
    let mut section = "";
    for key in spec::keys() {
        let (table, name) = key.name.rsplit_once('.').unwrap_or(("", &key.name));
        if table != section {
            let head = "| key | default | variable | what |\n|---|---|---|---|";
            let _ = write!(text, "\n## `[{table}]`\n\n{head}\n");
            section = table;
        }
        let Key { default, doc, .. } = key;
        let doc = doc.replace('|', "\\|");
        let _ = writeln!(text, "| `{name}` | `{default}` | `{}` | {doc} |", key.variable());
    }
    text.push_str("\n## Other names\n\n| variable | key | value |\n|---|---|---|\n");
    for Alias { name, key, reading, with, without } in ALIASES {
        let mut how = match reading {
            Reading::Same => "as it is",
            Reading::PythonLevel => "in capitals or small letters, `WARNING` and `CRITICAL` too",
            Reading::Minutes => "in minutes",
            Reading::DebugSwitch => "`true` or `1` means `debug`",
            Reading::First => "the first one of a comma list",
            Reading::Rest => "the others of a comma list",
        }
        .to_owned();
        if !with.is_empty() {
            let _ = write!(how, "; only with `{}`", with.join("` or `"));
        }
        if !without.is_empty() {
            let _ = write!(how, "; not with `{without}`");
        }
        let _ = writeln!(text, "| `{name}` | `{key}` | {how} |");
    }
    text
}
