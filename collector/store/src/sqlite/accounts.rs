//! Accounts and one-time links in rows, and what is done with them in the audit log.

use super::{SqliteStore, links, log, row, second, sessions};
use crate::StoreError;
use crate::accounts::{
    AccountChange, AccountRow, Accounts, By, Changed, Deed, Link, LinkKind, LinkUse, NewAccount, NewSecond,
    NewSession, Second, SessionRow, Sites, TokenRow, Vouched,
};
use crate::acts::Note;
use model::{AccessRole, Instant, Person, SiteName};
use serde_json::{Value, json};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

#[async_trait::async_trait]
impl Accounts for SqliteStore {
    async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM account ORDER BY name_key")
            .fetch_all(&self.doors)
            .await?;
        rows.iter().map(account).collect()
    }

    async fn account_named(&self, name: &str) -> Result<Option<(AccountRow, Option<String>)>, StoreError> {
        one(&self.doors, "name_key", &name.to_lowercase()).await
    }

    async fn account(&self, account: Uuid) -> Result<Option<(AccountRow, Option<String>)>, StoreError> {
        one(&self.doors, "account_id", &account.to_string()).await
    }

    async fn add_account(
        &self,
        new: &NewAccount,
        by: &By,
        now: Instant,
    ) -> Result<Option<AccountRow>, StoreError> {
        let mut write = self.begin().await?;
        let made = insert(write.sql()?, new, false, None, now).await?;
        let Some(made) = made else {
            self.release(write).await?;
            return Ok(None);
        };
        let detail = rights(new.role, &new.sites);
        told(write.sql()?, by, "account_made", &made.name, &detail, now).await?;
        self.commit_quietly(write).await?;
        Ok(Some(made))
    }

    async fn vouched(&self, new: &NewAccount, by: &By, now: Instant) -> Result<Vouched, StoreError> {
        let mut write = self.begin().await?;
        let found = find(write.sql()?, "name_key", &new.name.to_lowercase()).await?;
        let made = match found {
            None => insert(write.sql()?, new, true, None, now).await?,
            Some((is, _)) if !is.external || is.disabled.is_some() => None,
            Some((is, _)) if leaves(new.role, &new.sites) && is_last(write.sql()?, &is).await? => {
                self.release(write).await?;
                return Ok(Vouched::LastAdmin);
            }
            Some((is, _)) => {
                set_rights(write.sql()?, is.account, new.role, &new.sites).await?;
                Some(AccountRow {
                    role: new.role,
                    sites: new.sites.clone(),
                    ..is
                })
            }
        };
        let Some(made) = made else {
            self.release(write).await?;
            return Ok(Vouched::NotHere);
        };
        let detail = rights(new.role, &new.sites);
        told(write.sql()?, by, "account_vouched", &made.name, &detail, now).await?;
        self.commit_quietly(write).await?;
        Ok(Vouched::In(made))
    }

    async fn change_account(
        &self,
        account: Uuid,
        change: &AccountChange,
        by: &By,
        now: Instant,
    ) -> Result<Changed, StoreError> {
        let mut write = self.begin().await?;
        let changed = self::change(write.sql()?, account, change, by, now).await?;
        if changed == Changed::Done {
            self.commit_quietly(write).await?;
        } else {
            self.release(write).await?;
        }
        Ok(changed)
    }

    async fn second(&self, account: Uuid) -> Result<Option<Second>, StoreError> {
        second::find(&self.doors, account).await
    }

    async fn hold_second(
        &self,
        account: Uuid,
        new: &NewSecond,
        keep: Uuid,
        by: &By,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let Some(name) = second::hold(write.sql()?, account, new, now).await? else {
            self.release(write).await?;
            return Ok(false);
        };
        sessions::end_all(write.sql()?, account, Some(keep)).await?;
        told(write.sql()?, by, "second_factor_on", &name, &Value::Null, now).await?;
        self.commit_quietly(write).await?;
        Ok(true)
    }

    async fn use_step(&self, account: Uuid, step: i64) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let used = second::use_step(write.sql()?, account, step).await?;
        self.commit_quietly(write).await?;
        Ok(used)
    }

    async fn use_recovery(
        &self,
        account: Uuid,
        hash: &str,
        by: &By,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let Some((name, left)) = second::use_recovery(write.sql()?, account, hash).await? else {
            self.release(write).await?;
            return Ok(false);
        };
        let detail = json!({"left": left});
        told(write.sql()?, by, "recovery_code_used", &name, &detail, now).await?;
        self.commit_quietly(write).await?;
        Ok(true)
    }

    async fn drop_second(&self, account: Uuid, by: &By, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let Some(name) = second::forget(write.sql()?, account).await? else {
            self.release(write).await?;
            return Ok(false);
        };
        told(write.sql()?, by, "second_factor_off", &name, &Value::Null, now).await?;
        self.commit_quietly(write).await?;
        Ok(true)
    }

    async fn add_link(&self, link: &Link, by: &By, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        let tx = write.sql()?;
        let account = link.account.map(|account| account.to_string());
        sqlx::query("DELETE FROM one_time_link WHERE expires_at <= $1 OR (kind = $2 AND account_id IS $3)")
            .bind(now.0)
            .bind(link.kind.as_str())
            .bind(&account)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO one_time_link (link_hash, kind, account_id, expires_at, recorded_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&link.hash)
        .bind(link.kind.as_str())
        .bind(&account)
        .bind(link.expires.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let name = match &account {
            Some(account) => find(&mut *tx, "account_id", account).await?,
            None => None,
        };
        let name = name.map(|(row, _)| row.name).unwrap_or_default();
        let detail = json!({"kind": link.kind.as_str()});
        told(tx, by, "link_made", &name, &detail, now).await?;
        self.commit_quietly(write).await
    }

    async fn link(
        &self,
        hash: &str,
        now: Instant,
    ) -> Result<Option<(LinkKind, Option<AccountRow>)>, StoreError> {
        let mut connection = self.doors.acquire().await?;
        links::opened(&mut connection, hash, now).await
    }

    async fn use_link(
        &self,
        hash: &str,
        with: &LinkUse,
        from: &str,
        now: Instant,
    ) -> Result<Option<AccountRow>, StoreError> {
        let mut write = self.begin().await?;
        match links::consume(write.sql()?, hash, with, from, now).await? {
            Some(account) => {
                self.commit_quietly(write).await?;
                Ok(Some(account))
            }
            None => {
                self.release(write).await?;
                Ok(None)
            }
        }
    }

    async fn open_session(
        &self,
        new: &NewSession,
        by: &By,
        how: &str,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sessions::open(write.sql()?, new, by, now).await?;
        told(write.sql()?, by, how, "", &Value::Null, now).await?;
        self.commit_quietly(write).await
    }

    async fn session(
        &self,
        hash: &str,
        idle: Instant,
        now: Instant,
    ) -> Result<Option<(SessionRow, Person)>, StoreError> {
        sessions::find(&self.doors, hash, idle, now).await
    }

    async fn touch_session(&self, session: Uuid, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sessions::touch(write.sql()?, session, now).await?;
        self.commit_quietly(write).await
    }

    async fn sessions(
        &self,
        of: Option<Uuid>,
        idle: Instant,
        now: Instant,
    ) -> Result<Vec<SessionRow>, StoreError> {
        sessions::list(&self.doors, of, idle, now).await
    }

    async fn end_session(&self, session: Uuid, by: &By, how: &str, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let Some(whose) = sessions::end(write.sql()?, session).await? else {
            self.release(write).await?;
            return Ok(false);
        };
        told(write.sql()?, by, how, &whose, &Value::Null, now).await?;
        self.commit_quietly(write).await?;
        Ok(true)
    }

    async fn add_token(&self, hash: &str, token: &TokenRow, by: &By) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sessions::add_token(write.sql()?, hash, token).await?;
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let detail = json!({"scopes": scopes, "sites": token.sites, "expires": token.expires.to_string()});
        told(
            write.sql()?,
            by,
            "token_made",
            &token.name,
            &detail,
            token.recorded,
        )
        .await?;
        self.commit_quietly(write).await
    }

    async fn token(&self, hash: &str, now: Instant) -> Result<Option<TokenRow>, StoreError> {
        sessions::token(&self.doors, hash, now).await
    }

    async fn touch_token(&self, token: Uuid, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sessions::touch_token(write.sql()?, token, now).await?;
        self.commit_quietly(write).await
    }

    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        sessions::tokens(&self.doors).await
    }

    async fn end_token(&self, token: Uuid, by: &By, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let Some(name) = sessions::end_token(write.sql()?, token, now).await? else {
            self.release(write).await?;
            return Ok(false);
        };
        told(write.sql()?, by, "token_ended", &name, &Value::Null, now).await?;
        self.commit_quietly(write).await?;
        Ok(true)
    }

    async fn record(&self, deeds: &[Deed]) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        for deed in deeds {
            append(
                write.sql()?,
                &deed.by,
                &deed.action,
                &deed.subjects,
                &Value::Null,
                deed.at,
            )
            .await?;
        }
        self.commit_quietly(write).await
    }
}

