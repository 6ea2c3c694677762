//! Applying an answer to a folder, with what became of each block.

use super::{answer, args::Format, folder::Folder};
use crate::{
    cli::{
        args::Output as Form,
        output::{clean, line, out},
    },
    failure::Failure,
};
use greenroom_actors::run::{
    Change,
    edit::{EditFailure, Miss, Nearest, Placed},
    output::{EditOutcome, Output},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, path::Path};

/// Runs the command.
///
/// # Errors
/// [`Failure::Failed`] where an edit does not apply: nothing is written then.
pub(super) fn run(
    format: Format,
    answer: &str,
    folder: &Path,
    dry_run: bool,
    form: Form,
) -> Result<(), Failure> {
    let folder = Folder::open(folder)?;
    let worked = answer::work(format, answer, &folder)?;
    let failed = worked.output.failures().count();
    let is_written = failed == 0 && !dry_run;
    let (written, removed) =
        if is_written { folder.make(worked.output.changes())? } else { (0, 0) };
    match form {
        Form::Text => {
            out(report(&worked.output))?;
            worked.remarks.iter().try_for_each(|remark| line(clean(remark)))?;
            if is_written {
                line(format_args!("{written} files written, {removed} removed"))?;
            } else if failed == 0 {
                line("all of it applies; nothing was written")?;
            }
        }
        Form::Json => line(json!({
            "edits": worked.output.edits().iter().map(edit_json).collect::<Vec<_>>(),
            "remarks": worked.remarks,
            "applies": failed == 0,
            "written": written,
            "removed": removed,
        }))?,
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!("{failed} edits do not apply; nothing was written")))
}

/// What becomes of each edit and file, for a person.
fn report(output: &Output) -> String {
    let mut text = String::new();
    for EditOutcome { path, result } in output.edits() {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{path}");
        match result {
            Ok(blocks) => {
                for (Placed { step, line }, number) in blocks.iter().zip(1..) {
                    let _ = writeln!(text, "  block {number:<3} {:<16} line {line}", step.name());
                }
            }
            Err(EditFailure { misses, .. }) => {
                for (number, miss) in misses {
                    text += &missed(*number, miss);
                }
            }
        }
    }
    let edited = |path: &str| output.edits().iter().any(|edit| edit.path == path);
    for change in output.changes() {
        let _ = match change {
            Change::Write { path, .. } if edited(path) => Ok(()),
            Change::Write { path, content } => {
                writeln!(text, "{path}\n  written, {} bytes", content.len())
            }
            Change::Delete { path } => writeln!(text, "{path}\n  deleted"),
            Change::Move { from, to } => writeln!(text, "{from}\n  moved to {to}"),
        };
    }
    text.split_inclusive('\n').map(clean).collect()
}

fn missed(number: usize, miss: &Miss) -> String {
    let which = if number == 0 { "edit".to_owned() } else { format!("block {number:<3}") };
    let mut text = format!("  {which} {:<16} {miss}\n", miss.name());
    if let Miss::NotFound { nearest: Some(nearest) } = miss {
        text += &format!("    nearest: lines {nearest}\n");
        for line in nearest.text.lines() {
            text += &format!("    | {line}\n");
        }
    }
    text
}

fn edit_json(edit: &EditOutcome) -> Value {
    let blocks: Vec<Value> = match &edit.result {
        Ok(blocks) => blocks
            .iter()
            .zip(1..)
            .map(|(placed, number)| {
                json!({ "block": number, "result": placed.step.name(), "line": placed.line })
            })
            .collect(),
        Err(failure) => failure.misses.iter().map(|(number, miss)| miss_json(*number, miss)).collect(),
    };
    json!({ "path": edit.path, "applies": edit.result.is_ok(), "blocks": blocks })
}

fn miss_json(number: usize, miss: &Miss) -> Value {
    let mut json = json!({ "block": number, "result": miss.name(), "message": miss.to_string() });
    let more = match miss {
        Miss::NotFound { nearest: Some(Nearest { line, text, percent }) } => {
            Some(("nearest", json!({ "line": line, "text": text, "percent": percent })))
        }
        Miss::Ambiguous { lines } => Some(("lines", json!(lines))),
        Miss::NotFound { nearest: None } | Miss::NoFile | Miss::NoSearch | Miss::Broken(_) => None,
    };
    if let (Some((name, value)), Value::Object(fields)) = (more, &mut json) {
        fields.insert(name.to_owned(), value);
    }
    json
}
