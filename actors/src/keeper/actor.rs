//! The keeper's actor: what has to be done from time to time, and belongs to nobody else.

use crate::node::Node;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{sync::Arc, time::Duration};

/// How often the keeper looks around.
const INTERVAL: Duration = Duration::from_secs(30);

/// What the keeper tells itself.
#[derive(Debug)]
pub(crate) enum Message {
    Sweep,
}

/// Scheduled work of the node.
#[derive(Debug)]
pub(crate) struct KeeperActor;

impl Actor for KeeperActor {
    type Msg = Message;
    type State = Arc<Node>;
    type Arguments = Arc<Node>;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        node: Arc<Node>,
    ) -> Result<Arc<Node>, ActorProcessingErr> {
        myself.send_interval(INTERVAL, || Message::Sweep);
        Ok(node)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        node: &mut Arc<Node>,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Sweep = message;
        node.limiter.sweep();
        Ok(())
    }

    /// The keeper has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut Arc<Node>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