fn account(r: &SqliteRow) -> Result<AccountRow, StoreError> {
    Ok(AccountRow {
        account: row::word(r.try_get("account_id")?, "account")?,
        name: r.try_get("name")?,
        role: row::word(r.try_get("role")?, "account")?,
        sites: sites(r)?,
        external: r.try_get("external")?,
        has_password: r.try_get::<Option<String>, _>("password_hash")?.is_some(),
        disabled: row::instant(r.try_get("disabled_at")?),
        last_sign_in: row::instant(r.try_get("last_sign_in_at")?),
        second: row::instant(r.try_get("second_at")?),
        recorded: Instant(r.try_get("recorded_at")?),
    })
}

/// The column `sites`.
pub fn sites(r: &SqliteRow) -> Result<Sites, StoreError> {
    let text: Option<&str> = r.try_get("sites")?;
    text.map(|text| {
        text.split_whitespace()
            .map(|name| row::site(name.to_owned()))
            .collect()
    })
    .transpose()
}

/// The text of the column `sites`.
pub fn sites_text(sites: &Sites) -> Option<String> {
    let names = |sites: &std::collections::BTreeSet<SiteName>| {
        let names: Vec<&str> = sites.iter().map(SiteName::as_str).collect();
        names.join(" ")
    };
    sites.as_ref().map(names)
}

