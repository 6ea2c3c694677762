//! What is remembered of keys across restarts: that one is invalid or has nothing to spend, under
//! its fingerprint. A key that was replaced has another one, and is as good as new.

use super::key::Memory;
use crate::port::{Put, Store, StoreError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// Kind of the documents.
const KIND: &str = "provider_key";
/// Tries of a write that another one overtook.
const TRIES: u32 = 3;

/// A memory with the time of day.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Stored {
    Invalid { probe_at_ms: u64, pause_ms: u64 },
    Exhausted { until_ms: u64, pause_ms: u64 },
}

/// One moment in both of our times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) now_ms: u64,
}

impl Moment {
    fn to_ms(self, at: Instant) -> u64 {
        self.now_ms + millis(at.saturating_duration_since(self.now))
    }

    fn at(self, ms: u64) -> Instant {
        self.now + Duration::from_millis(ms.saturating_sub(self.now_ms))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Stored {
    fn new(memory: Memory, moment: Moment) -> Self {
        match memory {
            Memory::Invalid { probe_at, pause } => {
                Self::Invalid { probe_at_ms: moment.to_ms(probe_at), pause_ms: millis(pause) }
            }
            Memory::Exhausted { until, pause } => {
                Self::Exhausted { until_ms: moment.to_ms(until), pause_ms: millis(pause) }
            }
        }
    }

    fn memory(&self, moment: Moment) -> Memory {
        match *self {
            Self::Invalid { probe_at_ms, pause_ms } => Memory::Invalid {
                probe_at: moment.at(probe_at_ms),
                pause: Duration::from_millis(pause_ms),
            },
            Self::Exhausted { until_ms, pause_ms } => Memory::Exhausted {
                until: moment.at(until_ms),
                pause: Duration::from_millis(pause_ms),
            },
        }
    }
}

fn name(provider: &str, fingerprint: &str) -> String {
    format!("{provider}/{fingerprint}")
}

/// What is remembered of a key; none: nothing, or something that this build cannot read.
pub(super) async fn read(
    store: &dyn Store,
    (provider, fingerprint): (&str, &str),
    moment: Moment,
) -> Result<Option<Memory>, StoreError> {
    let document = store.document(KIND, &name(provider, fingerprint)).await?;
    let stored =
        document.and_then(|document| serde_json::from_slice::<Stored>(&document.bytes).ok());
    Ok(stored.map(|stored| stored.memory(moment)))
}

/// Remembers, or forgets, what is known of a key.
pub(super) async fn write(
    store: &dyn Store,
    (provider, fingerprint): (&str, &str),
    memory: Option<Memory>,
    moment: Moment,
) -> Result<(), StoreError> {
    let name = name(provider, fingerprint);
    for _ in 0..TRIES {
        let version = store.document(KIND, &name).await?.map_or(0, |document| document.version);
        let put = match memory {
            None if version == 0 => return Ok(()),
            None => store.remove_document(KIND, &name, version).await?,
            Some(memory) => {
                let json = serde_json::to_vec(&Stored::new(memory, moment));
                let json = json.map_err(|error| StoreError::Corrupt(error.to_string()))?;
                store.put_document(KIND, &name, version, Bytes::from(json)).await?
            }
        };
        if let Put::Written(_) = put {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable(format!("{name} changes all the time")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeStore;

    #[tokio::test(start_paused = true)]
    async fn a_memory_outlives_a_restart_in_which_both_clocks_went_on() {
        let store = FakeStore::new();
        let key = ("groq", "sha256:12345678");
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let memory = Memory::Exhausted { until: now + hour, pause: hour };
        let moment = Moment { now, now_ms: 5_000_000 };
        write(&store, key, Some(memory), moment).await.unwrap();

        let later = Moment { now: now + hour * 9, now_ms: 5_000_000 + 1_800_000 };
        let read_back = read(&store, key, later).await.unwrap();
        let until = later.now + hour / 2;
        assert_eq!(read_back, Some(Memory::Exhausted { until, pause: hour }));
        assert_eq!(read(&store, ("groq", "sha256:other"), later).await, Ok(None));

        write(&store, key, None, later).await.unwrap();
        assert_eq!(read(&store, key, later).await, Ok(None));
    }
}
