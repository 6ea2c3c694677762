//! The keeper's actor: what has to be done from time to time, and belongs to nobody else.

use crate::node::Node;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{sync::Arc, time::Duration};

/// How often the keeper looks around.
const INTERVAL: Duration = Duration::from_secs(30);

/// How often it has expired sign-ins forgotten.
const SIGN_INS_INTERVAL: Duration = Duration::from_secs(3600);

/// What the keeper tells itself.
#[derive(Debug)]
pub(crate) enum Message {
    Sweep,
    SweepSignIns,
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
        myself.send_interval(SIGN_INS_INTERVAL, || Message::SweepSignIns);
        Ok(node)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        node: &mut Arc<Node>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Sweep => {
                node.limiter.sweep();
                if let Some(credits) = &node.credits {
                    credits.round();
                }
            }
            Message::SweepSignIns => {
                let node = node.clone();
                // Beside the mailbox: it reads the store, page by page.
                crate::spawn(async move { node.authenticator.sweep(node.clock.now_ms()).await });
            }
        }
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
