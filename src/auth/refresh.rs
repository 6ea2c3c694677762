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
use greenroom_actors::port::{Documents, Put, SignIn, StoreError};
use greenroom_protocol::id::UserId;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// Kind of the documents; their key is the family.
const KIND: &str = "refresh";

/// Longest token that is looked at, in bytes. Ours have about 85.
const TOKEN_BYTES_MAX: usize = 256;

/// Tries to change a family that others change too. Whoever loses finds the winner's successor at
/// the next try, so two are enough unless a family is being signed out.
const TRIES: usize = 4;

/// Families that are read at once to find those that are over.
const SWEEP_PAGE: u32 = 100;

/// What is told of a sign-in that has ended before its time.
pub(super) type OnEnd = Box<dyn Fn(UserId, SignIn) + Send + Sync>;

/// A new refresh token.
pub(super) struct Refresh {
    pub(super) user: UserId,
    pub(super) sign_in: SignIn,
    pub(super) token: String,
    /// When the family ends, used or not, in milliseconds since 1970.
    pub(super) expires_at_ms: u64,
}

/// The families in the store.
pub(super) struct Families {
    documents: Arc<dyn Documents>,
    keys: Arc<Keys>,
    rules: Rules,
    pub(super) on_end: OnceLock<OnEnd>,
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Families").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Families {
    pub(super) fn new(config: &AuthConfig, keys: Arc<Keys>, documents: Arc<dyn Documents>) -> Self {
        Self { documents, keys, rules: Rules::new(config), on_end: OnceLock::new() }
    }

    /// Begins a family for a user who signed in.
    pub(super) async fn begin(&self, user: UserId, now_ms: u64) -> Result<Refresh, AuthFailure> {
        let id = name(SignIn(rand::random()));
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
                self.tell(id, &family);
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
            let family: Family = read(KIND, &document.bytes)?;
            let put = self.documents.remove_document(KIND, id, document.version).await?;
            if let Put::Written(_) = put {
                self.tell(id, &family);
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("a refresh token is in use elsewhere".into()).into())
    }

    /// Removes the families that are over, page by page.
    pub(super) async fn sweep(&self, now_ms: u64) -> Result<(), AuthFailure> {
        let mut after = String::new();
        loop {
            let page = self.documents.documents_of(KIND, &after, SWEEP_PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            for (id, document) in page {
                let family: Family = read(KIND, &document.bytes)?;
                if now_ms >= self.rules.ends_at_ms(&family) {
                    // A conflict: somebody was faster.
                    self.documents.remove_document(KIND, &id, document.version).await?;
                }
            }
        }
    }

    fn tell(&self, id: &str, family: &Family) {
        if let (Some(on_end), Some(sign_in)) = (self.on_end.get(), sign_in(id)) {
            on_end(family.user, sign_in);
        }
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
        let sign_in = sign_in(id).ok_or(AuthFailure::Internal)?;
        let token = format!("{open}.{secret}");
        Ok(Refresh { user: family.user, sign_in, token, expires_at_ms })
    }
}

/// The key of a sign-in's family.
fn name(SignIn(id): SignIn) -> String {
    format!("fam_{id:032x}")
}

/// The sign-in of a family's key.
fn sign_in(name: &str) -> Option<SignIn> {
    let id = name.strip_prefix("fam_")?;
    u128::from_str_radix(id, 16).ok().map(SignIn)
}
