//! The whole engine on a paused clock, with fakes for all that lies outside.

mod bench;
mod branch;
mod cluster;
mod commands;
mod credits;
mod edits;
mod follow;
mod keys;
mod nodes;
mod plan;
mod resume;
mod rules;
mod runs;
mod steer;
mod supervision;
