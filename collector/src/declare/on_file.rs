//! Approvals, shares and prices from CSV files; a mistake is told with file, line and column.
//!
//! | File | Columns by header; the first ones must be there |
//! |---|---|
//! | `operator.approvals` | `rule`, and `until,site,address,operator,model,version,area,reference` |
//! | `operator.shares` | `rule,low,high`, and `supplier` |
//! | `operator.prices` | `supplier,price,currency`, and `model` |

use super::{DeclareError, bounded, read_address};
use crate::config::OperatorConfig;
use model::on_file::{DeclaredApproval, DeclaredShare, OnFile, Price};
use policy::{PartialDate, Policies};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Why a row is wrong: column and message.
type Wrong = (&'static str, String);

/// Reads what of it is configured.
///
/// # Errors
/// [`DeclareError`] naming file, line and column; nothing is taken from a file with a mistake.
pub fn read(operator: &OperatorConfig, policies: &Policies) -> Result<OnFile, DeclareError> {
    let mut currency = None;
    Ok(OnFile {
        approvals: rows(operator.approvals.as_deref(), |row| approval(row, policies))?,
        shares: rows(operator.shares.as_deref(), |row| share(row, policies))?,
        prices: rows(operator.prices.as_deref(), |row| {
            price(row, policies, &mut currency)
        })?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalRow {
    rule: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    operator: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    area: String,
    #[serde(default)]
    reference: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareRow {
    rule: String,
    #[serde(default)]
    supplier: String,
    low: String,
    high: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceRow {
    supplier: String,
    #[serde(default)]
    model: String,
    price: String,
    currency: String,
}

fn rows<R: DeserializeOwned, T: PartialEq>(
    path: Option<&Path>,
    mut take: impl FnMut(R) -> Result<T, Wrong>,
) -> Result<Vec<T>, DeclareError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let shown = path.display().to_string();
    let text = std::fs::read(path).map_err(|e| DeclareError::File {
        path: shown.clone(),
        message: e.to_string(),
    })?;
    parse(&text, &shown, &mut take)
}

fn parse<R: DeserializeOwned, T: PartialEq>(
    text: &[u8],
    path: &str,
    take: &mut impl FnMut(R) -> Result<T, Wrong>,
) -> Result<Vec<T>, DeclareError> {
    let file = |message: String| DeclareError::File {
        path: path.to_owned(),
        message,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text);
    let headers = reader.headers().map_err(|e| file(e.to_string()))?.clone();
    let mut taken = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| file(e.to_string()))? {
        let line = record.position().map_or(0, csv::Position::line);
        let row = record
            .deserialize(Some(&headers))
            .map_err(|e| file(format!("line {line}: {e}")))?;
        let fail = |(column, message)| DeclareError::Row {
            path: path.to_owned(),
            line,
            column,
            message,
        };
        let one = take(row).map_err(fail)?;
        if taken.contains(&one) {
            return Err(fail(("row", "is declared twice".to_owned())));
        }
        taken.push(one);
    }
    Ok(taken)
}

fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| bounded(text))
}

fn rule(key: &str, policies: &Policies) -> Result<String, Wrong> {
    match policies.rule(key) {
        Some(rule) => Ok(rule.id.clone()),
        None => Err((
            "rule",
            format!("no rule has the key {:?}; see policy list", bounded(key)),
        )),
    }
}

fn supplier(key: &str, policies: &Policies) -> Result<String, Wrong> {
    match policies.affiliations().company(key) {
        Some(company) => Ok(company.id.clone()),
        None => Err((
            "supplier",
            format!(
                "no supplier has the key {:?}; see policy list --suppliers",
                bounded(key)
            ),
        )),
    }
}

fn approval(row: ApprovalRow, policies: &Policies) -> Result<DeclaredApproval, Wrong> {
    let until = told(&row.until);
    if let Some(until) = &until {
        let _date: PartialDate = until
            .parse()
            .map_err(|e: policy::date::InvalidDate| ("until", e.to_string()))?;
    }
    let place = match row.address.as_str() {
        "" => None,
        text => Some(
            read_address(text)
                .ok_or_else(|| ("address", format!("{:?} is not an address", bounded(text))))?,
        ),
    };
    let site = match row.site.as_str() {
        "" if place.is_some() => {
            return Err(("site", "is missing: an address alone is no element".to_owned()));
        }
        "" => None,
        text => Some(
            text.parse()
                .map_err(|e: model::id::InvalidSiteName| ("site", e.to_string()))?,
        ),
    };
    Ok(DeclaredApproval {
        rule: rule(&row.rule, policies)?,
        until,
        site,
        address: place.map(|(address, _)| address.to_string()),
        port: place.map(|(_, port)| port),
        operator: told(&row.operator),
        model: told(&row.model),
        version: told(&row.version),
        area: told(&row.area),
        reference: bounded(&row.reference),
    })
}

fn share(row: ShareRow, policies: &Policies) -> Result<DeclaredShare, Wrong> {
    let percent = |column, text: &str| {
        let number: Option<f64> = text.parse().ok();
        number.filter(|n| (0.0..=100.0).contains(n)).ok_or_else(|| {
            (
                column,
                format!("{:?} is not in per cent, 0 to 100", bounded(text)),
            )
        })
    };
    let (low, high) = (percent("low", &row.low)?, percent("high", &row.high)?);
    if low > high {
        return Err(("high", format!("{high} is below low, {low}")));
    }
    let rule = rule(&row.rule, policies)?;
    if policies.rule(&rule).is_none_or(|rule| rule.cap.is_none()) {
        return Err(("rule", format!("{rule} has no cap")));
    }
    Ok(DeclaredShare {
        rule,
        supplier: match row.supplier.as_str() {
            "" => None,
            key => Some(supplier(key, policies)?),
        },
        low,
        high,
    })
}

fn price(row: PriceRow, policies: &Policies, currency: &mut Option<String>) -> Result<Price, Wrong> {
    let is_code = row.currency.len() == 3 && row.currency.bytes().all(|b| b.is_ascii_uppercase());
    if !is_code {
        return Err((
            "currency",
            format!("{:?} is not three capital letters", bounded(&row.currency)),
        ));
    }
    let first = currency.get_or_insert_with(|| row.currency.clone());
    if *first != row.currency {
        let words = format!("{} here and {first} before: prices are added up", row.currency);
        return Err(("currency", words));
    }
    Ok(Price {
        supplier: supplier(&row.supplier, policies)?,
        model: told(&row.model),
        price: row
            .price
            .parse()
            .map_err(|_| ("price", format!("{:?} is no whole number", bounded(&row.price))))?,
        currency: row.currency,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies() -> Policies {
        Policies::built_in().unwrap()
    }

    fn refused<R: DeserializeOwned, T: PartialEq + std::fmt::Debug>(
        text: &str,
        mut take: impl FnMut(R) -> Result<T, Wrong>,
    ) -> String {
        parse(text.as_bytes(), "f.csv", &mut take)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn reads_what_operators_have_on_file() {
        let policies = policies();
        let text = "rule,until,site,address,model,reference\n# secret\nIN-NSDTS,2030-06,,,C650,TP/7\n\
            IN-NSDTS,,delhi,192.0.2.1,,\n";
        let approvals = parse(text.as_bytes(), "f", &mut |row| approval(row, &policies)).unwrap();
        assert_eq!(approvals.len(), 2);
        assert_eq!(approvals[0].model.as_deref(), Some("C650"));
        assert_eq!(
            (approvals[1].port, approvals[1].until.as_deref()),
            (Some(161), None)
        );
        let text = "rule,low,high\nGB-DVD-FTTP-CAP,30,38.5\n";
        let shares = parse(text.as_bytes(), "f", &mut |row| share(row, &policies)).unwrap();
        assert_eq!((shares[0].low, shares[0].high), (30.0, 38.5));
        let mut currency = None;
        let text = "supplier,model,price,currency\nzte,C650,12000,EUR\nzte,,9000,EUR\n";
        let prices = parse(text.as_bytes(), "f", &mut |row| {
            price(row, &policies, &mut currency)
        })
        .unwrap();
        assert_eq!(prices.len(), 2);
    }

    #[test]
    fn a_mistake_is_told_with_line_and_column() {
        let policies = policies();
        for (rows, expected) in [
            ("XX-1,,,", "f.csv:2: rule: no rule has the key \"XX-1\""),
            ("IN-NSDTS,soon,,", "f.csv:2: until: \"soon\" is not a date"),
            ("IN-NSDTS,,Delhi,", "f.csv:2: site: site name"),
            ("IN-NSDTS,,,192.0.2.1", "f.csv:2: site: is missing"),
            ("IN-NSDTS,,delhi,here", "f.csv:2: address: \"here\" is not"),
            ("IN-NSDTS,,,\nIN-NSDTS,,,", "f.csv:3: row: is declared twice"),
            ("IN-NSDTS", "f.csv: CSV error: record 1"),
        ] {
            let said = refused(&format!("rule,until,site,address\n{rows}\n"), |row| {
                approval(row, &policies)
            });
            assert!(said.starts_with(expected), "{said}");
        }
        for (rows, expected) in [
            ("GB-DVD-FTTP-CAP,40,30,", "f.csv:2: high: 30 is below low, 40"),
            (
                "GB-DVD-FTTP-CAP,-1,30,",
                "f.csv:2: low: \"-1\" is not in per cent",
            ),
            (
                "GB-DVD-FTTP-CAP,NaN,30,",
                "f.csv:2: low: \"NaN\" is not in per cent",
            ),
            ("GB-DVD-CORE,1,30,", "f.csv:2: rule: GB-DVD-CORE has no cap"),
            ("GB-DVD-FTTP-CAP,1,30,acme", "f.csv:2: supplier: no supplier has"),
        ] {
            let said = refused(&format!("rule,low,high,supplier\n{rows}\n"), |row| {
                share(row, &policies)
            });
            assert!(said.starts_with(expected), "{said}");
        }
        for (rows, expected) in [
            ("zte,many,EUR", "f.csv:2: price: \"many\" is no whole number"),
            ("zte,1,euro", "f.csv:2: currency: \"euro\" is not three"),
            (
                "zte,1,EUR\nhuawei,1,USD",
                "f.csv:3: currency: USD here and EUR before",
            ),
        ] {
            let mut currency = None;
            let said = refused(&format!("supplier,price,currency\n{rows}\n"), |row| {
                price(row, &policies, &mut currency)
            });
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
