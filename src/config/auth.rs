//! Section `[auth]`: [`AuthConfig`], checked here for what concerns a configuration.

use super::error::Problems;
use crate::auth::AuthConfig;

/// Shortest secret, in bytes: HS256 wants a key as long as its hash.
const SECRET_BYTES_MIN: usize = 32;

/// Least cost of bcrypt that a configuration may ask for; tests may ask for less.
const BCRYPT_COST_MIN: u32 = 10;

const FIX: &str = "use the output of `openssl rand -hex 32`";

pub(super) fn check(auth: &AuthConfig, problems: &mut Problems) {
    if let Err(error) = auth.validate() {
        let key = format!("auth.{}", error.key);
        problems.add(key, format!("{} cannot be", error.value), format!("use {}", error.must));
    }
    for (key, name) in [("auth.issuer", &auth.issuer), ("auth.audience", &auth.audience)] {
        if name.is_empty() {
            problems.add(key, "it is empty", "name the service, such as \"greenroom\"");
        }
    }
    if auth.bcrypt_cost < BCRYPT_COST_MIN {
        let what = format!("{} is too cheap to guess against", auth.bcrypt_cost);
        problems.add("auth.bcrypt_cost", what, format!("use {BCRYPT_COST_MIN} or more"));
    }
}

/// Checks a secret that signs tokens. Its text is seen here alone, before it is hidden.
pub(super) fn check_secret(key: &str, secret: &str, problems: &mut Problems) {
    if secret.len() < SECRET_BYTES_MIN {
        problems.add(key, format!("it is shorter than {SECRET_BYTES_MIN} bytes"), FIX);
    } else if is_guessable(secret) {
        problems.add(key, "it can be guessed", FIX);
    }
}

/// Whether a secret is a well-known placeholder or repeats a few characters.
fn is_guessable(secret: &str) -> bool {
    let small = secret.to_lowercase();
    let placeholder =
        ["changeme", "change-me", "change_me", "your-secret", "your_secret", "example"]
            .iter()
            .any(|word| small.contains(word));
    let distinct: std::collections::BTreeSet<_> = secret.bytes().collect();
    placeholder || distinct.len() < 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_secret_is_a_problem_and_never_shown() {
        for secret in ["p4ss", &"a".repeat(40), "your-secret-key-change-in-production"] {
            let mut problems = Problems::default();
            check_secret("auth.jwt_secret", secret, &mut problems);
            assert_eq!(problems.0.len(), 1, "{secret}");
            assert!(!problems.0[0].to_string().contains(secret), "{secret}");
        }
    }

    #[test]
    fn an_impossible_setting_is_named() {
        let auth = AuthConfig { bcrypt_cost: 40, issuer: String::new(), ..AuthConfig::default() };
        let mut problems = Problems::default();
        check(&auth, &mut problems);
        let keys: Vec<_> = problems.0.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["auth.bcrypt_cost", "auth.issuer"]);
    }
}
