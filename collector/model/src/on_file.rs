//! What the operator has on file beside its elements: approvals, shares and prices.
//!
//! Declared facts stay apart from observation: where the two differ, that is shown and neither is changed.

use crate::id::SiteName;
use serde::{Deserialize, Serialize};

/// Everything on file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OnFile {
    /// Approvals.
    pub approvals: Vec<DeclaredApproval>,
    /// Shares.
    pub shares: Vec<DeclaredShare>,
    /// Prices.
    pub prices: Vec<Price>,
}

/// An approval of an authority. What is left out does not limit it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredApproval {
    /// Key of the rule that asks for it.
    pub rule: String,
    /// Its last day, as exact as it is known.
    pub until: Option<String>,
    /// Where.
    pub site: Option<SiteName>,
    /// For the element at this address.
    pub address: Option<String>,
    /// UDP port of that element.
    pub port: Option<u16>,
    /// To which operator it was given.
    pub operator: Option<String>,
    /// For which model.
    pub model: Option<String>,
    /// For which version of its software.
    pub version: Option<String>,
    /// For which area: elements there bear the tag `area:…`.
    pub area: Option<String>,
    /// What the authority calls it.
    pub reference: String,
}

/// A supplier's share of what a cap is about, in per cent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeclaredShare {
    /// Key of the rule with the cap.
    pub rule: String,
    /// Whose; `None` is that of every supplier the rule is about.
    pub supplier: Option<String>,
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

/// What replacing one unit costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Key of the supplier whose unit goes.
    pub supplier: String,
    /// Its model; `None` is any other.
    pub model: Option<String>,
    /// In whole units of the currency.
    pub price: u64,
    /// Three capital letters (ISO 4217), the same for all.
    pub currency: String,
}

impl OnFile {
    /// What replacing a unit costs: by its model, else by its supplier.
    #[must_use]
    pub fn price(&self, supplier: &str, model: &str) -> Option<&Price> {
        let of = |model: Option<&str>| {
            self.prices
                .iter()
                .find(|price| price.supplier == supplier && price.model.as_deref() == model)
        };
        of(Some(model)).or_else(|| of(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_that_of_the_model_else_of_the_supplier() {
        let price = |model: Option<&str>, price| Price {
            supplier: "zte".into(),
            model: model.map(str::to_owned),
            price,
            currency: "EUR".into(),
        };
        let file = OnFile {
            prices: vec![price(None, 1), price(Some("C650"), 2)],
            ..OnFile::default()
        };
        let of = |supplier, model| file.price(supplier, model).map(|price| price.price);
        assert_eq!(
            [of("zte", "C650"), of("zte", "C300"), of("nokia", "C650")],
            [Some(2), Some(1), None]
        );
    }
}
