//! Lists filtered by a line, their files, and views that people keep.

use super::*;
use store::Store as _;

impl House {
    async fn post(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = self.ask(request.body(Body::from(body.to_owned())).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

/// The keys of the rows of a page.
fn rows(page: &str) -> Vec<String> {
    let rows = page.split("<tr data-key=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_line_filters_as_the_parameters_do() {
    let house = House::new();
    for (line, parameters) in [
        ("severity:critical", "severity=critical"),
        ("state:waived", "state=waived"),
        ("waived", "state=waived"),
        ("site:ber-1+law:DE", "site=ber-1&jurisdiction=DE"),
        ("supplier:huawei+role:core", "supplier=huawei&role=core"),
        ("%22ber-1-r000%22", "text=ber-1-r000"),
    ] {
        let typed = house.get(&format!("/findings?q={line}")).await;
        let plain = house.get(&format!("/findings?{parameters}")).await;
        assert_eq!(typed.status, StatusCode::OK, "{line}");
        assert_eq!(rows(&typed.body), rows(&plain.body), "{line}");
    }
    let all = rows(&house.get("/findings").await.body).len();
    for (line, fewer) in [
        ("-waived", true),
        ("confidence%3C0.9", true),
        ("deadline%3C2027", true),
        ("opened%3C24h", true),
        ("owner:nobody", true),
        ("site:*", false),
    ] {
        let some = rows(&house.get(&format!("/findings?q={line}")).await.body).len();
        assert!(some > 0 && (some < all) == fewer, "{line}: {some} of {all}");
    }
}

#[tokio::test]
async fn a_mistake_stands_under_its_place_and_shows_no_rows() {
    let house = House::new();
    let page = house.get("/findings?q=role%3Acore+rle%3A%3Cscript%3E").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    let carets = "role:core </span><b class=\"caret\" aria-hidden=\"true\">^^^</b>";
    assert!(page.body.contains(carets), "{}", page.body);
    assert!(page.body.contains("did you mean rule or role?"));
    assert!(page.body.contains("Allowed: severity, state, class"));
    assert!(
        page.body.contains("value=\"role:core rle:&#60;script&#62;\""),
        "what was typed stays"
    );
    assert!(
        rows(&page.body).is_empty() && !page.body.contains("</b> match"),
        "nothing is counted"
    );

    let end = house.get("/elements?q=site%3A").await;
    assert_eq!(end.status, StatusCode::BAD_REQUEST);
    assert!(end.body.contains("site: says nothing") && end.body.contains(">^</b>"));
    let api = house.get("/api/v1/findings?q=role%3Acore+rle%3Ax").await;
    let why: Value = serde_json::from_str(&api.body).unwrap();
    assert_eq!(why["parameter"], "q");
    assert!(why["allowed"].as_str().unwrap().starts_with("at character 11"));
}

#[tokio::test]
async fn columns_order_and_density_stay_in_every_link() {
    let house = House::new();
    let page = house
        .get("/findings?q=role%3Acore&cols=rule,deadline&sort=-deadline&density=tight")
        .await
        .body;
    assert!(page.contains("<table class=\"rows no-class no-element") && page.contains(" tight\""));
    assert!(!page.contains("no-rule") && !page.contains("no-deadline"));
    assert!(page.contains("aria-sort=\"descending\""));
    let looks = "cols=rule%2Cdeadline&#38;sort=-deadline&#38;density=tight";
    assert!(
        page.contains(&format!(
            "href=\"/findings?q=role%3Acore%20severity%3Amajor&#38;{looks}\""
        )),
        "{page}"
    );
    for bad in ["cols=colour", "density=loose", "sort=colour"] {
        assert_eq!(
            house.get(&format!("/findings?{bad}")).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    let soonest = house.get("/findings?sort=deadline").await.body;
    let latest = house.get("/findings?sort=-deadline").await.body;
    assert_eq!(rows(&soonest).first(), rows(&latest).last());
    assert_ne!(rows(&soonest), rows(&latest));
}

#[tokio::test]
async fn completion_offers_what_is_known_here() {
    let house = House::new();
    let offers = |answer: Answer| serde_json::from_str::<Value>(&answer.body).unwrap();
    let makers = offers(house.get("/complete?page=findings&q=maker%3Ahua&at=9").await);
    assert_eq!(
        (&makers["from"], &makers["to"]),
        (&Value::from(6), &Value::from(9))
    );
    assert_eq!(makers["offers"][0]["insert"], "huawei ");
    let sites = offers(
        house
            .get("/complete?page=elements&q=%F0%9F%98%80+site%3Alon&at=11")
            .await,
    );
    assert_eq!(
        (&sites["from"], &sites["offers"][0]["insert"]),
        (&Value::from(8), &Value::from("lon-2 "))
    );
    let blank = offers(house.get("/complete?page=elements&q=site%3Alon-2+&at=11").await);
    assert_eq!(blank["from"], 11, "a new word begins behind the blank");
    assert_eq!(
        house.get("/complete?page=agents").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn files_hold_exactly_what_is_filtered_and_no_formula() {
    let house = House::new();
    let page = house.get("/elements?q=site%3Alon-2&limit=500").await.body;
    let file = house.get("/elements.csv?q=site%3Alon-2").await;
    assert!(
        file.headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    assert!(
        file.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert!(file.body.ends_with("\r\n"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(file.body.as_bytes());
    let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
    let (remarks, table): (Vec<_>, Vec<_>) = records.iter().partition(|record| record[0].starts_with("# "));
    let remark = |key: &str| {
        let found = remarks.iter().find(|record| record[0] == *format!("# {key}"));
        found
            .map(|record| record[1].to_owned())
            .unwrap_or_else(|| panic!("{key}"))
    };
    assert_eq!(remark("filter"), "site:lon-2");
    assert_eq!(remark("notice"), policy::DISCLAIMER);
    for key in ["made", "as_of", "policies", "knowledge", "horizon"] {
        assert!(!remark(key).is_empty(), "{key}");
    }
    let keys: Vec<_> = table.iter().skip(1).map(|record| record[0].to_owned()).collect();
    assert_eq!(keys, rows(&page));
    assert_eq!(remark("matching"), keys.len().to_string());
    assert_eq!(remark("rows"), keys.len().to_string());
    assert_eq!(records.last().unwrap()[0], *"# rows", "a torn file lacks its end");

    let json: Value =
        serde_json::from_str(&house.get("/findings.json?q=severity%3Acritical").await.body).unwrap();
    assert_eq!(json["filter"], "severity:critical");
    assert_eq!(json["count"], json["rows"].as_array().unwrap().len());
    assert!(json["count"].as_u64().unwrap() > 0);
    assert_eq!(json["rows"][0]["result"]["severity"], "critical");

    let refused = house.get("/findings.csv?q=rle%3Ax").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        house
            .get("/elements.csv?q=polling%3Anot_polled")
            .await
            .body
            .contains("/api/v1/coverage")
    );
}

#[tokio::test]
async fn a_file_has_the_columns_that_are_shown_in_the_order_asked_for() {
    let house = House::new();
    let page = house
        .get("/findings?cols=deadline,class&q=site%3Alon-2")
        .await
        .body;
    let link = "/findings.csv?q=site%3Alon-2&#38;cols=deadline%2Cclass";
    assert!(page.contains(link), "{page}");
    let file = house.get(&link.replace("&#38;", "&")).await.body;
    assert!(file.contains("\r\nfinding,deadline,severity,class\r\n"), "{file}");
    assert!(
        file.contains("# columns,finding deadline severity class,,\r\n"),
        "{file}"
    );
    let json = house.get("/elements.json?cols=serial&q=site%3Alon-2").await.body;
    let json: Value = serde_json::from_str(&json).unwrap();
    let keys: Vec<_> = json["rows"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["address", "context", "element", "name", "port", "serial"]);
    let refused = house.get("/findings.csv?cols=nonsense").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_dark_list_is_a_file_with_its_filter_and_end() {
    let house = House::new();
    let page = house.get("/coverage?site=ber-1").await.body;
    assert!(page.contains("href=\"/coverage.csv?site=ber-1\""), "{page}");
    let all = house.get("/coverage.csv").await.body;
    assert!(
        all.contains("# list,dark,,,\r\n") && all.contains("# policies,"),
        "{all}"
    );
    assert!(
        all.contains("\r\nstops_at,reason,how_many,what_it_means,sites\r\n"),
        "{all}"
    );
    let json: Value = serde_json::from_str(&house.get("/coverage.json?site=ber-1").await.body).unwrap();
    assert_eq!(json["filter"], "site=ber-1");
    let rows = json["rows"].as_array().unwrap();
    assert!(!rows.is_empty());
    assert_eq!(json["count"], rows.len());
    for row in rows {
        assert_eq!(row["sites"], serde_json::json!(["ber-1"]), "{row}");
    }
    let lines = all.lines().filter(|line| !line.starts_with("# ")).count() - 1;
    assert!(all.ends_with(&format!("# rows,{lines},,,\r\n")), "{all}");
    assert_eq!(
        house.get("/coverage.csv?range=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_file_has_what_matched_when_it_began_whatever_moves_meanwhile() {
    let (store, policies) = Fixture::new(1_500, 1).shared();
    let door = Arc::new(Door::new(store.clone(), || NOW, TIMES).unwrap());
    let house = House::over(door, store, policies, true, false);
    let request = Request::get("/findings.csv?q=state%3Aopen").header(header::HOST, "localhost");
    let response = house.ask(request.body(Body::empty()).unwrap()).await;
    let mut chunks = response.into_body().into_data_stream();
    let mut file = Vec::new();
    for _head_and_first_page in 0..2 {
        file.extend(chunks.next().await.unwrap().unwrap());
    }
    // Somebody sees to one that was written already.
    let open = store::view::FindingFilter {
        states: vec![model::FindingState::Open],
        ..store::view::FindingFilter::default()
    };
    let all = house.store.finding_keys(&open).await.unwrap();
    let first = String::from_utf8(file.clone()).unwrap();
    let written = all.iter().find(|key| first.contains(&key.to_string()));
    let seen = model::Life {
        state: model::FindingState::Acknowledged,
        ..model::Life::new()
    };
    house
        .store
        .desk
        .lock()
        .unwrap()
        .lives
        .insert(*written.unwrap(), (1, seen));
    while let Some(chunk) = chunks.next().await {
        file.extend(chunk.unwrap());
    }
    let file = String::from_utf8(file).unwrap();
    assert!(all.len() > 500, "more than a page");
    let lost: Vec<_> = all
        .iter()
        .filter(|key| !file.contains(&key.to_string()))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(file.contains(&format!("# matching,{},", all.len())));
    assert!(file.contains(&format!("# rows,{},", all.len())));
}

#[tokio::test]
async fn a_file_that_tears_has_no_end() {
    let house = House::new();
    let request = Request::get("/findings.csv").header(header::HOST, "localhost");
    let response = house.ask(request.body(Body::empty()).unwrap()).await;
    let mut chunks = response.into_body().into_data_stream();
    let head = chunks.next().await.unwrap().unwrap();
    assert!(head.starts_with(b"# notice,"));
    house.store.fails.store(true, Ordering::Relaxed);
    assert!(
        chunks.next().await.unwrap().is_err(),
        "the connection breaks, it does not end"
    );
}

#[tokio::test]
async fn a_view_is_kept_counted_and_dropped() {
    let house = House::new();
    let kept = house
        .post(
            "/views",
            "name=Weak+%3Cb%3E&page=findings&query=q%3Dconfidence%253C0.9%26sort%3D-opened&tile=1&shared=1",
        )
        .await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.body);
    let link = kept.headers[header::LOCATION].to_str().unwrap();
    assert_eq!(
        link,
        "/findings?q=confidence%3C0.9&sort=-opened&view=Weak%20%3Cb%3E"
    );
    let list = house.get(link).await.body;
    assert!(list.contains("<title>Weak &#60;b&#62; · Findings"));
    assert!(list.contains("aria-label=\"Drop the view Weak &#60;b&#62;\""));
    let total = rows(&list).len();

    let now = house.get("/").await.body;
    let tile = now.split("<ul class=\"tiles kept\"").nth(1).unwrap();
    assert!(
        tile.contains(&format!("tile-value\">{total}<")) && tile.contains("confidence&#60;0.9"),
        "{tile}"
    );

    let view = crate::views::by_name(&*house.store, "reports", "Weak <b>")
        .await
        .unwrap();
    assert!(view.row.shared && view.link().starts_with("/findings?q="));
    assert!(
        crate::views::by_name(&*house.store, "reports", "none")
            .await
            .is_err()
    );

    let id = house.store.views.lock().unwrap()[0].view;
    let gone = house
        .post("/views/drop", &format!("view={id}&page=findings"))
        .await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
    assert!(house.store.views.lock().unwrap().is_empty());
    let again = house
        .post("/views/drop", &format!("view={id}&page=findings"))
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_view_that_cannot_be_kept_says_why_beside_the_name() {
    let house = House::new();
    for (body, status, words) in [
        (
            "name=+&page=findings&query=q%3Dwaived",
            400,
            "has a name of 1 to 60",
        ),
        (
            "name=a%E2%80%AEb&page=findings&query=",
            400,
            "has a name of 1 to 60",
        ),
        ("name=a&page=findings&query=q%3Drle%253Ax", 400, "there is no key"),
        ("name=a&page=findings&query=colour%3Dred", 400, "this page knows"),
        ("name=a&page=agents&query=", 404, "no such list"),
    ] {
        let answer = house.post("/views", body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert!(answer.body.contains(words), "{body}: {}", answer.body);
    }
    assert!(house.store.views.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_who_may_sign_shares_a_view_or_drops_anothers() {
    let viewer = |sites: Option<&str>| model::Person {
        name: "Vi".into(),
        role: model::AccessRole::Viewer,
        sites: sites.map(|site| [site.parse().unwrap()].into()),
    };
    let house = House::new();
    house
        .post("/views", "name=All&page=findings&query=&shared=1&tile=1")
        .await;
    let id = house.store.views.lock().unwrap()[0].view;
    let all_sites = house.asked_by(viewer(None));
    let shares = all_sites
        .post("/views", "name=Mine&page=findings&query=&shared=1")
        .await;
    assert_eq!(shares.status, StatusCode::FORBIDDEN);
    let drops = all_sites
        .post("/views/drop", &format!("view={id}&page=findings"))
        .await;
    assert_eq!(drops.status, StatusCode::NOT_FOUND);
    let keeps = all_sites.post("/views", "name=Mine&page=findings&query=").await;
    assert_eq!(keeps.status, StatusCode::SEE_OTHER);
    assert_eq!(house.store.views.lock().unwrap().len(), 2);

    // Whoever sees one site sees no other, by page, file, view or API.
    let one_site = house.asked_by(viewer(Some("lon-2")));
    for path in [
        "/findings",
        "/findings.csv",
        "/findings.json",
        "/api/v1/findings",
        "/elements",
        "/elements.csv",
        "/elements.json",
        "/api/v1/elements",
    ] {
        let answer = one_site.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.body.contains("lon-2-r"), "{path}");
        for other in ["ber-1-r", "nyc-1-r", "waw-1-r"] {
            assert!(!answer.body.contains(other), "{path} shows {other}");
        }
    }
    let offers = one_site.get("/complete?page=findings&q=site%3A&at=5").await.body;
    assert!(offers.contains("lon-2") && !offers.contains("ber-1"), "{offers}");
}
