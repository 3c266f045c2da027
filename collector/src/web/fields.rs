//! What a form sent: known fields, bounded values.

use crate::api::Problem;
use crate::api::query::bad;
use model::SiteName;
use std::fmt::Display;
use std::str::FromStr;
use store::accounts::Sites;

/// Fields of one form.
const MOST: usize = 200;
/// Octets of one value.
const LONGEST: usize = 4_096;

/// The fields of one form as it was sent.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Takes what a form sent.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for too many or too long values; what they say is not repeated.
    pub fn read(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        if pairs.len() > MOST {
            return Err(bad("form", "", format!("at most {MOST} fields")));
        }
        match pairs.iter().find(|(_, value)| value.len() > LONGEST) {
            Some((key, _)) => Err(bad(key, "", format!("at most {LONGEST} octets"))),
            None => Ok(Self(pairs)),
        }
    }

    /// The first value of a field, or nothing.
    #[must_use]
    pub fn one(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, value)| value.as_str())
    }

    /// All values of a field that are not empty.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, value)| k == key && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A field that says one of some words.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] with the words there are.
    pub fn word<T: FromStr + Display>(&self, key: &str, words: &[T]) -> Result<T, Problem> {
        let text = self.one(key);
        text.parse().map_err(|_| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            bad(key, text, words.join(", "))
        })
    }

    /// The fields `sites` and `site`: all sites with `sites=all`, else the named ones.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for what is no name of a site, for none at all, and for names beside `sites=all`.
    pub fn sites(&self) -> Result<Sites, Problem> {
        let all = self.all("sites").any(|word| word == "all");
        let names = self.all("site").flat_map(str::split_whitespace);
        let sites: Result<_, Problem> = names
            .map(|name| {
                name.parse::<SiteName>()
                    .map_err(|_| bad("site", name, "the name of a site".to_owned()))
            })
            .collect();
        let sites: std::collections::BTreeSet<SiteName> = sites?;
        match (all, sites.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some(sites)),
            // Two answers to one question: neither is guessed to be meant.
            (true, false) => Err(bad(
                "sites",
                "all",
                "all without names of sites, or names without all".to_owned(),
            )),
            (false, true) => Err(bad("site", "", "one site at least, or all".to_owned())),
        }
    }
}
