//! The Qbit dialect of `/ws/generate`: clients of Qbit's backend, served by the same sessions.
//!
//! A [`QbitSocket`] speaks the dialect outward and the protocol inward, so that the engine serves it
//! as any other socket: with its caps and rates, its heartbeats, its back-pressure, and its ends by
//! expiry, sign-out and drain. There is no second way to a session, and no second log.
//!
//! ```text
//! client ──message──> asked ──> talk ──frame──> engine      Socket::step
//! client <─message── render <── talk <──frame── engine      Socket::feed
//! ```
//!
//! # Shapes
//!
//! Qbit's README names types and stages and shows no message; its clients send and read
//! `{"type", "payload": {…}}`, nested, and so do we. Beyond its fields there are `project_id` beside
//! `payload` wherever a message is about a project, since several may be written at once; a
//! `timestamp` (RFC 3339) in every payload but that of `code_token`; `questions` in `response`, and
//! `retry_after_ms` in `error`. Amounts are credits, with fractions. `project_id` is the session's id.
//!
//! | in | |
//! |---|---|
//! | `generate_code {prompt}` | creates a session and starts a run that plans first |
//! | `generate_code`, `modify_code {prompt, project_id}` | answers what the session asks, else starts a run in it, after any that is under way |
//! | `ping` | is answered by `pong`, also while files are written |
//!
//! | out | tells |
//! |---|---|
//! | `connected` | the socket is open |
//! | `project_created` | entry 1 of the session |
//! | `code_generation_progress` | `orchestration` 10: `input.user`; `credit_check` 25: `credits.held`; `code_generation` 40: `step.started`; `database_save` 70: `files.committed`; `complete` 100: `run.finished`. A stage without its entry is told before the next one |
//! | `scp_planning`, `scp_generated` | the step of planning, `run.classified`; `run.planned` with the price of `run.quoted` |
//! | `agent_started`, `agent_call_complete`, `agent_task_update` | steps of the run |
//! | `agent_planning` | reasoning that begins, a file that begins, waits, crashes that the run survived |
//! | `file_tree_update`, `code_token` | what becomes of a file; its text as it is written. `processing` begins a file, also one that is begun anew; the tokens from there on, joined, are the file |
//! | `conversation_turn` | what the model says beside the files |
//! | `response` | the answer where no file is touched, and questions: `intent` `ambiguous` |
//! | `code_generation_complete`, `generation_complete` | `run.finished` of `generate_code` and of `modify_code` |
//! | `error` | what failed, under one of Qbit's codes |
//! | `sandbox_status`, `sandbox_log`, `preview_ready` | nothing: no code runs on this server, and `preview_url` is null |
//!
//! # Decisions
//!
//! - The dialect has no word for approval: a plan that would wait for it is approved here.
//! - A socket is told of the runs that it asked for. One that comes back is told nothing of what it
//!   missed, as from Qbit; the run goes on, and the protocol at `/ws` resumes it.
//! - It has no word either for a token that expires (4100), a server that goes (4001) or a user's
//!   balance: close codes are those of the protocol, the balance is REST's.
//! - The token comes in the address, which can be switched off: [`super::GenerateConfig`]. Who is
//!   refused gets a problem document with 401 instead of a socket; Qbit's answer was a bare 403.
//! - Many sockets of a user may be open at once, and two requests at once: Qbit replaced the older
//!   socket, and read nothing while it wrote.

mod asked;
mod job;
#[cfg(test)]
mod logs;
mod message;
mod page;
mod project;
mod prose;
mod refusal;
mod render;
mod scp;
mod socket;
mod stage;
mod talk;

pub(crate) use socket::QbitSocket;
