//! The keys that sign tokens, and the file that holds them.

use super::{AuthConfig, Secret, secret::same};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Shortest secret, in bytes: the width of HS256, as RFC 7518 asks.
const SECRET_BYTES_MIN: usize = 32;

/// Name of the file in the data directory.
const FILE: &str = "secrets.json";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A secret is too short.
    #[error(
        "a JWT secret is {len_bytes} bytes, it must be at least {SECRET_BYTES_MIN}; make one with: openssl rand -base64 48"
    )]
    TooShort {
        /// Its length, in bytes.
        len_bytes: usize,
    },
    /// The file cannot be read or written.
    #[error("cannot use {}; check that the data directory exists and is writable", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not a file of secrets; restore it, or remove it to sign everybody out", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("{} can be read by others (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The library does not take the key.
    #[error("the key cannot sign: {0}")]
    Unusable(String),
}

/// One secret and what is derived from it.
#[derive(Clone)]
pub(super) struct Key {
    /// Names the key in a token's header; tells nothing of the secret.
    pub(super) kid: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    refresh: EncodingKey,
}

/// The key that signs, and those that signed before and still verify.
#[derive(Clone)]
pub struct Keys {
    current: Key,
    previous: Vec<Key>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().map(|key| &key.kid)).finish()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    jwt_secret: String,
    #[serde(default)]
    jwt_secrets_previous: Vec<String>,
}

impl Keys {
    /// Keys from secrets.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn new(current: &Secret, previous: &[Secret]) -> Result<Self, KeyError> {
        let previous = previous.iter().map(Key::new).collect::<Result<_, _>>()?;
        Ok(Self { current: Key::new(current)?, previous })
    }

    /// The keys of the configuration; else those of `secrets.json` in `data_dir`, which is created
    /// where it does not exist, readable by its owner alone. Blocks on files.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load_or_create(config: &AuthConfig, data_dir: &Path) -> Result<Self, KeyError> {
        if let Some(secret) = &config.jwt_secret {
            return Self::new(secret, &config.jwt_secrets_previous);
        }
        let path = data_dir.join(FILE);
        let stored = load(&path)?.map_or_else(|| create(&path), Ok)?;
        let mut previous = config.jwt_secrets_previous.clone();
        previous.extend(stored.jwt_secrets_previous.into_iter().map(Secret::new));
        Self::new(&Secret::new(stored.jwt_secret), &previous)
    }

    pub(super) const fn current(&self) -> &Key {
        &self.current
    }

    pub(super) fn by_kid(&self, kid: &str) -> Option<&Key> {
        self.all().find(|key| key.kid == kid)
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The secret part of a refresh token, from its open part. Never stored anywhere.
    pub(super) fn refresh_secret(&self, open: &str) -> Result<String, KeyError> {
        mac(&self.current.refresh, open)
    }

    /// Whether some key made the secret part of a refresh token.
    pub(super) fn refresh_matches(&self, open: &str, secret: &str) -> bool {
        self.all().any(|key| {
            mac(&key.refresh, open).is_ok_and(|own| same(own.as_bytes(), secret.as_bytes()))
        })
    }
}

impl Key {
    fn new(secret: &Secret) -> Result<Self, KeyError> {
        let bytes = secret.bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(KeyError::TooShort { len_bytes: bytes.len() });
        }
        // One key for one purpose: the others are derived, so that one secret is enough.
        let encoding = EncodingKey::from_secret(bytes);
        let refresh = mac(&encoding, "greenroom: key of refresh tokens")?;
        let mut kid = mac(&encoding, "greenroom: name of the key")?;
        kid.truncate(12);
        Ok(Self {
            kid,
            decoding: DecodingKey::from_secret(bytes),
            refresh: EncodingKey::from_secret(refresh.as_bytes()),
            encoding,
        })
    }
}

/// HMAC-SHA-256 in base64url.
fn mac(key: &EncodingKey, text: &str) -> Result<String, KeyError> {
    crypto::sign(text.as_bytes(), key, Algorithm::HS256)
        .map_err(|error| KeyError::Unusable(error.to_string()))
}

fn load(path: &Path) -> Result<Option<Stored>, KeyError> {
    let io = |source| KeyError::Io { path: path.into(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.into(), mode });
    }
    let text = io::read_to_string(file).map_err(io)?;
    // The parser's message could quote a secret.
    let stored = serde_json::from_str(&text).map_err(|_| KeyError::Malformed { path: path.into() });
    stored.map(Some)
}

/// Writes a new file of secrets, whole or not at all; another process may win.
fn create(path: &Path) -> Result<Stored, KeyError> {
    let io = |source| KeyError::Io { path: path.into(), source };
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 48]>());
    let stored = Stored { jwt_secret: secret, jwt_secrets_previous: Vec::new() };
    let json = serde_json::to_vec_pretty(&stored)
        .map_err(|error| KeyError::Unusable(error.to_string()))?;
    let draft = path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
        // Unlike a rename, a link does not replace what another process has put there.
        .and_then(|()| fs::hard_link(&draft, path))
        .and_then(|()| path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()));
    let _ = fs::remove_file(&draft); // may not exist
    match written {
        Ok(()) => Ok(stored),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            load(path)?.ok_or_else(|| io(error))
        }
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::new([byte; SECRET_BYTES_MIN])
    }

    #[test]
    fn a_short_secret_is_refused() {
        let error = Keys::new(&Secret::new([1; 31]), &[]).unwrap_err();
        assert!(matches!(error, KeyError::TooShort { len_bytes: 31 }));
        assert!(Keys::new(&secret(1), &[Secret::new("short")]).is_err());
    }

    #[test]
    fn the_first_start_creates_a_private_file_and_the_next_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = AuthConfig::default();
        let first = Keys::load_or_create(&config, dir.path()).unwrap();
        let second = Keys::load_or_create(&config, dir.path()).unwrap();

        assert_eq!(first.current.kid, second.current.kid);
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn of_two_first_starts_both_get_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let kids: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Keys::load_or_create(&AuthConfig::default(), dir.path())))
                .collect();
            starts.into_iter().map(|start| start.join().unwrap().unwrap().current.kid).collect()
        });
        assert!(kids.windows(2).all(|pair| pair[0] == pair[1]), "{kids:?}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Keys::load_or_create(&AuthConfig::default(), dir.path()).unwrap();
        let path = dir.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

        let error = Keys::load_or_create(&AuthConfig::default(), dir.path()).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { mode: 0o640, .. }), "{error}");
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, r#"{"jwt_secret":"CANARY"#).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

        let error = Keys::load_or_create(&AuthConfig::default(), dir.path()).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }));
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }

    #[test]
    fn a_configured_secret_wins_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let config = AuthConfig { jwt_secret: Some(secret(1)), ..AuthConfig::default() };
        Keys::load_or_create(&config, dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn neither_keys_nor_their_names_show_the_secret() {
        let keys = Keys::new(&Secret::new("CANARY-CANARY-CANARY-CANARY-CANARY"), &[]).unwrap();
        assert!(!format!("{keys:?}").contains("CANARY"));
    }
}
