//! The console in a real browser against the real binary, and its scripts in node.

mod ask;
mod bed;
mod browser;
mod follow;
mod keyboard;
mod keys;
mod layout;
mod picture;
mod plan;
mod preview;
mod scripts;
mod time;
