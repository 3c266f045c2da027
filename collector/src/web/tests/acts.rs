//! What people do from the pages: who may, all or nothing, two at once, and what stays of it.

use super::*;
use model::{AccessRole, Act, FindingId, FindingState, Person};
use store::Store as _;
use store::view::FindingFilter;

/// A form as a browser sends it.
fn body(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| {
        let Ok(safe) = askama::filters::urlencode_strict(text);
        safe.to_string()
    };
    let pair = |(key, value): &(&str, &str)| format!("{}={}", encoded(key), encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn person(name: &str, role: AccessRole, sites: Option<&str>) -> Arc<Person> {
    Arc::new(Person {
        name: name.into(),
        role,
        sites: sites.map(|site| [site.parse().unwrap()].into()),
    })
}

fn operator(name: &str) -> Arc<Person> {
    person(name, AccessRole::Operator, None)
}

fn officer(name: &str) -> Arc<Person> {
    person(name, AccessRole::Compliance, None)
}

impl House {
    fn cookie_of(&self, who: &Arc<Person>) -> String {
        format!("marque={}", self.store.let_in((**who).clone()))
    }

    async fn post_as(&self, who: &Arc<Person>, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::COOKIE, self.cookie_of(who))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body(fields)))
            .unwrap();
        self.whole(request).await
    }

    async fn get_as(&self, who: &Arc<Person>, path: &str) -> Answer {
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::COOKIE, self.cookie_of(who))
            .body(Body::empty())
            .unwrap();
        self.whole(request).await
    }

    async fn whole(&self, request: Request<Body>) -> Answer {
        let response = self.ask(request).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    fn state(&self, finding: FindingId) -> Option<(FindingState, Option<String>)> {
        let desk = self.store.desk.lock().unwrap();
        let (_, life) = desk.lives.get(&finding)?;
        Some((life.state, life.owner.clone()))
    }

    fn logged(&self) -> usize {
        self.store.desk.lock().unwrap().log.len()
    }
}

fn token(finding: FindingId, revision: u64) -> String {
    format!("{finding}.{revision}")
}

/// Two findings of the list that are open.
async fn two_open(house: &House) -> (FindingId, FindingId) {
    let list = house.get("/findings?state=open").await.body;
    let mut keys = list
        .split("<tr data-key=\"")
        .skip(1)
        .map(|row| row[..36].parse().unwrap());
    (keys.next().unwrap(), keys.next().unwrap())
}

