//! The client of an OpenAI-compatible API, or of Ollama's own, over HTTP/1.1.

use super::{
    config::{ConfigError, Timeouts},
    failure::Fault,
    limits,
    meter::Meter,
    pace::LeastRate,
    request::{Api, Body, MaxTokensName, Options},
    secret::{Redactor, Secret},
    stream::{AnswerStream, Limits as Patience, Source},
};
use futures_util::TryStreamExt;
use greenroom_actors::port::{
    BoxFuture, DeltaStream, KeyCheck, KeyInfo, Limits, Provider, ProviderError,
    ProviderErrorKind as Kind, Reply, Request, Terms,
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE},
};
use reqwest::{Client, RequestBuilder, Response, Url};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, timeout_at};

/// Header that carries the run's id, so that a stand-in's log can be checked.
pub const RUN_HEADER: &str = "x-greenroom-run";
/// Most bytes read of an answer that is no stream.
pub const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest wait for the rest of an answer that is no stream.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections kept for the next calls.
const IDLE_CONNECTIONS_MAX: usize = 32;
/// How long they are kept: below the 60 s after which common load balancers drop them.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// A dead peer is found by the kernel even while no limit of ours runs.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// Longest wait for the list of models, after the connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls for one request: the first, and one for each of the two options that a server may refuse.
const CALLS_MAX: usize = 3;

/// What a client needs to know. [`super::ProviderConfig::resolve`] makes it.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// Its name in errors.
    pub name: String,
    /// What the server speaks.
    pub api: Api,
    /// Where the API is, without `/chat/completions` or Ollama's `/chat`.
    pub base_url: String,
    /// One of them is sent as `Authorization: Bearer …`; none: the server needs none.
    pub keys: Vec<ApiKey>,
    /// The model of requests that name none.
    pub model: String,
    /// Further headers.
    pub headers: BTreeMap<String, Secret>,
    /// An HTTP proxy; none: direct.
    pub proxy: Option<Secret>,
    /// Limits of waiting.
    pub timeouts: Timeouts,
    /// Whether to ask for usage; dropped for good after a server refused the option.
    pub include_usage: bool,
    /// Longest answer, in tokens; none: not sent.
    pub max_tokens: Option<u32>,
    /// How the server spells it.
    pub max_tokens_name: MaxTokensName,
    /// What its accounts may do.
    pub terms: Terms,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key itself.
    pub secret: Secret,
    /// The account whose limits it shares with others; none: one of its own.
    pub account: Option<String>,
}

/// A client. It keeps connections for further calls; clone-free, share it in an `Arc`.
pub struct OpenAi {
    name: String,
    model: String,
    api: Api,
    url: Url,
    models_url: Url,
    client: Client,
    keys: Vec<KeyInfo>,
    /// As headers, by key.
    bearers: Vec<HeaderValue>,
    terms: Terms,
    timeouts: Timeouts,
    options: Mutex<Options>,
    source: Arc<Source>,
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("name", &self.name)
            .field("model", &self.model)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

impl OpenAi {
    /// A client that counts in `meter`; connects with its first call.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the field; [`ConfigError::Client`] where TLS cannot work.
    pub fn new(config: OpenAiConfig, meter: Meter) -> Result<Self, ConfigError> {
        let invalid = |field, problem: &str| ConfigError::Invalid {
            provider: config.name.clone(),
            field,
            problem: problem.to_owned(),
        };
        let url =
            |path| endpoint(&config.base_url, path).map_err(|problem| invalid("base_url", problem));
        let (url, models_url) = (url(config.api.path())?, url(config.api.models_path())?);
        let headers = headers(&config).map_err(|(field, problem)| invalid(field, problem))?;
        let bearers = config.keys.iter().map(bearer).collect::<Option<Vec<_>>>();
        let problem = "holds a character that no key has, such as a line break";
        let bearers = bearers.ok_or_else(|| invalid("api_key", problem))?;
        let keys = config.keys.iter().map(|key| KeyInfo {
            fingerprint: Some(key.secret.fingerprint()),
            account: key.account.clone(),
        });
        let keys = if bearers.is_empty() { vec![KeyInfo::default()] } else { keys.collect() };
        let mut builder = Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .no_proxy()
            .tcp_nodelay(true)
            .tcp_keepalive(TCP_KEEPALIVE)
            .connect_timeout(config.timeouts.connect)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT);
        if let Some(proxy) = &config.proxy {
            let proxy = reqwest::Proxy::all(proxy.expose());
            builder = builder.proxy(proxy.map_err(|_| invalid("proxy", "is no URL of a proxy"))?);
        }
        if url.scheme() == "http" && config.proxy.is_none() {
            // No TLS: the system need not have root certificates.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .build()
            .map_err(|source| ConfigError::Client { provider: config.name.clone(), source })?;
        let secrets = config.keys.into_iter().map(|key| key.secret);
        let secrets = secrets.chain(config.headers.into_values());
        let source = Source {
            provider: config.name.clone(),
            redactor: Redactor::new(secrets.chain(config.proxy)),
            api: config.api,
            meter,
        };
        let max_tokens = config.max_tokens.map(|max_tokens| (config.max_tokens_name, max_tokens));
        Ok(Self {
            name: config.name,
            model: config.model,
            api: config.api,
            url,
            models_url,
            client,
            keys,
            bearers,
            terms: config.terms,
            timeouts: config.timeouts,
            options: Mutex::new(Options { include_usage: config.include_usage, max_tokens }),
            source: Arc::new(source),
        })
    }

