//! Who pays for what: one row for each way in which a run may end.

use serde::{Deserialize, Serialize};

/// Version of [`POLICY`] that is in force.
pub const POLICY_VERSION: u32 = 1;

/// How a run ended, as far as paying for it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The model said all it had to say.
    Completed,
    /// The answer was cut at the model's length limit.
    Truncated,
    /// The provider's content filter ended the answer.
    Filtered,
    /// The user cancelled it, or a later run took its place.
    Cancelled,
    /// It stopped at a complete file, since the user's credits did not suffice for more.
    Paused,
    /// The provider failed before it said anything.
    NoContent,
    /// The answer broke off, and nothing of it was kept.
    BrokenOff,
    /// The engine failed, or lost the run.
    EngineFault,
    /// The hold was not renewed in time: whoever had the run is gone.
    Expired,
    /// A way that this build does not know.
    #[serde(other)]
    Unknown,
}

/// What the user pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pays {
    /// What was used: the prompt, and what the model wrote.
    Used,
    /// Nothing: what it cost is written off.
    Nothing,
    /// A value that this build does not know.
    #[serde(other)]
    Unknown,
}

/// The rule by which a run was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Rule {
    /// Version of the table that it is of.
    pub version: u32,
    /// How the run ended.
    pub ending: Ending,
    /// What the user pays.
    pub pays: Pays,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct PolicyRow {
    /// The rule.
    pub rule: Rule,
    /// The same for a person.
    pub text: std::borrow::Cow<'static, str>,
}

const fn row(ending: Ending, pays: Pays, text: &'static str) -> PolicyRow {
    let rule = Rule { version: POLICY_VERSION, ending, pays };
    PolicyRow { rule, text: std::borrow::Cow::Borrowed(text) }
}

/// The table in force.
pub static POLICY: [PolicyRow; 9] = [
    row(Ending::Completed, Pays::Used, "completed: what was used"),
    row(Ending::Truncated, Pays::Used, "cut at the model's length limit: what was used"),
    row(Ending::Filtered, Pays::Used, "ended by the provider's content filter: what was used"),
    row(Ending::Cancelled, Pays::Used, "cancelled: the prompt and what was written until then"),
    row(Ending::Paused, Pays::Used, "stopped for lack of credits: what was used until then"),
    row(Ending::NoContent, Pays::Nothing, "the provider failed before it said anything: nothing"),
    row(Ending::BrokenOff, Pays::Nothing, "the answer broke off and nothing was kept: nothing"),
    row(Ending::EngineFault, Pays::Nothing, "the engine failed: nothing"),
    row(Ending::Expired, Pays::Nothing, "the engine lost the run: nothing"),
];

impl Ending {
    /// The rule of the table in force; an unknown way costs nothing.
    #[must_use]
    pub fn rule(self) -> Rule {
        let found = POLICY.iter().find(|row| row.rule.ending == self);
        let nothing = Rule { version: POLICY_VERSION, ending: self, pays: Pays::Nothing };
        found.map_or(nothing, |row| row.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_ending_has_one_rule_and_the_engines_own_failures_cost_nothing() {
        let endings: BTreeSet<Ending> = POLICY.iter().map(|row| row.rule.ending).collect();
        assert_eq!(endings.len(), POLICY.len());
        for free in [Ending::NoContent, Ending::BrokenOff, Ending::EngineFault, Ending::Expired] {
            assert_eq!(free.rule().pays, Pays::Nothing, "{free:?}");
        }
        assert_eq!(Ending::Cancelled.rule().pays, Pays::Used, "an abort is no way around paying");
        assert_eq!(Ending::Unknown.rule().pays, Pays::Nothing);
    }
}
