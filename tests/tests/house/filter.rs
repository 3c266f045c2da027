//! The filter line in a real browser: completed by keyboard, refused under its place, kept as a view, saved as a file.

use super::page::Browser;
use super::programs::{LAB, PATIENCE};
use fantoccini::Locator;
use fantoccini::key::Key;
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;

/// A name that a spreadsheet would run.
const FORMULA: &str = "=1+2 router";
const OBJECTS: &str = "1.3.6.1.2.1.1.1.0|4|Huawei Versatile Routing Platform Software\n\
    1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.62.2.9\n1.3.6.1.2.1.1.3.0|67|5\n1.3.6.1.2.1.1.5.0|4|@SUM(1)\n";

impl Browser {
    async fn type_line(&self, keys: &str) {
        let line = self.client.find(Locator::Id("line")).await.unwrap();
        line.send_keys(keys).await.unwrap();
    }

    async fn line(&self) -> String {
        let line = self.script("return document.getElementById('line').value;").await;
        line.as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_completed_by_keyboard_refused_under_its_place_kept_and_saved() {
    let plan = Plan::small().with("nokia-7750-sr7", "clean-router", "core", Behaviour::Normal);
    let plan = plan.with_objects(OBJECTS, FORMULA, "core").unwrap();
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house
        .wait_until(PATIENCE, |s| s.identified == 2 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    let browser = Browser::open(1400, 1000).await;
    browser.enter(&house).await;
    let lists = format!("{}/elements", house.http_url());
    browser.client.goto(&lists).await.unwrap();

    browser.type_line("mak").await;
    browser
        .until(
            "keys are offered",
            "return document.querySelector('#offers:not([hidden]) li')?.textContent.startsWith('maker:');",
        )
        .await;
    browser
        .type_line(&format!("{}{}", char::from(Key::Down), char::from(Key::Enter)))
        .await;
    assert_eq!(
        browser.line().await,
        "maker:",
        "the key is taken, the form is not sent"
    );
    browser.type_line("hua").await;
    browser
        .until(
            "makers are offered",
            "return document.querySelector('#offers:not([hidden]) li')?.textContent.startsWith('huawei');",
        )
        .await;
    browser
        .type_line(&format!("{}{}", char::from(Key::Down), char::from(Key::Tab)))
        .await;
    assert_eq!(browser.line().await, "maker:huawei ");
    browser.type_line(&char::from(Key::Enter).to_string()).await;
    browser
        .until(
            "the address is the filter",
            "return location.search === '?q=maker%3Ahuawei+' && document.querySelectorAll('tr[data-key]').length === 1;",
        )
        .await;
    assert!(browser.text().await.contains(FORMULA));

    browser.type_line(" -stnding:due").await;
    browser.type_line(&char::from(Key::Enter).to_string()).await;
    browser
        .until(
            "the mistake is shown under its place",
            "const caret = document.querySelector('.mistake .caret')?.getBoundingClientRect();\
             const piece = document.querySelector('.mistake mark')?.getBoundingClientRect();\
             return Boolean(caret) && Math.abs(caret.left - piece.left) < 2 && Math.abs(caret.right - piece.right) < 2 \
             && caret.top > piece.top && document.querySelector('.mistake mark').textContent === 'stnding' \
             && document.querySelector('.mistake').innerText.includes('did you mean standing?');",
        )
        .await;
    assert_eq!(
        browser.line().await,
        "maker:huawei -stnding:due",
        "what was typed stays"
    );
    browser.client.back().await.unwrap();
    browser
        .until(
            "back works",
            "return document.querySelectorAll('tr[data-key]').length === 1;",
        )
        .await;

    browser
        .script("document.getElementById('pick-views').open = true; return true;")
        .await;
    let name = browser
        .client
        .find(Locator::Css("#pick-views input[name=name]"))
        .await
        .unwrap();
    name.send_keys("Ours to go").await.unwrap();
    let tile = browser
        .client
        .find(Locator::Css("#pick-views input[name=tile]"))
        .await
        .unwrap();
    tile.click().await.unwrap();
    name.send_keys(&char::from(Key::Enter).to_string()).await.unwrap();
    browser
        .until(
            "the view is shown by its name",
            "return document.title.startsWith('Ours to go');",
        )
        .await;
    browser.client.goto(&house.http_url()).await.unwrap();
    browser
        .until(
            "the view is counted on the first page",
            "return document.querySelector('.kept')?.innerText.includes('Ours to go');",
        )
        .await;
    browser
        .script("document.querySelector('.kept a').click(); return true;")
        .await;
    browser
        .until(
            "and leads to its rows",
            "return document.querySelectorAll('tr[data-key]').length === 1;",
        )
        .await;

    let csv = browser
        .script(
            "return fetch(document.querySelector('a[href^=\"/elements.csv\"]').href).then(a => a.text());",
        )
        .await;
    let csv = csv.as_str().unwrap();
    assert!(csv.contains(&format!("'{FORMULA}")), "{csv}");
    assert!(
        csv.lines()
            .all(|line| !line.starts_with(['=', '+', '-', '@']) && !line.contains(",=1+2")),
        "{csv}"
    );
    assert!(
        csv.contains("# filter,maker:huawei,") && csv.contains("# rows,1,"),
        "{csv}"
    );
    let json: Value =
        serde_json::from_str(&house.get("/elements.json?q=maker%3Ahuawei").await.unwrap()).unwrap();
    assert_eq!(
        (&json["count"], &json["rows"][0]["name"]),
        (&Value::from(1), &Value::from(FORMULA))
    );
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