    async fn answered(&self, key: usize, request: Request) -> Reply {
        let began = Instant::now();
        let deadline = began + self.timeouts.first_content;
        let mut options = self.options();
        let mut calls = 1;
        loop {
            match self.attempt(key, &request, options, deadline).await {
                Ok(response) => {
                    self.remember(options);
                    let limits = limits::read(response.headers(), now_secs());
                    return Reply { limits, answer: Ok(self.answer(response, began)) };
                }
                Err((mut limits, fault)) => {
                    if let Some(others) = options.without(&fault).filter(|_| calls < CALLS_MAX) {
                        options = others;
                    } else {
                        let named = || limits::account_in_text(&fault.message);
                        limits.account = limits.account.or_else(named);
                        return Reply { limits, answer: Err(self.error(fault)) };
                    }
                }
            }
            calls += 1;
        }
    }

    /// One call, up to the headers of an answer that is a stream.
    async fn attempt(
        &self,
        key: usize,
        request: &Request,
        options: Options,
        deadline: Instant,
    ) -> Result<Response, (Limits, Fault)> {
        let model = request.model.as_deref().unwrap_or(&self.model);
        let body = Body::new(self.api, model, &request.messages, options);
        let send = || {
            let call = self.with_key(self.client.post(self.url.clone()), key);
            call.header(RUN_HEADER, request.run.to_string()).json(&body).send()
        };
        // A connection that was kept may be gone by now, and one that a killed process left may
        // answer for a new one: where it breaks before a byte of the answer, one more is tried.
        let call = async {
            match send().await {
                Err(error) if broke_off(&error) => send().await,
                sent => sent,
            }
        };
        match timeout_at(deadline, call).await {
            Ok(Ok(response)) if is_stream(self.api, &response) => Ok(response),
            Ok(Ok(response)) => {
                let limits = limits::read(response.headers(), now_secs());
                Err((limits, read_failure(response).await))
            }
            Ok(Err(error)) => Err((Limits::default(), self.unsent(error))),
            Err(_) => Err((Limits::default(), self.silent())),
        }
    }

    fn with_key(&self, call: RequestBuilder, key: usize) -> RequestBuilder {
        match self.bearers.get(key) {
            Some(bearer) => call.header(AUTHORIZATION, bearer.clone()),
            None => call,
        }
    }

    /// Lists the models, which costs nothing and needs a key.
    async fn check(&self, key: usize) -> KeyCheck {
        let call = self.with_key(self.client.get(self.models_url.clone()), key);
        let Ok(response) = call.timeout(self.timeouts.connect + CHECK_TIMEOUT).send().await else {
            return KeyCheck::Unknown;
        };
        if response.status().is_success() {
            return KeyCheck::Accepted;
        }
        match read_failure(response).await.kind {
            Kind::Unauthorized => KeyCheck::Refused,
            Kind::Unreachable
            | Kind::QuotaExhausted
            | Kind::RateLimited
            | Kind::ModelUnavailable
            | Kind::Rejected
            | Kind::Failed
            | Kind::Stalled
            | Kind::Broken => KeyCheck::Unknown,
        }
    }

