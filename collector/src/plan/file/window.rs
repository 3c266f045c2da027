//! Windows of a plan: written by name, days, times and offset; on the wire by number.

use super::{Fault, bounds, fault, v1};
use serde::Deserialize;
use toml::Spanned;

/// `[[window]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowTable {
    name: Spanned<String>,
    /// On which it begins; every day without it.
    days: Option<Vec<Spanned<String>>>,
    from: Spanned<String>,
    to: Spanned<String>,
    /// What local time is ahead of UTC; `+00:00` without it.
    offset: Option<Spanned<String>>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// All of them as they travel.
pub(super) fn all(tables: &[WindowTable]) -> Result<Vec<v1::Window>, Fault> {
    if let Some(beyond) = tables.get(bounds::MAX_WINDOWS) {
        return Err(fault(
            &beyond.name,
            format!("more than {} windows", bounds::MAX_WINDOWS),
        ));
    }
    tables
        .iter()
        .enumerate()
        .map(|(number, table)| {
            if !bounds::is_name(table.name.as_ref()) {
                return Err(fault(
                    &table.name,
                    "is no name: 1 to 64 of letters, digits, '.', '_' and '-'",
                ));
            }
            if tables
                .iter()
                .take(number)
                .any(|other| other.name.as_ref() == table.name.as_ref())
            {
                return Err(fault(&table.name, "is there twice"));
            }
            table.wire()
        })
        .collect()
}

/// Bits of the windows of these names.
pub(super) fn mask(names: &[Spanned<String>], tables: &[WindowTable]) -> Result<u32, Fault> {
    names.iter().try_fold(0, |mask, name| {
        let number = tables
            .iter()
            .position(|table| table.name.as_ref() == name.as_ref());
        let number = number.filter(|number| *number < bounds::MAX_WINDOWS);
        let number =
            number.ok_or_else(|| fault(name, format!("no [[window]] is named {}", name.as_ref())))?;
        Ok(mask | 1 << number)
    })
}

impl WindowTable {
    fn wire(&self) -> Result<v1::Window, Fault> {
        let days = match &self.days {
            None => 127,
            Some(days) => days.iter().try_fold(0, |mask, day| {
                let number = DAYS.iter().position(|name| name == day.as_ref());
                let number = number.ok_or_else(|| fault(day, format!("is none of {}", DAYS.join(", "))))?;
                Ok(mask | 1 << number)
            })?,
        };
        if days == 0 {
            return Err(fault(&self.name, "has no days; leave them out for every day"));
        }
        let offset_minutes = match &self.offset {
            None => 0,
            Some(text) => offset(text.as_ref()).ok_or_else(|| fault(text, "is no offset such as +02:00"))?,
        };
        Ok(v1::Window {
            days,
            from_minute: minute(&self.from)?,
            to_minute: minute(&self.to)?,
            offset_minutes,
        })
    }
}

fn minute(text: &Spanned<String>) -> Result<u32, Fault> {
    clock(text.as_ref()).ok_or_else(|| fault(text, "is no time of the day such as 22:30"))
}

/// Minutes after midnight.
fn clock(text: &str) -> Option<u32> {
    let format = time::macros::format_description!("[hour]:[minute]");
    let time = time::Time::parse(text, format).ok()?;
    Some(u32::from(time.hour()) * 60 + u32::from(time.minute()))
}

fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    Some(sign * i32::try_from(clock(rest)?).ok()?)
}
