use super::*;

mod model;

const SECOND: Duration = Duration::from_secs(1);
const SETTINGS: Settings = Settings {
    selection: Selection::Headroom,
    waiting_max: 100,
    exhausted: Duration::from_secs(600),
    calls_max: 1000,
};

fn member(name: &str, accounts: &[Option<&str>]) -> Member {
    let keys = accounts.iter().enumerate().map(|(place, account)| KeyInfo {
        fingerprint: Some(format!("{name}-{place}")),
        account: account.map(str::to_owned),
    });
    Member {
        name: name.to_owned(),
        model: "m".to_owned(),
        keys: keys.collect(),
        terms: Terms::NONE,
    }
}

/// A pool with a clock and a seed.
struct Table {
    pool: Pool,
    now: Instant,
    draw: Draw,
    next: WaiterId,
}

impl Table {
    fn new(members: Vec<Member>) -> Self {
        Self::with(SETTINGS, members)
    }

    fn with(settings: Settings, members: Vec<Member>) -> Self {
        let (pool, now) = (Pool::new(settings, members), Instant::now());
        Self { pool, now, draw: Draw::new(1), next: 0 }
    }

    fn apply(&mut self, input: Input) -> Vec<Effect> {
        self.pool.apply(input, (self.now, &mut self.draw))
    }

    fn need(&self) -> Need {
        Need {
            providers: (0..self.pool.providers.len()).collect(),
            model: None,
            tokens: 100,
            avoid: Vec::new(),
            may_repeat: true,
            retries: None,
            deadline: self.now + 60 * SECOND,
        }
    }

    fn ask(&mut self) -> Vec<Effect> {
        let need = self.need();
        self.ask_for(need)
    }

    fn ask_for(&mut self, need: Need) -> Vec<Effect> {
        self.next += 1;
        self.apply(Input::Ask(self.next, need))
    }

    fn granted(&mut self) -> Grant {
        granted(self.ask()).pop().expect("a key has room")
    }

    fn fail(&mut self, grant: &Grant, kind: Kind, hint_secs: Option<u32>) -> Vec<Effect> {
        let hint = hint_secs.map(|secs| SECOND * secs);
        let failure = Failure { kind, hint, answered: false };
        let mut effects = self.apply(Input::Failed(grant.clone(), failure));
        effects.extend(self.apply(Input::Ended(grant.clone())));
        effects
    }

    fn answer(&mut self, grant: &Grant) -> Vec<Effect> {
        let mut effects = self.apply(Input::Answered(grant.clone(), SECOND / 10));
        effects.extend(self.apply(Input::Ended(grant.clone())));
        effects
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now += time;
        self.apply(Input::Tick)
    }
}

fn granted(effects: Vec<Effect>) -> Vec<Grant> {
    let grant = |effect| if let Effect::Grant(_, grant) = effect { Some(grant) } else { None };
    effects.into_iter().filter_map(grant).collect()
}

fn refused(effects: &[Effect]) -> Option<Why> {
    effects.iter().find_map(|effect| match effect {
        Effect::Refuse(_, refusal) => Some(refusal.why),
        Effect::Grant(..)
        | Effect::Wait(..)
        | Effect::Probe(..)
        | Effect::Remember(_)
        | Effect::Merged(..)
        | Effect::Share(_)
        | Effect::Late(_) => None,
    })
}

fn waits(effects: &[Effect]) -> Option<Duration> {
    effects.iter().find_map(|effect| match effect {
        Effect::Wait(_, eta) => Some(*eta),
        Effect::Grant(..)
        | Effect::Refuse(..)
        | Effect::Probe(..)
        | Effect::Remember(_)
        | Effect::Merged(..)
        | Effect::Share(_)
        | Effect::Late(_) => None,
    })
}

