//! From accepted to durable to stored: batches, answers, segments, snapshots, sleep.

use super::{
    super::{
        answer::{Answer, Answered},
        feed::View,
        snapshot,
    },
    Effect, State,
};
use crate::{
    plant::{self, Plant},
    port::{Projection, Snapshot},
};
use greenroom_protocol::{frame::Status, id::Seq};
use std::collections::VecDeque;

/// Entries after the last snapshot that make a new one due: waking reads at most about 256.
const SNAPSHOT_ENTRIES: u64 = 192;

impl<R> State<R> {
    pub(super) fn answer_when_durable(
        &mut self,
        seq: Seq,
        reply: R,
        answered: Answered,
        out: &mut Vec<Effect<R>>,
    ) {
        if seq <= self.log.durable() {
            out.push(Effect::Reply(reply, Ok(answered)));
        } else {
            self.waiting.push_back((seq, reply, answered));
        }
    }

    pub(super) fn durable(&mut self, last: Seq, now_ms: u64, out: &mut Vec<Effect<R>>) {
        self.alerted = false;
        let entries = self.log.make_durable(last);
        if !entries.is_empty() && !plant::is(Plant::DeliverBeforeCommit) {
            out.push(Effect::Publish { entries, view: self.view() });
        }
        let durable = self.log.durable();
        // Answers are given in any order: a repeat may wait behind a later entry.
        let mut still = VecDeque::with_capacity(self.waiting.len());
        for (seq, reply, mut answered) in std::mem::take(&mut self.waiting) {
            if seq <= durable {
                // What was asked for may have changed what the session is at.
                if let Answer::Info(info) = &mut answered.answer {
                    **info = self.info();
                }
                out.push(Effect::Reply(reply, Ok(answered)));
            } else {
                still.push_back((seq, reply, answered));
            }
        }
        self.waiting = still;
        self.put_segment_if_due(now_ms, out);
    }

    pub(super) fn put_segment_if_due(&mut self, now_ms: u64, out: &mut Vec<Effect<R>>) {
        let is_due = self.log.is_segment_due() || (self.run_ended && self.log.is_settled());
        if is_due && !self.storing {
            self.put_segment(now_ms, out);
        }
    }

    /// Stores what is in no segment yet; with a snapshot where one is due and the core holds
    /// nothing that is not durable.
    fn put_segment(&mut self, now_ms: u64, out: &mut Vec<Effect<R>>) {
        let (head, is_settled) = (self.log.durable(), self.log.is_settled());
        let since = head.0.saturating_sub(self.snapshot_seq.0);
        let is_due = since >= SNAPSHOT_ENTRIES || (!self.is_busy() && since > 0);
        let snapshot = (is_settled && is_due).then(|| {
            self.core.forget_old_commands(now_ms);
            self.snapshot_seq = head;
            Snapshot { seq: head, bytes: snapshot::encode(&self.core) }
        });
        let segment = self.log.segment();
        self.run_ended = false;
        if segment.is_some() || snapshot.is_some() {
            self.storing = true;
            // A run whose end is not durable yet has not ended: whoever recovers this node looks
            // here for what it left unfinished.
            let has_ended = is_settled || self.is_busy();
            let status = if has_ended { self.core.status() } else { Status::Running };
            let commit = self.core.commit.clone();
            let projection = Projection { seq: head, status, commit };
            out.push(Effect::PutSegment { segment, snapshot, projection });
        }
    }

    pub(super) fn tick(&mut self, now_ms: u64, idle_ms: u64, out: &mut Vec<Effect<R>>) {
        if self.storing {
            return;
        }
        let is_quiet = !self.is_busy() && self.log.is_settled() && self.waiting.is_empty();
        let is_stored = self.log.tail_len() == 0 && self.snapshot_seq == self.log.head();
        if !is_stored {
            self.put_segment(now_ms, out);
        } else if is_quiet && self.log.idle_ms(now_ms) >= idle_ms {
            out.push(Effect::Hibernate);
        }
    }

    pub(super) fn flush(&mut self, out: &mut Vec<Effect<R>>) {
        if let Some((first, entries, urgent)) = self.log.begin_batch() {
            if plant::is(Plant::DeliverBeforeCommit) {
                let head = Seq(first.0 + entries.len() as u64 - 1);
                let view = View { head, ..self.view() };
                out.push(Effect::Publish { entries: entries.clone(), view });
            }
            out.push(Effect::Append { first, entries, urgent });
        }
    }
}
