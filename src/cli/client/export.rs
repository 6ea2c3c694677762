//! `greenroom client export`: all commits of a session as a bare git repository.

use super::remote::{Source, contents, listing, nonsense};
use crate::{
    failure::Failure,
    git::{BareRepository, GitError},
};
use greenroom_actors::{
    port::{ObjectKind, Oid},
    run::tree::{Commit, build_folders},
};
use std::{collections::BTreeSet, path::Path};

/// Most commits that are taken from a server.
const COMMITS_MAX: usize = 100_000;

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exported {
    /// The head.
    pub(super) head: Oid,
    /// Number of commits.
    pub(super) commits: usize,
    /// Number of objects, commits included.
    pub(super) objects: usize,
}

/// Walks the commits from the head to the first one and writes all their objects.
///
/// # Errors
/// [`Failure::Failed`] where nothing was committed, where the server's answers make no sense, or
/// where the folder cannot be written.
pub(super) async fn export(source: &mut impl Source, place: &Path) -> Result<Exported, Failure> {
    let repository = BareRepository::create(place).map_err(git)?;
    let mut known = BTreeSet::new();
    let mut next = None;
    let mut head = None;
    let mut commits = 0;
    loop {
        let Some(listing) = listing(source, next).await? else {
            let what = "the session has no commit yet; export it after a run has written files";
            return Err(Failure::Failed(what.to_owned()));
        };
        let Some(text) = listing.object else {
            return Err(nonsense("no commit object with its files"));
        };
        let commit = Commit::decode(text.as_bytes())
            .map_err(|_| nonsense("a commit object that cannot be read"))?;
        let folders = build_folders(&listing.files);
        if folders.root != commit.tree {
            return Err(nonsense("other files than those of the commit"));
        }
        for (path, entry) in &listing.files {
            if known.insert(entry.oid) {
                let bytes = contents(source, listing.commit, path, *entry).await?;
                repository.put(ObjectKind::Blob, entry.oid, &bytes).map_err(git)?;
            }
        }
        for (oid, folder) in folders.objects {
            if known.insert(oid) {
                repository.put(ObjectKind::Tree, oid, &folder.bytes).map_err(git)?;
            }
        }
        if !known.insert(listing.commit) || commits >= COMMITS_MAX {
            return Err(nonsense("a history that does not end"));
        }
        repository.put(ObjectKind::Commit, listing.commit, text.as_bytes()).map_err(git)?;
        commits += 1;
        let head = *head.get_or_insert(listing.commit);
        match commit.parents.as_slice() {
            [] => {
                repository.finish(head).map_err(git)?;
                return Ok(Exported { head, commits, objects: known.len() });
            }
            [parent] => next = Some(*parent),
            _ => return Err(nonsense("a commit with several parents")),
        }
    }
}

fn git(error: GitError) -> Failure {
    Failure::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::remote::fake::FakeSource, *};
    use std::process::Command;

    /// Runs git; its output, or none where this machine has no git.
    fn run_git(args: &[&str]) -> Option<String> {
        match Command::new("git").args(args).output() {
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "git {args:?}: {errors}");
                assert!(!errors.contains("warning"), "git {args:?}: {errors}");
                Some(String::from_utf8(output.stdout).unwrap())
            }
            Err(_) => {
                eprintln!("skipped: this machine has no git, so that nothing can check the export");
                None
            }
        }
    }

    fn session() -> FakeSource {
        let mut source = FakeSource::default();
        source.commit(&[("index.html", "<p>1</p>\n"), ("src/app.js", "let a = 1;\n")]);
        source.commit(&[
            ("index.html", "<p>2</p>\n"),
            ("src/app.js", "let a = 1;\n"),
            ("src-old/x", ""),
            ("src.txt", "sorts between src-old and src\n"),
        ]);
        source.commit(&[("näme with space.md", "# Ünïcode 日本\n")]);
        source
    }

    #[tokio::test]
    async fn git_finds_nothing_wrong_with_an_export_and_clones_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("repo.git");
        let mut source = session();

        let exported = export(&mut source, &place).await.unwrap();
        assert_eq!(Some(exported.head), source.head);
        // 3 commits, 2 + 2 + 1 folders of which src is shared, 2 + 3 + 1 files.
        assert_eq!((exported.commits, exported.objects), (3, 3 + 5 + 6));

        let place = place.to_str().unwrap();
        let Some(fsck) = run_git(&["-C", place, "fsck", "--strict", "--no-dangling"]) else {
            return;
        };
        assert_eq!(fsck, "");
        let clone = folder.path().join("clone");
        run_git(&["clone", "-q", place, clone.to_str().unwrap()]).unwrap();
        let text = std::fs::read_to_string(clone.join("näme with space.md")).unwrap();
        assert_eq!(text, "# Ünïcode 日本\n");
        let log = run_git(&["-C", place, "log", "--format=%H %s", "main"]).unwrap();
        assert_eq!(log.lines().count(), 3);
        assert!(log.starts_with(&exported.head.to_string()), "{log}");
        let old = run_git(&["-C", place, "show", "main~1:index.html"]).unwrap();
        assert_eq!(old, "<p>2</p>\n");
    }

    #[tokio::test]
    async fn a_damaged_blob_or_commit_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("repo.git");
        let mut source = session();
        source.lies.insert("src/app.js".into(), "let a = 2;\n".into());
        assert!(export(&mut source, &place).await.is_err());

        let mut source = session();
        let head = source.head.unwrap();
        source.commits.get_mut(&head).unwrap().0.push_str("changed");
        let error = export(&mut source, &place).await.unwrap_err();
        assert!(error.to_string().contains("another id"), "{error}");

        let mut source = session();
        let head = source.head.unwrap();
        source.commits.get_mut(&head).unwrap().1.insert("more".into(), "x".into());
        let error = export(&mut source, &place).await.unwrap_err();
        assert!(error.to_string().contains("other files"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_session_without_commits_cannot_be_exported() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("repo.git");
        let error = export(&mut FakeSource::default(), &place).await.unwrap_err();
        assert!(error.to_string().contains("no commit yet"), "{error}");
        assert!(!place.exists());
    }
}
