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
    /// A ledger leaves out a number.
    SequenceGap,
    /// A transaction's hash does not depend on those before it.
    ChainCut,
    /// What a hold gives back goes to the first grant.
    WrongBucket,
    /// A run may reserve what is not there.
    BalanceUnchecked,
    /// A hold that has ended can be renewed.
    RenewedAfterEnd,
    /// Settling again gives back what was paid.
    DoubleRefund,
    /// A part of a micro-credit is forgiven.
    RoundedDown,
    /// A run pays more than it reserved.
    PaidAboveHold,
    /// What nobody paid has no entry on the other side.
    NothingWrittenOff,
    /// Holds of lost runs stay.
    HoldLeaked,
    /// Holds of lost runs are charged.
    ExpiredCharged,
    /// The monthly grant comes each time that somebody looks.
    MonthlyTwice,
    /// A budget counts what was paid and not what is reserved.
    BudgetWithoutHolds,
    /// A command is answered before it is durable.
    AnsweredBeforeDurable,
    /// A decision is written over books that it did not see.
    CheckThenAct,
    /// A command whose outcome is unknown is tried again under another name.
    RetriedUnderNewName,
    /// The journal of a node that was declared dead is read, but not sealed.
    NotSealed,
    /// What a dead node left in its journal is dropped.
    TailDropped,
    /// A session is claimed from a dead node before that one is recovered.
    ClaimedBeforeRecovery,
    /// A session is claimed from whoever owns it.
    OwnerIgnored,
    /// Runs of a dead node wait until somebody wants their session.
    RunsLeft,
    /// Who was fenced goes on with what it has.
    FenceIgnored,
}

/// Whether this defect is to be played.
#[cfg(not(any(test, feature = "plant")))]
#[inline]
pub(crate) const fn is(_: Plant) -> bool {
    false
}

#[cfg(test)]
thread_local! {
    static PLAYED: std::cell::Cell<Option<Plant>> = const { std::cell::Cell::new(None) };
}

/// Whether this defect is to be played.
#[cfg(test)]
pub(crate) fn is(plant: Plant) -> bool {
    PLAYED.get() == Some(plant)
}

/// Plays a defect on this thread while something is done.
#[cfg(test)]
pub(crate) fn play<T>(plant: Option<Plant>, act: impl FnOnce() -> T) -> T {
    PLAYED.set(plant);
    let done = act();
    PLAYED.set(None);
    done
}

/// Whether this defect is to be played.
#[cfg(all(feature = "plant", not(test)))]
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

#[cfg(all(feature = "plant", not(test)))]
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
            "double_refund" => Self::DoubleRefund,
            "rounded_down" => Self::RoundedDown,
            "hold_leaked" => Self::HoldLeaked,
            "expired_charged" => Self::ExpiredCharged,
            "not_sealed" => Self::NotSealed,
            "tail_dropped" => Self::TailDropped,
            "claimed_before_recovery" => Self::ClaimedBeforeRecovery,
            "owner_ignored" => Self::OwnerIgnored,
            "runs_left" => Self::RunsLeft,
            "fence_ignored" => Self::FenceIgnored,
            _ => return None,
        })
    }
}
