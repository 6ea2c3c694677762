//! The internal port of a running server, as operators' commands ask it.

use super::output::clean;
use crate::{config::Config, failure::Failure};
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt::Display, time::Duration};

/// Longest wait for an answer; longer than the longest poll.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The internal port of the server that this configuration is of.
pub(super) struct Internal {
    client: Client,
    base: String,
}

impl Internal {
    /// # Errors
    /// [`Failure::Failed`], where there can be no client.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let server = &config.server;
        let host = match server.internal_host.trim_matches(['[', ']']) {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        // It speaks plain HTTP: no certificates are read, which takes long.
        let client = Client::builder().no_proxy().tls_certs_only([]).timeout(ANSWER_TIMEOUT);
        let client = client.build().map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self { client, base: format!("http://{host}:{}", server.internal_port) })
    }

    /// What a path answers.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] where no server answers, [`Failure::Failed`] where it refuses.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(self.client.get(format!("{}{path}", self.base))).await
    }

    /// What a path answers to a body.
    ///
    /// # Errors
    /// As [`Internal::get`].
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.ask(self.client.post(format!("{}{path}", self.base)).json(body)).await
    }

    async fn ask<T: DeserializeOwned>(&self, asked: RequestBuilder) -> Result<T, Failure> {
        /// A problem document's text.
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        let reply = asked.send().await.map_err(|error| self.unreachable(error.without_url()))?;
        let is_done = reply.status().is_success();
        let body = reply.bytes().await.map_err(|error| self.unreachable(error.without_url()))?;
        if is_done {
            return serde_json::from_slice(&body).map_err(|error| self.unreachable(error));
        }
        let problem: Problem =
            serde_json::from_slice(&body).map_err(|error| self.unreachable(error))?;
        Err(Failure::Failed(clean(&problem.detail)))
    }

    fn unreachable(&self, error: impl Display) -> Failure {
        Failure::Unavailable(format!(
            "no server answers at {}: {error}; start one, or name its port with \
             --set server.internal_port=PORT",
            self.base
        ))
    }
}