fn rights(role: AccessRole, sites: &Sites) -> Value {
    json!({"role": role.as_str(), "sites": sites})
}

async fn one(
    pool: &SqlitePool,
    column: &'static str,
    key: &str,
) -> Result<Option<(AccountRow, Option<String>)>, StoreError> {
    let mut connection = pool.acquire().await?;
    find(&mut connection, column, key).await
}

pub(super) async fn find(
    tx: &mut SqliteConnection,
    column: &'static str,
    key: &str,
) -> Result<Option<(AccountRow, Option<String>)>, StoreError> {
    let text = match column {
        "name_key" => "SELECT * FROM account WHERE name_key = $1",
        _ => "SELECT * FROM account WHERE account_id = $1",
    };
    let found = sqlx::query(text).bind(key).fetch_optional(tx).await?;
    found
        .map(|r| Ok((account(&r)?, r.try_get("password_hash")?)))
        .transpose()
}

pub(super) async fn insert(
    tx: &mut SqliteConnection,
    new: &NewAccount,
    external: bool,
    password: Option<&str>,
    now: Instant,
) -> Result<Option<AccountRow>, StoreError> {
    let account = Uuid::now_v7();
    let done = sqlx::query(
        "INSERT INTO account (account_id, name, name_key, role, sites, external, password_hash, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name_key) DO NOTHING",
    )
    .bind(account.to_string())
    .bind(&new.name)
    .bind(new.name.to_lowercase())
    .bind(new.role.as_str())
    .bind(sites_text(&new.sites))
    .bind(external)
    .bind(password)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok((done.rows_affected() == 1).then(|| AccountRow {
        account,
        name: new.name.clone(),
        role: new.role,
        sites: new.sites.clone(),
        external,
        has_password: password.is_some(),
        disabled: None,
        last_sign_in: None,
        second: None,
        recorded: now,
    }))
}

