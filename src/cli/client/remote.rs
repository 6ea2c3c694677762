//! Files of a session as the server gives them: pages of names, slices of contents. Everything
//! is checked against its git id, so that what arrives is what was committed.

use crate::failure::Failure;
use greenroom_actors::{
    port::{ObjectKind, Oid},
    run::{
        artifact::check_path,
        tree::{FileEntry, Files, object_id},
    },
};
use greenroom_protocol::method::{FileInfo, FilePage, FileSlice, FilesGet, FilesList};

/// Most files of one commit that are taken from a server.
const FILES_MAX: usize = 100_000;

/// Largest file that is taken from a server, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Answers `files.list` and `files.get` of one session.
pub(super) trait Source {
    /// One page of the files of a commit.
    async fn list(&mut self, list: FilesList) -> Result<FilePage, Failure>;
    /// One slice of a file.
    async fn get(&mut self, get: FilesGet) -> Result<FileSlice, Failure>;
}

/// All files of one commit.
#[derive(Debug)]
pub(super) struct Listing {
    /// The commit.
    pub(super) commit: Oid,
    /// Text of the commit object, checked against its id.
    pub(super) object: Option<String>,
    /// The files.
    pub(super) files: Files,
}

/// All files of a commit, or of the head; none where nothing was committed yet.
///
/// # Errors
/// What the source says, or [`Failure::Failed`] where its answers make no sense.
pub(super) async fn listing(
    source: &mut impl Source,
    commit: Option<Oid>,
) -> Result<Option<Listing>, Failure> {
    let mut wanted = commit.map(|oid| oid.to_string());
    let mut page = source.list(FilesList { commit: wanted.clone(), after: None }).await?;
    let Some(answered) = page.commit.clone() else { return Ok(None) };
    if wanted.as_ref().is_some_and(|wanted| *wanted != answered) {
        return Err(nonsense("another commit than the one asked for"));
    }
    let oid = parse_oid(&answered)?;
    let object = page.object.take();
    if object.as_ref().is_some_and(|text| object_id(ObjectKind::Commit, text.as_bytes()) != oid) {
        return Err(nonsense("a commit whose text has another id"));
    }
    wanted = Some(answered);
    let mut listing = Listing { commit: oid, object, files: Files::new() };
    loop {
        let before = listing.files.len();
        for file in &page.files {
            add(&mut listing.files, file)?;
        }
        let Some(after) = page.next_after else { return Ok(Some(listing)) };
        if listing.files.len() == before || listing.files.len() > FILES_MAX {
            return Err(nonsense("a list of files that does not end"));
        }
        page = source.list(FilesList { commit: wanted.clone(), after: Some(after) }).await?;
        if page.commit != wanted {
            return Err(nonsense("pages of different commits"));
        }
    }
}

fn add(files: &mut Files, file: &FileInfo) -> Result<(), Failure> {
    check_path(&file.path)
        .map_err(|error| nonsense(&format!("the path {:?}: {error}", file.path)))?;
    let entry = FileEntry { oid: parse_oid(&file.oid)?, bytes: file.bytes };
    files.insert(file.path.clone(), entry);
    Ok(())
}

/// The contents of a file of a commit.
///
/// # Errors
/// What the source says, or [`Failure::Failed`] where the contents are not those of the listing.
pub(super) async fn contents(
    source: &mut impl Source,
    commit: Oid,
    path: &str,
    entry: FileEntry,
) -> Result<Vec<u8>, Failure> {
    if entry.bytes > FILE_BYTES_MAX {
        return Err(nonsense(&format!("{path} with {} bytes", entry.bytes)));
    }
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let get = FilesGet { path: path.to_owned(), commit: Some(commit.to_string()), offset };
        let slice = source.get(get).await?;
        bytes.extend_from_slice(slice.text.as_bytes());
        let held = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match slice.next_offset {
            Some(next) if next == held && next > offset && held <= entry.bytes => {}
            None if object_id(ObjectKind::Blob, &bytes) == entry.oid => return Ok(bytes),
            _ => return Err(nonsense(&format!("{path} with other contents than its id says"))),
        }
    }
}

pub(super) fn nonsense(what: &str) -> Failure {
    Failure::Failed(format!("the server sent {what}; try again, and report it if it stays"))
}

pub(super) fn parse_oid(text: &str) -> Result<Oid, Failure> {
    text.parse().map_err(|_| nonsense("an id that is no git id"))
}

#[cfg(test)]
pub(super) mod fake {
    use super::*;
    use bytes::Bytes;
    use greenroom_actors::run::tree::{Commit, build_folders, object};
    use greenroom_protocol::id::RunId;
    use std::collections::BTreeMap;

    /// A session with commits, in memory; pages of two files, slices of five bytes.
    #[derive(Debug, Default)]
    pub(in super::super) struct FakeSource {
        pub(in super::super) commits: BTreeMap<Oid, (String, BTreeMap<String, String>)>,
        pub(in super::super) head: Option<Oid>,
        /// Contents that are answered instead of the true ones.
        pub(in super::super) lies: BTreeMap<String, String>,
    }

