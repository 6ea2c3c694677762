//! The OpenAPI document, made from the routes that are mounted.
//!
//! A route carries its description, so that there is no second list that could differ. Schemas are
//! those of the types that are read and written.

mod operation;

#[cfg(test)]
mod tests;

use super::{Route, problem::Document};
pub use operation::Operation;
use operation::{Answer, Link, SchemaOf};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What every operation may answer.
const ALWAYS: [(u16, &str); 5] = [
    (
        400,
        "`malformed_request`, `malformed_query`, `malformed_json`, `malformed`: the request is not as described here",
    ),
    (429, "`rate_limited`, and other limits by name: wait as long as `Retry-After` says"),
    (500, "`internal`: a defect of the server; its log says more under the `request_id`"),
    (503, "`store_unavailable`, `draining`, `timeout`, `busy`: try again"),
    (504, "`timeout`: the answer took too long; try again"),
];

/// What can be answered before an operation is found.
const ELSEWHERE: [(u16, &str, &str); 3] = [
    (404, "NotFound", "`not_found`: there is nothing at this address"),
    (405, "MethodNotAllowed", "`method_not_allowed`: the address takes the methods in `Allow`"),
    (431, "HeadTooLarge", "The head of the request is too large; the connection ends"),
];

/// `*`, or a list of tags; an empty header is none.
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)?$"#;

const DESCRIPTION: &str = "Sessions as durable, numbered logs, for clients that cannot hold a \
WebSocket. Everything here is also possible over `/ws` (AsyncAPI document in the repository), on \
the same sessions, at the same time.\n\n\
**Errors** are problem documents (RFC 9457); `code` is stable. **Lists** come in pages: pass \
`next_cursor` on as `cursor`. **Repeats**: send an `Idempotency-Key` with what changes something; \
for 24 hours a repeat has one effect, also after a crash. A key that is a UUID is the id of the \
command as the WebSocket knows it. **Cursors** are `epoch.seq`: the log's incarnation and the last \
entry that was read. **Limits** are in `RateLimit-Policy` and `RateLimit`. Every answer has an \
`X-Request-Id`: the sender's, if it is short and plain.";

/// The document of these routes, those without a description left out.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let Some(operation) = &route.operation else { continue };
        let method = route.method.as_str().to_ascii_lowercase();
        let described = schemas.operation(route, operation);
        paths.entry(route.pattern.template()).or_default().insert(method, described);
    }
    let elsewhere = ELSEWHERE.map(|(_, name, codes)| (name.to_owned(), problem(codes)));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Greenroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The access token of `login`, `register` or `refresh`",
                },
            },
            "parameters": parameters(),
            "headers": headers(),
            "responses": Map::from_iter(elsewhere),
            "schemas": schemas.collected(),
        },
    })
}

/// Collects schemas: those of requests as they are read, those of answers as they are written.
struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let read = settings().for_deserialize().into_generator();
        let mut written = settings().for_serialize().into_generator();
        written.subschema_for::<Document<'_>>();
        Self { read, written }
    }

    fn operation(&mut self, route: &Route, operation: &Operation) -> Value {
        let mut described = json!({
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "security": if operation.signed_in { json!([{ "bearer": [] }]) } else { json!([]) },
            "responses": self.responses(operation),
        });
        let places = route.pattern.places().map(place);
        let query = operation.query.map(|of| self.query(of)).unwrap_or_default();
        let names = operation.headers.iter().chain([&"X-Request-Id"]);
        let headers = names.map(|name| reference("parameters", name));
        let parameters: Vec<Value> = places.chain(query).chain(headers).collect();
        let Some(fields) = described.as_object_mut() else { return described };
        fields.insert("parameters".to_owned(), parameters.into());
        if let Some(of) = operation.body {
            let schema = of(&mut self.read);
            let content = json!({ "application/json": { "schema": schema } });
            let body = json!({ "required": true, "content": content });
            fields.insert("requestBody".to_owned(), body);
        }
        described
    }

    /// The fields of a type as parameters of a query.
    fn query(&mut self, of: SchemaOf) -> Vec<Value> {
        let schema = of(&mut self.read).to_value();
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.rsplit('/').next());
        let schema = name.and_then(|name| self.read.definitions_mut().remove(name));
        let schema = schema.unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object);
        let parameter = |(name, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|of| of.remove("description"));
            never_null(&mut schema);
            json!({ "name": name, "in": "query", "description": description, "schema": schema })
        };
        properties.into_iter().flatten().map(parameter).collect()
    }

    fn responses(&mut self, operation: &Operation) -> Map<String, Value> {
        let mut responses: Map<String, Value> = Map::new();
        for (status, codes) in ALWAYS.iter().chain(&operation.problems) {
            let known = responses.get(&status.to_string());
            let before =
                known.and_then(|known| known["description"].as_str()).map(|d| format!("{d}; "));
            let codes = before.unwrap_or_default() + codes;
            responses.insert(status.to_string(), problem(&codes));
        }
        for answer in &operation.answers {
            let response = responses.entry(answer.status.to_string()).or_insert(json!({
                "description": answer.summary,
                "headers": { "X-Request-Id": reference("headers", "X-Request-Id") },
            }));
            self.answer(answer, response);
            if answer.status != 304 {
                operation
                    .links
                    .iter()
                    .for_each(|to| put(response, "links", to.operation, link(to)));
            }
        }
        responses
    }

    fn answer(&mut self, answer: &Answer, response: &mut Value) {
        for name in &answer.headers {
            put(response, "headers", name, reference("headers", name));
        }
        if let Some(media_type) = answer.media_type {
            let schema = match answer.schema {
                Some(of) => of(&mut self.written).to_value(),
                None => json!({ "type": "string" }),
            };
            put(response, "content", media_type, json!({ "schema": schema }));
        }
    }

    fn collected(mut self) -> Map<String, Value> {
        let mut all = self.read.take_definitions(true);
        all.extend(self.written.take_definitions(true));
        all.values_mut().for_each(plain);
        all
    }
}

