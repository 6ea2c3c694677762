//! Access tokens: JWTs signed with HS256.

use super::{AuthConfig, KeyError, Keys};
use greenroom_actors::port::{AuthError, Principal, SignIn};
use greenroom_protocol::id::UserId;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How far another node's clock may be ahead of ours.
const LEEWAY_SECS: u64 = 5;

/// Longest token that is looked at, in bytes. Ours have about 350.
const TOKEN_BYTES_MAX: usize = 2048;

/// Most verified tokens remembered; each takes about 100 bytes.
const VERIFIED_MAX: usize = 8192;

/// Most ended sign-ins remembered. The tokens of further ones live on until they expire.
const ENDED_MAX: usize = 65_536;

/// What the claim `typ` says, so that no other token of ours passes for an access token.
const TYP: &str = "access";

/// What an access token says. Times are seconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    exp: u64,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    jti: String,
    /// The sign-in, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    typ: String,
}

/// A new access token.
#[derive(Clone)]
pub struct Access {
    /// The token.
    pub token: String,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: u64,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("expires_at_ms", &self.expires_at_ms).finish_non_exhaustive()
    }
}

/// Issues access tokens and checks them.
///
/// Tokens that were verified are remembered until they expire, by their SHA-256: a reconnecting
/// client sends the same one again. So are, for the life of a token, the sign-ins that have ended:
/// their tokens are refused.
pub struct JwtAuthenticator {
    keys: Arc<Keys>,
    validation: Validation,
    issuer: String,
    audience: String,
    life_max: Duration,
    /// Life of the tokens of a sign-in.
    sign_in_life: Duration,
    verified: Mutex<HashMap<[u8; 32], Principal>>,
    /// Sign-ins that have ended, and when the last of their tokens has expired.
    ended: Mutex<HashMap<SignIn, u64>>,
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl JwtAuthenticator {
    /// An authenticator for the tokens of these keys.
    #[must_use]
    pub fn new(config: &AuthConfig, keys: Arc<Keys>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would read the system's clock; `in_time` compares with the time passed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            keys,
            validation,
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            life_max: Duration::from_secs(config.access_secs_max),
            sign_in_life: Duration::from_secs(config.access_secs),
            verified: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// A token of a sign-in for a user; it ends with the sign-in.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], which a key that was loaded never is.
    pub fn issue(&self, user: UserId, sign_in: SignIn, now_ms: u64) -> Result<Access, KeyError> {
        self.sign(user, Some(sign_in), self.sign_in_life, now_ms)
    }

    /// A token for a user on demand, from now on for `life`, at most the longest that is accepted.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], which a key that was loaded never is.
    pub fn issue_for(&self, user: UserId, life: Duration, now_ms: u64) -> Result<Access, KeyError> {
        self.sign(user, None, life, now_ms)
    }

    fn sign(
        &self,
        user: UserId,
        sign_in: Option<SignIn>,
        life: Duration,
        now_ms: u64,
    ) -> Result<Access, KeyError> {
        let key = self.keys.current();
        let iat = now_ms / 1000;
        let exp = iat.saturating_add(life.min(self.life_max).as_secs());
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user,
            exp,
            iat,
            nbf: None,
            jti: format!("{:032x}", rand::random::<u128>()),
            sid: sign_in.map(|SignIn(id)| format!("{id:032x}")),
            typ: TYP.into(),
        };
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims, &key.encoding)
            .map_err(|error| KeyError::Unusable(error.to_string()))?;
        Ok(Access { token, expires_at_ms: exp.saturating_mul(1000) })
    }

    fn decode(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        // `crit` names extensions that must be understood, and we understand none.
        if header.crit.is_some() || header.typ.as_deref() != Some("JWT") {
            return None;
        }
        let key = self.keys.by_kid(header.kid.as_deref()?)?;
        let claims = decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        (claims.typ == TYP).then_some(claims)
    }

    fn in_time(&self, claims: &Claims, now_ms: u64) -> Result<Principal, AuthError> {
        let now = now_ms / 1000;
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        let life = claims.exp.checked_sub(claims.iat).ok_or(AuthError::Invalid)?;
        if begins > now.saturating_add(LEEWAY_SECS) || life > self.life_max.as_secs() {
            return Err(AuthError::Invalid);
        }
        let expires_at_ms = claims.exp.saturating_mul(1000);
        if expires_at_ms <= now_ms {
            return Err(AuthError::Expired);
        }
        let sign_in = claims.sid.as_deref().map(|id| u128::from_str_radix(id, 16));
        let sign_in = sign_in.transpose().map_err(|_| AuthError::Invalid)?.map(SignIn);
        Ok(Principal { user: claims.sub, expires_at_ms, sign_in })
    }

    /// Refuses the tokens of a sign-in from now on.
    pub(super) fn end(&self, sign_in: SignIn, now_ms: u64) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= ENDED_MAX {
            ended.retain(|_, until_ms| *until_ms > now_ms);
        }
        if ended.len() < ENDED_MAX {
            let life_ms = u64::try_from(self.sign_in_life.as_millis()).unwrap_or(u64::MAX);
            ended.insert(sign_in, now_ms.saturating_add(life_ms));
        }
    }

    /// Whether what a principal's token was made for goes on.
    pub(super) fn is_signed_in(&self, principal: &Principal) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        !principal.sign_in.is_some_and(|sign_in| ended.contains_key(&sign_in))
    }

    fn remember(&self, digest: [u8; 32], principal: Principal, now_ms: u64) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= VERIFIED_MAX {
            verified.retain(|_, known| known.expires_at_ms > now_ms);
        }
        if verified.len() >= VERIFIED_MAX {
            verified.clear(); // forgetting costs one check each
        }
        verified.insert(digest, principal);
    }

    /// Checks a token as of `now_ms`. Takes microseconds and never waits.
    ///
    /// # Errors
    /// [`AuthError`].
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::Invalid);
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = {
            let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
            verified.get(&digest).copied()
        };
        let principal = match known {
            Some(principal) if principal.expires_at_ms > now_ms => principal,
            Some(_) => return Err(AuthError::Expired),
            None => {
                let claims = self.decode(token).ok_or(AuthError::Invalid)?;
                let principal = self.in_time(&claims, now_ms)?;
                self.remember(digest, principal, now_ms);
                principal
            }
        };
        if self.is_signed_in(&principal) { Ok(principal) } else { Err(AuthError::Invalid) }
    }
}

#[cfg(test)]
mod tests;
