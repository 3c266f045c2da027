//! Facts as people read them: times, counts, days left, words, bounded texts.
//!
//! Invariant: everything here is pure and total; [`clean`] is the only way a
//! text from a device reaches a template.

use model::{ComponentClass, Instant, Outcome, QuestionKind, Role, Signal, Standing};
use policy::PartialDate;
use store::clause::Measure;
use time::Date;

/// From here on a deadline is pressing, in days.
pub const PRESSING_DAYS: i64 = 180;

/// A point in time, relative and absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339, for machines.
    pub iso: String,
    /// To the second in UTC, for people.
    pub full: String,
    /// `3 min ago`.
    pub ago: String,
}

impl Moment {
    /// `at` as seen from `now`.
    #[must_use]
    pub fn new(at: Instant, now: Instant) -> Self {
        let iso = at.to_string();
        let full = match iso.split_once('T').map(|(day, time)| (day, time.get(..8))) {
            Some((day, Some(time))) => format!("{day} {time} UTC"),
            _ => iso.clone(),
        };
        let ago = match (now.0.saturating_sub(at.0) / 1_000_000, at.seconds_since(now)) {
            (0, 0) => "now".to_owned(),
            (_, ahead) if ahead > 0 => format!("in {}", span(ahead)),
            _ => format!("{} ago", span(now.seconds_since(at))),
        };
        Self { iso, full, ago }
    }
}

/// A length of time in its largest whole unit.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        172_800..63_072_000 => format!("{} d", seconds / 86_400),
        _ => format!("{} y", seconds / 31_536_000),
    }
}

/// A whole number with thin gaps between thousands.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A total, with how it is known: `1 234`, `about 120 000`, `probably fewer than 400`.
#[must_use]
pub fn total(total: u64, measure: Measure) -> String {
    let number = number(total);
    match measure {
        Measure::Exact => number,
        Measure::About => format!("about {number}"),
        Measure::AtLeast => format!("at least {number}"),
        Measure::Below => format!("probably fewer than {number}"),
    }
}

/// A share in whole per cent, rounded down so that 100 means all.
#[must_use]
pub fn percent(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| part.min(whole).saturating_mul(100) / whole)
}

/// Confidence in whole per cent, never rounded up to certainty.
#[must_use]
pub fn confidence(share: f64) -> String {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    format!("{:.0} %", (share * 100.0).floor())
}

/// How far a deadline is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The date as the rule has it.
    pub date: String,
    /// Days from today to its last day; below 0 when past.
    pub days: i64,
    /// `35 d left`, `128 d over`, `today`.
    pub words: String,
    /// `past`, `pressing` or `later`.
    pub pace: &'static str,
}

impl Left {
    /// Days between `today` and a deadline of any exactness; `None` if it is no date.
    #[must_use]
    pub fn until(deadline: &str, today: Date) -> Option<Self> {
        let date: PartialDate = deadline.parse().ok()?;
        let days = (date.last() - today).whole_days();
        let (words, pace) = match days {
            0 => ("today".to_owned(), "pressing"),
            ..0 => (format!("{} d over", -days), "past"),
            1..=PRESSING_DAYS => (format!("{days} d left"), "pressing"),
            _ => (format!("{days} d left"), "later"),
        };
        Some(Self {
            date: deadline.to_owned(),
            days,
            words,
            pace,
        })
    }
}

/// A text from outside: control and direction-changing characters shown as �, blanks cut, bounded.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    let mut shown: String = text.trim().chars().take(limit).map(visible).collect();
    if text.trim().chars().nth(limit).is_some() {
        shown.push('…');
    }
    shown
}

/// A character that shows itself and nothing else.
#[must_use]
pub fn visible(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        // Soft hyphens, marks and overrides of direction, separators, joiners, invisible operators, tags.
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// A key of ours in words: `over_cap` is `over cap`.
#[must_use]
pub fn words(key: &str) -> String {
    key.replace('_', " ")
}

/// What moved, in words.
#[must_use]
pub fn cause(key: &str) -> &'static str {
    match key {
        "network" => "network changed",
        "law" => "law changed",
        "knowledge" => "knowledge changed",
        "time" => "time passed",
        "declaration" => "operator's facts changed",
        "person" => "a person acted",
        _ => "cause unknown",
    }
}

/// The standing behind a word of the store; what is not understood is unknown.
#[must_use]
pub fn standing(word: &str) -> Standing {
    word.parse().unwrap_or(Standing::Unknown)
}

/// A declared role, or `unknown`.
#[must_use]
pub fn role(role: Option<Role>) -> &'static str {
    role.map_or("unknown", Role::as_str)
}

/// Class of a part in words.
#[must_use]
pub fn class(class: ComponentClass) -> String {
    words(class.as_str())
}

/// Octets in hexadecimal, in pairs, at most `limit` of them.
#[must_use]
pub fn hex_pairs(octets: &[u8], limit: usize) -> String {
    let shown: Vec<_> = octets
        .iter()
        .take(limit)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let more = if octets.len() > limit { " …" } else { "" };
    shown.join(" ") + more
}

