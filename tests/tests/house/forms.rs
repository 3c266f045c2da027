//! Every act on a finding and on an agent by its form, in real browsers: two people at once, each at their own.

use super::acts::command;
use super::press::{Hand, Pressed};
use super::programs::{LAB, PATIENCE};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Three core routers of a restricted maker, the third of them as told.
fn spec(data: &std::path::Path, third: Behaviour) -> HouseSpec {
    let plan = Plan::small()
        .with("huawei-ne8000-m14", "core-1", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-2", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-3", "core", third);
    let mut spec = HouseSpec::new(LAB, plan);
    spec.data = Some(data.to_owned());
    spec.interval_seconds = 5;
    spec
}

/// The finding of the core rule at an element: its key and how it stands.
async fn finding(house: &House, element: &str) -> Value {
    let path = format!(
        "/api/v1/findings?rule=DE-CONTRACT-CORE&text={element}&state=open&state=acknowledged&state=assigned&state=waived&state=closed"
    );
    let page: Value = serde_json::from_str(&house.get(&path).await.unwrap()).unwrap();
    page["rows"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_press_every_button_of_a_finding_and_the_second_of_two_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::start(spec(folder.path(), Behaviour::Normal))
        .await
        .unwrap();
    let judged = |s: &lab::house::Summary| s.identified == 3 && s.pending.unevaluated == 0;
    house.wait_until(PATIENCE, judged).await.unwrap();
    house.stop().await.unwrap();
    // The third is gone from now on, and its findings stay: silence proves nothing.
    let mut house = House::start(spec(folder.path(), Behaviour::Absent))
        .await
        .unwrap();
    let silent = async |house: &House| {
        let seen = house.elements().await.unwrap();
        seen.iter()
            .any(|seen| seen.name == "core-3" && seen.completeness.as_deref() == Some("unreachable"))
    };
    while !silent(&house).await {
        let reports = house.summary().await.unwrap().reports;
        house.wait_until(PATIENCE, |s| s.reports > reports).await.unwrap();
    }
    let key = async |element: &str| {
        let row = finding(&house, element).await;
        row["finding"]
            .as_str()
            .unwrap_or_else(|| panic!("{element}: {row}"))
            .to_owned()
    };
    let (first, second, third) = (key("core-1").await, key("core-2").await, key("core-3").await);
    command(&house, &["account", "add", "bob", "--role", "compliance"]);
    let enter = command(&house, &["account", "link", "bob", "--sign-in"]);

    let pressed = Pressed::default();
    let home = house.http_url();
    let (ann, bob) = tokio::join!(Hand::at(&home, &pressed), Hand::at(&home, &pressed));
    ann.browser.enter(&house).await;
    bob.browser.client.goto(enter.trim()).await.unwrap();

    // A view is kept, and dropped again.
    ann.goto("/findings?rule=DE-CONTRACT-CORE").await;
    ann.click("#pick-views > summary").await;
    ann.fill("form.keep [name=name]", "The core").await;
    ann.press("form.keep button", "The core").await;
    ann.click("#pick-views > summary").await;
    ann.press("[aria-label='Drop the view The core']", "Findings")
        .await;
    ann.click("#pick-views > summary").await;
    ann.browser.sees("No view is kept yet").await;

    // Rows of the list: acknowledged, and one is given to whoever looks.
    ann.goto("/findings?rule=DE-CONTRACT-CORE").await;
    let tick = |key: &str| format!("tr[data-key='{key}'] td.tick input");
    ann.click(&tick(&first)).await;
    ann.press("#acts [value=acknowledge]", "Acknowledged: 1 finding.")
        .await;
    ann.click(&tick(&first)).await;
    ann.click("#act-assign > summary").await;
    ann.press("[value=assign_to_me]", "Assigned: 1 finding.").await;
    assert_eq!(finding(&house, "core-1").await["owner"], "lab");

    // One finding by its own page.
    let page = format!("/findings/{first}");
    ann.goto(&page).await;
    ann.click("#act-assign > summary").await;
    ann.fill("[name=to]", "Core team").await;
    ann.press("[value=assign]", "Assigned: 1 finding.").await;
    ann.click("#act-comment > summary").await;
    ann.fill("[name=text]", "the crane comes in May; <b>ask Eve</b>")
        .await;
    ann.press("[value=comment]", "Comment written: 1 finding.").await;
    ann.browser.sees("the crane comes in May; <b>ask Eve</b>").await;
    ann.click("#act-plan > summary").await;
    ann.fill("[name=planned]", "2039-06").await;
    ann.fill("[name=replacement]", "7750 SR-7s").await;
    ann.fill("[name=owner]", "Field team").await;
    ann.press("[value=plan_removal]", "Removal planned: 1 finding.")
        .await;
    ann.browser
        .sees("planned for 2039-06 by Field team: 7750 SR-7s")
        .await;

    // A waiver: asked for by one, refused by the other; asked for again, approved, taken back.
    let ask = async |why: &str| {
        ann.click("#act-waive > summary").await;
        ann.fill("[name=reason]", why).await;
        ann.fill("[name=until]", "2039-12-31").await;
        ann.press("[value=waive]", "Waiver asked for").await;
        ann.browser.sees("somebody else must approve it").await;
    };
    let waiting = async |why: &str| {
        bob.goto("/waivers").await;
        bob.browser.sees(why).await;
        bob.click(&tick(&first)).await;
    };
    ask("no spare").await;
    waiting("no spare").await;
    bob.click("#act-end > summary").await;
    bob.fill("[name=ground]", "there is one in Bonn").await;
    bob.press("[value=refuse_waiver]", "Waiver refused: 1 finding.")
        .await;
    bob.browser.sees("Nobody waits").await;
    ann.browser.sees("there is one in Bonn").await;
    ask("the one in Bonn is broken").await;
    waiting("is broken").await;
    bob.press("[value=approve]", "Waiver approved: 1 finding.").await;
    ann.browser.sees("approved by bob").await;
    assert_eq!(finding(&house, "core-1").await["state"], "waived");
    bob.goto(&page).await;
    bob.click("#act-end > summary").await;
    bob.fill("[name=ground]", "it was repaired").await;
    bob.press("[value=take_back_waiver]", "Waiver taken back: 1 finding.")
        .await;
    assert_eq!(finding(&house, "core-1").await["state"], "assigned");

    // What still answers is not gone by a word; what answers no more is, by somebody's.
    let confirm = async |key: &str, words: &str| {
        bob.goto(&format!("/findings/{key}")).await;
        bob.click("#act-gone > summary").await;
        bob.fill("[name=proof]", "seen on the lorry").await;
        bob.press("[value=confirm_removal]", words).await;
    };
    confirm(&second, "only a complete walk without it can close this").await;
    confirm(&third, "Removal confirmed: 1 finding.").await;
    assert_eq!(finding(&house, "core-3").await["ending"], "confirmed");

    // Two at once: whoever comes second acts on what is no more, and is told.
    ann.goto("/findings?rule=DE-CONTRACT-CORE").await;
    bob.goto(&format!("/findings/{second}")).await;
    let row = format!("document.querySelector(\"tr[data-key='{second}'] .row-link\").focus(); return true;");
    ann.browser.script(&row).await;
    ann.browser.keys("x").await;
    ann.browser.sees("1 selected").await;
    bob.click("#act-assign > summary").await;
    bob.press("[value=assign_to_me]", "Assigned: 1 finding.").await;
    ann.aim("#acts [value=acknowledge]").await;
    ann.browser.keys("a").await;
    ann.browser.arrives().await;
    ann.browser
        .sees("Somebody changed these meanwhile; nothing was done")
        .await;
    let stands = finding(&house, "core-2").await;
    assert_eq!(
        (&stands["state"], &stands["owner"]),
        (&"assigned".into(), &"bob".into())
    );

    pressed.all_of("forms");
    tokio::join!(ann.leave(), bob.leave());
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_invited_and_shut_out_by_form() {
    let plan = Plan::small().with("axis-p3265", "one", "video", Behaviour::Normal);
    let house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    let pressed = Pressed::default();
    let ann = Hand::at(&house.http_url(), &pressed).await;
    ann.browser.enter(&house).await;
    ann.goto("/agents").await;
    ann.fill("#invite-site", "lab").await;
    ann.press("#invite form button", "A join token for one agent at lab")
        .await;
    let token = ann
        .browser
        .script("return document.getElementById('token').innerText;")
        .await;
    let token = token.as_str().unwrap().to_owned();
    ann.goto("/agents").await;
    assert!(!ann.text().await.contains(&token), "shown once");
    ann.browser
        .until(
            "one token opens",
            "return document.body.innerText.includes('Tokens that still open 1');",
        )
        .await;

    // It lets one agent in, which never speaks, and is shut out before it does.
    let url = format!("https://{}", house.grpc());
    let mut enrol = Command::new(LAB)
        .args([
            "agent",
            "enrol",
            "--collector",
            &url,
            "--token-file",
            "-",
            "--out",
            "new.pem",
        ])
        .current_dir(house.data())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(enrol.stdin.take().unwrap(), "{token}").unwrap();
    assert!(enrol.wait().unwrap().success());
    ann.goto("/agents").await;
    ann.browser.sees("Enrolled, and never heard of").await;
    let way = "return [...document.querySelectorAll('h2')].find((one) => one.innerText.startsWith('Enrolled'))\
        .parentElement.querySelector('a').getAttribute('href');";
    let way = ann.browser.script(way).await;
    ann.goto(way.as_str().unwrap()).await;
    let button = ann
        .browser
        .script("const form = document.querySelector('#revoke form'); return form.checkValidity();");
    assert_eq!(
        button.await,
        false,
        "nobody is shut out without a reason and a tick"
    );
    ann.fill("#revoke-reason", "stolen").await;
    ann.click("#revoke [name=sure]").await;
    ann.press("#revoke button", "It is shut out from now on").await;
    ann.browser.sees("by lab: stolen").await;
    assert!(!ann.text().await.contains("Shut out for good"));
    pressed.all_of("agents");
    ann.leave().await;
    house.stop().await.unwrap();
}
