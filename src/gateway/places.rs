//! Caps on connections, in all and by source.

use crate::rest::{Proxies, Source};
use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The places for connections. Invariant: a source has as many entries in `by_source` as it holds
/// places, and none in the map where it holds none; trusted proxies have none.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_by_source: usize,
    proxies: Proxies,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<Source, usize>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: Option<Source>,
}

impl Places {
    pub(super) fn new(most: usize, most_by_source: usize, proxies: Proxies) -> Arc<Self> {
        Arc::new(Self { most, most_by_source, proxies, taken: Mutex::default() })
    }

    /// A place for a connection, if there is one.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let source = (!self.proxies.contain(peer)).then(|| Source::of(peer));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return None;
        }
        if let Some(source) = source {
            let held = taken.by_source.entry(source).or_default();
            if *held >= self.most_by_source {
                return None;
            }
            *held += 1;
        }
        taken.all += 1;
        Some(Place { places: Arc::clone(self), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let Some(source) = self.source else { return };
        if let Entry::Occupied(mut held) = taken.by_source.entry(source) {
            *held.get_mut() = held.get().saturating_sub(1);
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_gets_its_share_and_no_more() {
        let places = Places::new(10, 2, Proxies::default());
        let first = places.take(ip("192.0.2.1")).unwrap();
        let _second = places.take(ip("::ffff:192.0.2.1")).unwrap();

        assert!(places.take(ip("192.0.2.1")).is_none());
        assert!(places.take(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(places.take(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn all_sources_together_get_no_more_than_there_is() {
        let places = Places::new(3, 2, Proxies::default());
        let held: Vec<_> = (1..=3).map(|n| places.take(ip(&format!("192.0.2.{n}")))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(ip("192.0.2.9")).is_none());

        drop(held);
        assert_eq!(places.taken.lock().unwrap().all, 0);
        assert!(places.taken.lock().unwrap().by_source.is_empty());
    }

    #[test]
    fn a_trusted_proxy_is_no_source() {
        let places = Places::new(10, 1, Proxies::parse(&["10.0.0.1".into()]).unwrap());
        let held: Vec<_> = (0..10).map(|_| places.take(ip("10.0.0.1"))).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
