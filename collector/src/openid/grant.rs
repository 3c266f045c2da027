//! From what the other party says of somebody to who that is here and what they may.
//!
//! Invariants: pure; whoever is in no group that is named is not let in; what somebody may is never more than one of
//! the groups gives: the highest role that any gives, at the sites of those that give it.

use super::token::Claims;
use crate::config::openid::GroupRole;
use model::{AccessRole, SiteName};
use serde_json::Value;
use std::collections::BTreeSet;
use store::accounts::Sites;

/// The value of a claim, by the keys that lead to it.
fn at<'a>(claims: &'a Claims, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(claims.get(first)?, |here, key| here.get(key))
}

/// What somebody is called, if the claim says it. An address names somebody only where the other party says beside it
/// that it has seen it work (`email_verified`): others can be made up.
#[must_use]
pub fn name<'a>(claims: &'a Claims, path: &[String]) -> Option<&'a str> {
    if let Some((key, above)) = path.split_last()
        && key == "email"
        && at(claims, &[above, &["email_verified".to_owned()]].concat()) != Some(&Value::Bool(true))
    {
        return None;
    }
    at(claims, path)?.as_str()
}

/// The groups that a claim lists.
fn groups<'a>(claims: &'a Claims, path: &[String]) -> BTreeSet<&'a str> {
    match at(claims, path) {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => [one.as_str()].into(),
        _ => BTreeSet::new(),
    }
}

/// What somebody may; [`None`] for whoever is in no group that is named.
#[must_use]
pub fn rights(claims: &Claims, path: &[String], roles: &[GroupRole]) -> Option<(AccessRole, Sites)> {
    let groups = groups(claims, path);
    let fits = || roles.iter().filter(|row| groups.contains(row.group.as_str()));
    let role = fits().map(|row| row.role).max()?;
    let sites: Option<Vec<&BTreeSet<SiteName>>> = fits()
        .filter(|row| row.role == role)
        .map(|row| row.sites.as_ref())
        .collect();
    Some((
        role,
        sites.map(|sites| sites.into_iter().flatten().cloned().collect()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    fn path(keys: &[&str]) -> Vec<String> {
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn groups_are_roles_and_nobody_may_more_than_one_of_them_gives() {
        let row = |group: &str, role, sites: Option<&[&str]>| GroupRole {
            group: group.into(),
            role,
            sites: sites.map(|sites| sites.iter().map(|name| name.parse().unwrap()).collect()),
        };
        let roles = [
            row("all", AccessRole::Viewer, None),
            row("ber", AccessRole::Operator, Some(&["berlin"])),
            row("lon", AccessRole::Operator, Some(&["london"])),
            row("ops", AccessRole::Operator, None),
            row("root", AccessRole::Admin, None),
        ];
        let sites = |names: &[&str]| Some(names.iter().map(|name| name.parse().unwrap()).collect());
        for (groups, expected) in [
            (json!([]), None),
            (json!(["nobody", "ALL", " all"]), None),
            (json!("all"), Some((AccessRole::Viewer, None))),
            (
                json!(["all", "ber"]),
                Some((AccessRole::Operator, sites(&["berlin"]))),
            ),
            (
                json!(["lon", "ber"]),
                Some((AccessRole::Operator, sites(&["berlin", "london"]))),
            ),
            (json!(["lon", "ops"]), Some((AccessRole::Operator, None))),
            (json!(["ber", "root"]), Some((AccessRole::Admin, None))),
            (json!({"root": true}), None),
            (json!([["root"], 7, null]), None),
            (json!(null), None),
        ] {
            let told = claims(json!({"groups": groups}));
            assert_eq!(rights(&told, &path(&["groups"]), &roles), expected, "{told:?}");
        }
        let deep = claims(json!({"realm_access": {"roles": ["root"]}, "realm_access.roles": ["all"]}));
        assert_eq!(
            rights(&deep, &path(&["realm_access", "roles"]), &roles),
            Some((AccessRole::Admin, None))
        );
        assert_eq!(
            rights(&deep, &path(&["realm_access.roles"]), &roles),
            Some((AccessRole::Viewer, None))
        );
    }

    #[test]
    fn a_name_is_a_text_and_an_address_one_that_was_seen_to_work() {
        let told = |more: Value| {
            let mut told = claims(json!({"preferred_username": "ada", "email": "ada@example.net", "n": 7}));
            told.extend(claims(more));
            told
        };
        let of = |more, key: &str| name(&told(more), &path(&[key])).map(str::to_owned);
        assert_eq!(of(json!({}), "preferred_username").unwrap(), "ada");
        for unseen in [json!(null), json!("yes"), json!("true"), json!(1)] {
            assert_eq!(of(json!({"email_verified": unseen}), "email"), None);
        }
        assert_eq!(of(json!({}), "email"), None);
        let deep = claims(json!({"email_verified": true, "info": {"email": "ada@example.net"}}));
        assert_eq!(name(&deep, &path(&["info", "email"])), None);
        assert_eq!(
            of(json!({"email_verified": true}), "email").unwrap(),
            "ada@example.net"
        );
        assert_eq!(of(json!({"email_verified": false}), "email"), None);
        assert_eq!(
            of(json!({"email_verified": false}), "preferred_username").unwrap(),
            "ada"
        );
        assert_eq!((of(json!({}), "n"), of(json!({}), "none")), (None, None));
    }
}
