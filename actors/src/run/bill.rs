//! What a run owes: reserved before its call, kept and raised while it goes on, paid when it has
//! ended.

use super::{
    drive::{End, Stop},
    plan::Cost,
    usage,
};
use crate::{
    account::{Answer, Command, HoldRequest, Refusal, Settlement},
    credits::CreditsHandle,
    node::Node,
    port::BoxFuture,
    session::RunSpec,
};
use greenroom_protocol::{
    credits::{Ending, Price, Quote},
    error::{Code, ErrorBody, Reason},
    event::{Event, Outcome, Usage, UsageSource},
    id::{RunId, SessionId, UserId},
};
use std::{fmt, future::pending, time::Duration};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// A hold is renewed so many times before it would expire.
const RENEWALS: u32 = 3;

/// More is reserved once this share of a hold is used, in percent; and how much more.
const TOP_UP_AT: u64 = 80;
const TOP_UP_SHARE: u64 = 50;

/// An answer that may not cost more ends with its file, but not later than at this share.
const OVERDRAWN_AT: u64 = 200;

/// Wait between two tries to pay, while the ledger does not answer.
const PAY_WAIT: Duration = Duration::from_secs(1);

/// A run's bill. Without credits it is always empty.
pub(super) struct Bill {
    credits: Option<CreditsHandle>,
    user: UserId,
    run: RunId,
    session: SessionId,
    session_spent: u64,
    price: Option<Price>,
    /// What the run reserves.
    held: u64,
    top_ups: u32,
    /// A top-up on its way: the provider is read meanwhile.
    asked: Option<BoxFuture<'static, Answer>>,
    /// Why there was none: the answer is to end.
    denied: Option<ErrorBody>,
    /// What the calls of this attempt used that have ended.
    usage: Usage,
    /// Renews the hold; none: there is no hold.
    renewal: Option<AbortOnDropHandle<()>>,
    /// An earlier attempt has paid already.
    settled: Option<Settlement>,
}

