//! Users as documents.
//!
//! Two kinds: `user`, by id, holds the account; `email`, by address, names its user. Registering
//! writes the account first and the address last, and the address decides: a crash in between
//! leaves an account that nobody can reach, and the address free for the next try.

use super::{AuthFailure, Email};
use bytes::Bytes;
use greenroom_actors::port::{Documents, Put, StoreError};
use greenroom_protocol::id::UserId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc};

const USER: &str = "user";
const EMAIL: &str = "email";

/// An account.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) email: String,
    /// None: nobody can sign in with a password.
    pub(super) password_hash: Option<String>,
    pub(super) created_at_ms: u64,
    /// What others see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("created_at_ms", &self.created_at_ms).finish_non_exhaustive()
    }
}

/// An account as it was read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: UserId,
    pub(super) user: User,
    pub(super) version: u64,
}

#[derive(Serialize, Deserialize)]
struct Name {
    user: UserId,
}

/// The accounts in the store.
pub(super) struct Users(Arc<dyn Documents>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Users")
    }
}

impl Users {
    pub(super) fn new(documents: Arc<dyn Documents>) -> Self {
        Self(documents)
    }

    /// Creates an account, unless the address is taken.
    pub(super) async fn create(
        &self,
        id: UserId,
        user: &User,
        email: &Email,
    ) -> Result<(), AuthFailure> {
        let key = id.to_string();
        let written = self.0.put_document(USER, &key, 0, write(user)?).await?;
        let Put::Written(version) = written else {
            return Err(StoreError::Corrupt(format!("{key} exists before it was made")).into());
        };
        match self.0.put_document(EMAIL, email.as_str(), 0, write(&Name { user: id })?).await? {
            Put::Written(_) => Ok(()),
            Put::Conflict(_) => {
                // Only tidying: nothing names this account.
                let _ = self.0.remove_document(USER, &key, version).await;
                Err(AuthFailure::EmailTaken)
            }
        }
    }

    /// The account of an address. Reads as often where there is none.
    pub(super) async fn find(&self, email: &Email) -> Result<Option<Found>, AuthFailure> {
        let name = match self.0.document(EMAIL, email.as_str()).await? {
            Some(document) => Some(read::<Name>(EMAIL, &document.bytes)?),
            None => None,
        };
        self.get(name.map_or_else(|| UserId::new(uuid::Uuid::nil()), |name| name.user)).await
    }

    /// The account of a user.
    pub(super) async fn get(&self, id: UserId) -> Result<Option<Found>, AuthFailure> {
        let Some(document) = self.0.document(USER, &id.to_string()).await? else { return Ok(None) };
        let user = read(USER, &document.bytes)?;
        Ok(Some(Found { id, user, version: document.version }))
    }

    /// Changes an account; its version then. None: it has changed since it was read, and stays.
    pub(super) async fn replace(
        &self,
        found: &Found,
        user: &User,
    ) -> Result<Option<u64>, AuthFailure> {
        let key = found.id.to_string();
        match self.0.put_document(USER, &key, found.version, write(user)?).await? {
            Put::Written(version) => Ok(Some(version)),
            Put::Conflict(_) => Ok(None),
        }
    }
}

/// A document's bytes.
pub(super) fn write<T: Serialize>(value: &T) -> Result<Bytes, StoreError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| StoreError::Corrupt(e.to_string()))
}

/// A document from its bytes. The error does not repeat them.
pub(super) fn read<T: DeserializeOwned>(kind: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|e| StoreError::Corrupt(format!("a document {kind:?}, column {}", e.column())))
}
