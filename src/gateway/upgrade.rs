//! What a request must be like to become a WebSocket. Pure.

use super::config::GenerateConfig;
use crate::rest::{Problem, Response};
use greenroom_protocol::SUBPROTOCOL;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use std::fmt;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

/// The address of the WebSocket.
pub(super) const PATH: &str = "/ws";

/// The address of the Qbit dialect.
pub(super) const GENERATE_PATH: &str = "/ws/generate";

/// Longest ticket that is looked at, in bytes.
const TICKET_BYTES_MAX: usize = 128;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// The protocol, [`SUBPROTOCOL`].
    Greenroom,
    /// The Qbit dialect.
    Qbit,
}

/// A request that may become a WebSocket.
#[derive(Debug)]
pub(super) struct Offer {
    /// The credential in its address.
    pub(super) credential: Option<Credential>,
    /// The answer that makes it one.
    pub(super) response: Response,
}

/// Who somebody is, as an address says it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// A ticket, which works once.
    Ticket(String),
    /// An access token.
    Token(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ticket(_) => "Ticket",
            Self::Token(_) => "Token",
        })
    }
}

/// Reads a request for a WebSocket that speaks the protocol.
///
/// # Errors
/// Problems with status 400 that say what to do instead.
pub(super) fn read<B>(request: &Request<B>) -> Result<Offer, Problem> {
    let credential = credential(request.uri().query().unwrap_or_default(), false)?;
    let mut response = accept(request)?;
    if !offers(request.headers(), SUBPROTOCOL) {
        let detail = format!("offer the subprotocol {SUBPROTOCOL} in Sec-WebSocket-Protocol");
        return Err(Problem::bad_request("subprotocol_required", detail));
    }
    let chosen = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    Ok(Offer { credential, response })
}

/// Reads a request for a WebSocket that speaks the Qbit dialect, which has no subprotocol and no
/// first frame: its address says who it is.
///
/// # Errors
/// Problems with status 400 and 401 that say what to do instead.
pub(super) fn read_generate<B>(
    request: &Request<B>,
    config: GenerateConfig,
) -> Result<Offer, Problem> {
    if !config.enabled {
        let detail = format!(
            "this server does not speak {GENERATE_PATH}; open {PATH} and offer the subprotocol {SUBPROTOCOL}"
        );
        return Err(Problem::bad_request("subprotocol_required", detail));
    }
    let credential = credential(request.uri().query().unwrap_or_default(), config.token_in_url)?;
    let response = accept(request)?;
    if credential.is_none() {
        let detail = if config.token_in_url {
            "say who you are: ?token= with an access token, or ?ticket= of POST /api/v1/ws/ticket"
        } else {
            "say who you are: ?ticket= with a ticket of POST /api/v1/ws/ticket"
        };
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_token", detail));
    }
    Ok(Offer { credential, response })
}

fn accept<B>(request: &Request<B>) -> Result<Response, Problem> {
    create_response_with_body(request, || Response::default().into_body()).map_err(|error| {
        let detail = format!("{} is a WebSocket: {error}", request.uri().path());
        Problem::bad_request("not_websocket", detail)
    })
}

fn offers(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = values.filter_map(|v| v.to_str().ok()).flat_map(|text| text.split(','));
    offered.any(|text| text.trim() == name)
}

/// The credential in a query. A token there is refused unless it is allowed: addresses end up in
/// logs.
fn credential(query: &str, token_in_url: bool) -> Result<Option<Credential>, Problem> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let credential = match name {
            "token" if token_in_url => Credential::Token(value.to_owned()),
            "token" | "access_token" => {
                let detail = "send the token in the first frame, or use a ticket of POST /api/v1/ws/ticket; addresses end up in logs";
                return Err(Problem::bad_request("token_in_url", detail));
            }
            "ticket" if value.len() <= TICKET_BYTES_MAX => Credential::Ticket(value.to_owned()),
            "ticket" => return Err(one_credential()),
            _ => continue,
        };
        if found.replace(credential).is_some() {
            return Err(one_credential());
        }
    }
    Ok(found)
}

