use super::*;
use http_body_util::BodyExt as _;
use std::{collections::BTreeSet, fs, path::Path};

async fn get(path: &str, known: Option<&str>) -> http::Response<Bytes> {
    let asset = ASSETS.iter().find(|asset| asset.path == path).unwrap();
    let known = known.map(|tag| (header::IF_NONE_MATCH, tag.parse().unwrap()));
    let (parts, body) = answer(asset, &tag(asset.bytes), &known.into_iter().collect()).into_parts();
    http::Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[test]
fn every_file_of_the_folder_is_served() {
    fn files(folder: &Path, below: &str, all: &mut BTreeSet<String>) {
        for item in fs::read_dir(folder).unwrap() {
            let item = item.unwrap();
            let name = format!("{below}/{}", item.file_name().to_str().unwrap());
            if item.path().is_dir() {
                files(&item.path(), &name, all);
            } else {
                all.insert(name);
            }
        }
    }
    let mut there = BTreeSet::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/assets"), "", &mut there);
    let served = ASSETS.iter().map(|asset| match asset.path {
        "/console" => "/index.html".to_owned(),
        "/console/preview" => "/preview.html".to_owned(),
        "/keys" => "/keys.html".to_owned(),
        path => path.replacen("/console", "", 1),
    });
    assert_eq!(served.collect::<BTreeSet<_>>(), there);
}

#[tokio::test]
async fn a_file_comes_with_its_type_and_a_policy_without_inline_scripts() {
    let page = get("/console", None).await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("data:"), "{policy}");
    assert_eq!(page.body(), include_bytes!("assets/index.html").as_slice());
}

#[test]
fn the_page_about_keys_is_for_the_internal_port_alone() {
    let names = |routes: Vec<Route>| -> BTreeSet<String> {
        routes.iter().map(|route| format!("{route:?}")).collect()
    };
    let (public, internal) = (names(console_routes()), names(key_routes()));
    assert_eq!(internal.len(), KEYS.len() + SHARED.len());
    for path in KEYS {
        let route = format!("GET {path}");
        assert!(internal.contains(&route) && !public.contains(&route), "{path}");
    }
}

#[tokio::test]
async fn the_preview_is_sandboxed_without_the_origin_of_the_server() {
    let preview = get("/console/preview", None).await;
    let policy = preview.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox allow-scripts allow-forms; default-src 'none';"));
    for right in ["allow-same-origin", "allow-top", "allow-popups", "connect-src", "'self' "] {
        assert!(!policy.contains(right), "{right} in {policy}");
    }
}

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_sent_again() {
    let first = get("/console/app.js", None).await;
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = get("/console/app.js", Some(&tag)).await;
    assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
    assert_eq!(get("/console/app.js", Some("\"old\"")).await.status(), 200);
    assert_ne!(get("/console/dom.js", None).await.headers()["etag"], &*tag);
}

#[test]
fn the_page_names_no_other_server_and_has_no_inline_script_or_style() {
    for asset in ASSETS.iter().filter(|asset| asset.path != "/console/preview") {
        let text = std::str::from_utf8(asset.bytes).unwrap();
        let text = text.replace("http://www.w3.org/2000/svg", "").replace("wss://host/ws", "");
        assert!(!text.contains("://"), "{}", asset.path);
        for inline in ["<script>", "<style", " style=", "javascript:", "innerHTML", "eval("] {
            let named = asset.path.ends_with("highlight.js") && inline == "<style";
            assert!(named || !text.contains(inline), "{inline} in {}", asset.path);
        }
    }
}
