//! Settings of the gateway.

use crate::rest::{LimitsConfig, OriginError, Origins, Proxies, ProxyError};
use greenroom_protocol::limit::MESSAGE_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Settings of the gateway. Units are in the names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// Origins whose pages may use REST and the WebSocket, as browsers write them:
    /// `https://app.example.org`. Default: none. Programs send no origin and are not concerned.
    pub allowed_origins: Vec<String>,
    /// Addresses and CIDRs of the proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<String>,
    /// Most connections at once; default 20,000. Further ones are closed at once.
    pub connections_max: usize,
    /// Most connections of one source (an IPv4 address, an IPv6 /64) that is no trusted proxy;
    /// default 1,000.
    pub connections_per_source_max: usize,
    /// Most WebSocket handshakes at once; default 512. Further ones are answered 503.
    pub handshakes_max: usize,
    /// Time from one request's end, or the connection's start, to the end of the next request's
    /// head; default 5,000.
    pub header_ms_max: u64,
    /// Most headers of a request; default 64.
    pub headers_max: usize,
    /// Largest head of a request, in bytes; default 16,384.
    pub header_bytes_max: usize,
    /// Longest path and query of a request, in bytes; default 4,096. Longer ones are answered 414.
    pub url_bytes_max: usize,
    /// Time for a request's body to arrive; default 5,000.
    pub body_ms_max: u64,
    /// Time in which a client must take some more of an answer; default 8,000. The connection ends
    /// after it.
    pub write_ms_max: u64,
    /// Time for a request to be answered, its body included; default 30,000.
    pub request_ms_max: u64,
    /// Longest life of a connection that speaks HTTP; default 300,000. The request that is under
    /// way then is finished.
    pub http_connection_ms_max: u64,
    /// How long a shutdown waits for requests and sockets to end; default 30,000.
    pub drain_ms_max: u64,
    /// Limits of one WebSocket.
    pub websocket: WebSocketLimits,
    /// The Qbit dialect, `/ws/generate`.
    pub generate: GenerateConfig,
    /// How much one source may ask.
    pub limits: LimitsConfig,
}

/// The Qbit dialect, `/ws/generate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateConfig {
    /// Whether it is spoken; default true.
    pub enabled: bool,
    /// Whether `?token=` is taken, as its clients send it; default true. Addresses end up in the
    /// logs of proxies: without it, a client needs a ticket.
    pub token_in_url: bool,
}

/// Limits of one WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketLimits {
    /// Bytes read at once, which every idle socket keeps; default 1,024.
    pub read_buffer_bytes: usize,
    /// Bytes gathered before they are written; default 8,192.
    pub write_buffer_bytes: usize,
    /// Most bytes that wait to be written; default 262,144. Whoever feeds a socket must stay below
    /// it between two flushes, else the socket ends.
    pub write_buffer_bytes_max: usize,
    /// Largest message that is read at all, in bytes; default 81,920. It is larger than what the
    /// protocol allows, so that a client that oversteps a little learns it from the close code.
    pub message_bytes_max: usize,
    /// How long a close waits for the peer; default 2,000.
    pub close_ms_max: u64,
    /// Time for a message to arrive whole, once it has begun; default 5,000. The socket ends after
    /// it. What the peer spends waiting for us does not count.
    pub message_ms_max: u64,
    /// Most frames that one message may come in; default 64. More end the socket.
    pub fragments_max: u32,
    /// Most pings and pongs of the peer a minute; default 300. More end the socket.
    pub controls_per_minute_max: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            connections_max: 20_000,
            connections_per_source_max: 1_000,
            handshakes_max: 512,
            header_ms_max: 5_000,
            headers_max: 64,
            header_bytes_max: 16 * 1024,
            url_bytes_max: 4096,
            body_ms_max: 5_000,
            write_ms_max: 8_000,
            request_ms_max: 30_000,
            http_connection_ms_max: 300_000,
            drain_ms_max: 30_000,
            websocket: WebSocketLimits::default(),
            generate: GenerateConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self { enabled: true, token_in_url: true }
    }
}

