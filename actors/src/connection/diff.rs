//! `session.diff`: what differs between two commits.

use super::{
    calls::unavailable,
    files::{self, json_bytes},
    serve::Edge,
};
use crate::{
    port::{ObjectKind, Oid, SessionRow},
    run::project,
};
use bytes::Bytes;
use greenroom_protocol::{
    error::ErrorBody,
    id::SessionId,
    limit::PAGE_ITEMS_MAX,
    method::{DiffPage, FileChange, FileDiff, SessionDiff},
};
use similar::{Algorithm, TextDiff};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Bound,
    time::Duration,
};

/// Most text of all patches of a page, in bytes of JSON.
const PATCHES_BYTES_MAX: usize = 24 * 1024;

/// Lines around a change.
const CONTEXT_LINES: usize = 3;

/// How long one comparison may look for a short patch; then it takes one that is correct and longer.
const COMPARE_TIMEOUT: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, ErrorBody>;

/// The two versions of a file; at least one is there, and they differ.
#[derive(Clone, Copy, Debug)]
struct Versions {
    from: Option<Oid>,
    to: Option<Oid>,
}

/// `session.diff` of a session that is the caller's.
pub(super) async fn diff(edge: &Edge, row: &SessionRow, diff: &SessionDiff) -> Result<DiffPage> {
    let Some((to, commit, _)) = files::commit(edge, row, diff.to.as_deref()).await? else {
        if diff.from.is_some() {
            files::commit(edge, row, diff.from.as_deref()).await?; // says that there is none
        }
        return Ok(DiffPage { from: None, to: None, files: Vec::new(), next_after: None });
    };
    let parent = commit.parents.first().map(Oid::to_string);
    let from = match diff.from.as_ref().or(parent.as_ref()) {
        Some(from) => files::commit(edge, row, Some(from)).await?,
        None => None,
    };
    let (store, project) = (&*edge.node.store, row.project());
    let new = project::walk(store, project, commit.tree).await.map_err(unavailable)?;
    let old = match &from {
        Some((_, from, _)) => {
            project::walk(store, project, from.tree).await.map_err(unavailable)?
        }
        None => BTreeMap::new(),
    };
    let after = diff.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let differing = differing(&old, &new);
    let mut rest = differing.range::<String, _>((after, Bound::Unbounded)).peekable();
    let (mut files, mut bytes, mut next_after) = (Vec::new(), 0, None);
    let page = usize::try_from(PAGE_ITEMS_MAX).unwrap_or(100);
    while let Some((path, versions)) = rest.next() {
        let file = compare(edge, project, path, *versions).await?;
        bytes += file.patch.as_deref().map_or(0, json_bytes);
        if bytes > PATCHES_BYTES_MAX && !files.is_empty() {
            next_after = files.last().map(|last: &FileDiff| last.path.clone());
            break;
        }
        files.push(file);
        if files.len() == page && rest.peek().is_some() {
            next_after = Some(path.clone());
            break;
        }
    }
    let from = from.map(|(oid, ..)| oid.to_string());
    Ok(DiffPage { from, to: Some(to.to_string()), files, next_after })
}

fn differing(
    old: &BTreeMap<String, Oid>,
    new: &BTreeMap<String, Oid>,
) -> BTreeMap<String, Versions> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let versions = paths.into_iter().map(|path| {
        let versions = Versions { from: old.get(path).copied(), to: new.get(path).copied() };
        (path.clone(), versions)
    });
    versions.filter(|(_, versions)| versions.from != versions.to).collect()
}

async fn compare(
    edge: &Edge,
    project: SessionId,
    path: &str,
    versions: Versions,
) -> Result<FileDiff> {
    let Versions { from, to } = versions;
    let change = match (from, to) {
        (None, _) => FileChange::Added,
        (_, None) => FileChange::Removed,
        (Some(_), Some(_)) => FileChange::Changed,
    };
    let (old, new) = (text(edge, project, from).await?, text(edge, project, to).await?);
    let name = path.to_owned();
    // A comparison of long files takes its time: not on a thread that serves sockets.
    let patch = tokio::task::spawn_blocking(move || patch(&name, change, &old, &new)).await;
    let patch = patch.ok().flatten().filter(|patch| json_bytes(patch) <= PATCHES_BYTES_MAX);
    let id = |oid: Option<Oid>| oid.map(|oid| oid.to_string());
    Ok(FileDiff { path: path.to_owned(), change, from_oid: id(from), to_oid: id(to), patch })
}

async fn text(edge: &Edge, project: SessionId, oid: Option<Oid>) -> Result<Bytes> {
    let Some(oid) = oid else { return Ok(Bytes::new()) };
    let store = &*edge.node.store;
    project::read_object(store, project, oid, ObjectKind::Blob).await.map_err(unavailable)
}

/// A patch as git writes it; none where a version is no text.
fn patch(path: &str, change: FileChange, old: &[u8], new: &[u8]) -> Option<String> {
    let (old, new) = (std::str::from_utf8(old).ok()?, std::str::from_utf8(new).ok()?);
    let side = |letter: char| quoted(&format!("{letter}/{path}"));
    let (a, b) = (side('a'), side('b'));
    let mut patch = format!("diff --git {a} {b}\n");
    let (mut from, mut to) = (a, b);
    match change {
        FileChange::Added => {
            patch.push_str("new file mode 100644\n");
            "/dev/null".clone_into(&mut from);
        }
        FileChange::Removed => {
            patch.push_str("deleted file mode 100644\n");
            "/dev/null".clone_into(&mut to);
        }
        FileChange::Changed => {}
    }
    let mut config = TextDiff::configure();
    config.algorithm(Algorithm::Patience).timeout(COMPARE_TIMEOUT);
    let diff = config.diff_lines(old, new);
    let mut unified = diff.unified_diff();
    let _ = write!(patch, "{}", unified.context_radius(CONTEXT_LINES).header(&from, &to));
    Some(patch)
}

/// A name as git quotes it in a patch.
fn quoted(name: &str) -> String {
    if !name.contains(['"', '\\']) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_the_form_that_git_writes() {
        let changed = patch("a.txt", FileChange::Changed, b"1\n2\n3\n", b"1\ntwo\n3").unwrap();
        assert_eq!(
            changed,
            "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n 1\n-2\n-3\n\
             +two\n+3\n\\ No newline at end of file\n"
        );
        let added = patch("e", FileChange::Added, b"", b"").unwrap();
        assert_eq!(added, "diff --git a/e b/e\nnew file mode 100644\n");
        let removed = patch("q\"", FileChange::Removed, b"x\n", b"").unwrap();
        assert!(
            removed.contains("--- \"a/q\\\"\"\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"),
            "{removed}"
        );
        assert_eq!(patch("b", FileChange::Changed, b"\xff", b""), None);
    }

    #[test]
    fn a_comparison_of_long_files_ends() {
        let lines = |salt: u32| -> String {
            (0..60_000u32).map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761) ^ salt)).collect()
        };
        let patch = patch("big", FileChange::Changed, lines(0).as_bytes(), lines(1).as_bytes());
        assert!(patch.unwrap().lines().count() > 100_000);
    }
}
