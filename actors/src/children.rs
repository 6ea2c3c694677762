//! The children of a supervisor, one a key.

use crate::meter::Meter;
use ractor::{ActorId, SupervisionEvent};
use std::{collections::HashMap, hash::Hash};

/// Children that live, by key and by actor. `H` is what they are spoken to by. Bound: the
/// supervisor's own.
#[derive(Debug)]
pub(crate) struct Children<K, H> {
    by_key: HashMap<K, (ActorId, H)>,
    by_actor: HashMap<ActorId, K>,
}

impl<K: Copy + Eq + Hash, H> Children<K, H> {
    pub(crate) fn new() -> Self {
        Self { by_key: HashMap::new(), by_actor: HashMap::new() }
    }

    pub(crate) fn get(&self, key: K) -> Option<&H> {
        self.by_key.get(&key).map(|(_, handle)| handle)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &H> {
        self.by_key.values().map(|(_, handle)| handle)
    }

    /// A child lives, in the place of an earlier one that may not have been found ended yet.
    pub(crate) fn started(&mut self, key: K, actor: ActorId, handle: H) {
        self.by_actor.insert(actor, key);
        self.by_key.insert(key, (actor, handle));
    }

    /// Forgets a child that has ended; what became of it is in the log.
    pub(crate) fn heard(&mut self, event: &SupervisionEvent, meter: &Meter) {
        let ended = match event {
            SupervisionEvent::ActorTerminated(cell, ..) => cell.get_id(),
            SupervisionEvent::ActorFailed(cell, error) => {
                tracing::error!(%error, child = %cell.get_id(), "an actor failed");
                meter.actor_restarts.inc();
                cell.get_id()
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return,
        };
        if let Some(key) = self.by_actor.remove(&ended)
            && self.by_key.get(&key).is_some_and(|(actor, _)| *actor == ended)
        {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ractor::{Actor, ActorProcessingErr, ActorRef};

    struct Child;

    impl Actor for Child {
        type Msg = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_end_of_an_earlier_child_leaves_its_successor() {
        let (earlier, _) = Actor::spawn(None, Child, ()).await.unwrap();
        let (later, _) = Actor::spawn(None, Child, ()).await.unwrap();
        let (mut children, meter) = (Children::new(), Meter::default());
        children.started(1, earlier.get_id(), "earlier");
        children.started(1, later.get_id(), "later");

        let end = |of: &ActorRef<()>| SupervisionEvent::ActorTerminated(of.get_cell(), None, None);
        children.heard(&end(&earlier), &meter);
        assert_eq!(children.get(1), Some(&"later"));
        children.heard(&end(&later), &meter);
        assert_eq!(children.all().count(), 0);
        assert!(children.by_actor.is_empty());
    }
}