/// Name of a BER tag in SNMP (RFC 3416, RFC 2578).
#[must_use]
pub fn tag(tag: u8) -> &'static str {
    match tag {
        0x02 => "INTEGER",
        0x04 => "OCTET STRING",
        0x05 => "NULL",
        0x06 => "OBJECT IDENTIFIER",
        0x40 => "IpAddress",
        0x41 => "Counter32",
        0x42 => "Gauge32",
        0x43 => "TimeTicks",
        0x44 => "Opaque",
        0x46 => "Counter64",
        0x47 => "UInteger32",
        0x80 => "noSuchObject",
        0x81 => "noSuchInstance",
        0x82 => "endOfMibView",
        _ => "unknown tag",
    }
}

/// What a kind of evidence is called.
#[must_use]
pub fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::SysObjectId => "sysObjectID",
        Signal::SysDescr => "sysDescr",
        Signal::VendorType => "entPhysicalVendorType",
        Signal::MfgName => "entPhysicalMfgName",
        Signal::EntityText => "ENTITY-MIB text",
        Signal::Oui => "hardware address",
        Signal::EngineId => "snmpEngineID",
        Signal::EnterpriseArc => "enterprise arc",
        Signal::IdentObject => "identification object",
        Signal::PrivateTable => "private table",
    }
}

/// How a question was asked.
#[must_use]
pub fn kind(kind: QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Get => "get",
        QuestionKind::Walk => "walk",
        QuestionKind::Arcs => "arcs",
        QuestionKind::Engine => "engine",
        QuestionKind::Recording => "recording",
    }
}

/// How a question ended.
#[must_use]
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Truncated => "truncated",
        Outcome::TimedOut => "timed out",
        Outcome::Refused => "refused",
        Outcome::Unreachable => "unreachable",
        Outcome::Undecodable => "undecodable",
        Outcome::Looping => "looping",
        Outcome::Skipped => "skipped",
        Outcome::Redacted => "redacted",
        Outcome::WrongDigest => "wrong digest",
        Outcome::UnknownUser => "unknown user",
        Outcome::UnsupportedLevel => "unsupported level",
        Outcome::WrongPrivacy => "wrong privacy",
        Outcome::NotInTimeWindow => "not in time window",
        Outcome::UnknownEngine => "unknown engine",
        Outcome::UnknownContext => "unknown context",
        Outcome::Ignored => "ignored",
        Outcome::NoCredential => "no credential",
    }
}

/// Whether a spreadsheet would take a cell for a formula, also behind blanks and in full width.
#[must_use]
pub fn is_formula(cell: &str) -> bool {
    let signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    cell.starts_with(['\t', '\r', '\n']) || cell.trim_start().starts_with(signs)
}

/// A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe.
#[must_use]
pub fn harmless(cell: &str) -> String {
    let sign = if is_formula(cell) { "'" } else { "" };
    format!("{sign}{cell}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn moments_are_relative_and_absolute() {
        let now = Instant(1_000_000_000_000_000);
        let ago = |seconds: i64| Moment::new(Instant(now.0 - seconds * 1_000_000), now).ago;
        for (seconds, words) in [
            (0, "now"),
            (59, "59 s ago"),
            (61, "1 min ago"),
            (7_200, "2 h ago"),
            (864_000, "10 d ago"),
            (-90, "in 1 min"),
        ] {
            assert_eq!(ago(seconds), words);
        }
        assert_eq!(Moment::new(now, now).full, "2001-09-09 01:46:40 UTC");
        assert_eq!(
            Moment::new(Instant(i64::MAX), now).full,
            Instant(i64::MAX).to_string()
        );
    }

    #[test]
    fn days_left_count_to_the_last_day_meant() {
        let left = |deadline| Left::until(deadline, date!(2026 - 11 - 26));
        assert_eq!(
            left("2026-12-31").map(|l| (l.days, l.pace)),
            Some((35, "pressing"))
        );
        assert_eq!(left("2026").map(|l| l.days), Some(35));
        assert_eq!(left("2026-11-26").unwrap().words, "today");
        assert_eq!(left("2026-11-25").unwrap().words, "1 d over");
        assert_eq!(left("2028-12-31").unwrap().pace, "later");
        assert_eq!(left("soon"), None);
    }

    #[test]
    fn hostile_text_is_cleaned_and_bounded() {
        assert_eq!(clean(" a\u{202e}b\nc\0 ", 9), "a\u{fffd}b c\u{fffd}");
        assert_eq!(clean(&"x".repeat(1_000_000), 3), "xxx…");
        assert_eq!(clean("abc", 3), "abc");
    }

    #[test]
    fn shares_never_round_up_to_all() {
        assert_eq!(percent(999, 1_000), Some(99));
        assert_eq!(percent(0, 0), None);
        assert_eq!(confidence(0.999), "99 %");
        assert_eq!(confidence(f64::NAN), "0 %");
    }

    #[test]
    fn numbers_have_gaps() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(total(1_200, Measure::About), "about 1\u{202f}200");
        assert_eq!(total(4, Measure::Below), "probably fewer than 4");
    }

    #[test]
    fn strange_standings_are_unknown() {
        assert_eq!(standing("due"), Standing::Due);
        assert_eq!(standing("\"><b>"), Standing::Unknown);
    }
}
