use super::*;
use crate::{
    port::ObjectKind,
    run::{Change, Changes},
};
use bytes::Bytes;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

fn write(path: &str, content: &str) -> Change {
    Change::Write { path: path.into(), content: content.into() }
}

fn delete(path: &str) -> Change {
    Change::Delete { path: path.into() }
}

fn rename(from: &str, to: &str) -> Change {
    Change::Move { from: from.into(), to: to.into() }
}

fn apply_all(base: &Files, changes: impl IntoIterator<Item = Change>) -> Applied {
    apply(base, &changes.into_iter().collect(), ProjectLimits::default()).unwrap()
}

/// Files whose contents are their paths.
fn files(paths: &[&str]) -> Files {
    apply_all(&Files::new(), paths.iter().map(|path| write(path, path))).files
}

fn paths(applied: &Applied) -> Vec<&str> {
    applied.files.keys().map(String::as_str).collect()
}

fn run() -> RunId {
    RunId::new(uuid::Uuid::from_u128(7))
}

#[test]
fn writes_deletes_and_moves_are_counted_against_what_was_there() {
    let base = files(&["a", "b", "c", "same"]);
    let applied = apply_all(
        &base,
        [write("a", "new"), delete("b"), rename("c", "d/c"), write("same", "same"), write("e", "")],
    );
    assert_eq!(paths(&applied), ["a", "d/c", "e", "same"]);
    assert_eq!((applied.added, applied.changed, applied.removed), (2, 1, 2));
    assert_eq!(applied.blobs.len(), 2, "only contents that are new");
    assert_eq!(applied.warnings, []);
    assert_eq!(applied.files["d/c"], base["c"]);
    assert_eq!(applied.files["e"].bytes, 0);
}

#[test]
fn changes_that_cancel_out_leave_nothing_to_commit() {
    let base = files(&["a"]);
    let applied =
        apply_all(&base, [write("b", "x"), delete("b"), rename("a", "c"), rename("c", "a")]);
    assert!(applied.is_empty());
    assert_eq!((applied.files, applied.blobs), (base, vec![]));
}

#[test]
fn what_is_missing_is_a_warning() {
    let applied = apply_all(&files(&["a"]), [delete("x"), rename("y", "z"), write("../b", "")]);
    assert_eq!(paths(&applied), ["a"]);
    assert!(matches!(
        applied.warnings.as_slice(),
        [Warning::NothingToDelete { .. }, Warning::NothingToMove { .. }, Warning::BadPath { .. }]
    ));
}

#[test]
fn a_path_is_a_file_or_a_folder_and_the_first_one_stays() {
    let base = files(&["a", "b/c"]);
    let applied = apply_all(&base, [write("a/x", ""), write("b", ""), rename("a", "b/c/d")]);
    assert_eq!(paths(&applied), ["a", "b/c"], "the move's file is not lost");
    assert_eq!(applied.warnings.len(), 3);
    let applied = apply_all(&base, [write("a/x", "1"), delete("a"), rename("b/c", "b")]);
    assert_eq!(paths(&applied), ["a/x", "b"], "the file in the way went");
    assert_eq!(applied.warnings, []);
    let applied = apply_all(&Files::new(), [write("n/x", ""), write("n", "")]);
    assert_eq!(paths(&applied), ["n/x"]);
    let applied = apply_all(&base, [rename("a", "a/a"), rename("b/c", "b/c")]);
    assert_eq!(paths(&applied), ["a/a", "b/c"]);
    let applied = apply_all(&base, [write("a-", ""), write("a.b/c", "")]);
    assert_eq!(applied.warnings, [], "names with a common beginning do not conflict");
}

