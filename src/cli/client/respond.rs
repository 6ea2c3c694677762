//! `greenroom client respond` and `steer`: what a person says to runs.

use super::{
    account::Account,
    args::{RespondArgs, SteerArgs},
    attach::follow,
    driver::{Driver, Happening},
    request::{self, Request, Verdict},
};
use crate::{
    cli::{args::Output, output},
    failure::Failure,
};
use greenroom_protocol::{
    frame::After,
    id::{CommandId, Cursor, Epoch, Seq, SessionId},
    limit::PAGE_ITEMS_MAX,
    method::{
        HistoryGet, HistoryPage, InputRespond, InputResponded, Method, RunAccepted, RunSteer,
        SessionInfo,
    },
};
use uuid::Uuid;

pub(super) async fn respond(account: Account, args: RespondArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let session = args.session;
    let info: SessionInfo = driver.ask(&Method::SessionGet(session), &mut |_| {}).await?;
    let Some(number) = info.request else {
        driver.close().await;
        return Err(Failure::Failed(format!("session {session} waits for no answer")));
    };
    let verdict = if args.decline {
        Verdict::Decline
    } else {
        Verdict::Accept(args.text.unwrap_or_default())
    };
    let respond = respond_to(session, verdict.to(number));
    let responded: InputResponded = driver.ask(&respond, &mut |_| {}).await?;
    match (args.output, responded.run) {
        (Output::Json, _) => output::line(serde_json::json!(responded))?,
        (Output::Text, None) => output::line(format_args!("request {number} is declined"))?,
        (Output::Text, Some(_)) => {
            return follow(driver, session, before(info.epoch, responded.seq)).await;
        }
    }
    driver.close().await;
    Ok(())
}

pub(super) async fn steer(account: Account, args: SteerArgs) -> Result<(), Failure> {
    let mut driver = Driver::start(account).await?;
    let session = args.session;
    let info: SessionInfo = driver.ask(&Method::SessionGet(session), &mut |_| {}).await?;
    let steer = RunSteer { run: None, input: args.text };
    let steer = Method::RunSteer(session, CommandId::new(Uuid::now_v7()), steer);
    let accepted: RunAccepted = driver.ask(&steer, &mut |_| {}).await?;
    match args.output {
        Output::Json => {
            output::line(serde_json::json!(accepted))?;
            driver.close().await;
            Ok(())
        }
        Output::Text => follow(driver, session, before(info.epoch, accepted.seq)).await,
    }
}

/// The place from which an entry is the next one.
const fn before(epoch: Epoch, seq: Seq) -> After {
    After::Cursor(Cursor { epoch, seq: Seq(seq.0.saturating_sub(1)) })
}

/// The command that answers a request.
pub(super) fn respond_to(session: SessionId, respond: InputRespond) -> Method {
    Method::InputRespond(session, CommandId::new(Uuid::now_v7()), respond)
}

/// What a session waits with, from its log, read backwards; none: nothing.
pub(super) async fn waiting(
    driver: &mut Driver,
    info: &SessionInfo,
    see: &mut dyn FnMut(Happening),
) -> Result<Option<Request>, Failure> {
    let Some(number) = info.request else { return Ok(None) };
    let mut before = Some(info.head.next());
    while before.is_some() {
        let get = HistoryGet { before, limit: Some(PAGE_ITEMS_MAX) };
        let page: HistoryPage = driver.ask(&Method::HistoryGet(info.session, get), see).await?;
        let mut asked = page.entries.iter().rev().filter_map(|entry| request::of(&entry.event));
        if let Some(found) = asked.find(|request| request.number == number) {
            return Ok(Some(found));
        }
        before = page.next_before;
    }
    Ok(None)
}
