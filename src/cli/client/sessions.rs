//! The commands about sessions: list, cancel, export.

use super::{
    account::Account,
    args::{CancelArgs, ExportArgs, LsArgs},
    driver::{Driver, Happening},
    export,
    remote::{Source, nonsense},
};
use crate::{
    cli::{args::Output, output},
    failure::Failure,
    utc::Utc,
};
use greenroom_protocol::{
    frame::Status,
    id::{CommandId, SessionId},
    limit::PAGE_ITEMS_MAX,
    method::{
        FilePage, FileSlice, FilesGet, FilesList, Method, RunCancel, RunCancelled, SessionInfo,
        SessionList, SessionPage,
    },
};
use uuid::Uuid;

/// The files of a session, asked over a connection.
pub(super) struct SessionFiles<'a> {
    pub(super) driver: &'a mut Driver,
    pub(super) session: SessionId,
    /// Gets what happens meanwhile.
    pub(super) see: &'a mut dyn FnMut(Happening),
}

impl Source for SessionFiles<'_> {
    async fn list(&mut self, list: FilesList) -> Result<FilePage, Failure> {
        self.driver.ask(&Method::FilesList(self.session, list), self.see).await
    }

    async fn get(&mut self, get: FilesGet) -> Result<FileSlice, Failure> {
        self.driver.ask(&Method::FilesGet(self.session, get), self.see).await
    }
}

pub(super) async fn list(account: Account, args: LsArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let mut sessions: Vec<SessionInfo> = Vec::new();
    let mut cursor = None;
    while sessions.len() < args.limit {
        let wanted = u32::try_from(args.limit - sessions.len()).unwrap_or(u32::MAX);
        let list = SessionList { cursor, limit: Some(wanted.min(PAGE_ITEMS_MAX)) };
        let page: SessionPage = driver.ask(&Method::SessionList(list), &mut |_| {}).await?;
        if page.items.is_empty() && page.next_cursor.is_some() {
            return Err(nonsense("an empty page with another after it"));
        }
        sessions.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    sessions.truncate(args.limit);
    driver.close().await;
    match args.output {
        Output::Text => output::out(table(&sessions)),
        Output::Json => output::line(serde_json::json!(sessions)),
    }
}

pub(super) async fn cancel(account: Account, args: CancelArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let session = args.session;
    let info: SessionInfo = driver.ask(&Method::SessionGet(session), &mut |_| {}).await?;
    let Some(open) = info.run else {
        driver.close().await;
        return Err(Failure::Failed(format!("session {session} has no run under way")));
    };
    let cid = CommandId::new(Uuid::now_v7());
    let cancel = Method::RunCancel(session, cid, RunCancel::Run(open.run));
    let cancelled: RunCancelled = driver.ask(&cancel, &mut |_| {}).await?;
    driver.close().await;
    match args.output {
        Output::Text if cancelled.active => {
            output::line(format_args!("{} is being cancelled", open.run))
        }
        Output::Text => output::line(format_args!("{} had ended already", open.run)),
        Output::Json => output::line(serde_json::json!(cancelled)),
    }
}

pub(super) async fn export(account: Account, args: ExportArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let mut see = |_| {};
    let mut source = SessionFiles { driver: &mut driver, session: args.session, see: &mut see };
    let done = export::export(&mut source, &args.dir).await?;
    driver.close().await;
    let (dir, head) = (args.dir.display().to_string(), done.head.to_string());
    match args.output {
        Output::Text => output::line(format_args!(
            "{dir}: {} commits, {} objects, main is {head}\nclone: git clone {dir}",
            done.commits, done.objects
        )),
        Output::Json => output::line(serde_json::json!({
            "dir": dir, "head": head, "commits": done.commits, "objects": done.objects,
        })),
    }
}

fn table(sessions: &[SessionInfo]) -> String {
    let mut text = String::new();
    for info in sessions {
        let status = status_name(info.status);
        let commit: String = info.commit.as_deref().unwrap_or("-").chars().take(10).collect();
        let title = output::clean(&info.title).replace('\n', " ");
        let created = Utc::of_ms(info.created_at).to_seconds();
        text.push_str(&format!(
            "{}  {created}  {status:<10}  {commit:<10}  {title}\n",
            info.session
        ));
    }
    if text.is_empty() { "no sessions yet\n".to_owned() } else { text }
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Idle => "idle",
        Status::Pending => "pending",
        Status::Running => "running",
        Status::Waiting => "waiting",
        Status::Recovering => "recovering",
        Status::Closed => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::{Epoch, Seq};

    #[test]
    fn a_table_has_one_line_a_session() {
        let info = SessionInfo {
            session: SessionId::new(Uuid::nil()),
            epoch: Epoch(1),
            head: Seq(3),
            title: "a\nb\u{1b}[2J".into(),
            status: Status::Running,
            run: None,
            commit: Some("0123456789abcdef".into()),
            created_at: 0,
            parent: None,
            request: None,
        };
        let text = table(&[info]);
        let id = "ses_00000000000000000000000000000000";
        assert_eq!(text, format!("{id}  1970-01-01T00:00:00Z  running     0123456789  a b[2J\n"));
        assert_eq!(table(&[]), "no sessions yet\n");
    }
}
