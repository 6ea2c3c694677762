//! What a node makes of the others. Pure: no I/O, no clock.

use crate::port::{Incarnation, NodeRow};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// Incarnations that one node recovers at a time.
const RECOVERIES_MAX: usize = 2;

/// Rest after a recovery that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How a node takes part in a cluster. Without effect where the store is not shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTerms {
    /// Where other nodes reach this one, `host:port`.
    pub address: String,
    /// How often it beats, and looks after the others.
    pub beat: Duration,
    /// A node whose beat has not changed for this long is dead, by the clock of who looks.
    pub silent_after: Duration,
}

impl Default for ClusterTerms {
    fn default() -> Self {
        Self {
            address: String::new(),
            beat: Duration::from_millis(500),
            silent_after: Duration::from_secs(2),
        }
    }
}

/// What to do after a look at the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This very incarnation was sealed: end it.
    End,
    /// Seal that one and take over what it left.
    Recover(Incarnation),
}

/// One node's knowledge of the others. Bound: one row for each that is listed.
#[derive(Debug)]
pub(super) struct Observer {
    me: Incarnation,
    terms: ClusterTerms,
    /// When the last list had come.
    looked: Option<Instant>,
    others: BTreeMap<Incarnation, Seen>,
    recovering: BTreeSet<Incarnation>,
}

#[derive(Debug)]
struct Seen {
    beat: u64,
    /// How long the beat has been as it is.
    silent: Duration,
    /// After a recovery that failed.
    rests_until: Option<Instant>,
}

impl Observer {
    pub(super) const fn new(me: Incarnation, terms: ClusterTerms) -> Self {
        Self { me, terms, looked: None, others: BTreeMap::new(), recovering: BTreeSet::new() }
    }

    /// Takes a list that was asked for at `asked` and had come at `now`, by this node's clock.
    ///
    /// Silence is what was seen of it: from one list to the asking for the next, and at most two
    /// beats of that. So neither a store that gave no answers nor a pause of this node itself makes
    /// the others look dead.
    pub(super) fn observe(&mut self, list: &[NodeRow], asked: Instant, now: Instant) -> Vec<Step> {
        let lives = |node: &NodeRow| node.incarnation == self.me && !node.sealed;
        if !list.iter().any(lives) {
            return vec![Step::End];
        }
        let gap = self.looked.map_or(Duration::ZERO, |last| asked.saturating_duration_since(last));
        let gap = gap.min(self.terms.beat * 2);
        self.looked = Some(now);
        self.others.retain(|other, _| list.iter().any(|node| node.incarnation == *other));
        let mut steps = Vec::new();
        for node in list.iter().filter(|node| node.incarnation != self.me) {
            let seen = self.others.entry(node.incarnation).or_insert(Seen {
                beat: node.beat,
                silent: Duration::ZERO,
                rests_until: None,
            });
            seen.silent = if seen.beat == node.beat { seen.silent + gap } else { Duration::ZERO };
            seen.beat = node.beat;
            // This process holds the address now, so the one that held it before has ended.
            let was_here =
                node.incarnation < self.me && node.address.as_deref() == Some(&*self.terms.address);
            let is_dead = node.sealed || was_here || seen.silent >= self.terms.silent_after;
            let rests = seen.rests_until.is_some_and(|until| now < until);
            if is_dead
                && !rests
                && self.recovering.len() < RECOVERIES_MAX
                && self.recovering.insert(node.incarnation)
            {
                steps.push(Step::Recover(node.incarnation));
            }
        }
        steps
    }