#[test]
fn a_project_has_limits() {
    let base = files(&["a", "b"]);
    let changes: Changes = [write("c", "12345")].into_iter().collect();
    let limits = ProjectLimits { files_max: 2, bytes_max: 100 };
    assert_eq!(
        apply(&base, &changes, limits).unwrap_err(),
        ApplyError::Files { files: 3, limit: 2 }
    );
    let limits = ProjectLimits { files_max: 3, bytes_max: 6 };
    assert_eq!(
        apply(&base, &changes, limits).unwrap_err(),
        ApplyError::Bytes { bytes: 7, limit: 6 }
    );
}

#[test]
fn what_is_no_tree_is_refused() {
    for bytes in [&b"100644 a"[..], b"100644 a\0short", b"a\0xxxxxxxxxxxxxxxxxxxx", b"\xff \0"] {
        assert_eq!(read_folder(bytes), Err(TreeError::Malformed));
    }
    let link = [&b"120000 a\0"[..], &[1; 20]].concat();
    assert!(matches!(read_folder(&link), Err(TreeError::Mode { .. })));
    let slash = [&b"100644 a/b\0"[..], &[1; 20]].concat();
    assert_eq!(read_folder(&slash), Err(TreeError::Malformed));
}

#[test]
fn a_commit_stores_only_what_its_parent_does_not_have() {
    let base = files(&["a/1", "b/2"]);
    let applied = apply_all(&base, [write("a/3", "new")]);
    let first = commit(&base, &applied, Some(Oid([1; 20])), 5, "x", run());
    let kinds: Vec<ObjectKind> = first.objects.iter().map(|object| object.kind).collect();
    use ObjectKind::{Blob, Commit, Tree};
    assert_eq!(kinds, [Blob, Tree, Tree, Commit], "the blob, its folder, the root, the commit");
    assert_eq!(first.objects.last().unwrap().oid, first.oid);
}

fn read_back(folders: &Folders) -> BTreeMap<String, Oid> {
    let mut walk = FileWalk::new(folders.root);
    while let Some(oid) = walk.next_folder() {
        walk.folder(&folders.objects[&oid].bytes).unwrap();
    }
    walk.into_files()
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab](\\.|-|0)?[ab]?", 1..4)
        .prop_map(|names| names.join("/").replace("./", "/").trim_end_matches('.').to_owned())
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (path(), "[xy]{0,2}").prop_map(|(path, content)| Change::Write { path, content }),
        1 => path().prop_map(|path| Change::Delete { path }),
        2 => (path(), path()).prop_map(|(from, to)| Change::Move { from, to }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn folders_read_back_as_the_files_they_hold(
        turns in prop::collection::vec(prop::collection::vec(change(), 0..20), 1..4),
    ) {
        let mut base = Files::new();
        for changes in turns {
            base = apply_all(&base, changes).files;
            let folders = build_folders(&base);
            let expected: BTreeMap<String, Oid> =
                base.iter().map(|(path, entry)| (path.clone(), entry.oid)).collect();
            prop_assert_eq!(read_back(&folders), expected);
            for path in base.keys() {
                let inside = format!("{path}/");
                prop_assert!(!base.keys().any(|other| other.starts_with(&inside)));
            }
        }
    }

    /// Moves and writes to paths that nothing had never lose a file, whatever is in their way.
    #[test]
    fn a_moved_file_is_never_lost(
        base in prop::collection::vec(path(), 0..10),
        steps in prop::collection::vec((any::<bool>(), path(), path()), 0..12),
    ) {
        let base: Vec<&str> = base.iter().map(String::as_str).collect();
        let base = files(&base);
        let steps = steps.into_iter().enumerate().map(|(n, (moves, from, folder))| {
            let to = format!("{folder}/{n}");
            if moves { rename(&from, &to) } else { write(&to, "new") }
        });
        let applied = apply_all(&base, steps);
        for entry in base.values() {
            prop_assert!(applied.files.values().any(|other| other == entry));
        }
    }
}

