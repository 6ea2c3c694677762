//! The profile of who asks.

use super::{
    Asked, Context, Operation, Problem, Response, Route,
    context::route,
    etag::{Tags, not_modified, tagged},
    reply,
};
use crate::{auth::Profile, utc::Utc};
use greenroom_protocol::id::UserId;
use http::{Method, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Body of `PATCH /me`. What is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProfileChange {
    /// What others see; an empty one removes it.
    #[serde(default)]
    #[schemars(length(max = 100), regex(pattern = "^[^\u{0}-\u{1f}\u{7f}-\u{9f}]*$"))]
    name: Option<String>,
}

/// A profile.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Profile")]
struct ProfileView {
    user_id: UserId,
    /// Name to sign in with.
    email: String,
    /// What others see.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
}

/// Routes of the profile.
pub(super) fn profile_routes(context: &Arc<Context>) -> Vec<Route> {
    let get = Operation::new("getMe", "me", "Look at the own profile")
        .signed_in()
        .answers::<ProfileView>(200, "The profile")
        .conditional();
    let update = Operation::new("updateMe", "me", "Change the own profile")
        .signed_in()
        .header("If-Match")
        .body::<ProfileChange>()
        .answers::<ProfileView>(200, "The profile as it is now")
        .with("ETag")
        .fails(409, "`conflict`: it changes all the time; try again")
        .fails(412, "`precondition_failed`: it has changed since it was read")
        .fails(422, "`validation_failed`: `errors` says what is wrong where");
    vec![
        route(context, Method::GET, "/api/v1/me", self::get).described(get),
        route(context, Method::PATCH, "/api/v1/me", self::update).described(update),
    ]
}

async fn get(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let profile = context.auth.profile(principal.user).await?;
    let etag = etag(&profile);
    let held = not_modified(&asked, &etag, false)?;
    Ok(held.unwrap_or_else(|| answer(profile)))
}

async fn update(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let expected = Tags::of(&asked, &header::IF_MATCH)?;
    let ProfileChange { name } = asked.json(context.body_wait).await?;
    let still = |profile: &Profile| expected.allow(&etag(profile));
    let profile = context.auth.change_profile(principal.user, name, still).await?;
    profile.map(answer).ok_or_else(|| {
        let detail = "the profile has changed since it was read; read it again";
        Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
    })
}

fn etag(profile: &Profile) -> String {
    format!("\"{}\"", profile.version)
}

fn answer(profile: Profile) -> Response {
    let etag = etag(&profile);
    let Profile { user, email, name, created_at_ms, .. } = profile;
    let created_at = Utc::of_ms(created_at_ms).to_string();
    let view = ProfileView { user_id: user, email, name, created_at };
    tagged(reply(StatusCode::OK, &view), &etag, false)
}
