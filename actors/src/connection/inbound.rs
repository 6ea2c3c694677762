//! What comes from the client.

use super::{
    attach::{self, Begun},
    attachment::Attachment,
    calls,
    serve::{Connection, Pending},
};
use crate::port::{Limited, Principal, Received, Socket};
use greenroom_protocol::{
    error::{CloseCode, Code, ErrorBody, Reason},
    frame::{Attach, Call, ClientFrame, Detached, Limit, Limits, ServerFrame, decode},
    id::Channel,
};
use std::collections::VecDeque;
use tokio::time::Instant;

/// Operations that may wait; when so many do, nothing more is read.
const OPS_MAX: usize = 64;

/// Messages over the limit in a row that a client may send before it is closed.
const BREACHES_MAX: u32 = 50;

/// What takes time and keeps its order.
#[derive(Debug)]
pub(super) enum Op {
    Attach(Attach),
    Detach(Channel),
    Call(Call),
}

/// What an operation brought.
#[derive(Debug)]
pub(super) enum OpDone {
    /// An attachment and how it began.
    Attached(Box<(Attachment, Begun)>),
    /// An attachment that did not begin.
    NotAttached(Channel, ErrorBody),
    /// The answer to a call.
    Answer(String),
}

impl<S: Socket> Connection<S> {
    /// Whether another message may be read: operations and answers have their bounds.
    pub(super) fn may_read(&self) -> bool {
        self.ops.len() < OPS_MAX && self.outbox.is_empty()
    }

    /// Handles a message.
    ///
    /// # Errors
    /// The code to close with.
    pub(super) fn receive(&mut self, received: Received) -> Result<(), CloseCode> {
        self.timers.heard(Instant::now());
        match received {
            Received::Alive => Ok(()),
            Received::Binary => Err(CloseCode::Malformed),
            Received::Text(message) => {
                let frames = decode(message.as_bytes()).map_err(|error| {
                    tracing::debug!(connection = %self.id, %error, "a malformed message");
                    error.close_code()
                })?;
                frames.into_iter().try_for_each(|frame| self.frame(frame))
            }
        }
    }

    /// Handles a frame.
    ///
    /// # Errors
    /// The code to close with.
    pub(super) fn frame(&mut self, frame: ClientFrame) -> Result<(), CloseCode> {
        if !matches!(frame, ClientFrame::Ack { .. } | ClientFrame::Pong)
            && let Err(retry_after_ms) = self.count()
        {
            return self.limit(&frame, retry_after_ms);
        }
        match frame {
            ClientFrame::Hello(_) => return Err(CloseCode::Malformed),
            ClientFrame::Auth { token } => self.renew(&token)?,
            ClientFrame::Attach(attach) => self.ops.push_back(Op::Attach(attach)),
            ClientFrame::Detach { ch } => self.ops.push_back(Op::Detach(ch)),
            ClientFrame::Call(call) => self.ops.push_back(Op::Call(call)),
            ClientFrame::Ack { acks } => self.acks(&acks),
            ClientFrame::Ping { ts } => self.outbox.push(ServerFrame::Pong { ts }.encode()),
            ClientFrame::Pong => {}
            ClientFrame::Unknown { kind } => {
                self.outbox.push(ServerFrame::unknown_type(&kind).encode());
            }
        }
        Ok(())
    }

    fn count(&self) -> Result<(), u64> {
        let limiter = &self.edge.node.limiter;
        limiter.check(Limited::ConnectionMessage(self.id))?;
        limiter.check(Limited::UserMessage(self.principal.user))
    }

    /// Refuses a frame over the limit; a client that goes on all the same is closed.
    fn limit(&mut self, frame: &ClientFrame, retry_after_ms: u64) -> Result<(), CloseCode> {
        self.edge.node.meter.rate_limited.inc();
        self.breaches += 1;
        if self.breaches > BREACHES_MAX {
            return Err(CloseCode::RateLimited);
        }
        let message = "too many messages; wait a little";
        let error = ErrorBody::new(Code::ResourceExhausted, Reason::RateLimited, message);
        let error = error.retry_after_ms(retry_after_ms);
        self.outbox.push(match frame {
            ClientFrame::Call(call) => ServerFrame::Err { id: call.id, error }.encode(),
            ClientFrame::Attach(attach) => {
                ServerFrame::Error { ch: Some(attach.ch), error }.encode()
            }
            ClientFrame::Hello(_)
            | ClientFrame::Auth { .. }
            | ClientFrame::Detach { .. }
            | ClientFrame::Ack { .. }
            | ClientFrame::Ping { .. }
            | ClientFrame::Pong
            | ClientFrame::Unknown { .. } => {
                let limits = vec![Limit { name: "messages".to_owned(), limit: 0 }];
                let retry_after_ms = Some(retry_after_ms);
                ServerFrame::Limits(Limits { limits, retry_after_ms }).encode()
            }
        });
        Ok(())
    }

