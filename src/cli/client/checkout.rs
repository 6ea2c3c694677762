//! A commit's files in a folder.

use super::{
    folder::{Folder, Step},
    remote::{Source, contents, listing, nonsense},
};
use crate::failure::Failure;
use greenroom_actors::port::Oid;

/// Makes the folder hold the files of a commit; the paths that the user's own changes kept.
///
/// # Errors
/// As [`listing`], [`contents`], and where the folder cannot be written.
pub(super) async fn check_out(
    source: &mut impl Source,
    folder: &mut Folder,
    commit: Oid,
) -> Result<Vec<String>, Failure> {
    let Some(listing) = listing(source, Some(commit)).await? else {
        return Err(nonsense("no files for its own commit"));
    };
    let steps = folder.plan(&listing.files)?;
    for (path, step) in &steps {
        match (step, listing.files.get(path)) {
            (Step::Write, Some(entry)) => {
                let bytes = contents(source, listing.commit, path, *entry).await?;
                folder.write(path, &bytes)?;
            }
            (Step::Remove, _) => folder.remove(path)?,
            (Step::Write | Step::Same | Step::Keep, _) => {}
        }
    }
    folder.remember(listing.commit, &listing.files, &steps)?;
    let kept = steps.into_iter().filter(|(_, step)| *step == Step::Keep);
    Ok(kept.map(|(path, _)| path).collect())
}
