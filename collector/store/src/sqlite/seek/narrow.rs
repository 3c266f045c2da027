//! Clauses as SQL.
//!
//! Invariant: every value is a bound parameter.

use super::Listed;
use crate::clause::{Bound, Clause, Is};
use crate::sqlite::findings::escaped;
use sqlx::{QueryBuilder, Sqlite};

/// Adds each clause with `AND` before it, so wrapped that no index is chosen for it: the order's or the few keys lead.
pub fn narrow<F: Listed>(query: &mut QueryBuilder<Sqlite>, clauses: &[Clause<F>]) {
    for clause in clauses {
        query.push(if clause.not {
            " AND NOT COALESCE(("
        } else {
            " AND COALESCE(("
        });
        for (position, test) in clause.any.iter().enumerate() {
            if position > 0 {
                query.push(" OR ");
            }
            compare(query, &test.field.column(), &test.is);
        }
        query.push(if clause.any.is_empty() {
            "FALSE), FALSE)"
        } else {
            "), FALSE)"
        });
    }
}

fn compare(query: &mut QueryBuilder<Sqlite>, column: &str, is: &Is) {
    let like = |query: &mut QueryBuilder<Sqlite>, pattern: String| {
        query
            .push(column)
            .push(" LIKE ")
            .push_bind(pattern)
            .push(" ESCAPE '!'");
    };
    let bound = |query: &mut QueryBuilder<Sqlite>, side: &str, bound: &Bound| {
        query.push(column).push(side);
        match bound {
            Bound::Share(share) => query.push_bind(*share),
            Bound::At(at) => query.push_bind(at.0),
        };
    };
    match is {
        Is::Word(word) => {
            query.push(column).push(" = ").push_bind(word.clone());
        }
        Is::Text(text) => like(query, escaped(text)),
        Is::Begins(text) => like(query, format!("{}%", escaped(text))),
        Is::Contains(text) => like(query, format!("%{}%", escaped(text))),
        Is::Set => {
            query.push(column).push(" IS NOT NULL");
        }
        Is::Unset => {
            query.push(column).push(" IS NULL");
        }
        Is::Less(to) => bound(query, " < ", to),
        Is::AtMost(to) => bound(query, " <= ", to),
        Is::More(to) => bound(query, " > ", to),
        Is::AtLeast(to) => bound(query, " >= ", to),
        Is::Days(from, until) => {
            query.push("(").push(column).push(" >= ").push_bind(from.clone());
            query
                .push(" AND ")
                .push(column)
                .push(" < ")
                .push_bind(until.clone())
                .push(")");
        }
    }
}
