//! Defects to play, so that the crash test can be tested: a test that finds none of them proves
//! nothing. Played only with the feature `plant`; without it every use is `false` and compiles
//! away.

/// A defect, named in the environment variable `GREENROOM_PLANT` in lower case with underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Entries reach clients when they are sent to the lane; the store has them a moment later.
    DeliverBeforeCommit,
    /// A repeated command is a new one.
    SkipDedupe,
    /// A resumed attachment leaves out one entry.
    ReplayOffByOne,
    /// Each start of the node is another incarnation of every log.
    EpochRaisedAtRestart,
    /// A run that was recovered has no end in the log.
    TerminalEventLost,
    /// An answer that broke off within a file counts as complete.
    TruncatedFileCommitted,
    /// The journal hears of a segment long before the store has it.
    SegmentBeforeDurable,
    /// Who is behind in a ring that is full misses an entry.
    RingSkipsOnWrap,
    /// A failure that began before its key or group recovered counts all the same.
    LateFailurePoisons,
}

/// Whether this defect is to be played.
#[cfg(not(any(test, feature = "plant")))]
#[inline]
pub(crate) const fn is(_: Plant) -> bool {
    false
}

#[cfg(all(test, not(feature = "plant")))]
thread_local! {
    static PLAYED: std::cell::Cell<Option<Plant>> = const { std::cell::Cell::new(None) };
}

/// Whether a test on this thread plays this defect.
#[cfg(all(test, not(feature = "plant")))]
pub(crate) fn is(plant: Plant) -> bool {
    PLAYED.get() == Some(plant)
}

/// Plays a defect on this thread while something is tested.
#[cfg(all(test, not(feature = "plant")))]
pub(crate) fn with<T>(plant: Plant, test: impl FnOnce() -> T) -> T {
    PLAYED.set(Some(plant));
    let result = test();
    PLAYED.set(None);
    result
}

/// Whether this defect is to be played.
#[cfg(feature = "plant")]
pub(crate) fn is(plant: Plant) -> bool {
    use std::sync::LazyLock;
    static PLAYED: LazyLock<Option<Plant>> = LazyLock::new(|| {
        let name = std::env::var("GREENROOM_PLANT").ok()?;
        let plant = Plant::named(&name);
        tracing::warn!(name, ?plant, "a defect is played");
        plant
    });
    *PLAYED == Some(plant)
}

#[cfg(feature = "plant")]
impl Plant {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "deliver_before_commit" => Self::DeliverBeforeCommit,
            "skip_dedupe" => Self::SkipDedupe,
            "replay_off_by_one" => Self::ReplayOffByOne,
            "epoch_raised_at_restart" => Self::EpochRaisedAtRestart,
            "terminal_event_lost" => Self::TerminalEventLost,
            "truncated_file_committed" => Self::TruncatedFileCommitted,
            "segment_before_durable" => Self::SegmentBeforeDurable,
            "ring_skips_on_wrap" => Self::RingSkipsOnWrap,
            "late_failure_poisons" => Self::LateFailurePoisons,
            _ => return None,
        })
    }
}
