//! A model's name says how the stand-in behaves.

use super::{
    fault::{Fault, FaultError, Mixture},
    hub::Planner,
};
use std::str::FromStr;

/// All models, for people.
pub const HELP: &str = "\
Models, each with any number of +FAULT behind; the calls of a run meet them one after the other:
  m-RATE-COUNT        COUNT tokens of plain text, each the time it was sent
  app-RATE-SEED       an answer with files, decided by the engine's prompt and the seed
  app-RATE-SEED:HUB   the same, and how the hub is answered that asks before: plan (without :HUB,
                      too), ask (once), talk, explain, mend (after one of no use), broken
  replay-FILE         the chunks of a recording
RATE is tokens a second; 0: as fast as they are taken.";

/// What a model does, read from its name: a behaviour, then any number of `+FAULT`.
///
/// | name | behaviour |
/// |---|---|
/// | `m-RATE-COUNT` | COUNT tokens of plain text, each the time it was sent: `t=<microseconds>;` |
/// | `app-RATE-SEED` | an answer with files, decided by the prompt and the seed |
/// | `app-RATE-SEED:HUB` | the same, and how the hub is answered: [`Planner`] in small letters |
/// | `replay-FILE` | the chunks of a recording, one a line |
///
/// RATE is tokens a second; 0 sends as fast as the socket takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What it answers.
    pub behaviour: Behaviour,
    /// What goes wrong, one after the other, each for as many calls as it says.
    pub faults: Vec<Fault>,
}

/// What a model answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Plain text of time stamps.
    Stamps {
        /// Tokens a second.
        rate: u64,
        /// Tokens in all.
        count: u64,
    },
    /// An answer with files.
    App {
        /// Tokens a second.
        rate: u64,
        /// Decides the answer, with the prompt.
        seed: String,
        /// How the hub is answered.
        planner: Planner,
    },
    /// A recording.
    Replay {
        /// Name of a file in the folder of recordings.
        file: String,
    },
}

/// Why a name is no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Not one of the behaviours.
    #[error("no model {0:?}; there are m-RATE-COUNT, app-RATE-SEED and replay-FILE")]
    Unknown(String),
    /// A suffix that is no fault.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

impl FromStr for Model {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let mut parts = name.split('+');
        let behaviour = parts.next().and_then(Behaviour::read);
        let behaviour = behaviour.ok_or_else(|| ModelError::Unknown(name.to_owned()))?;
        let faults = parts.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { behaviour, faults })
    }
}

impl Model {
    /// What the call of a run meets that comes after so many earlier ones.
    #[must_use]
    pub fn mixture(&self, earlier: usize) -> Option<&Mixture> {
        let mut left = earlier;
        let meets = |fault: &&Fault| {
            let times = usize::try_from(fault.times).unwrap_or(usize::MAX);
            let is_met = left < times;
            left = left.saturating_sub(times);
            is_met
        };
        self.faults.iter().find(meets).map(|fault| &fault.mixture)
    }
}

impl Behaviour {
    fn read(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('-')?;
        let rated = || {
            let (rate, rest) = rest.split_once('-')?;
            Some((rate.parse().ok()?, rest))
        };
        match kind {
            "m" => {
                let (rate, count) = rated()?;
                Some(Self::Stamps { rate, count: count.parse().ok()? })
            }
            "app" => {
                let (rate, seed) = rated()?;
                let (seed, planner) = match seed.split_once(':') {
                    Some((seed, planner)) => (seed, planner.parse().ok()?),
                    None => (seed, Planner::default()),
                };
                Some(Self::App { rate, seed: seed.to_owned(), planner })
            }
            // A plain file name: nothing outside of the folder can be asked for.
            "replay"
                if !rest.is_empty() && !rest.contains(['/', '\\']) && !rest.starts_with('.') =>
            {
                Some(Self::Replay { file: rest.to_owned() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_model_does() {
        let model: Model = "app-400-s7+cut=90,crlf*1+500".parse().unwrap();
        let app = |seed: &str, planner| Behaviour::App { rate: 400, seed: seed.into(), planner };
        assert_eq!(model.behaviour, app("s7", Planner::Plan));
        let asks: Model = "app-400-s7:ask+500".parse().unwrap();
        assert_eq!((asks.behaviour, asks.faults.len()), (app("s7", Planner::Ask), 1));
        let faults: Vec<_> = model.faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, ["cut=90,crlf*1", "500"]);
        let model: Model = "m-50-1000".parse().unwrap();
        assert_eq!(model.behaviour, Behaviour::Stamps { rate: 50, count: 1000 });
    }

    #[test]
    fn the_calls_of_a_run_meet_faults_one_after_the_other() {
        let met = |name: &str| {
            let model: Model = name.parse().unwrap();
            let text = |earlier| model.mixture(earlier).map(ToString::to_string);
            (0..4).map(|earlier| text(earlier).unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(met("m-0-1+500*1+401*2"), ["500", "401", "401", ""]);
        assert_eq!(met("m-0-1+500*1+401"), ["500", "401", "401", "401"]);
        assert_eq!(met("m-0-1"), ["", "", "", ""]);
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "gpt-4",
            "m-50",
            "m-x-1",
            "replay-",
            "replay-../x",
            "replay-a/b",
            "m-1-1+x",
            "app-1-s:x",
        ] {
            assert!(name.parse::<Model>().is_err(), "{name}");
        }
    }
}
