//! Which pages in browsers may use the server.

use http::{HeaderMap, HeaderValue, Uri, header};
use std::collections::BTreeSet;

/// The origins that are allowed, compared byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeSet<String>);

/// A text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no origin; write it as browsers do, such as https://app.example.org, without a path or a *"
)]
pub struct OriginError {
    /// The text.
    pub text: String,
}

impl Origins {
    /// Reads a list of origins.
    ///
    /// # Errors
    /// [`OriginError`]: the first text that is none.
    pub fn parse(texts: &[String]) -> Result<Self, OriginError> {
        for text in texts {
            if !is_origin(text) {
                return Err(OriginError { text: text.clone() });
            }
        }
        Ok(Self(texts.iter().cloned().collect()))
    }

    /// The origin of a request, if it is allowed.
    #[must_use]
    pub fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none())?;
        origin.to_str().is_ok_and(|text| self.0.contains(text)).then_some(origin)
    }

    /// Whether a request comes from a page that is not allowed. One without an origin comes from
    /// no page, and the server's own pages are allowed.
    #[must_use]
    pub fn refuse(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::ORIGIN) && !is_own(headers) && self.allowed(headers).is_none()
    }
}

/// Whether a request comes from a page of the host that it is sent to. The scheme does not count: a
/// proxy in front may speak TLS. This grants nothing by itself, since no cookie signs anybody in.
fn is_own(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None, Some(host)) =
        (origins.next(), origins.next(), headers.get(header::HOST))
    else {
        return false;
    };
    let origin = origin.to_str().unwrap_or_default();
    let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    page.is_some_and(|page| !page.is_empty() && page.as_bytes() == host.as_bytes())
}

/// Whether a text is an origin in the spelling of browsers.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some((scheme, host)) = uri.scheme_str().zip(uri.host()) else { return false };
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    let standard = matches!((scheme, uri.port_u16()), ("http", Some(80)) | ("https", Some(443)));
    !host.contains('*') && !standard && text == format!("{scheme}://{host}{port}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::parse(&["https://app.example.org".into(), "http://localhost:8000".into()]).unwrap()
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |text: &&str| (header::ORIGIN, text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in values.iter().map(value) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_listed_origins_are_allowed() {
        for good in ["https://app.example.org", "http://localhost:8000"] {
            assert!(!origins().refuse(&headers(&[good])), "{good}");
        }
        for bad in [
            "null",
            "",
            "*",
            "http://app.example.org",
            "https://app.example.org.evil.test",
            "https://evil-app.example.org",
            "https://app.example.org:8443",
            "https://example.org",
            "https://APP.example.org",
            "https://app.example.org/",
            "http://localhost",
            "http://localhost:80000",
            "https://app.example.org, https://evil.test",
        ] {
            assert!(origins().refuse(&headers(&[bad])), "{bad}");
        }
        assert!(origins().refuse(&headers(&["https://app.example.org", "https://evil.test"])));
    }

    #[test]
    fn a_page_of_the_very_host_is_allowed() {
        let asked = |origins: &[&str]| {
            let mut headers = headers(origins);
            headers.insert(header::HOST, "127.0.0.1:8000".parse().unwrap());
            Origins::default().refuse(&headers)
        };
        assert!(!asked(&["http://127.0.0.1:8000"]));
        assert!(!asked(&["https://127.0.0.1:8000"]));
        for bad in [
            "null",
            "http://",
            "http://127.0.0.1",
            "http://127.0.0.1:8001",
            "http://127.0.0.1:8000.evil.test",
            "http://evil.test",
            "ftp://127.0.0.1:8000",
            "127.0.0.1:8000",
        ] {
            assert!(asked(&[bad]), "{bad}");
        }
        assert!(asked(&["http://127.0.0.1:8000", "http://evil.test"]));
    }

    #[test]
    fn a_request_from_no_page_is_not_refused_and_gets_no_permission() {
        assert!(!origins().refuse(&HeaderMap::new()));
        assert_eq!(origins().allowed(&HeaderMap::new()), None);
    }

    #[test]
    fn a_list_is_read_only_if_browsers_spell_it_so() {
        for bad in [
            "*",
            "null",
            "",
            "app.example.org",
            "https://",
            "https://app.example.org/",
            "https://app.example.org/x",
            "https://*.example.org",
            "https://app.example.org:443",
            "http://app.example.org:80",
            "HTTPS://app.example.org",
            "https://u@app.example.org",
        ] {
            assert!(Origins::parse(&[bad.into()]).is_err(), "{bad}");
        }
        assert!(Origins::parse(&["http://[::1]:8000".into()]).is_ok());
    }
}