impl fmt::Debug for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bill").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Bill {
    pub(super) fn new(node: &Node, session: SessionId, spec: &RunSpec) -> Self {
        Self {
            credits: node.credits.clone(),
            user: spec.run.by,
            run: spec.run.run,
            session,
            session_spent: spec.spent,
            price: None,
            held: 0,
            top_ups: 0,
            asked: None,
            denied: None,
            usage: Usage::default(),
            renewal: None,
            settled: None,
        }
    }

    /// Takes up the hold of an attempt that was lost; `usage` is what the log says of an answer
    /// that was complete.
    ///
    /// # Errors
    /// How the run ends, where its hold has ended meanwhile.
    pub(super) async fn resume(&mut self, usage: Option<Usage>) -> Result<(), Stop> {
        let Some(credits) = self.credits.clone() else { return Ok(()) };
        self.usage = usage.unwrap_or_default();
        match credits.ask(self.user, Command::Renew { run: self.run }).await {
            Answer::Held { amount } => self.keep(credits, amount),
            Answer::Settled(settlement) => {
                self.settled = Some(settlement);
                return Err(Stop::End(Box::new(end_of(settlement.rule.ending))));
            }
            Answer::Refused(Refusal::NoHold) => {} // it was lost before it reserved anything
            Answer::Refused(refusal) => return Err(Stop::failed(refusal.body())),
            Answer::Info(_) | Answer::Quote(_) => return Err(Stop::failed(ErrorBody::internal())),
        }
        Ok(())
    }

    /// What a call is likely to cost. Without credits: nothing.
    ///
    /// # Errors
    /// The ledger does not answer.
    pub(super) async fn quote(&mut self, model: &str, input_tokens: u64) -> Result<Cost, Stop> {
        let Some(credits) = &self.credits else {
            let price = Price { model: model.to_owned(), ..Price::default() };
            return Ok(Cost { price, cost: 0, hold: 0 });
        };
        let price = credits.price(model);
        match credits.ask(self.user, Command::Quote { price, input_tokens }).await {
            Answer::Quote(quote) => {
                let Quote { price, cost_p50, hold, .. } = *quote;
                Ok(Cost { price, cost: cost_p50, hold })
            }
            Answer::Refused(refusal) => Err(Stop::failed(refusal.body())),
            Answer::Held { .. } | Answer::Settled(_) | Answer::Info(_) => {
                Err(Stop::failed(ErrorBody::internal()))
            }
        }
    }

    /// Reserves what a call is likely to cost, unless that was done before.
    ///
    /// # Errors
    /// How the run ends, where there are too few credits.
    pub(super) async fn hold(
        &mut self,
        model: &str,
        input_tokens: u64,
    ) -> Result<Option<Event>, Stop> {
        let Some(credits) = self.credits.clone() else { return Ok(None) };
        let (run, session) = (self.run, self.session);
        let price = credits.price(model);
        self.price = Some(price.clone());
        if self.renewal.is_some() {
            return Ok(None);
        }
        let request = HoldRequest {
            run,
            session,
            session_spent: self.session_spent,
            price: price.clone(),
            input_tokens,
        };
        match credits.ask(self.user, Command::Hold(request)).await {
            Answer::Held { amount } => {
                self.keep(credits, amount);
                Ok(Some(Event::CreditsHeld { run, amount, price }))
            }
            Answer::Settled(settlement) => {
                self.settled = Some(settlement);
                Err(Stop::End(Box::new(end_of(settlement.rule.ending))))
            }
            Answer::Refused(refusal) => Err(Stop::failed(refusal.body())),
            Answer::Info(_) | Answer::Quote(_) => Err(Stop::failed(ErrorBody::internal())),
        }
    }

    /// Looks at what an answer has cost so far, and asks for more in time.
    pub(super) fn watch(&mut self, input_tokens: u64, output_tokens: u64) {
        let (Some(price), Some(credits)) = (&self.price, &self.credits) else { return };
        if self.asked.is_some() || self.denied.is_some() || self.renewal.is_none() {
            return;
        }
        let call = Usage { input_tokens, output_tokens, ..Usage::default() };
        if price.cost(&usage::sum(self.usage, call)) * 100 < self.held * TOP_UP_AT {
            return;
        }
        let (credits, user, run) = (credits.clone(), self.user, self.run);
        let amount = (self.held * TOP_UP_SHARE / 100).max(1);
        let top_up = Command::TopUp { run, number: self.top_ups + 1, amount };
        self.asked = Some(Box::pin(async move { credits.ask(user, top_up).await }));
    }

    /// Waits until a top-up is answered; for ever where none is asked for. Cancel-safe.
    pub(super) async fn answered(&mut self) {
        let Some(asked) = &mut self.asked else { return pending().await };
        let answer = asked.await;
        self.asked = None;
        match answer {
            Answer::Held { amount } => {
                self.held = amount;
                self.top_ups += 1;
            }
            Answer::Refused(Refusal::Unavailable) => {} // it is asked for again with the next text
            Answer::Refused(refusal) => self.denied = Some(refusal.body()),
            Answer::Settled(_) | Answer::Info(_) | Answer::Quote(_) => {
                self.denied = end_of(Ending::Expired).1;
            }
        }
    }

    /// Whether an answer has to end here, since it may not cost more.
    pub(super) fn must_stop(&self, at_file_end: bool, (input, output): (u64, u64)) -> bool {
        let call = Usage { input_tokens: input, output_tokens: output, ..Usage::default() };
        let cost = self.price.as_ref().map_or(0, |price| price.cost(&usage::sum(self.usage, call)));
        self.denied.is_some() && (at_file_end || cost * 100 >= self.held * OVERDRAWN_AT)
    }

    /// Why an answer had to end, if it had to.
    pub(super) fn stopped(&self) -> Option<ErrorBody> {
        self.denied.clone()
    }

    /// A call of this attempt used so much.
    pub(super) const fn used(&mut self, usage: &Usage) {
        self.usage = usage::sum(self.usage, *usage);
    }

    /// Whether there is something to pay, or to say about it.
    pub(super) const fn is_open(&self) -> bool {
        self.renewal.is_some() || self.settled.is_some()
    }

    /// Pays, by the rule of how the run ends; what it is paid for must be durable. Tries until the
    /// hold would have expired: then the run was free.
    pub(super) async fn settle(&mut self, (outcome, error): &End) -> Option<Event> {
        let credits = self.credits.clone()?;
        if self.settled.is_none() && self.renewal.is_some() {
            let (run, usage) = (self.run, self.usage);
            let ending = ending(*outcome, error.as_ref(), &usage);
            let until = Instant::now() + credits.hold_ttl();
            while self.settled.is_none() && Instant::now() < until {
                let settle = Command::Settle { run, usage, ending };
                match credits.ask(self.user, settle).await {
                    Answer::Settled(settlement) => self.settled = Some(settlement),
                    Answer::Refused(Refusal::Unavailable) => sleep(PAY_WAIT).await,
                    Answer::Refused(_)
                    | Answer::Held { .. }
                    | Answer::Info(_)
                    | Answer::Quote(_) => break,
                }
            }
        }
        self.renewal = None;
        let Settlement { paid, cost, rule } = self.settled?;
        Some(Event::CreditsSettled { run: self.run, paid, cost, rule })
    }

    /// Renews the hold from now on.
    fn keep(&mut self, credits: CreditsHandle, held: u64) {
        self.held = held;
        let (user, run) = (self.user, self.run);
        self.renewal = Some(crate::spawn_owned(async move {
            loop {
                sleep(credits.hold_ttl() / RENEWALS).await;
                let answer = credits.ask(user, Command::Renew { run }).await;
                if matches!(answer, Answer::Settled(_)) {
                    return; // too late: the run hears of it when it pays
                }
            }
        }));
    }
}

