//! After all is quiet: what everybody has, and what the store has.

use super::{Record, Test, User, session_history};
use crate::{
    checker::{AccountHistory, Downtime, History, Rule, SessionHistory, Transcript, Violation},
    client::{
        Client,
        read::{ask, credits, files, log, transactions},
    },
    clock,
};
use anyhow::Result;
use greenroom_protocol::{
    id::{Seq, SessionId},
    method::{Method, SessionInfo},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{self, Instant};

/// How long the server keeps what a lost run reserved: longer than it is down.
pub(super) const HOLD_TTL: Duration = Duration::from_secs(15);

/// What it may take beyond that.
const HOLD_SLACK: Duration = Duration::from_secs(10);

/// How long clients may take to reach the head once all is quiet.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(20);

impl Test<'_> {
    /// Waits until every client has all, reads logs and files, kills the server once more and
    /// reads again.
    pub(super) async fn collect(
        &self,
        mut records: BTreeMap<SessionId, Record>,
        downtimes: &mut Vec<Downtime>,
    ) -> Result<History> {
        let mut sessions = Vec::new();
        for (number, user) in self.users.iter().enumerate() {
            let reader = self.client(user, format!("user {number} reader"), 7, &[], 0);
            // Reads the whole log when the test is over, mostly from segments.
            let late =
                self.client(user, format!("user {number} late client"), 8, &user.sessions, 0);
            let mut clients = user.clients.clone();
            clients.push(late);
            let mine = user.sessions.iter().filter_map(|session| records.get(session));
            clients.extend(mine.flat_map(|record| record.visitors.clone()));
            self.settle(user, &reader, &clients).await?;
            let mut transcripts = take(&clients).await;
            for session in &user.sessions {
                let mut record = records.remove(session).unwrap_or_default();
                record.transcripts = transcripts.remove(session).unwrap_or_default();
                let mut history = session_history(*session, record);
                (history.epoch, history.log) = log(&reader, *session).await?;
                sessions.push(history);
            }
        }
        let from_us = self.greenroom.server.reap();
        self.greenroom.server.restart().await?;
        downtimes.push(Downtime { from_us, until_us: clock::now_us() });
        self.read_again(&mut sessions).await?;
        let accounts = self.accounts().await?;
        let calls = self.provider.log().calls();
        Ok(History { sessions, downtimes: downtimes.clone(), calls, accounts })
    }

    async fn read_again(&self, sessions: &mut [SessionHistory]) -> Result<()> {
        for (number, user) in self.users.iter().enumerate() {
            let reader = self.client(user, format!("user {number} last reader"), 9, &[], 0);
            for history in
                sessions.iter_mut().filter(|history| user.sessions.contains(&history.session))
            {
                let (epoch, entries) = log(&reader, history.session).await?;
                if epoch != history.epoch {
                    let what = format!("{:?} became {epoch:?} at the last restart", history.epoch);
                    self.world.violation(Violation::new(Rule::OneEpoch, history.session, what));
                }
                history.log_after_restart = Some(entries);
                (history.commit, history.files) = files(&reader, history.session).await?;
            }
        }
        Ok(())
    }

    /// Reads what everybody paid, once the holds of lost runs have had their time.
    async fn accounts(&self) -> Result<Vec<AccountHistory>> {
        let mut accounts = Vec::new();
        for (number, user) in self.users.iter().enumerate() {
            let Some(session) = user.sessions.first() else { continue };
            let reader = self.client(user, format!("user {number} payer"), 10, &[], 0);
            let deadline = Instant::now() + HOLD_TTL + HOLD_SLACK;
            let info = loop {
                match credits(&reader, *session).await? {
                    Some(info) if info.holds.is_empty() || Instant::now() > deadline => {
                        break Some(info);
                    }
                    Some(_) => time::sleep(Duration::from_millis(500)).await,
                    None => break None,
                }
            };
            let Some(info) = info else { continue };
            let transactions = transactions(&reader, *session).await?;
            accounts.push(AccountHistory { sessions: user.sessions.clone(), transactions, info });
        }
        Ok(accounts)
    }

    /// Waits until a session is at no run: one that nobody waited for may still be under way.
    async fn quiet(
        &self,
        reader: &Client,
        session: SessionId,
        deadline: Instant,
    ) -> Result<SessionInfo> {
        loop {
            let info: SessionInfo = ask(reader, session, Method::SessionGet(session)).await?;
            if info.run.is_none() || Instant::now() > deadline {
                return Ok(info);
            }
            time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until all clients have applied the head of every session of the user.
    async fn settle(&self, user: &User, reader: &Client, clients: &[Client]) -> Result<()> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        for session in &user.sessions {
            let info = self.quiet(reader, *session, deadline).await?;
            for (number, client) in clients.iter().enumerate() {
                while !has(client, *session, info.head).await {
                    if Instant::now() > deadline {
                        let what = format!(
                            "client {number} of the user does not reach the head {}",
                            info.head
                        );
                        self.world.violation(Violation::new(Rule::Complete, *session, what));
                        return Ok(());
                    }
                    time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        Ok(())
    }
}

/// Whether a client has applied an entry of a session, or does not follow it.
async fn has(client: &Client, session: SessionId, head: Seq) -> bool {
    let positions = client.positions().await;
    positions.iter().all(|(followed, last)| *followed != session || *last >= head)
}

async fn take(clients: &[Client]) -> BTreeMap<SessionId, Vec<Transcript>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for client in clients {
        for (session, transcript) in client.stop().await {
            all.entry(session).or_default().push(transcript);
        }
    }
    all
}
