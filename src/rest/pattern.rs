//! Paths of routes, and what requests put in their places. Pure.

use percent_encoding::percent_decode_str;

/// The path of a route: `/api/v1/sessions/{session}`. A segment in braces stands for any one, and
/// the last one, as `{+path}`, for one or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) &'static str);

/// What a request's path has in the places of a pattern, decoded.
pub(super) type Places = Vec<(&'static str, String)>;

impl Pattern {
    /// Reads a path; none: it is another one. A slash at its end makes no difference.
    pub(super) fn read(self, path: &str) -> Option<Places> {
        let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
        let mut places = Vec::new();
        let mut segments = path.split('/');
        for own in self.0.split('/') {
            let segment = segments.next()?;
            let Some(name) = place(own) else {
                if own != segment {
                    return None;
                }
                continue;
            };
            let mut value = decoded(segment)?;
            if let Some(name) = name.strip_prefix('+') {
                for more in segments.by_ref() {
                    value = value + "/" + &decoded(more)?;
                }
                places.push((name, value));
            } else {
                places.push((name, value));
            }
        }
        segments.next().is_none().then_some(places)
    }

    /// The names of its places.
    pub(super) fn places(self) -> impl Iterator<Item = &'static str> {
        self.0.split('/').filter_map(place).map(|name| name.trim_start_matches('+'))
    }

    /// As OpenAPI writes it.
    pub(super) fn template(self) -> String {
        self.0.replace("{+", "{")
    }
}

fn place(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// A segment without its escapes; none: it is empty, or no text.
fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_pattern_and_no_other() {
        let pattern = Pattern("/a/{x}/b");
        assert_eq!(pattern.read("/a/7%207/b"), Some(vec![("x", "7 7".to_owned())]));
        assert_eq!(pattern.read("/a/7/b/"), Some(vec![("x", "7".to_owned())]));
        for other in
            ["/a/7", "/a//b", "/a/7/c", "/a/7/b/c", "/a/7/b//", "//a/7/b", "", "/", "/a/%ff/b"]
        {
            assert_eq!(pattern.read(other), None, "{other}");
        }
        assert_eq!(Pattern("/").read("/"), Some(Vec::new()));
    }

    #[test]
    fn the_rest_of_a_path_is_one_place_however_its_slashes_are_written() {
        let pattern = Pattern("/f/{+path}");
        for path in ["/f/src/app.js", "/f/src%2Fapp.js"] {
            assert_eq!(pattern.read(path), Some(vec![("path", "src/app.js".to_owned())]));
        }
        assert_eq!(pattern.read("/f"), None);
        assert_eq!(pattern.read("/f/a//b"), None);
        assert_eq!(pattern.template(), "/f/{path}");
        assert_eq!(pattern.places().collect::<Vec<_>>(), ["path"]);
    }
}
