//! The file by which `greenroom dev` tells the client commands where it is and who they are.

use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Name of the file in the data folder.
const FILE: &str = "client.json";

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A server and an account on it. Readable by the user alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// Base address of the REST API: `http://127.0.0.1:8000`.
    pub(super) url: String,
    /// Name to sign in with.
    pub(super) email: String,
    /// Password; only for the demo user.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) password: String,
    /// Access token.
    #[serde(default)]
    pub(super) access_token: String,
    /// When it expires, in milliseconds since 1970.
    #[serde(default)]
    pub(super) access_expires_at_ms: u64,
    /// Refresh token.
    #[serde(default)]
    pub(super) refresh_token: String,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved").field("url", &self.url).field("email", &self.email).finish()
    }
}

/// Where the file of a data folder is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Reads the file; none where it does not exist.
///
/// # Errors
/// Where it cannot be read or holds something else.
pub(super) fn read(path: &Path) -> io::Result<Option<Saved>> {
    use io::Read as _;
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    // The parser's message would quote the text, which holds tokens.
    serde_json::from_str(&text).map(Some).map_err(|_| {
        let what = format!("{} is damaged; remove it, then run greenroom dev", path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

/// Replaces the file as a whole, readable by the user alone.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn write(path: &Path, saved: &Saved) -> io::Result<()> {
    let text = serde_json::to_string_pretty(saved).map_err(io::Error::other)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temporary); // left by an earlier process of this number
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Makes the data folder, for its owner alone, and keeps it out of git.
///
/// # Errors
/// Where it cannot be made.
pub(super) fn make_data_dir(data_dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    match fs::OpenOptions::new().write(true).create_new(true).open(data_dir.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_saved_account_reads_back_and_is_readable_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        make_data_dir(&data_dir).unwrap();
        make_data_dir(&data_dir).unwrap();
        let path = path(&data_dir);
        assert_eq!(read(&path).unwrap(), None);
        let saved = Saved { url: "http://x".into(), refresh_token: "r".into(), ..Saved::default() };
        write(&path, &saved).unwrap();
        write(&path, &saved).unwrap();

        assert_eq!(read(&path).unwrap(), Some(saved));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&data_dir), 0o700);
        assert_eq!(fs::read_to_string(data_dir.join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn a_damaged_file_is_refused_without_quoting_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        fs::write(&path, "{\"url\": \"tok-secret").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("damaged") && !error.contains("tok-secret"), "{error}");
    }
}
