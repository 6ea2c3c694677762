//! An answer over the files of a folder.

use super::{args::Format, folder::Folder};
use crate::failure::Failure;
use greenroom_actors::run::{
    Tag,
    artifact::{Ending, Parser, Piece},
    output::{Output, OutputLimits},
};
use greenroom_protocol::{event::Event, id::PartId};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
};

/// The tag of an answer's instructions.
///
/// # Errors
/// [`Failure::Usage`] where it has none.
pub(super) fn tag(answer: &str) -> Result<Tag, Failure> {
    Tag::find(answer).ok_or_else(|| {
        let what = "the answer has no instruction such as \"@@abc234 edit PATH\"; is it in Aider's \
            format? Then say --format aider";
        Failure::Usage(what.to_owned())
    })
}

/// What an answer does to the files of a folder.
#[derive(Debug)]
pub(super) struct Worked {
    /// What became of it.
    pub(super) output: Output,
    /// What was left out of it, for a person.
    pub(super) remarks: Vec<String>,
}

/// Works an answer out over a folder, and writes nothing.
///
/// # Errors
/// [`Failure::Usage`] where the answer is in another format; [`Failure::Failed`] where a file can't
/// be read or the answer breaks a limit.
pub(super) fn work(format: Format, answer: &str, folder: &Folder) -> Result<Worked, Failure> {
    let tag = match format {
        Format::Artifact => tag(answer)?,
        Format::Aider => unused_tag(answer)?,
    };
    let mut base = BTreeMap::new();
    for path in edited(&tag, answer) {
        base.extend(folder.read(&path)?.map(|text| (path, text)));
    }
    let mut output = Output::new(&tag, PartId(1), OutputLimits::default()).over(Arc::new(base));
    let mut events = Vec::new();
    let taken = output.text(answer, &mut events);
    output.finish(Ending::Stopped, &mut events);
    taken.map_err(|error| Failure::Failed(error.to_string()))?;
    let mut remarks = Vec::new();
    for event in events {
        if let Event::Notice { message, .. } = event {
            remarks.push(message);
        }
    }
    Ok(Worked { output, remarks })
}

/// A tag that does not occur, so that nothing of an answer in Aider's format is an instruction.
fn unused_tag(answer: &str) -> Result<Tag, Failure> {
    let candidates = (0..=u8::MAX).map(|byte| Tag::from_random([byte, 25, 31, byte, 0, 7]));
    let unused = |tag: &Tag| !answer.contains(&tag.prefix());
    let tag = candidates.into_iter().find(unused);
    tag.ok_or_else(|| Failure::Failed("the answer holds every tag there is".to_owned()))
}

/// The paths that an answer edits or moves: what it does depends on what they hold.
fn edited(tag: &Tag, answer: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut sink = |piece: Piece<'_>| -> Result<(), Infallible> {
        if let Piece::Edit(path) | Piece::Delete(path) | Piece::Move(path, _) = piece {
            paths.insert(path.to_owned());
        }
        Ok(())
    };
    let mut parser = Parser::new(tag);
    let Ok(()) = parser.push(answer, &mut sink);
    let Ok(()) = parser.finish(Ending::Stopped, &mut sink);
    paths
}