    fn answer(&self, response: Response, began: Instant) -> DeltaStream {
        let limits = Patience {
            first_content: self.timeouts.first_content,
            spent: began.elapsed(),
            stall: self.timeouts.stall,
            idle: self.timeouts.idle,
            least: LeastRate {
                chars_per_sec: self.timeouts.chars_per_sec_min,
                window: self.timeouts.rate_window,
            },
        };
        let body = response.bytes_stream().map_err(cause);
        Box::pin(AnswerStream::new(body, limits, Arc::clone(&self.source)))
    }

    fn options(&self) -> Options {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the options that the server has just taken for the calls to come.
    fn remember(&self, options: Options) {
        if options != self.options() {
            tracing::info!(
                provider = self.name,
                ?options,
                "the server refuses options; changed them"
            );
            *self.options.lock().unwrap_or_else(PoisonError::into_inner) = options;
        }
    }

    fn unsent(&self, error: reqwest::Error) -> Fault {
        let host = self.url.host_str().unwrap_or_default();
        let is_unreachable = error.is_connect() || error.is_timeout();
        let cause = cause(error);
        if is_unreachable {
            let message =
                format!("cannot connect to {host}: {cause}; check base_url and the network");
            return Fault::new(Kind::Unreachable, message);
        }
        Fault::new(Kind::Broken, format!("{host} broke the connection before it answered: {cause}"))
    }

    fn silent(&self) -> Fault {
        let limit = self.timeouts.first_content;
        Fault::new(Kind::Stalled, format!("took the request and sent no answer within {limit:?}"))
    }

    fn error(&self, fault: Fault) -> ProviderError {
        fault.into_error(&self.source.provider, &self.source.redactor)
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn default_model(&self) -> &str {
        &self.model
    }

    fn keys(&self) -> Vec<KeyInfo> {
        self.keys.clone()
    }

    fn terms(&self) -> Terms {
        self.terms
    }

    fn stream(&self, request: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>> {
        Box::pin(async { self.answered(0, request).await.answer })
    }

    fn call(&self, key: usize, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(self.answered(key, request))
    }

    fn check_key(&self, key: usize) -> BoxFuture<'_, KeyCheck> {
        Box::pin(self.check(key))
    }
}

/// Whether a connection was there and broke before the answer began.
fn broke_off(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}

/// A key as a header; none: it holds a character that no header takes.
fn bearer(key: &ApiKey) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", key.secret.expose().trim()))
}

fn sensitive(secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(secret).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn endpoint(base_url: &str, path: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(base_url.trim())
        .map_err(|_| "is no URL; write it in full, such as http://host:port/v1")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with http:// or https:// and name a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; use api_key or headers");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with a path, without ? or #");
    }
    let path = format!("{}/{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn headers(config: &OpenAiConfig) -> Result<HeaderMap, (&'static str, &'static str)> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(config.api.media_type()));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, secret) in &config.headers {
        let name =
            name.parse::<HeaderName>().map_err(|_| ("headers", "has a name that no header has"))?;
        let problem = ("headers", "has a value with a character that no header takes");
        headers.insert(name, sensitive(secret.expose()).ok_or(problem)?);
    }
    Ok(headers)
}

/// Whether an answer may be read as a stream. A compressed one may not: nobody asked for it.
fn is_stream(api: Api, response: &Response) -> bool {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let encoding = header(CONTENT_ENCODING).unwrap_or("identity");
    response.status().is_success()
        && encoding.eq_ignore_ascii_case("identity")
        && api.streams(&content_type)
}

/// The failure that an answer without a stream reports.
async fn read_failure(mut response: Response) -> Fault {
    let (status, headers) = (response.status(), response.headers().clone());
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity")
    {
        let mut fault = Fault::of_answer(status, &headers, b"", now_secs());
        fault.message = format!(
            "answered {} compressed as {encoding:?} though `identity` was asked for; \
             look for a proxy that compresses",
            status.as_u16()
        );
        return fault;
    }
    let deadline = Instant::now() + ERROR_BODY_TIMEOUT;
    let mut body = Vec::new();
    // What came until then is judged: half a reason is better than none.
    while let Ok(Ok(Some(bytes))) = timeout_at(deadline, response.chunk()).await {
        let room = ERROR_BODY_BYTES_MAX - body.len();
        body.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
        if body.len() == ERROR_BODY_BYTES_MAX {
            break;
        }
    }
    Fault::of_answer(status, &headers, &body, now_secs())
}

/// The time in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "some answers name a date and lack their own")]
fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The deepest cause of an error: what the ones around it say is known to the reader. Taken
/// without the URL.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests;
