//! Passwords: what is one, and argon2id (RFC 9106) off the threads that serve pages.
//!
//! Invariants: at most [`AT_ONCE`] are worked on, each with 19 MiB; nobody's password takes
//! as long as somebody's, so that the time tells no names.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hashes worked on at once.
const AT_ONCE: usize = 2;
/// Who waits longer for a turn is sent away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a password.
const LEAST: usize = 12;
/// Octets of a password: what is longer is hashed in vain.
const MOST: usize = 1_024;

/// What a password is compared with where there is none.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody has this password"));

/// Whose turn it is.
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        turn.ok()?.ok()
    }

    /// Whether a password fits a PHC string; without one it never does. [`None`] when there was no turn.
    pub async fn fits(&self, password: &str, hash: Option<String>) -> Option<bool> {
        let turn = self.turn().await?;
        let password = password.to_owned();
        let work = move || {
            let _turn = turn;
            let known = hash.is_some();
            let hash = hash.or_else(|| NOBODY.clone()).unwrap_or_default();
            password.len() <= MOST && verify(&password, &hash) && known
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// The PHC string of a password. [`None`] when there was no turn.
    pub async fn hash(&self, password: &str) -> Option<String> {
        let turn = self.turn().await?;
        let password = password.to_owned();
        let work = move || {
            let _turn = turn;
            hash(&password)
        };
        tokio::task::spawn_blocking(work).await.ok()?
    }
}

fn hash(password: &str) -> Option<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.ok().map(|hash| hash.to_string())
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Whether this can be the password of `name`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check(password: &str, name: &str) -> Result<(), &'static str> {
    if password.chars().count() < LEAST {
        return Err("a password has 12 characters or more");
    }
    if password.len() > MOST {
        return Err("a password has 1024 octets at most");
    }
    let plain = password.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = plain.chars().collect();
    if distinct.len() < 5 {
        return Err("a password has 5 different characters or more");
    }
    if name.chars().count() >= 3 && plain.contains(&name.to_lowercase()) {
        return Err("a password does not hold the name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_fits() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(
            Some(&hash),
            passwords.hash("correct horse battery").await.as_ref(),
            "salted"
        );
        for (password, kept, fits) in [
            ("correct horse battery", Some(hash.clone()), true),
            ("correct horse batterz", Some(hash.clone()), false),
            ("", Some(hash), false),
            ("nobody has this password", None, false),
            ("correct horse battery", Some("not a hash".to_owned()), false),
        ] {
            assert_eq!(passwords.fits(password, kept).await, Some(fits), "{password}");
        }
    }

    #[test]
    fn a_password_is_long_and_not_the_name() {
        for (password, good) in [
            ("a dozen chars", true),
            ("eleven char", false),
            ("aaaaaaaaaaaaaaaa", false),
            ("12 Zeichen äöü", true),
            ("my name is Hanna!", false),
            (&"ab cd ef ".repeat(200), false),
        ] {
            assert_eq!(check(password, "hanna").is_ok(), good, "{password}");
        }
    }
}
