//! What a client does with frames: pure state machines, shared by every client.
//!
//! No I/O, no clock, no randomness: a driver owns the socket and the clock, feeds a [`Link`] with
//! [`Input`]s and performs its [`Effect`]s. A whole driver is this loop:
//!
//! ```text
//! link.apply(now, Input::Start);
//! loop {
//!     while let Some(effect) = link.next_effect() {
//!         match effect {
//!             Effect::Connect => open a socket in the background; then Input::Opened or Closed
//!             Effect::Send(frame) => socket.send(frame.encode())
//!             Effect::Disconnect { code } => close and drop the socket; report nothing more of it
//!             Effect::RefreshToken => ask for a token; then Input::Token or Input::NoToken
//!             Effect::Attached(begun) => replica.begin(begun.begin, begun.place.seq)
//!             Effect::Event(ev) => replica.apply(&ev); persist link.cursor(ev.ch) with it
//!             Effect::Answered { ticket, answer } => wake whoever called
//!             Effect::GiveUp { .. } => return
//!             _ => show it
//!         }
//!     }
//!     select! {
//!         message = socket.next() => link.apply(now, Input::Text(&message)) // or Alive, Closed
//!         () = sleep_until(link.deadline_ms()) => link.apply(now, Input::Tick)
//!         command = commands.recv() => link.call(now, ..), link.attach(now, ..), link.detach(ch)
//!     }
//! }
//! ```
//!
//! Times are milliseconds of any clock that never goes back; only differences matter.

mod attachment;
mod backoff;
mod calls;
mod link;
mod replica;
mod transcript;

pub use attachment::{Attachment, Begin, Pace, Phase, Verdict};
pub use backoff::Backoff;
pub use calls::{Answer, CALLS_MAX, Ticket, TooManyCalls};
pub use link::{Begun, Config, Effect, GiveUp, Input, Link, State};
pub use replica::{
    Body, Change, End, File, Files, Inconsistency, Keep, Part, PartKind, Quote, Replica, Request,
    Run, Understood,
};
pub use transcript::{Transcript, fnv1a};
