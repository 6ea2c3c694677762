//! Reading a log from any place: the ring where it reaches, segments below it.

use super::feed::{Feed, Read};
use crate::{
    journal::record::decode_segment,
    port::{Segments, StoreError},
};
use bytes::Bytes;
use greenroom_protocol::id::Seq;

/// Entries and bytes of one read: what one flush of a socket takes.
pub(crate) const READ_ENTRIES: usize = 64;
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// The entries after `after`, at least one; empty at the head.
///
/// # Errors
/// [`StoreError`] where segments cannot be read, or lack what the head promises.
pub(crate) async fn read_after<S: Segments + ?Sized>(
    feed: &Feed,
    store: &S,
    after: Seq,
) -> Result<Vec<(Seq, Bytes)>, StoreError> {
    loop {
        match feed.read(after, READ_ENTRIES, READ_BYTES) {
            Read::Entries(entries) => return Ok(entries),
            Read::UpToDate => return Ok(Vec::new()),
            Read::Segments => {}
        }
        let entries = read_segments(feed, store, after).await?;
        if !entries.is_empty() {
            return Ok(entries);
        }
        // The segment was not there yet when it was asked for, and the ring had let go of it by
        // then? Only what is in segments leaves the ring, so the second look finds it or never.
        if feed.read(after, 1, 1) == Read::Segments
            && read_segments(feed, store, after).await?.is_empty()
        {
            let lost = format!("{} has no entry {}", feed.session, after.next());
            return Err(StoreError::Corrupt(lost));
        }
    }
}

/// All entries after `after` up to `last`, which must be durable.
///
/// # Errors
/// As [`read_after`].
pub(crate) async fn read_range<S: Segments + ?Sized>(
    feed: &Feed,
    store: &S,
    mut after: Seq,
    last: Seq,
) -> Result<Vec<(Seq, Bytes)>, StoreError> {
    let mut range = Vec::new();
    while after < last {
        let entries = read_after(feed, store, after).await?;
        let Some((end, _)) = entries.last() else { break };
        after = *end;
        range.extend(entries.into_iter().filter(|(seq, _)| *seq <= last));
    }
    Ok(range)
}

async fn read_segments<S: Segments + ?Sized>(
    feed: &Feed,
    store: &S,
    after: Seq,
) -> Result<Vec<(Seq, Bytes)>, StoreError> {
    let segments = store.segments(feed.session, after.next(), READ_BYTES).await?;
    let mut entries: Vec<(Seq, Bytes)> = Vec::new();
    let mut next = after.next();
    for segment in segments {
        let rests = decode_segment(segment.bytes)
            .map_err(|_| StoreError::Corrupt(format!("a segment of {}", feed.session)))?;
        let mut seq = segment.first;
        for rest in rests {
            if seq == next {
                entries.push((seq, rest));
                next = next.next();
            }
            seq = seq.next();
        }
    }
    Ok(entries)
}
