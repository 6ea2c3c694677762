//! `greenroom migrate`: the schema of a cluster.

use super::{
    args::{MigrateArgs, MigrateCommand, Output},
    output::line,
    tools::block_on,
};
use crate::{
    config::{Config, StoreKind},
    failure::Failure,
    server::chain,
    store::cql::{Migration, OpenError, Schema, Status},
};
use serde_json::{Value, json};

pub(super) fn run(config: &Config, args: &MigrateArgs) -> Result<(), Failure> {
    if config.store.kind == StoreKind::Sqlite {
        let what = "the embedded store is migrated by the server that opens it; `migrate` is for \
                    store.kind = \"cql\"";
        return Err(Failure::Usage(what.to_owned()));
    }
    let options = config.store.cql();
    let unusable = |error: OpenError| Failure::Unavailable(chain(&error));
    block_on(async {
        let schema = Schema::connect(&options).await.map_err(unusable)?;
        match args.command {
            MigrateCommand::Up { output } => {
                let done = schema.migrate().await.map_err(unusable)?;
                say_done(&options.keyspace, &done, output)
            }
            MigrateCommand::Status { output } => {
                let status = schema.status().await.map_err(unusable)?;
                say_status(&options.keyspace, &status, output)
            }
            MigrateCommand::Plan => {
                let status = schema.status().await.map_err(unusable)?;
                plan(&status).iter().try_for_each(|statement| line(format_args!("{statement};\n")))
            }
        }
    })?
}

fn say_done(keyspace: &str, done: &[Migration], output: Output) -> Result<(), Failure> {
    match output {
        Output::Json => line(json!({ "keyspace": keyspace, "applied": names(done) })),
        Output::Text if done.is_empty() => line(format_args!("{keyspace}: nothing to do")),
        Output::Text => done.iter().try_for_each(|Migration { version, name, .. }| {
            line(format_args!("{keyspace}: version {version}, {name}, applied"))
        }),
    }
}

fn say_status(keyspace: &str, status: &Status, output: Output) -> Result<(), Failure> {
    let Status { version, pending, keyspace: missing, agreed } = status;
    match output {
        Output::Json => line(json!({
            "keyspace": keyspace,
            "exists": missing.is_none(),
            "version": version,
            "pending": names(pending),
            "agreed": agreed,
        })),
        Output::Text => {
            let exists = if missing.is_some() { "there is no keyspace yet, " } else { "" };
            let agreed = if *agreed { "" } else { "; the nodes do not agree on the schema" };
            let pending = pending.len();
            line(format_args!("{keyspace}: {exists}version {version}, {pending} to apply{agreed}"))
        }
    }
}

fn names(migrations: &[Migration]) -> Value {
    let name =
        |Migration { version, name, .. }: &Migration| json!({ "version": version, "name": name });
    migrations.iter().map(name).collect()
}

/// All statements that `up` would run.
fn plan(status: &Status) -> Vec<&str> {
    let keyspace = status.keyspace.iter().map(String::as_str);
    let statements = status.pending.iter().flat_map(|migration| &migration.statements);
    keyspace.chain(statements.map(String::as_str)).collect()
}
