//! `account …`: who may sign in, for the host's operator without a browser.
//!
//! Works on the store's file, whether or not a collector runs on it. No password is ever given here: whoever an
//! account is for sets one by a link.

use super::Failure;
use super::agents::open;
use crate::config::Config;
use crate::door::{Door, RESET, Refused, SIGN_IN, Secret};
use crate::serve::clock;
use clap::Subcommand;
use model::{AccessRole, Scope, SiteName};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::accounts::{AccountChange, AccountRow, By, Changed, LinkKind, Sites};
use store::{Accounts as _, SqliteStore};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an account and print the one-time link that sets its password.
    Add {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// What the person is called.
        name: String,
        /// viewer, operator, compliance or admin.
        #[arg(long)]
        role: AccessRole,
        /// Only this site; several are several, none is all.
        #[arg(long, value_name = "NAME")]
        site: Vec<SiteName>,
    },
    /// List accounts: name, role, sites, state, last sign-in.
    List {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Give an account another role and sites; its sessions follow at once.
    Role {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Whose.
        name: String,
        /// viewer, operator, compliance or admin.
        #[arg(long)]
        role: AccessRole,
        /// Only this site; several are several, none is all.
        #[arg(long, value_name = "NAME")]
        site: Vec<SiteName>,
    },
    /// Switch an account off; its sessions end at once.
    Disable {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Whose.
        name: String,
        /// Switch it on again.
        #[arg(long)]
        undo: bool,
    },
    /// Take an account's second factor away: its password alone signs in until it sets up another.
    SecondFactorOff {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Whose.
        name: String,
    },
    /// Print a one-time link: to a new password, or with --sign-in straight to the pages.
    Link {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// For whom.
        name: String,
        /// Sign in by it, once, without a password.
        #[arg(long)]
        sign_in: bool,
    },
    /// Print a new token for a program (Authorization: Bearer …); it is shown once.
    Token {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// What it is called.
        name: String,
        /// see, act, sign, administer, metrics or wall; several are several.
        #[arg(long, required = true)]
        scope: Vec<Scope>,
        /// Only this site; several are several, none is all.
        #[arg(long, value_name = "NAME")]
        site: Vec<SiteName>,
        /// Days it holds.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
    },
}

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    let (Command::Add { config, .. }
    | Command::List { config }
    | Command::Role { config, .. }
    | Command::Disable { config, .. }
    | Command::SecondFactorOff { config, .. }
    | Command::Link { config, .. }
    | Command::Token { config, .. }) = command;
    let desk = Desk::open(config).await?;
    let done = desk.run(command).await;
    desk.store.close().await;
    done
}

struct Desk {
    config: Config,
    store: Arc<SqliteStore>,
    door: Door,
    by: By,
}

impl Desk {
    async fn open(path: &Path) -> Result<Self, Failure> {
        let (config, store) = open(path).await?;
        let store = Arc::new(store);
        let accounts = Arc::clone(&store) as Arc<dyn store::Accounts>;
        let door = Door::new(accounts, clock, config.access.times());
        Ok(Self {
            door: door.map_err(|e| Failure::other(&e))?,
            config,
            store,
            by: By {
                person: format!("uid {}", rustix::process::getuid().as_raw()),
                from: "command line".to_owned(),
            },
        })
    }