#[tokio::test(start_paused = true)]
async fn keys_of_one_account_share_a_cooldown_and_others_go_on() {
    let mut table = Table::new(vec![member("p", &[Some("org"), Some("org"), None])]);
    let mut first = table.granted();
    while first.key.key == 2 {
        table.answer(&first);
        first = table.granted();
    }
    table.fail(&first, Kind::RateLimited, Some(20));
    for _ in 0..50 {
        let next = table.granted();
        assert_eq!(next.key.key, 2, "both keys of the account rest");
        table.answer(&next);
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_at_its_limit_leaves_other_models_of_the_account_alone() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::RateLimited, Some(20));
    let other = Need { model: Some("other".into()), ..table.need() };
    assert_eq!(granted(table.ask_for(other)).len(), 1);
    assert!(waits(&table.ask()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_with_an_eta_and_goes_when_the_cooldown_is_over() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::RateLimited, Some(20));

    let eta = waits(&table.ask()).expect("it waits");
    assert!(eta >= 20 * SECOND && eta <= 24 * SECOND, "{eta:?}");
    assert_eq!(table.pool.due(), Some(table.now + eta));
    assert!(granted(table.pass(eta - SECOND)).is_empty());
    assert_eq!(granted(table.pass(SECOND)).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_could_only_be_late_is_refused_at_once() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::RateLimited, Some(90));
    assert_eq!(refused(&table.ask()), Some(Why::Limited));

    let mut table = Table::new(vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::QuotaExhausted, None);
    assert_eq!(refused(&table.ask()), Some(Why::Exhausted));
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_do_not_come_back_all_at_once() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::RateLimited, Some(5));
    for _ in 0..31 {
        assert!(waits(&table.ask()).is_some());
    }

    let mut begun = granted(table.pass(6 * SECOND));
    let mut waves = Vec::new();
    while !begun.is_empty() {
        waves.push(begun.len());
        let now: Vec<_> = std::mem::take(&mut begun);
        for grant in &now {
            begun.extend(granted(table.answer(grant)));
        }
    }
    assert_eq!(waves.iter().sum::<usize>(), 31);
    assert_eq!(waves[0], 1, "one finds out: {waves:?}");
    let doubled = |pair: &[usize]| pair[1] <= 4 * pair[0];
    assert!(waves.windows(2).take(3).all(doubled), "{waves:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_go_in_the_order_of_their_deadlines_and_the_queue_has_an_end() {
    let settings = Settings { waiting_max: 2, ..SETTINGS };
    let mut table = Table::with(settings, vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::RateLimited, Some(5));
    table.ask();
    let sooner = Need { deadline: table.now + 30 * SECOND, ..table.need() };
    table.ask_for(sooner);
    assert_eq!(refused(&table.ask()), Some(Why::Crowded));

    let effects = table.pass(6 * SECOND);
    assert!(matches!(effects[..], [Effect::Grant(3, _)]), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_queue_is_not_granted() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let first = table.granted();
    table.fail(&first, Kind::RateLimited, Some(5));
    table.ask();
    table.apply(Input::Leave(table.next));
    assert_eq!(table.pass(10 * SECOND), []);
    assert_eq!(table.pool.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_provider_answers_where_the_first_one_cannot() {
    let mut table = Table::new(vec![member("a", &[None]), member("b", &[None])]);
    let first = table.granted();
    assert_eq!(first.key.provider, 0);
    table.fail(&first, Kind::RateLimited, Some(5));
    assert_eq!(table.granted().key.provider, 1);
}

#[tokio::test(start_paused = true)]
async fn a_further_try_goes_to_another_group_and_to_the_same_only_if_there_is_none() {
    let mut table = Table::new(vec![member("p", &[None, None])]);
    let first = table.granted();
    table.fail(&first, Kind::Failed, None);
    let again = Need { avoid: vec![first.key], ..table.need() };
    for _ in 0..20 {
        let next = granted(table.ask_for(again.clone())).pop().unwrap();
        assert_ne!(next.key, first.key);
        table.answer(&next);
    }
    let both = vec![first.key, KeyRef { key: 1 - first.key.key, ..first.key }];
    let last = Need { avoid: both.clone(), ..table.need() };
    assert_eq!(granted(table.ask_for(last)).len(), 1);
    let none = Need { avoid: both, may_repeat: false, ..table.need() };
    assert!(refused(&table.ask_for(none)).is_some());
}

#[tokio::test(start_paused = true)]
async fn retries_have_a_budget() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let mut tries = 0;
    while let Some(grant) = granted(table.ask()).pop() {
        table.fail(&grant, Kind::Failed, None);
        let again = Need { retries: Some(grant), ..table.need() };
        let Some(grant) = granted(table.ask_for(again)).pop() else { break };
        table.fail(&grant, Kind::Failed, None);
        tries += 1;
    }
    assert_eq!(tries, 2, "an outage is not answered with a storm of tries");
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_probed_once_and_is_out_for_all_models() {
    let mut table = Table::new(vec![member("p", &[None, None])]);
    let (first, second) = (table.granted(), table.granted());
    let effects = table.fail(&first, Kind::Unauthorized, None);
    let Some(Effect::Probe(key, generation)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(*key, first.key);
    if second.key == first.key {
        assert_eq!(table.fail(&second, Kind::Unauthorized, None), [], "a probe is under way");
    }
    let effects = table.apply(Input::Checked(*key, *generation, KeyCheck::Refused));
    assert_eq!(effects, [Effect::Remember(*key)]);
    for model in ["m", "another"] {
        let need = Need { model: Some(model.into()), ..table.need() };
        assert_ne!(granted(table.ask_for(need)).pop().unwrap().key, *key);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_accepted_but_refused_for_a_model_is_kept_for_others() {
    let mut table = Table::new(vec![member("p", &[None])]);
    for _ in 0..2 {
        let grant = table.granted();
        let effects = table.fail(&grant, Kind::Unauthorized, None);
        let Some(Effect::Probe(key, generation)) = effects.first() else { panic!("{effects:?}") };
        table.apply(Input::Checked(*key, *generation, KeyCheck::Accepted));
    }
    assert_eq!(refused(&table.ask()), Some(Why::Invalid), "not with this model");
    let other = Need { model: Some("other".into()), ..table.need() };
    assert_eq!(granted(table.ask_for(other)).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_are_refused_once_the_last_key_is_invalid() {
    let mut table = Table::new(vec![member("p", &[None])]);
    let grant = table.granted();
    let effects = table.fail(&grant, Kind::Unauthorized, None);
    let Some(Effect::Probe(key, generation)) = effects.first() else { panic!("{effects:?}") };
    assert!(waits(&table.ask()).is_some(), "for the probe");
    let effects = table.apply(Input::Checked(*key, *generation, KeyCheck::Refused));
    assert_eq!(refused(&effects), Some(Why::Invalid));
}

#[tokio::test(start_paused = true)]
async fn keys_that_tell_the_same_organisation_become_one_account() {
    let mut table = Table::new(vec![member("p", &[None, None, None])]);
    let told = Limits { account: Some("org_x".into()), ..Limits::default() };
    let mut seen = BTreeMap::new();
    while seen.len() < 3 {
        let grant = table.granted();
        seen.insert(grant.key.key, grant);
    }
    assert_eq!(table.apply(Input::Told(seen[&0].clone(), told.clone())), []);
    let merged = table.apply(Input::Told(seen[&1].clone(), told.clone()));
    assert_eq!(merged, [Effect::Merged(seen[&1].key, seen[&0].key)]);
    assert_eq!(table.apply(Input::Told(seen[&1].clone(), told)), [], "once");

    let grant = loop {
        let grant = table.granted();
        if grant.key.key != 2 {
            break grant;
        }
    };
    table.fail(&grant, Kind::RateLimited, Some(30));
    assert!((0..20).all(|_| table.granted().key.key == 2));
}

#[tokio::test(start_paused = true)]
async fn calls_to_a_provider_have_a_limit_and_the_next_goes_when_one_ends() {
    let settings = Settings { calls_max: 1, ..SETTINGS };
    let mut table = Table::with(settings, vec![member("p", &[None])]);
    let first = table.granted();
    assert!(waits(&table.ask()).is_some());
    assert_eq!(granted(table.answer(&first)).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn configured_limits_hold_a_call_back_before_the_provider_has_to() {
    let terms = Terms { requests_per_minute: Some(2), ..Terms::NONE };
    let member = Member { terms, ..member("p", &[None]) };
    let mut table = Table::new(vec![member]);
    for _ in 0..2 {
        let grant = table.granted();
        table.answer(&grant);
    }
    assert_eq!(waits(&table.ask()), Some(30 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn round_robin_takes_one_key_after_the_other() {
    let settings = Settings { selection: Selection::RoundRobin, ..SETTINGS };
    let mut table = Table::with(settings, vec![member("p", &[None, None, None])]);
    let taken: Vec<_> = (0..7).map(|_| table.granted().key.key).collect();
    assert_eq!(taken, [0, 1, 2, 0, 1, 2, 0]);
}

/// Tells the pool what each account has left.
fn tell(table: &mut Table, lefts: &[u64]) {
    let mut grants = BTreeMap::new();
    while grants.len() < lefts.len() {
        let grant = table.granted();
        grants.entry(grant.key.key).or_insert_with(|| grant.clone());
        table.answer(&grant);
    }
    for (key, left) in lefts.iter().enumerate() {
        let requests = crate::port::Allowance { limit: *left, left: *left, reset_ms: 60_000 };
        let limits = Limits { requests: Some(requests), ..Limits::default() };
        table.apply(Input::Told(grants[&key].clone(), limits));
    }
}

#[tokio::test(start_paused = true)]
async fn load_is_spread_in_proportion_to_headroom() {
    for (seed, in_flight) in [(1, 1_usize), (2, 1), (3, 20), (4, 20)] {
        let mut table = Table::new(vec![member("p", &[None, None, None])]);
        table.draw = Draw::new(seed);
        tell(&mut table, &[6000, 3000, 1000]);
        let mut counts = [0_u32; 3];
        let mut under_way = std::collections::VecDeque::new();
        for _ in 0..5000 {
            let grant = table.granted();
            counts[grant.key.key] += 1;
            under_way.push_back(grant);
            if under_way.len() >= in_flight {
                let grant = under_way.pop_front().unwrap();
                table.answer(&grant);
            }
        }
        // Of 5000 calls, a share of 0.1 has a standard deviation of 0.004.
        for (count, share) in counts.into_iter().zip([0.6, 0.3, 0.1]) {
            let is = f64::from(count) / 5000.0;
            assert!(
                (is - share).abs() < 0.03,
                "{counts:?} with seed {seed}, {in_flight} at a time"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn load_is_spread_in_proportion_among_many_keys_too() {
    let lefts: Vec<u64> = (1..=20).map(|n| n * 10_000).collect();
    let mut table = Table::new(vec![member("p", &[None; 20])]);
    tell(&mut table, &lefts);
    let mut counts = [0_u32; 20];
    for _ in 0..21_000 {
        let grant = table.granted();
        counts[grant.key.key] += 1;
        table.answer(&grant);
    }
    // Of 210 parts of 100 calls each, key n has n: within five standard deviations.
    for (key, count) in counts.into_iter().enumerate() {
        let expected = 100.0 * (key + 1) as f64;
        assert!((f64::from(count) - expected).abs() < 5.0 * expected.sqrt(), "{counts:?}");
    }
}
