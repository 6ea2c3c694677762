//! Finding the JSON object in an answer.

use super::HubError;
use serde_json::{Deserializer, Map, Value};

/// The last object in a text that names an intent. What stands around it does not matter:
/// reasoning that tries other objects first, code fences, words.
///
/// Every `{` may begin it. JSON nests at most 128 deep, which bounds how often a byte is looked at.
pub(super) fn find(text: &str) -> Result<Map<String, Value>, HubError> {
    let (mut found, mut nameless, mut broken) = (None, None, Broken::default());
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| rest.find('{')) {
        let start = at + offset;
        at = start + 1;
        let rest = text.get(start..).unwrap_or_default();
        let mut objects = Deserializer::from_str(rest).into_iter::<Map<String, Value>>();
        match objects.next() {
            Some(Ok(object)) if object.get("intent").is_some_and(Value::is_string) => {
                at = start + objects.byte_offset();
                found = Some(object);
            }
            // Another one may stand within it.
            Some(Ok(object)) => nameless = nameless.or(Some(object)),
            Some(Err(error)) => broken.note(rest, &error),
            None => {}
        }
    }
    found.map_or_else(|| broken.or_nameless(nameless), Ok)
}

/// The broken object that went on for longest: most likely the one that was meant.
#[derive(Default)]
struct Broken {
    bytes: usize,
    error: Option<HubError>,
}

impl Broken {
    fn note(&mut self, object: &str, error: &serde_json::Error) {
        let lines = object.split_inclusive('\n').take(error.line().saturating_sub(1));
        let bytes = lines.map(str::len).sum::<usize>() + error.column();
        if bytes > self.bytes || self.error.is_none() {
            let what = || HubError::Malformed { what: error.to_string() };
            let error = if error.is_eof() { HubError::Unfinished } else { what() };
            *self = Self { bytes, error: Some(error) };
        }
    }

    /// An object without an intent will be refused for just that.
    fn or_nameless(
        self,
        nameless: Option<Map<String, Value>>,
    ) -> Result<Map<String, Value>, HubError> {
        match self.error {
            // A stray brace says less than an object that is whole.
            Some(error) if nameless.is_none() || self.bytes > STRAY_BYTES => Err(error),
            Some(_) | None => nameless.ok_or(HubError::NoObject),
        }
    }
}

/// What ends before is no object that somebody meant to write.
const STRAY_BYTES: usize = 16;
