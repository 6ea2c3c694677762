//! The rules of the server, each in a test of its name: `greenroom_protocol` lists them.

mod auth;
mod codec;
mod command;
mod flow;
mod goaway;
mod heartbeat;
mod hello;
mod limits;
mod random;
mod resume;
