//! Lists of the end of a day: the same fields, walked over how things stood instead of how they stand.
//!
//! Invariants: nothing recorded later is looked at; each thing has one row of a moment at most; a field means what it
//! means in a list of now, as of then.

use super::seek::{Listed, THEN, at};
use crate::clause::{Bound, Clause, ElementField, FindingField, Is, Test};
use model::Instant;
use std::borrow::Cow;
use std::fmt::Debug;

/// A field at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Then<F> {
    of: Of<F>,
    at: Instant,
}

/// What it is, or of which days the row is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Of<F> {
    Field(F),
    From,
    Until,
}

/// The same of a moment: of the rows of that moment alone.
pub fn clauses<F: Copy>(clauses: Vec<Clause<F>>, at: Instant) -> Vec<Clause<Then<F>>> {
    let of = |of, is| Clause::any(vec![Test::new(Then { of, at }, is)]);
    let told = clauses.into_iter().map(|clause| Clause {
        not: clause.not,
        any: clause
            .any
            .into_iter()
            .map(|test| {
                Test::new(
                    Then {
                        of: Of::Field(test.field),
                        at,
                    },
                    test.is,
                )
            })
            .collect(),
    });
    let moment = [
        of(Of::From, Is::AtMost(Bound::At(at))),
        of(Of::Until, Is::More(Bound::At(at))),
    ];
    told.chain(moment).collect()
}

/// The last answer of an element by then: within the last stretch in which it answered, so that few reports are looked at.
fn answered(element: &str) -> String {
    format!(
        "(SELECT r.finished_at FROM report r WHERE r.element_id = {element} AND r.finished_at <= \
         (SELECT MAX(CASE WHEN g.valid_until < {THEN} THEN g.valid_until ELSE {THEN} END) FROM sighting g \
         WHERE g.element_id = {element} AND g.valid_from <= {THEN} AND g.recorded_at <= {THEN} \
         AND g.completeness <> 'unreachable') \
         AND r.recorded_at <= {THEN} AND r.verdict = 'stored' AND r.completeness <> 'unreachable' \
         ORDER BY r.finished_at DESC LIMIT 1)"
    )
}

/// The last round of an element by then, answered or not.
fn reported(element: &str) -> String {
    format!(
        "(SELECT r.finished_at FROM report r WHERE r.element_id = {element} AND r.finished_at <= {THEN} \
         AND r.recorded_at <= {THEN} AND r.verdict = 'stored' ORDER BY r.finished_at DESC LIMIT 1)"
    )
}

/// Rows of findings of a moment, up to their keys.
pub fn finding_rows(then: Instant) -> String {
    at(
        "SELECT t.*, f.element_id, f.component, s.name AS element_name, e.address, e.context, e.site, s.role, \
         c.name AS part_name, c.description AS part_description, c.maker_name AS part_maker, \
         i.model, i.maker_name, i.brand_name, i.maker_id, i.brand_id \
         FROM finding_stood t JOIN finding f ON f.finding_id = t.finding_id \
         JOIN element e ON e.element_id = f.element_id \
         JOIN element_stood s ON s.element_id = f.element_id AND s.stood_from <= {then} AND s.stood_until > {then} \
         LEFT JOIN identification i ON i.digest = t.digest AND i.knowledge = t.knowledge \
         LEFT JOIN component c ON f.component <> '' AND c.digest = t.digest AND c.knowledge = t.knowledge \
         AND c.component_index = f.component \
         WHERE t.stood_from <= {then} AND t.stood_until > {then} AND t.finding_id IN (",
        Some(then),
    )
}

/// Rows of elements of a moment, up to their keys.
pub fn element_rows(then: Instant) -> String {
    let open = |what: &str| {
        format!(
            "(SELECT {what} FROM finding f JOIN finding_stood t ON t.finding_id = f.finding_id \
             AND t.stood_from <= {THEN} AND t.stood_until > {THEN} \
             WHERE f.element_id = s.element_id AND t.state NOT IN ('closed', 'waived'))"
        )
    };
    let sql = format!(
        "SELECT s.*, COALESCE(s.standing, 'unknown') AS standing, e.address, e.context, e.port, \
         {} AS last_answer_at, {} AS last_report_at, \
         i.maker_id, i.maker_name, i.maker_confidence, i.brand_name, i.model, i.serial, i.component_count, \
         {} AS finding_count, {} AS worst \
         FROM element_stood s JOIN element e ON e.element_id = s.element_id \
         LEFT JOIN identification i ON i.digest = s.digest AND i.knowledge = s.knowledge \
         WHERE s.stood_from <= {THEN} AND s.stood_until > {THEN} AND s.element_id IN (",
        answered("s.element_id"),
        reported("s.element_id"),
        open("COUNT(*)"),
        open("MIN(t.severity_rank)"),
    );
    at(&sql, Some(then))
}

