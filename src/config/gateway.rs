//! Section `[gateway]`: [`GatewayConfig`], checked here so that all problems come at once.

use super::error::Problems;
use crate::gateway::{GatewayConfig, GatewayConfigError};

pub(super) fn check(gateway: &GatewayConfig, problems: &mut Problems) {
    match gateway.validate() {
        Ok(_) => {}
        Err(GatewayConfigError::Origin(error)) => {
            let fix = "write scheme and host without a path, such as https://app.example.com";
            problems.add("gateway.allowed_origins", error.to_string(), fix);
        }
        Err(GatewayConfigError::Proxy(error)) => {
            let fix = "write an address or a network, such as 10.0.0.0/8";
            problems.add("gateway.trusted_proxies", error.to_string(), fix);
        }
        Err(GatewayConfigError::Number { key, value, must }) => {
            let fix = format!("it must be {must}");
            problems.add(format!("gateway.{key}"), format!("{value} cannot be"), fix);
        }
    }
}
