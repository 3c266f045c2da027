//! What is fetched beside the pages: assets, and the stream that says when to look again.

use super::*;

#[tokio::test]
async fn assets_are_named_by_their_content() {
    let house = House::new();
    let page = house.get("/").await.body;
    let link = page
        .split("href=\"/assets/marque.css")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let named = house.get(&format!("/assets/marque.css{link}")).await;
    assert!(
        named.headers[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let plain = house.get("/assets/marque.css").await;
    assert_eq!(plain.headers[header::CACHE_CONTROL], "no-cache");
    let etag = plain.headers[header::ETAG].to_str().unwrap();
    let again = house
        .get_with(
            "/assets/marque.css",
            "localhost",
            &[(header::IF_NONE_MATCH, etag)],
        )
        .await;
    assert_eq!(
        (again.status, again.body.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
}

#[tokio::test]
async fn the_live_stream_tells_revisions_and_ends_at_shutdown() {
    let house = House::new();
    let request = Request::get("/live")
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .unwrap();
    let response = house.ask(request).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(
        response.headers()[header::CONTENT_SECURITY_POLICY],
        CONTENT_SECURITY_POLICY
    );
    let mut events = response.into_body().into_data_stream();
    let first = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(
        first.contains("event: revision") && first.contains("\"revision\":7"),
        "{first}"
    );
    house.store.revision.send_replace(8);
    let second = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(second.contains("\"revision\":8"), "{second}");
    house.shutdown.cancel();
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_live_stream_beats_when_nothing_happens() {
    let house = House::new();
    let request = Request::get("/live")
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .unwrap();
    let mut events = house.ask(request).await.into_body().into_data_stream();
    let began = tokio::time::Instant::now();
    for _ in 0..3 {
        assert!(events.next().await.unwrap().is_ok());
    }
    assert_eq!(began.elapsed(), crate::web::live::BEAT * 2);
}
