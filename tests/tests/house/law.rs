//! `policy …` as people meet it: one object on standard output, one clear line for what is wrong.

use super::programs::{LAB, complaint, run};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn judge(facts: &str, words: &[&str]) -> Output {
    let mut child = Command::new(LAB)
        .args([
            "collector",
            "policy",
            "judge",
            "--facts",
            "-",
            "--as-of",
            "2026-11-23",
        ])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input closes it; its answer is what counts.
    let _ = child.stdin.take().unwrap().write_all(facts.as_bytes());
    child.wait_with_output().unwrap()
}

fn answer(facts: &Value, words: &[&str]) -> Value {
    let output = judge(&facts.to_string(), words);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let said = complaint(&output);
    assert!(
        said.contains("not legal advice") && said.contains("nothing after 20"),
        "{said}"
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn one_asset_is_judged_by_every_rule_that_concerns_it() {
    let core = json!({
        "jurisdiction": "DE", "supplier": "huawei", "generation": "5G", "segment": "core",
        "state": "installed", "operator_tags": ["de_contract_operator"],
    });
    let said = answer(&core, &[]);
    let rule = &said["DE-CONTRACT-CORE"];
    assert_eq!(
        (rule["class"].as_str(), rule["date"].as_str()),
        (Some("due"), Some("2026-12-31"))
    );
    let why = rule["why"].as_str().unwrap();
    assert!(
        why.starts_with("Matches rule DE-CONTRACT-CORE on these facts"),
        "{why}"
    );
    assert_eq!(said["DE-BSIG-41"]["class"], "not_bound");
    assert!(said.get("DE-2018-DEBATE").is_none());
    // As known on an earlier day, the contracts are not there yet.
    let then = answer(&core, &["--as-known", "2024-07-10"]);
    assert!(then.get("DE-CONTRACT-CORE").is_none());

    let radio = json!({
        "jurisdiction": "EU", "supplier": "zte", "generation": "5G", "segment": "ran",
        "operator_tags": ["eu_network_operator"],
    });
    assert_eq!(answer(&radio, &[])["EU-CSA2-PROP"]["class"], "what_if");
    let assumed = answer(&radio, &["--assume", "EU-CSA2-PROP=2026-02"]);
    assert_eq!(assumed["EU-CSA2-PROP"]["class"], "due");
    assert_eq!(assumed["EU-CSA2-PROP"]["date"], "2029-02");

    let reading = json!({
        "jurisdiction": "AU", "supplier": "zte", "generation": "5G", "segment": "ran", "state": "new",
        "operator_tags": ["au_carrier"],
    });
    assert_eq!(answer(&reading, &[])["AU-5G-2018"]["class"], "violation");
    let open = answer(&reading, &["--without-interpretation"]);
    assert_eq!(open["AU-5G-2018"]["class"], "condition_unknown");

    let elsewhere = answer(&json!({"jurisdiction": "NO", "supplier": "zte"}), &[]);
    assert_eq!(elsewhere.as_object().unwrap().len(), 1);
    assert_eq!(elsewhere["*"]["class"], "no_rule_known");
}

#[test]
fn facts_that_cannot_be_meant_are_one_line_that_names_them() {
    for (facts, named) in [
        ("", "is no JSON object"),
        ("[\"DE\", \"zte\"]", "is no JSON object"),
        ("{\"jurisdiction\": \"DE\"", "EOF while parsing"),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"acme\"}",
            "supplier \"acme\" is not known",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"ac\\u001b[1mme\\n\"}",
            "is not known",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"colour\": 1}",
            "unknown field `colour`",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"supplier\": \"zte\"}",
            "duplicate field `supplier`",
        ),
        (
            "{\"jurisdiction\": \"Germany\", \"supplier\": \"zte\"}",
            "jurisdiction: \"Germany\" is no country",
        ),
        ("{\"supplier\": \"zte\"}", "jurisdiction is missing"),
        ("{\"jurisdiction\": \"DE\"}", "supplier is missing"),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"made\": \"2020-02-30\"}",
            "made: \"2020-02-30\" is not a date",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"share\": [40, 30]}",
            "share: [40, 30] is no share",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"state\": \"planned\"}",
            "state: unknown variant `planned`",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"generation\": \"7G\"}",
            "generation: \"7G\" is not known",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\", \"approval\": {\"untl\": \"2030\"}}",
            "unknown field `untl`",
        ),
        (
            "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\"} {}",
            "trailing characters",
        ),
    ] {
        let output = judge(facts, &[]);
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(65), "{facts}: {said}");
        assert_eq!(said.lines().count(), 1, "{facts}: {said}");
        assert!(
            said.contains(named) && !said.contains('\u{1b}'),
            "{facts}: {said}"
        );
        assert!(output.stdout.is_empty(), "{facts}");
    }
    let nested = format!(
        "{{\"jurisdiction\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(judge(&nested, &[]).status.code(), Some(65));
    let large = format!("{{\"kind\": \"{}\"}}", "x".repeat(2 << 20));
    let output = judge(&large, &[]);
    assert!(
        complaint(&output).contains("is larger than"),
        "{}",
        complaint(&output)
    );
    let facts = "{\"jurisdiction\": \"DE\", \"supplier\": \"zte\"}";
    let output = judge(facts, &["--assume", "DE-NONE=2026"]);
    assert_eq!(output.status.code(), Some(65));
    assert!(complaint(&output).contains("no rule has the key \"DE-NONE\""));
    for words in [["--assume", "DE-6G-2025"], ["--as-known", "2026-11"]] {
        assert_eq!(judge(facts, &words).status.code(), Some(64));
    }
}

