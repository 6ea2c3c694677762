use super::*;
use crate::rest::{Api, Client, Limits, LimitsConfig, fixture::context, public_routes};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use std::{net::Ipv4Addr, sync::Arc};

async fn routes() -> Vec<Route> {
    public_routes(context().await, &Arc::new(Limits::new(&LimitsConfig::default(), None)))
}

/// The document as the routes serve it.
async fn served(routes: &[Route]) -> Value {
    let service = TowerToHyperService::new(warp::service(Api::new(routes.to_vec()).filter()));
    let request = http::Request::get("/api/v1/openapi.json").body(Empty::<Bytes>::new());
    let mut request = request.unwrap();
    request.extensions_mut().insert(Client { ip: Ipv4Addr::LOCALHOST.into() });
    let answer = service.call(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn mounted_routes_and_the_served_document_are_the_same_set() {
    let routes = routes().await;
    let api = routes.iter().filter(|route| route.pattern.0.starts_with("/api/"));
    let mounted: Vec<String> = api.map(|route| format!("{route:?}").replace("{+", "{")).collect();
    let document = served(&routes).await;
    let mut described = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            described.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(mounted), sorted(described));
}

#[tokio::test]
async fn a_query_is_described_by_its_fields_without_null() {
    let document = document(&routes().await);
    let parameters = document["paths"]["/api/v1/sessions"]["get"]["parameters"].clone();
    let limit = parameters.as_array().unwrap().iter().find(|of| of["name"] == "limit").unwrap();
    assert_eq!((&limit["in"], &limit["schema"]["type"]), (&json!("query"), &json!("integer")));
    assert_eq!(
        (&limit["schema"]["minimum"], &limit["schema"]["maximum"]),
        (&json!(1), &json!(100))
    );
    assert!(
        document["components"]["schemas"].get("PageQuery").is_none(),
        "it is no schema of its own"
    );
}
