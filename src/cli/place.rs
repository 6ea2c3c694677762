//! Where a path of a project is in a folder.

use crate::failure::Failure;
use greenroom_actors::run::artifact::check_path;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The place of a path: inside of the folder, and through no link.
///
/// # Errors
/// [`Failure::Failed`] where it would not be.
pub(super) fn place(root: &Path, path: &str) -> Result<PathBuf, Failure> {
    check_path(path).map_err(|error| Failure::Failed(format!("{path:?}: {error}")))?;
    let mut place = root.to_owned();
    for name in path.split('/') {
        if place != root && is_link(&place) {
            let link = place.display();
            return Err(Failure::Failed(format!("{link} is a link; it could lead elsewhere")));
        }
        place.push(name);
    }
    Ok(place)
}

/// Whether there is a link.
pub(super) fn is_link(place: &Path) -> bool {
    fs::symlink_metadata(place).is_ok_and(|about| about.is_symlink())
}