    fn renew(&mut self, token: &str) -> Result<(), CloseCode> {
        let node = &self.edge.node;
        // Whatever is wrong with it, a new token may help; the next `hello` says the last word.
        let found = node.authenticator.verify(token, node.clock.now_ms());
        let found: Principal = found.map_err(|_| CloseCode::TokenExpired)?;
        if found.user != self.principal.user {
            return Err(CloseCode::PrincipalMismatch);
        }
        self.principal = found;
        self.membership.signed_in(found.sign_in);
        self.timers.renewed(node, found);
        Ok(())
    }

    /// Begins the next operation, unless one is under way.
    pub(super) fn begin_op(&mut self) {
        while self.running.is_none() {
            let Some(op) = self.ops.pop_front() else {
                self.ops = VecDeque::new(); // an idle socket keeps no memory for what may come
                return;
            };
            self.breaches = 0;
            match op {
                Op::Detach(ch) => self.detach(ch),
                Op::Attach(attach) => self.begin_attach(attach),
                Op::Call(call) => {
                    let (edge, principal) = (self.edge.clone(), self.principal);
                    let call: Pending<OpDone> = Box::pin(async move {
                        OpDone::Answer(calls::perform(&edge, principal, &call).await)
                    });
                    self.running = Some(call);
                }
            }
        }
    }

    fn begin_attach(&mut self, attach: Attach) {
        let ch = attach.ch;
        let refused = if self.attachment(ch).is_some() {
            let message = "this channel is attached; detach it or use another number";
            Some((Code::InvalidArgument, Reason::ChannelInUse, message))
        } else if self.attachments.len() as u64
            >= u64::from(self.edge.node.config.attachments_per_connection)
        {
            let message = "too many attachments on this socket; detach one or open another";
            Some((Code::ResourceExhausted, Reason::TooManyAttachments, message))
        } else {
            None
        };
        if let Some((code, reason, message)) = refused {
            let error = ErrorBody::new(code, reason, message);
            self.outbox.push(ServerFrame::Error { ch: Some(ch), error }.encode());
            return;
        }
        let (edge, user, bell) = (self.edge.clone(), self.principal.user, self.bell.clone());
        self.running = Some(Box::pin(async move {
            let counted = calls::count(&edge, user, false).await;
            let attached = match counted {
                Ok(()) => attach::attach(&edge, user, bell, attach).await,
                Err(error) => Err(error),
            };
            match attached {
                Ok(attached) => OpDone::Attached(Box::new(attached)),
                Err(error) => OpDone::NotAttached(ch, error),
            }
        }));
    }

    /// Takes what an operation brought.
    pub(super) fn op_done(&mut self, done: OpDone) {
        match done {
            OpDone::Answer(frame) => self.outbox.push(frame),
            OpDone::NotAttached(ch, error) => {
                self.outbox.push(ServerFrame::Error { ch: Some(ch), error }.encode());
            }
            OpDone::Attached(attached) => {
                let (attachment, begun) = *attached;
                self.outbox.push(begun.frame().encode());
                let ch = attachment.ch;
                self.attachments.push(attachment);
                self.make_ready(ch);
            }
        }
    }

    pub(super) fn attachment(&mut self, ch: Channel) -> Option<&mut Attachment> {
        self.attachments.iter_mut().find(|attachment| attachment.ch == ch)
    }

    fn detach(&mut self, ch: Channel) {
        if self.attachment(ch).is_some() {
            self.end_attachment(ch, Reason::Requested, None);
        } else {
            let message = "this channel is not attached";
            let error = ErrorBody::new(Code::NotFound, Reason::ChannelNotAttached, message);
            self.outbox.push(ServerFrame::Error { ch: Some(ch), error }.encode());
        }
    }

    /// Ends an attachment and says so.
    pub(super) fn end_attachment(
        &mut self,
        ch: Channel,
        reason: Reason,
        retry_after_ms: Option<u64>,
    ) {
        if self.attachment(ch).is_some_and(|attachment| attachment.is_reading) {
            self.reading = None; // it would reach the next attachment of this number
        }
        self.attachments.retain(|attachment| attachment.ch != ch);
        self.ready.retain(|other| *other != ch);
        self.outbox.push(ServerFrame::Detached(Detached { ch, reason, retry_after_ms }).encode());
    }
}
