//! Keys and pins: what was changed, unsigned or swapped is no law.

use super::*;
use std::collections::BTreeMap;

const NAME: &str = "affiliations.toml";
const TEXT: &str = "supplier = []\nedge = []\n";
/// Of a key pair made for this test; its private half is gone.
const KEY: &str = "RWS1yJjC4BfSCm+Mk7DIaU836bB1O+y2o/sN+8XEkQBJwg0LFspPL9yZ";
const OTHER_KEY: &str = "RWQ703ThCOevYzuxYCzo+jywT178/jIb617qVl3quC6llK4p2zZUOfjU";
const SIGNATURE: &str = "untrusted comment: a test\nRUS1yJjC4BfSCpc9L/qHOct6gY41abCrWQ6Ojt0iVtwkobSAHtdQlnPO4Tt/6GJccXIke3uijTyq9x8Hh6Rmv/qZ+CqbWygO/gs=\ntrusted comment: signed for a test\nTXqLXAgU9oVnz5luL44RckkWkwOxmhvmJYtPVPduu6XH1gKS6PLkth1aMx/PJ08GEEIXkZCS98M2iicfLOkrBQ==\n";

struct Case {
    text: &'static str,
    signature: Option<&'static str>,
    keys: &'static [&'static str],
    pin: Option<(&'static str, String)>,
}

fn outcome(case: &Case) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), case.text).unwrap();
    if let Some(signature) = case.signature {
        std::fs::write(folder.path().join(format!("{NAME}.minisig")), signature).unwrap();
    }
    let config = PolicyConfig {
        folder: Some(folder.path().to_path_buf()),
        trusted_keys: case.keys.iter().map(|key| (*key).to_owned()).collect(),
        pins: case
            .pin
            .iter()
            .map(|(name, pin)| ((*name).to_owned(), pin.clone()))
            .collect(),
        ..PolicyConfig::default()
    };
    let shown = folder.path().display().to_string();
    open(&config)
        .map(|policies| policies.version().to_owned())
        .map_err(|error| error.to_string().replace(&shown, "F"))
}

#[test]
fn only_what_is_signed_and_pinned_is_read() {
    let good = hex::encode(Sha256::digest(TEXT));
    let case = |text, signature, keys, pin| Case {
        text,
        signature,
        keys,
        pin,
    };
    let changed = "supplier = [] \nedge = []\n";
    for (case, expected) in [
        (case(TEXT, None, &[], None), Ok(())),
        (case(TEXT, Some(SIGNATURE), &[KEY], None), Ok(())),
        (
            case(
                TEXT,
                Some(SIGNATURE),
                &[OTHER_KEY, KEY],
                Some((NAME, good.to_uppercase())),
            ),
            Ok(()),
        ),
        (
            case(TEXT, None, &[KEY], None),
            Err("F/affiliations.toml.minisig: no signature can be read"),
        ),
        (
            case(changed, Some(SIGNATURE), &[KEY], None),
            Err("F/affiliations.toml: not signed by a key"),
        ),
        (
            case(TEXT, Some(SIGNATURE), &[OTHER_KEY], None),
            Err("F/affiliations.toml: not signed by a key"),
        ),
        (
            case(TEXT, Some("untrusted comment: x\n"), &[KEY], None),
            Err("F/affiliations.toml: not signed by a key"),
        ),
        (
            case(TEXT, Some(SIGNATURE), &["RWnonsense"], None),
            Err("policy.trusted_keys: \"RWnonsense\" is no"),
        ),
        (
            case(changed, None, &[], Some((NAME, good.clone()))),
            Err("F/affiliations.toml: has SHA-256"),
        ),
        (
            case(TEXT, None, &[], Some(("de.toml", good.clone()))),
            Err("policy.pins: de.toml is not in the folder"),
        ),
    ] {
        match (outcome(&case), expected) {
            (Ok(version), Ok(())) => assert_eq!(version.len(), 16),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn keys_and_pins_without_a_folder_are_a_mistake() {
    let keys = PolicyConfig {
        trusted_keys: vec![KEY.to_owned()],
        ..PolicyConfig::default()
    };
    let pins = PolicyConfig {
        pins: BTreeMap::from([(NAME.to_owned(), String::new())]),
        ..PolicyConfig::default()
    };
    for config in [keys, pins] {
        assert!(matches!(open(&config), Err(PacksError::NoFolder)));
    }
}

#[test]
fn without_interpretation_is_another_version() {
    let plain = open(&PolicyConfig::default()).unwrap();
    let config = PolicyConfig {
        interpretation: false,
        ..PolicyConfig::default()
    };
    let without = open(&config).unwrap();
    assert!(plain.interprets() && !without.interprets());
    assert_ne!(plain.version(), without.version());
}
