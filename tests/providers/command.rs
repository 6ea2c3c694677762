//! `greenroom provider`.

use crate::server::{Model, Script, Site, output};
use serde_json::Value;
use tokio::process::Command;

const KEY: &str = "a-very-secret-key";

/// `greenroom provider` with one provider behind this address, which answers by default, and one
/// more.
fn provider(site: &Site, base_url: &str, args: &[&str]) -> Command {
    let mut command = site.command(&[&["provider"], args].concat());
    command.env("GREENROOM__PROVIDERS__MINE__BASE_URL", base_url);
    command.env("GREENROOM__PROVIDERS__MINE__MODEL", "a-model");
    command.env("GREENROOM__PROVIDERS__MINE__API_KEY", KEY);
    command.env("GREENROOM__RUNS__PROVIDER", "mine").env("OLLAMA_BASE_URL", "http://gpu:11434");
    command
}

#[tokio::test]
async fn providers_are_listed_without_their_keys() {
    let site = Site::new();
    let listed = output(&mut provider(&site, "http://host/v1", &["ls"])).await;
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.status.success() && !text.contains(KEY), "{text}");
    assert!(text.contains("*  mine") && text.contains("sha256:"), "{text}");

    let args = ["ls", "--output", "json"];
    let listed = output(&mut provider(&site, "http://host/v1", &args)).await;
    let rows: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&rows[0]["name"], &rows[0]["default"]), (&"mine".into(), &true.into()));
    assert_eq!((&rows[0]["kind"], &rows[0]["model"]), (&"custom".into(), &"a-model".into()));
    assert_eq!(rows[1]["base_url"], "http://gpu:11434/v1");
    assert_eq!((&rows[1]["keys"], &rows[1]["default"]), (&Value::Array(vec![]), &false.into()));
    assert_eq!(rows[0]["keys"][0]["state"], "configured");
}

#[tokio::test]
async fn a_provider_that_answers_is_timed() {
    let (site, model) = (Site::new(), Model::start(Script::Whole("ready")).await);
    let tested = output(&mut provider(&site, &model.base_url(), &["test"])).await;
    let text = String::from_utf8(tested.stdout).unwrap();
    assert!(tested.status.success(), "{text}");
    for word in ["mine answers: a-model at ", "connect ", "first content ", "total ", "no usage"] {
        assert!(text.contains(word), "{word} in {text}");
    }

    let counts = Model::start(Script::Counted("ready")).await;
    let tested = output(&mut provider(&site, &counts.base_url(), &["test"])).await;
    let text = String::from_utf8(tested.stdout).unwrap();
    assert!(text.contains("1234 tokens in, 56 out, as it reports"), "{text}");

    let args = ["test", "mine", "--output", "json"];
    let tested = output(&mut provider(&site, &model.base_url(), &args)).await;
    let report: Value = serde_json::from_slice(&tested.stdout).unwrap();
    assert_eq!(report["ok"], true);
    assert!(report["connect_ms"].is_u64() && report["first_content_ms"].is_u64(), "{report}");
}

#[tokio::test]
async fn a_provider_that_fails_is_named_with_what_to_do() {
    let site = Site::new();
    let args = ["test", "--output", "json"];
    let tested = output(&mut provider(&site, "http://127.0.0.1:1/v1", &args)).await;
    let said = String::from_utf8(tested.stderr).unwrap();
    let report: Value = serde_json::from_slice(&tested.stdout).unwrap();
    assert_eq!(tested.status.code(), Some(69), "{said}");
    assert_eq!((&report["ok"], &report["connect_ms"]), (&false.into(), &Value::Null));
    assert_eq!(report["error"]["reason"], "provider_unreachable");
    assert!(said.contains("providers.mine.base_url") && !said.contains(KEY), "{said}");

    let tested = output(&mut provider(&site, "http://127.0.0.1:1/v1", &["test", "other"])).await;
    let said = String::from_utf8(tested.stderr).unwrap();
    assert_eq!(tested.status.code(), Some(2), "{said}");
    assert!(said.contains("mine, ollama"), "{said}");
}
