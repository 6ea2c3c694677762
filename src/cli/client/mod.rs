//! `greenroom client`: a client of any Greenroom server, over the public protocol alone.

mod account;
mod args;
mod attach;
mod branch;
mod chat;
mod checkout;
mod consent;
mod driver;
mod export;
#[cfg(test)]
mod fake;
mod folder;
mod generate;
mod job;
mod plan;
mod progress;
mod remote;
mod render;
mod request;
mod respond;
mod sessions;
mod socket;
mod terminal;
mod turns;

pub(super) use args::ClientArgs;

use super::tools::block_on;
use crate::failure::Failure;
use account::Account;
use args::ClientCommand;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

pub(super) fn run(
    args: ClientArgs,
    data_dir: PathBuf,
    rust_log: Option<String>,
) -> Result<(), Failure> {
    if let Some(filter) = rust_log.and_then(|text| EnvFilter::try_new(text).ok()) {
        let to_stderr = tracing_subscriber::fmt().with_env_filter(filter);
        let _ = to_stderr.with_writer(std::io::stderr).try_init();
    }
    let account = Account::find(&args.server, &data_dir)?;
    block_on(async move {
        match args.command {
            ClientCommand::Generate(args) => generate::run(account, args).await,
            ClientCommand::Chat(args) => chat::run(account, args).await,
            ClientCommand::Attach(args) => attach::run(account, args).await,
            ClientCommand::Ls(args) => sessions::list(account, args).await,
            ClientCommand::Turns(args) => turns::turns(account, args).await,
            ClientCommand::Replay(args) => turns::replay(account, args).await,
            ClientCommand::Fork(args) => branch::fork(account, args).await,
            ClientCommand::Rollback(args) => branch::roll_back(account, args).await,
            ClientCommand::Diff(args) => branch::diff(account, args).await,
            ClientCommand::Respond(args) => respond::respond(account, args).await,
            ClientCommand::Steer(args) => respond::steer(account, args).await,
            ClientCommand::Cancel(args) => sessions::cancel(account, args).await,
            ClientCommand::Export(args) => sessions::export(account, args).await,
        }
    })?
}

#[cfg(test)]
mod tests;
