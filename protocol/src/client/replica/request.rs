//! Requests for input, and what was said before anything is spent.

use super::{Inconsistency, Keep, Replica};
use crate::{
    credits::Price,
    event::Event,
    id::RunId,
    plan::{Complexity, InputKind, Intent, Question},
};

/// What a run asked, and waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number within the session, for `input.respond`.
    pub number: u32,
    /// The run that asked; an answer starts another one.
    pub run: RunId,
    /// What kind of answer it waits for.
    pub kind: InputKind,
    /// What is asked; empty with [`Keep::Digests`].
    pub text: String,
    /// The questions, where there are some; none with [`Keep::Digests`].
    pub questions: Vec<Question>,
}

/// What a request was understood as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Understood {
    /// What is wanted.
    pub intent: Intent,
    /// How much work it is.
    pub complexity: Complexity,
    /// How sure that is, 0 to 100.
    pub confidence: u8,
}

/// What a run is likely to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The price of the model.
    pub price: Price,
    /// What one half of the like cost less than, in micro-credits.
    pub cost: u64,
    /// What is reserved for it, in micro-credits.
    pub hold: u64,
    /// Whether it goes on without being asked for approval.
    pub approved: bool,
}

impl Replica {
    /// What the session waits with; none: nobody is asked.
    #[must_use]
    pub const fn waiting(&self) -> Option<&Request> {
        self.waiting.as_ref()
    }

    /// Takes in what was understood, planned and quoted, and what is asked and answered.
    pub(super) fn apply_request(&mut self, event: &Event) -> Result<(), Inconsistency> {
        if let Event::RunClassified { run, intent, complexity, confidence } = event {
            let (intent, complexity, confidence) = (*intent, *complexity, *confidence);
            self.run(*run).understood = Some(Understood { intent, complexity, confidence });
        } else if let Event::RunPlanned { run, spec } = event {
            let all = self.keep == Keep::Everything;
            self.run(*run).plan = all.then(|| spec.clone());
        } else if let Event::RunQuoted { run, price, cost, hold, approved } = event {
            let (price, cost, hold, approved) = (price.clone(), *cost, *hold, *approved);
            self.run(*run).quote = Some(Quote { price, cost, hold, approved });
        } else if let Event::InputRequested { request, run, kind, text, questions } = event {
            return self.requested(Request {
                number: *request,
                run: *run,
                kind: *kind,
                text: text.clone(),
                questions: questions.clone(),
            });
        } else if let Event::InputResolved { request, .. } = event {
            return self.resolved(*request);
        }
        Ok(())
    }

    fn requested(&mut self, mut request: Request) -> Result<(), Inconsistency> {
        if self.keep == Keep::Digests {
            request.text.clear();
            request.questions.clear();
        }
        let number = request.number;
        let is_new = number > self.requests && self.waiting.is_none();
        self.requests = self.requests.max(number);
        self.waiting = Some(request);
        if is_new { Ok(()) } else { Err(Inconsistency::AskedTwice(number)) }
    }

    fn resolved(&mut self, number: u32) -> Result<(), Inconsistency> {
        let is_open = self.waiting.as_ref().is_some_and(|request| request.number == number);
        if is_open {
            self.waiting = None;
        }
        // One that was asked before this replica began, or before the fork, is not known.
        let is_unseen = number > self.requests;
        self.requests = self.requests.max(number);
        if is_open || is_unseen { Ok(()) } else { Err(Inconsistency::NotAsked(number)) }
    }
}
