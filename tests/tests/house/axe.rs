//! Every page as people with other eyes, hands and settings meet it, judged by axe-core.
//!
//! Invariants: a page that is in the navigation is opened; both themes, a phone and a
//! desk; a violation of WCAG 2.2 AA fails and names its nodes.

use super::page::{Browser, MEAN};
use super::programs::{LAB, PATIENCE};
use collector::web::page::PAGES;
use fantoccini::wd::{PrintConfiguration, PrintMargins, PrintSize};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::path::Path;

/// Where `tests/run` puts the Python that has axe-core: beside the profile's folder.
fn axe() -> String {
    let target = Path::new(LAB).ancestors().nth(2).unwrap();
    let library = std::fs::read_dir(target.join("peer/lib")).map(|all| {
        let packages = all.map(|entry| entry.unwrap().path().join("site-packages"));
        packages
            .map(|folder| folder.join("axe_playwright_python/axe.min.js"))
            .find(|script| script.exists())
    });
    let script = library
        .ok()
        .flatten()
        .expect("axe-core is installed by ./tests/run, which needs a Python package index for that");
    std::fs::read_to_string(script).unwrap()
}

/// A house with a German core: something restricted, something clear, something that says markup
/// and something that is not there.
pub async fn house() -> House {
    let plan = Plan::small()
        .with("nokia-7750-sr7", "clean-router", "core", Behaviour::Normal)
        .with("cisco-asr9010", "silent-router", "core", Behaviour::Absent)
        .with_objects(MEAN, "mean-router", "core")
        .unwrap();
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house
        .wait_until(PATIENCE, |s| {
            s.identified == 2 && s.pending.unevaluated == 0 && s.findings.get("open").is_some_and(|n| *n > 0)
        })
        .await
        .unwrap();
    house
}

/// The pages of the navigation and those behind them.
async fn pages(house: &House) -> Vec<String> {
    let read = async |path: &str| -> Value { serde_json::from_str(&house.get(path).await.unwrap()).unwrap() };
    let finding = &read("/api/v1/findings").await["rows"][0];
    let (finding, element) = (
        finding["finding"].as_str().unwrap(),
        finding["element"].as_str().unwrap(),
    );
    let shown = house.get(&format!("/findings/{finding}")).await.unwrap();
    let evidence = shown.split("href=\"/evidence/").nth(1).unwrap();
    let evidence = evidence.split('"').next().unwrap();
    let mut pages: Vec<String> = PAGES.iter().map(|(_, path, ..)| (*path).to_owned()).collect();
    pages.extend([
        "/?wall=1".to_owned(),
        "/findings?severity=critical&severity=minor&text=router".to_owned(),
        format!("/findings/{finding}"),
        format!("/elements/{element}"),
        format!("/elements/{element}?all=1"),
        format!("/evidence/{evidence}"),
        "/coverage?site=lab".to_owned(),
        "/reports/board".to_owned(),
        "/reports/pack?jurisdiction=DE".to_owned(),
        "/reports/register".to_owned(),
        "/reports/changes".to_owned(),
        "/findings?severity=red".to_owned(),
        "/nowhere".to_owned(),
    ]);
    pages
}

/// A script that judges the page that is open.
pub fn judge() -> String {
    axe()
        + "const done = arguments[arguments.length - 1];\
            axe.run(document, {\
                runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],\
                rules: {'target-size': {enabled: true}},\
            }).then((found) => done({passed: found.passes.length, faults: found.violations.flatMap((rule) =>\
                rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))}),\
                (error) => done({passed: 0, faults: [String(error)]}));"
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_violates_wcag_in_either_theme_on_a_phone_or_a_desk() {
    let script = judge();
    let house = house().await;
    let browser = Browser::open(1280, 900).await;
    browser.enter(&house).await;
    let mut faults = Vec::new();
    for page in pages(&house).await {
        for (theme, width) in [("dark", 390), ("light", 390), ("dark", 1280), ("light", 1280)] {
            browser.look(width, "", &[("prefers-color-scheme", theme)]).await;
            browser
                .client
                .goto(&format!("{}{page}", house.http_url()))
                .await
                .unwrap();
            assert_eq!(browser.script("return window.innerWidth;").await, width);
            let found = browser.client.execute_async(&script, vec![]).await.unwrap();
            assert!(
                found["passed"].as_u64().unwrap() > 10 || !found["faults"].as_array().unwrap().is_empty(),
                "{page} was judged: {found}"
            );
            for fault in found["faults"].as_array().unwrap() {
                faults.push(format!(
                    "{page}, {theme}, {width} px: {}",
                    fault.as_str().unwrap()
                ));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_whole_on_paper_and_in_colours_somebody_else_chose() {
    let house = house().await;
    let browser = Browser::open(1280, 900).await;
    browser.enter(&house).await;
    for page in pages(&house).await {
        let open = async |width, medium, prefers: &[(&str, &str)]| {
            browser.look(width, medium, prefers).await;
            browser
                .client
                .goto(&format!("{}{page}", house.http_url()))
                .await
                .unwrap();
        };
        // A4 without its margins is 703 px wide.
        open(703, "print", &[]).await;
        let wide = "return document.documentElement.scrollWidth - window.innerWidth;";
        assert!(
            browser.script(wide).await.as_f64().unwrap() <= 1.0,
            "{page} is wider than paper"
        );
        let left = "return [...document.querySelectorAll('.top nav, form.filter, button')]\
            .filter((one) => one.checkVisibility()).length;";
        assert_eq!(browser.script(left).await, 0, "{page}: nothing to press on paper");
        let cut = "return [...document.querySelectorAll('.scroll, .changes')].filter((box) => {\
            const style = getComputedStyle(box);\
            return style.overflowY !== 'visible' && box.scrollHeight > box.clientHeight + 1; }).length;";
        assert_eq!(
            browser.script(cut).await,
            0,
            "{page}: nothing is cut off on paper"
        );

        open(1280, "", &[("forced-colors", "active")]).await;
        assert_eq!(
            browser
                .script("return matchMedia('(forced-colors: active)').matches;")
                .await,
            true
        );
        // What tells by a filled shape must differ from what it lies on.
        let lost = "const ground = getComputedStyle(document.body).backgroundColor;\
            return [...document.querySelectorAll('.shape, .spark, .dot')].filter((mark) => mark.checkVisibility() &&\
                (mark.matches('.dot') ? getComputedStyle(mark).borderTopColor\
                    : mark.matches('.spark') ? getComputedStyle(mark).fill : getComputedStyle(mark).color) === ground)\
                .map((mark) => mark.outerHTML.slice(0, 80));";
        assert_eq!(
            browser.script(lost).await,
            serde_json::json!([]),
            "{page}: marks are seen in forced colours"
        );
    }
    // The board has one page to read.
    browser.look(1280, "", &[]).await;
    browser
        .client
        .goto(&format!("{}/reports/board", house.http_url()))
        .await
        .unwrap();
    let paper = PrintConfiguration::builder()
        .size(PrintSize::A4)
        .margins(PrintMargins {
            top: 1.4,
            bottom: 1.4,
            left: 1.2,
            right: 1.2,
        })
        .build()
        .unwrap();
    let pdf = browser.client.print(paper).await.unwrap();
    let text = String::from_utf8_lossy(&pdf);
    let sheets = text.matches("/Type /Page").count() - text.matches("/Type /Pages").count();
    assert_eq!(sheets, 1, "exposure for the board is one page");
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
