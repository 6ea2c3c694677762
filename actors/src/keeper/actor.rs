//! The keeper's actor: what has to be done from time to time, and belongs to nobody else.

use super::duty;
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
                if let Some(credits) = node.credits.clone() {
                    on_duty(node, move |_| async move { credits.round() });
                }
            }
            Message::SweepSignIns => {
                on_duty(node, |node| async move {
                    node.authenticator.sweep(node.clock.now_ms()).await;
                });
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

/// Does what is one node's work, if it is this one's. Beside the mailbox: it reads the store.
fn on_duty<F>(node: &Arc<Node>, work: impl FnOnce(Arc<Node>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let node = node.clone();
    crate::spawn(async move {
        match duty::is_mine(&node).await {
            Ok(true) => work(node).await,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "whose duty the keeper's work is was not read"),
        }
    });
}