#[tokio::test]
async fn several_are_taken_up_by_one_form_and_the_list_says_so() {
    let house = House::new();
    let (one, two) = two_open(&house).await;
    let both = format!("{} {}", token(one, 0), token(two, 0));
    let ann = operator("Ann");
    // The box at the head of the list names every row; one that is ticked as well counts once.
    let fields = [
        ("finding", both.as_str()),
        ("finding", &token(one, 0)),
        ("do", "assign_to_me"),
        ("back", "/findings?state=open"),
    ];
    let done = house.post_as(&ann, "/findings/act", &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let to = done.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(to, "/findings?state=open&told=assigned.2");
    assert_eq!(
        house.state(one),
        Some((FindingState::Assigned, Some("Ann".into())))
    );
    assert_eq!(
        house.state(two),
        Some((FindingState::Assigned, Some("Ann".into())))
    );
    let list = house.get_as(&ann, &to).await.body;
    assert!(list.contains("Assigned: 2 findings."), "{list}");
    assert!(!list.contains("told="), "the word is no filter and in no link");
    let mine = house.get_as(&ann, "/findings?owner=Ann").await.body;
    assert!(mine.contains("<b>2</b> match") && mine.contains("href=\"/findings?owner=Ann\">assigned to me"));
    assert_eq!(house.logged(), 1, "one command, one row");
}

#[tokio::test]
async fn the_second_of_two_at_once_is_told_and_nothing_is_done_by_halves() {
    let house = House::new();
    let (one, two) = two_open(&house).await;
    let fields = |deed: &'static str| {
        let both = format!("{} {}", token(one, 0), token(two, 0));
        [("finding".to_owned(), both), ("do".to_owned(), deed.to_owned())]
    };
    let first = [
        ("finding", token(one, 0)),
        ("do", "assign".to_owned()),
        ("to", "Bo".to_owned()),
        ("back", "/findings".to_owned()),
    ];
    let first: Vec<_> = first.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let done = house.post_as(&operator("Bo"), "/findings/act", &first).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);

    let [finding, deed] = fields("comment");
    let second = [
        ("finding", finding.1.as_str()),
        ("do", deed.1.as_str()),
        ("text", "spare <b>ordered</b>"),
        ("back", "/findings?state=open&state=assigned"),
    ];
    let told = house.post_as(&operator("Ann"), "/findings/act", &second).await;
    assert_eq!(told.status, StatusCode::CONFLICT);
    assert!(
        told.body
            .contains("Somebody changed these meanwhile; nothing was done")
    );
    let row = |key: FindingId| {
        let from = told
            .body
            .split(&format!("<tr data-key=\"{key}\""))
            .nth(1)
            .unwrap();
        from.split("</tr>").next().unwrap().to_owned()
    };
    assert!(row(one).contains("changed meanwhile") && row(one).contains(&token(one, 1)));
    assert!(!row(two).contains("changed meanwhile"));
    assert!(
        row(one).contains(" checked") && row(two).contains(" checked"),
        "what was selected stays so"
    );
    assert!(
        told.body.contains("spare &#60;b&#62;ordered"),
        "what was typed comes back"
    );
    assert_eq!(house.state(two), None, "nothing was done to the other");
    assert_eq!(house.logged(), 1);
}

#[tokio::test]
async fn a_mistake_stands_beside_its_field() {
    let house = House::new();
    let (one, _) = two_open(&house).await;
    let here = format!("/findings/{one}");
    for (deed, field, value, words, status) in [
        ("waive", "until", "2020-01-01", "2020-01-01 has passed", 422),
        ("waive", "until", "soon", "is not YYYY-MM-DD", 422),
        ("waive", "reason", "", "is empty", 422),
        ("assign", "to", "", "is empty", 422),
        ("comment", "text", "a\u{7}b", "control character", 422),
        ("plan_removal", "planned", "when it rains", "is not a date", 422),
        ("approve", "reason", "x", "Choose what to do", 422),
        ("sudo", "reason", "x", "Choose what to do", 422),
    ] {
        let mut fields = vec![
            ("do", deed),
            ("back", here.as_str()),
            ("reason", "no spare"),
            ("until", "2027-01-01"),
            ("planned", "2027"),
            ("replacement", "R"),
            ("owner", "Cy"),
        ];
        fields.retain(|(key, _)| *key != field);
        fields.push((field, value));
        let key = token(one, 0);
        fields.push(("finding", &key));
        let answer = house.post_as(&officer("Ann"), "/findings/act", &fields).await;
        assert_eq!(answer.status.as_u16(), status, "{deed} {field}");
        assert!(
            answer.body.contains(words),
            "{deed} {field}={value}: {}",
            answer.body
        );
        if words != "Choose what to do" {
            let wrong = format!("id=\"wrong-{field}\"");
            assert!(answer.body.contains(&wrong), "{deed} {field}");
        }
    }
    let nothing = [("do", "acknowledge"), ("back", "/findings")];
    let answer = house.post_as(&operator("Ann"), "/findings/act", &nothing).await;
    assert!(answer.body.contains("Nothing is selected") && answer.status == StatusCode::UNPROCESSABLE_ENTITY);
    let key = token(one, 0);
    let away = [
        ("do", "acknowledge"),
        ("back", "//evil.example/findings"),
        ("finding", &key),
    ];
    let answer = house.post_as(&operator("Ann"), "/findings/act", &away).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "and it is not done either");
    assert_eq!((house.logged(), house.state(one)), (0, None));
}

