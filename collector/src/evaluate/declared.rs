//! What the operator has on file, laid beside what was seen.
//!
//! Invariant: an observation never overwrites a declaration nor the reverse; where they differ, both
//! are kept and the difference is said.

use super::Operator;
use model::on_file::{DeclaredApproval, OnFile};
use model::{Identification, Place};
use policy::Part;
use policy::part::{Approval, Identity, Share};
use store::record::Subject;

/// The tag that says in which area an element stands.
const AREA: &str = "area:";

/// The approvals that may concern the element at this place.
pub(crate) fn approvals<'a>(file: &'a OnFile, subject: &Subject) -> Vec<&'a DeclaredApproval> {
    let here = |approval: &&DeclaredApproval| {
        let site = approval
            .site
            .as_ref()
            .is_none_or(|site| *site == subject.place.site);
        // What stands in files is of the default context: behind another one may be other equipment.
        let address = approval
            .address
            .as_ref()
            .is_none_or(|at| subject.context.is_empty() && *at == subject.address);
        let port = approval.port.is_none_or(|port| port == subject.port);
        site && address && port
    };
    file.approvals.iter().filter(here).collect()
}

/// Tells the parts what is on file about them.
pub(crate) fn tell(
    parts: &mut [Part],
    approvals: &[&DeclaredApproval],
    operator: Operator<'_>,
    place: &Place,
    seen: Option<&Identification>,
) {
    let area = place.tags.iter().find_map(|tag| tag.strip_prefix(AREA));
    for part in parts {
        let (model, version) = identity(part, seen);
        part.told.identity = Identity {
            operator: told(operator.name),
            model,
            version,
            area: area.map(str::to_owned),
        };
        for approval in approvals {
            let on_file = Approval {
                until: approval.until.as_deref().and_then(|until| until.parse().ok()),
                only: Identity {
                    operator: approval.operator.clone(),
                    model: approval.model.clone(),
                    version: approval.version.clone(),
                    area: approval.area.clone(),
                },
            };
            part.told.approvals.push((approval.rule.clone(), on_file));
        }
        let is_of = |whose: &str| {
            [&part.maker, &part.brand]
                .into_iter()
                .flatten()
                .any(|named| named.supplier.id == whose)
        };
        let meant = operator
            .on_file
            .shares
            .iter()
            .filter(|share| share.supplier.as_deref().is_none_or(is_of));
        let shares: Vec<(String, Share)> = meant
            .map(|share| {
                let (low, high) = (share.low, share.high);
                (share.rule.clone(), Share { low, high })
            })
            .collect();
        part.told.shares = shares;
    }
}

/// Model and version of the unit or the component, as it told them.
fn identity(part: &Part, seen: Option<&Identification>) -> (Option<String>, Option<String>) {
    let Some(seen) = seen else { return (None, None) };
    match &part.component {
        None => (seen.unit.model.clone(), seen.unit.software.clone()),
        Some(index) => {
            let found = seen.components.iter().find(|part| part.index == *index);
            found.map_or((None, None), |part| (told(&part.model), told(&part.revision)))
        }
    }
}

fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Where what is declared about an element and what was seen of it differ, in words.
pub(super) fn contradictions(
    subject: &Subject,
    approvals: &[&DeclaredApproval],
    seen: Option<&Identification>,
) -> Vec<String> {
    let mut found = Vec::new();
    let unit = seen.map(|seen| &seen.unit);
    for approval in approvals.iter().filter(|approval| approval.address.is_some()) {
        let pairs = [
            (
                "model",
                &approval.model,
                unit.and_then(|unit| unit.model.as_ref()),
            ),
            (
                "version",
                &approval.version,
                unit.and_then(|unit| unit.software.as_ref()),
            ),
        ];
        for (what, declared, told) in pairs {
            if let (Some(declared), Some(told)) = (declared, told)
                && declared != told
            {
                found.push(format!(
                    "the approval on file for {} names {what} {declared}, and the unit says {told}",
                    approval.rule
                ));
            }
        }
    }
    let acquired = subject.place.acquired.as_deref();
    let acquired = acquired.and_then(|day| day.parse::<policy::PartialDate>().ok());
    if let (Some(acquired), Some(tenure)) = (acquired, &subject.tenure)
        && let Some(since) = tenure.from.date()
    {
        if !tenure.swapped && acquired.first() > since {
            found.push(format!(
                "declared as acquired on {acquired}, and seen here since {since}"
            ));
        }
        if tenure.swapped && acquired.last() < since {
            found.push(format!(
                "declared as acquired on {acquired}, and the unit was swapped: this one is seen since {since}"
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests;
