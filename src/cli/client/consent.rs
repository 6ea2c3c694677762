//! Who answers what a run asks: a person at a terminal, `--yes`, or nobody.

use super::{
    request::{Request, Verdict, choice, joined, verdict},
    terminal::Remarks,
};
use greenroom_protocol::plan::InputKind;
use std::fmt;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, Lines};

/// Who answers.
pub(super) struct Consent {
    /// Whether plans and further credits are approved unseen.
    yes: bool,
    /// What somebody types; none: nobody is there.
    typed: Option<Lines<Box<dyn AsyncBufRead + Unpin>>>,
    remarks: Remarks,
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asks = self.typed.is_some();
        f.debug_struct("Consent").field("yes", &self.yes).field("asks", &asks).finish()
    }
}

impl Consent {
    pub(super) fn new(yes: bool, typed: Option<Box<dyn AsyncBufRead + Unpin>>) -> Self {
        let typed = typed.map(AsyncBufReadExt::lines);
        Self { yes, typed, remarks: Remarks::new() }
    }

    /// Asks for an answer; none: there is nobody to ask, or they said nothing.
    pub(super) async fn ask(&mut self, request: &Request) -> Option<Verdict> {
        if request.kind == InputKind::Question {
            return self.answers(request).await;
        }
        if self.yes {
            return Some(Verdict::Accept(String::new()));
        }
        loop {
            let line = self.line("go on? [y/N] ").await?;
            if line.trim().is_empty() {
                return Some(Verdict::Decline);
            }
            match verdict(request, &line) {
                Some(verdict) => return Some(verdict),
                None => self.remarks.line("y goes on, also with a remark behind it; n does not"),
            }
        }
    }

    async fn answers(&mut self, request: &Request) -> Option<Verdict> {
        let questions = &request.questions;
        if questions.is_empty() {
            let line = self.line("your answer: ").await?;
            return (!line.trim().is_empty()).then(|| Verdict::Accept(line.trim().to_owned()));
        }
        let mut answers = Vec::new();
        for (at, question) in questions.iter().enumerate() {
            let which = if questions.len() > 1 { format!(" to {}", at + 1) } else { String::new() };
            let line = self.line(&format!("your answer{which}: ")).await?;
            answers.push(choice(question, &line));
        }
        joined(questions, &answers).map(Verdict::Accept)
    }

    async fn line(&mut self, prompt: &str) -> Option<String> {
        let typed = self.typed.as_mut()?;
        self.remarks.ask(prompt);
        typed.next_line().await.ok().flatten()
    }
}
