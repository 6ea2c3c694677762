//! Which paths a project may hold.

use greenroom_protocol::limit::PATH_BYTES_MAX;

/// Longest name between two `/`, in bytes: what common file systems take.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing.
    #[error("the path is empty")]
    Empty,
    /// More than [`PATH_BYTES_MAX`], or a name of more than [`NAME_BYTES_MAX`].
    #[error("a path has at most {PATH_BYTES_MAX} bytes and each name in it {NAME_BYTES_MAX}")]
    TooLong,
    /// It begins with `/` or a drive letter.
    #[error("a path is relative to the project's root")]
    Absolute,
    /// An empty name, `.` or `..`.
    #[error("a path has no empty names, no \".\" and no \"..\"")]
    NotNormal,
    /// A character that no path may hold.
    #[error("a path has no backslash, no double quote and no control or invisible characters")]
    Character,
    /// A name begins or ends with white space, or ends with a dot: Windows drops those.
    #[error("a name in a path neither begins nor ends with a space, nor ends with a dot")]
    Edge,
    /// Git's own folder, also under the other names that file systems give it.
    #[error("the name \".git\" is git's own")]
    Git,
}

/// Checks a path: relative, `/` between names, normal, at most [`PATH_BYTES_MAX`] bytes of UTF-8,
/// and such that every common system can check it out.
///
/// Upper and lower case differ, as in git: `a.txt` and `A.txt` are two files, though a checkout on
/// macOS or Windows shows one of them. No Unicode normalisation happens.
///
/// # Errors
/// [`PathError`]: the first rule that the path breaks.
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    if path.contains(|c| matches!(c, '\\' | '"') || c.is_control() || is_invisible(c)) {
        return Err(PathError::Character);
    }
    if path.starts_with('/') || has_drive(path) {
        return Err(PathError::Absolute);
    }
    path.split('/').try_for_each(check_name)
}

fn check_name(name: &str) -> Result<(), PathError> {
    if matches!(name, "" | "." | "..") {
        return Err(PathError::NotNormal);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    // NTFS opens `.git` for `git~1` too, and for any of the two with a stream's name after `:`.
    let stem = name.split(':').next().unwrap_or_default().trim_end_matches([' ', '.']);
    if stem.eq_ignore_ascii_case(".git") || stem.eq_ignore_ascii_case("git~1") {
        return Err(PathError::Git);
    }
    if name.starts_with(char::is_whitespace)
        || name.ends_with(char::is_whitespace)
        || name.ends_with('.')
    {
        return Err(PathError::Edge);
    }
    Ok(())
}

fn has_drive(path: &str) -> bool {
    let mut chars = path.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
}

/// Characters that show nothing or turn the text around. HFS+ ignores them, so that they could
/// also spell `.git`.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken() {
        let long = format!("{}/{}", "a".repeat(NAME_BYTES_MAX), "b".repeat(NAME_BYTES_MAX));
        for path in [
            "index.html",
            "src/app/[...slug]/page (old).tsx",
            ".gitignore",
            ".github/workflows/ci.yml",
            "naïve/日本.md",
            "a..b/...c",
            "digits/1:2",
            &long,
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_the_project_or_trick_a_file_system_are_refused() {
        let long = "a/".repeat(PATH_BYTES_MAX / 2) + "b";
        let long_name = "a".repeat(NAME_BYTES_MAX + 1);
        for (path, error) in [
            ("", PathError::Empty),
            (long.as_str(), PathError::TooLong),
            (long_name.as_str(), PathError::TooLong),
            ("/etc/passwd", PathError::Absolute),
            ("C:/x", PathError::Absolute),
            ("c:x", PathError::Absolute),
            ("./a", PathError::NotNormal),
            ("a/../b", PathError::NotNormal),
            ("a//b", PathError::NotNormal),
            ("a/", PathError::NotNormal),
            ("a\\b", PathError::Character),
            ("a\0b", PathError::Character),
            ("a\tb", PathError::Character),
            ("a\"b", PathError::Character),
            ("a\u{202e}b", PathError::Character),
            (".g\u{200c}it/config", PathError::Character),
            (" a", PathError::Edge),
            ("a /b", PathError::Edge),
            ("a./b", PathError::Edge),
            (".git/config", PathError::Git),
            ("a/.GiT", PathError::Git),
            (".git./x", PathError::Git),
            (".git::$INDEX_ALLOCATION/x", PathError::Git),
            ("GIT~1/x", PathError::Git),
        ] {
            assert_eq!(check_path(path), Err(error), "{path:?}");
        }
    }
}