const DRAFT: &str = r#"code = "XA"
name = "Example"
horizon = "2026"
[[rule]]
id = "XA-1"
title = "No Acme"
instrument = "Act"
kind = "statute"
authority = "Ministry"
citation = "Act 1"
status = "enacted"
confidence = "high"
bound = { words = "operators", tags = ["xa_operator"] }
actions = ["use"]
effect = "prohibited"
detail = "None"
match = { mode = "named", suppliers = ["zte"], affiliates = "group" }
thing = { state = "both" }
time = { effective = "2020" }
sources = [{ claim = "It says so", grade = "general_knowledge", confidence = "low" }]
[[rule.test]]
name = "in use"
facts = { supplier = "zte", state = "installed", operator_tags = ["xa_operator"] }
as_of = "2026-11-23"
class = "violation"
"#;

/// The example of the manual is a rule that loads and holds.
#[test]
fn the_manual_s_rule_is_one() {
    let manual = include_str!("../../../docs/manual/write-a-policy.md");
    let (_, rest) = manual.split_once("```toml\n").unwrap();
    let (rule, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pack = format!("code = \"XA\"\nname = \"Example\"\nhorizon = \"2026\"\n{rule}");
    std::fs::write(folder.path().join("xa.toml"), pack.replace("\"acme\"", "\"zte\"")).unwrap();
    let (code, said, complaint) = policy(folder.path(), &["test", "xa.toml"]);
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert!(said.starts_with("1 of 1"), "{said}");
}

fn policy(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let words: Vec<&str> = ["collector", "policy"]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    let output = run(folder, &words);
    let said = complaint(&output);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        said,
    )
}

#[test]
fn packs_are_checked_tested_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("draft.toml"), DRAFT).unwrap();
    std::fs::write(
        folder.join("later.toml"),
        DRAFT.replace("\"2020\"", "\"2021-06\""),
    )
    .unwrap();
    std::fs::write(folder.join("wrong.toml"), DRAFT.replace("effect =", "efect =")).unwrap();
    std::fs::write(
        folder.join("broken.toml"),
        DRAFT.replace("\"violation\"", "\"due\""),
    )
    .unwrap();

    let (code, said, _) = policy(folder, &["check", "draft.toml"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "draft.toml: good; 1 rules, 1 worked examples\n")
    );
    let (code, said, complaint) = policy(folder, &["check", "wrong.toml"]);
    assert_eq!((code, said.as_str()), (Some(78), ""));
    assert!(
        complaint.contains("wrong.toml:15:1: efect: unknown field `efect`"),
        "{complaint}"
    );
    assert_eq!(complaint.lines().count(), 1);

    std::fs::write(
        folder.join("affiliations.toml"),
        "[[supplier]]\nid = \"zte\"\nhq = \"CN\"\n",
    )
    .unwrap();
    let (code, _, complaint) = policy(folder, &["check", "affiliations.toml"]);
    assert_eq!(code, Some(78));
    assert!(
        complaint.contains("affiliations.toml:1:1: [[supplier]]: missing field `name`"),
        "{complaint}"
    );
    let (code, _, complaint) = policy(folder, &["check", "absent.toml"]);
    assert_eq!(code, Some(78));
    assert!(complaint.contains("absent.toml: cannot be read"), "{complaint}");

    let (code, said, _) = policy(folder, &["test", "draft.toml"]);
    assert_eq!(code, Some(0));
    assert!(said.starts_with("1 of 1 worked examples hold\n"), "{said}");
    let (code, said, _) = policy(folder, &["test", "broken.toml"]);
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("XA-1: in use: expected due, found violation\n0 of 1"),
        "{said}"
    );
    let (code, said, _) = policy(folder, &["test"]);
    assert_eq!(code, Some(0), "{said}");

    let (code, said, _) = policy(folder, &["diff", "draft.toml", "later.toml"]);
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with("~ XA-1\ttime.effective\t2020 → 2021-06\n# "),
        "{said}"
    );
    let (_, said, _) = policy(folder, &["diff", "built-in", "draft.toml"]);
    assert!(
        said.starts_with("+ XA-1\tNo Acme\n# "),
        "other packs stay: {said}"
    );
    let moved = include_str!("../../../collector/policy/packs/dk.toml").replace("2027-01-01", "2028-01-01");
    std::fs::write(folder.join("dk.toml"), moved).unwrap();
    let (_, said, _) = policy(folder, &["diff", "built-in", "dk.toml"]);
    assert!(
        said.starts_with("~ DK-TDC-2023\ttime.deadlines[0].date\t2027-01-01 → 2028-01-01\n# "),
        "{said}"
    );

    let (code, said, _) = policy(folder, &["show", "DE-CONTRACT-CORE"]);
    assert_eq!(code, Some(0));
    for words in [
        "BMI press release 11 Jul 2024",
        "2026-12-31 binding",
        "read in",
        "not legal advice",
        "2026-07",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (code, _, complaint) = policy(folder, &["show", "DE-NONE"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("no rule has the key"), "{complaint}");
    let (_, said, _) = policy(folder, &["list"]);
    assert!(
        said.lines().count() > 123 && said.contains("not legal advice"),
        "{said}"
    );
    // Whatever judges says that it is no advice, and until when the packs saw.
    for words in [
        &["test"][..],
        &["test", "draft.toml"],
        &["diff", "draft.toml", "later.toml"],
        &["list"],
    ] {
        let (_, said, _) = policy(folder, words);
        let last = said.lines().last().unwrap();
        assert!(
            last.contains("not legal advice") && last.contains("nothing after 20"),
            "{words:?}: {last}"
        );
    }
    let (_, said, _) = policy(folder, &["list", "--suppliers"]);
    assert!(said.contains("zte\tCN\tZTE"), "{said}");
}