/// Runs git in a folder with nothing of this machine's settings.
fn git(folder: &Path, args: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", folder)
        .env_remove("GIT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn store(folder: &Path, objects: &[Object]) {
    for object in objects {
        let kind = kind_name(object.kind);
        let id = git(folder, &["hash-object", "-t", kind, "-w", "--stdin"], &object.bytes);
        assert_eq!(id.trim(), object.oid.to_string(), "git gives the same id");
    }
}

#[test]
fn git_itself_takes_the_objects_and_reads_the_files() {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: git_itself_takes_the_objects_and_reads_the_files needs git on the PATH");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    git(folder, &["init", "--quiet", "."], b"");
    let names = [
        "a",
        "a.b/c",
        "a-b",
        "a0",
        "ab/a/b",
        "ab.js",
        "ab-",
        "ab0",
        "b c/d e.txt",
        "é/日本.md",
        "z/y/x/w/v",
        "[id].tsx",
    ];
    let first =
        apply_all(&Files::new(), names.iter().map(|name| write(name, &format!("{name}\n"))));
    let one = commit(&Files::new(), &first, None, 1_700_000_000, "First\nprompt", run());
    store(folder, &one.objects);

    let changes =
        [write("a.b/c", "other\n"), delete("a0"), rename("z/y/x/w/v", "z/v"), delete("a")];
    let second = apply_all(&first.files, changes);
    let two =
        commit(&first.files, &second, Some(one.oid), 1_700_000_060, "zweiter «Wunsch»", run());
    store(folder, &two.objects);
    let third = apply_all(&second.files, second.files.keys().map(|path| delete(path)));
    let three = commit(&second.files, &third, Some(two.oid), 1_700_000_120, "", run());
    store(folder, &three.objects);

    git(folder, &["update-ref", "refs/heads/main", &three.oid.to_string()], b"");
    git(folder, &["fsck", "--full", "--strict", "--no-dangling"], b"");
    for (commit, applied) in [(&one, &first), (&two, &second), (&three, &third)] {
        let listed = git(folder, &["ls-tree", "-r", "-z", &commit.oid.to_string()], b"");
        let listed: BTreeMap<&str, &str> = listed
            .split_terminator('\0')
            .filter_map(|line| line.split_once('\t'))
            .map(|(head, path)| (path, head))
            .collect();
        let expected: BTreeMap<&str, String> = applied
            .files
            .iter()
            .map(|(path, entry)| (path.as_str(), format!("100644 blob {}", entry.oid)))
            .collect();
        assert_eq!(listed, expected.iter().map(|(path, head)| (*path, head.as_str())).collect());
    }
    let log =
        git(folder, &["log", "--format=%s|%ct|%an|%(trailers:key=Run,valueonly)", "main"], b"");
    let expected = format!(
        "Change files|1700000120|Greenroom|{run}\n\nzweiter «Wunsch»|1700000060|Greenroom|{run}\n\n\
         First|1700000000|Greenroom|{run}\n\n",
        run = run()
    );
    assert_eq!(log, expected);
    let content = git(folder, &["show", &format!("{}:b c/d e.txt", two.oid)], b"");
    assert_eq!(content, "b c/d e.txt\n");
}

#[test]
fn git_lists_a_tree_by_the_same_id() {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: git_lists_a_tree_by_the_same_id needs git on the PATH");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    git(folder, &["init", "--quiet", "."], b"");
    let blob = object(ObjectKind::Blob, Bytes::from_static(b"x"));
    store(folder, std::slice::from_ref(&blob));
    let entry = FileEntry { oid: blob.oid, bytes: 1 };
    let files: Files = ["b", "a.txt", "a0", "A"].map(|path| (path.to_owned(), entry)).into();
    let lines: String =
        files.keys().map(|path| format!("100644 blob {}\t{path}\n", blob.oid)).collect();
    let id = git(folder, &["mktree"], lines.as_bytes());
    assert_eq!(id.trim(), build_folders(&files).root.to_string());
}
