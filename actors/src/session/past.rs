//! What a session was at an earlier entry: found by reading its log backwards.

use super::{
    core::{Core, TURNS_BYTES_MAX, TURNS_MAX, Turn, prompt_of, push_bounded, say_also, words},
    feed::Feed,
    reader::read_range,
};
use crate::{
    port::{Object, ObjectKind, Objects, Oid, Segments, StoreError},
    run::{project::read_object, tree::object},
};
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::Entry,
    id::{RunId, Seq, SessionId},
};

/// Entries read at a time.
const STEP_ENTRIES: u64 = 256;

/// Chat and files as they were together: after the last run that had ended by an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// The turns that a prompt would have shown.
    pub(crate) turns: Vec<Turn>,
    /// Git id of the head of files.
    pub(crate) commit: Option<String>,
}

/// Reads what a session was at `seq`. Reads as many entries as its last turns take, and all before
/// them only where nothing was ever committed.
///
/// # Errors
/// [`StoreError`] where entries or the turns of an earlier rollback cannot be read.
pub(crate) async fn at<S: Segments + Objects + ?Sized>(
    feed: &Feed,
    store: &S,
    project: SessionId,
    seq: Seq,
) -> Result<Past, StoreError> {
    let mut walk = Walk::default();
    let mut last = seq;
    while last > Seq::START && !walk.is_done() {
        let after = Seq(last.0.saturating_sub(STEP_ENTRIES));
        for (seq, rest) in read_range(feed, store, after, last).await?.into_iter().rev() {
            let entry =
                std::str::from_utf8(&rest).ok().and_then(|rest| Entry::from_rest(rest).ok());
            let entry = entry
                .ok_or_else(|| StoreError::Corrupt(format!("entry {seq} of {}", feed.session)))?;
            walk.back(entry.event);
        }
        last = after;
    }
    let earlier = match &walk.earlier {
        Some(blob) => read_turns(store, project, blob).await?,
        None => Vec::new(),
    };
    Ok(walk.finish(earlier))
}

/// The git blob that holds turns.
pub(crate) fn turns_object(turns: &[Turn]) -> Object {
    let json = serde_json::to_vec(turns).unwrap_or_default(); // strings always serialise
    object(ObjectKind::Blob, json.into())
}

/// Reads the turns that a blob holds.
///
/// # Errors
/// [`StoreError`] where it is not there, or is something else.
pub(crate) async fn read_turns<S: Objects + ?Sized>(
    store: &S,
    project: SessionId,
    blob: &str,
) -> Result<Vec<Turn>, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("turns {blob} of {project}"));
    let oid: Oid = blob.parse().map_err(|_| corrupt())?;
    let bytes = read_object(store, project, oid, ObjectKind::Blob).await?;
    serde_json::from_slice(&bytes).map_err(|_| corrupt())
}

/// A run that has ended, as far as it was read.
#[derive(Debug)]
struct Ended {
    run: RunId,
    /// Its words; none: its start was not reached yet.
    answer: Option<String>,
    prompt: Option<String>,
    /// It was taken up by the run that it was said to.
    steered: bool,
    /// What was said to it and taken up.
    said: Vec<String>,
}

/// A log read backwards. Pure.
#[derive(Debug, Default)]
struct Walk {
    /// Runs that ended, the last one first.
    ended: Vec<Ended>,
    /// Words whose run is known once its start is reached, backwards.
    words: Vec<String>,
    /// The head of files, once it is known.
    commit: Option<Option<String>>,
    /// The blob with all turns before, where one was reached.
    earlier: Option<String>,
}

impl Walk {
    /// Takes the entry before the last one taken.
    fn back(&mut self, event: Event) {
        if self.earlier.is_some() {
            return;
        }
        if let Some(words) = words(&event) {
            self.words.push(words.into_owned());
        }
        if let Event::RunFinished { run, outcome, .. } = event {
            let steered = outcome == Outcome::Steered;
            self.ended.push(Ended { run, answer: None, prompt: None, steered, said: Vec::new() });
        } else if let Event::RunStarted { run, .. } = event {
            // Words of a run that had not ended are dropped with it.
            let words = std::mem::take(&mut self.words);
            if let Some(ended) = self.find(run) {
                let mut answer = String::new();
                words.iter().rev().for_each(|text| push_bounded(&mut answer, text));
                ended.answer = Some(answer);
            }
        } else if let Event::InputUser { run, text, steers, .. } = event {
            let mut prompt = prompt_of(&text).to_owned();
            let is_steered = self.find(run).is_some_and(|ended| ended.steered);
            if let Some(ended) = self.find(run) {
                ended.said.iter().rev().for_each(|said| say_also(&mut prompt, said));
                ended.prompt = Some(prompt);
            }
            if let Some(steered) = steers.filter(|_| is_steered).and_then(|run| self.find(run)) {
                steered.said.push(prompt_of(&text).to_owned());
            }
            // One whose prompt comes without a start before it never spoke.
            self.ended.retain(|ended| ended.prompt.is_none() || ended.answer.is_some());
        } else if let Event::FilesCommitted { run, commit, .. } = event {
            if self.commit.is_none() && self.find(run).is_some() {
                self.commit = Some(Some(commit));
            }
        } else if let Event::SessionRolledBack { commit, turns, .. }
        | Event::SessionForked { commit, turns, .. } = event
        {
            self.commit.get_or_insert(commit);
            self.earlier = Some(turns);
        }
    }

    fn find(&mut self, run: RunId) -> Option<&mut Ended> {
        self.ended.iter_mut().find(|ended| ended.run == run)
    }

    /// Whether entries before the last one taken make no difference.
    fn is_done(&self) -> bool {
        let whole = self
            .ended
            .iter()
            .map_while(|ended| Some(ended.prompt.as_ref()?.len() + ended.answer.as_ref()?.len()));
        let (turns, bytes) = whole.fold((0, 0), |(turns, sum), bytes| (turns + 1, sum + bytes));
        let enough = turns >= TURNS_MAX || bytes > TURNS_BYTES_MAX;
        self.earlier.is_some() || (enough && self.commit.is_some())
    }

    fn finish(self, earlier: Vec<Turn>) -> Past {
        let turns = self.ended.into_iter().rev();
        let turns =
            turns.filter_map(|ended| Some(Turn { prompt: ended.prompt?, answer: ended.answer? }));
        let mut core = Core::default(); // what a core keeps is what a prompt shows
        core.turns = turns.collect();
        core.put_before(earlier);
        Past { turns: core.turns.into(), commit: self.commit.flatten() }
    }
}

#[cfg(test)]
mod tests;