    impl FakeSource {
        pub(in super::super) fn commit(&mut self, files: &[(&str, &str)]) -> Oid {
            let mut entries = Files::new();
            for (path, text) in files {
                let blob = object(ObjectKind::Blob, Bytes::from((*text).to_owned()));
                let bytes = u64::try_from(text.len()).unwrap();
                entries.insert((*path).to_owned(), FileEntry { oid: blob.oid, bytes });
            }
            let tree = build_folders(&entries).root;
            let run = RunId::new(uuid::Uuid::nil());
            let time = 1_700_000_000 + u64::try_from(self.commits.len()).unwrap();
            let commit = Commit::new(tree, self.head, time, "a prompt", run).encode();
            let text = String::from_utf8(commit.bytes.to_vec()).unwrap();
            let files = files.iter().map(|(path, text)| ((*path).into(), (*text).into()));
            self.commits.insert(commit.oid, (text, files.collect()));
            self.head = Some(commit.oid);
            commit.oid
        }

        fn at(&self, commit: Option<&str>) -> (Oid, &(String, BTreeMap<String, String>)) {
            let oid = commit.map_or_else(|| self.head.unwrap(), |oid| oid.parse().unwrap());
            (oid, &self.commits[&oid])
        }

        fn info(path: &str, text: &str) -> FileInfo {
            let oid = object_id(ObjectKind::Blob, text.as_bytes()).to_string();
            FileInfo { path: path.to_owned(), oid, bytes: text.len().try_into().unwrap() }
        }
    }

    impl Source for FakeSource {
        async fn list(&mut self, list: FilesList) -> Result<FilePage, Failure> {
            tokio::task::yield_now().await;
            if self.head.is_none() {
                return Ok(FilePage {
                    commit: None,
                    files: Vec::new(),
                    next_after: None,
                    object: None,
                });
            }
            let (oid, (object, files)) = self.at(list.commit.as_deref());
            let after = list.after.clone().unwrap_or_default();
            let mut rest = files.iter().filter(|(path, _)| **path > after);
            let page: Vec<_> =
                rest.by_ref().take(2).map(|(path, text)| Self::info(path, text)).collect();
            let next_after = rest.next().and_then(|_| page.last()).map(|file| file.path.clone());
            let object = list.after.is_none().then(|| object.clone());
            Ok(FilePage { commit: Some(oid.to_string()), files: page, next_after, object })
        }

        async fn get(&mut self, get: FilesGet) -> Result<FileSlice, Failure> {
            tokio::task::yield_now().await;
            let (oid, (_, files)) = self.at(get.commit.as_deref());
            let text = &files[&get.path];
            let file = Self::info(&get.path, text);
            let text = self.lies.get(&get.path).unwrap_or(text);
            let offset = usize::try_from(get.offset).unwrap();
            let end = (offset + 5).min(text.len());
            let next_offset = (end < text.len()).then(|| end.try_into().unwrap());
            let text = text[offset..end].to_owned();
            Ok(FileSlice { commit: oid.to_string(), file, offset: get.offset, text, next_offset })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{fake::FakeSource, *};

    #[tokio::test]
    async fn a_listing_gathers_all_pages_and_contents_all_slices() {
        let mut source = FakeSource::default();
        let long = "twelve bytes";
        let head = source.commit(&[("a", "1"), ("b/c", ""), ("b/d", long), ("e", "x"), ("f", "y")]);

        let listing = listing(&mut source, None).await.unwrap().unwrap();
        assert_eq!(listing.commit, head);
        assert_eq!(listing.files.keys().collect::<Vec<_>>(), ["a", "b/c", "b/d", "e", "f"]);
        for (path, text) in [("b/c", ""), ("b/d", long)] {
            let bytes = contents(&mut source, head, path, listing.files[path]).await.unwrap();
            assert_eq!(bytes, text.as_bytes());
        }
    }

    #[tokio::test]
    async fn nothing_committed_is_no_listing() {
        assert!(listing(&mut FakeSource::default(), None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn contents_that_do_not_fit_their_id_are_refused() {
        for lie in ["other stuff", "", "twelve bytes and more"] {
            let mut source = FakeSource::default();
            let head = source.commit(&[("a", "twelve bytes")]);
            source.lies.insert("a".into(), lie.into());
            let listing = listing(&mut source, None).await.unwrap().unwrap();
            let error = contents(&mut source, head, "a", listing.files["a"]).await.unwrap_err();
            assert!(error.to_string().contains("other contents"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_path_that_leaves_the_project_is_refused() {
        for path in ["../a", "/etc/passwd", ".git/config", "a/../../b"] {
            let mut source = FakeSource::default();
            source.commit(&[(path, "x")]);
            let error = listing(&mut source, None).await.unwrap_err();
            assert!(error.to_string().contains("the path"), "{error}");
        }
    }
}
