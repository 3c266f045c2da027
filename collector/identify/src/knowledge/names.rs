//! Spellings of organisations: legal forms cut, one form for comparing, a key for the unlisted.

/// Words that only tell the legal form, when they stand at the end.
const LEGAL_FORMS: &str = " inc incorporated ltd limited llc corp corporation co company gmbh ag ab as a s oy oyj sa sas \
    srl spa p bv nv b v n kg kgaa plc pty pte sdn bhd kk k z o r sro ltda aps ooo zao lp llp c mbh jsc ohg tbk pt ";

fn is_legal_form(word: &str) -> bool {
    LEGAL_FORMS.split(' ').any(|form| form == word)
}

/// Lower case, marks to blanks, brackets and legal form cut.
pub(crate) fn normalised(name: &str) -> String {
    let closes = name.contains(')');
    let mut plain = String::with_capacity(name.len());
    let mut depth = 0_u32;
    for c in name.chars() {
        match c {
            '(' if closes => depth += 1,
            _ if depth > 0 && c != ')' => {}
            ')' if depth > 1 => depth -= 1,
            _ if c.is_alphanumeric() || c == '&' || c == '+' => plain.extend(c.to_lowercase()),
            // A bracket that closes parts words like any other mark.
            _ => {
                depth = 0;
                if !plain.ends_with(' ') && !plain.is_empty() {
                    plain.push(' ');
                }
            }
        }
    }
    let mut rest = plain.trim_end();
    while let Some((before, _)) = rest.rsplit_once(' ').filter(|(_, last)| is_legal_form(last)) {
        rest = before;
    }
    rest.to_owned()
}

/// Beginnings of words in names of organisations that hold numbers and prefixes and build no equipment.
const NO_MAKERS: [&str; 32] = [
    "universi",
    "school",
    "college",
    "hochschule",
    "gymnasium",
    "bank",
    "ministry",
    "hospital",
    "foundation",
    "church",
    "verein",
    "county",
    "institut",
    "consult",
    "hosting",
    "library",
    "association",
    "student",
    "police",
    "insurance",
    "unassigned",
    "reserved",
    "registration",
    "deleted",
    "alliance",
    "consortium",
    "forum",
    "committee",
    "standard",
    "academy",
    "museum",
    "government",
];

/// Whether an organisation evidently builds no equipment: a school, a bank, a standards body.
pub(super) fn makes_nothing(plain: &str) -> bool {
    plain
        .split(' ')
        .any(|word| NO_MAKERS.iter().any(|no| word.starts_with(no)))
}

/// The key of a supplier that is in no list.
pub(super) fn slug(plain: &str) -> Option<String> {
    let slug: String = plain
        .chars()
        .take(48)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    slug.chars()
        .any(|c| c.is_ascii_alphabetic())
        .then(|| slug.trim_matches('_').to_owned())
}

/// The name as people write it, legal form cut: `SIAE Microelettronica S.p.A.` is `SIAE Microelettronica`.
pub(super) fn without_legal_form(name: &str) -> String {
    let kept = name
        .split('(')
        .next()
        .map(str::trim)
        .filter(|kept| !kept.is_empty())
        .unwrap_or(name);
    let mut rest = kept.trim();
    while let Some((before, last)) = rest.rsplit_once([' ', ',']) {
        let plain: String = last
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        if !(plain.is_empty() || is_legal_form(&plain)) {
            break;
        }
        rest = before.trim_end_matches([' ', ',']);
    }
    rest.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_meet() {
        for (spelling, plain) in [
            ("HUAWEI TECHNOLOGIES CO.,LTD", "huawei technologies"),
            ("Nokia (Formerly 'Alcatel-Lucent')", "nokia"),
            ("SIAE Microelettronica S.p.A.", "siae microelettronica"),
            ("Huber+Suhner AG", "huber+suhner"),
            ("ACME(BERLIN)CO., LTD.", "acme"),
            ("Acme (one (two) three) Works", "acme works"),
            ("", ""),
            ("(", ""),
            ("Acme (", "acme"),
        ] {
            assert_eq!(normalised(spelling), plain, "{spelling}");
        }
    }

    #[test]
    fn names_for_people() {
        for (spelling, name) in [
            ("SIAE Microelettronica S.p.A.", "SIAE Microelettronica"),
            ("VIVOTEK INC.", "VIVOTEK"),
            ("Acme Widgets Co., Ltd.", "Acme Widgets"),
            ("Acme (formerly Foo)", "Acme"),
            ("Ltd", "Ltd"),
        ] {
            assert_eq!(without_legal_form(spelling), name, "{spelling}");
        }
    }

    #[test]
    fn slugs_have_letters() {
        assert_eq!(slug("acme widgets").as_deref(), Some("acme_widgets"));
        assert_eq!(slug("123 45"), None);
        assert_eq!(slug("网康"), None);
    }
}
