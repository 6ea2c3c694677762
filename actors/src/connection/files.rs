//! `files.list` and `files.get`: git objects as clients see them.

use super::{
    calls::{owned, unavailable},
    serve::Edge,
};
use crate::{
    port::{ObjectKind, Oid, Principal, SessionRow},
    run::{project, tree::Commit},
    session::{Answer, command::Command},
};
use bytes::Bytes;
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    id::SessionId,
    limit::PAGE_ITEMS_MAX,
    method::{FileInfo, FilePage, FileSlice, FilesGet, FilesList},
};
use std::{collections::BTreeMap, ops::Bound};

/// Most text of one slice, in bytes of JSON.
const SLICE_BYTES_MAX: usize = 24 * 1024;

type Result<T> = std::result::Result<T, ErrorBody>;

/// All files of one commit, each read when it is wanted.
#[derive(Clone, Debug)]
pub struct Tree {
    edge: Edge,
    project: SessionId,
    commit: Oid,
    time_secs: u64,
    files: BTreeMap<String, Oid>,
}

impl Tree {
    /// The commit that is asked for, or the head; `None` where nothing was committed yet.
    ///
    /// # Errors
    /// What to tell the client.
    pub(crate) async fn open(
        edge: Edge,
        principal: Principal,
        session: SessionId,
        asked: Option<&str>,
    ) -> Result<Option<Self>> {
        let row = owned(&edge, principal, session).await?;
        let Some((oid, found, _)) = commit(&edge, &row, asked).await? else { return Ok(None) };
        let (store, project) = (&*edge.node.store, row.project());
        let files = project::walk(store, project, found.tree).await.map_err(unavailable)?;
        Ok(Some(Self { edge, project, commit: oid, time_secs: found.time_secs, files }))
    }

    /// The commit.
    #[must_use]
    pub const fn commit(&self) -> Oid {
        self.commit
    }

    /// When it was made, in seconds since 1970.
    #[must_use]
    pub const fn time_secs(&self) -> u64 {
        self.time_secs
    }

    /// Paths and ids of contents, by path. Paths are relative, without `..`, and safe on every
    /// system: the engine refuses others before it commits them.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<String, Oid> {
        &self.files
    }

    /// The id of a file's contents.
    ///
    /// # Errors
    /// `file_not_found`.
    pub fn find(&self, path: &str) -> Result<Oid> {
        self.files.get(path).copied().ok_or_else(|| not_found("file"))
    }

    /// Contents by their id, which must be one of [`Tree::files`].
    ///
    /// # Errors
    /// What to tell the client.
    pub async fn read(&self, oid: Oid) -> Result<Bytes> {
        let store = &*self.edge.node.store;
        let read = project::read_object(store, self.project, oid, ObjectKind::Blob).await;
        read.map_err(unavailable)
    }
}

pub(super) fn not_found(what: &str) -> ErrorBody {
    let message = format!("no such {what} in this session; see files.list");
    ErrorBody::new(Code::NotFound, Reason::FileNotFound, message)
}

/// The session's last commit, from its row or, while a run is under way, from its actor.
pub(super) async fn head(edge: &Edge, session: SessionId) -> Result<Option<String>> {
    let row = edge.node.store.session(session).await.map_err(unavailable)?;
    let row = row.ok_or_else(ErrorBody::session_not_found)?;
    let answered = edge.sessions.call(session, row.user, Command::Get).await?;
    match answered.answer {
        Answer::Info(info) => Ok(info.commit),
        Answer::Accepted(_)
        | Answer::Cancelled(_)
        | Answer::Responded(_)
        | Answer::Taken
        | Answer::Moved => Ok(None),
    }
}

/// The commit that is asked for, or the head; `None` where nothing was committed yet.
///
/// A commit is looked up among the project's own objects, so another project's is not found.
pub(super) async fn commit(
    edge: &Edge,
    row: &SessionRow,
    asked: Option<&str>,
) -> Result<Option<(Oid, Commit, Bytes)>> {
    let text = match asked {
        Some(text) => Some(text.to_owned()),
        None => head(edge, row.session).await?,
    };
    let Some(text) = text else { return Ok(None) };
    let oid: Oid = text.parse().map_err(|_| not_found("commit"))?;
    let object = edge.node.store.object(row.project(), oid).await.map_err(unavailable)?;
    let object = object.filter(|object| object.kind == ObjectKind::Commit);
    let bytes = object.ok_or_else(|| not_found("commit"))?.bytes;
    let commit = Commit::decode(&bytes).map_err(|_| ErrorBody::internal())?;
    Ok(Some((oid, commit, bytes)))
}

