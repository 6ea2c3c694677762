//! Routes for signing up, signing in and staying signed in.

use super::{Limits, Problem, Response, Route, bearer, json, reply};
use crate::auth::{Auth, Grant};
use futures_util::TryFutureExt as _;
use greenroom_protocol::id::UserId;
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use warp::Filter;

/// Body of `register` and `login`. No `Debug`: it holds a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: String,
}

/// Body of `refresh` and `logout`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshToken {
    refresh_token: String,
}

/// Answer of `register`, `login` and `refresh`, by the names of OAuth.
#[derive(Serialize)]
struct Tokens {
    user_id: UserId,
    token_type: &'static str,
    access_token: String,
    /// Milliseconds since 1970.
    expires_at_ms: u64,
    refresh_token: String,
    /// Milliseconds since 1970, if it is not used before.
    refresh_expires_at_ms: u64,
}

#[derive(Serialize)]
struct TicketAnswer {
    ticket: String,
    expires_in_ms: u128,
}

/// The routes below `/api/v1/auth`, and `POST /api/v1/ws/ticket`. A body may take `body_wait`.
#[must_use]
pub fn auth_routes(auth: &Arc<Auth>, limits: &Arc<Limits>, body_wait: Duration) -> Vec<Route> {
    let limited = {
        let limits = Arc::clone(limits);
        move |client: super::Client| limits.auth(client.source())
    };
    let register = {
        let auth = Arc::clone(auth);
        json(body_wait, limited.clone(), move |_, asked: Credentials| {
            let auth = Arc::clone(&auth);
            async move {
                let grant = auth.register(&asked.email, asked.password).await?;
                Ok(tokens(StatusCode::CREATED, grant))
            }
        })
    };
    let login = {
        let (auth, limits) = (Arc::clone(auth), Arc::clone(limits));
        json(body_wait, limited.clone(), move |client, asked: Credentials| {
            let (auth, limits) = (Arc::clone(&auth), Arc::clone(&limits));
            async move {
                limits.sign_in(&asked.email, client.source())?;
                let grant = auth.login(&asked.email, asked.password).await?;
                limits.signed_in(&asked.email, client.source());
                Ok(tokens(StatusCode::OK, grant))
            }
        })
    };
    let refresh = {
        let auth = Arc::clone(auth);
        json(body_wait, limited.clone(), move |_, asked: RefreshToken| {
            let auth = Arc::clone(&auth);
            async move { Ok(tokens(StatusCode::OK, auth.refresh(&asked.refresh_token).await?)) }
        })
    };
    let logout = {
        let auth = Arc::clone(auth);
        json(body_wait, limited, move |_, asked: RefreshToken| {
            let auth = Arc::clone(&auth);
            async move {
                auth.logout(&asked.refresh_token).await?;
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok(response)
            }
        })
    };
    let ticket = {
        let auth = Arc::clone(auth);
        warp::header::headers_cloned()
            .then(move |headers: HeaderMap| {
                let auth = Arc::clone(&auth);
                async move { ticket(&auth, &headers) }.unwrap_or_else(Response::from)
            })
            .boxed()
    };
    vec![
        Route::at(Method::POST, "/api/v1/auth/register", register),
        Route::at(Method::POST, "/api/v1/auth/login", login),
        Route::at(Method::POST, "/api/v1/auth/refresh", refresh),
        Route::at(Method::POST, "/api/v1/auth/logout", logout),
        Route::at(Method::POST, "/api/v1/ws/ticket", ticket),
    ]
}

fn tokens(status: StatusCode, grant: Grant) -> Response {
    let tokens = Tokens {
        user_id: grant.user,
        token_type: "Bearer",
        access_token: grant.access.token,
        expires_at_ms: grant.access.expires_at_ms,
        refresh_token: grant.refresh_token,
        refresh_expires_at_ms: grant.refresh_expires_at_ms,
    };
    reply(status, &tokens)
}

fn ticket(auth: &Auth, headers: &HeaderMap) -> Result<Response, Problem> {
    let ticket = auth.issue_ticket(bearer(auth, headers)?)?;
    let expires_in_ms = ticket.life.as_millis();
    Ok(reply(StatusCode::CREATED, &TicketAnswer { ticket: ticket.ticket, expires_in_ms }))
}
