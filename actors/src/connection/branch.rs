//! `session.fork` and `session.rollback`: what a session was, and going on from there.

use super::{
    attach,
    calls::{Done, done, owned, unavailable},
    files,
    serve::Edge,
};
use crate::{
    port::{Object, ObjectKind, Oid, Origin, Principal, SessionRow},
    run::tree::{Commit, object},
    session::{
        Answer,
        command::{Command, Rollback},
        past::{self, Past},
    },
};
use bytes::Bytes;
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    id::{CommandId, Seq, SessionId},
    method::SessionFork,
};

/// Tries of a rollback while the session moves on beneath it.
const TRIES: u32 = 4;

type Result<T> = std::result::Result<T, ErrorBody>;

/// What the session was at an entry; none: at its head. Also the entry.
async fn past(edge: &Edge, row: &SessionRow, at: Option<Seq>) -> Result<(Past, Seq)> {
    let lease = edge.sessions.lease(row.session).await?;
    let feed = attach::feed(edge, &lease, row.session).await?;
    let head = feed.view().head;
    let at = at.unwrap_or(head);
    if at == Seq::START || at > head {
        let message = format!("entry {at} is not in the log, which ends at {head}; name one of it");
        return Err(ErrorBody::new(Code::InvalidArgument, Reason::Malformed, message));
    }
    let past = past::at(&feed, &*edge.node.store, row.project(), at).await;
    Ok((past.map_err(unavailable)?, at))
}

async fn put(edge: &Edge, project: SessionId, objects: Vec<Object>) -> Result<()> {
    edge.node.store.put_objects(project, objects).await.map_err(unavailable)
}

/// `session.fork`: a row, one record and a blob, however long the parent's log is.
pub(super) async fn fork(
    edge: &Edge,
    principal: Principal,
    (session, cid): (SessionId, CommandId),
    fork: SessionFork,
) -> Result<Done> {
    let parent = owned(edge, principal, fork.parent).await?;
    // A repeat that names no entry means the one of then, not the head of now.
    let earlier = edge.node.store.session(session).await.map_err(unavailable)?;
    let earlier = earlier.filter(|row| row.cid == cid).and_then(|row| row.origin);
    let at = fork.at.or_else(|| earlier.map(|origin| origin.at));
    let (Past { turns, commit }, at) = past(edge, &parent, at).await?;
    let blob = past::turns_object(&turns);
    let project = parent.project();
    let origin = Origin { parent: parent.session, at, project, commit, turns: blob.oid };
    put(edge, project, vec![blob]).await?;
    let title = fork.title.unwrap_or(parent.title);
    let command = Command::Create { cid, title, origin: Some(origin) };
    done(edge.sessions.call(session, principal.user, command).await?)
}

/// `session.rollback`.
pub(super) async fn roll_back(
    edge: &Edge,
    principal: Principal,
    (session, cid): (SessionId, CommandId),
    to: Seq,
) -> Result<Done> {
    let row = owned(edge, principal, session).await?;
    for _ in 0..TRIES {
        let (Past { turns, commit: files }, to) = past(edge, &row, Some(to)).await?;
        let blob = past::turns_object(&turns);
        let turns_id = blob.oid;
        let parent = files::head(edge, session).await?;
        let (commit, mut objects) =
            restore(edge, &row, (parent.as_deref(), files.as_deref()), to).await?;
        objects.push(blob);
        put(edge, row.project(), objects).await?;
        let rollback = Rollback { to, files, parent, commit, turns, blob: turns_id };
        let command = Command::Rollback { cid, rollback: Box::new(rollback) };
        let answered = edge.sessions.call(session, principal.user, command).await?;
        if answered.answer != Answer::Moved {
            return done(answered);
        }
    }
    let message = "the session keeps moving on; try again in a moment";
    Err(ErrorBody::new(Code::Aborted, Reason::RunBusy, message).retry_after_ms(1000))
}

/// The head of files that has an older commit's tree and follows the present head, with the objects
/// to store for it. The present head itself where it has that tree already.
async fn restore(
    edge: &Edge,
    row: &SessionRow,
    (head, files): (Option<&str>, Option<&str>),
    to: Seq,
) -> Result<(Option<String>, Vec<Object>)> {
    let Some(head) = head else { return Ok((None, Vec::new())) };
    let (parent, now) = commit(edge, row, head).await?;
    let (tree, mut objects) = match files {
        Some(files) => (commit(edge, row, files).await?.1.tree, Vec::new()),
        None => {
            let empty = object(ObjectKind::Tree, Bytes::new());
            (empty.oid, vec![empty])
        }
    };
    if tree == now.tree {
        return Ok((Some(head.to_owned()), objects));
    }
    let secs = edge.node.clock.now_ms() / 1000;
    let made = Commit::of_rollback(tree, parent, secs, to).encode();
    let id = made.oid.to_string();
    objects.push(made);
    Ok((Some(id), objects))
}

async fn commit(edge: &Edge, row: &SessionRow, id: &str) -> Result<(Oid, Commit)> {
    let found = files::commit(edge, row, Some(id)).await?;
    found.map(|(oid, commit, _)| (oid, commit)).ok_or_else(ErrorBody::internal)
}
