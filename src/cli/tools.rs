//! The small commands: configuration, tokens, backup, version.

use super::{
    args::{BackupArgs, ConfigArgs, ConfigCommand, Output, TokenArgs},
    output::{line, out},
};
use crate::{
    config::{Config, ConfigError, Loaded, Mode, report, spec},
    doctor::{self, State},
    failure::Failure,
    server,
};
use serde_json::json;

pub(super) fn config(
    args: &ConfigArgs,
    load: impl FnOnce(Mode) -> Result<Loaded, ConfigError>,
) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Check { dev, output } => {
            let loaded = load(if *dev { Mode::Dev } else { Mode::Serve })?;
            match output {
                Output::Text => out(report::values(&loaded.values)),
                Output::Json => line(report::values_json(&loaded.values)),
            }
        }
        ConfigCommand::Default => out(spec::DEFAULT_TOML),
        ConfigCommand::Doc => out(report::markdown()),
    }
}

pub(super) fn token(config: Config, args: &TokenArgs) -> Result<(), Failure> {
    let issued = block_on(server::token(config, args.email.as_deref(), args.valid_secs))??;
    match args.output {
        Output::Text => line(issued.access),
        Output::Json => line(json!({
            "access_token": issued.access,
            "email": issued.email,
            "expires_at_ms": issued.expires_at_ms,
        })),
    }
}

pub(super) fn doctor(config: &Config, output: Output) -> Result<(), Failure> {
    let findings = block_on(doctor::examine(config))?;
    match output {
        Output::Text => findings.iter().try_for_each(|finding| {
            let state = match finding.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Failed => "FAILED",
            };
            line(format_args!("{state:<8} {:<20} {}", finding.subject, finding.found))?;
            finding.fix.iter().try_for_each(|fix| line(format_args!("{:29} {fix}", "")))
        })?,
        Output::Json => line(json!({ "findings": findings }))?,
    }
    let failed = findings.iter().filter(|finding| finding.state == State::Failed);
    let failed: Vec<&str> = failed.map(|finding| finding.subject.as_str()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Unavailable(format!("in the way of a server: {}", failed.join(", "))))
}

pub(super) fn backup(config: Config, args: &BackupArgs) -> Result<(), Failure> {
    if args.file.exists() {
        let file = args.file.display();
        return Err(Failure::Usage(format!("{file} exists already; name a new file")));
    }
    let done = block_on(server::backup(config, &args.file))??;
    let (file, bytes) = (done.file.display().to_string(), done.bytes);
    match args.output {
        Output::Text => line(format_args!("{file}: {bytes} bytes, checked")),
        Output::Json => line(json!({ "file": file, "bytes": bytes })),
    }
}

pub(super) fn version(output: Output) -> Result<(), Failure> {
    let (version, protocol) = (env!("CARGO_PKG_VERSION"), greenroom_protocol::SUBPROTOCOL);
    match output {
        Output::Text => line(format_args!("greenroom {version} ({protocol})")),
        Output::Json => line(json!({
            "name": "greenroom",
            "version": version,
            "protocol": protocol,
        })),
    }
}

/// Runs one future on a small runtime of its own.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    let value = runtime.block_on(future);
    // A thread that waits for stdin or a name server must not hold up the exit.
    runtime.shutdown_background();
    Ok(value)
}
