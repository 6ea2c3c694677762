//! The commands about time: fork, rollback, diff.

use super::{
    account::Account,
    args::{DiffArgs, ForkArgs, RollbackArgs},
    driver::Driver,
};
use crate::{
    cli::{args::Output, output},
    failure::Failure,
};
use greenroom_protocol::{
    id::{CommandId, SessionId},
    method::{
        DiffPage, FileChange, FileDiff, Method, SessionDiff, SessionFork, SessionInfo,
        SessionRollback,
    },
};
use uuid::Uuid;

pub(super) async fn fork(account: Account, args: ForkArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let ForkArgs { session: parent, at, title, output } = args;
    let (session, cid) = (SessionId::new(Uuid::now_v7()), CommandId::new(Uuid::now_v7()));
    let fork = Method::SessionFork(session, cid, SessionFork { parent, at, title });
    let info: SessionInfo = driver.ask(&fork, &mut |_| {}).await?;
    driver.close().await;
    match output {
        Output::Text => {
            output::line(format_args!("session {session}"))?;
            output::line(match info.commit {
                Some(commit) => format!("it begins with commit {commit}"),
                None => "it begins without files".to_owned(),
            })
        }
        Output::Json => output::line(serde_json::json!(info)),
    }
}

pub(super) async fn roll_back(account: Account, args: RollbackArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let RollbackArgs { session, to, output } = args;
    let cid = CommandId::new(Uuid::now_v7());
    let rollback = Method::SessionRollback(session, cid, SessionRollback { to });
    let info: SessionInfo = driver.ask(&rollback, &mut |_| {}).await?;
    driver.close().await;
    match output {
        Output::Text => output::line(match info.commit {
            Some(commit) => format!("rolled back to entry {to}; the files are commit {commit}"),
            None => format!("rolled back to entry {to}; there are no files"),
        }),
        Output::Json => output::line(serde_json::json!(info)),
    }
}

pub(super) async fn diff(account: Account, args: DiffArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let mut diff = SessionDiff { from: args.from, to: args.to, after: None };
    loop {
        let ask = Method::SessionDiff(args.session, diff.clone());
        let page: DiffPage = driver.ask(&ask, &mut |_| {}).await?;
        match args.output {
            Output::Text => page.files.iter().try_for_each(|file| output::out(text(file)))?,
            Output::Json => {
                page.files.iter().try_for_each(|file| output::line(serde_json::json!(file)))?;
            }
        }
        // The head may move between pages.
        (diff.from, diff.to) = (page.from.or(diff.from), page.to.or(diff.to));
        diff.after = page.next_after;
        if diff.after.is_none() {
            driver.close().await;
            return Ok(());
        }
    }
}

fn text(file: &FileDiff) -> String {
    match &file.patch {
        Some(patch) => output::clean(patch),
        None => {
            let how = match file.change {
                FileChange::Added => "added",
                FileChange::Changed => "changed",
                FileChange::Removed => "removed",
            };
            format!("{} was {how}; the difference is too long to show\n", output::clean(&file.path))
        }
    }
}
