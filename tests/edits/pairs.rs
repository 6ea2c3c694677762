//! Real files before and after a change, made when a test asks for them: from this project's own
//! history, and from released versions of packages that their own clients fetch.

use crate::server::output;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Crates, and two of their versions.
const CRATES: [(&str, &str, &str); 6] = [
    ("anyhow", "1.0.66", "1.0.98"),
    ("smallvec", "1.10.0", "1.15.0"),
    ("either", "1.8.0", "1.15.0"),
    ("semver", "1.0.14", "1.0.26"),
    ("bitflags", "2.3.0", "2.9.0"),
    ("memchr", "2.5.0", "2.7.4"),
];

/// Packages of npm without dependencies, and two of their versions.
const PACKAGES: [(&str, &str, &str); 3] = [
    ("commander", "10.0.0", "12.1.0"),
    ("marked", "9.1.0", "12.0.0"),
    ("preact", "10.15.0", "10.24.0"),
];

/// Larger files are left out, in bytes: they are mostly made by machines.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// A file before and after a change.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// All pairs there are; what can't be had is said aloud.
pub(super) async fn all() -> Vec<Pair> {
    let mut pairs = of_history().await;
    let folder = tempfile::tempdir().unwrap();
    for (name, old, new) in CRATES {
        let vendor = async |version| vendored(folder.path(), name, version).await;
        match (vendor(old).await, vendor(new).await) {
            (Some(old), Some(new)) => pairs.extend(of_folders(name, &old, &new)),
            _ => println!("skipped: the crate {name}: cargo could not fetch both versions"),
        }
    }
    for (name, old, new) in PACKAGES {
        let install = async |version| installed(folder.path(), name, version).await;
        match (install(old).await, install(new).await) {
            (Some(old), Some(new)) => pairs.extend(of_folders(name, &old, &new)),
            _ => println!("skipped: the package {name}: npm could not fetch both versions"),
        }
    }
    pairs
}

/// Text files of both folders that differ.
fn of_folders(name: &str, old: &Path, new: &Path) -> Vec<Pair> {
    let (old, new) = (crate::server::files_below(old), crate::server::files_below(new));
    let pair = |(path, after): (String, Vec<u8>)| {
        pair(format!("{name}/{path}"), old.get(&path)?.clone(), after)
    };
    new.into_iter().filter_map(pair).collect()
}

fn pair(name: String, before: Vec<u8>, after: Vec<u8>) -> Option<Pair> {
    let small = before.len().max(after.len()) <= FILE_BYTES_MAX;
    let (before, after) = (String::from_utf8(before).ok()?, String::from_utf8(after).ok()?);
    let text = !before.contains('\0') && !before.is_empty() && before != after;
    (small && text).then_some(Pair { name, before, after })
}

/// The folder of a crate's version, as cargo vendors it.
async fn vendored(folder: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let project = folder.join(format!("{name}-{version}"));
    fs::create_dir_all(project.join("src")).unwrap();
    fs::write(project.join("src/lib.rs"), "").unwrap();
    let manifest = format!(
        "[package]\nname = \"pair\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n\
         [dependencies.{name}]\nversion = \"={version}\"\ndefault-features = false\n"
    );
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["vendor", "--quiet", "vendor"]).current_dir(&project);
    succeeds(command).await.then(|| project.join("vendor").join(name))
}

/// The folder of a package's version, as npm installs it.
async fn installed(folder: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let place = folder.join(format!("npm-{name}-{version}"));
    fs::create_dir_all(&place).unwrap();
    let mut command = Command::new("npm");
    command.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]);
    command.arg("--prefix").arg(&place).arg(format!("{name}@{version}")).current_dir(&place);
    succeeds(command).await.then(|| place.join("node_modules").join(name))
}

/// Whether a command that fetches something does so in time.
async fn succeeds(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let Ok(mut child) = command.spawn() else { return false };
    let ended = tokio::time::timeout(crate::server::WAIT_MAX, child.wait()).await;
    matches!(ended, Ok(Ok(status)) if status.success())
}

/// Every change of a file in this project's history.
async fn of_history() -> Vec<Pair> {
    let git = async |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(args);
        let output = output(&mut command).await;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let shallow = git(&["rev-parse", "--is-shallow-repository"]).await;
    match shallow.as_deref().map(str::trim) {
        Some("false") => {}
        Some(_) => println!("skipped: most of the history: this clone is shallow"),
        None => {
            println!("skipped: the history: git says that this is no clone");
            return Vec::new();
        }
    }
    let log = ["log", "--no-merges", "--no-renames", "--diff-filter=M", "--raw", "--no-abbrev"];
    let log = git(&[&log[..], &["--format=", "-n", "400"]].concat()).await.unwrap_or_default();
    // ":100644 100644 OLD NEW M\tPATH"
    let changes: Vec<(String, String, String)> = log
        .lines()
        .filter_map(|line| {
            let (about, path) = line.split_once('\t')?;
            let ids: Vec<&str> = about.split(' ').collect();
            Some((path.to_owned(), (*ids.get(2)?).to_owned(), (*ids.get(3)?).to_owned()))
        })
        .filter(|(path, ..)| !path.ends_with(".lock"))
        .collect();
    let blobs = blobs(changes.iter().flat_map(|(_, old, new)| [old, new])).await;
    let pairs = changes.iter().filter_map(|(path, old, new)| {
        let name = format!("{path} at {}", new.get(..8)?);
        pair(name, blobs.get(old)?.clone(), blobs.get(new)?.clone())
    });
    pairs.collect()
}

/// Contents of blobs by their ids, asked for in one go.
async fn blobs(ids: impl Iterator<Item = &String>) -> BTreeMap<String, Vec<u8>> {
    let asked: String = ids.map(|id| format!("{id}\n")).collect();
    let mut child = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let write = async move {
        stdin.write_all(asked.as_bytes()).await.unwrap();
        drop(stdin);
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), write);
    let bytes = output.unwrap().stdout;
    let (mut rest, mut blobs) = (bytes.as_slice(), BTreeMap::new());
    // "ID blob LENGTH\n", the contents, "\n"
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let mut words = head.split(' ');
        let (id, len) = (words.next().unwrap(), words.nth(1).map(|len| len.parse::<usize>()));
        let Some(Ok(len)) = len else { break };
        blobs.insert(id.to_owned(), rest[end + 1..end + 1 + len].to_vec());
        rest = &rest[end + 2 + len..];
    }
    blobs
}
