//! Bytes of journal records and segments: entries with their lengths before them.
//!
//! A record is `1`, then groups: session (16 bytes), first seq (u64), count (u32), entries. A
//! segment is `1`, then entries. An entry is its length (u32) and its bytes. Little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use greenroom_protocol::id::{Seq, SessionId};

/// Version of both layouts.
const VERSION: u8 = 1;

/// Adjacent entries of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The session.
    pub session: SessionId,
    /// Number of the first entry.
    pub first: Seq,
    /// The entries, as `greenroom_protocol::frame::entry_rest` wrote them.
    pub entries: Vec<Bytes>,
}

/// Bytes that are no record and no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record of this version, or cut short")]
pub(crate) struct RecordError;

impl Group {
    /// Number of the last entry.
    #[must_use]
    pub(crate) fn last(&self) -> Seq {
        Seq((self.first.0 + self.entries.len() as u64).saturating_sub(1))
    }

    /// Length in a record, in bytes.
    #[must_use]
    pub(crate) fn encoded_len(&self) -> usize {
        28 + entries_len(&self.entries)
    }
}

/// Length of entries as they are stored, in bytes.
fn entries_len(entries: &[Bytes]) -> usize {
    entries.iter().map(|entry| entry.len() + 4).sum()
}

/// Encodes groups as one journal record.
#[must_use]
pub(crate) fn encode_record(groups: &[Group]) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + groups.iter().map(Group::encoded_len).sum::<usize>());
    out.put_u8(VERSION);
    for group in groups {
        out.put_slice(group.session.uuid().as_bytes());
        out.put_u64_le(group.first.0);
        out.put_u32_le(u32::try_from(group.entries.len()).unwrap_or(u32::MAX));
        put_entries(&mut out, &group.entries);
    }
    out.freeze()
}

/// Decodes a journal record.
///
/// # Errors
/// [`RecordError`] where the bytes are none.
pub(crate) fn decode_record(mut bytes: Bytes) -> Result<Vec<Group>, RecordError> {
    version(&mut bytes)?;
    let mut groups = Vec::new();
    while bytes.has_remaining() {
        if bytes.remaining() < 28 {
            return Err(RecordError);
        }
        let mut uuid = [0; 16];
        bytes.copy_to_slice(&mut uuid);
        let first = Seq(bytes.get_u64_le());
        let count = bytes.get_u32_le();
        let entries = (0..count).map(|_| entry(&mut bytes)).collect::<Result<_, _>>()?;
        groups.push(Group {
            session: SessionId::new(uuid::Uuid::from_bytes(uuid)),
            first,
            entries,
        });
    }
    Ok(groups)
}

/// Encodes entries as the bytes of a segment.
#[must_use]
pub(crate) fn encode_segment(entries: &[Bytes]) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + entries_len(entries));
    out.put_u8(VERSION);
    put_entries(&mut out, entries);
    out.freeze()
}

/// Decodes the bytes of a segment.
///
/// # Errors
/// [`RecordError`] where the bytes are none.
pub(crate) fn decode_segment(mut bytes: Bytes) -> Result<Vec<Bytes>, RecordError> {
    version(&mut bytes)?;
    let mut entries = Vec::new();
    while bytes.has_remaining() {
        entries.push(entry(&mut bytes)?);
    }
    Ok(entries)
}

fn put_entries(out: &mut BytesMut, entries: &[Bytes]) {
    for entry in entries {
        out.put_u32_le(u32::try_from(entry.len()).unwrap_or(u32::MAX));
        out.put_slice(entry);
    }
}

fn version(bytes: &mut Bytes) -> Result<(), RecordError> {
    (bytes.has_remaining() && bytes.get_u8() == VERSION).then_some(()).ok_or(RecordError)
}

fn entry(bytes: &mut Bytes) -> Result<Bytes, RecordError> {
    if bytes.remaining() < 4 {
        return Err(RecordError);
    }
    let len = usize::try_from(bytes.get_u32_le()).map_err(|_| RecordError)?;
    if bytes.remaining() < len {
        return Err(RecordError);
    }
    Ok(bytes.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was_written(
            groups in prop::collection::vec(
                (any::<u128>(), 1..1000_u64, prop::collection::vec(any::<Vec<u8>>(), 0..5)), 0..5)
        ) {
            let groups: Vec<Group> = groups.into_iter().map(|(id, first, entries)| Group {
                session: SessionId::new(Uuid::from_u128(id)),
                first: Seq(first),
                entries: entries.into_iter().map(Bytes::from).collect(),
            }).collect();
            prop_assert_eq!(decode_record(encode_record(&groups)), Ok(groups));
        }

        #[test]
        fn hostile_bytes_are_an_error_and_no_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode_record(Bytes::from(bytes.clone()));
            let _ = decode_segment(Bytes::from(bytes));
        }
    }

    #[test]
    fn a_segment_that_is_cut_short_is_an_error() {
        let whole = encode_segment(&[Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
        assert_eq!(decode_segment(whole.slice(..whole.len() - 1)), Err(RecordError));
        assert_eq!(decode_segment(whole).map(|entries| entries.len()), Ok(2));
    }
}
