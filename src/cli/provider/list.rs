//! Which providers there are, and what their keys and quota groups are like: those of the server
//! that runs, else as they are configured.

use super::{super::output::clean, Output, line, out, unusable};
use crate::{
    cli::{internal::Internal, tools::block_on},
    config::{Config, ProviderConfig},
    failure::Failure,
    llm::ApiKey,
};
use greenroom_actors::keypool::{GroupView, KeyView, ProviderView};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for a server that may not be there.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);

/// A provider as it is listed. A key itself never gets here.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    kind: &'static str,
    base_url: Option<String>,
    model: String,
    /// Whether it answers where nothing else is asked for.
    default: bool,
    keys: Vec<KeyView>,
    /// Empty where no server runs.
    groups: Vec<GroupView>,
}

/// Lists the providers.
pub(super) fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let mut rows = rows(config)?;
    let running = block_on(running(config))?;
    for view in running.iter().flatten() {
        if let Some(row) = rows.iter_mut().find(|row| row.name == view.name) {
            row.keys.clone_from(&view.keys);
            row.groups.clone_from(&view.groups);
        }
    }
    match output {
        Output::Text => out(text(&rows, running.is_some())),
        Output::Json => line(json!(rows)),
    }
}

/// What the server of this configuration says, if one runs.
async fn running(config: &Config) -> Option<Vec<ProviderView>> {
    let server = Internal::of(config).ok()?;
    timeout(SERVER_TIMEOUT, server.get("/providers")).await.ok()?.ok()
}

/// The configured providers. The first one answers by default.
fn rows(config: &Config) -> Result<Vec<Row>, Failure> {
    let row = |(place, provider): (usize, &ProviderConfig)| {
        let default = place == 0;
        let name = provider.name().to_owned();
        let ProviderConfig::Model(model) = provider else {
            let model = "stand-in".to_owned();
            let (keys, groups) = (Vec::new(), Vec::new());
            return Ok(Row { name, kind: "demo", base_url: None, model, default, keys, groups });
        };
        let resolved = model.resolve().map_err(|error| unusable(&error))?;
        Ok(Row {
            name,
            kind: model.kind.name(),
            base_url: Some(resolved.base_url),
            model: resolved.model,
            default,
            keys: resolved.keys.iter().enumerate().map(configured).collect(),
            groups: Vec::new(),
        })
    };
    config.providers.iter().enumerate().map(row).collect()
}

fn configured((place, key): (usize, &ApiKey)) -> KeyView {
    KeyView {
        fingerprint: Some(key.secret.fingerprint()),
        account: key.account.clone().unwrap_or_else(|| format!("{}", place + 1)),
        state: "configured".to_owned(),
        ready_in_ms: None,
    }
}

/// All of it in columns.
fn text(rows: &[Row], is_running: bool) -> String {
    let providers = rows.iter().map(|row| {
        let mark = if row.default { "*" } else { "" };
        let base_url = row.base_url.as_deref().unwrap_or("built in");
        let keys = row.keys.iter().filter(|key| key.fingerprint.is_some()).count().to_string();
        [mark, &row.name, row.kind, &row.model, &keys, base_url].map(str::to_owned)
    });
    let mut text = table(["", "NAME", "KIND", "MODEL", "KEYS", "BASE URL"], providers);
    text.push_str("* answers by default\n");
    let keys = rows.iter().flat_map(|row| row.keys.iter().map(|key| (&row.name, key)));
    let keys = keys.map(|(name, key)| {
        let fingerprint = key.fingerprint.as_deref().unwrap_or("none");
        let ready = wait(key.ready_in_ms);
        [name, fingerprint, &key.account, &key.state, &ready].map(str::to_owned)
    });
    let head = ["PROVIDER", "KEY", "ACCOUNT", "STATE", "NEXT LOOK"];
    text += &section(head, keys.collect());
    let groups = rows.iter().flat_map(|row| row.groups.iter().map(|group| (&row.name, group)));
    let groups = groups.map(|(name, group)| {
        let left = |left: Option<f64>| left.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
        [
            name.clone(),
            group.account.clone(),
            clean(&group.model),
            group.state.clone(),
            group.in_flight.to_string(),
            left(group.requests_left),
            left(group.tokens_left),
            wait(group.ready_in_ms),
        ]
    });
    let head =
        ["PROVIDER", "ACCOUNT", "MODEL", "STATE", "CALLS", "CALLS LEFT", "TOKENS LEFT", "COOLDOWN"];
    text += &section(head, groups.collect());
    if !is_running {
        text.push_str("\nno server runs on the internal port: as configured\n");
    }
    text
}

fn wait(ready_in_ms: Option<u64>) -> String {
    ready_in_ms.map_or_else(String::new, |ms| format!("{} s", ms.div_ceil(1000)))
}

/// A table behind an empty line; nothing where it has no rows.
fn section<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{}", table(head, rows.into_iter())) }
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let lines: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for cells in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for cells in &lines {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, default: bool) -> Row {
        let key = KeyView {
            fingerprint: Some("sha256:12345678".to_owned()),
            account: "team".to_owned(),
            state: "invalid".to_owned(),
            ready_in_ms: Some(3_599_001),
        };
        Row {
            name: name.to_owned(),
            kind: "custom",
            base_url: default.then(|| "http://host/v1".to_owned()),
            model: "m".to_owned(),
            default,
            keys: if default { vec![key] } else { Vec::new() },
            groups: Vec::new(),
        }
    }

    #[test]
    fn providers_stand_in_columns_with_their_keys_and_the_default_one_is_marked() {
        let mut rows = [row("first", true), row("a-long-name", false)];
        rows[0].groups.push(GroupView {
            account: "team".to_owned(),
            model: "m".to_owned(),
            state: "cooling".to_owned(),
            ready_in_ms: Some(11_200),
            in_flight: 2,
            requests_left: Some(0.0),
            tokens_left: None,
        });
        assert_eq!(
            text(&rows, false),
            "   NAME         KIND    MODEL  KEYS  BASE URL\n\
             *  first        custom  m      1     http://host/v1\n   \
             a-long-name  custom  m      0     built in\n\
             * answers by default\n\
             \n\
             PROVIDER  KEY              ACCOUNT  STATE    NEXT LOOK\n\
             first     sha256:12345678  team     invalid  3600 s\n\
             \n\
             PROVIDER  ACCOUNT  MODEL  STATE    CALLS  CALLS LEFT  TOKENS LEFT  COOLDOWN\n\
             first     team     m      cooling  2      0           unknown      12 s\n\
             \n\
             no server runs on the internal port: as configured\n"
        );
    }
}
