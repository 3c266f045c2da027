//! Facts of two rooms that never import each other must agree.

use std::collections::BTreeSet;

/// Companies the facts about owners name, and no evidence tells apart from their group.
const NAMED_ONLY: [&str; 6] = [
    "hikrobot",
    "hikmicro",
    "pyronix",
    "sanechips",
    "caltta",
    "nokia_shanghai_bell",
];

#[test]
fn policies_and_knowledge_call_a_supplier_by_the_same_key() {
    let knowledge = identify::Knowledge::built_in().unwrap();
    let policies = policy::Policies::built_in().unwrap();
    let unknown: BTreeSet<_> = policies
        .affiliations()
        .suppliers
        .iter()
        .map(|company| company.id.as_str())
        .filter(|id| knowledge.supplier(id).is_none())
        .collect();
    assert_eq!(unknown, BTreeSet::from(NAMED_ONLY));
}
