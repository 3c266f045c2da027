//! The way into the pages of a house: an account for people and a token for the lab itself.
//!
//! The token is of the lab's own collector and dies with its data; it is in memory only.

use super::HouseError;
use collector::config::Config;
use collector::door::{Door, Refused, SIGN_IN};
use collector::serve::clock;
use model::{AccessRole, Scope};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::accounts::{By, LinkKind};
use store::{Accounts, SqliteStore};

/// What the account is called.
const NAME: &str = "lab";
/// How long the token holds: longer than anybody looks at a demonstration, also by a clock that jumps.
const LASTS: Duration = Duration::from_secs(3_650 * 86_400);

/// What opens the door of one house.
#[derive(Default)]
pub(super) struct Key {
    /// Path of the link that signs a browser in.
    pub(super) link: String,
    /// What programs show.
    pub(super) token: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Makes one at the store of this configuration, beside the collector that runs on it.
    pub(super) async fn cut(config: &Path) -> Result<Self, HouseError> {
        let failed = |error: &dyn std::error::Error| HouseError::Door {
            path: config.to_owned(),
            why: collector::admin::chain(error),
        };
        let read = Config::read(config).map_err(|e| failed(&e))?;
        let store = SqliteStore::open(&read.store.path)
            .await
            .map_err(|e| failed(&e))?;
        let store = Arc::new(store);
        let door = Door::new(
            Arc::clone(&store) as Arc<dyn Accounts>,
            clock,
            read.access.times(),
        )
        .map_err(|e| failed(&e))?;
        let cut = cut(&store, &door).await.map_err(|e| failed(&e));
        store.close().await;
        cut
    }
}

async fn cut(store: &SqliteStore, door: &Door) -> Result<Key, Refused> {
    let by = By {
        person: NAME.to_owned(),
        from: "lab".to_owned(),
    };
    // The same data again has the account already.
    let account = match store.account_named(NAME).await? {
        Some((account, _)) => account,
        None => door.add(NAME, AccessRole::Admin, None, &by).await?,
    };
    let link = door
        .link(LinkKind::SignIn, Some(account.account), SIGN_IN, &by)
        .await?;
    let scopes = [
        Scope::See,
        Scope::Act,
        Scope::Sign,
        Scope::Administer,
        Scope::Metrics,
    ];
    let token = door.add_token(NAME, scopes.into(), None, LASTS, &by).await?;
    Ok(Key {
        link: format!("/enter?token={}", link.reveal()),
        token: token.reveal().to_owned(),
    })
}
