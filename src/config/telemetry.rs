//! Where traces go.

use super::error::Problems;
use reqwest::Url;
use serde::Deserialize;

/// Section `[telemetry]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Address of a collector that takes OTLP over HTTP, without `/v1/traces`; empty: nothing is
    /// exported.
    pub otlp_endpoint: String,
}

const KEY: &str = "telemetry.otlp_endpoint";

impl TelemetryConfig {
    /// Where traces are sent to; none: nowhere.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn traces_url(&self) -> Result<Option<Url>, &'static str> {
        if self.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let mut url = Url::parse(&self.otlp_endpoint).map_err(|_| "it is no URL")?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("it does not begin with http:// or https:// and a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or password; use OTEL_EXPORTER_OTLP_HEADERS");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it does not end with a path");
        }
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Some(url))
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        match self.traces_url() {
            Err(what) => {
                problems.add(KEY, what, "write it in full, such as http://localhost:4318");
            }
            Ok(Some(_)) if !cfg!(feature = "otel") => {
                let what = "this program was built without OpenTelemetry";
                let fix =
                    "build it with `cargo build --release --features otel`, or leave it empty";
                problems.add(KEY, what, fix);
            }
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_s_address_is_completed_and_a_wrong_one_is_refused() {
        let url = |text: &str| {
            let config = TelemetryConfig { otlp_endpoint: text.to_owned() };
            config.traces_url().map(|url| url.map(String::from))
        };
        assert_eq!(url(""), Ok(None));
        for (text, whole) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("https://c.example/otlp/", "https://c.example/otlp/v1/traces"),
        ] {
            assert_eq!(url(text), Ok(Some(whole.to_owned())));
        }
        for wrong in
            ["localhost:4318", "x", "ftp://c.example", "http://a:b@c.example", "http://c/?k=1"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