impl Listed for Then<FindingField> {
    const TABLE: &'static str = "finding_stood t";
    const KEY: &'static str = "t.stood_id";
    const THING: &'static str = "t.finding_id";
    const THINGS: (&'static str, &'static str) = ("finding", "finding_id");
    const JOINS: &'static [&'static str] = &[
        "LEFT JOIN finding f ON f.finding_id = t.finding_id",
        "LEFT JOIN element e ON e.element_id = f.element_id",
        "LEFT JOIN element_stood s ON s.element_id = f.element_id AND s.stood_from <= {then} AND s.stood_until > {then}",
        "LEFT JOIN identification i ON i.digest = t.digest AND i.knowledge = t.knowledge",
        "LEFT JOIN component c ON f.component <> '' AND c.digest = t.digest AND c.knowledge = t.knowledge \
         AND c.position = (SELECT MIN(o.position) FROM component o WHERE o.digest = t.digest \
         AND o.knowledge = t.knowledge AND o.component_index = f.component)",
    ];

    fn then(self) -> Option<Instant> {
        Some(self.at)
    }

    fn column(self) -> Cow<'static, str> {
        use FindingField as F;
        let field = match self.of {
            Of::Field(field) => field,
            Of::From => return Cow::Borrowed("t.stood_from"),
            Of::Until => return Cow::Borrowed("t.stood_until"),
        };
        Cow::Borrowed(match field {
            F::Element => "f.element_id",
            F::Severity => "t.severity",
            F::State => "t.state",
            F::Class => "t.class",
            F::Site => "f.site",
            F::Law => "f.jurisdiction",
            F::Supplier => "f.supplier",
            F::Maker => "CASE WHEN f.component = '' THEN i.maker_id ELSE c.maker_id END",
            F::Rule => "f.rule",
            F::Role => "COALESCE(s.role, 'unknown')",
            F::Owner => "t.owner",
            F::Removal => "t.removal",
            F::Asked => "t.asked",
            F::Confidence => "t.confidence",
            F::Opened => "t.opened_at",
            F::Deadline => "t.due_by",
            F::Seen => return Cow::Owned(at(&answered("f.element_id"), Some(self.at))),
            F::Name => "s.name",
            F::Address => "e.address",
            F::Part => "c.name",
            F::Model => "i.model",
        })
    }

    fn joins(self) -> &'static [usize] {
        use FindingField as F;
        match self.of {
            Of::Field(F::Element | F::Site | F::Law | F::Supplier | F::Rule | F::Seen) => &[0],
            Of::Field(F::Address) => &[0, 1],
            Of::Field(F::Role | F::Name) => &[0, 2],
            Of::Field(F::Model) => &[3],
            Of::Field(F::Part) => &[0, 4],
            Of::Field(F::Maker) => &[0, 3, 4],
            _ => &[],
        }
    }

    /// What never changes in a finding is found in the finding.
    fn index(self) -> Option<(&'static str, &'static str)> {
        use FindingField as F;
        let from = match self.of {
            Of::Field(F::Element) => {
                "finding f JOIN finding_stood t ON t.finding_id = f.finding_id WHERE f.element_id"
            }
            Of::Field(F::Site) => {
                "finding f JOIN finding_stood t ON t.finding_id = f.finding_id WHERE f.site"
            }
            Of::Field(F::Law) => {
                "finding f JOIN finding_stood t ON t.finding_id = f.finding_id WHERE f.jurisdiction"
            }
            Of::Field(F::Supplier) => {
                "finding f JOIN finding_stood t ON t.finding_id = f.finding_id WHERE f.supplier"
            }
            Of::Field(F::Rule) => {
                "finding f JOIN finding_stood t ON t.finding_id = f.finding_id WHERE f.rule"
            }
            _ => return None,
        };
        Some(("t.stood_id", from))
    }
}

impl Listed for Then<ElementField> {
    const TABLE: &'static str = "element_stood s";
    const KEY: &'static str = "s.stood_id";
    const THING: &'static str = "s.element_id";
    const THINGS: (&'static str, &'static str) = ("element", "element_id");
    const JOINS: &'static [&'static str] = &[
        "LEFT JOIN element e ON e.element_id = s.element_id",
        "LEFT JOIN identification i ON i.digest = s.digest AND i.knowledge = s.knowledge",
    ];

    fn then(self) -> Option<Instant> {
        Some(self.at)
    }

    fn column(self) -> Cow<'static, str> {
        use ElementField as F;
        let field = match self.of {
            Of::Field(field) => field,
            Of::From => return Cow::Borrowed("s.stood_from"),
            Of::Until => return Cow::Borrowed("s.stood_until"),
        };
        Cow::Borrowed(match field {
            F::Site => "s.site",
            F::Role => "COALESCE(s.role, 'unknown')",
            F::Maker => "i.maker_id",
            F::Brand => "i.brand_id",
            F::Model => "i.model",
            F::Serial => "i.serial",
            F::Standing => "COALESCE(s.standing, 'unknown')",
            F::Seen => return Cow::Owned(at(&answered("s.element_id"), Some(self.at))),
            F::Confidence => "CASE WHEN i.maker_id IS NOT NULL THEN i.maker_confidence END",
            F::Round => "s.latest_completeness",
            F::Name => "s.name",
            F::Address => "e.address",
            F::Context => "e.context",
        })
    }

    fn joins(self) -> &'static [usize] {
        use ElementField as F;
        match self.of {
            Of::Field(F::Address | F::Context) => &[0],
            Of::Field(F::Maker | F::Brand | F::Model | F::Serial | F::Confidence) => &[1],
            _ => &[],
        }
    }

    fn index(self) -> Option<(&'static str, &'static str)> {
        match self.of {
            Of::Field(ElementField::Site) => Some(("stood_id", "element_stood WHERE site")),
            _ => None,
        }
    }
}
