//! Every page as people with other eyes, hands and settings meet it, judged by axe-core.
//!
//! Invariants: every page of the walk is judged, also those that forms answer; both themes, a phone and a desk;
//! a violation of WCAG 2.2 AA fails and names its nodes.

use super::every_page::walk;
use super::page::{Browser, MEAN};
use super::programs::{LAB, PATIENCE};
use fantoccini::wd::{PrintConfiguration, PrintMargins, PrintSize, TimeoutConfiguration};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::json;
use std::cell::RefCell;
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
    let routes = "\n[[route]]\nname = \"nobody\"\nwebhook = { url = \"http://127.0.0.1:1/\" }\n";
    let spec = HouseSpec {
        routes: routes.to_owned(),
        ..HouseSpec::new(LAB, plan)
    };
    let mut house = House::start(spec).await.unwrap();
    house
        .wait_until(PATIENCE, |s| {
            s.identified == 2 && s.pending.unevaluated == 0 && s.findings.get("open").is_some_and(|n| *n > 0)
        })
        .await
        .unwrap();
    house
}

/// Judges the page that is open, once axe-core is there; by the rules that are its first argument, if it has one.
const RUN: &str = "const done = arguments[arguments.length - 1];\
            const only = arguments.length > 1 ? arguments[0] : null;\
            const levels = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];\
            axe.run(document, {\
                runOnly: only ? {type: 'rule', values: only} : {type: 'tag', values: levels},\
                rules: only ? {} : {'target-size': {enabled: true}},\
                resultTypes: ['violations'], preload: false,\
            }).then((found) => done({passed: found.passes.length, faults: found.violations.flatMap((rule) =>\
                rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))}),\
                (error) => done({passed: 0, faults: [String(error)]}));";

/// A script that judges the page that is open.
pub fn judge() -> String {
    axe() + RUN
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_violates_wcag_in_either_theme_on_a_phone_or_a_desk() {
    let script = axe();
    // What turns on colours is asked in both themes; everything else is the same in either.
    let colours = || json!(["color-contrast", "link-in-text-block"]);
    let looks = [
        ("dark", 390, None),
        ("light", 390, Some(colours())),
        ("light", 1280, None),
        ("dark", 1280, Some(colours())),
    ];
    let house = house().await;
    let browser = Browser::open(1280, 900).await;
    let longest = TimeoutConfiguration::new(Some(4 * PATIENCE), None, None);
    browser.client.update_timeouts(longest).await.unwrap();
    browser.enter(&house).await;
    let faults = RefCell::new(Vec::new());
    let judge = async |page: &str| {
        browser.script(&script).await;
        for (theme, width, only) in &looks {
            browser.look(*width, "", &[("prefers-color-scheme", theme)]).await;
            // A browser that nobody sees is slow to tell its pages that their window changed.
            let there = format!("dispatchEvent(new Event('resize')); return innerWidth === {width};");
            browser.until(page, &there).await;
            let found = browser.client.execute_async(RUN, vec![json!(only)]).await;
            let found = found.unwrap_or_else(|error| panic!("{page}: {error}"));
            let now = found["faults"].as_array().unwrap();
            let met = found["passed"].as_u64().unwrap();
            let least = if only.is_some() { 1 } else { 10 };
            assert!(met >= least || !now.is_empty(), "{page} was judged: {found}");
            let told = now
                .iter()
                .map(|fault| format!("{page}, {theme}, {width} px: {}", fault.as_str().unwrap()));
            faults.borrow_mut().extend(told);
        }
    };
    walk(&house, &browser, judge).await;
    let faults = faults.into_inner();
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
    let faults = RefCell::new(Vec::new());
    let judge = async |page: &str| {
        let none = async |what: &str, script: &str| {
            let found = browser.script(script).await;
            if found != json!([]) {
                faults.borrow_mut().push(format!("{page}: {what}: {found}"));
            }
        };
        // A4 without its margins is 703 px wide.
        browser.look(703, "print", &[]).await;
        let wide = "const wide = document.documentElement.scrollWidth - window.innerWidth;\
            return wide > 1 ? [wide] : [];";
        none("wider than paper", wide).await;
        let left = "return [...document.querySelectorAll('.top nav, form.filter, button')]\
            .filter((one) => one.checkVisibility()).map((one) => one.outerHTML.slice(0, 80));";
        none("something to press on paper", left).await;
        let cut = "return [...document.querySelectorAll('.scroll, .changes')].filter((box) => {\
            const style = getComputedStyle(box);\
            return style.overflowY !== 'visible' && box.scrollHeight > box.clientHeight + 1; })\
            .map((box) => box.innerText.slice(0, 80));";
        none("cut off on paper", cut).await;

        browser.look(1280, "", &[("forced-colors", "active")]).await;
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
        none("marks not seen in forced colours", lost).await;
    };
    walk(&house, &browser, judge).await;
    let faults = faults.into_inner();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
