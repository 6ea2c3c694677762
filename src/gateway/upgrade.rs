//! What a request must be like to become a WebSocket. Pure.

use crate::rest::{Problem, Response};
use greenroom_protocol::SUBPROTOCOL;
use http::{HeaderMap, HeaderValue, Request, header};
use tokio_tungstenite::tungstenite::{Error, handshake::server::create_response_with_body};

/// The address of the WebSocket.
pub(super) const PATH: &str = "/ws";

/// The address of a dialect that this build does not speak.
pub(super) const GENERATE_PATH: &str = "/ws/generate";

/// Longest ticket that is looked at, in bytes.
const TICKET_BYTES_MAX: usize = 128;

/// A request that may become a WebSocket.
#[derive(Debug)]
pub(super) struct Offer {
    /// The ticket that it carries.
    pub(super) ticket: Option<String>,
    /// The answer that makes it one.
    pub(super) response: Response,
}

/// Reads a request for a WebSocket.
///
/// # Errors
/// Problems with status 400 that say what to do instead.
pub(super) fn read<B>(request: &Request<B>) -> Result<Offer, Problem> {
    let ticket = ticket(request.uri().query().unwrap_or_default())?;
    let mut response =
        create_response_with_body(request, || Response::default().into_body()).map_err(refused)?;
    if !offers(request.headers(), SUBPROTOCOL) {
        let detail = format!("offer the subprotocol {SUBPROTOCOL} in Sec-WebSocket-Protocol");
        return Err(Problem::bad_request("subprotocol_required", detail));
    }
    let chosen = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    Ok(Offer { ticket, response })
}

/// The answer to a dialect that this build does not speak.
pub(super) fn generate() -> Problem {
    let detail = format!(
        "this server does not speak {GENERATE_PATH}; open {PATH} and offer the subprotocol {SUBPROTOCOL}"
    );
    Problem::bad_request("subprotocol_required", detail)
}

fn refused(error: Error) -> Problem {
    let detail = format!("{PATH} is a WebSocket: {error}");
    Problem::bad_request("not_websocket", detail)
}

fn offers(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = values.filter_map(|v| v.to_str().ok()).flat_map(|text| text.split(','));
    offered.any(|text| text.trim() == name)
}

/// The ticket in a query. A token there is refused: addresses end up in logs.
fn ticket(query: &str) -> Result<Option<String>, Problem> {
    let mut ticket = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "token" | "access_token" => {
                let detail = "send the token in the first frame, or use a ticket of POST /api/v1/ws/ticket; addresses end up in logs";
                return Err(Problem::bad_request("token_in_url", detail));
            }
            "ticket" if ticket.is_none() && value.len() <= TICKET_BYTES_MAX => {
                ticket = Some(value.to_owned());
            }
            "ticket" => {
                return Err(Problem::bad_request("malformed_request", "send one ticket"));
            }
            _ => {}
        }
    }
    Ok(ticket)
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

        assert_eq!(offer.ticket.as_deref(), Some("tkt_x"));
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
