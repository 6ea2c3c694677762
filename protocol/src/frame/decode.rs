//! Decodes what a client sends without trusting a byte of it.

use super::{Ack, ClientFrame};
use crate::{
    error::DecodeError,
    id::Channel,
    limit::{BATCH_FRAMES_MAX, JSON_DEPTH_MAX, MESSAGE_BYTES_MAX},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// Longest name of an unknown type that is kept, in characters.
const KIND_CHARS_MAX: usize = 64;

/// Decodes one message: a frame, or an array of frames whose order is kept.
///
/// Fields that are not known are ignored, types that are not known become
/// [`ClientFrame::Unknown`]. A field that comes twice, a number out of range and text that is no
/// UTF-8 are errors.
///
/// # Errors
/// [`DecodeError`]; nothing of the message may be acted upon then.
pub fn decode(message: &[u8]) -> Result<Vec<ClientFrame>, DecodeError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLarge { len_bytes: message.len() });
    }
    if deeper_than(message, JSON_DEPTH_MAX) {
        return Err(DecodeError::TooDeep);
    }
    let json = std::str::from_utf8(message)
        .map_err(|error| DecodeError::Malformed(serde_json::Error::custom(error)))?;
    if !json.trim_ascii_start().starts_with('[') {
        return Ok(vec![decode_one(json)?]);
    }
    let Batch(frames) = parse(json)?;
    if frames.len() > BATCH_FRAMES_MAX {
        return Err(DecodeError::TooManyFrames);
    }
    frames.into_iter().map(|frame| decode_one(frame.get())).collect()
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, DecodeError> {
    serde_json::from_str(json).map_err(DecodeError::Malformed)
}

fn decode_one(frame: &str) -> Result<ClientFrame, DecodeError> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Auth {
        token: String,
    }
    #[derive(Deserialize)]
    struct Detach {
        ch: Channel,
    }
    #[derive(Deserialize)]
    struct Acks {
        acks: Vec<Ack>,
    }
    #[derive(Deserialize)]
    struct Ping {
        #[serde(default)]
        ts: u64,
    }
    let Head { kind } = parse(frame)?;
    Ok(match &*kind {
        "hello" => ClientFrame::Hello(parse(frame)?),
        "auth" => parse(frame).map(|Auth { token }| ClientFrame::Auth { token })?,
        "attach" => ClientFrame::Attach(parse(frame)?),
        "detach" => parse(frame).map(|Detach { ch }| ClientFrame::Detach { ch })?,
        "ack" => parse(frame).map(|Acks { acks }| ClientFrame::Ack { acks })?,
        "call" => ClientFrame::Call(parse(frame)?),
        "ping" => parse(frame).map(|Ping { ts }| ClientFrame::Ping { ts })?,
        "pong" => ClientFrame::Pong,
        _ => ClientFrame::Unknown { kind: kind.chars().take(KIND_CHARS_MAX).collect() },
    })
}

/// The frames of an array, up to one more than are allowed; the others are skipped, so that a
/// message of many tiny frames costs no memory.
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Batch<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Frames;
        impl<'de> Visitor<'de> for Frames {
            type Value = Batch<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of frames")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut frames = Vec::new();
                while frames.len() <= BATCH_FRAMES_MAX {
                    match seq.next_element()? {
                        Some(frame) => frames.push(frame),
                        None => return Ok(Batch(frames)),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Batch(frames))
            }
        }
        deserializer.deserialize_seq(Frames)
    }
}

/// Whether brackets nest deeper than `depth_max`; one pass, no allocation.
fn deeper_than(json: &[u8], depth_max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
