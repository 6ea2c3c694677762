//! One tiny call, timed: whether a provider answers, and how fast.

use futures_util::StreamExt as _;
use greenroom_actors::port::{
    Delta, Message, Provider, ProviderError, ProviderErrorKind as Kind, Request, Role,
};
use greenroom_protocol::{event::Usage, id::RunId};
use reqwest::Url;
use std::time::Duration;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

/// What is asked: as few tokens as a model can answer with.
const PROMPT: &str = "Answer with the one word: ready";

/// What a call came to. Times are from the begin of the call.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The first text or reasoning; none: the answer was empty.
    pub first_content: Option<Duration>,
    /// The end of the answer.
    pub total: Duration,
    /// What the provider reports to have used; none: it reports nothing.
    pub usage: Option<Usage>,
}

/// Calls a provider once and reads the whole answer.
///
/// # Errors
/// The provider's failure.
pub async fn probe(provider: &dyn Provider, run: RunId) -> Result<Probe, ProviderError> {
    let begun = Instant::now();
    let messages = vec![Message { role: Role::User, content: PROMPT.to_owned() }];
    let mut answer = provider.stream(Request { run, model: None, messages }).await?;
    let (mut first_content, mut usage, mut is_whole) = (None, None, false);
    while let Some(delta) = answer.next().await {
        match delta? {
            Delta::Text(_) | Delta::Reasoning(_) => {
                first_content.get_or_insert_with(|| begun.elapsed());
            }
            Delta::Usage(used) => usage = Some(used),
            Delta::Finish(_) => is_whole = true,
        }
    }
    if !is_whole {
        return Err(ProviderError {
            provider: provider.name().to_owned(),
            kind: Kind::Broken,
            message: "the answer has no end".to_owned(),
            retry_after_ms: None,
        });
    }
    Ok(Probe { first_content, total: begun.elapsed(), usage })
}

/// How long a connection to a base URL takes, its name's look-up included and TLS not; none: there
/// is no connection within `wait`, and the call itself says why.
pub async fn connect_time(base_url: &str, wait: Duration) -> Option<Duration> {
    let url = Url::parse(base_url).ok()?;
    let address =
        (url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?);
    let begun = Instant::now();
    let socket = timeout(wait, TcpStream::connect(address)).await.ok()?.ok()?;
    let took = begun.elapsed();
    drop(socket);
    Some(took)
}
