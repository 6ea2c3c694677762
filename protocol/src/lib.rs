//! Greenroom's wire protocol, version 1: its types, its codec, and this specification.
//!
//! A client holds one WebSocket and follows any number of sessions over it. What a session says is
//! a durable log of numbered entries; a client that comes back, anywhere, names the last entry that
//! it has applied and gets the next one. This crate is pure: no socket, no clock, no randomness.
//! [`frame`], [`event`] and [`method`] are what goes over the wire, [`client`] is what a client does
//! with it, [`flow`] is how a server paces it. `asyncapi.json` beside this crate says the same for
//! machines; `tests/golden` holds one example of everything, byte for byte.
//!
//! # A conversation
//!
//! `>` is sent by the client, `<` by the server; ids are shortened.
//!
//! ```text
//! > {"type":"hello","v":[1,1],"token":"…","attach":[{"ch":1,"session":"ses_…","after":{"epoch":1,"seq":41}}]}
//! < {"type":"welcome","v":1,"conn":"con_…","heartbeat":{"interval_ms":25000,"timeout_ms":10000},…}
//! < {"type":"attached","ch":1,"session":"ses_…","epoch":1,"head":42,"after":41,"mode":"resumed","status":"idle"}
//! < {"type":"ev","ch":1,"seq":42,"ts":1788000000000,"event":{"type":"run.finished","run":"run_…","outcome":"completed"}}
//! < {"type":"caught_up","ch":1,"seq":42}
//! > {"type":"call","id":1,"cid":"cmd_…","method":"run.start","session":"ses_…","params":{"input":"Add a footer"}}
//! < {"type":"ok","id":1,"result":{"run":"run_…","seq":43,"queued":false}}
//! < {"type":"ev","ch":1,"seq":43,"ts":1788000000100,"event":{"type":"input.user","run":"run_…",…}}
//! ```
//!
//! # Messages
//!
//! - The socket is opened with the subprotocol [`SUBPROTOCOL`]. All messages are text; a binary one
//!   closes the socket with `4500`.
//! - A frame is a JSON object with a `type`. A client may put up to
//!   [`BATCH_FRAMES_MAX`](limit::BATCH_FRAMES_MAX) frames into one message as an array; the server
//!   sends one frame a message.
//! - Frames of one socket take effect in the order in which they were sent, so that creating a
//!   session, attaching to it and starting a run may go out in one burst.
//! - Integers stay within 2^53 - 1. Every limit is in [`limit`], those that a client must know come
//!   with `welcome`.
//! - Readers ignore fields, frame types, event types, codes and reasons that they do not know:
//!   version 1 grows by these. Nothing else changes within a version; a new value of `mode`,
//!   `status` or `outcome` is a new version.
//! - `hello.v` is the lowest and highest version that the client speaks; `welcome.v` is the one
//!   that holds. Without a common one the server closes with `4505`.
//!
//! # Connection
//!
//! ```text
//! idle -> connecting -> hello_sent -> ready -> draining -+
//!             ^                         |                |
//!             +------- backoff <--------+----------------+        failed: the end
//! ```
//!
//! - `hello` is the first frame and comes within [`HELLO_TIMEOUT`](limit::HELLO_TIMEOUT); it
//!   carries the token, never a URL. `welcome` answers it.
//! - `hello.attach` attaches any number of sessions in the same round; each is answered as an
//!   `attach` of its own.
//! - After a loss the client waits, with full jitter between 0.5 and 30 s, doubling from 1 s; it
//!   never comes sooner than `goaway.reconnect_in_ms` or the `retry=` of the close reason asks.
//! - A connection keeps nothing on the server: all that is needed to go on comes with `hello`.
//! - Closing a socket never cancels a run; `run.cancel` does.
//!
//! # Logs, attachments and how to resume
//!
//! A session is one log. Its entries have the numbers (`seq`) 1, 2, 3, … An entry is durable before
//! any client sees it. `epoch` is the log's incarnation; it changes only where history may have been
//! lost. A [cursor](id::Cursor), `(epoch, seq)`, names the same bytes for ever, on every node.
//!
//! An attachment is a cursor that moves: it begins at a place, reads what the log holds, and follows
//! it. The client picks a number `ch` for it that no other attachment of the socket uses.
//!
//! - `attach.after` is the place: `"start"` (entry 1 comes first), `"live"` (the next to come),
//!   `"open"` (the first entry of the parts that are open, or the next to come), `{"tail":n}` (the
//!   last `n`), or a cursor (the entry after it).
//! - The answer is exactly one of `attached`, `reset` and `error` with its `ch`. The first two say
//!   where it begins: the first entry to come is `after + 1`. The last refuses it, for good unless
//!   `retryable`. An attachment that has begun is ended by `detached` and by nothing else, without
//!   `retry_after_ms` for good; an `error` tells it what is wrong.
//! - Then come the entries up to what was the head, then `caught_up`, then entries as they come.
//! - `detach` is answered by `detached{requested}`, after which the number is free.
//!
//! # Commands
//!
//! A `call` is answered by `ok` or `err` with the same `id`. A call that changes something carries a
//! command id (`cid`), a UUIDv7 of the client's; a repeat of it by the same user has one effect on
//! any node for [`COMMAND_MEMORY`](limit::COMMAND_MEMORY) and is answered with `duplicate`. So a
//! client sends what has no answer again after a reconnect. Methods, their parameters and their
//! results: [`method`].
//!
//! # What a session says
//!
//! Types and fields of events: [`event::Event`]. Their order:
//!
//! - A part (text, reasoning, tool call, file) has a start, deltas, and an end, under a number of
//!   its own. Parts may overlap. Deltas may have reached the client merged.
//! - A run is `input.user`, `run.started`, any events, and exactly one `run.finished`; one that is
//!   cancelled before it begins, or taken up by another one, has no `run.started`.
//! - A run that plans says `run.classified`, and then answers in words, asks, or says `run.planned`
//!   and `run.quoted` before anything is spent.
//! - A run that asks, `input.requested{request}`, ends; the session waits, for as long as it takes.
//!   `input.resolved{request}` comes once: accepted, it names the run that goes on, whose
//!   `input.user{answers}` follows; declined, or dropped for a new run, a rollback or a close, it
//!   names none. At most one request is open.
//! - What is said to the run under way is `input.user{steers}`, a run of its own. Where that run
//!   takes it up, it ends as `run.finished{steered}` within it; else it begins after it.
//! - `file.end{complete: true}`, `file.deleted` and `file.moved` are staged in their order and take
//!   effect at `files.committed`; a run that ends without it leaves the files as they were. A file
//!   that is refused has no `file.end{complete: true}`.
//! - `session.rolled_back{to, files, commit}` moves chat and files together to what they were after
//!   the last run that had ended by the entry `to`: the files are those of the commit `files`, the
//!   head is `commit`. Nothing leaves the log; a later rollback may name what this one left behind.
//! - `session.forked{parent, at, commit}` is entry 2 of a fork, which begins with what its parent
//!   was at the entry `at`, and whose log begins anew.
//! - `run.recovering{superseded_from}` voids the part that was open and starts at that entry or
//!   later; complete files stay staged.
//!
//! # Flow control
//!
//! An attachment may be given byte credit: `attach.credit`, and then the third number of each `ack`
//! row, is the sum of bytes granted since the attach. What counts is the JSON text of `ev` frames;
//! all other frames are free. Without credit the socket alone sets the pace. The server's side is
//! [`flow::Flow`], the client's [`client::Attachment`].
//!
//! | level | while | what it means |
//! |---|---|---|
//! | live | from a half of the credit up, down to a quarter | entries as they come |
//! | throttled | less than a quarter is left | deltas merged, the window four times as wide, at most 500 ms |
//! | paused | none is left | no `ev`; all other frames go on; after 60 s without an `ack`, `detached{slow_consumer, retry_after_ms}` |
//!
//! A merged `ev` has `from`, the number of its first entry, and `seq`, that of its last. Data frames
//! are at most [`DATA_FRAME_BYTES_MAX`](limit::DATA_FRAME_BYTES_MAX) long, the echo of a prompt
//! excepted, so that no answer waits behind a megabyte.
//!
//! # Heartbeat and token
//!
//! - After `heartbeat.interval_ms` of silence from the client the server sends a WebSocket ping; after
//!   `timeout_ms` more without a sign of life it closes with `4002`. A client that lists the feature
//!   `ping` gets a frame `ping` instead, and answers `pong`.
//! - The client declares the server dead after `interval_ms + timeout_ms` of silence.
//! - [`AUTH_NOTICE`](limit::AUTH_NOTICE) before the token expires the server sends `auth_required`;
//!   the client answers `auth` with a new token of the same user. There is no reply; a token that
//!   does not hold closes the socket, and so does its absence: `4100`.
//!
//! # Errors and closes
//!
//! An [error](error::ErrorBody) has a class (`code`), a cause (`reason`), and says whether and when
//! to try again. A close reason is `name` or `name;retry=ms`. The range of a close code decides what
//! the client does ([`error::AfterClose`]); the codes are [`error::CloseCode`] and no others:
//!
//! | range | the client | codes |
//! |---|---|---|
//! | 4000-4099, any other | comes back and resumes | 4000 internal, 4001 going_away, 4002 heartbeat_timeout, 4003 slow_consumer, 4004 rate_limited, 4005 owner_moved, 4006 max_age |
//! | 4100-4199 | gets a new token, then comes back | 4100 token_expired, 4101 auth_changed |
//! | 1000, 4500-4999 | gives up | 4500 malformed, 4501 unauthenticated, 4502 principal_mismatch, 4503 revoked, 4504 hello_timeout, 4505 unsupported_version, 4506 message_too_big, 4507 connection_limit, 4508 superseded |
//!
//! # Rules
//!
//! A rule of the client, the codec or the flow has a test of its name in this crate. A rule of the
//! server can only be seen at a server: its tests are with `greenroom-actors`.
//!
//! Resuming:
//! - `resume-contiguous` (client): an `ev` applies if `from`, or else `seq`, is the position's next.
//! - `resume-duplicate-dropped` (client): an `ev` whose `seq` is not past the position is dropped.
//! - `resume-hole-reattaches` (client): on any other `ev` the client attaches again at its position.
//! - `resume-hole-sends-detach-and-attach-at-the-position` (client): with `detach` before it; a
//!   second time in a row after a second.
//! - `resume-caught-up-past-the-position-is-a-hole` (client): the same for a `caught_up`.
//! - `resume-attached-sets-position` (client): `after` is the position; where it is not where the
//!   client was, all that it holds is void and is built anew.
//! - `resume-reset-voids-what-the-client-holds` (client): likewise, always.
//! - `resume-reset-tells-that-all-is-void` (client): and whoever holds it is told so.
//! - `resume-before-the-first-entry` (client): the position is known from `attached` on, without any
//!   entry.
//! - `resume-frames-of-an-earlier-attachment-are-dropped` (client): between `attach` and its answer.
//! - `resume-cursor-is-durable` (client): the position moves with each entry applied and may be kept
//!   with what was applied, over restarts.
//! - `resume-all-sessions-in-one-round` (client): all positions go into `hello`.
//! - `resume-nothing-is-lost-or-repeated` (client): over any sequence of losses, repeats and resets.
//! - `resume-epoch-mismatch-resets` (server): a cursor of another epoch is answered by
//!   `reset{epoch_changed}`, which begins as `"open"` does.
//! - `resume-seq-ahead-resets` (server): a cursor past the head by `reset{seq_ahead}`, likewise.
//! - `resume-answered-once` (server): each attach by exactly one of `attached`, `reset`, `error`,
//!   before any other frame of its channel, also where there is nothing to send.
//! - `resume-places` (server): start, live, open, tail and cursor begin where they should.
//! - `resume-live-after-replay` (server): no entry that is newer than the head of the attach before
//!   all older ones, and none twice.
//! - `resume-caught-up-once` (server): after the entry that was the head, also where nothing was
//!   missing.
//! - `resume-same-bytes-for-all` (server): two readers of an entry get the same text after `ch`.
//! - `resume-detach-is-confirmed` (server): by `detached{requested}`; the number is free then.
//!
//! Commands:
//! - `command-unanswered-calls-are-sent-again` (client): in their order, under the same `cid` and a
//!   new `id`.
//! - `command-calls-without-an-answer-are-bounded` (client): 64.
//! - `command-waits-for-its-answer-no-longer-than-told` (client): reconnects included.
//! - `command-an-error-is-an-answer` (client): it is not repeated.
//! - `command-create-attach-and-start-go-out-in-one-burst` (client): a session whose creation has
//!   not gone out is not in `hello.attach`.
//! - `command-frames-take-effect-in-order` (server): as they were sent.
//! - `command-repeat-has-one-effect` (server): and is answered with `duplicate`.
//! - `command-other-contents-conflict` (server): the same `cid` with other contents is
//!   `idempotency_conflict`.
//! - `command-needs-a-cid-to-mutate` (server): otherwise `command_id_required`.
//! - `command-of-another-user-is-not-found` (server): every method, and `attach`, answers
//!   `session_not_found` for another user's session.
//!
//! Flow control:
//! - `flow-credit-cumulative` (client): a grant is the sum of all that was received, and the window.
//! - `flow-lost-ack-harmless` (flow): so is a repeated or overtaken one.
//! - `flow-duplicates-count` (client): what is dropped was sent all the same.
//! - `flow-credit-counts-anew-after-each-attach` (client): both sides begin at zero.
//! - `flow-no-credit-no-acks` (client): nothing is granted that way.
//! - `flow-acks-go-out-after-250-ms-in-one-frame` (client): for all attachments.
//! - `flow-ack-is-urgent-after-64-kib-or-half-the-window` (client): whichever is less.
//! - `flow-an-urgent-ack-does-not-wait` (client): it goes out at once.
//! - `flow-a-held-attachment-grants-nothing` (client): a reader that cannot keep up holds.
//! - `flow-a-held-attachment-acknowledges-once-released` (client): and goes on.
//! - `flow-without-credit-the-socket-sets-the-pace` (flow): no pause, no detach.
//! - `flow-paused-at-zero` (flow): a frame may go out while any credit is left, however long.
//! - `flow-sends-no-more-than-granted-and-one-frame` (flow): the overdraft is never larger.
//! - `flow-paused-60s-detaches` (flow): without an `ack`.
//! - `flow-any-ack-keeps-a-paused-attachment` (flow): even one that grants nothing.
//! - `flow-paused-with-nothing-to-send-waits-for-ever` (flow): an idle session needs no credit.
//! - `flow-throttled-below-a-quarter-live-from-a-half` (flow): of the largest balance so far.
//! - `flow-throttled-widens-the-window-and-merges` (flow): four-fold, from 40 ms, up to 500 ms.
//! - `flow-an-attachment-coarsens-its-window` (flow): never below the session's; the first entry
//!   goes at once.
//! - `flow-catching-up-merges-and-does-not-wait` (flow): no window applies far from the head.
//! - `flow-a-full-frame-does-not-wait` (flow): nor where gathering more is of no use.
//! - `flow-merge-keeps-bytes` (codec): merged or not, a reader ends up with the same.
//! - `flow-control-frames-need-no-credit` (server): answers and notices reach a paused client.
//! - `flow-slow-reader-is-detached-with-retry` (server): `slow_consumer`; the socket stays.
//! - `flow-slow-reader-leaves-others-alone` (server): of the session and of the socket.
//! - `flow-stalled-write-closes` (server): `4003` after [`WRITE_TIMEOUT`](limit::WRITE_TIMEOUT).
//!
//! Codec:
//! - `codec-too-large-is-refused-before-parsing` (codec): `4506`.
//! - `codec-too-deep-is-refused` (codec): `4500`, as for all that follow.
//! - `codec-batches-keep-their-order-and-are-bounded` (codec): all frames of a message or none.
//! - `codec-text-that-is-no-utf8-is-refused` (codec): in ignored fields, too.
//! - `codec-fields-that-come-twice-are-refused` (codec): where the field is known.
//! - `codec-numbers-out-of-range-are-refused` (codec): where the field is known.
//! - `codec-unknown-fields-are-ignored-and-unknown-types-named` (codec): `error{unknown_type}`
//!   answers the latter, and the socket stays.
//! - `codec-what-is-no-frame-is-refused` (codec): and a known frame without a field it needs.
//! - `codec-places-to-begin-are-told-apart` (codec): the five forms of `after`, and no mixture.
//! - `codec-never-panics-on-bytes`, `codec-never-panics-on-json-like-text`,
//!   `codec-never-panics-on-damaged-frames`, `codec-methods-never-panic-on-parameters` (codec).
//! - `codec-unknown-server-frames-are-ignored` (client): with unknown reasons and fields.
//! - `codec-unknown-type-is-answered` (server): by `error`; the socket stays.
//! - `codec-binary-closes` (server): `4500`.
//!
//! Life of a connection:
//! - `heartbeat-silence-is-death` (client): after `interval_ms + timeout_ms` without any bytes.
//! - `heartbeat-ping-is-answered` (client): by `pong`.
//! - `heartbeat-pings-after-silence` (server): a WebSocket ping; any bytes count as an answer.
//! - `heartbeat-dead-peer-closes` (server): `4002`.
//! - `hello-comes-first` (server): any other frame closes with `4500`, and so does a second `hello`.
//! - `hello-in-time` (server): otherwise `4504`.
//! - `hello-without-a-common-version-closes` (server): `4505`.
//! - `hello-with-a-bad-token-closes` (server): `4501`; with an expired one `4100`.
//! - `auth-required-asks-for-a-token-and-sends-it` (client): one question at a time.
//! - `auth-expiry-is-announced` (server): by `auth_required`.
//! - `auth-expired-closes` (server): `4100`.
//! - `auth-of-another-user-closes` (server): `4502`.
//! - `close-range-decides` (client): by the table above, for codes that it does not know, too.
//! - `close-token-expired-connects-with-a-new-token` (client): after the backoff.
//! - `close-token-expired-without-a-new-one-gives-up` (client): after a minute at the latest.
//! - `close-for-good-names-the-calls-that-will-have-no-answer` (client): failed is terminal.
//! - `close-retry-hint-is-honoured` (client): on top of the jitter.
//! - `goaway-leaves-when-told-and-holds-new-calls` (client): until the next socket.
//! - `goaway-then-closed-still-waits-as-told` (client): where the server was faster.
//! - `goaway-comes-before-a-drain-closes` (server): then `4001`.
//! - `limits-hold-calls-back` (client): for `retry_after_ms`.
//! - `limits-first-breach-is-told` (server): a call by `err`, an `attach` by `error`, other frames
//!   by `limits`, all `rate_limited` with `retry_after_ms`.
//! - `limits-repeated-breach-closes` (server): `4004`.

#[cfg(any(test, feature = "schema"))]
pub mod asyncapi;
pub mod client;
pub mod credits;
pub mod error;
pub mod event;
pub mod flow;
pub mod frame;
pub mod id;
pub mod limit;
pub mod method;
pub mod plan;

/// WebSocket subprotocol: JSON frames, version 1.
pub const SUBPROTOCOL: &str = "greenroom.v1.json";

/// The protocol version that this build speaks.
pub const VERSION: u32 = 1;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod rules;
