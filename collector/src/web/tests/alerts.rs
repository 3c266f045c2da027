//! Routes of alerts on the pages: what is shown of them, who tries them, who has them told of a view.

use super::*;

impl House {
    async fn send_form(&self, path: &str, form: String) -> Answer {
        let request = Request::post(path)
            .header(header::HOST, "localhost:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        read(self.ask(request).await).await
    }

    fn with_role(&self, role: AccessRole, name: &str) -> Self {
        self.asked_by(Person {
            name: name.into(),
            role,
            sites: None,
        })
    }
}

#[tokio::test]
async fn a_route_is_shown_with_its_host_and_its_trouble_and_nothing_secret() {
    let house = House::new();
    let page = house.get("/admin").await.body;
    for words in [
        "127.0.0.1:1",
        "severity:critical",
        &crate::web::show::number(1_204),
        "answered 503 Service Unavailable: &#60;b&#62;down",
        "attached views",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("hidden-path"), "{page}");
    let now = house.get("/").await.body;
    assert!(now.contains("<span class=\"stage-name\">alert</span>"), "{now}");
}

#[tokio::test]
async fn a_try_tells_what_came_of_it_and_is_noted() {
    let house = House::new();
    let tried = house.send_form("/admin/routes/noc/test", String::new()).await;
    assert_eq!(tried.status, StatusCode::OK);
    let words = "The route noc did not take the test: cannot be reached";
    assert!(tried.body.contains(words), "{}", tried.body);
    assert!(!tried.body.contains("hidden-path"));
    {
        let desk = house.store.desk.lock().unwrap();
        let note = desk.log.last().unwrap();
        assert_eq!(
            (note.action.as_str(), &note.subjects[..]),
            ("alert_tested", &["noc".to_owned()][..])
        );
        assert!(note.detail.contains(words), "{note:?}");
    }
    let none = house.send_form("/admin/routes/none/test", String::new()).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    for role in [AccessRole::Viewer, AccessRole::Operator, AccessRole::Compliance] {
        let refused = house
            .with_role(role, "bo")
            .send_form("/admin/routes/noc/test", String::new())
            .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{role}");
    }
}

#[tokio::test]
async fn whoever_may_act_has_a_route_told_of_a_view_they_see() {
    let house = House::new();
    let (bo, cy) = (
        house.with_role(AccessRole::Operator, "bo"),
        house.with_role(AccessRole::Operator, "cy"),
    );
    let viewer = house.with_role(AccessRole::Viewer, "di");
    let keep = "name=core&page=findings&query=q%3Drole%253Acore".to_owned();
    assert_eq!(bo.send_form("/views", keep).await.status, StatusCode::SEE_OTHER);
    let view = house.store.views.lock().unwrap()[0].view;
    let own = "name=own&page=findings&query=".to_owned();
    assert_eq!(
        viewer.send_form("/views", own).await.status,
        StatusCode::SEE_OTHER
    );
    let attach = |route: &str| format!("view={view}&route={route}");
    for (who, form, status) in [
        (&cy, attach("noc"), 404),
        (&bo, attach("none"), 404),
        (&viewer, attach("noc"), 403),
        (&bo, attach("noc"), 303),
    ] {
        let answer = who.send_form("/alerts/attach", form).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    }
    let page = bo.get("/findings").await.body;
    assert!(
        page.contains("alerts noc") && page.contains("alert on this view"),
        "{page}"
    );
    assert!(!viewer.get("/findings").await.body.contains("alert on this view"));
    assert!(!bo.get("/elements").await.body.contains("alert on this view"));

    let attachment = house.store.attached.lock().unwrap()[0].attachment;
    let detach = || format!("attachment={attachment}");
    assert_eq!(
        cy.send_form("/alerts/detach", detach()).await.status,
        StatusCode::NOT_FOUND
    );
    let admin = house.get("/admin").await.body;
    assert!(
        admin.contains("Views attached to routes") && admin.contains(">bo<"),
        "{admin}"
    );
    assert_eq!(
        bo.send_form("/alerts/detach", detach()).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(house.store.attached.lock().unwrap().is_empty());
}
