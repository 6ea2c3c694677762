//! A digest of what a session said, the same however its deltas were cut or merged.

use crate::{
    event::{Event, Stream},
    id::{PartId, Seq},
};
use std::collections::BTreeMap;

/// The digest of nothing: the offset basis of FNV-1a.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// Adds bytes to an FNV-1a digest of 64 bits; start with `None`. Cheap, not a defence against
/// anybody who wants two texts to collide.
#[must_use]
pub fn fnv1a(digest: Option<u64>, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest.unwrap_or(EMPTY), |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Running digest of applied events.
///
/// Two readers of one log that begin after the same entry and have applied up to the same entry
/// have the same digest, whether or not adjacent deltas reached them merged. It covers every event
/// that is no delta, with its number and place in the order, and the bytes of every part. It keeps
/// 16 bytes for each part that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Of events other than deltas, and of the parts that have ended.
    ended: Option<u64>,
    /// Of parts that are open: one digest for each of a part's texts.
    open: BTreeMap<(PartId, Stream), u64>,
}

impl Transcript {
    /// Adds an event; `seq` is that of its frame.
    pub fn add(&mut self, seq: Seq, event: &Event) {
        if let Some((part, stream, text)) = event.as_delta() {
            let digest = self.open.get(&(part, stream)).copied();
            self.open.insert((part, stream), fnv1a(digest, text.as_bytes()));
            return;
        }
        // Parts are folded in at an event that is no delta, so that the place does not depend on
        // how deltas were merged.
        let ended = |&(part, _): &(PartId, Stream), _: &mut u64| ends(event, part);
        for (_, digest) in self.open.extract_if(.., ended) {
            self.ended = Some(fnv1a(self.ended, &digest.to_le_bytes()));
        }
        self.ended = Some(fnv1a(self.ended, &seq.0.to_le_bytes()));
        let json = serde_json::to_vec(event).unwrap_or_default(); // events always serialise
        self.ended = Some(fnv1a(self.ended, &json));
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let ended = self.ended.unwrap_or(EMPTY);
        self.open.iter().fold(ended, |digest, ((part, stream), text)| {
            let digest = fnv1a(Some(digest), &part.0.to_le_bytes());
            fnv1a(Some(fnv1a(Some(digest), &[*stream as u8])), &text.to_le_bytes())
        })
    }
}

/// Whether nothing follows for `part`: by its own end, or since its run breaks off here.
fn ends(event: &Event, part: PartId) -> bool {
    let ends_part = matches!(
        event,
        Event::TextEnd { .. }
            | Event::ReasoningEnd { .. }
            | Event::FileEnd { .. }
            | Event::ToolEnd { .. }
    );
    (ends_part && event.part() == Some(part))
        || matches!(event, Event::RunRecovering { .. } | Event::RunFinished { .. })
}
