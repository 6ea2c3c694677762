//! Signing up, signing in, staying signed in.

use super::{
    Access, AuthConfig, AuthConfigError, AuthFailure, Email, FieldError, JwtAuthenticator,
    KeyError, Keys, Ticket,
    password::{Passwords, check},
    refresh::{Families, Refresh},
    ticket::Tickets,
    users::{Found, User, Users},
};
use greenroom_actors::port::{
    AuthError, Authenticator, BoxFuture, Clock, Documents, Principal, SignIn,
};
use greenroom_protocol::id::UserId;
use std::{fmt, sync::Arc, time::Duration};

/// Address of the user that `greenroom dev` and `greenroom token` act as.
const DEMO_EMAIL: &str = "demo@localhost";

/// What a user gets who has signed in, and again at every refresh.
pub struct Grant {
    /// The user.
    pub user: UserId,
    /// The access token.
    pub access: Access,
    /// The refresh token.
    pub refresh_token: String,
    /// When the refresh token expires if it is not used, in milliseconds since 1970.
    pub refresh_expires_at_ms: u64,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why authentication cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AuthStartError {
    /// A setting cannot be.
    #[error(transparent)]
    Config(#[from] AuthConfigError),
    /// Passwords cannot be hashed.
    #[error("passwords cannot be hashed")]
    Hash(#[source] AuthFailure),
}

/// Authentication of one node.
pub struct Auth {
    clock: Arc<dyn Clock>,
    authenticator: Arc<JwtAuthenticator>,
    passwords: Passwords,
    users: Users,
    families: Families,
    tickets: Tickets,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("authenticator", &self.authenticator).finish_non_exhaustive()
    }
}

impl Auth {
    /// Authentication with these keys over this store. Takes as long as hashing one password.
    ///
    /// # Errors
    /// [`AuthStartError`].
    pub async fn new(
        config: &AuthConfig,
        keys: Keys,
        documents: Arc<dyn Documents>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthStartError> {
        config.validate()?;
        let keys = Arc::new(keys);
        Ok(Self {
            clock,
            authenticator: Arc::new(JwtAuthenticator::new(config, Arc::clone(&keys))),
            passwords: Passwords::new(config).await.map_err(AuthStartError::Hash)?,
            users: Users::new(Arc::clone(&documents)),
            families: Families::new(config, keys, documents),
            tickets: Tickets::new(Duration::from_secs(config.ticket_secs), config.tickets_max),
        })
    }

    /// Has sign-ins that end before their time told, so that what they opened can be closed. Once;
    /// later calls change nothing.
    pub fn on_sign_out(&self, tell: impl Fn(UserId, SignIn) + Send + Sync + 'static) {
        let (authenticator, clock) = (Arc::clone(&self.authenticator), Arc::clone(&self.clock));
        let _ = self.families.on_end.set(Box::new(move |user, sign_in| {
            authenticator.end(sign_in, clock.now_ms());
            tell(user, sign_in);
        }));
    }

    /// A sign-in has ended on another node: its tokens are refused here, too.
    pub fn ended_elsewhere(&self, sign_in: SignIn) {
        self.authenticator.end(sign_in, self.clock.now_ms());
    }

    /// Checks an access token as of now.
    ///
    /// # Errors
    /// [`AuthError`].
    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        self.authenticator.verify(token, self.clock.now_ms())
    }

    /// Creates an account and signs in.
    ///
    /// # Errors
    /// [`AuthFailure::Invalid`], [`AuthFailure::EmailTaken`] and those of a busy or failing server.
    pub async fn register(&self, email: &str, password: String) -> Result<Grant, AuthFailure> {
        let password_error = check(&password).err();
        let email = match (Email::parse(email), password_error) {
            (Ok(email), None) => email,
            (email, password_error) => {
                let email_error = email
                    .err()
                    .map(|error| FieldError { path: "/email", message: error.to_string() });
                let errors = email_error.into_iter().chain(password_error).collect();
                return Err(AuthFailure::Invalid(errors));
            }
        };
        // Hashed before the address is looked up: a taken one answers no sooner.
        let hash = self.passwords.hash(password).await?;
        let user = self.create(&email, Some(hash)).await?;
        self.begin(user).await
    }

    /// Signs in. An unknown address takes as long as a wrong password and answers the same.
    ///
    /// # Errors
    /// [`AuthFailure::BadCredentials`] and those of a busy or failing server.
    pub async fn login(&self, email: &str, password: String) -> Result<Grant, AuthFailure> {
        let found = match Email::parse(email) {
            Ok(email) => self.users.find(&email).await?,
            Err(_) => None,
        };
        let hash = found.as_ref().and_then(|found| found.user.password_hash.clone());
        let right = self.passwords.verify(password.clone(), hash).await?;
        let found = found.filter(|_| right).ok_or(AuthFailure::BadCredentials)?;
        self.renew_hash(&found, password).await;
        self.begin(found.id).await
    }

    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// [`AuthFailure::BadRefreshToken`] and those of a failing store.
    pub async fn refresh(&self, token: &str) -> Result<Grant, AuthFailure> {
        let refresh = self.families.exchange(token, self.clock.now_ms()).await?;
        self.grant(refresh)
    }

    /// Ends the sign-in that a refresh token belongs to, with its access tokens.
    ///
    /// # Errors
    /// Those of a failing store; a token that is not valid is no error.
    pub async fn logout(&self, token: &str) -> Result<(), AuthFailure> {
        self.families.end(token).await
    }

    /// An access token for a user, without signing in; for the command line.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], which a key that was loaded never is.
    pub fn issue_access(&self, user: UserId, life: Duration) -> Result<Access, KeyError> {
        self.authenticator.issue_for(user, life, self.clock.now_ms())
    }

    /// The user with an e-mail address; none: there is no such account.
    ///
    /// # Errors
    /// Those of a failing store.
    pub async fn user(&self, email: &str) -> Result<Option<UserId>, AuthFailure> {
        let Ok(email) = Email::parse(email) else { return Ok(None) };
        Ok(self.users.find(&email).await?.map(|found| found.id))
    }

    /// A ticket for somebody whose token was checked.
    ///
    /// # Errors
    /// [`AuthFailure::Busy`] while too many are outstanding.
    pub fn issue_ticket(&self, principal: Principal) -> Result<Ticket, AuthFailure> {
        self.tickets.issue(principal, self.clock.now_ms())
    }

    /// Uses a ticket up; none: it is unknown, expired or was used.
    #[must_use]
    pub fn redeem_ticket(&self, ticket: &str) -> Option<Principal> {
        let principal = self.tickets.redeem(ticket, self.clock.now_ms());
        principal.filter(|principal| self.authenticator.is_signed_in(principal))
    }

    /// The demo user, which is created where it does not exist. Nobody can sign in as it; its
    /// tokens come from [`Auth::issue_access`].
    ///
    /// # Errors
    /// Those of a failing store.
    pub async fn ensure_demo_user(&self) -> Result<UserId, AuthFailure> {
        let email = Email::parse(DEMO_EMAIL).map_err(|_| AuthFailure::Internal)?;
        if let Some(found) = self.users.find(&email).await? {
            return Ok(found.id);
        }
        match self.create(&email, None).await {
            // Another process was faster.
            Err(AuthFailure::EmailTaken) => {
                let found = self.users.find(&email).await?;
                found.map(|found| found.id).ok_or(AuthFailure::Internal)
            }
            created => created,
        }
    }

    async fn create(&self, email: &Email, hash: Option<String>) -> Result<UserId, AuthFailure> {
        let now_ms = self.clock.now_ms();
        let uuid = uuid::Builder::from_unix_timestamp_millis(now_ms, &rand::random()).into_uuid();
        let user = User {
            email: email.as_str().to_owned(),
            password_hash: hash,
            created_at_ms: now_ms,
            name: None,
        };
        let id = UserId::new(uuid);
        self.users.create(id, &user, email).await?;
        Ok(id)
    }

    async fn begin(&self, user: UserId) -> Result<Grant, AuthFailure> {
        let refresh = self.families.begin(user, self.clock.now_ms()).await?;
        self.grant(refresh)
    }

    fn grant(&self, refresh: Refresh) -> Result<Grant, AuthFailure> {
        let (user, sign_in, now_ms) = (refresh.user, refresh.sign_in, self.clock.now_ms());
        let access = self.authenticator.issue(user, sign_in, now_ms).map_err(|error| {
            tracing::error!(%error, "issuing an access token failed");
            AuthFailure::Internal
        })?;
        Ok(Grant {
            user: refresh.user,
            access,
            refresh_token: refresh.token,
            refresh_expires_at_ms: refresh.expires_at_ms,
        })
    }

    /// Hashes a right password anew where the cost was changed; signing in does not depend on it.
    async fn renew_hash(&self, found: &Found, password: String) {
        let outdated = |hash: &String| self.passwords.is_outdated(hash);
        if !found.user.password_hash.as_ref().is_some_and(outdated) {
            return;
        }
        let renewed = async {
            let hash = self.passwords.hash(password).await?;
            let user = User { password_hash: Some(hash), ..found.user.clone() };
            self.users.replace(found, &user).await.map(drop)
        };
        if let Err(error) = renewed.await {
            tracing::warn!(%error, user = %found.id, "a password's hash keeps its old cost");
        }
    }
}

/// For the engine.
impl Authenticator for Auth {
    fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, AuthError> {
        self.authenticator.verify(token, now_ms)
    }

    fn sweep(&self, now_ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.families.sweep(now_ms).await {
                tracing::warn!(%error, "expired sign-ins stay until the next sweep");
            }
        })
    }
}

mod profile;
pub use profile::Profile;

#[cfg(test)]
mod tests;
