//! Bytes over a socket against the real binary.

mod access;
mod backup;
mod branch;
mod client;
mod crash;
mod credits;
mod disk;
mod drain;
mod hostile;
mod messages;
mod operations;
mod operator;
mod plan;
mod qbit;
mod rest;
mod steer;
mod tabs;
mod telemetry;
