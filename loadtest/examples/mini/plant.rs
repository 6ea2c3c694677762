//! Ways to be wrong.

use std::str::FromStr;

/// A defect to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Entries reach clients before they are written.
    DeliverBeforeCommit,
    /// A repeated command is a new one.
    SkipDedupe,
    /// A resumed attachment leaves out one entry.
    ReplayOffByOne,
    /// Each start is a new incarnation of every log.
    EpochRaisedAtRestart,
    /// A run that was recovered has no end.
    TerminalEventLost,
    /// A file that broke off counts as complete.
    TruncatedFileCommitted,
    /// What was delivered is numbered anew after a restart.
    SegmentBeforeDurable,
    /// Who falls far behind misses an entry.
    RingSkipsOnWrap,
    /// A cancel is acknowledged, the provider's call goes on.
    CancelLost,
}

impl FromStr for Plant {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "deliver_before_commit" => Self::DeliverBeforeCommit,
            "skip_dedupe" => Self::SkipDedupe,
            "replay_off_by_one" => Self::ReplayOffByOne,
            "epoch_raised_at_restart" => Self::EpochRaisedAtRestart,
            "terminal_event_lost" => Self::TerminalEventLost,
            "truncated_file_committed" => Self::TruncatedFileCommitted,
            "segment_before_durable" => Self::SegmentBeforeDurable,
            "ring_skips_on_wrap" => Self::RingSkipsOnWrap,
            "cancel_lost" => Self::CancelLost,
            _ => anyhow::bail!("no defect {name:?}"),
        })
    }
}