    /// A recovery has ended; one that failed is tried again a little later.
    pub(super) fn recovered(&mut self, dead: Incarnation, is_done: bool, now: Instant) {
        self.recovering.remove(&dead);
        if let Some(seen) = self.others.get_mut(&dead) {
            seen.rests_until = (!is_done).then(|| now + RETRY_AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Incarnation = Incarnation(10);
    const BEAT: Duration = Duration::from_millis(500);

    fn node(incarnation: u64, beat: u64) -> NodeRow {
        let address = Some(format!("node-{incarnation}"));
        NodeRow { incarnation: Incarnation(incarnation), address, beat, sealed: false }
    }

    fn observer() -> Observer {
        Observer::new(ME, ClusterTerms { address: "node-10".into(), ..ClusterTerms::default() })
    }

    /// Looks every 500 ms from `from` on; answers what was decided at each look.
    fn look(observer: &mut Observer, from: Instant, beats: &[u64]) -> Vec<Vec<Step>> {
        let look = |(n, &beat): (u32, &u64)| {
            let at = from + BEAT * n;
            observer.observe(&[node(3, beat), node(10, 0)], at, at)
        };
        (0..).zip(beats).map(look).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_beats_lives_and_who_is_silent_for_two_seconds_is_recovered_once() {
        let (mut observer, now) = (observer(), Instant::now());
        let recover = vec![Step::Recover(Incarnation(3))];
        let steps = look(&mut observer, now, &[1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(steps[..9], vec![vec![]; 9], "three looks without a change are not enough");
        assert_eq!(steps[9..], [recover, vec![]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_recovery_is_tried_again_after_a_rest() {
        let (mut observer, now) = (observer(), Instant::now());
        let dead = Incarnation(3);
        let sealed = [NodeRow { sealed: true, ..node(3, 1) }, node(10, 0)];
        assert_eq!(observer.observe(&sealed, now, now), [Step::Recover(dead)], "at once");
        observer.recovered(dead, false, now);
        let soon = now + RETRY_AFTER / 2;
        assert_eq!(observer.observe(&sealed, soon, soon), []);
        let later = now + RETRY_AFTER;
        assert_eq!(observer.observe(&sealed, later, later), [Step::Recover(dead)]);
        observer.recovered(dead, true, later);
    }

    /// Nobody can beat while the store gives no answers.
    #[tokio::test(start_paused = true)]
    async fn an_outage_of_the_store_is_nobodys_silence() {
        let (mut observer, now) = (observer(), Instant::now());
        look(&mut observer, now, &[1, 2, 3]);
        let after = now + Duration::from_secs(60);
        let list = [node(3, 3), node(10, 0)];
        assert_eq!(observer.observe(&list, after, after), []);
        let next = after + BEAT;
        assert_eq!(observer.observe(&[node(3, 4), node(10, 0)], next, next), []);
    }

    /// The list is as old as its asking, however late this node comes to read it.
    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_observer_is_nobodys_silence() {
        let (mut observer, now) = (observer(), Instant::now());
        look(&mut observer, now, &[1, 2, 3]);
        let (asked, read) = (now + BEAT * 3, now + Duration::from_secs(60));
        assert_eq!(observer.observe(&[node(3, 3), node(10, 0)], asked, read), []);
        let next = read + BEAT;
        assert_eq!(observer.observe(&[node(3, 99), node(10, 0)], next, next), []);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_life_at_the_same_address_has_ended_and_a_later_one_has_not() {
        let (mut observer, now) = (observer(), Instant::now());
        let here = |n| NodeRow { address: Some("node-10".into()), ..node(n, 1) };
        let steps = observer.observe(&[here(4), node(10, 0), here(11)], now, now);
        assert_eq!(steps, [Step::Recover(Incarnation(4))]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_sealed_or_recovered_itself_ends() {
        let now = Instant::now();
        let sealed = NodeRow { sealed: true, ..node(10, 0) };
        assert_eq!(observer().observe(&[node(3, 1), sealed], now, now), [Step::End]);
        assert_eq!(observer().observe(&[node(3, 1)], now, now), [Step::End]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_are_recovered_at_a_time() {
        let (mut observer, now) = (observer(), Instant::now());
        let dead = |n| NodeRow { sealed: true, ..node(n, 0) };
        let list = [dead(1), dead(2), dead(3), node(10, 0)];
        let first = observer.observe(&list, now, now);
        assert_eq!(first, [1, 2].map(|n| Step::Recover(Incarnation(n))));
        observer.recovered(Incarnation(1), true, now);
        let list = &list[1..];
        assert_eq!(observer.observe(list, now, now), [Step::Recover(Incarnation(3))]);
    }
}
