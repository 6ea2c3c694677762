//! How a run must end whose provider meets a mixture of faults. Pure.
//!
//! While nothing of an answer was shown, the server calls again where that may help: after a limit's
//! wait, if the run may wait so long, and once more after a failure that may be over. Nothing can
//! take the place of the only key, so that an account without money and silence end the run.

use crate::provider::{
    Api,
    fault::{Break, Form, Mixture, Refusal},
};
use greenroom_protocol::{error::Reason, event::UsageSource};

/// An answer that drips is given up within so many bytes at the latest, with the settings of the
/// test; one that is over sooner may be read to its end.
const DRIP_BYTES_MAX: u64 = 600;

/// How long a run waits for a key with room, with the settings of the test; no limit's wait is near
/// it, with the fifth more that the server may add.
pub(super) const WAIT_SECS: u64 = 20;

/// How a run must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Why it fails; none: it completes.
    pub reason: Option<Reason>,
    /// The least wait that the error names, in milliseconds; none: it does not matter.
    pub retry_after_ms: Option<u64>,
    /// Whose word the usage is; none: it does not matter.
    pub usage: Option<UsageSource>,
}

impl Expected {
    const fn failed(reason: Reason) -> Self {
        Self { reason: Some(reason), retry_after_ms: None, usage: None }
    }
}

/// All ends that are right, one but for answers that drip near their end. `bytes` is the length of
/// the answer's text, `is_again` whether a further call of the run meets the mixture as well.
#[must_use]
pub fn expected(api: Api, mixture: &Mixture, is_again: bool, bytes: u64) -> Vec<Expected> {
    let breaks = mixture.breaks().filter(|(at, _)| *at <= bytes);
    let before = match (mixture.refusal(), breaks) {
        (Some(refusal), _) => Some((refused(refusal), is_cured(refusal))),
        // Reasoning is shown, tool calls are not.
        (None, Some((0, how))) if !mixture.has(Form::Think) => {
            let end = broken(how);
            Some((end, end.reason != Some(Reason::ProviderStalled)))
        }
        (None, _) => None,
    };
    match before {
        Some((_, true)) if !is_again => return vec![whole(api, &Mixture::default())],
        Some((end, _)) => return vec![end],
        None => {}
    }
    let last = breaks.map_or_else(|| whole(api, mixture), |(_, how)| broken(how));
    let stop = breaks.map_or(bytes, |(at, _)| at);
    let stalled = Expected::failed(Reason::ProviderStalled);
    match mixture.drips().filter(|from| *from < stop) {
        None => vec![last],
        Some(from) if stop - from >= DRIP_BYTES_MAX => vec![stalled],
        Some(_) => vec![stalled, last],
    }
}

fn refused(refusal: Refusal) -> Expected {
    match refusal {
        Refusal::RateLimited(wait) => {
            Expected { retry_after_ms: wait.ms(), ..Expected::failed(Reason::ProviderRateLimited) }
        }
        Refusal::Unauthorized => Expected::failed(Reason::ProviderUnauthorized),
        Refusal::PaymentRequired => Expected::failed(Reason::ProviderRateLimited),
        Refusal::Failed => {
            Expected { retry_after_ms: Some(1000), ..Expected::failed(Reason::ProviderFailed) }
        }
        // A page of a proxy says nothing about the key.
        Refusal::UnauthorizedPage | Refusal::BadGateway | Refusal::ErrorBody => {
            Expected::failed(Reason::ProviderFailed)
        }
        Refusal::HangUp => Expected::failed(Reason::ProviderBroken),
        Refusal::Silent => Expected::failed(Reason::ProviderStalled),
    }
}

/// Whether a further call is made that may come to an answer.
fn is_cured(refusal: Refusal) -> bool {
    match refusal {
        Refusal::RateLimited(wait) => wait.ms().is_none_or(|ms| ms < WAIT_SECS * 1000),
        // By itself the key is accepted.
        Refusal::Unauthorized
        | Refusal::UnauthorizedPage
        | Refusal::Failed
        | Refusal::BadGateway
        | Refusal::ErrorBody
        | Refusal::HangUp => true,
        Refusal::PaymentRequired | Refusal::Silent => false,
    }
}

