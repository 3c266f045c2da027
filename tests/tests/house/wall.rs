//! The first page as a newcomer meets it, the wall as a room reads it, and times in the zone somebody chose.

use super::axe::house;
use super::page::Browser;
use super::programs::PATIENCE;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_finds_what_is_in_the_german_core_why_who_and_what_nobody_saw() {
    let house = house().await;
    let browser = Browser::open(1400, 1000).await;
    browser.enter(&house).await;
    let home = house.http_url();
    let follow = async |question: &str, link: &str| {
        browser.client.goto(&home).await.unwrap();
        let find = "const way = [...document.querySelectorAll('.ways > div')]\
            .find((one) => one.querySelector('dt').innerText.includes(arguments[0]));\
            return [...way.querySelectorAll('a')].find((one) => one.innerText.includes(arguments[1])).href;";
        let href = browser
            .client
            .execute(find, vec![json!(question), json!(link)])
            .await
            .unwrap();
        browser.client.goto(href.as_str().unwrap()).await.unwrap();
        browser.text().await
    };
    let equipment = follow("Which restricted equipment is in the core", "law of DE").await;
    assert!(equipment.contains("mean-router"), "{equipment}");
    assert!(!equipment.contains("clean-router"), "{equipment}");
    let why = follow("Why, and which rule says so", "mean-router").await;
    for words in [
        "DE-CONTRACT-CORE",
        "5G core free of critical Huawei and ZTE components",
        "1.3.6.1.2.1.1.2.0",
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    let who = follow("Who is dealing with it", "nobody yet").await;
    assert!(who.contains("mean-router"), "{who}");
    let dark = follow("What has not been seen at all", "never answered").await;
    assert!(dark.contains("lab"), "{dark}");
    let unknown = follow("What has not been seen at all", "of unknown maker").await;
    assert!(unknown.contains("silent-router"), "{unknown}");
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_is_large_turns_keeps_time_and_goes_red_when_nothing_comes() {
    let mut house = house().await;
    let browser = Browser::open(1920, 1080).await;
    browser.enter(&house).await;
    let wall = format!("{}/?wall=1", house.http_url());
    browser.look(1920, "", &[]).await;
    browser.client.goto(&wall).await.unwrap();
    let small = "const small = new Set();\
        const all = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);\
        while (all.nextNode()) { const at = all.currentNode.parentElement;\
            if (all.currentNode.data.trim() && at.checkVisibility() && !at.closest('.out, svg')\
                && parseFloat(getComputedStyle(at).fontSize) < 24) small.add(at.className || at.tagName); }\
        return [...small].join(' ');";
    assert_eq!(browser.script(small).await, "", "everything is 24 px at least");
    assert_eq!(
        browser
            .script("return document.querySelectorAll('form, button, input, nav').length;")
            .await,
        0,
        "a wall only shows"
    );
    let first = "return document.querySelector('#rotation > [data-shown] h2').innerText;";
    let was = browser.script(first).await;
    browser
        .script(&format!(
            "window.was = {was}; window.clock = document.getElementById('clock').innerText; return 0;"
        ))
        .await;
    browser
        .until(
            "another board comes up and the clock goes on",
            "return document.querySelector('#rotation > [data-shown] h2').innerText !== window.was\
                && document.getElementById('clock').innerText !== window.clock;",
        )
        .await;
    // Who wants to read on holds it with the space bar.
    browser.keys(" ").await;
    browser
        .until(
            "held",
            "return document.querySelector('.feed-text').innerText === 'paused';",
        )
        .await;
    browser
        .look(1920, "", &[("prefers-reduced-motion", "reduce")])
        .await;
    browser.client.goto(&wall).await.unwrap();
    let still = "return document.querySelectorAll('#rotation.rotating').length;";
    assert_eq!(browser.script(still).await, 0, "less motion: nothing turns");
    let hidden = "return [...document.querySelectorAll('#rotation > *')].filter((one) => !one.checkVisibility()).length;";
    assert_eq!(browser.script(hidden).await, 0, "and all boards are there");
    house.kill_collector().await.unwrap();
    browser
        .until(
            "the feed says that it stalled, in the colour of critical",
            "const feed = document.getElementById('feed');\
                const probe = document.createElement('span'); probe.className = 'sev-critical'; document.body.append(probe);\
                return feed.dataset.state === 'stalled' && /stalled for/.test(feed.innerText)\
                    && getComputedStyle(feed).color === getComputedStyle(probe).color;",
        )
        .await;
    browser.client.clone().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_told_in_the_zone_that_was_chosen() {
    let mut house = house().await;
    house
        .wait_until(PATIENCE, |s| s.pending.unevaluated == 0)
        .await
        .unwrap();
    let browser = Browser::open(1400, 900).await;
    browser.enter(&house).await;
    browser
        .devtools(
            "Emulation.setTimezoneOverride",
            json!({"timezoneId": "Asia/Tokyo"}),
        )
        .await;
    browser.client.goto(&house.http_url()).await.unwrap();
    let title = "return document.querySelector('main time').title;";
    for (label, words) in [
        ("times: UTC", " UTC"),
        ("times: site", "UTC, no zone declared for the site"),
        ("times: browser", " GMT+9"),
        ("times: UTC", " UTC"),
    ] {
        assert_eq!(
            browser
                .script("return document.getElementById('zone').innerText;")
                .await,
            label
        );
        let told = browser.script(title).await;
        let told = told.as_str().unwrap();
        assert!(told.ends_with(words), "{label}: {told}");
        // The choice stays.
        browser.client.refresh().await.unwrap();
        assert_eq!(browser.script(title).await, told);
        browser
            .script("document.getElementById('zone').click(); return 0;")
            .await;
    }
    // A zone that is declared is taken.
    browser
        .script(
            "localStorage.setItem('zone', 'site'); document.body.dataset.zone = 'Europe/Berlin'; return 0;",
        )
        .await;
    browser
        .until(
            "a declared zone is taken",
            "return / GMT\\+[12]$| CES?T$/.test(document.querySelector('main time').title);",
        )
        .await;
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
