//! Drives a [`Link`]: owns its socket and its clock, performs its effects.

use super::{
    account::Account,
    socket::{self, Refused, Socket},
};
use crate::failure::Failure;
use futures_util::{SinkExt as _, StreamExt as _, future::poll_fn};
use greenroom_protocol::{
    client::{Answer, Begun, Config, Effect, GiveUp, Input, Link, Pace, Ticket},
    error::{CloseCode, ErrorBody},
    frame::{After, ClientFrame, ClientInfo, Detached, Ev},
    id::{Channel, Cursor, SessionId},
    method::Method,
};
use serde::de::DeserializeOwned;
use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode as WireCode},
};

/// How long a server may be out of reach at the first attempt, before the command fails.
const FIRST_WAIT: Duration = Duration::from_secs(8);

/// How long a server may be out of reach later.
const OUTAGE_MAX: Duration = Duration::from_secs(300);

/// Longest wait for the socket to take a frame; frames of clients are small.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for the farewell.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a command hears of.
#[derive(Debug)]
pub(super) enum Happening {
    /// The connection is up.
    Ready,
    /// It is down, and tried again after so many milliseconds.
    Lost(u64),
    /// An attachment begins, maybe again.
    Attached(Begun),
    /// An entry.
    Event(Ev),
    /// All that the log held when the attachment began was delivered.
    CaughtUp,
    /// The server ended an attachment.
    Detached(Detached),
    /// Something is wrong that belongs to no call.
    Notice(ErrorBody),
    /// A call ended.
    Answered(Ticket, Answer),
}

impl Happening {
    /// The answer to a call, or else the happening.
    pub(super) fn answer_to(self, asked: Ticket) -> Result<Answer, Box<Self>> {
        if let Self::Answered(ticket, answer) = self {
            if ticket == asked { Ok(answer) } else { Err(Box::new(Self::Answered(ticket, answer))) }
        } else {
            Err(Box::new(self))
        }
    }
}

/// One connection over all reconnects. What waits is bounded: frames by the link's own limits,
/// happenings by being asked for one by one.
pub(super) struct Driver {
    link: Link,
    account: Arc<Account>,
    token: String,
    socket: Option<Socket>,
    connecting: Option<BoxFuture<Result<Socket, Refused>>>,
    renewing: Option<BoxFuture<Option<String>>>,
    outbox: VecDeque<Utf8Bytes>,
    began: Instant,
    /// Since when the server is out of reach.
    down_since: Option<Instant>,
    was_ready: bool,
    last_refusal: String,
}

impl Driver {
    /// A connection that is being opened.
    ///
    /// # Errors
    /// Where there is no token.
    pub(super) async fn start(account: Account) -> Result<Self, Failure> {
        let token = account.token(wall_clock_ms()).await?;
        let config = Config {
            client: ClientInfo {
                name: "greenroom-cli".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            token: Some(token.clone()),
            seed: rand::random(),
            ..Config::default()
        };
        let now = Instant::now();
        let mut driver = Self {
            link: Link::new(config),
            account: Arc::new(account),
            token,
            socket: None,
            connecting: None,
            renewing: None,
            outbox: VecDeque::new(),
            began: now,
            down_since: Some(now),
            was_ready: false,
            last_refusal: String::new(),
        };
        driver.input(Input::Start);
        Ok(driver)
    }

    /// Follows a session from a place, over all reconnects.
    pub(super) fn attach(&mut self, session: SessionId, after: After) -> Channel {
        let now_ms = self.now_ms();
        self.link.attach(now_ms, session, after, Pace::default())
    }

    /// The position of an attachment.
    pub(super) fn cursor(&self, ch: Channel) -> Option<Cursor> {
        self.link.cursor(ch)
    }

    /// How to come back to a session.
    pub(super) fn hint(&self, session: SessionId) -> String {
        self.account.hint(session)
    }

    /// How to answer what a session waits with.
    pub(super) fn answer_hint(&self, session: SessionId) -> String {
        self.account.answer_hint(session)
    }

    /// Asks for something; the answer is a [`Happening::Answered`].
    ///
    /// # Errors
    /// Where too many calls are without an answer.
    pub(super) fn call(&mut self, method: &Method) -> Result<Ticket, Failure> {
        let now_ms = self.now_ms();
        let ticket = self.link.call(now_ms, method.to_call());
        ticket.map_err(|error| Failure::Failed(error.to_string()))
    }

    /// Asks for something and waits for the answer; `see` gets all that happens meanwhile.
    ///
    /// # Errors
    /// What the server answers, or why there is no answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        method: &Method,
        see: &mut dyn FnMut(Happening),
    ) -> Result<T, Failure> {
        let asked = self.call(method)?;
        loop {
            match self.next().await?.answer_to(asked) {
                Ok(answer) => return result(answer),
                Err(other) => see(*other),
            }
        }
    }

