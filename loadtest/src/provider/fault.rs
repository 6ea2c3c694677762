//! What can go wrong with a call, on request.

use crate::mix::Mix;
use std::{fmt, str::FromStr};

/// A failure that the stand-in plays.
///
/// As text: `429`, `500`, `cut=BYTES`, `stall=BYTES`, `error=BYTES`, each with an optional `*TIMES`
/// (how many calls of one run, or in all where it is queued, meet it; without: every one).
/// Bytes count the answer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// How many calls meet it.
    pub times: u32,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Status 429 with `retry-after: 1`.
    RateLimited,
    /// Status 500.
    Failed,
    /// The connection is closed after so many bytes of the answer.
    Cut(u64),
    /// Nothing more comes after so many bytes of the answer.
    Stall(u64),
    /// An error object inside the stream after so many bytes of the answer.
    Error(u64),
}

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no fault; write 429, 500, cut=BYTES, stall=BYTES or error=BYTES, then *TIMES or nothing"
)]
pub struct FaultError(String);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let error = || FaultError(text.to_owned());
        let (kind, times) = match text.split_once('*') {
            Some((kind, times)) => (kind, times.parse().map_err(|_| error())?),
            None => (text, u32::MAX),
        };
        let (name, bytes) = match kind.split_once('=') {
            Some((name, bytes)) => (name, Some(bytes.parse().map_err(|_| error())?)),
            None => (kind, None),
        };
        let kind = match (name, bytes) {
            ("429", None) => FaultKind::RateLimited,
            ("500", None) => FaultKind::Failed,
            ("cut", Some(bytes)) => FaultKind::Cut(bytes),
            ("stall", Some(bytes)) => FaultKind::Stall(bytes),
            ("error", Some(bytes)) => FaultKind::Error(bytes),
            _ => return Err(error()),
        };
        Ok(Self { kind, times })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimited => f.write_str("429"),
            Self::Failed => f.write_str("500"),
            Self::Cut(bytes) => write!(f, "cut={bytes}"),
            Self::Stall(bytes) => write!(f, "stall={bytes}"),
            Self::Error(bytes) => write!(f, "error={bytes}"),
        }
    }
}

impl FaultKind {
    /// Any of the faults, as `mix` has it.
    pub fn any(mix: &mut Mix) -> Self {
        let bytes = mix.between(0, 4000);
        match mix.below(5) {
            0 => Self::RateLimited,
            1 => Self::Failed,
            2 => Self::Cut(bytes),
            3 => Self::Stall(bytes),
            _ => Self::Error(bytes),
        }
    }

    /// After how many bytes of the answer it happens; none: instead of an answer.
    #[must_use]
    pub const fn at_bytes(self) -> Option<u64> {
        match self {
            Self::RateLimited | Self::Failed => None,
            Self::Cut(bytes) | Self::Stall(bytes) | Self::Error(bytes) => Some(bytes),
        }
    }
}

/// Faults that wait for a call: queued ones first, then by chance.
#[derive(Debug)]
pub struct Faults {
    queued: Vec<Fault>,
    percent: u64,
    mix: Mix,
}

impl Faults {
    /// Faults for `percent` of the calls, chosen by `seed`.
    #[must_use]
    pub const fn new(percent: u64, seed: u64) -> Self {
        Self { queued: Vec::new(), percent, mix: Mix::new(seed) }
    }

    /// The next calls meet this one; at most 1024 wait, later ones are dropped.
    pub fn queue(&mut self, fault: Fault) {
        if self.queued.len() < 1024 {
            self.queued.push(fault);
        }
    }

    /// What the next call meets.
    pub fn next_call(&mut self) -> Option<FaultKind> {
        if let Some(first) = self.queued.first_mut() {
            let kind = first.kind;
            first.times = first.times.saturating_sub(1);
            if first.times == 0 {
                self.queued.remove(0);
            }
            return Some(kind);
        }
        self.mix.chance(self.percent).then(|| FaultKind::any(&mut self.mix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_text() {
        let cut = Fault { kind: FaultKind::Cut(12), times: 2 };
        assert_eq!("cut=12*2".parse(), Ok(cut));
        assert_eq!("429".parse(), Ok(Fault { kind: FaultKind::RateLimited, times: u32::MAX }));
        for wrong in ["", "cut", "429=1", "cut=x", "stall=1*x", "boom"] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_queued_fault_is_met_as_often_as_it_says() {
        let mut faults = Faults::new(0, 0);
        faults.queue(Fault { kind: FaultKind::Failed, times: 2 });
        let met: Vec<_> = (0..3).map(|_| faults.next_call()).collect();
        assert_eq!(met, [Some(FaultKind::Failed), Some(FaultKind::Failed), None]);
    }
}
