//! The parameters each page knows, and the words of its orders.
//!
//! Invariant: one thing has one name on every page: a day is `asof`, where a page begins is `after`.

use store::clause::{ElementOrder, FindingOrder};

/// Parameters of the first page.
pub const NOW: &[&str] = &["wall", "since"];

/// Parameters of reports: which form and table of it, what of, and those of lists of findings.
pub const REPORT: &[&str] = &[
    "as",
    "table",
    "asof",
    "finding",
    "since",
    "until",
    "cause",
    "kind",
    "severity",
    "state",
    "class",
    "site",
    "jurisdiction",
    "supplier",
    "rule",
    "role",
    "text",
    "owner",
    "asked",
    "limit",
    "q",
    "view",
];

/// Parameters of lists of findings.
pub const FINDINGS: &[&str] = &[
    "severity",
    "state",
    "class",
    "site",
    "jurisdiction",
    "supplier",
    "rule",
    "role",
    "owner",
    "text",
    "asked",
    "after",
    "limit",
    "q",
    "sort",
];
/// Parameters of lists of waivers.
pub const WAIVERS: &[&str] = &[
    "state", "rule", "site", "element", "person", "from", "until", "after", "limit",
];
/// Parameters of the audit log.
pub const AUDIT: &[&str] = &["person", "action", "subject", "from", "until", "after", "limit"];
/// Parameters of lists of elements.
pub const ELEMENTS: &[&str] = &[
    "site", "role", "maker", "standing", "text", "after", "limit", "q", "sort", "polling",
];

/// Parameters of coverage: a range by site, prefix and port, which states of it, and which page of engines.
pub const COVERAGE: &[&str] = &["site", "range", "port", "state", "after", "limit"];

/// Parameters of what is assumed.
pub const WHAT_IF: &[&str] = &["rule", "from", "asof"];

/// Parameters of pages about the network on a day.
pub const DAY: &[&str] = &["asof"];

/// Parameters of dates.
pub const DEADLINES: &[&str] = &["jurisdiction", "rule", "asof"];

/// Parameters of rules: which, and of which day it is told whether they hold.
pub const RULES: &[&str] = &["jurisdiction", "status", "supplier", "in_force", "text"];

/// Parameters of suppliers: part of a name, and whether only those that rules mean or that stand in the network.
pub const SUPPLIERS: &[&str] = &["text", "show"];

/// What is no filter: where a page begins, and how it looks.
pub const NO_FILTERS: &[&str] = &[
    "after", "limit", "page", "all", "wall", "as", "table", "q", "sort", "cols", "density", "view",
];

/// Orders of lists of findings by the words of addresses.
pub const FINDING_ORDERS: &[(&str, FindingOrder)] = &[
    ("severity", FindingOrder::Urgency),
    ("deadline", FindingOrder::Deadline),
    ("opened", FindingOrder::Opened),
];

/// Orders of lists of elements by the words of addresses.
pub const ELEMENT_ORDERS: &[(&str, ElementOrder)] =
    &[("name", ElementOrder::Name), ("site", ElementOrder::Site)];
