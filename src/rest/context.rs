//! What the routes of sessions work with.

use super::{Asked, Problem, Response, Route, bearer};
use crate::auth::Auth;
use greenroom_actors::{Engine, port::Principal};
use http::Method;
use std::{fmt, sync::Arc, time::Duration};

/// Longest wait of a poll; shorter where requests must be answered sooner.
const POLL_WAIT_MAX: Duration = Duration::from_secs(25);

/// What the routes of sessions work with.
pub struct Context {
    /// Who asks.
    pub auth: Arc<Auth>,
    /// Whom they ask.
    pub engine: Arc<Engine>,
    /// How long a body may take to arrive.
    pub body_wait: Duration,
    /// How long a request may take to be answered.
    pub answer_wait: Duration,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    /// Who sends a request.
    pub(super) fn principal(&self, asked: &Asked) -> Result<Principal, Problem> {
        bearer(&self.auth, &asked.headers)
    }

    /// The longest wait of a poll.
    #[must_use]
    pub fn poll_wait(&self) -> Duration {
        POLL_WAIT_MAX.min(self.answer_wait.mul_f32(0.75))
    }
}

/// A route whose handler gets the context.
pub(super) fn route<F, A>(
    context: &Arc<Context>,
    method: Method,
    path: &'static str,
    handler: F,
) -> Route
where
    F: Fn(Arc<Context>, Asked) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let context = Arc::clone(context);
    Route::at(method, path, move |asked| handler(Arc::clone(&context), asked))
}
