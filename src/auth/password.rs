//! Passwords: what is accepted, and how they are hashed without starving the rest.

use super::{AuthConfig, AuthFailure, FieldError};
use std::{fmt, num::NonZeroUsize, sync::Arc, thread::available_parallelism, time::Duration};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Shortest password, in characters.
const CHARS_MIN: usize = 8;

/// Longest password, in bytes of UTF-8: bcrypt reads no further.
const BYTES_MAX: usize = 72;

/// The 3,000 commonest passwords of at least 8 characters, in lower case, a line each.
///
/// From the frequency lists of zxcvbn; its licence is beside them.
const COMMON: &str = include_str!("common_passwords.txt");

/// How long to wait when all cores hash.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Checks a new password.
pub(super) fn check(password: &str) -> Result<(), FieldError> {
    let message = if password.chars().count() < CHARS_MIN {
        format!("must have at least {CHARS_MIN} characters")
    } else if password.len() > BYTES_MAX {
        format!("must have at most {BYTES_MAX} bytes; letters outside ASCII take two to four")
    } else if password.contains('\0') {
        "must not contain the character NUL".into()
    } else if is_common(password) {
        "is among the most common passwords, which are tried first; choose another".into()
    } else {
        return Ok(());
    };
    Err(FieldError { path: "/password", message })
}

fn is_common(password: &str) -> bool {
    let password = password.to_lowercase();
    COMMON.lines().any(|common| common == password)
}

/// Hashes passwords with bcrypt, on as many threads as there are cores.
pub(super) struct Passwords {
    cost: u32,
    wait: Duration,
    cores: Arc<Semaphore>,
    /// The hash of no password, which takes the place of an unknown user's.
    dummy: String,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Passwords {
    /// Takes as long as hashing one password.
    pub(super) async fn new(config: &AuthConfig) -> Result<Self, AuthFailure> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let mut passwords = Self {
            cost: config.bcrypt_cost,
            wait: Duration::from_secs(config.hash_wait_secs),
            cores: Arc::new(Semaphore::new(cores)),
            dummy: String::new(),
        };
        passwords.dummy = passwords.hash(format!("{:032x}", rand::random::<u128>())).await?;
        Ok(passwords)
    }

    /// The hash of a password that passed [`check`].
    pub(super) async fn hash(&self, password: String) -> Result<String, AuthFailure> {
        let cost = self.cost;
        self.on_a_core(move || bcrypt::hash(password, cost)).await
    }

    /// Whether a password has this hash. Takes as long where there is no hash.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, AuthFailure> {
        let known = hash.is_some() && password.len() <= BYTES_MAX;
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        Ok(self.on_a_core(move || bcrypt::verify(password, &hash)).await? && known)
    }

    /// Whether a hash was made at another cost than is set now.
    pub(super) fn is_outdated(&self, hash: &str) -> bool {
        hash.parse::<bcrypt::HashParts>().is_ok_and(|parts| parts.get_cost() != self.cost)
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
    ) -> Result<T, AuthFailure> {
        let core = timeout(self.wait, Arc::clone(&self.cores).acquire_owned())
            .await
            .map_err(|_| AuthFailure::Busy { retry_after: RETRY_AFTER })?
            .map_err(|_| AuthFailure::Internal)?;
        // The permit goes along: work that nobody waits for any more still occupies its core.
        let done = spawn_blocking(move || {
            let result = work();
            drop(core);
            result
        });
        match done.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                tracing::error!(%error, "hashing a password failed");
                Err(AuthFailure::Internal)
            }
            Err(error) => {
                tracing::error!(%error, "hashing a password panicked");
                Err(AuthFailure::Internal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passwords() -> Passwords {
        let config = AuthConfig { bcrypt_cost: 4, hash_wait_secs: 1, ..AuthConfig::default() };
        Passwords::new(&config).await.unwrap()
    }

    #[test]
    fn the_limits_of_a_password_are_where_they_are_said_to_be() {
        for good in ["8 chars.", "pässwörd", &"x".repeat(64), &"x".repeat(72), &"😀".repeat(18)]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "1234567", "😀😀", &"x".repeat(73), &"😀".repeat(19), "1234567\0"] {
            let error = check(bad).unwrap_err();
            assert!(bad.is_empty() || !error.message.contains(bad), "{}", error.message);
        }
    }

    #[test]
    fn the_commonest_passwords_are_refused_in_any_case() {
        assert_eq!(COMMON.lines().count(), 3000);
        assert!(COMMON.lines().all(|line| line.len() >= CHARS_MIN && line == line.to_lowercase()));
        for common in ["12345678", "PassWord1", "qwertyuiop"] {
            assert!(check(common).unwrap_err().message.contains("most common"), "{common}");
        }
    }

    #[tokio::test]
    async fn every_byte_of_the_longest_password_counts() {
        let passwords = passwords().await;
        let longest = "x".repeat(BYTES_MAX);
        let hash = passwords.hash(longest.clone()).await.unwrap();

        assert!(passwords.verify(longest.clone(), Some(hash.clone())).await.unwrap());
        let last_differs = format!("{}y", "x".repeat(BYTES_MAX - 1));
        assert!(!passwords.verify(last_differs, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(format!("{longest}x"), Some(hash)).await.unwrap(), "cut off");
    }

    #[tokio::test]
    async fn nobody_s_password_is_right() {
        assert!(!passwords().await.verify("12345678".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let passwords = passwords().await;
        let hash = passwords.hash("12345678".into()).await.unwrap();
        assert!(!passwords.is_outdated(&hash));
        assert!(passwords.is_outdated(&hash.replace("$04$", "$05$")));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_cores_hash_the_wait_is_bounded() {
        let passwords = passwords().await;
        let all = passwords.cores.available_permits().try_into().unwrap();
        let _busy = passwords.cores.acquire_many(all).await.unwrap();

        let answer = passwords.hash("12345678".into()).await;

        assert_eq!(answer, Err(AuthFailure::Busy { retry_after: RETRY_AFTER }));
    }
}
