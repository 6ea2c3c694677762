//! The protocol as an AsyncAPI 3 document, made from the types.
//!
//! `asyncapi.json` beside this crate is what [`document`] gives; a test compares them.

use crate::{
    SUBPROTOCOL,
    credits::{CreditsHistory, CreditsInfo, CreditsQuote, Quote, TransactionPage},
    event::Event,
    frame::{ClientFrame, ServerFrame},
    method::{
        DiffPage, FilePage, FileSlice, FilesGet, FilesList, HistoryGet, HistoryPage, InputRespond,
        InputResponded, RunAccepted, RunCancel, RunCancelled, RunStart, RunSteer, SessionCreate,
        SessionDiff, SessionFork, SessionInfo, SessionList, SessionPage, SessionRollback,
    },
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// One method for the document.
#[derive(Clone, Copy, Debug)]
pub struct MethodSchema {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it needs a command id.
    pub mutates: bool,
    params: Option<fn(&mut SchemaGenerator) -> Value>,
    result: fn(&mut SchemaGenerator) -> Value,
}

/// Which frames make up an operation: those received, and those that may answer.
struct Exchange {
    name: &'static str,
    summary: &'static str,
    receives: &'static [&'static str],
    sends: &'static [&'static str],
}

const EXCHANGES: [Exchange; 9] = [
    Exchange {
        name: "hello",
        summary: "Say who it is, and attach sessions in the same round.",
        receives: &["hello"],
        sends: &["welcome"],
    },
    Exchange {
        name: "auth",
        summary: "Renew the token; there is no reply.",
        receives: &["auth"],
        sends: &[],
    },
    Exchange {
        name: "attach",
        summary: "Follow a session: one answer.",
        receives: &["attach"],
        sends: &["attached", "reset", "error"],
    },
    Exchange {
        name: "detach",
        summary: "Stop following a session.",
        receives: &["detach"],
        sends: &["detached", "error"],
    },
    Exchange {
        name: "ack",
        summary: "Say what was applied, and grant credit; there is no reply.",
        receives: &["ack"],
        sends: &[],
    },
    Exchange {
        name: "call",
        summary: "Ask for something: one answer with the same id.",
        receives: &["call"],
        sends: &["ok", "err"],
    },
    Exchange {
        name: "ping",
        summary: "Signs of life for clients without WebSocket pings.",
        receives: &["ping", "pong"],
        sends: &["pong"],
    },
    Exchange {
        name: "follow",
        summary: "What an attachment brings, in the order of the log.",
        receives: &[],
        sends: &["ev", "caught_up", "detached"],
    },
    Exchange {
        name: "notify",
        summary: "What concerns the whole socket.",
        receives: &[],
        sends: &["auth_required", "balance", "limits", "goaway", "ping", "error"],
    },
];

/// The methods, with their parameters and results.
#[must_use]
pub fn methods() -> [MethodSchema; 17] {
    fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
        generator.subschema_for::<T>().into()
    }
    let method = |name, mutates, params, result| MethodSchema { name, mutates, params, result };
    [
        method("session.create", true, Some(of::<SessionCreate>), of::<SessionInfo>),
        method("session.get", false, None, of::<SessionInfo>),
        method("session.list", false, Some(of::<SessionList>), of::<SessionPage>),
        method("session.close", true, None, of::<SessionInfo>),
        method("session.fork", true, Some(of::<SessionFork>), of::<SessionInfo>),
        method("session.rollback", true, Some(of::<SessionRollback>), of::<SessionInfo>),
        method("session.diff", false, Some(of::<SessionDiff>), of::<DiffPage>),
        method("run.start", true, Some(of::<RunStart>), of::<RunAccepted>),
        method("run.cancel", true, Some(of::<RunCancel>), of::<RunCancelled>),
        method("run.steer", true, Some(of::<RunSteer>), of::<RunAccepted>),
        method("input.respond", true, Some(of::<InputRespond>), of::<InputResponded>),
        method("history.get", false, Some(of::<HistoryGet>), of::<HistoryPage>),
        method("files.list", false, Some(of::<FilesList>), of::<FilePage>),
        method("files.get", false, Some(of::<FilesGet>), of::<FileSlice>),
        method("credits.get", false, None, of::<CreditsInfo>),
        method("credits.history", false, Some(of::<CreditsHistory>), of::<TransactionPage>),
        method("credits.quote", false, Some(of::<CreditsQuote>), of::<Quote>),
    ]
}