async fn set_rights(
    tx: &mut SqliteConnection,
    account: Uuid,
    role: AccessRole,
    sites: &Sites,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE account SET role = $1, sites = $2 WHERE account_id = $3")
        .bind(role.as_str())
        .bind(sites_text(sites))
        .bind(account.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether nobody with these rights may administer.
fn leaves(role: AccessRole, sites: &Sites) -> bool {
    role != AccessRole::Admin || sites.is_some()
}

/// Whether an admin is the last who may administer all sites.
async fn is_last(tx: &mut SqliteConnection, is: &AccountRow) -> Result<bool, StoreError> {
    if is.role != AccessRole::Admin || is.disabled.is_some() {
        return Ok(false);
    }
    let others: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM account WHERE role = 'admin' AND sites IS NULL AND disabled_at IS NULL \
         AND account_id <> $1",
    )
    .bind(is.account.to_string())
    .fetch_one(tx)
    .await?;
    Ok(others == 0)
}

async fn change(
    tx: &mut SqliteConnection,
    account: Uuid,
    change: &AccountChange,
    by: &By,
    now: Instant,
) -> Result<Changed, StoreError> {
    let key = account.to_string();
    let Some((is, _)) = find(&mut *tx, "account_id", &key).await? else {
        return Ok(Changed::Unknown);
    };
    let leaves = match change {
        AccountChange::Rights(role, sites) => self::leaves(*role, sites),
        AccountChange::Disabled(off) => *off,
        AccountChange::Password(..) => false,
    };
    if leaves && is_last(&mut *tx, &is).await? {
        return Ok(Changed::LastAdmin);
    }
    let (action, detail) = match change {
        AccountChange::Rights(role, sites) => {
            set_rights(&mut *tx, account, *role, sites).await?;
            ("account_rights", rights(*role, sites))
        }
        AccountChange::Disabled(off) => {
            sqlx::query("UPDATE account SET disabled_at = $1 WHERE account_id = $2")
                .bind(off.then_some(now.0))
                .bind(&key)
                .execute(&mut *tx)
                .await?;
            if *off {
                sessions::end_all(&mut *tx, account, None).await?;
                forget_links(&mut *tx, &key).await?;
            }
            (
                if *off {
                    "account_disabled"
                } else {
                    "account_enabled"
                },
                Value::Null,
            )
        }
        AccountChange::Password(hash, keep) => {
            set_password(&mut *tx, account, hash, *keep).await?;
            ("password_changed", Value::Null)
        }
    };
    told(tx, by, action, &is.name, &detail, now).await?;
    Ok(Changed::Done)
}

async fn forget_links(tx: &mut SqliteConnection, account: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM one_time_link WHERE account_id = $1")
        .bind(account)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_password(
    tx: &mut SqliteConnection,
    account: Uuid,
    hash: &str,
    keep: Option<Uuid>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE account SET password_hash = $1 WHERE account_id = $2")
        .bind(hash)
        .bind(account.to_string())
        .execute(&mut *tx)
        .await?;
    sessions::end_all(&mut *tx, account, keep).await?;
    forget_links(tx, &account.to_string()).await
}

pub(super) async fn told(
    tx: &mut SqliteConnection,
    by: &By,
    action: &str,
    subject: &str,
    detail: &Value,
    now: Instant,
) -> Result<(), StoreError> {
    let subjects: Vec<String> = (!subject.is_empty())
        .then(|| subject.to_owned())
        .into_iter()
        .collect();
    append(tx, by, action, &subjects, detail, now).await
}

async fn append(
    tx: &mut SqliteConnection,
    by: &By,
    action: &str,
    subjects: &[String],
    detail: &Value,
    at: Instant,
) -> Result<(), StoreError> {
    let detail = match detail {
        Value::Null => json!({}),
        other => other.clone(),
    };
    let note = Note {
        person: by.person.clone(),
        account: by.from.clone(),
        action: action.to_owned(),
        subjects: subjects.to_vec(),
        detail: row::json(&detail, "audit")?,
    };
    log::write(tx, &note, at).await
}
