//! Answers that a client may hold already.

use super::{Asked, Problem, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

/// How long an answer may be kept that can never change.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// The tag of an answer that has no name of its own: a digest of its bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("\"{:x}\"", Sha256::digest(bytes))
}

/// The tags of a header: `If-None-Match`, `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// The header is not there.
    None,
    /// `*`: whatever there is.
    Any,
    /// These, with their quotes; weak ones with their `W/`.
    Listed(Vec<String>),
}

impl Tags {
    /// Reads a header.
    ///
    /// # Errors
    /// `malformed_request`.
    pub(super) fn of(asked: &Asked, name: &HeaderName) -> Result<Self, Problem> {
        match asked.header(name)?.map(str::trim) {
            None | Some("") => Ok(Self::None),
            Some("*") => Ok(Self::Any),
            Some(text) => listed(text).map(Self::Listed).ok_or_else(|| {
                let detail = format!("{name} is * or a list of tags in quotes, as ETag gave them");
                Problem::bad_request("malformed_request", detail)
            }),
        }
    }

    /// Whether the tag is among them, taken for the same if it means the same.
    fn hold(&self, etag: &str) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| tag.trim_start_matches("W/") == etag),
        }
    }

    /// Whether they allow a change of what has this tag now: it must be byte by byte the same.
    pub(super) fn allow(&self, etag: &str) -> bool {
        match self {
            Self::None | Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

/// A list of tags; none: it is not one.
fn listed(mut text: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    loop {
        let opened = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?;
        let (inner, rest) = opened.split_once('"')?;
        if !inner.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let (tag, rest) = (text.strip_suffix(rest)?, rest.trim_start());
        tags.push(tag.to_owned());
        if rest.is_empty() {
            return Some(tags);
        }
        text = rest.strip_prefix(',')?.trim_start();
    }
}

/// The answer that a client holds already, if it does; `etag` with its quotes.
///
/// # Errors
/// `malformed_request`.
pub(super) fn not_modified(
    asked: &Asked,
    etag: &str,
    immutable: bool,
) -> Result<Option<Response>, Problem> {
    Ok(Tags::of(asked, &header::IF_NONE_MATCH)?.hold(etag).then(|| {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        tagged(response, etag, immutable)
    }))
}

/// Names the state of an answer. One that is `immutable` need not be asked for again; any other is
/// kept and asked about.
pub(super) fn tagged(mut response: Response, etag: &str, immutable: bool) -> Response {
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    let keep = if immutable { FOR_EVER } else { "private, no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_read_whole_or_not_at_all() {
        let read = |text: &str| listed(text).map(|tags| tags.join(" "));
        assert_eq!(read("\"a\""), Some("\"a\"".to_owned()));
        assert_eq!(read("\"a,b\" ,W/\"c\""), Some("\"a,b\" W/\"c\"".to_owned()));
        assert_eq!(read("\"\""), Some("\"\"".to_owned()));
        for bad in ["", "{}", "a", "\"a", "\"a\",", "\"a\" \"b\"", "w/\"a\"", "\"a b\"", "*, \"a\""]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_weak_tag_means_the_same_and_allows_no_change() {
        let tags = Tags::Listed(vec!["W/\"7\"".to_owned()]);
        assert!(tags.hold("\"7\"") && !tags.allow("\"7\""));
        assert!(Tags::Any.hold("\"7\"") && Tags::Any.allow("\"7\""));
        assert!(!Tags::None.hold("\"7\"") && Tags::None.allow("\"7\""));
    }
}
