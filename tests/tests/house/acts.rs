//! People at work on the pages: rows taken up by keyboard, a waiver by two, and one who comes second and is told.

use super::page::Browser;
use super::programs::{LAB, PATIENCE, complaint};
use fantoccini::Locator;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::process::Command;

/// What somebody else does meanwhile, at the command line.
pub fn command(house: &House, words: &[&str]) -> String {
    let output = Command::new(LAB)
        .arg("collector")
        .args(words.iter().take(2))
        .arg("--config")
        .arg(house.data().join("collector.toml"))
        .args(words.iter().skip(2))
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

impl Browser {
    /// Keys as a person hits them: they go where the focus is.
    pub async fn keys(&self, keys: &str) {
        let hit = |actions: KeyActions, value| {
            actions
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value })
        };
        let actions = keys.chars().fold(KeyActions::new("keyboard".to_owned()), hit);
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Waits for words on the page.
    pub async fn sees(&self, words: &str) {
        let script = format!("return document.body.innerText.includes({words:?});");
        self.until(words, &script).await;
    }

    /// The key of the row of this number.
    pub async fn row(&self, number: usize) -> String {
        let script = format!("return document.querySelectorAll('tr[data-key]')[{number}].dataset.key;");
        self.script(&script).await.as_str().unwrap().to_owned()
    }
}

const QUEUE: &str = "/findings?rule=DE-CONTRACT-CORE";
const TYPE_DAY: &str = "document.querySelector('[name=until]').value = '2039-12-31'; return true;";

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_taken_up_by_keyboard_and_a_second_person_approves() {
    let plan = Plan::small()
        .with("huawei-ne8000-m14", "core-1", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-2", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-3", "core", Behaviour::Normal);
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house
        .wait_until(PATIENCE, |s| s.identified == 3 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    let browser = Browser::open(1400, 1000).await;
    browser.enter(&house).await;
    let goto = async |path: &str| {
        let url = format!("{}{path}", house.http_url());
        browser.client.goto(&url).await.unwrap();
    };
    goto(QUEUE).await;
    browser
        .until(
            "three rows",
            "return document.querySelectorAll('td.tick input').length === 3;",
        )
        .await;
    let first = browser.row(0).await;

    // Two rows by keyboard, given to somebody; Enter presses the button beside the field.
    browser.keys("jxjx").await;
    browser.sees("2 selected").await;
    browser.keys("s").await;
    browser.keys("Core team\u{e007}").await;
    browser.sees("Assigned: 2 findings.").await;
    let owned = house.get("/api/v1/findings?owner=Core%20team").await.unwrap();
    let owned: Value = serde_json::from_str(&owned).unwrap();
    assert_eq!(owned["total"], 2);
    let url = browser.client.current_url().await.unwrap();
    assert_eq!(
        url.query(),
        Some("rule=DE-CONTRACT-CORE"),
        "what was told is in no link"
    );

    // Keys typed into a field are text.
    browser.keys("jw").await;
    browser.keys("no spare; xajk.?").await;
    let typed = "return document.querySelector('[name=reason]').value === 'no spare; xajk.?' \
        && !document.getElementById('keys').open;";
    assert_eq!(browser.script(typed).await, Value::Bool(true));
    browser.script(TYPE_DAY).await;
    let ask = Locator::Css("button[value=waive]");
    browser.client.find(ask).await.unwrap().click().await.unwrap();
    browser.sees("Waiver asked for").await;

    // Who asked may not approve: the page says so, and somebody else does it elsewhere.
    goto(&format!("/findings/{first}")).await;
    browser.sees("somebody else must approve it").await;
    goto("/waivers").await;
    browser.sees("no spare; xajk.?").await;
    command(&house, &["finding", "approve", "--by", "Bob", &first]);
    browser
        .until(
            "the waiver moves without a reload",
            "return document.querySelector('[data-live=asked]').innerText.includes('Nobody waits') \
             && document.querySelector('[data-live=list]').innerText.includes('Bob');",
        )
        .await;

    // The help lists the keys, and the letters lead to pages.
    browser.keys("?").await;
    browser.sees("acknowledge what is selected").await;
    // Quicker than the browser draws: the focus is still in the dialog that has closed.
    browser.keys("\u{e00c}gu").await;
    browser.sees("holds on to the one before").await;
    let held = command(&house, &["audit", "verify"]);
    let rows = held
        .strip_prefix("audit log: ")
        .and_then(|held| held.split_once(" rows hold; the last sum is "));
    let rows: u64 = rows.unwrap_or_else(|| panic!("{held}")).0.parse().unwrap();
    assert!(rows > 3, "three acts, and who came and saw: {held}");

    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ticked_rows_stay_ticked_while_the_list_lives_and_the_second_of_two_is_told() {
    let plan = Plan::small()
        .with("huawei-ne8000-m14", "core-1", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-2", "core", Behaviour::Normal);
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house
        .wait_until(PATIENCE, |s| s.identified == 2 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    let browser = Browser::open(1400, 1000).await;
    browser.enter(&house).await;
    let url = format!("{}{QUEUE}", house.http_url());
    browser.client.goto(&url).await.unwrap();
    browser
        .until(
            "two rows",
            "return document.querySelectorAll('td.tick input').length === 2;",
        )
        .await;
    let (first, second) = (browser.row(0).await, browser.row(1).await);

    // One is ticked, and nothing has the focus: the list goes on living, and the tick stays.
    browser.keys("jx").await;
    browser.keys("\u{e00c}").await;
    let to = ["finding", "assign", "--by", "Bob", "--to", "Bob"];
    command(&house, &[&to[..], &[&second]].concat());
    let row =
        |key: &str, what: &str| format!("return document.querySelector('tr[data-key=\"{key}\"] {what};");
    browser
        .until(
            "the other row shows its owner",
            &row(&second, "').innerText.includes('Bob')"),
        )
        .await;
    assert_eq!(
        browser.script(&row(&first, "td.tick input').checked")).await,
        Value::Bool(true)
    );

    // A row that moves under its tick is no longer selected, and that is said.
    command(&house, &[&to[..], &[&first]].concat());
    browser.sees("1 changed meanwhile, no longer selected").await;

    // With the focus in the list nothing is swapped: who acts on what they saw is told.
    browser.keys("jx").await;
    command(
        &house,
        &["finding", "comment", "--by", "Bob", "--text", "mine", &first],
    );
    browser.keys("a").await;
    browser
        .sees("Somebody changed these meanwhile; nothing was done")
        .await;
    browser.sees("changed meanwhile").await;
    let shown: Value =
        serde_json::from_str(&command(&house, &["finding", "show", "--json", &first])).unwrap();
    assert_eq!(shown["row"]["state"], "assigned", "{shown}");

    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
