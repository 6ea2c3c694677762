//! What a client asks of a session that is quiet: its log, its files.

use super::Client;
use crate::{
    checker::{Rule, Violation},
    provider::prompt::Tree,
};
use anyhow::{Context, Result, bail};
use greenroom_protocol::{
    client::Answer,
    credits::{CreditsHistory, CreditsInfo, Transaction, TransactionPage},
    error::Reason,
    frame::Entry,
    id::{Epoch, SessionId},
    method::{FilePage, FileSlice, FilesGet, FilesList, HistoryGet, HistoryPage, Method},
};
use serde::de::DeserializeOwned;

/// Reads something of a session that is quiet, from a server that is up: no answer means that the
/// server does not have what it took.
///
/// # Errors
/// [`Violation`] where the server refuses; else an answer that is none.
pub async fn ask<T: DeserializeOwned>(
    client: &Client,
    session: SessionId,
    method: Method,
) -> Result<T> {
    let name = method.name();
    match client.call(method.to_call()).await {
        Answer::Ok { result, .. } => {
            serde_json::from_value(result).with_context(|| format!("the answer to {name}"))
        }
        Answer::Err(error) => {
            let what = format!("{name} was refused: {error:?}");
            Err(Violation::new(Rule::Complete, session, what).into())
        }
        Answer::TimedOut => {
            let what = format!("{name} had no answer");
            Err(Violation::new(Rule::Complete, session, what).into())
        }
    }
}

/// What a user has; none: the server has no credits. `session` is one of the user's.
///
/// # Errors
/// As [`ask`].
pub async fn credits(client: &Client, session: SessionId) -> Result<Option<CreditsInfo>> {
    match client.call(Method::CreditsGet.to_call()).await {
        Answer::Err(error) if error.reason == Reason::UnknownMethod => Ok(None),
        Answer::Ok { result, .. } => {
            Ok(Some(serde_json::from_value(result).context("the answer to credits.get")?))
        }
        answer @ (Answer::Err(_) | Answer::TimedOut) => {
            let what = format!("credits.get was not answered: {answer:?}");
            Err(Violation::new(Rule::Complete, session, what).into())
        }
    }
}

/// All transactions of a user, oldest first. `session` is one of the user's.
///
/// # Errors
/// As [`ask`], or pages that go in circles.
pub async fn transactions(client: &Client, session: SessionId) -> Result<Vec<Transaction>> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let method = Method::CreditsHistory(CreditsHistory { before, limit: None });
        let page: TransactionPage = ask(client, session, method).await?;
        all.extend(page.items);
        match page.next_before {
            Some(next) if before.is_none_or(|before| next < before) => before = Some(next),
            Some(_) => bail!("credits.history goes in circles at {before:?}"),
            None => {
                all.reverse();
                return Ok(all);
            }
        }
    }
}

/// The whole log, page by page.
///
/// # Errors
/// As [`ask`], or pages that go in circles.
pub async fn log(client: &Client, session: SessionId) -> Result<(Option<Epoch>, Vec<Entry>)> {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let get = HistoryGet { before, limit: None };
        let page: HistoryPage = ask(client, session, Method::HistoryGet(session, get)).await?;
        let earlier = page.next_before.filter(|next| before.is_none_or(|before| *next < before));
        if page.next_before.is_some() && earlier.is_none() {
            bail!("history.get of {session} goes in circles at {before:?}");
        }
        pages.push(page.entries);
        before = earlier;
        if before.is_none() {
            pages.reverse();
            return Ok((Some(page.epoch), pages.concat()));
        }
    }
}

/// All files of the head, with the commit that they belong to.
///
/// # Errors
/// As [`ask`], or a file that has another length than it is said to have.
pub async fn files(client: &Client, session: SessionId) -> Result<(Option<String>, Tree)> {
    let (mut tree, mut after) = (Tree::new(), None);
    loop {
        let list = FilesList { commit: None, after };
        let page: FilePage = ask(client, session, Method::FilesList(session, list)).await?;
        for file in &page.files {
            let content = file_text(client, session, &file.path).await?;
            if content.len() as u64 != file.bytes {
                bail!("{} has {} bytes, files.list says {}", file.path, content.len(), file.bytes);
            }
            tree.insert(file.path.clone(), content);
        }
        after = page.next_after;
        if after.is_none() {
            return Ok((page.commit, tree));
        }
    }
}

async fn file_text(client: &Client, session: SessionId, path: &str) -> Result<String> {
    let mut content = String::new();
    loop {
        let get = FilesGet { path: path.to_owned(), commit: None, offset: content.len() as u64 };
        let slice: FileSlice = ask(client, session, Method::FilesGet(session, get)).await?;
        content.push_str(&slice.text);
        match slice.next_offset {
            None => return Ok(content),
            Some(next) if next == content.len() as u64 && !slice.text.is_empty() => {}
            Some(next) => {
                bail!("files.get of {path} goes on at {next} after {} bytes", content.len())
            }
        }
    }
}