    /// The next happening. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Where the connection is given up.
    pub(super) async fn next(&mut self) -> Result<Happening, Failure> {
        loop {
            while let Some(effect) = self.link.next_effect() {
                if let Some(happening) = self.perform(effect).await? {
                    return Ok(happening);
                }
            }
            self.check_outage()?;
            self.send().await;
            self.wait().await;
        }
    }

    /// Says goodbye, so that the server needs not find out.
    pub(super) async fn close(mut self) {
        if let Some(mut socket) = self.socket.take() {
            let frame = CloseFrame { code: WireCode::Normal, reason: Utf8Bytes::default() };
            let _ = timeout(CLOSE_TIMEOUT, socket.close(Some(frame))).await;
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<Option<Happening>, Failure> {
        Ok(match effect {
            Effect::Connect => {
                self.down_since.get_or_insert_with(Instant::now);
                self.connecting = Some(Box::pin(socket::open(self.account.socket_url())));
                None
            }
            Effect::Send(frame) => {
                self.outbox.push_back(ClientFrame::encode(&frame).into());
                None
            }
            Effect::Disconnect { code } => {
                self.disconnect(code).await;
                None
            }
            Effect::RefreshToken => {
                let (account, old) = (Arc::clone(&self.account), self.token.clone());
                self.renewing = Some(Box::pin(async move { account.renew(&old).await }));
                None
            }
            Effect::Ready(_) => {
                (self.down_since, self.was_ready) = (None, true);
                Some(Happening::Ready)
            }
            Effect::Lost { retry_in_ms } => {
                self.down_since.get_or_insert_with(Instant::now);
                Some(Happening::Lost(retry_in_ms))
            }
            Effect::Attached(begun) => Some(Happening::Attached(begun)),
            Effect::Event(ev) => Some(Happening::Event(ev)),
            Effect::CaughtUp(_) => Some(Happening::CaughtUp),
            Effect::Detached(detached) => Some(Happening::Detached(detached)),
            Effect::Notice { ch: _, error } => Some(Happening::Notice(error)),
            Effect::Limits(_) => None, // the link holds calls back by itself
            Effect::Answered { ticket, answer } => Some(Happening::Answered(ticket, answer)),
            Effect::GiveUp { why, unanswered: _ } => return Err(self.given_up(&why)),
        })
    }

    async fn disconnect(&mut self, code: u16) {
        self.connecting = None;
        self.outbox.clear();
        if let Some(mut socket) = self.socket.take() {
            let frame = CloseFrame { code: WireCode::from(code), reason: Utf8Bytes::default() };
            let _ = timeout(CLOSE_TIMEOUT, socket.close(Some(frame))).await;
        }
    }

    /// Writes what waits. A frame leaves the queue only once the socket has it, so that being
    /// dropped here loses none.
    async fn send(&mut self) {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.outbox.is_empty()) else { return };
        let outbox = &mut self.outbox;
        let write = async {
            while !outbox.is_empty() {
                poll_fn(|context| socket.poll_ready_unpin(context)).await?;
                if let Some(text) = outbox.pop_front() {
                    socket.start_send_unpin(Message::Text(text))?;
                }
            }
            socket.flush().await
        };
        let what = match timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the server takes nothing".to_owned(),
        };
        self.lost(None, what);
    }