/// `files.list`.
pub(super) async fn list(edge: &Edge, row: &SessionRow, list: &FilesList) -> Result<FilePage> {
    let Some((oid, commit, text)) = commit(edge, row, list.commit.as_deref()).await? else {
        return Ok(FilePage { commit: None, files: Vec::new(), next_after: None, object: None });
    };
    let (store, project) = (&*edge.node.store, row.project());
    let all = project::walk(store, project, commit.tree).await.map_err(unavailable)?;
    let after = list.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = all.range::<String, _>((after, Bound::Unbounded));
    let mut files = Vec::new();
    let page = usize::try_from(PAGE_ITEMS_MAX).unwrap_or(100);
    for (path, oid) in rest.by_ref().take(page) {
        files.push(info(edge, project, path, *oid).await?.0);
    }
    let more = rest.next().is_some();
    let next_after = files.last().filter(|_| more).map(|file| file.path.clone());
    let is_first = list.after.is_none();
    let object = is_first.then(|| String::from_utf8_lossy(&text).into_owned());
    Ok(FilePage { commit: Some(oid.to_string()), files, next_after, object })
}

/// `files.get`.
pub(super) async fn get(edge: &Edge, row: &SessionRow, get: &FilesGet) -> Result<FileSlice> {
    let found = commit(edge, row, get.commit.as_deref()).await?;
    let (commit_oid, commit, _) = found.ok_or_else(|| not_found("commit"))?;
    let (store, project) = (&*edge.node.store, row.project());
    let all = project::walk(store, project, commit.tree).await.map_err(unavailable)?;
    let oid = all.get(&get.path).ok_or_else(|| not_found("file"))?;
    let (file, bytes) = info(edge, project, &get.path, *oid).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ErrorBody::internal())?;
    let rest = usize::try_from(get.offset).ok().and_then(|offset| text.get(offset..));
    let rest = rest.ok_or_else(|| {
        let message = "offset lies beyond the file or within a character; use next_offset";
        ErrorBody::new(Code::InvalidArgument, Reason::Malformed, message)
    })?;
    let slice = slice(rest);
    let end = get.offset + slice.len() as u64;
    Ok(FileSlice {
        commit: commit_oid.to_string(),
        offset: get.offset,
        text: slice.to_owned(),
        next_offset: (end < file.bytes).then_some(end),
        file,
    })
}

async fn info(edge: &Edge, project: SessionId, path: &str, oid: Oid) -> Result<(FileInfo, Bytes)> {
    let store = &*edge.node.store;
    let bytes = project::read_object(store, project, oid, ObjectKind::Blob).await;
    let bytes = bytes.map_err(unavailable)?;
    let info = FileInfo { path: path.to_owned(), oid: oid.to_string(), bytes: bytes.len() as u64 };
    Ok((info, bytes))
}

/// Length of a text as JSON, without its quotes.
pub(super) fn json_bytes(text: &str) -> usize {
    text.chars().map(json_cost).sum()
}

fn json_cost(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    }
}

/// As much text as fits a slice once it is JSON.
fn slice(text: &str) -> &str {
    let mut bytes = 0;
    let end = text.char_indices().find(|(_, c)| {
        bytes += json_cost(*c);
        bytes > SLICE_BYTES_MAX
    });
    text.get(..end.map_or(text.len(), |(at, _)| at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_ends_between_characters_and_fits_as_json() {
        let text = "é\u{1}\"x".repeat(SLICE_BYTES_MAX);
        let slice = slice(&text);
        assert!(serde_json::to_string(slice).unwrap().len() <= SLICE_BYTES_MAX + 2);
        assert!(slice.len() > SLICE_BYTES_MAX / 6);
        assert_eq!(super::slice("short"), "short");
    }
}