impl Default for WebSocketLimits {
    fn default() -> Self {
        Self {
            read_buffer_bytes: 1024,
            write_buffer_bytes: 8 * 1024,
            write_buffer_bytes_max: 256 * 1024,
            message_bytes_max: MESSAGE_BYTES_MAX + 16 * 1024,
            close_ms_max: 2_000,
            message_ms_max: 5_000,
            fragments_max: 64,
            controls_per_minute_max: 300,
        }
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayConfigError {
    /// An allowed origin is none.
    #[error("gateway.allowed_origins: {0}")]
    Origin(#[from] OriginError),
    /// A trusted proxy is no network.
    #[error("gateway.trusted_proxies: {0}")]
    Proxy(#[from] ProxyError),
    /// A number is out of range.
    #[error("gateway.{key} is {value}; it must be {must}")]
    Number {
        /// The setting's name below `gateway`.
        key: &'static str,
        /// Its value.
        value: u64,
        /// What it must be.
        must: &'static str,
    },
}

impl GatewayConfig {
    /// Checks what types cannot, and reads the lists.
    ///
    /// # Errors
    /// [`GatewayConfigError`]: the first setting that cannot be.
    pub fn validate(&self) -> Result<(Origins, Proxies), GatewayConfigError> {
        let ws = &self.websocket;
        let small = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let positive = "at least 1";
        let rules = [
            ("connections_max", small(self.connections_max), 1, positive),
            ("connections_per_source_max", small(self.connections_per_source_max), 1, positive),
            ("handshakes_max", small(self.handshakes_max), 1, positive),
            ("header_ms_max", self.header_ms_max, 1, positive),
            ("headers_max", small(self.headers_max), 16, "at least 16"),
            ("header_bytes_max", small(self.header_bytes_max), 8192, "at least 8192"),
            ("url_bytes_max", small(self.url_bytes_max), 512, "at least 512"),
            ("body_ms_max", self.body_ms_max, 1, positive),
            ("write_ms_max", self.write_ms_max, 1, positive),
            ("request_ms_max", self.request_ms_max, 1, positive),
            ("http_connection_ms_max", self.http_connection_ms_max, 1, positive),
            ("websocket.read_buffer_bytes", small(ws.read_buffer_bytes), 128, "at least 128"),
            (
                "websocket.write_buffer_bytes_max",
                small(ws.write_buffer_bytes_max),
                small(ws.write_buffer_bytes).saturating_add(64 * 1024),
                "at least write_buffer_bytes plus one frame of 65536",
            ),
            (
                "websocket.message_bytes_max",
                small(ws.message_bytes_max),
                small(MESSAGE_BYTES_MAX) + 1,
                "larger than the protocol's limit of 65536",
            ),
            ("websocket.message_ms_max", ws.message_ms_max, 1, positive),
            ("websocket.fragments_max", u64::from(ws.fragments_max), 1, positive),
            (
                "websocket.controls_per_minute_max",
                u64::from(ws.controls_per_minute_max),
                10,
                "at least 10: every one of our pings is answered with a pong",
            ),
        ];
        for (key, value, least, must) in rules {
            if value < least {
                return Err(GatewayConfigError::Number { key, value, must });
            }
        }
        let origins = Origins::parse(&self.allowed_origins)?;
        Ok((origins, Proxies::parse(&self.trusted_proxies)?))
    }
}

impl WebSocketLimits {
    /// The same for tungstenite.
    pub(super) fn tungstenite(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(self.read_buffer_bytes)
            .write_buffer_size(self.write_buffer_bytes)
            .max_write_buffer_size(self.write_buffer_bytes_max)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max))
            .accept_unmasked_frames(false)
    }

    pub(super) const fn message_wait(&self) -> Duration {
        Duration::from_millis(self.message_ms_max)
    }

    pub(super) const fn close_wait(&self) -> Duration {
        Duration::from_millis(self.close_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(GatewayConfig::default().validate().is_ok());
    }

    #[test]
    fn by_default_whoever_is_slow_is_gone_within_ten_seconds() {
        let config = GatewayConfig::default();
        let websocket = config.websocket;
        let hello_ms = u64::try_from(greenroom_protocol::limit::HELLO_TIMEOUT.as_millis()).unwrap();
        for (what, ms) in [
            ("a head", config.header_ms_max),
            ("a head and a body", config.header_ms_max + config.body_ms_max),
            ("an answer that is not taken", config.write_ms_max),
            ("a socket without a hello", hello_ms + websocket.close_ms_max),
            ("a message", websocket.message_ms_max + websocket.close_ms_max),
        ] {
            assert!(ms <= 10_000, "{what} may take {ms} ms");
        }
    }

    #[test]
    fn an_impossible_setting_is_named_with_its_fix() {
        let websocket = WebSocketLimits { write_buffer_bytes_max: 8192, ..Default::default() };
        let config = GatewayConfig { websocket, ..Default::default() };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with("gateway.websocket.write_buffer_bytes_max is 8192"), "{error}");

        let allowed_origins = vec!["*".into()];
        let config = GatewayConfig { allowed_origins, ..Default::default() };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(r#"gateway.allowed_origins: "*" is no origin"#), "{error}");
    }
}
