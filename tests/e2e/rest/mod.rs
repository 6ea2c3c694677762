//! The REST interface against the real binary.

mod commands;
mod document;
mod edges;
mod files;
mod follow;
mod owners;
mod requests;
