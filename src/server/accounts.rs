//! The demo account, and tokens made on demand.

use super::{Account, Issued, SystemClock, Tokens, parts::chain};
use crate::{
    auth::{Access, Auth, AuthFailure, Keys},
    config::{Config, StoreKind},
    failure::Failure,
    store::{cql::CqlStore, sqlite::Observer},
};
use greenroom_actors::port::Documents;
use std::{sync::Arc, time::Duration};
use tokio::task::spawn_blocking;

/// Signs in to an account, which is created where it does not exist.
pub(super) async fn sign_in(auth: &Auth, account: Account) -> Result<Tokens, Failure> {
    let Account { email, password } = account;
    let grant = match auth.register(&email, password.clone()).await {
        Err(AuthFailure::EmailTaken) => auth.login(&email, password).await,
        grant => grant,
    };
    match grant {
        Ok(grant) => Ok(Tokens {
            access: grant.access.token,
            refresh: grant.refresh_token,
            access_expires_at_ms: grant.access.expires_at_ms,
        }),
        // Another password than was given: whoever runs the server gets in all the same.
        Err(AuthFailure::BadCredentials) => {
            let access = issue(auth, &email, SIGN_IN_LIFE).await?;
            Ok(Tokens {
                access: access.token,
                refresh: String::new(),
                access_expires_at_ms: access.expires_at_ms,
            })
        }
        Err(error) => Err(Failure::Failed(chain(&error))),
    }
}

/// Makes an access token for a user of the store; none: the demo user.
///
/// # Errors
/// [`Failure::Unavailable`] where there is no store, [`Failure::Failed`] where there is no user.
pub async fn token(config: Config, email: Option<&str>, secs: u64) -> Result<Issued, Failure> {
    let (keys, documents) = open(&config).await?;
    let auth = Auth::new(&config.auth, keys, documents, Arc::new(SystemClock)).await;
    let auth = auth.map_err(|error| Failure::Failed(chain(&error)))?;
    let email = email.unwrap_or(DEMO_EMAIL);
    let access = issue(&auth, email, Duration::from_secs(secs)).await?;
    let (access, expires_at_ms) = (access.token, access.expires_at_ms);
    Ok(Issued { access, email: email.to_owned(), expires_at_ms })
}

async fn issue(auth: &Auth, email: &str, life: Duration) -> Result<Access, Failure> {
    let user = auth.user(email).await.map_err(|error| Failure::Failed(chain(&error)))?;
    let user = user.ok_or_else(|| {
        Failure::Failed(format!("{email} has no account here; register it first"))
    })?;
    auth.issue_access(user, life).map_err(|error| Failure::Failed(chain(&error)))
}

/// Life of a token for an account whose password is not known here.
const SIGN_IN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Address of the demo account.
pub(crate) const DEMO_EMAIL: &str = "demo@localhost";

async fn open(config: &Config) -> Result<(Keys, Arc<dyn Documents>), Failure> {
    let unusable = |error: &dyn std::error::Error| Failure::Unavailable(chain(error));
    let cluster: Option<Arc<dyn Documents>> = match config.store.kind {
        StoreKind::Sqlite => None,
        StoreKind::Cql => {
            let opened = CqlStore::open(&config.store.cql()).await;
            Some(Arc::new(opened.map_err(|error| unusable(&error))?))
        }
    };
    let (auth, data_dir) = (config.auth.clone(), config.server.data_dir.clone());
    let opened = spawn_blocking(move || {
        let documents: Arc<dyn Documents> = match cluster {
            Some(documents) => documents,
            None => Arc::new(Observer::open(&data_dir).map_err(|error| unusable(&error))?),
        };
        let keys = Keys::load_or_create(&auth, &data_dir).map_err(|error| unusable(&error))?;
        Ok((keys, documents))
    });
    opened.await.map_err(|error| Failure::Failed(error.to_string()))?
}