fn one_credential() -> Problem {
    Problem::bad_request("malformed_request", "send one ticket")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::get(uri)
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    fn code(request: &Request<()>) -> String {
        read(request).unwrap_err().code.into_owned()
    }

    #[test]
    fn a_good_request_is_answered_as_rfc_6455_asks() {
        let request =
            request("/ws?ticket=tkt_x&v=1", &[("sec-websocket-protocol", "a, greenroom.v1.json")]);
        let offer = read(&request).unwrap();

        assert_eq!(offer.credential, Some(Credential::Ticket("tkt_x".into())));
        assert_eq!(offer.response.status(), 101);
        let headers = offer.response.headers();
        assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(headers["sec-websocket-protocol"], "greenroom.v1.json");
    }

    #[test]
    fn the_subprotocol_may_stand_in_any_of_several_headers_and_must_be_exact() {
        let ours = ("sec-websocket-protocol", "greenroom.v1.json");
        assert!(read(&request("/ws", &[("sec-websocket-protocol", "a"), ours])).is_ok());
        for other in ["", "greenroom.v1", "greenroom.v1.jsonx", "Greenroom.v1.json"] {
            let request = request("/ws", &[("sec-websocket-protocol", other)]);
            assert_eq!(code(&request), "subprotocol_required", "{other}");
        }
        assert_eq!(code(&request("/ws", &[])), "subprotocol_required");
    }

    #[test]
    fn a_token_in_the_address_is_refused_whatever_else_is_there() {
        for query in ["token=x", "ticket=y&token=x", "access_token=x", "token", "token=&ticket=y"] {
            assert_eq!(code(&request(&format!("/ws?{query}"), &[])), "token_in_url", "{query}");
        }
    }

    #[test]
    fn the_dialect_takes_one_credential_and_a_token_only_where_that_is_allowed() {
        let on = GenerateConfig::default();
        let read = |query: &str, config: GenerateConfig| {
            let offer = read_generate(&request(&format!("/ws/generate?{query}"), &[]), config);
            let offer = offer.map_err(|problem| problem.code.into_owned())?;
            assert_eq!(offer.response.headers().get("sec-websocket-protocol"), None);
            Ok(offer.credential.unwrap())
        };
        let refused = |code: &str| Err(code.to_owned());
        assert_eq!(read("token=abc", on), Ok(Credential::Token("abc".into())));
        assert_eq!(read("a=b&ticket=tkt_x", on), Ok(Credential::Ticket("tkt_x".into())));
        assert_eq!(read("", on), refused("bad_token"));
        for two in ["token=a&token=b", "ticket=a&token=b", "token=a&ticket=b"] {
            assert_eq!(read(two, on), refused("malformed_request"), "{two}");
        }
        assert_eq!(read("access_token=a", on), refused("token_in_url"));
        let tickets = GenerateConfig { token_in_url: false, ..on };
        assert_eq!(read("token=a", tickets), refused("token_in_url"));
        assert_eq!(read("ticket=tkt_x", tickets), Ok(Credential::Ticket("tkt_x".into())));
        let off = GenerateConfig { enabled: false, ..on };
        assert_eq!(read("token=a", off), refused("subprotocol_required"));
        assert_eq!(format!("{:?}", Credential::Token("CANARY".into())), "Token");
    }

    #[test]
    fn two_tickets_are_refused() {
        assert_eq!(code(&request("/ws?ticket=a&ticket=b", &[])), "malformed_request");
    }

    #[test]
    fn what_is_no_websocket_is_told_so() {
        let mut no_upgrade = request("/ws", &[]);
        no_upgrade.headers_mut().remove("upgrade");
        assert_eq!(code(&no_upgrade), "not_websocket");
        let mut bad_key = request("/ws", &[]);
        bad_key.headers_mut().insert("sec-websocket-key", HeaderValue::from_static("short"));
        assert_eq!(code(&bad_key), "not_websocket");
        let mut post = request("/ws", &[]);
        *post.method_mut() = http::Method::POST;
        assert_eq!(code(&post), "not_websocket");
    }
}
