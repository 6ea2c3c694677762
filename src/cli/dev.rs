//! `greenroom dev`: a server to try, with everything made up and everything printed.

use super::{
    banner, output,
    saved::{self, Saved},
    serve,
};
use crate::{
    config::{Config, Mode},
    failure::Failure,
    server::{Account, Ready},
    telemetry,
};
use std::path::Path;
use uuid::Uuid;

/// Address of the demo user.
const DEMO_EMAIL: &str = "demo@localhost";

pub(super) fn run(config: Config, rust_log: Option<&str>) -> Result<(), Failure> {
    let telemetry = telemetry::init(&config, Mode::Dev, rust_log)?;
    let data_dir = config.server.data_dir.clone();
    let unusable = |error: std::io::Error| {
        let data_dir = data_dir.display();
        Failure::Unavailable(format!("the data folder {data_dir} cannot be used: {error}"))
    };
    saved::make_data_dir(&data_dir).map_err(unusable)?;
    let before = saved::read(&saved::path(&data_dir)).map_err(unusable)?.unwrap_or_default();
    let account = demo_account(&before);
    let demo = Some(account.clone());
    serve::on_runtime(
        telemetry,
        serve::until_stopped(config, Mode::Dev, demo, |ready| {
            let saved = to_save(&ready, account);
            saved::write(&saved::path(&data_dir), &saved).map_err(unusable)?;
            output::out(banner::text(&banner::Facts {
                program: &program(),
                data_dir: &data_dir,
                ready: &ready,
                saved: &saved,
                session: Uuid::now_v7(),
                create: Uuid::now_v7(),
                start: Uuid::now_v7(),
            }))
        }),
    )
}

/// The demo user keeps the password that an earlier start has printed.
fn demo_account(before: &Saved) -> Account {
    let password = if before.email == DEMO_EMAIL && !before.password.is_empty() {
        before.password.clone()
    } else {
        format!("{:032x}", rand::random::<u128>())
    };
    Account { email: DEMO_EMAIL.to_owned(), password }
}

fn to_save(ready: &Ready, account: Account) -> Saved {
    let mut saved = Saved {
        url: format!("http://{}", reachable(ready.public)),
        email: account.email,
        password: account.password,
        ..Saved::default()
    };
    if let Some(tokens) = &ready.tokens {
        saved.access_token.clone_from(&tokens.access);
        saved.refresh_token.clone_from(&tokens.refresh);
        saved.access_expires_at_ms = tokens.access_expires_at_ms;
        if tokens.refresh.is_empty() {
            saved.password.clear(); // it is another one, which nobody here knows
        }
    }
    saved
}

/// The address by which this machine reaches a port that listens on all of its addresses.
pub(super) fn reachable(address: std::net::SocketAddr) -> std::net::SocketAddr {
    let ip: std::net::IpAddr = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    (ip, address.port()).into()
}

/// The command as it was typed, so that printed lines work where they are pasted.
fn program() -> String {
    let typed = std::env::args().next().unwrap_or_default();
    let typed = if typed.is_empty() { "greenroom".to_owned() } else { typed };
    banner::quoted(Path::new(&typed).to_string_lossy().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_user_keeps_its_password_over_restarts() {
        let first = demo_account(&Saved::default());
        assert!(first.password.len() >= 32);
        let before = Saved {
            email: first.email.clone(),
            password: first.password.clone(),
            ..Saved::default()
        };
        assert_eq!(demo_account(&before).password, first.password);
        assert_ne!(demo_account(&Saved::default()).password, first.password);
    }

    #[test]
    fn a_port_on_all_addresses_is_reached_over_loopback() {
        assert_eq!(reachable("0.0.0.0:8000".parse().unwrap()).to_string(), "127.0.0.1:8000");
        assert_eq!(reachable("[::]:8000".parse().unwrap()).to_string(), "[::1]:8000");
        assert_eq!(reachable("10.0.0.1:80".parse().unwrap()).to_string(), "10.0.0.1:80");
    }
}