#[tokio::test]
async fn a_waiver_takes_two_people_of_whom_one_may_sign() {
    let house = House::new();
    let (one, _) = two_open(&house).await;
    let here = format!("/findings/{one}");
    let key = token(one, 0);
    let ask = [
        ("finding", key.as_str()),
        ("do", "waive"),
        ("reason", "no spare"),
        ("until", "2026-12-20"),
        ("back", &here),
    ];
    let ann = officer("Ann");
    assert_eq!(
        house.post_as(&ann, "/findings/act", &ask).await.status,
        StatusCode::SEE_OTHER
    );
    let key = token(one, 1);
    let approve = [("finding", key.as_str()), ("do", "approve"), ("back", "/waivers")];
    let own = house.post_as(&officer("ANN "), "/findings/sign", &approve).await;
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        own.body
            .contains("asked for this waiver: somebody else must approve it"),
        "{}",
        own.body
    );
    let page = house.get_as(&ann, &here).await.body;
    assert!(page.contains("You asked for the waiver") && !page.contains("value=\"approve\""));

    let bo = operator("Bo");
    let not_his = house.post_as(&bo, "/findings/sign", &approve).await;
    assert_eq!(not_his.status, StatusCode::FORBIDDEN);
    let page = house.get_as(&bo, "/waivers").await.body;
    assert!(!page.contains("name=\"finding\"") && !page.contains("/findings/sign"));

    let cy = officer("Cy");
    let list = house.get_as(&cy, "/waivers").await.body;
    assert!(list.contains("no spare") && list.contains(&key), "{list}");
    let done = house.post_as(&cy, "/findings/sign", &approve).await;
    assert_eq!(done.headers[header::LOCATION], "/waivers?told=waived.1");
    assert_eq!(house.state(one).unwrap().0, FindingState::Waived);
    let list = house.get_as(&cy, "/waivers").await.body;
    assert!(
        list.contains("ends within 30 days") && list.contains("24 d left"),
        "{list}"
    );
}

#[tokio::test]
async fn the_waiver_that_the_button_names_ends_and_the_other_stays() {
    let house = House::new();
    let (one, _) = two_open(&house).await;
    let (ann, cy) = (officer("Ann"), officer("Cy"));
    let deed = async |who: &Arc<Person>, revision: u64, path: &str, deed: &str, until: &str| {
        let key = token(one, revision);
        let fields = [
            ("finding", key.as_str()),
            ("do", deed),
            ("reason", "no spare"),
            ("ground", "it came"),
            ("until", until),
            ("back", "/waivers"),
        ];
        house.post_as(who, path, &fields).await
    };
    deed(&ann, 0, "/findings/act", "waive", "2026-12-20").await;
    deed(&cy, 1, "/findings/sign", "approve", "").await;
    deed(&ann, 2, "/findings/act", "waive", "2027-12-20").await;
    let list = house.get_as(&cy, "/waivers").await.body;
    assert!(list.contains("value=\"take_back_waiver\"") && list.contains("value=\"refuse_waiver\""));
    let done = deed(&cy, 3, "/findings/sign", "take_back_waiver", "").await;
    let to = done.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(to, "/waivers?told=waiver_taken_back.1");
    let told = house.get_as(&cy, &to).await.body;
    assert!(told.contains("Waiver taken back"), "{told}");
    let life = |house: &House| house.store.desk.lock().unwrap().lives[&one].1.clone();
    let after = life(&house);
    assert_eq!((after.waiver, after.state), (None, FindingState::Open));
    assert_eq!(after.asked.unwrap().until, "2027-12-20");
    let done = deed(&cy, 4, "/findings/sign", "refuse_waiver", "").await;
    assert_eq!(done.headers[header::LOCATION], "/waivers?told=waiver_refused.1");
    assert_eq!(life(&house).asked, None);
    let none = deed(&cy, 5, "/findings/sign", "take_back_waiver", "").await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.body.contains("it has no waiver in force"), "{}", none.body);
}

