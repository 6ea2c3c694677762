use super::*;
use greenroom_actors::run::tree::FileEntry;
use uuid::Uuid;

fn session(n: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(n))
}

fn files(files: &[(&str, &str)]) -> Files {
    let entry = |text: &str| FileEntry {
        oid: object_id(ObjectKind::Blob, text.as_bytes()),
        bytes: u64::try_from(text.len()).unwrap(),
    };
    files.iter().map(|(path, text)| ((*path).to_owned(), entry(text))).collect()
}

/// Does what a plan says, as `generate` does.
fn bring(folder: &mut Folder, wanted: &[(&str, &str)]) -> BTreeMap<String, Step> {
    let listed = files(wanted);
    let steps = folder.plan(&listed).unwrap();
    for (path, step) in &steps {
        match step {
            Step::Write => {
                let (_, text) = wanted.iter().find(|(name, _)| name == path).unwrap();
                folder.write(path, text.as_bytes()).unwrap();
            }
            Step::Remove => folder.remove(path).unwrap(),
            Step::Same | Step::Keep => {}
        }
    }
    folder.remember(Oid([1; 20]), &listed, &steps).unwrap();
    steps
}

#[test]
fn a_second_generation_of_the_same_session_changes_only_what_differs() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("out");
    let mut folder = Folder::open(&root, session(1), false).unwrap();
    bring(&mut folder, &[("a", "1"), ("deep/er/b", "2"), ("c", "3")]);

    let mut folder = Folder::open(&root, session(1), false).unwrap();
    let steps = bring(&mut folder, &[("a", "1"), ("c", "other")]);
    assert_eq!(steps["a"], Step::Same);
    assert_eq!(steps["c"], Step::Write);
    assert_eq!(steps["deep/er/b"], Step::Remove);
    assert_eq!(fs::read_to_string(root.join("c")).unwrap(), "other");
    assert!(!root.join("deep").exists(), "empty folders go with their files");
}

#[test]
fn what_the_user_changed_stays_unless_it_is_forced() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    let mut folder = Folder::open(root, session(1), false).unwrap();
    bring(&mut folder, &[("mine", "1"), ("gone", "2")]);
    fs::write(root.join("mine"), "edited").unwrap();
    fs::write(root.join("gone"), "edited").unwrap();
    fs::write(root.join("new"), "by hand").unwrap();

    let wanted = [("mine", "3"), ("new", "4")];
    let mut folder = Folder::open(root, session(1), false).unwrap();
    let steps = bring(&mut folder, &wanted);
    assert!(steps.values().all(|step| *step == Step::Keep), "{steps:?}");
    // Kept once is kept again: it did not become ours.
    let steps = bring(&mut folder, &wanted);
    assert_eq!((steps["mine"], steps["new"]), (Step::Keep, Step::Keep));
    assert_eq!(fs::read_to_string(root.join("mine")).unwrap(), "edited");

    let mut folder = Folder::open(root, session(1), true).unwrap();
    bring(&mut folder, &wanted);
    assert_eq!(fs::read_to_string(root.join("mine")).unwrap(), "3");
}

#[test]
fn a_folder_with_other_things_is_refused_unless_it_is_forced() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("x"), "").unwrap();
    let error = Folder::open(place.path(), session(1), false).unwrap_err();
    assert!(matches!(&error, Failure::Usage(text) if text.contains("--force")), "{error}");
    Folder::open(place.path(), session(1), true).unwrap();

    let place = tempfile::tempdir().unwrap();
    bring(&mut Folder::open(place.path(), session(1), false).unwrap(), &[("a", "1")]);
    let error = Folder::open(place.path(), session(2), false).unwrap_err();
    assert!(error.to_string().contains(&format!("--session {}", session(1))), "{error}");
    let file = place.path().join("a");
    assert!(matches!(Folder::open(&file, session(1), true), Err(Failure::Usage(_))));
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let outside = place.path().join("outside");
    let root = place.path().join("root");
    fs::create_dir(&outside).unwrap();
    let folder = Folder::open(&root, session(1), true).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
    fs::create_dir(root.join("folder")).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("folder/link")).unwrap();

    for path in [
        "../outside/x",
        "/tmp/x",
        "a/../../x",
        ".git/hooks/post-checkout",
        "link/x",
        "folder/link/x",
        "link/deeper/x",
        MANIFEST,
        "a\0b",
        "",
    ] {
        assert!(folder.write(path, b"x").is_err(), "{path:?}");
        assert!(folder.plan(&files(&[(path, "x")])).is_err(), "{path:?}");
        assert!(folder.remove(path).is_err(), "{path:?}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(folder.plan(&files(&[("folder", "x")])).is_err(), "a folder is no file");
    assert!(folder.plan(&files(&[("link", "x")])).is_err(), "a link is no file");
}

#[test]
fn a_damaged_manifest_makes_nothing_ours() {
    let place = tempfile::tempdir().unwrap();
    bring(&mut Folder::open(place.path(), session(1), false).unwrap(), &[("a", "1")]);
    fs::write(place.path().join(MANIFEST), "{").unwrap();
    assert!(matches!(Folder::open(place.path(), session(1), false), Err(Failure::Usage(_))));
}
