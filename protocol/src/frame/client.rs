//! What a client sends.

use crate::id::{Channel, CommandId, Cursor, Seq, SessionId};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// A frame from a client.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// First frame of a socket: who, and what to attach at once.
    Hello(Hello),
    /// A new token for the same user.
    Auth {
        /// The token.
        token: String,
    },
    /// Follow a session.
    Attach(Attach),
    /// Stop following a session.
    Detach {
        /// The attachment.
        ch: Channel,
    },
    /// What has been applied and how much more may come.
    Ack {
        /// One row an attachment.
        acks: Vec<Ack>,
    },
    /// A request that is answered by `ok` or `err` with the same id.
    Call(Call),
    /// Sign of life that wants an answer; for clients without WebSocket pings.
    Ping {
        /// Echoed in the answer.
        ts: u64,
    },
    /// Answer to the server's `ping`.
    Pong,
    /// A type that this build does not know; answered by an error, nothing else happens.
    #[serde(skip)]
    Unknown {
        /// The type's name.
        kind: String,
    },
}

/// First frame of a socket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Hello {
    /// Lowest and highest version that the client speaks.
    pub v: (u32, u32),
    /// Access token; left out where the upgrade carried a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What the client is, for logs.
    #[serde(default)]
    pub client: ClientInfo,
    /// Optional features that the client wants: `ping` for JSON pings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Sessions to attach in the same round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attach: Vec<Attach>,
}

/// What a client is, for logs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ClientInfo {
    /// Name of the program.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// Follow a session from a place in its log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Attach {
    /// Number that all frames of this attachment carry.
    pub ch: Channel,
    /// The session.
    pub session: SessionId,
    /// Where to begin.
    #[serde(default)]
    pub after: After,
    /// Bytes of `ev` frames that may be sent; none: the socket alone sets the pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<u64>,
    /// Coarsens the flush window of this attachment, in milliseconds, at most 500.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub window_ms: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Where an attachment begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// With entry 1.
    #[default]
    Start,
    /// With the next entry to come.
    Live,
    /// With the first entry of the parts that are open, or the next to come.
    Open,
    /// With the last `n` entries.
    Tail(u32),
    /// After an entry that the client has applied.
    #[serde(untagged)]
    Cursor(Cursor),
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            epoch: Option<crate::id::Epoch>,
            seq: Option<Seq>,
            tail: Option<u32>,
        }
        struct Place;
        impl<'de> Visitor<'de> for Place {
            type Value = After;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""start", "live", "open", {"tail":n} or {"epoch":e,"seq":n}"#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<After, E> {
                match text {
                    "start" => Ok(After::Start),
                    "live" => Ok(After::Live),
                    "open" => Ok(After::Open),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<After, A::Error> {
                match Fields::deserialize(de::value::MapAccessDeserializer::new(map))? {
                    Fields { epoch: Some(epoch), seq: Some(seq), tail: None } => {
                        Ok(After::Cursor(Cursor { epoch, seq }))
                    }
                    Fields { epoch: None, seq: None, tail: Some(n) } => Ok(After::Tail(n)),
                    Fields { .. } => Err(de::Error::invalid_value(de::Unexpected::Map, &self)),
                }
            }
        }
        deserializer.deserialize_any(Place)
    }
}

#[cfg(any(test, feature = "schema"))]
impl schemars::JsonSchema for After {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "After".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let cursor = generator.subschema_for::<Cursor>();
        schemars::json_schema!({ "oneOf": [
            { "enum": ["start", "live", "open"] },
            { "type": "object", "properties": { "tail": { "type": "integer", "minimum": 0 } },
              "required": ["tail"], "additionalProperties": false },
            cursor,
        ]})
    }
}

/// One row of an `ack`: channel, last entry applied, bytes granted since the attach in all.
///
/// Cumulative, so that a lost or repeated one does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Ack(pub Channel, pub Seq, pub u64);

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Call {
    /// Echoed in the answer.
    pub id: u32,
    /// Names the command, so that a repeat has one effect; required where the method mutates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<CommandId>,
    /// What to do.
    pub method: String,
    /// To which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The method's parameters: [`crate::method`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(any(test, feature = "schema"), schemars(with = "Option<serde_json::Value>"))]
    pub params: Option<Box<RawValue>>,
}

impl ClientFrame {
    /// The frame as JSON text. An unknown one, which nobody has reason to send, is a `pong`.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"type":"pong"}"#.to_owned())
    }
}