const fn broken(how: Break) -> Expected {
    Expected::failed(match how {
        Break::Cut | Break::Garbage | Break::Line => Reason::ProviderBroken,
        Break::Stall | Break::Comments | Break::Empty => Reason::ProviderStalled,
        Break::Error | Break::ErrorEvent => Reason::ProviderFailed,
    })
}

/// The end of an answer whose text came whole.
fn whole(api: Api, mixture: &Mixture) -> Expected {
    // Ollama has no mark: its last line is the end, with or without a reason.
    let has_none = api == Api::OpenAi && mixture.has(Form::NoFinish) && mixture.has(Form::NoDone);
    if mixture.has(Form::NoEnd) || has_none {
        return Expected::failed(Reason::ProviderBroken);
    }
    let reason = match (api, mixture.finish()) {
        _ if mixture.has(Form::NoFinish) => None,
        (_, "length") => Some(Reason::Truncated),
        // Reasons of which Ollama knows nothing.
        (Api::OpenAi, "content_filter") => Some(Reason::ContentFiltered),
        (Api::OpenAi, "error") => return Expected::failed(Reason::ProviderFailed),
        _ => None,
    };
    let has_usage = !mixture.has(Form::NoUsage);
    let usage = if has_usage { UsageSource::Provider } else { UsageSource::Estimate };
    Expected { reason, retry_after_ms: None, usage: Some(usage) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fault::Fault;

    fn reasons(text: &str, is_again: bool) -> Vec<Option<Reason>> {
        let fault: Fault = text.parse().unwrap();
        let ends = expected(Api::OpenAi, &fault.mixture, is_again, 1000);
        ends.into_iter().map(|end| end.reason).collect()
    }

    #[test]
    fn each_fault_demands_an_end() {
        let cases = [
            ("429", Reason::ProviderRateLimited),
            ("401", Reason::ProviderUnauthorized),
            ("402", Reason::ProviderRateLimited),
            ("502", Reason::ProviderFailed),
            ("silent", Reason::ProviderStalled),
            ("hang-up", Reason::ProviderBroken),
            ("401-page", Reason::ProviderFailed),
            ("cut=0", Reason::ProviderBroken),
            ("cut=1000", Reason::ProviderBroken),
            ("cut=9,error=8", Reason::ProviderFailed),
            ("drip=40", Reason::ProviderStalled),
            ("finish=length", Reason::Truncated),
            ("no-end", Reason::ProviderBroken),
            ("no-finish,no-done", Reason::ProviderBroken),
        ];
        for (text, reason) in cases {
            assert_eq!(reasons(text, true), [Some(reason)], "{text}");
        }
    }

    #[test]
    fn some_faults_are_none() {
        for text in ["cut=1001", "no-done", "no-finish", "finish=because", "think,tools,crlf"] {
            assert_eq!(reasons(text, true), [None], "{text}");
        }
        for text in
            ["hang-up", "429=date", "429=none", "401", "401-page", "500", "cut=0", "error=0"]
        {
            assert_eq!(reasons(text, false), [None], "{text} is tried once more");
        }
        for text in ["429=google", "402", "silent", "stall=0", "cut=0,think", "cut=40"] {
            assert_eq!(reasons(text, false), reasons(text, true), "{text} is not");
        }
        let late = [Some(Reason::ProviderStalled), None];
        assert_eq!(reasons("drip=900", true), late, "it may be over before it is given up");
    }

    #[test]
    fn ollama_knows_fewer_reasons_to_stop() {
        let fault: Fault = "finish=content_filter".parse().unwrap();
        let [end] = expected(Api::Ollama, &fault.mixture, true, 1000)[..] else { panic!("one") };
        assert_eq!(end.reason, None);
    }

    #[test]
    fn usage_is_the_providers_word_unless_it_says_none() {
        let usage = |text: &str| {
            let fault: Fault = text.parse().unwrap();
            expected(Api::OpenAi, &fault.mixture, true, 1000)[0].usage
        };
        assert_eq!(usage("usage-often"), Some(UsageSource::Provider));
        assert_eq!(usage("no-usage"), Some(UsageSource::Estimate));
        assert_eq!(usage("cut=5"), None);
    }
}
