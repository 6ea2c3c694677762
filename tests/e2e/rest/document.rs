//! The document and what is mounted.

use crate::server::Site;
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test]
async fn every_address_takes_the_methods_of_the_document_and_no_others() {
    let site = Site::new();
    let server = site.start().await;
    let document = server.rest("GET", "/openapi.json").send().await.with(200);
    assert_eq!(document["openapi"], "3.1.0");
    for (path, operations) in document["paths"].as_object().unwrap() {
        let place = path.trim_start_matches("/api/v1");
        let place = place.replace(['{', '}'], "");
        let reply = server.rest("BREW", &place).send().await;
        assert_eq!(reply.problem(), (405, "method_not_allowed".to_owned()), "{path}");
        let allowed: BTreeSet<String> =
            reply.header("allow").split(", ").map(str::to_lowercase).collect();
        let described: BTreeSet<String> = operations.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, described, "{path}");
    }
}

/// All references below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                found.insert(to.clone());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_document_refers_to_nothing_that_it_does_not_have() {
    let site = Site::new();
    let server = site.start().await;
    let document = server.rest("GET", "/openapi.json").send().await.with(200);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for to in found {
        let pointer = to.strip_prefix('#').unwrap_or_else(|| panic!("{to} leads elsewhere"));
        assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
    }
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|operations| operations.as_object().unwrap().values())
        .map(|operation| &operation["operationId"])
        .collect();
    let different: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(ids.len(), different.len(), "{ids:?}");
}

#[tokio::test]
async fn the_page_of_the_document_is_served_whole_under_a_strict_policy() {
    let site = Site::new();
    let server = site.start().await;
    let page = server.rest("GET", "/../../docs").send().await;
    assert_eq!(page.status, 200, "{page:?}");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    let addresses = html.split('"').filter(|text| text.starts_with("/docs/"));
    let mut read = 0;
    for address in addresses {
        let reply = server.rest("GET", &format!("/../..{address}")).send().await;
        assert_eq!(reply.status, 200, "{address}");
        assert!(!reply.body.is_empty());
        read += 1;
    }
    assert_eq!(read, 4, "{html}");
    assert!(!html.contains("http"), "nothing comes from elsewhere: {html}");
}
