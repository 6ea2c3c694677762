//! The test of a provider's faults: each one alone, then seeded mixtures of them, against the real
//! server.
//!
//! Every run must end as its faults demand ([`expected()`]), with the text that the stand-in sent
//! ([`Sent`]); the [`checker`] judges all the rest. When all clients are gone, the server must hold
//! no more than before ([`leaks`]).

mod expected;
pub mod leaks;
mod play;
mod said;

pub use expected::{Expected, expected};
pub use said::{RunLog, Sent, runs};

use crate::{
    checker::{self, Rule, Violation},
    clock,
    greenroom::{Extra, Greenroom, ServerOptions},
    mix::Mix,
    provider::{self, Api, Provider, fault::Mixture},
    report,
};
use anyhow::{Context, Result};
use clap::Args;
use play::{Planned, Played, Stage};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{self, Instant};

/// Users whose sessions the runs are spread over.
const USERS: usize = 4;

/// Most violations of one rule that are printed.
const SHOWN_MAX: usize = 5;

/// Options of `faults`.
#[derive(Args, Clone, Debug)]
pub struct FaultsOptions {
    /// How the server is started.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Runs with a mixture of faults, after one with each fault alone.
    #[arg(long, default_value_t = 1000)]
    pub count: usize,
    /// Decides the mixtures; none: a new one each time.
    #[arg(long)]
    pub seed: Option<u64>,
    /// What server and stand-in speak.
    #[arg(long, value_enum, default_value_t)]
    pub api: Api,
    /// Sessions, each with one run at a time.
    #[arg(long, default_value_t = 48)]
    pub sessions: usize,
    /// Seconds for all of it.
    #[arg(long, default_value_t = 600)]
    pub deadline_secs: u64,
}

/// Runs the test; false: it found what it should not.
///
/// # Errors
/// What keeps the test from being carried out.
pub async fn run(options: FaultsOptions) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| clock::now_us() % 1_000_000_007);
    report::line(format!("seed {seed}"));
    let begin = Instant::now();
    let provider = Provider::start(provider::Options::default_on_free_port(seed))?;
    let base_url = match options.api {
        Api::OpenAi => provider.base_url(),
        Api::Ollama => provider.ollama_url(),
    };
    let extra = Extra { env: environment(options.api), ..Extra::default() };
    let mut greenroom = Greenroom::start(&options.server, &base_url, &extra).await?;
    let deadline = Duration::from_secs(options.deadline_secs);
    let all = carry_out(&options, seed, &greenroom, &provider);
    let violations = time::timeout(deadline, all)
        .await
        .with_context(|| format!("not done within {deadline:?}; seed {seed}"))??;
    let mut shown = BTreeMap::<Rule, usize>::new();
    for violation in &violations {
        let count = shown.entry(violation.rule).or_default();
        *count += 1;
        if *count <= SHOWN_MAX {
            report::line(format!("  {violation}"));
        }
    }
    let calls = provider.log().calls().len();
    report::line(format!("{calls} provider calls in {:.1} s", begin.elapsed().as_secs_f64()));
    if violations.is_empty() {
        report::line(format!("PASSED: no violation; seed {seed}"));
    } else {
        report::line(format!("the server's data and log: {}", greenroom.keep().display()));
        report::line(format!("FAILED: {} violations; seed {seed}", violations.len()));
    }
    Ok(violations.is_empty())
}

/// Short patience, so that a thousand faults take a minute; ample beside a busy machine's pauses.
fn environment(api: Api) -> Vec<(String, String)> {
    let values = [
        ("PROVIDERS__STANDIN__KIND", if api == Api::Ollama { "ollama" } else { "custom" }),
        ("PROVIDERS__STANDIN__TIMEOUTS__FIRST_CONTENT_MS", "3000"),
        ("PROVIDERS__STANDIN__TIMEOUTS__STALL_MS", "2000"),
        ("PROVIDERS__STANDIN__TIMEOUTS__IDLE_MS", "3000"),
        ("PROVIDERS__STANDIN__TIMEOUTS__CHARS_PER_SEC_MIN", "100"),
        ("PROVIDERS__STANDIN__TIMEOUTS__RATE_WINDOW_MS", "4000"),
        ("SESSION__HIBERNATE_AFTER_SECS", "1"),
        ("KEYPOOL__EXHAUSTED_SECS", "1"),
    ];
    let wait = ("RUNS__PROVIDER_WAIT_SECS".to_owned(), expected::WAIT_SECS.to_string());
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let values = values.into_iter().chain([wait]);
    values.map(|(key, value)| (format!("GREENROOM__{key}"), value)).collect()
}

async fn carry_out(
    options: &FaultsOptions,
    seed: u64,
    greenroom: &Greenroom,
    provider: &Provider,
) -> Result<Vec<Violation>> {
    let tokens = greenroom.accounts(USERS).await.context("accounts for the test")?;
    let stage = Stage { options, greenroom, provider, tokens: &tokens };
    let mut mix = Mix::new(seed);
    let singles: Vec<_> =
        Mixture::singles().into_iter().map(|one| Planned::new(one, &mut mix)).collect();
    let mixtures: Vec<_> =
        (0..options.count).map(|_| Planned::new(Mixture::any(&mut mix), &mut mix)).collect();
    let (alone, mixed) = (singles.len(), mixtures.len());

    let Played { mut violations, ends } = stage.play(singles).await?;
    report::line(format!("{alone} faults alone: {ends:?}"));
    let before = leaks::settle(greenroom, provider, None).await?;
    report::line(format!("the server holds {before}"));
    let Played { violations: more, ends } = stage.play(mixtures).await?;
    report::line(format!("{mixed} mixtures: {ends:?}"));
    violations.extend(more);
    let after = leaks::settle(greenroom, provider, Some(&before)).await?;
    report::line(format!("the server holds {after}"));
    if let Some(what) = leaks::leak(&before, &after) {
        violations.push(Violation { rule: Rule::NothingLeaks, session: None, what });
    }
    Ok(violations)
}

/// How the checker and this test see one stage's history.
fn judge(
    history: &checker::History,
    planned: &BTreeMap<play::Cid, Planned>,
    api: Api,
) -> Vec<Violation> {
    let mut found = checker::check(history);
    for session in &history.sessions {
        for run in runs(&session.log) {
            let Some(planned) = planned.get(&run.cid) else { continue };
            let id = run.run.to_string();
            let calls: Vec<_> =
                history.calls.iter().filter(|call| call.run.as_deref() == Some(&id)).collect();
            for (rule, what) in play::judge(planned, api, &run, &calls) {
                let what = format!("{id} with {}: {what}", planned.model);
                found.push(Violation::new(rule, session.session, what));
            }
        }
    }
    found.sort_by_key(|violation| violation.rule);
    found
}