#[tokio::test]
async fn what_a_role_may_not_is_neither_offered_nor_taken() {
    let house = House::new();
    let (one, _) = two_open(&house).await;
    let viewer = person("Vi", AccessRole::Viewer, None);
    let key = token(one, 0);
    let fields = [
        ("finding", key.as_str()),
        ("do", "acknowledge"),
        ("back", "/findings"),
    ];
    for path in ["/findings/act", "/findings/sign"] {
        assert_eq!(
            house.post_as(&viewer, path, &fields).await.status,
            StatusCode::FORBIDDEN
        );
    }
    for page in [
        "/findings".to_owned(),
        format!("/findings/{one}"),
        "/waivers".to_owned(),
    ] {
        let body = house.get_as(&viewer, &page).await.body;
        assert!(
            !body.contains("id=\"acts\"") && !body.contains("name=\"finding\""),
            "{page}"
        );
    }
    for path in ["/audit", "/audit/export?as=csv"] {
        for who in [
            &viewer,
            &operator("Op"),
            &person("Li", AccessRole::Admin, Some("ber-1")),
        ] {
            assert_eq!(
                house.get_as(who, path).await.status,
                StatusCode::FORBIDDEN,
                "{path}"
            );
        }
    }
    // A finding of another site is as one that is not there.
    let site = house
        .store
        .findings(&FindingFilter::default())
        .await
        .unwrap()
        .rows
        .into_iter()
        .find(|row| row.finding == one)
        .unwrap()
        .site;
    let other = if site.as_str() == "ber-1" {
        "lon-2"
    } else {
        "ber-1"
    };
    let stranger = person("Li", AccessRole::Admin, Some(other));
    let answer = house.post_as(&stranger, "/findings/act", &fields).await;
    assert_eq!((answer.status, house.state(one)), (StatusCode::NOT_FOUND, None));
    let page = house.get_as(&stranger, &format!("/findings/{one}")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert_eq!(house.logged(), 0);
}

#[tokio::test]
async fn the_audit_log_is_shown_filtered_and_exported_without_formulas() {
    let house = House::new();
    let (one, two) = two_open(&house).await;
    for (who, key) in [("=cmd|x", one), ("Bo", two)] {
        let key = token(key, 0);
        let fields = [
            ("finding", key.as_str()),
            ("do", "comment"),
            ("text", SHARP),
            ("back", "/findings"),
        ];
        let done = house.post_as(&operator(who), "/findings/act", &fields).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
    }
    let page = house.get("/audit").await.body;
    assert!(
        page.contains("<b>2</b> rows") && page.contains("holds on to the one before"),
        "{page}"
    );
    assert!(!page.contains(SHARP) && page.contains("&#60;script&#62;"));
    let some = house.get("/audit?person=Bo").await.body;
    assert!(some.contains("<b>1</b> match") && !some.contains("=cmd"));
    let about = house
        .get(&format!("/audit?subject={one}&action=finding_commented"))
        .await
        .body;
    assert!(about.contains("<b>1</b> match") && about.contains("=cmd"));
    assert_eq!(
        house.get("/audit?from=yesterday").await.status,
        StatusCode::BAD_REQUEST
    );

    let csv = house.get("/audit/export?as=csv&action=finding_commented").await;
    assert!(
        csv.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert!(
        csv.body.contains("\n2026-11-26T09:00:00") && csv.body.contains(",'=cmd|x,"),
        "{}",
        csv.body
    );
    assert!(
        csv.body.contains("# policies,") && csv.body.contains("# filter,/audit?action=finding_commented")
    );
    assert_eq!(
        csv.body.lines().filter(|line| line.starts_with("2026-")).count(),
        2
    );
    let json: Value = serde_json::from_str(&house.get("/audit/export?as=json").await.body).unwrap();
    let first = &json["rows"][0];
    assert_eq!(
        (&first["action"], json["rows"].as_array().unwrap().len()),
        (&"audit_exported".into(), 4)
    );

    assert_eq!(json["count"], 4);
    assert!(
        csv.body.ends_with("# rows,2,,,,,,,\r\n"),
        "a torn file lacks its end"
    );
    let bad = house.get("/audit/export?as=pdf").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let told: Value = serde_json::from_str(&bad.body).unwrap();
    assert_eq!(told["parameter"], "as", "programs ask here");

    house.store.desk.lock().unwrap().log[1].previous = "0".repeat(64);
    let page = house.get("/audit").await.body;
    assert!(
        page.contains("A row here was changed after it was written"),
        "{page}"
    );
}

#[tokio::test]
async fn a_finding_that_is_named_twice_is_acted_on_once() {
    let house = House::new();
    let (one, other) = two_open(&house).await;
    let chosen = [one, other, one].map(crate::acts::Chosen::from);
    let deed = crate::acts::Deed {
        by: "Ann",
        account: "uid 1",
        act: Act::Acknowledge,
        unfit: crate::acts::Unfit::Refuse,
    };
    let done = crate::acts::act(&*house.store, &chosen, deed, &|_| true, NOW).await;
    let on: Vec<_> = done.unwrap().on.iter().map(|one| one.stand.finding).collect();
    assert_eq!(on, [one, other]);
}

#[tokio::test]
async fn tiles_of_waivers_lead_to_what_they_count() {
    let house = House::new();
    let page = house.get("/waivers?site=ber-1").await.body;
    let links: Vec<_> = page
        .split("<li class=\"tile ")
        .skip(1)
        .filter_map(|tile| tile.split("href=\"").nth(1)?.split('"').next())
        .map(|link| link.replace("&#38;", "&").replace("&amp;", "&"))
        .collect();
    assert_eq!(links.len(), 4, "{links:?}");
    for link in &links {
        assert!(link.contains("site=ber-1"), "{link}");
        assert_eq!(house.get(link).await.status, StatusCode::OK, "{link}");
    }
    assert!(
        links[3].contains("state=expired") && links[3].contains("from=20"),
        "{links:?}"
    );
}

#[tokio::test]
async fn waivers_are_filtered_by_a_form_and_go_out_as_files() {
    let house = House::new();
    let page = house
        .get("/waivers?site=ber-1&site=lon-2&state=asked&until=2999-01-01")
        .await
        .body;
    for words in [
        "name=\"site\" value=\"ber-1\"",
        "type=\"hidden\" name=\"site\" value=\"lon-2\"",
        "type=\"hidden\" name=\"state\" value=\"asked\"",
        "type=\"date\" name=\"until\" value=\"2999-01-01\"",
        "href=\"/waivers.csv?site=ber-1&#38;site=lon-2&#38;state=asked&#38;until=2999-01-01\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(page.matches("value=\"ber-1\"").count(), 1, "once, in its field");
    let file = house.get("/waivers.csv").await.body;
    assert!(
        file.contains("# list,waivers,") && file.contains("# states,in_force,"),
        "{file}"
    );
    let json: Value = serde_json::from_str(&house.get("/waivers.json").await.body).unwrap();
    let count = json["count"].as_u64().unwrap();
    assert!(count > 0, "the fixture has some");
    assert!(file.contains(&format!("# rows,{count},")), "{file}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(file.as_bytes());
    for record in reader.records() {
        for cell in record.unwrap().iter() {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
    assert_eq!(
        house.get("/waivers.csv?after=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn the_log_goes_out_page_by_page_and_whole() {
    let house = House::new();
    let note = |n: usize| store::acts::Note {
        person: "Ann".into(),
        account: "page".into(),
        action: "sign_in".into(),
        subjects: vec![],
        detail: "x".repeat(n * 10),
    };
    for n in 1..=1_200 {
        store::Acts::note(&*house.store, &note(n), NOW).await.unwrap();
    }
    let request = Request::get("/audit/export?as=csv&action=sign_in").header(header::HOST, "localhost");
    let response = house.ask(request.body(Body::empty()).unwrap()).await;
    let mut chunks = response.into_body().into_data_stream();
    let mut lines = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
        lines.push(text.lines().filter(|line| line.contains(",sign_in,")).count());
        if lines.len() == 2 {
            assert!(text.contains(&"x".repeat(12_000)), "no cell is cut");
        }
    }
    assert_eq!(lines, [0, 500, 500, 200]);
}
