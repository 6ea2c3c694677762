//! The command line: what it takes, and what it calls.

mod args;
mod banner;
mod client;
mod credits;
mod dev;
mod edits;
mod internal;
mod migrate;
mod node;
mod output;
mod place;
mod provider;
mod saved;
mod serve;
mod session;
mod tools;

pub use args::{Cli, Command};

use crate::{
    config::{self, ConfigError, Loaded, Mode, Sources},
    failure::Failure,
    server::SystemClock,
};
use clap::Parser as _;
use greenroom_actors::port::Clock as _;
use std::process::ExitCode;

/// Reads the command line and the environment, runs the command, reports its failure.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // nothing to do where the terminal is gone
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match run(cli, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Who pressed Ctrl-C knows.
            if !matches!(failure, Failure::Interrupted) {
                output::note(format_args!("greenroom: {failure}"));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs one command to its end.
///
/// # Errors
/// [`Failure`], which says with which code the process should exit.
pub fn run(cli: Cli, environment: Vec<(String, String)>) -> Result<(), Failure> {
    let variable = |name: &str| {
        environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let rust_log = variable("RUST_LOG");
    let common = &cli.common;
    match cli.command {
        Command::Dev(args) => {
            let flags = [args.flags(), common.flags()].concat();
            let loaded = load(&cli.common, environment, flags, Mode::Dev)?;
            dev::run(loaded.config, rust_log.as_deref())
        }
        Command::Serve(args) => {
            let flags = [args.flags(), common.flags()].concat();
            let loaded = load(&cli.common, environment, flags, Mode::Serve)?;
            serve::run(loaded.config, rust_log.as_deref())
        }
        Command::Client(args) => client::run(args, common.data_dir(&environment), rust_log),
        Command::Config(args) => {
            tools::config(&args, |mode| load(common, environment, common.flags(), mode))
        }
        Command::Provider(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Dev)?;
            provider::run(&loaded.config, &args)
        }
        Command::Credits(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Dev)?;
            credits::run(&loaded.config, args, SystemClock.now_ms())
        }
        Command::Node(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Dev)?;
            node::run(&loaded.config, &args)
        }
        Command::Session(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Dev)?;
            session::run(&loaded.config, args)
        }
        Command::Token(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Dev)?;
            tools::token(loaded.config, &args)
        }
        Command::Doctor(args) => {
            let mode = if args.dev { Mode::Dev } else { Mode::Examine };
            let loaded = load(common, environment, common.flags(), mode)?;
            tools::doctor(&loaded.config, args.output)
        }
        Command::Backup(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Dev)?;
            tools::backup(loaded.config, &args)
        }
        Command::Migrate(args) => {
            let loaded = load(common, environment, common.flags(), Mode::Examine)?;
            migrate::run(&loaded.config, &args)
        }
        Command::Edits(args) => edits::run(&args),
        Command::Version(args) => tools::version(args.output),
    }
}

fn load(
    common: &args::CommonArgs,
    environment: Vec<(String, String)>,
    flags: Vec<config::Flag>,
    mode: Mode,
) -> Result<Loaded, ConfigError> {
    let file = common.config.clone().or_else(|| {
        let usual = std::path::PathBuf::from("greenroom.toml");
        usual.is_file().then_some(usual)
    });
    config::load(&Sources { file, environment, flags }, mode)
}

#[cfg(test)]
mod tests;
