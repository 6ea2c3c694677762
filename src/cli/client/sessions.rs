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
        let created = time(info.created_at);
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

/// A time in UTC, to the second. From days to dates as in Howard Hinnant's `civil_from_days`.
fn time(ms: u64) -> String {
    let (secs, days) = (ms / 1000 % 86_400, ms / 86_400_000 + 719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153; // months since March
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (secs / 3600, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::{Epoch, Seq};

    #[test]
    fn times_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_583_020_799, "2020-02-29T23:59:59Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(secs * 1000 + 999), text);
        }
    }

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
        };
        let text = table(&[info]);
        let id = "ses_00000000000000000000000000000000";
        assert_eq!(text, format!("{id}  1970-01-01T00:00:00Z  running     0123456789  a b[2J\n"));
        assert_eq!(table(&[]), "no sessions yet\n");
    }
}