/// How a run ends, as far as paying for it goes.
fn ending(outcome: Outcome, error: Option<&ErrorBody>, usage: &Usage) -> Ending {
    match outcome {
        Outcome::Completed => return Ending::Completed,
        Outcome::Cancelled | Outcome::Interrupted | Outcome::Steered => return Ending::Cancelled,
        Outcome::Failed => {}
    }
    match error.map(|error| (error.code, error.reason)) {
        Some((_, Reason::Truncated)) => Ending::Truncated,
        Some((_, Reason::ContentFiltered)) => Ending::Filtered,
        Some((_, Reason::InsufficientCredits | Reason::BudgetExceeded)) => Ending::Paused,
        None | Some((Code::Internal, _) | (_, Reason::StoreUnavailable | Reason::OwnerLost)) => {
            Ending::EngineFault
        }
        Some(_) if usage.output_tokens == 0 => Ending::NoContent,
        Some(_) => Ending::BrokenOff,
    }
}

/// How a run ended that has paid already, and whose end is not in the log.
fn end_of(ending: Ending) -> End {
    let failed = |code, reason, message: &'static str| {
        (Outcome::Failed, Some(ErrorBody::new(code, reason, message)))
    };
    match ending {
        Ending::Completed => (Outcome::Completed, None),
        Ending::Cancelled => (Outcome::Cancelled, None),
        Ending::Truncated => failed(
            Code::ResourceExhausted,
            Reason::Truncated,
            "the answer was cut at the model's length limit; ask for less at once",
        ),
        Ending::Filtered => failed(
            Code::FailedPrecondition,
            Reason::ContentFiltered,
            "the provider's content filter ended the answer; change the request",
        ),
        Ending::NoContent | Ending::BrokenOff => failed(
            Code::Unavailable,
            Reason::ProviderBroken,
            "the provider's answer broke off; try again",
        ),
        Ending::Expired => failed(
            Code::Unavailable,
            Reason::HoldExpired,
            "the run was lost for so long that its credits were given back; start it again",
        ),
        Ending::Paused => failed(
            Code::FailedPrecondition,
            Reason::InsufficientCredits,
            "the credits did not suffice for more; what was complete is kept",
        ),
        Ending::EngineFault | Ending::Unknown => (Outcome::Failed, Some(ErrorBody::internal())),
    }
}

/// Nothing used, of a run that the engine lost.
pub(crate) const fn lost(run: RunId) -> Command {
    let usage = Usage {
        input_tokens: 0,
        output_tokens: 0,
        cached_tokens: 0,
        reasoning_tokens: 0,
        source: UsageSource::Estimate,
    };
    Command::Settle { run, usage, ending: Ending::EngineFault }
}
