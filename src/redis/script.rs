//! The scripts: each reads Redis' own clock, and is all or nothing.

/// A script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Script {
    /// Says that a node is there, and hears what is new.
    Beat,
    /// Looks at the server itself.
    Examine,
    /// Gives back what was taken from a bucket, or takes more.
    Settle,
    /// Takes from several buckets, or from none.
    Take,
    /// Tells all nodes something.
    Tell,
}

impl Script {
    pub(super) const ALL: [Self; 5] =
        [Self::Beat, Self::Examine, Self::Settle, Self::Take, Self::Tell];

    pub(super) const fn lua(self) -> &'static str {
        match self {
            Self::Beat => include_str!("script/beat.lua"),
            Self::Examine => include_str!("script/examine.lua"),
            Self::Settle => include_str!("script/settle.lua"),
            Self::Take => include_str!("script/take.lua"),
            Self::Tell => include_str!("script/tell.lua"),
        }
    }

    /// Its name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Beat => "beat",
            Self::Examine => "examine",
            Self::Settle => "settle",
            Self::Take => "take",
            Self::Tell => "tell",
        }
    }
}
