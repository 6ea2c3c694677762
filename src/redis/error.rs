//! Why Redis did not do something.

/// Why Redis did not do something. Says nothing of passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// It did not answer of late, and was not asked.
    #[error("it does not answer")]
    Down,
    /// Its address cannot be used.
    #[error("its address cannot be used: {0}")]
    Unusable(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}
