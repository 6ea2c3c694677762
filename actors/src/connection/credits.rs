//! Credits, for whoever asks: what there is, what was, what would be.

use super::{
    calls::{owned, unavailable},
    files,
    serve::Edge,
};
use crate::{
    account::{Answer, Command, Refusal, transactions},
    credits::CreditsHandle,
    port::{Oid, Principal},
    run::{estimate_input, project::Project},
};
use greenroom_protocol::{
    credits::{CreditsHistory, CreditsInfo, CreditsQuote, Grant, Quote, TransactionPage},
    error::{Code, ErrorBody, Reason},
    id::{SessionId, UserId},
    method::page_items,
};

/// The accounts.
///
/// # Errors
/// What to answer where runs are free.
fn credits(edge: &Edge) -> Result<&CreditsHandle, ErrorBody> {
    edge.node.credits.as_ref().ok_or_else(|| {
        let message = "runs are free on this server: there are no credits";
        ErrorBody::new(Code::Unimplemented, Reason::UnknownMethod, message)
    })
}

async fn ask(edge: &Edge, user: UserId, command: Command) -> Result<Answer, ErrorBody> {
    let answer = credits(edge)?.ask(user, command).await;
    if let Answer::Refused(refusal) = answer { Err(refusal.body()) } else { Ok(answer) }
}

/// What a user has.
pub(crate) async fn get(edge: &Edge, user: UserId) -> Result<CreditsInfo, ErrorBody> {
    let answer = ask(edge, user, Command::Look).await?;
    if let Answer::Info(info) = answer { Ok(*info) } else { Err(ErrorBody::internal()) }
}

/// A user's transactions, newest first.
pub(super) async fn history(
    edge: &Edge,
    user: UserId,
    history: CreditsHistory,
) -> Result<TransactionPage, ErrorBody> {
    credits(edge)?;
    let limit = page_items(history.limit);
    let items = transactions(&*edge.node.store, user, history.before, limit).await;
    let items = items.map_err(unavailable)?;
    // Numbers are without a hole.
    let next_before = items.last().map(|last| last.seq).filter(|seq| *seq > 1);
    Ok(TransactionPage { items, next_before })
}

/// What a run is likely to cost, with a session's files or without any.
pub(super) async fn quote(
    edge: &Edge,
    principal: Principal,
    session: Option<SessionId>,
    quote: CreditsQuote,
) -> Result<Quote, ErrorBody> {
    let accounts = credits(edge)?;
    let project = match session {
        None => Project::default(),
        Some(session) => {
            owned(edge, principal, session).await?;
            let head = files::head(edge, session).await?;
            let head = head.and_then(|commit| commit.parse::<Oid>().ok());
            let read = Project::read(&*edge.node.store, session, head).await;
            read.map_err(unavailable)?
        }
    };
    let model = quote.model.or_else(|| edge.node.default_model.clone()).unwrap_or_default();
    let price = accounts.price(&model);
    let input_tokens = estimate_input(&project, &quote.input).ok_or_else(ErrorBody::internal)?;
    let answer = ask(edge, principal.user, Command::Quote { price, input_tokens }).await?;
    if let Answer::Quote(quote) = answer { Ok(*quote) } else { Err(ErrorBody::internal()) }
}

/// Gives a user credits: a repeat under the same name has one effect.
pub(crate) async fn grant(
    edge: &Edge,
    user: UserId,
    (name, amount): (&str, u64),
    grant: Grant,
    note: String,
) -> Result<CreditsInfo, ErrorBody> {
    if amount == 0 {
        return Err(Refusal::TooMuch.body());
    }
    let id = format!("grant/by-hand/{name}");
    let answer = ask(edge, user, Command::Grant { id, amount, grant, note }).await?;
    if let Answer::Info(info) = answer { Ok(*info) } else { Err(ErrorBody::internal()) }
}
