use super::*;
use crate::golden;
use std::{collections::BTreeSet, fs, path::PathBuf};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("asyncapi.json")
}

/// The document as it is published.
fn published() -> Value {
    if golden::update() {
        let text = serde_json::to_string_pretty(&document()).unwrap();
        fs::write(path(), text + "\n").unwrap();
    }
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

/// Checks a value against a schema of the document; `None`: it fits.
fn misfit(schema: &str, value: &Value) -> Option<String> {
    let document = document();
    let root = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "allOf": [{ "$ref": schema }],
        "components": document["components"],
    });
    let validator = jsonschema::draft7::new(&root).expect("a valid schema");
    validator.validate(value).err().map(|error| error.to_string())
}

fn message_schema(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

#[test]
fn the_published_document_is_that_of_the_types() {
    let hint = "run this test with GREENROOM_UPDATE_GOLDEN=1, and look at what changed";
    assert!(published() == document(), "asyncapi.json is not up to date: {hint}");
}

#[test]
fn every_golden_file_fits_its_schema() {
    let methods = document()["x-methods"].clone();
    let mut checked = 0;
    for name in golden::names("") {
        let value: Value = serde_json::from_str(&golden::read(&name)).unwrap();
        let schema = if let Some(method) = name.strip_prefix("method.") {
            let (method, side) = method.rsplit_once('.').unwrap();
            methods[method][side]["$ref"].as_str().unwrap().to_owned()
        } else if name.starts_with("event.") {
            message_schema("Event")
        } else {
            message_schema(&name)
        };
        assert_eq!(misfit(&schema, &value), None, "{name}");
        checked += 1;
    }
    assert!(checked > 60, "{checked} files");
}

#[test]
fn a_schema_refuses_what_does_not_fit() {
    let mut value: Value = serde_json::from_str(&golden::read("server.attached")).unwrap();
    let schema = message_schema("server.attached");
    for (field, wrong) in [
        ("type", json!("reset")),
        ("session", json!("run_00000000000000000000000000000001")),
        ("seq", Value::Null),
        ("head", json!("1")),
        ("mode", json!("replayed")),
    ] {
        let right = value.get(field).cloned();
        value[field] = wrong;
        let expected = right.is_some();
        assert_eq!(misfit(&schema, &value).is_some(), expected, "{field}");
        value[field] = right.unwrap_or_default();
    }
    value.as_object_mut().unwrap().remove("after");
    assert!(misfit(&schema, &value).is_some(), "a field is missing");
}

#[test]
fn what_comes_later_fits_and_what_is_known_must_be_right() {
    let event = message_schema("Event");
    assert_eq!(misfit(&event, &json!({ "type": "music.start", "tempo": 7 })), None);
    assert!(misfit(&event, &json!({ "type": "text.delta", "part": "x" })).is_some());
    let error = message_schema("ErrorBody");
    let body = |reason: &str| json!({ "code": "internal", "reason": reason, "message": "" });
    assert_eq!(misfit(&error, &body("a_new_reason")), None);
    assert_eq!(misfit(&error, &body("run_busy")), None);
    assert!(misfit(&error, &json!({ "code": 7, "reason": "x", "message": "" })).is_some());
}

/// All references of a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                found.insert(target.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.0.0");
    for field in ["info", "servers", "channels", "operations", "components"] {
        assert!(document[field].is_object(), "{field}");
    }
    let mut targets = BTreeSet::new();
    references(&document, &mut targets);
    assert!(targets.len() > 50);
    for target in &targets {
        let pointer = target.strip_prefix('#').expect("only references within the document");
        assert!(document.pointer(pointer).is_some(), "{target} does not exist");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(targets.contains(&message_schema(name)), "nothing refers to {name}");
    }
}

#[test]
fn every_message_is_in_the_channel_and_in_an_operation() {
    let document = document();
    let messages = document["components"]["messages"].as_object().unwrap();
    let in_channel = document["channels"]["socket"]["messages"].as_object().unwrap();
    assert!(messages.keys().eq(in_channel.keys()));
    let golden: BTreeSet<_> =
        golden::names("client.").into_iter().chain(golden::names("server.")).collect();
    assert!(messages.keys().eq(&golden));

    let mut used = BTreeSet::new();
    for (name, operation) in document["operations"].as_object().unwrap() {
        let action = operation["action"].as_str().unwrap();
        assert!(["send", "receive"].contains(&action), "{name}");
        references(&operation["messages"], &mut used);
        references(&operation["reply"]["messages"], &mut used);
        let mut own = BTreeSet::new();
        references(&operation["messages"], &mut own);
        let side = if action == "receive" { "client." } else { "server." };
        let own_side = |target: &String| target.contains(&format!("/messages/{side}"));
        assert!(!own.is_empty() && own.iter().all(own_side), "{name} mixes sides");
    }
    let all = messages.keys().map(|name| format!("#/channels/socket/messages/{name}")).collect();
    assert_eq!(used, all);
}

#[test]
fn names_are_what_asyncapi_allows() {
    let document = document();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    for place in ["/components/messages", "/components/schemas", "/channels", "/operations"] {
        for name in document.pointer(place).unwrap().as_object().unwrap().keys() {
            assert!(name.chars().all(allowed), "{name}");
        }
    }
}
