//! What can go wrong with a call, on request: faults by name, and mixtures of them.

use super::wait::Wait;
use crate::mix::Mix;
use std::{fmt, str::FromStr};

/// All faults as text, for people.
pub const HELP: &str = "\
Faults, several of one call with a comma in between:
  429, 429=WAIT       refused; WAIT is how it says when to come back: seconds, fraction, date,
                      ms, azure, reset, epoch, text, google, none
  401, 402, 500       refused, with the error that providers send
  401-page, 502       a web page of a proxy
  error-body          status 200 with an error instead of a stream
  hang-up             the connection ends before an answer
  silent              no answer at all
  cut=BYTES           the connection ends after so many bytes of the answer's text
  stall=BYTES         then nothing more comes
  comments=BYTES      then only comments come
  empty=BYTES         then only empty pieces come
  drip=BYTES          then a word comes now and then
  error=BYTES         then an error comes inside of the stream
  error-event=BYTES   then an event of type error comes
  garbage=BYTES       then something comes that is no answer
  line=BYTES          then a line of 10 MB comes
  finish=REASON       the answer ends for this reason
  no-finish           it ends with its mark alone, without a reason
  no-done             it ends without its mark
  no-end              it ends without either
  no-usage            it tells no usage
  usage-often         it tells usage with each piece
  crlf, split, pings  other ends of lines, writes of a few bytes, comments in between
  think, tools        reasoning in tags, or tool calls, before the text
Behind them *TIMES: so many calls of a run, or in all where the fault is queued, meet it.
BYTES count the answer's text.";

/// A mixture of faults that the stand-in plays, and how many calls meet it. [`HELP`] has the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub mixture: Mixture,
    /// How many calls meet it.
    pub times: u32,
}

/// Faults of one call.
///
/// One that refuses the call comes before all others; of those in the middle of the answer the
/// earliest happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mixture(pub Vec<FaultKind>);

/// What happens to a call. Bytes count the answer's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Instead of an answer.
    Refuse(Refusal),
    /// In the middle of the answer.
    At(u64, Break),
    /// From here on the answer drips.
    Drip(u64),
    /// The reason that the model stops for.
    Finish(String),
    /// Something else about the answer's form.
    Form(Form),
}

/// What comes instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Status 429, with a wait in this form.
    RateLimited(Wait),
    /// Status 401.
    Unauthorized,
    /// Status 401 with a web page, as a proxy sends it.
    UnauthorizedPage,
    /// Status 402.
    PaymentRequired,
    /// Status 500.
    Failed,
    /// Status 502 with a web page.
    BadGateway,
    /// Status 200 with an error in JSON.
    ErrorBody,
    /// The connection ends.
    HangUp,
    /// Nothing, for as long as the client waits.
    Silent,
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The connection ends.
    Cut,
    /// Nothing more comes.
    Stall,
    /// Only comments come.
    Comments,
    /// Only pieces without content come.
    Empty,
    /// An error object in a chunk.
    Error,
    /// An error in an event of its own type.
    ErrorEvent,
    /// Something that is no chunk.
    Garbage,
    /// A line of 10 MB.
    Line,
}

/// A form of an answer that is complete in one way or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The end mark without a reason to stop.
    NoFinish,
    /// A reason to stop without the end mark.
    NoDone,
    /// Neither.
    NoEnd,
    /// No usage.
    NoUsage,
    /// Usage with each piece.
    UsageOften,
    /// Lines end with CR and LF.
    Crlf,
    /// Writes of a few bytes.
    Split,
    /// Comments in between.
    Pings,
    /// Reasoning in tags before the text.
    Think,
    /// Tool calls before the text.
    Tools,
}

const REFUSALS: [(&str, Refusal); 8] = [
    ("401", Refusal::Unauthorized),
    ("401-page", Refusal::UnauthorizedPage),
    ("402", Refusal::PaymentRequired),
    ("500", Refusal::Failed),
    ("502", Refusal::BadGateway),
    ("error-body", Refusal::ErrorBody),
    ("hang-up", Refusal::HangUp),
    ("silent", Refusal::Silent),
];

const BREAKS: [(&str, Break); 8] = [
    ("cut", Break::Cut),
    ("stall", Break::Stall),
    ("comments", Break::Comments),
    ("empty", Break::Empty),
    ("error", Break::Error),
    ("error-event", Break::ErrorEvent),
    ("garbage", Break::Garbage),
    ("line", Break::Line),
];

const FORMS: [(&str, Form); 10] = [
    ("no-finish", Form::NoFinish),
    ("no-done", Form::NoDone),
    ("no-end", Form::NoEnd),
    ("no-usage", Form::NoUsage),
    ("usage-often", Form::UsageOften),
    ("crlf", Form::Crlf),
    ("split", Form::Split),
    ("pings", Form::Pings),
    ("think", Form::Think),
    ("tools", Form::Tools),
];

