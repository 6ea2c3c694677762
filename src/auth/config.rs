//! Settings of authentication.

use super::Secret;
use serde::{Deserialize, Serialize};

/// Settings of authentication. Units are the names' last word.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Who issues access tokens (claim `iss`); default `greenroom`.
    pub issuer: String,
    /// Whom access tokens are for (claim `aud`); default `greenroom`.
    pub audience: String,
    /// Secret that signs tokens, at least 32 bytes. None (the default): `secrets.json` in the data
    /// directory holds one, which the first start creates. All nodes need the same.
    pub jwt_secret: Option<Secret>,
    /// Secrets that signed tokens before and still verify them. Removing one ends its tokens at
    /// once. Default: none.
    pub jwt_secrets_previous: Vec<Secret>,
    /// Life of an access token; default 900 (15 minutes).
    pub access_secs: u64,
    /// Longest life of an access token that is issued on demand, and accepted; default 2,592,000
    /// (30 days).
    pub access_secs_max: u64,
    /// How long a refresh token that was exchanged is answered with its successor again, so that
    /// two tabs or a lost reply do not sign anybody out; default 20, at most 60.
    pub refresh_grace_secs: u64,
    /// Longest pause between two refreshes; default 604,800 (7 days).
    pub refresh_idle_secs: u64,
    /// Longest time from signing in to signing in again; default 2,592,000 (30 days).
    pub refresh_secs_max: u64,
    /// Life of a ticket for the WebSocket; default 30.
    pub ticket_secs: u64,
    /// Most tickets outstanding; default 10,000. More are refused until some are used or expire.
    pub tickets_max: usize,
    /// Cost of a password's hash, as a power of two; default 12, at least 10 in production.
    pub bcrypt_cost: u32,
    /// Longest wait for a free core to hash a password; default 5. Then the request is refused.
    pub hash_wait_secs: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        const DAY_SECS: u64 = 24 * 60 * 60;
        Self {
            issuer: "greenroom".into(),
            audience: "greenroom".into(),
            jwt_secret: None,
            jwt_secrets_previous: Vec::new(),
            access_secs: 15 * 60,
            access_secs_max: 30 * DAY_SECS,
            refresh_grace_secs: 20,
            refresh_idle_secs: 7 * DAY_SECS,
            refresh_secs_max: 30 * DAY_SECS,
            ticket_secs: 30,
            tickets_max: 10_000,
            bcrypt_cost: 12,
            hash_wait_secs: 5,
        }
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("auth.{key} is {value}; it must be {must}")]
pub struct AuthConfigError {
    /// The setting's name below `auth`.
    pub key: &'static str,
    /// Its value.
    pub value: u64,
    /// What it must be.
    pub must: &'static str,
}

impl AuthConfig {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// [`AuthConfigError`]: the first setting that cannot be.
    pub fn validate(&self) -> Result<(), AuthConfigError> {
        let rules = [
            ("access_secs", self.access_secs, 1, self.access_secs_max, "1 to access_secs_max"),
            ("refresh_grace_secs", self.refresh_grace_secs, 0, 60, "0 to 60"),
            (
                "refresh_idle_secs",
                self.refresh_idle_secs,
                self.access_secs,
                self.refresh_secs_max,
                "access_secs to refresh_secs_max",
            ),
            ("ticket_secs", self.ticket_secs, 1, 300, "1 to 300"),
            ("bcrypt_cost", u64::from(self.bcrypt_cost), 4, 16, "4 to 16; 12 is usual"),
            ("hash_wait_secs", self.hash_wait_secs, 1, 60, "1 to 60"),
        ];
        for (key, value, low, high, must) in rules {
            if !(low..=high).contains(&value) {
                return Err(AuthConfigError { key, value, must });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(AuthConfig::default().validate(), Ok(()));
    }

    #[test]
    fn an_impossible_setting_is_named_with_its_fix() {
        let config = AuthConfig { bcrypt_cost: 40, ..AuthConfig::default() };
        let error = config.validate().unwrap_err().to_string();
        assert_eq!(error, "auth.bcrypt_cost is 40; it must be 4 to 16; 12 is usual");
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let error = serde_json::from_str::<AuthConfig>(r#"{"jwt_secert":"x"}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `jwt_secert`"), "{error}");
    }
}