    async fn run(&self, command: &Command) -> Result<(), Failure> {
        match command {
            Command::Add { name, role, site, .. } => {
                let sites = self.sites(site)?;
                let made = self
                    .door
                    .add(name, *role, sites, &self.by)
                    .await
                    .map_err(refused)?;
                self.link(&made, LinkKind::Password).await
            }
            Command::List { .. } => {
                for account in self.store.accounts().await.map_err(|e| Failure::other(&e))? {
                    super::print(&format_args!("{}", line(&account)));
                }
                Ok(())
            }
            Command::Role { name, role, site, .. } => {
                let change = AccountChange::Rights(*role, self.sites(site)?);
                self.change(name, &change).await
            }
            Command::Disable { name, undo, .. } => self.change(name, &AccountChange::Disabled(!undo)).await,
            Command::SecondFactorOff { name, .. } => {
                let account = self.named(name).await?;
                let taken = self.door.take_second(account.account, &self.by).await;
                match taken.map_err(|e| Failure::other(&e))? {
                    true => {
                        super::print(&format_args!("{}", line(&self.named(name).await?)));
                        Ok(())
                    }
                    false => Err(complaint(format!("{name:?} has no second factor"))),
                }
            }
            Command::Link { name, sign_in, .. } => {
                let account = self.named(name).await?;
                let kind = if *sign_in {
                    LinkKind::SignIn
                } else {
                    LinkKind::Password
                };
                self.link(&account, kind).await
            }
            Command::Token {
                name,
                scope,
                site,
                days,
                ..
            } => {
                let scopes = scope.iter().copied().collect();
                let lasts = Duration::from_secs(u64::from(*days) * 86_400);
                let made = self
                    .door
                    .add_token(name, scopes, self.sites(site)?, lasts, &self.by);
                let secret = made.await.map_err(refused)?;
                super::print(&secret.reveal());
                Ok(())
            }
        }
    }

    fn sites(&self, names: &[SiteName]) -> Result<Sites, Failure> {
        let declared = |name: &SiteName| self.config.site.iter().any(|site| site.name == *name);
        match names.iter().find(|name| !declared(name)) {
            Some(stray) => Err(complaint(format!("no [[site]] is named {stray}"))),
            None => Ok((!names.is_empty()).then(|| names.iter().cloned().collect())),
        }
    }

    async fn named(&self, name: &str) -> Result<AccountRow, Failure> {
        let found = self
            .store
            .account_named(name)
            .await
            .map_err(|e| Failure::other(&e))?;
        let unknown = || complaint(format!("there is no account {name:?}; see account list"));
        found.map(|(account, _)| account).ok_or_else(unknown)
    }

    async fn change(&self, name: &str, change: &AccountChange) -> Result<(), Failure> {
        let account = self.named(name).await?;
        let changed = self.door.change(account.account, change, &self.by).await;
        match changed.map_err(|e| Failure::other(&e))? {
            Changed::Done => {
                let account = self.named(name).await?;
                super::print(&format_args!("{}", line(&account)));
                Ok(())
            }
            Changed::Unknown => Err(complaint(format!("there is no account {name:?}"))),
            Changed::LastAdmin => Err(complaint(
                "nobody would be left who may administer all sites".to_owned(),
            )),
        }
    }

    /// The link alone on standard output.
    async fn link(&self, account: &AccountRow, kind: LinkKind) -> Result<(), Failure> {
        let (path, lasts) = match kind {
            LinkKind::SignIn => ("/enter", SIGN_IN),
            LinkKind::SetUp | LinkKind::Password => ("/set-up", RESET),
        };
        let made = self.door.link(kind, Some(account.account), lasts, &self.by).await;
        let secret: Secret = made.map_err(refused)?;
        let path = format!("{path}?token={}", secret.reveal());
        super::print(&self.config.http.link(self.config.http.listen, &path));
        Ok(())
    }
}

fn complaint(line: String) -> Failure {
    Failure { code: 1, line }
}

fn refused(why: Refused) -> Failure {
    Failure::other(&why)
}

/// Columns between tabs, for people and scripts.
fn line(account: &AccountRow) -> String {
    let state = match account {
        AccountRow {
            disabled: Some(_), ..
        } => "disabled",
        AccountRow { external: true, .. } => "external",
        AccountRow {
            has_password: false, ..
        } => "no password",
        AccountRow { second: Some(_), .. } => "enabled, second factor",
        _ => "enabled",
    };
    format!(
        "{}\t{}\t{}\t{state}\t{}",
        account.name,
        account.role,
        crate::web::account::sites_words(&account.sites),
        account
            .last_sign_in
            .map_or_else(|| "-".to_owned(), |at| at.to_string()),
    )
}
