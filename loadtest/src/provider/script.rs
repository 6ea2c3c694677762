//! Which faults which calls meet: by run, by the order of calls, or by chance from a seed.

use super::fault::{Fault, Mixture};
use crate::mix::Mix;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
};

/// Most faults that wait for the calls of a run, or for any calls; further ones are dropped.
const WAITING_MAX: usize = 1024;
/// Most runs whose calls faults wait for; further ones are dropped.
const RUNS_MAX: usize = 1024;

/// A script as a file: `{"calls": ["429", null, "cut=90"], "runs": {"run_…": ["500", null]}}`.
///
/// A call meets the next fault of its run, else the next one of all calls; `null` is none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    calls: Vec<Option<String>>,
    #[serde(default)]
    runs: BTreeMap<String, Vec<Option<String>>>,
}

/// Faults that wait for a call.
#[derive(Debug)]
pub struct Script {
    calls: VecDeque<Fault>,
    runs: BTreeMap<String, VecDeque<Fault>>,
    percent: u64,
    mix: Mix,
}

impl Script {
    /// Faults for `percent` of the calls that meet no other, chosen by `seed`.
    #[must_use]
    pub const fn new(percent: u64, seed: u64) -> Self {
        Self { calls: VecDeque::new(), runs: BTreeMap::new(), percent, mix: Mix::new(seed) }
    }

    /// Adds what a file says.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let name = || format!("script {}", path.display());
        let text = std::fs::read_to_string(path).with_context(name)?;
        let file: File = serde_json::from_str(&text).with_context(name)?;
        let queue = |list: Vec<Option<String>>| -> Result<VecDeque<Fault>> {
            list.into_iter()
                .map(|text| one(text.as_deref()))
                .collect::<Result<_>>()
                .with_context(name)
        };
        self.calls.extend(queue(file.calls)?);
        for (run, list) in file.runs {
            self.runs.entry(run).or_default().extend(queue(list)?);
        }
        Ok(())
    }

    /// The next calls of a run, or of any, meet this one.
    pub fn queue(&mut self, run: Option<&str>, fault: Fault) {
        let queue = match run {
            None => &mut self.calls,
            Some(run) if self.runs.len() < RUNS_MAX || self.runs.contains_key(run) => {
                self.runs.entry(run.to_owned()).or_default()
            }
            Some(_) => return,
        };
        if queue.len() < WAITING_MAX {
            queue.push_back(fault);
        }
    }

    /// What the next call of a run meets.
    pub fn next_call(&mut self, run: Option<&str>) -> Mixture {
        if let Some((run, queue)) = run.and_then(|run| Some((run, self.runs.get_mut(run)?))) {
            let mixture = take(queue);
            if queue.is_empty() {
                self.runs.remove(run);
            }
            return mixture.unwrap_or_default();
        }
        let queued = take(&mut self.calls);
        queued.unwrap_or_else(|| {
            if self.mix.chance(self.percent) {
                Mixture::any(&mut self.mix)
            } else {
                Mixture::default()
            }
        })
    }
}

/// The first fault; it leaves once it was met as often as it says.
fn take(queue: &mut VecDeque<Fault>) -> Option<Mixture> {
    let first = queue.front_mut()?;
    let mixture = first.mixture.clone();
    first.times = first.times.saturating_sub(1);
    if first.times == 0 {
        queue.pop_front();
    }
    Some(mixture)
}

/// A fault of a file: of one call, unless it says otherwise.
fn one(text: Option<&str>) -> Result<Fault> {
    let Some(text) = text else { return Ok(Fault { mixture: Mixture::default(), times: 1 }) };
    let mut fault: Fault = text.parse()?;
    if !text.contains('*') {
        fault.times = 1;
    }
    Ok(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(script: &mut Script, run: Option<&str>) -> String {
        script.next_call(run).to_string()
    }

    #[test]
    fn a_queued_fault_is_met_as_often_as_it_says() {
        let mut script = Script::new(0, 0);
        script.queue(None, "500*2".parse().unwrap());
        let met: Vec<_> = (0..3).map(|_| met(&mut script, Some("run_1"))).collect();
        assert_eq!(met, ["500", "500", ""]);
    }

    #[test]
    fn a_file_tells_the_faults_of_runs_and_of_calls_in_order() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("greenroom-script-{}.json", uuid::Uuid::now_v7()));
        let text = r#"{"calls":["429",null,"cut=9*2"],"runs":{"run_1":["401",null,"402"]}}"#;
        std::fs::write(&path, text).unwrap();
        let mut script = Script::new(0, 0);
        script.add_file(&path).unwrap();
        std::fs::write(&path, r#"{"calls":["boom"]}"#).unwrap();
        assert!(script.add_file(&path).unwrap_err().to_string().contains("script "));
        std::fs::remove_file(&path).unwrap();

        let of_run: Vec<_> = (0..3).map(|_| met(&mut script, Some("run_1"))).collect();
        assert_eq!(of_run, ["401", "", "402"]);
        let others: Vec<_> = (0..5).map(|_| met(&mut script, Some("run_1"))).collect();
        assert_eq!(others, ["429=seconds", "", "cut=9", "cut=9", ""]);
    }

    #[test]
    fn a_seed_decides_what_is_left_to_chance() {
        let draw = |seed| {
            let mut script = Script::new(50, seed);
            (0..50).map(|_| met(&mut script, None)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