/// Puts an item into one of the maps that an object holds.
fn put(object: &mut Value, map: &str, name: &str, item: Value) {
    let Some(fields) = object.as_object_mut() else { return };
    let map = fields.entry(map).or_insert_with(|| json!({}));
    if let Some(map) = map.as_object_mut() {
        map.insert(name.to_owned(), item);
    }
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn problem(codes: &str) -> Value {
    json!({
        "description": codes,
        "headers": {
            "X-Request-Id": reference("headers", "X-Request-Id"),
            "Retry-After": reference("headers", "Retry-After"),
        },
        "content": { "application/problem+json": { "schema": reference("schemas", "Problem") } },
    })
}

fn link(Link { operation, place }: &Link) -> Value {
    let mut parameters = Map::new();
    parameters.insert((*place).to_owned(), format!("$response.body#/{place}").into());
    if *place != "session" {
        parameters.insert("session".to_owned(), "$request.path.session".into());
    }
    json!({ "operationId": operation, "parameters": parameters })
}

/// A place in a path.
fn place(name: &str) -> Value {
    let (pattern, description) = match name {
        "session" => ("^ses_[0-9a-f]{32}$", "The session"),
        "request" => ("^[0-9]{1,9}$", "Number of the request for input within the session"),
        "run" => ("^(run|cmd)_[0-9a-f]{32}$", "The run, or the command that starts it or will"),
        _ => (
            "^[^/\\u0000]+(/[^/\\u0000]+)*$",
            "Path of a file; its slashes may be written as they are",
        ),
    };
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": { "type": "string", "pattern": pattern },
    })
}

fn parameters() -> Value {
    let header = |name: &str, pattern: &str, description: &str| {
        json!({
            "name": name,
            "in": "header",
            "description": description,
            "schema": { "type": "string", "pattern": pattern },
        })
    };
    json!({
        "X-Request-Id": {
            "name": "X-Request-Id",
            "in": "header",
            "description": "Names the request in logs: up to 64 of `A-Z a-z 0-9 . _ -`; any other \
                            text is replaced",
            "schema": { "type": "string" },
        },
        "Idempotency-Key": header("Idempotency-Key", "^[!-~]{1,255}$",
            "A repeat under the same key has one effect"),
        "If-None-Match": header("If-None-Match", TAGS,
            "An `ETag`: answers 304 where it still holds"),
        "If-Match": header("If-Match", TAGS,
            "An `ETag`: changes nothing where it does not hold any more"),
        "Last-Event-ID": header("Last-Event-ID", "^([0-9]{1,15}\\.[0-9]{1,15})?$",
            "The last `id` of an earlier stream; it wins over `after`"),
    })
}

fn headers() -> Value {
    let header =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "X-Request-Id": header("Names the request in logs"),
        "Retry-After": header("Seconds to wait before the next try, where waiting helps"),
        "ETag": header("Names this state of the answer"),
        "Location": header("Address of what was made"),
        "Idempotency-Replayed": header("`true`: the request was a repeat and had no effect"),
        "Content-Location": header("Address of the file at its commit"),
        "Content-Disposition": header("A name to save it under"),
    })
}

/// Takes `null` out of a schema: a query has no such thing.
fn never_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|of| of != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = fields.get_mut("anyOf") {
        any.retain(|of| of["type"] != "null");
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
