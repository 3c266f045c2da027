//! One walk through a browser that runs no script: what people do every day works without any.

use super::page::Browser;
use super::press::account;
use super::programs::{LAB, PATIENCE};
use fantoccini::Locator;
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::json;
use tokio::time::{Duration, Instant, interval};

const PASSWORD: &str = "a word nobody guesses";

#[tokio::test(flavor = "multi_thread")]
async fn the_day_of_an_operator_works_without_any_script() {
    let plan = Plan::small()
        .with("huawei-ne8000-m14", "core-1", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-2", "core", Behaviour::Normal);
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house
        .wait_until(PATIENCE, |s| s.identified == 2 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    let link = account(&house, &["add", "eve", "--role", "operator"]);
    let home = house.http_url();
    let browser = Browser::open(1280, 900).await;
    browser
        .devtools("Emulation.setScriptExecutionDisabled", json!({"value": true}))
        .await;
    let saved = tempfile::tempdir().unwrap();
    let into = json!({"behavior": "allow", "downloadPath": saved.path()});
    browser.devtools("Page.setDownloadBehavior", into).await;
    let find = async |css: &str| {
        let found = browser.client.find(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    };
    let click = async |css: &str| find(css).await.click().await.unwrap();
    let fill = async |css: &str, words: &str| find(css).await.send_keys(words).await.unwrap();
    // By a click and not by a script of ours; the words stand on the next page alone.
    let follow = async |css: &str, words: &str| {
        click(css).await;
        browser.sees(words).await;
    };

    browser
        .client
        .goto(&format!("{home}/set-up?token={link}"))
        .await
        .unwrap();
    fill("[name=password]", PASSWORD).await;
    fill("[name=again]", PASSWORD).await;
    follow("main form button", "What changed, and why").await;
    let ran = "return document.documentElement.classList.contains('scripted');";
    assert_eq!(browser.script(ran).await, false, "no script of the page ran");
    follow("[action='/sign-out'] button", "No password yet, or forgotten?").await;
    fill("[name=name]", "eve").await;
    fill("[name=password]", PASSWORD).await;
    follow("main form button", "What changed, and why").await;

    // The queue, filtered by its line, a page at a time.
    follow(".top nav [href='/findings']", "closed ones are not shown").await;
    fill("#line", "rule:DE-CONTRACT-CORE").await;
    follow("form.filter button", "2 match").await;
    let url = browser.client.current_url().await.unwrap();
    browser.client.goto(&format!("{url}&limit=1")).await.unwrap();
    browser.sees("core-1").await;
    follow(".pages [rel=next]", "core-2").await;
    follow(".pages a", "core-1").await;

    // A finding from its row: acknowledged, and given to whoever looks.
    follow("a.row-link", "What the pack says").await;
    follow("[value=acknowledge]", "Acknowledged: 1 finding.").await;
    click("#act-assign > summary").await;
    follow("[value=assign_to_me]", "Assigned: 1 finding.").await;
    follow(".crumbs a", "assigned to me").await;
    // All rows by the box of their head, and the first row of all is not sent twice.
    click("#tick-all").await;
    follow("[value=acknowledge]", "Acknowledged: ").await;

    // What is shown as a file.
    click("#pick-export > summary").await;
    click("#pick-export [href^='/findings.csv']").await;
    let deadline = Instant::now() + PATIENCE;
    let mut tick = interval(Duration::from_millis(100));
    let csv = loop {
        tick.tick().await;
        let files = std::fs::read_dir(saved.path())
            .unwrap()
            .map(|file| file.unwrap().path());
        let mut files = files.filter(|path| path.extension().is_some_and(|end| end == "csv"));
        if let Some(file) = files.next() {
            break std::fs::read_to_string(file).unwrap();
        }
        assert!(Instant::now() < deadline, "no file was saved");
    };
    assert!(csv.contains("# rows,") && csv.contains("core-2"), "{csv}");

    follow(".top nav [href='/waivers']", "Nobody waits.").await;
    follow("[action='/sign-out'] button", "No password yet, or forgotten?").await;
    browser.client.goto(&format!("{home}/findings")).await.unwrap();
    assert_eq!(browser.client.current_url().await.unwrap().path(), "/sign-in");
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