/// Forms that change nothing of what an answer comes to.
const HARMLESS: [Form; 6] =
    [Form::UsageOften, Form::Crlf, Form::Split, Form::Pings, Form::Think, Form::Tools];

/// Reasons to stop that a mixture draws from; the last one is nobody's.
const REASONS: [&str; 4] = ["length", "content_filter", "error", "because"];

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fault\n{HELP}")]
pub struct FaultError(String);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let error = || FaultError(text.to_owned());
        let (kinds, times) = match text.split_once('*') {
            Some((kinds, times)) => (kinds, times.parse().map_err(|_| error())?),
            None => (text, u32::MAX),
        };
        let kinds = kinds.split(',').map(FaultKind::read).collect::<Option<_>>();
        Ok(Self { mixture: Mixture(kinds.ok_or_else(error)?), times })
    }
}

impl FaultKind {
    fn read(text: &str) -> Option<Self> {
        let of = |name: &str| (name.to_owned(), None);
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value)),
            None => of(text),
        };
        let name = name.as_str();
        match (name, value) {
            ("429", None) => Some(Self::Refuse(Refusal::RateLimited(Wait::Seconds))),
            ("429", Some(form)) => Some(Self::Refuse(Refusal::RateLimited(Wait::named(form)?))),
            ("drip", Some(bytes)) => Some(Self::Drip(bytes.parse().ok()?)),
            ("finish", Some(reason)) => Some(Self::Finish(reason.to_owned())),
            (_, Some(bytes)) => Some(Self::At(bytes.parse().ok()?, by_name(&BREAKS, name)?)),
            (_, None) => {
                let refusal = by_name(&REFUSALS, name).map(Self::Refuse);
                refusal.or_else(|| by_name(&FORMS, name).map(Self::Form))
            }
        }
    }
}

fn by_name<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(Refusal::RateLimited(wait)) => write!(f, "429={}", wait.name()),
            Self::Refuse(refusal) => f.write_str(name_of(&REFUSALS, refusal)),
            Self::At(bytes, how) => write!(f, "{}={bytes}", name_of(&BREAKS, how)),
            Self::Drip(bytes) => write!(f, "drip={bytes}"),
            Self::Finish(reason) => write!(f, "finish={reason}"),
            Self::Form(form) => f.write_str(name_of(&FORMS, form)),
        }
    }
}

impl fmt::Display for Mixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.0.iter().enumerate() {
            write!(f, "{}{kind}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            u32::MAX => write!(f, "{}", self.mixture),
            times => write!(f, "{}*{times}", self.mixture),
        }
    }
}

impl Mixture {
    /// Each fault alone, one of each kind: an answer of more than a few hundred bytes meets it.
    #[must_use]
    pub fn singles() -> Vec<Self> {
        let waits = Wait::ALL.map(Refusal::RateLimited);
        let refusals = waits.into_iter().chain(REFUSALS.map(|(_, refusal)| refusal));
        let breaks = BREAKS.iter().flat_map(|(_, how)| [0, 40].map(|at| FaultKind::At(at, *how)));
        let reasons = REASONS.map(|reason| FaultKind::Finish(reason.to_owned()));
        let forms = FORMS.map(|(_, form)| FaultKind::Form(form));
        let all = refusals.map(FaultKind::Refuse).chain(breaks).chain([FaultKind::Drip(40)]);
        all.chain(reasons).chain(forms).map(|kind| Self(vec![kind])).collect()
    }

    /// Some faults, as `mix` has it: any of the harmless forms, and mostly one or two others.
    #[must_use]
    pub fn any(mix: &mut Mix) -> Self {
        let forms = HARMLESS.into_iter().filter(|_| mix.chance(20)).map(FaultKind::Form);
        let mut kinds: Vec<_> = forms.collect();
        if mix.chance(85) {
            kinds.push(FaultKind::any(mix));
        }
        if mix.chance(15) {
            kinds.push(FaultKind::any(mix));
        }
        Self(kinds)
    }

    /// What comes instead of an answer; none: there is one.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.0.iter().find_map(|kind| match kind {
            FaultKind::Refuse(refusal) => Some(*refusal),
            FaultKind::At(..) | FaultKind::Drip(_) | FaultKind::Finish(_) | FaultKind::Form(_) => {
                None
            }
        })
    }

    /// Where and how the answer breaks off.
    #[must_use]
    pub fn breaks(&self) -> Option<(u64, Break)> {
        let breaks = self.0.iter().filter_map(|kind| match kind {
            FaultKind::At(bytes, how) => Some((*bytes, *how)),
            FaultKind::Refuse(_)
            | FaultKind::Drip(_)
            | FaultKind::Finish(_)
            | FaultKind::Form(_) => None,
        });
        breaks.min_by_key(|(bytes, _)| *bytes)
    }

    /// From where on the answer drips.
    #[must_use]
    pub fn drips(&self) -> Option<u64> {
        let drips = self.0.iter().filter_map(|kind| match kind {
            FaultKind::Drip(bytes) => Some(*bytes),
            FaultKind::Refuse(_)
            | FaultKind::At(..)
            | FaultKind::Finish(_)
            | FaultKind::Form(_) => None,
        });
        drips.min()
    }

    /// The reason to stop.
    #[must_use]
    pub fn finish(&self) -> &str {
        let reason = self.0.iter().find_map(|kind| match kind {
            FaultKind::Finish(reason) => Some(reason.as_str()),
            FaultKind::Refuse(_) | FaultKind::At(..) | FaultKind::Drip(_) | FaultKind::Form(_) => {
                None
            }
        });
        reason.unwrap_or("stop")
    }

    /// Whether the answer has this form.
    #[must_use]
    pub fn has(&self, form: Form) -> bool {
        self.0.contains(&FaultKind::Form(form))
    }
}

