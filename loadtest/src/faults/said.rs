//! What a run said against what the stand-in sent: text as a whole, files in their place. Pure.

use crate::provider::AppCall;
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Outcome, UsageSource},
    frame::Entry,
    id::{CommandId, RunId},
};

/// Stands for the end of a complete file.
const END: &str = "\u{1}end\u{1}";

/// What a log tells of one run.
#[derive(Clone, Debug)]
pub struct RunLog {
    /// The run.
    pub run: RunId,
    /// The command that started it.
    pub cid: CommandId,
    /// All that it said: words without their white space, files with theirs, in order.
    pub text: String,
    /// Whose word its usage is; none: it tells none.
    pub usage: Option<UsageSource>,
    /// How it ended, and why.
    pub end: Option<(Outcome, Option<ErrorBody>)>,
}

/// What the stand-in sent, in the same form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// All whole lines, and the last one as far as it is certainly text.
    pub certain: String,
    /// A last line that may have become an instruction: left out, or said as text.
    pub doubtful: String,
}

/// The runs of a log, in the order of their acceptance. None of them was queued or recovered.
#[must_use]
pub fn runs(log: &[Entry]) -> Vec<RunLog> {
    let mut runs: Vec<RunLog> = Vec::new();
    for Entry { event, .. } in log {
        if let Event::InputUser { run, cid, .. } = event {
            let (run, cid) = (*run, *cid);
            runs.push(RunLog { run, cid, text: String::new(), usage: None, end: None });
        } else if let Some(run) = runs.last_mut() {
            run.add(event);
        }
    }
    runs
}

impl RunLog {
    fn add(&mut self, event: &Event) {
        if let Event::TextDelta { text, .. } = event {
            self.text.extend(text.split_whitespace());
        } else if let Event::FileStart { path, .. } = event {
            self.text.push_str(&instruction("write", path));
        } else if let Event::FileDelta { text, .. } = event {
            self.text.push_str(text);
        } else if let Event::FileEnd { complete: true, .. } = event {
            self.text.push_str(END);
        } else if let Event::FileDeleted { path } = event {
            self.text.push_str(&instruction("delete", path));
        } else if let Event::FileMoved { from, to } = event {
            self.text.push_str(&instruction("move", &format!("{from} {to}")));
        } else if let Event::Usage { usage, .. } = event {
            self.usage = Some(usage.source);
        } else if let Event::RunFinished { outcome, error, .. } = event {
            self.end = Some((*outcome, error.clone()));
        }
    }
}

fn instruction(verb: &str, paths: &str) -> String {
    format!("\u{1}{verb} {paths}\u{1}")
}

impl Sent {
    /// The first `bytes` of an answer.
    #[must_use]
    pub fn new(app: &AppCall, bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let text = app.answer.get(..app.answer.floor_char_boundary(bytes)).unwrap_or_default();
        let marker = format!("@@{} ", app.tag);
        let (mut sent, mut in_file) = (Self::default(), false);
        for line in text.split_inclusive('\n') {
            let is_whole = line.ends_with('\n');
            let may_be = if is_whole { line.starts_with(&marker) } else { begins(line, &marker) };
            if may_be && !is_whole {
                sent.doubtful = if in_file { line.to_owned() } else { squeezed(line) };
            } else if may_be {
                let words = line.trim_end().get(marker.len()..).unwrap_or_default();
                in_file = words.starts_with("write ");
                sent.certain.push_str(&match words.split_once(' ') {
                    Some((verb, paths)) => instruction(verb, &paths.replace('"', "")),
                    None => END.to_owned(),
                });
            } else if in_file {
                sent.certain.push_str(line);
            } else {
                sent.certain.push_str(&squeezed(line));
            }
        }
        sent
    }

    /// Whether a run that was shown all of this said it, nothing else and nothing twice.
    #[must_use]
    pub fn is_said_by(&self, text: &str) -> bool {
        let rest = text.strip_prefix(self.certain.as_str());
        // An instruction that only lacks the end of its line may count.
        rest.is_some_and(|rest| rest.is_empty() || rest == self.doubtful || rest == END)
    }

    /// Whether a run that was shown a part of this said that.
    #[must_use]
    pub fn begins_with(&self, text: &str) -> bool {
        self.certain.starts_with(text) || self.is_said_by(text)
    }
}

/// Whether a line that has no end is the beginning of an instruction.
fn begins(line: &str, marker: &str) -> bool {
    line.starts_with(marker) || marker.starts_with(line)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::{PartId, Seq, UserId};
    use uuid::Uuid;

    fn app() -> AppCall {
        let answer =
            "Hi there.\n@@abc234 write \"a b\"\n x\n@@abc\n@@abc234 end\n@@abc234 delete c\nBye.\n";
        AppCall { answer: answer.to_owned(), tag: "abc234".to_owned(), ..AppCall::default() }
    }

    fn said(events: Vec<Event>) -> Vec<RunLog> {
        let (run, cid) = (RunId::new(Uuid::from_u128(1)), CommandId::new(Uuid::from_u128(2)));
        let by = UserId::new(Uuid::from_u128(3));
        let input = Event::InputUser {
            run,
            cid,
            by,
            text: "go".into(),
            model: None,
            plan: false,
            steers: None,
            answers: None,
        };
        let all = [vec![input], events].concat();
        let entry = |(seq, event)| Entry { seq: Seq(seq), ts: 1, event };
        runs(&(1..).zip(all).map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn a_log_that_tells_all_of_an_answer_is_recognised() {
        let part = PartId(1);
        let file = |text: &str| Event::FileDelta { part, text: text.into() };
        let events = vec![
            Event::TextDelta { part, text: "Hi ".into() },
            Event::TextDelta { part, text: "there.\n".into() },
            Event::FileStart { part, path: "a b".into() },
            file(" x\n@@"),
            file("abc\n"),
            Event::FileEnd { part, complete: true, bytes: 9, sha256: String::new() },
            Event::FileDeleted { path: "c".into() },
            Event::TextDelta { part, text: "Bye.".into() },
        ];
        let sent = Sent::new(&app(), u64::MAX);
        assert!(sent.is_said_by(&said(events.clone())[0].text), "{sent:?}");

        for lost in 0..events.len() {
            let mut less = events.clone();
            less.remove(lost);
            assert!(!sent.is_said_by(&said(less)[0].text), "without {lost}");
            let mut twice = events.clone();
            twice.insert(lost, events[lost].clone());
            assert!(!sent.is_said_by(&said(twice)[0].text), "twice {lost}");
        }
    }

    #[test]
    fn a_part_of_an_answer_is_recognised_wherever_it_was_cut() {
        let whole = Sent::new(&app(), u64::MAX).certain;
        for bytes in 0..=app().answer.len() {
            let sent = Sent::new(&app(), bytes as u64);
            assert!(whole.starts_with(&sent.certain), "{sent:?}");
            assert!(sent.is_said_by(&sent.certain) && sent.begins_with(""));
            let text = format!("{}{}", sent.certain, sent.doubtful);
            assert!(sent.is_said_by(&text) && !sent.is_said_by(&format!("{text}x")));
        }
        let sent = Sent::new(&app(), 12);
        assert_eq!((sent.certain.as_str(), sent.doubtful.as_str()), ("Hithere.", "@@"));
    }
}
