//! Refresh tokens: `family.generation.secret`.
//!
//! One sign-in begins a family; every exchange raises its generation. The store holds the family's
//! generation and nothing that a token could be made of: the secret part is a MAC over the open
//! part. So the successor that a lost reply carried can be made again, on any node.

mod family;

use super::{
    AuthConfig, AuthFailure, Keys,
    users::{read, write},
};
use family::{Family, Rules, Verdict};
use greenroom_actors::port::{Documents, Put, StoreError};
use greenroom_protocol::id::UserId;
use std::{fmt, sync::Arc};

/// Kind of the documents; their key is the family.
const KIND: &str = "refresh";

/// Longest token that is looked at, in bytes. Ours have about 85.
const TOKEN_BYTES_MAX: usize = 256;

/// Tries to change a family that others change too. Whoever loses finds the winner's successor at
/// the next try, so two are enough unless a family is being signed out.
const TRIES: usize = 4;

/// A new refresh token.
pub(super) struct Refresh {
    pub(super) user: UserId,
    pub(super) token: String,
    /// When the family ends, used or not, in milliseconds since 1970.
    pub(super) expires_at_ms: u64,
}

/// The families in the store.
pub(super) struct Families {
    documents: Arc<dyn Documents>,
    keys: Arc<Keys>,
    rules: Rules,
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Families").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Families {
    pub(super) fn new(config: &AuthConfig, keys: Arc<Keys>, documents: Arc<dyn Documents>) -> Self {
        Self { documents, keys, rules: Rules::new(config) }
    }

    /// Begins a family for a user who signed in.
    pub(super) async fn begin(&self, user: UserId, now_ms: u64) -> Result<Refresh, AuthFailure> {
        let id = format!("fam_{:032x}", rand::random::<u128>());
        let family = Family::new(user, now_ms);
        match self.documents.put_document(KIND, &id, 0, write(&family)?).await? {
            Put::Written(_) => self.token(&id, &family),
            Put::Conflict(_) => Err(AuthFailure::Internal), // 128 random bits came twice
        }
    }

    /// Exchanges a token for its successor.
    pub(super) async fn exchange(&self, token: &str, now_ms: u64) -> Result<Refresh, AuthFailure> {
        let (id, generation) = self.open(token).ok_or(AuthFailure::BadRefreshToken)?;
        for _ in 0..TRIES {
            let Some(document) = self.documents.document(KIND, id).await? else {
                return Err(AuthFailure::BadRefreshToken);
            };
            let family: Family = read(KIND, &document.bytes)?;
            let put = match family.present(generation, now_ms, &self.rules) {
                Verdict::Again => return self.token(id, &family),
                Verdict::Rotated(next) => {
                    let bytes = write(&next)?;
                    let put = self.documents.put_document(KIND, id, document.version, bytes);
                    if let Put::Written(_) = put.await? {
                        return self.token(id, &next);
                    }
                    continue;
                }
                Verdict::Reused => {
                    tracing::warn!(family = id, user = %family.user, "a refresh token was used twice; its family ends");
                    self.documents.remove_document(KIND, id, document.version).await?
                }
                Verdict::Expired => {
                    self.documents.remove_document(KIND, id, document.version).await?
                }
            };
            if let Put::Written(_) = put {
                return Err(AuthFailure::BadRefreshToken);
            }
        }
        Err(StoreError::Unavailable("a refresh token is in use elsewhere".into()).into())
    }

    /// Ends a token's family, whatever its generation. A token that is not ours changes nothing.
    pub(super) async fn end(&self, token: &str) -> Result<(), AuthFailure> {
        let Some((id, _)) = self.open(token) else { return Ok(()) };
        for _ in 0..TRIES {
            let Some(document) = self.documents.document(KIND, id).await? else { return Ok(()) };
            let put = self.documents.remove_document(KIND, id, document.version).await?;
            if let Put::Written(_) = put {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("a refresh token is in use elsewhere".into()).into())
    }

    /// Family and generation of a token that we made.
    fn open<'a>(&self, token: &'a str) -> Option<(&'a str, u64)> {
        let (open, secret) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_BYTES_MAX)?;
        let (id, generation) = open.split_once('.')?;
        // First of all, so that nobody can end a family by inventing an old generation of it.
        let ours = self.keys.refresh_matches(open, secret);
        ours.then(|| generation.parse().ok()).flatten().map(|generation| (id, generation))
    }

    fn token(&self, id: &str, family: &Family) -> Result<Refresh, AuthFailure> {
        let open = format!("{id}.{}", family.generation);
        let secret = self.keys.refresh_secret(&open).map_err(|error| {
            tracing::error!(%error, "making a refresh token failed");
            AuthFailure::Internal
        })?;
        let expires_at_ms = self.rules.ends_at_ms(family);
        Ok(Refresh { user: family.user, token: format!("{open}.{secret}"), expires_at_ms })
    }
}