    /// Waits for one thing to happen and tells the link.
    async fn wait(&mut self) {
        let deadline = self.link.deadline_ms().map(|ms| self.began + Duration::from_millis(ms));
        let outage = self.down_since.map(|since| since + self.patience());
        let wake = [deadline, outage].into_iter().flatten().min();
        tokio::select! {
            opened = ready_or_never(&mut self.connecting) => {
                self.connecting = None;
                match opened {
                    Ok(socket) => {
                        self.socket = Some(socket);
                        self.input(Input::Opened);
                    }
                    Err(Refused { code, what }) => self.lost(code, what),
                }
            }
            token = ready_or_never(&mut self.renewing) => {
                self.renewing = None;
                match token {
                    Some(token) => {
                        self.token.clone_from(&token);
                        self.input(Input::Token(token));
                    }
                    None => self.input(Input::NoToken),
                }
            }
            message = next_message(&mut self.socket) => self.received(message),
            () = sleep_or_never(wake) => self.input(Input::Tick),
        }
    }

    fn received(&mut self, message: Option<Result<Message, Error>>) {
        match message {
            Some(Ok(Message::Text(text))) => self.input(Input::Text(&text)),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = match &frame {
                    Some(CloseFrame { code, reason }) => (Some(u16::from(*code)), reason.as_str()),
                    None => (None, ""),
                };
                self.lost(code, reason.to_owned());
            }
            Some(Ok(
                Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
            )) => self.input(Input::Alive),
            Some(Err(error)) => self.lost(None, error.to_string()),
            None => self.lost(None, "the connection ended".to_owned()),
        }
    }

    /// The socket is gone, or did not come to be.
    fn lost(&mut self, code: Option<u16>, what: String) {
        self.socket = None;
        self.outbox.clear(); // the link sends again what had no answer
        self.input(Input::Closed { code, reason: &what });
        self.last_refusal = what;
    }

    fn input(&mut self, input: Input<'_>) {
        let now_ms = self.now_ms();
        self.link.apply(now_ms, input);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    const fn patience(&self) -> Duration {
        if self.was_ready { OUTAGE_MAX } else { FIRST_WAIT }
    }

    fn check_outage(&self) -> Result<(), Failure> {
        let patience = self.patience();
        if self.down_since.is_none_or(|since| since.elapsed() < patience) {
            return Ok(());
        }
        let (base, why, secs) = (self.account.base(), &self.last_refusal, patience.as_secs());
        Err(Failure::Unavailable(format!(
            "{base} is out of reach for {secs} s: {why}; is the server running? `greenroom dev` \
             starts one"
        )))
    }

    fn given_up(&self, why: &GiveUp) -> Failure {
        let unauthenticated = CloseCode::Unauthenticated.number();
        match why {
            GiveUp::Closed { code, .. } if *code == unauthenticated => Failure::Failed(format!(
                "{} does not accept the token; get a new one, or start `greenroom dev` again",
                self.account.base()
            )),
            GiveUp::NoToken => Failure::Failed(
                "the token has expired and there is no way to renew it here; get a new one"
                    .to_owned(),
            ),
            GiveUp::Closed { .. } => Failure::Failed(why.to_string()),
        }
    }
}

/// What an answer says, as the method's result.
///
/// # Errors
/// What the server answers, or that it did not.
pub(super) fn result<T: DeserializeOwned>(answer: Answer) -> Result<T, Failure> {
    match answer {
        Answer::Ok { result, duplicate: _ } => serde_json::from_value(result)
            .map_err(|_| super::remote::nonsense("an answer that does not fit the question")),
        Answer::Err(error) => Err(Failure::Failed(describe(&error))),
        Answer::TimedOut => {
            Err(Failure::Unavailable("the server did not answer in time".to_owned()))
        }
    }
}

/// An error of the server, with its name for programs.
pub(super) fn describe(error: &ErrorBody) -> String {
    let name = serde_json::to_value(error.reason).unwrap_or_default();
    let name = name.as_str().unwrap_or("unknown");
    format!("{name}: {}", crate::cli::output::clean(&error.message))
}

/// The wall clock, for tokens alone.
#[expect(clippy::disallowed_methods, reason = "this is a driver: it reads the clock")]
fn wall_clock_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

async fn ready_or_never<T>(future: &mut Option<BoxFuture<T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn next_message(socket: &mut Option<Socket>) -> Option<Result<Message, Error>> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