/// The document. Operations are the server's: it receives what clients send.
#[must_use]
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    generator.subschema_for::<ClientFrame>();
    generator.subschema_for::<ServerFrame>();
    generator.subschema_for::<Event>();
    let methods: Map<String, Value> = methods()
        .into_iter()
        .map(|MethodSchema { name, mutates, params, result }| {
            let params = params.map(|params| params(&mut generator));
            let result = result(&mut generator);
            (name.to_owned(), json!({ "mutates": mutates, "params": params, "result": result }))
        })
        .collect();
    let mut schemas: Map<String, Value> = generator.take_definitions(true);
    schemas.values_mut().for_each(open);
    schemas.values_mut().for_each(plain);
    let mut messages = Map::new();
    frames("client", "ClientFrame", &mut schemas, &mut messages);
    frames("server", "ServerFrame", &mut schemas, &mut messages);
    let in_channel: Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), reference("components/messages", name)))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Greenroom",
            "version": "1.0.0",
            "description": "Sessions as durable, numbered logs over one WebSocket. The rules of \
                resuming, flow control and closing are in the documentation of the crate \
                greenroom-protocol. Readers ignore fields and types that they do not know.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": { "host": "localhost:8000", "protocol": "ws" },
        },
        "channels": {
            "socket": {
                "address": "/ws",
                "description": format!(
                    "WebSocket of the subprotocol {SUBPROTOCOL}. Each text message is a frame; \
                     a client may also send an array of frames."
                ),
                "messages": in_channel,
            },
        },
        "operations": EXCHANGES.iter().map(operation).collect::<Map<_, _>>(),
        "components": { "messages": messages, "schemas": schemas },
        "x-methods": methods,
    })
}

fn reference(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/{place}/{name}") })
}

fn operation(exchange: &Exchange) -> (String, Value) {
    let refs = |side: &str, types: &[&str]| -> Vec<Value> {
        let name = |kind: &&str| reference("channels/socket/messages", &format!("{side}.{kind}"));
        types.iter().map(name).collect()
    };
    let channel = json!({ "$ref": "#/channels/socket" });
    let (received, sent) = (refs("client", exchange.receives), refs("server", exchange.sends));
    let summary = exchange.summary;
    let operation = if received.is_empty() {
        json!({ "action": "send", "channel": channel, "summary": summary, "messages": sent })
    } else if sent.is_empty() {
        json!({ "action": "receive", "channel": channel, "summary": summary, "messages": received })
    } else {
        json!({
            "action": "receive",
            "channel": channel,
            "summary": summary,
            "messages": received,
            "reply": { "channel": channel, "messages": sent },
        })
    };
    (exchange.name.to_owned(), operation)
}

/// Splits the schema of all frames of a side into one schema and one message each.
fn frames(
    side: &str,
    all: &str,
    schemas: &mut Map<String, Value>,
    messages: &mut Map<String, Value>,
) {
    let Some(Value::Object(mut schema)) = schemas.remove(all) else { return };
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
    for mut variant in variants {
        let Some(kind) = kind(&variant) else { continue };
        let name = format!("{side}.{kind}");
        let summary = variant.as_object_mut().and_then(|variant| variant.remove("description"));
        let payload = reference("components/schemas", &name);
        let message = json!({ "name": kind, "summary": summary, "payload": payload });
        messages.insert(name.clone(), message);
        schemas.insert(name, variant);
    }
}

/// The `type` that a variant of a tagged enum stands for; none for the stand-in of unknown ones.
fn kind(variant: &Value) -> Option<String> {
    tag(variant).filter(|kind| !kind.eq_ignore_ascii_case("unknown")).map(ToOwned::to_owned)
}

fn tag(variant: &Value) -> Option<&str> {
    variant.pointer("/properties/type/const")?.as_str()
}

/// Opens an enum that has a stand-in for unknown values to all values that may yet come.
fn open(schema: &mut Value) {
    let Some(variants) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let known: Vec<String> = variants.iter().filter_map(kind).collect();
    for variant in variants {
        if tag(variant).is_some()
            && kind(variant).is_none()
            && let Some(tag) = variant.pointer_mut("/properties/type")
        {
            *tag = json!({ "type": "string", "not": { "enum": known } });
        }
    }
    let is_stand_in = |variant: &Value| variant.get("const") == Some(&json!("unknown"));
    let Some(Value::Array(variants)) = schema.get_mut("oneOf") else { return };
    if variants.iter().any(is_stand_in) {
        let known = variants.iter().filter(|variant| !is_stand_in(variant));
        let known: Vec<_> = known.filter_map(|variant| variant.get("const")).collect();
        let later = json!({
            "type": "string",
            "not": { "enum": known },
            "description": "A value that came later.",
        });
        variants.retain(|variant| !is_stand_in(variant));
        variants.push(later);
    }
}

/// Takes what only Rust's documentation understands out of descriptions.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("description", Value::String(text)) = (name.as_str(), &mut *value) {
                    *text = text.replace("[`", "`").replace("`]", "`").replace("crate::", "");
                } else {
                    plain(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
