//! What goes to the client: answers first, then entries, in turn and in bounded batches.

use super::{
    attachment::Attachment,
    serve::{Connection, End},
};
use crate::{
    port::{Socket, StoreError},
    session::{feed::Read, reader::read_after},
};
use bytes::Bytes;
use greenroom_protocol::{
    error::{CloseCode, ErrorBody, Reason},
    flow::Next,
    frame::{self, Ack, CaughtUp, ServerFrame, write_ev},
    id::{Channel, Seq},
};
use std::time::Duration;
use tokio::time::Instant;

/// Frames of one attachment in its turn.
const TURN_FRAMES: usize = 16;

/// Entries that one attachment may merge in its turn.
const MERGED_ENTRIES: usize = 256;

/// When a client that read too slowly should attach again, in milliseconds.
const DETACHED_RETRY_MS: u64 = 1000;

/// Bytes of all attachments in one flush.
const FLUSH_BYTES: usize = 64 * 1024;

/// Wait after a read that failed.
const READ_RETRY: Duration = Duration::from_secs(1);

/// Entries from segments on their way to an attachment.
pub(super) type Reading = (Channel, Result<Vec<(Seq, Bytes)>, StoreError>);

impl<S: Socket> Connection<S> {
    /// An attachment may have something to send.
    pub(super) fn make_ready(&mut self, ch: Channel) {
        if !self.ready.contains(&ch) {
            self.ready.push_back(ch);
        }
    }

    /// Feeds the socket, if all that was fed before is out.
    pub(super) fn fill(&mut self) -> Result<(), End> {
        if self.is_dirty {
            return Ok(());
        }
        let mut bytes = 0;
        self.feed_outbox(&mut bytes)?;
        for _ in 0..self.ready.len() {
            if bytes >= FLUSH_BYTES {
                break;
            }
            let Some(ch) = self.ready.pop_front() else { break };
            self.turn(ch, &mut bytes)?;
        }
        self.feed_outbox(&mut bytes)?; // the end of an attachment whose patience is over
        if self.is_dirty {
            self.timers.fed(Instant::now());
        }
        Ok(())
    }

    pub(super) fn feed_outbox(&mut self, bytes: &mut usize) -> Result<(), End> {
        std::mem::take(&mut self.outbox).into_iter().try_for_each(|frame| self.feed(frame, bytes))
    }

    fn feed(&mut self, frame: String, bytes: &mut usize) -> Result<(), End> {
        *bytes += frame.len();
        self.is_dirty = true;
        self.edge.node.meter.frames_sent.inc();
        self.socket.feed(frame).map_err(|error| super::handshake::close_code(&error).into())
    }

    /// One attachment's turn: it goes to the end of the queue while there is more.
    fn turn(&mut self, ch: Channel, bytes: &mut usize) -> Result<(), End> {
        let now_ms = self.now_ms();
        let Some(attachment) = self.attachment(ch) else { return Ok(()) };
        let alert = attachment.watch.answer();
        attachment.wake_at = None;
        let lag = attachment.lag();
        let next = attachment.flow.next(now_ms, lag, attachment.is_reading);
        if let Some(error) = alert {
            self.feed(ServerFrame::Error { ch: Some(ch), error }.encode(), bytes)?;
        }
        self.catch_up(ch, bytes)?; // before what came since, and without credit, too
        match next {
            Next::Nothing => Ok(()),
            Next::Send { merge } => self.send(ch, merge, bytes),
            Next::Wait { until_ms } | Next::Pause { until_ms } => {
                let wake_at = self.edge.node.started + Duration::from_millis(until_ms);
                if let Some(attachment) = self.attachment(ch) {
                    attachment.wake_at = Some(wake_at);
                }
                Ok(())
            }
            Next::Detach => {
                self.edge.node.meter.slow_consumers.inc();
                self.end_attachment(ch, Reason::SlowConsumer, Some(DETACHED_RETRY_MS));
                Ok(())
            }
        }
    }

