//! Pages as they were looked at last: a change of their HTML is seen in review, or is a mistake.
//!
//! `MARQUE_REGENERATE=1` writes them anew. What differs from build to build is fixed: links of
//! assets and the version of the packs, and with it the digest of a report.

use super::*;
use crate::web::assets;
use std::path::PathBuf;

/// A text with everything fixed that is another in each build.
fn settled(body: &str, packs: &str) -> String {
    let mut text = body.replace(packs, "PACKS");
    for name in ["marque.css", "marque.js", "icon.svg"] {
        text = text.replace(&assets::link(name), &format!("/assets/{name}"));
    }
    let Some((before, rest)) = text.split_once("<code class=\"digest\">") else {
        return text;
    };
    let Some((_, after)) = rest.split_once("</code>") else {
        return text;
    };
    if before.contains("class=\"sealed\"") {
        return format!("{before}<code class=\"digest\">DIGEST</code>{after}");
    }
    text
}

#[tokio::test]
async fn pages_are_as_they_were_looked_at_last() {
    let house = House::new();
    let (_, web) = House::web(true);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/web/tests/golden");
    let mut differ = Vec::new();
    for (name, path) in [
        ("now", "/".to_owned()),
        ("wall", "/?wall=1".to_owned()),
        ("findings", "/findings?severity=critical".to_owned()),
        ("finding", format!("/findings/{}", finding_id(0))),
        ("elements", "/elements?site=ber-1".to_owned()),
        ("element", format!("/elements/{}", element_id(3))),
        ("evidence", format!("/evidence/{}", house.store.digest(1))),
        ("coverage", "/coverage".to_owned()),
        ("reports", "/reports".to_owned()),
        ("board", "/reports/board".to_owned()),
        ("pack", format!("/reports/pack?finding={}", finding_id(0))),
        ("register", "/reports/register".to_owned()),
        ("changes", "/reports/changes?since=30d".to_owned()),
        ("account", "/account".to_owned()),
        ("admin", "/admin".to_owned()),
        ("refusal", "/findings?severity=red".to_owned()),
    ] {
        let shown = settled(&house.get(&path).await.body, web.policies.version());
        let file = folder.join(format!("{name}.html"));
        if std::env::var_os("MARQUE_REGENERATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &shown).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let line = kept.lines().zip(shown.lines()).position(|(was, is)| was != is);
        if kept != shown {
            let line = line.unwrap_or_else(|| kept.lines().count().min(shown.lines().count()));
            let at = |text: &str| text.lines().nth(line).unwrap_or_default().to_owned();
            differ.push(format!(
                "{name}.html:{}\n  was {}\n  is  {}",
                line + 1,
                at(&kept),
                at(&shown)
            ));
        }
    }
    assert!(
        differ.is_empty(),
        "look at them, then MARQUE_REGENERATE=1 cargo test -p collector golden\n{}",
        differ.join("\n")
    );
}
