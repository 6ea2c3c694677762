//! What a script does next.

use crate::{mix::Mix, provider::app};

/// One turn of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// One run.
    Plain,
    /// One run whose answer is long and fast: readers fall behind, the log leaves memory.
    Long,
    /// One run; the same command comes from several sockets at once, and again after the end.
    Repeated,
    /// One run, cancelled while it is under way.
    Cancelled,
    /// One run, cancelled before it exists.
    CancelledBefore,
    /// One run whose provider fails.
    Faulty,
    /// Two runs, the second waits for the first.
    Queued,
    /// Two runs, the second takes the place of the first.
    Interrupting,
    /// Two runs, the second is refused while the first is under way.
    Refused,
}

impl Turn {
    pub(super) fn any(mix: &mut Mix) -> Self {
        match mix.below(100) {
            0..30 => Self::Plain,
            30..40 => Self::Long,
            40..52 => Self::Repeated,
            52..68 => Self::Cancelled,
            68..74 => Self::CancelledBefore,
            74..86 => Self::Faulty,
            86..92 => Self::Queued,
            92..96 => Self::Interrupting,
            _ => Self::Refused,
        }
    }
}

/// The model for a turn: its speed, its seed, its fault.
pub(super) fn model(turn: Turn, rate: u64, mix: &mut Mix) -> String {
    let rate = match turn {
        // Slow enough that a cancel which does not reach the provider shows.
        Turn::Cancelled => (rate / 4).min(60),
        Turn::Interrupting | Turn::Refused => rate / 4,
        Turn::Long => rate * 10,
        Turn::Plain | Turn::Repeated | Turn::CancelledBefore | Turn::Faulty | Turn::Queued => rate,
    };
    let rate = rate.max(1);
    let kind = if turn == Turn::Long { app::LONG } else { "s" };
    let seed = format!("{kind}{}", mix.below(1000));
    if turn != Turn::Faulty {
        return format!("app-{rate}-{seed}");
    }
    let times = if mix.chance(50) { "*1" } else { "" };
    let bytes = mix.between(0, 3000);
    let fault = match mix.below(10) {
        0 => "429".to_owned(),
        1 => "500".to_owned(),
        2..7 => format!("cut={bytes}"),
        7 => format!("stall={bytes}"),
        _ => format!("error={bytes}"),
    };
    format!("app-{rate}-{seed}+{fault}{times}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::model::Model;

    #[test]
    fn every_model_of_a_turn_is_one_of_the_stand_ins() {
        let mut mix = Mix::new(3);
        for _ in 0..500 {
            let turn = Turn::any(&mut mix);
            let model: Model = model(turn, 400, &mut mix).parse().unwrap();
            assert_eq!(model.faults.is_empty(), turn != Turn::Faulty);
        }
    }
}
