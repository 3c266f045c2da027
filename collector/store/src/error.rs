//! What can go wrong with durable state, by what the caller can do about it.

/// A failed operation of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Busy or cut off: the same call may succeed later.
    #[error("store is busy or cut off")]
    Transient(#[source] sqlx::Error),
    /// The disk refused: nothing was committed; an operator must act.
    #[error("store cannot write")]
    Full(#[source] sqlx::Error),
    /// The store cannot be opened or brought to this version.
    #[error("store {path} cannot be opened")]
    Open {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The rows are not what this version wrote.
    #[error("store holds damaged data in {0}")]
    Damaged(&'static str),
    /// The caller broke the contract (reports not dense).
    #[error("report sequence {got} does not follow {cursor}")]
    NotDense {
        /// The durable cursor.
        cursor: u64,
        /// What came.
        got: u64,
    },
    /// Under this epoch a later export or the stream came first: earlier reports cannot follow.
    #[error("this store begins with report {start} of that spool, the export with {got}")]
    BeforeStart {
        /// The first sequence of the epoch here.
        start: u64,
        /// The export's.
        got: u64,
    },
    /// An agent began more spools than any honest one does.
    #[error("this agent has begun {0} spools: revoke it and enrol it anew")]
    TooManySpools(u64),
    /// The finding moved since it was looked at: look again.
    #[error("finding {0} moved meanwhile; nothing was done, look again")]
    Moved(model::FindingId),
    /// Anything else the database said.
    #[error("store refused the statement")]
    Permanent(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(database) => database.code().map(|c| c.into_owned()),
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => return Self::Transient(error),
            _ => None,
        };
        // SQLite result codes; the low byte is the primary code.
        match code.and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff) {
            Some(5 | 6) => Self::Transient(error),
            Some(8 | 10 | 13 | 14) => Self::Full(error),
            _ => Self::Permanent(error),
        }
    }
}
