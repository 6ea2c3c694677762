//! One example of everything on the wire, byte for byte, in `tests/golden`.
//!
//! A file that changes is a change of the protocol. `GREENROOM_UPDATE_GOLDEN=1` writes what the
//! samples give; without it they are compared.

mod samples;

use crate::{
    asyncapi,
    event::Event,
    frame::{ClientFrame, Ev, ServerFrame, decode, entry_rest, write_ev},
    id::{Channel, Seq},
    method::Method,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeSet, env, fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn update() -> bool {
    env::var_os("GREENROOM_UPDATE_GOLDEN").is_some()
}

/// The names of all golden files, without their `.json`, that start with `prefix`.
pub(crate) fn names(prefix: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.map(|name| name.strip_suffix(".json").expect("only JSON").to_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// The text of a golden file: one line.
pub(crate) fn read(name: &str) -> String {
    let text = fs::read_to_string(folder().join(format!("{name}.json")));
    let text = text.unwrap_or_else(|error| panic!("golden file {name}: {error}"));
    text.strip_suffix('\n').unwrap_or_else(|| panic!("{name} ends without a newline")).to_owned()
}

/// Compares what a sample gives to its file, and returns it.
fn golden(name: &str, json: &str) -> String {
    if update() {
        fs::write(folder().join(format!("{name}.json")), format!("{json}\n")).unwrap();
    }
    let expected = read(name);
    assert_eq!(json, expected, "{name}: the wire format has changed");
    expected
}

/// The type names of a tagged enum, from its schema; so a new variant cannot go without a file.
fn types_of(prefix: &str) -> BTreeSet<String> {
    let document = asyncapi::document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    if prefix == "event." {
        let variants = schemas["Event"]["oneOf"].as_array().unwrap().iter();
        let kinds = variants.filter_map(|variant| variant["properties"]["type"]["const"].as_str());
        return kinds.map(|kind| format!("event.{kind}")).collect();
    }
    schemas.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
}

fn type_name(json: &str) -> String {
    let frame: Value = serde_json::from_str(json).unwrap();
    frame["type"].as_str().unwrap().to_owned()
}

#[test]
fn every_client_frame_has_its_bytes() {
    for frame in samples::client_frames() {
        let json = frame.encode();
        let json = golden(&format!("client.{}", type_name(&json)), &json);
        let frames = decode(json.as_bytes()).unwrap();
        assert!(!matches!(frames[..], [ClientFrame::Unknown { .. }]), "{json}");
        assert_eq!(frames[0].encode(), json);
    }
    assert_eq!(names("client."), types_of("client."));
}

#[test]
fn every_server_frame_has_its_bytes() {
    for frame in samples::server_frames() {
        let json = frame.encode();
        let json = golden(&format!("server.{}", type_name(&json)), &json);
        let read = ServerFrame::decode(&json).unwrap();
        assert!(!matches!(read, ServerFrame::Unknown), "{json}");
        assert_eq!(read.encode(), json);
    }
    assert_eq!(names("server."), types_of("server."));
}

#[test]
fn every_event_has_its_bytes() {
    for event in samples::events() {
        let json = serde_json::to_string(&event).unwrap();
        let json = golden(&format!("event.{}", type_name(&json)), &json);
        let read: Event = serde_json::from_str(&json).unwrap();
        assert_eq!(read, event);
        assert_ne!(read, Event::Unknown);
    }
    assert_eq!(names("event."), types_of("event."));
}

#[test]
fn type_and_channel_come_first() {
    for name in names("client.").iter().chain(&names("server.")) {
        let json = read(name);
        let (_, kind) = name.split_once('.').unwrap();
        let has_channel =
            json.contains(r#""ch":"#) && !["client.hello", "server.error"].contains(&&**name);
        let channel = if has_channel { r#","ch":"# } else { "" };
        let head = format!(r#"{{"type":"{kind}"{channel}"#);
        assert!(json.starts_with(&head), "{json}");
    }
}

#[test]
fn an_entrys_shared_rest_makes_the_same_frame_as_the_types() {
    for event in samples::events() {
        let (ch, seq, ts) = (Channel(3), Seq(42), 1_788_000_000_000);
        let rest = entry_rest(seq, ts, &event).unwrap();
        let frame = ServerFrame::Ev(Ev { ch, seq, from: None, ts, event });
        assert_eq!(write_ev(ch, &rest), frame.encode());
    }
}

/// Golden files of a method: its parameters, where it has any, and its result.
fn of_method<P, R>(name: &str, params: Option<P>, result: &R)
where
    P: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    fn reads_back<T: Serialize + DeserializeOwned>(name: &str, value: &T) {
        let json = golden(name, &serde_json::to_string(value).unwrap());
        let read: T = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
    if let Some(params) = params {
        reads_back(&format!("method.{name}.params"), &params);
    }
    reads_back(&format!("method.{name}.result"), result);
}

#[test]
fn every_method_has_its_bytes() {
    let mut seen = BTreeSet::new();
    for method in samples::methods() {
        samples::golden_of(&method);
        seen.insert(method.name());
        let call = method.to_call();
        assert_eq!(Method::from_call(&call).unwrap(), method, "a call reads back");
        let listed = asyncapi::methods().into_iter().find(|listed| listed.name == method.name());
        let listed = listed.expect("it is in the list of methods");
        assert_eq!(listed.mutates, call.cid.is_some(), "{}", listed.name);
        let files = names(&format!("method.{}.", method.name()));
        assert_eq!(files.len(), 1 + usize::from(call.params.is_some()), "{files:?}");
    }
    assert_eq!(seen, asyncapi::methods().iter().map(|method| method.name).collect());
    let all: usize = seen.iter().map(|name| names(&format!("method.{name}.")).len()).sum();
    assert_eq!(names("method.").len(), all, "no file is left over");
}
