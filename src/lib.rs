//! Greenroom's edges and wiring: the only place that knows a vendor.

pub mod auth;
pub mod cli;
pub mod config;
pub mod console;
pub mod doctor;
pub mod failure;
pub mod gateway;
pub mod git;
pub mod llm;
pub mod redis;
pub mod rest;
pub mod server;
pub mod store;
pub mod telemetry;
mod utc;
