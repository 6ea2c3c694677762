//! Greenroom's behaviour.

#[cfg(feature = "fake")]
pub mod fake;
pub mod port;
pub mod run;
