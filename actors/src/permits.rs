//! Runs under way, counted by user.

use crate::{meter::Meter, sync::lock};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    id::UserId,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Counts runs under way and refuses what is too much.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    per_user_max: u32,
    meter: Arc<Meter>,
    /// Users with a run; the others have no row.
    users: Arc<Mutex<BTreeMap<UserId, u32>>>,
}

/// A session's right to have runs; one at a time.
#[derive(Debug)]
pub(crate) struct Permit {
    user: UserId,
    permits: Permits,
}

impl Permits {
    pub(crate) fn new(per_user_max: u32, meter: Arc<Meter>) -> Self {
        Self { per_user_max, meter, users: Arc::default() }
    }

    /// Takes a permit, if the user has one left.
    ///
    /// # Errors
    /// What to answer.
    pub(crate) fn take(&self, user: UserId) -> Result<Permit, ErrorBody> {
        let max = self.per_user_max;
        if lock(&self.users).get(&user).copied().unwrap_or(0) >= max {
            let message = format!("{max} runs are under way already; wait for one to end");
            return Err(ErrorBody::new(Code::ResourceExhausted, Reason::TooManyRuns, message));
        }
        Ok(self.force(user))
    }

    /// Takes a permit for a run that was admitted before a crash.
    pub(crate) fn force(&self, user: UserId) -> Permit {
        *lock(&self.users).entry(user).or_default() += 1;
        self.meter.runs_active.inc();
        Permit { user, permits: self.clone() }
    }

    /// Whether no session has a run.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.users).is_empty()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.meter.runs_active.dec();
        let mut users = lock(&self.permits.users);
        if let Some(count) = users.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}