impl FaultKind {
    /// Any of the faults that matter, as `mix` has it.
    fn any(mix: &mut Mix) -> Self {
        let at = match mix.below(10) {
            0 => 0,
            1..7 => mix.between(1, 300),
            _ => mix.between(1, 4000),
        };
        match mix.below(20) {
            0..2 => Self::Refuse(Refusal::RateLimited(
                mix.pick(&Wait::ALL).copied().unwrap_or(Wait::Seconds),
            )),
            2..6 => {
                let refusal = mix.pick(&REFUSALS).map_or(Refusal::Failed, |(_, refusal)| *refusal);
                Self::Refuse(refusal)
            }
            6..13 => Self::At(at, mix.pick(&BREAKS).map_or(Break::Cut, |(_, how)| *how)),
            13 => Self::Drip(mix.between(0, 60)),
            14..16 => Self::Finish(mix.pick(&REASONS).copied().unwrap_or("length").to_owned()),
            _ => {
                let ends = [Form::NoFinish, Form::NoDone, Form::NoEnd, Form::NoUsage];
                Self::Form(mix.pick(&ends).copied().unwrap_or(Form::NoEnd))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_text() {
        let cut = Fault { mixture: Mixture(vec![FaultKind::At(12, Break::Cut)]), times: 2 };
        assert_eq!("cut=12*2".parse(), Ok(cut));
        let limited = FaultKind::Refuse(Refusal::RateLimited(Wait::Seconds));
        assert_eq!("429".parse(), Ok(Fault { mixture: Mixture(vec![limited]), times: u32::MAX }));
        let both: Fault = "crlf,think,stall=7".parse().unwrap();
        assert_eq!(both.mixture.0.len(), 3);
        for wrong in
            ["", "cut", "429=1", "cut=x", "stall=1*x", "boom", "500=3", "cut=1,", "drip", "finish"]
        {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_fault_is_written_as_it_is_read_and_stands_in_the_help() {
        let mut mix = Mix::new(5);
        let mixtures = (0..500)
            .map(|_| Mixture::any(&mut mix))
            .filter(|mixture| *mixture != Mixture::default());
        for mixture in Mixture::singles().into_iter().chain(mixtures) {
            let text = mixture.to_string();
            let fault: Fault = text.parse().unwrap();
            assert_eq!((fault.mixture, fault.times), (mixture.clone(), u32::MAX), "{text}");
            for kind in &mixture.0 {
                let text = kind.to_string();
                let name = text.split('=').next().unwrap();
                assert!(HELP.contains(name), "{name} is not in the help");
            }
        }
    }

    #[test]
    fn of_several_faults_the_earliest_happens() {
        let fault: Fault = "cut=90,error=12,drip=5,crlf".parse().unwrap();
        assert_eq!(fault.mixture.breaks(), Some((12, Break::Error)));
        assert_eq!((fault.mixture.drips(), fault.mixture.refusal()), (Some(5), None));
        assert!(fault.mixture.has(Form::Crlf) && !fault.mixture.has(Form::Split));
        let fault: Fault = "cut=0,500,401".parse().unwrap();
        assert_eq!(fault.mixture.refusal(), Some(Refusal::Failed));
    }

    #[test]
    fn mixtures_of_a_seed_hold_every_fault_and_are_the_same_again() {
        let draw = |seed| {
            let mut mix = Mix::new(seed);
            (0..2000).map(|_| Mixture::any(&mut mix)).collect::<Vec<_>>()
        };
        let all = draw(1);
        assert_eq!(all, draw(1));
        assert_ne!(all, draw(2));
        let names = |mixture: &Mixture| {
            let name = |kind: &FaultKind| {
                let text = kind.to_string();
                text.split('=').next().unwrap().to_owned()
            };
            mixture.0.iter().map(name).collect::<Vec<_>>()
        };
        let drawn: std::collections::BTreeSet<_> = all.iter().flat_map(names).collect();
        for single in Mixture::singles() {
            assert!(names(&single).iter().all(|name| drawn.contains(name)), "{single} never");
        }
    }
}