    /// Milliseconds of a clock that never goes back, for flow control.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.edge.node.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sends what follows an attachment's cursor: as it is, or adjacent deltas as one.
    fn send(&mut self, ch: Channel, merge: bool, bytes: &mut usize) -> Result<(), End> {
        let now_ms = self.now_ms();
        let Some(attachment) = self.attachment(ch) else { return Ok(()) };
        let entries_max = if merge { MERGED_ENTRIES } else { TURN_FRAMES };
        let entries = match attachment.next(entries_max, FLUSH_BYTES / 2) {
            Read::Entries(entries) => entries,
            Read::UpToDate => return Ok(()),
            Read::Segments => {
                self.read_segments(ch);
                return Ok(());
            }
        };
        attachment.flow.flushed(now_ms);
        // Entries are text that this engine wrote.
        let rests: Result<Vec<&str>, _> =
            entries.iter().map(|(_, rest)| std::str::from_utf8(rest)).collect();
        let rests = rests.map_err(|_| End::Close(CloseCode::Internal))?;
        if merge {
            let mut seq = entries.first().map_or(Seq::START, |(seq, _)| seq.prev());
            for merged in frame::merge(&rests) {
                seq = Seq(seq.0 + merged.entries as u64);
                if !self.send_one(ch, seq, &merged.rest, bytes)? {
                    break;
                }
            }
        } else {
            for ((seq, _), rest) in entries.iter().zip(rests) {
                if !self.send_one(ch, *seq, rest, bytes)? {
                    break;
                }
            }
        }
        self.catch_up(ch, bytes)?;
        self.make_ready(ch); // it asks again: for more, or for when
        Ok(())
    }

    /// Sends one frame; answers whether the credit allowed it.
    fn send_one(
        &mut self,
        ch: Channel,
        seq: Seq,
        rest: &str,
        bytes: &mut usize,
    ) -> Result<bool, End> {
        let Some(attachment) = self.attachment(ch) else { return Ok(false) };
        if !attachment.flow.may_send() {
            return Ok(false);
        }
        let frame = write_ev(ch, rest);
        attachment.sent(seq, frame.len());
        self.feed(frame, bytes)?;
        Ok(true)
    }

    /// Says so where an attachment has caught up, once.
    fn catch_up(&mut self, ch: Channel, bytes: &mut usize) -> Result<(), End> {
        let caught_up = self.attachment(ch).and_then(Attachment::caught_up);
        match caught_up {
            Some(seq) => self.feed(ServerFrame::CaughtUp(CaughtUp { ch, seq }).encode(), bytes),
            None => Ok(()),
        }
    }

    /// Begins to read what the ring does not hold any more; one read a socket at a time.
    fn read_segments(&mut self, ch: Channel) {
        if self.reading.is_some() {
            self.make_ready(ch);
            return;
        }
        let store = self.edge.node.store.clone();
        let Some(attachment) = self.attachment(ch) else { return };
        attachment.is_reading = true;
        let (feed, after) = (attachment.feed.clone(), attachment.cursor);
        self.reading = Some(Box::pin(async move { (ch, read_after(&feed, &*store, after).await) }));
    }

    /// Takes what was read; it is sent in the next flush.
    pub(super) fn read_done(&mut self, (ch, read): Reading) {
        let Some(attachment) = self.attachment(ch) else { return };
        attachment.is_reading = false;
        match read {
            Ok(entries) => attachment.replay(entries),
            Err(error) => {
                tracing::warn!(%error, "a log was not read");
                attachment.wake_at = Some(Instant::now() + READ_RETRY);
                let error = ErrorBody::store_unavailable();
                self.outbox.push(ServerFrame::Error { ch: Some(ch), error }.encode());
                return;
            }
        }
        self.make_ready(ch);
    }

    /// Takes a client's acknowledgements.
    pub(super) fn acks(&mut self, acks: &[Ack]) {
        let now_ms = self.now_ms();
        for Ack(ch, _, total) in acks {
            if let Some(attachment) = self.attachment(*ch) {
                attachment.flow.granted(now_ms, *total);
                self.make_ready(*ch);
            }
        }
    }

    /// Attachments whose own window is over.
    pub(super) fn wake_delayed(&mut self, now: Instant) {
        let due = |attachment: &mut Attachment| {
            attachment.wake_at.take_if(|at| *at <= now).map(|_| attachment.ch)
        };
        let due: Vec<Channel> = self.attachments.iter_mut().filter_map(due).collect();
        due.into_iter().for_each(|ch| self.make_ready(ch));
    }
}
