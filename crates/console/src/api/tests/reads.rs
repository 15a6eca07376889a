//! What each account reads.

use super::*;

#[tokio::test]
async fn each_account_reads_what_it_sees_and_no_more() {
    let bus = Bus::start().await;
    let (a, operator) = (bus.program(recipient("a")).await, bus.program(operator()).await);
    let (stranger, all) = (bus.program(recipient("c")).await, bus.program(Sees::Everything).await);

    assert_eq!(a.read("/me", "/me").await["recipient"], "a");
    for program in [&a, &operator, &all] {
        let page = program.read("/incidents", "/incidents").await;
        assert_eq!(page["incidents"].as_array().unwrap().len(), 1);
        assert_eq!(page["incidents"][0]["events"], 2);
        let page = program.read("/incidents", "/incidents?open=false").await;
        assert_eq!(page["incidents"], json!([]));
        let one = program.read("/incidents/{incident}", "/incidents/x").await;
        assert_eq!(one["said"].as_array().unwrap().len(), 2);
        assert_eq!(one["hearing"], "well");
    }
    let own = &a.read("/incidents/{incident}", "/incidents/x").await["own"];
    assert_eq!(
        (&own["state"], &own["duties"][0]["acknowledged"]["by"]["name"]),
        (&json!("in-time"), &json!("A. Example"))
    );
    assert!(a.read("/incidents/{incident}", "/incidents/x").await.get("counts").is_none());
    let counts = &operator.read("/incidents/{incident}", "/incidents/x").await["counts"];
    assert_eq!((&counts["asked"], &counts["acknowledged"]), (&json!(4), &json!(1)));

    let wall = |page: &Value| -> Vec<String> {
        let all = page["recipients"].as_array().unwrap();
        all.iter().map(|it| it["recipient"].as_str().unwrap().to_owned()).collect()
    };
    let of = "/incidents/{incident}/wall";
    assert_eq!(wall(&a.read(of, "/incidents/x/wall").await), ["a"]);
    let first = operator.read(of, "/incidents/x/wall?limit=1").await;
    assert_eq!((wall(&first), &first["next"]), (vec!["a".to_owned()], &json!("a")));
    let second = operator.read(of, "/incidents/x/wall?limit=1&after=a").await;
    assert_eq!((wall(&second), second.get("next")), (vec!["b".to_owned()], Some(&json!("b"))));

    assert_eq!(wall(&a.read("/desks", "/desks").await), ["a"]);
    let first = all.read("/desks", "/desks?limit=1").await;
    assert_eq!((wall(&first), &first["next"]), (vec!["a".to_owned()], &json!("a")));
    assert_eq!(wall(&all.read("/desks", "/desks?after=a").await), ["b", "linked", "own"]);

    let of = "/incidents/{incident}/timeline";
    let what = |page: &Value| -> Vec<String> {
        let all = page["moments"].as_array().unwrap();
        all.iter().map(|it| it["what"].as_str().unwrap().to_owned()).collect()
    };
    let whole = all.read(of, "/incidents/x/timeline").await;
    assert!(
        what(&whole).contains(&"found".to_owned())
            && !what(&a.read(of, "/incidents/x/timeline").await).contains(&"found".to_owned())
    );
    let (mut after, mut paged) = (0, Vec::new());
    loop {
        let page = all.read(of, &format!("/incidents/x/timeline?limit=2&after={after}")).await;
        paged.extend(what(&page));
        let Some(next) = page["next"].as_u64() else { break };
        after = next;
    }
    assert_eq!(paged, what(&whole));

    assert_eq!(stranger.read("/incidents", "/incidents").await["incidents"], json!([]));
    for path in [
        "/incidents/x",
        "/incidents/x/wall",
        "/incidents/x/timeline",
        "/incidents/x/report.csv",
        "/notices/x/1",
    ] {
        assert_eq!(stranger.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        "/incidents?limit=0",
        "/incidents?limit=501",
        "/incidents?limit=x",
        "/incidents?whatever=1",
        "/incidents?status=draft",
        "/incidents/x/timeline?after=-1",
    ] {
        let answer = all.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::BAD_REQUEST, "application/problem+json"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_event_is_read_as_cap_by_whoever_may_read_it_and_names_nobody_else_to_an_agency() {
    use tocsin_exchange::cap::{Wanted, import};
    let bus = Bus::start().await;
    let (a, operator) = (bus.program(recipient("a")).await, bus.program(operator()).await);
    let (stranger, all) = (bus.program(recipient("c")).await, bus.program(Sees::Everything).await);
    let of = "/incidents/{incident}/events/{event}/cap.xml";
    let addressed = |text: &str| {
        let (_, rest) = text.split_once("<addresses>").unwrap();
        rest.split_once("</addresses>").unwrap().0.to_owned()
    };
    for (program, to) in [(&a, "a"), (&operator, "a b linked own"), (&all, "a b linked own")] {
        let answer = program.get("/incidents/x/events/2/cap.xml").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, "application/cap+xml"),
            "{}",
            answer.text
        );
        holds("get", of, &answer);
        assert_eq!(addressed(&answer.text), to);
        // It is whole: the event that it was made of comes out of it.
        let read = import(answer.text.as_bytes(), &Wanted::default()).unwrap();
        let json = program.read("/incidents/{incident}", "/incidents/x").await["said"][1]["event"].clone();
        assert_eq!(serde_json::to_value(read.event().unwrap()).unwrap(), json);
        assert!(answer.text.contains(",tocsin.incident.operator.x.1,"), "{}", answer.text);
    }
    assert!(!a.get("/incidents/x/events/1/cap.xml").await.text.contains("<references>"));
    for path in ["/incidents/x/events/1/cap.xml", "/incidents/x/events/2/cap.xml"] {
        assert_eq!(stranger.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in
        ["/incidents/x/events/3/cap.xml", "/incidents/x/events/0/cap.xml", "/incidents/y/events/1/cap.xml"]
    {
        assert_eq!(all.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let anonymous = bus.site.send(
        axum::http::Request::builder()
            .uri("/api/v1/incidents/x/events/1/cap.xml")
            .body(Body::empty())
            .unwrap(),
    );
    assert_eq!(anonymous.await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_report_is_a_file_with_as_much_in_it_as_the_caller_may_see() {
    let bus = Bus::start().await;
    let (a, operator) = (bus.program(recipient("a")).await, bus.program(operator()).await);
    let all = bus.program(Sees::Everything).await;
    for (file, media) in [
        ("report.json", "application/json"),
        ("report.csv", "text/csv; charset=utf-8"),
        ("report.pdf", "application/pdf"),
        ("report.html", "text/html; charset=utf-8"),
    ] {
        let path = format!("/incidents/x/{file}");
        let answer = operator.get(&path).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, media));
        holds("get", "/incidents/{incident}/{report}", &answer);
        let own = a.get(&path).await;
        assert_eq!(own.status, StatusCode::OK, "as much of it as it may see");
        assert!(
            own.header("content-disposition").starts_with("attachment; filename=\"xa."),
            "{:?}",
            own.headers
        );
    }
    operator.read("/incidents/{incident}/{report}", "/incidents/x/verdict.json").await;
    let period = all.get("/reports/period.json?from=2023-06-01&to=2023-06-30").await;
    assert!(
        period.header("content-disposition").contains("2023-06-01-2023-06-30-actualall"),
        "{:?}",
        period.headers
    );
    holds("get", "/reports/{period}", &period);
    for (days, status) in [
        ("from=2023-06-30&to=2023-06-01", StatusCode::BAD_REQUEST),
        ("from=2023-06-30", StatusCode::BAD_REQUEST),
        ("from=yesterday&to=2023-06-01", StatusCode::BAD_REQUEST),
        ("from=2023-06-01&to=2023-06-30&status=draft", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(all.get(&format!("/reports/period.csv?{days}")).await.status, status, "{days}");
    }
}

#[tokio::test]
async fn an_agency_takes_in_its_notices_from_where_it_left_off_and_waits_for_the_next() {
    let bus = Bus::start().await;
    let (a, all) = (bus.program(recipient("a")).await, bus.program(Sees::Everything).await);
    let first = a.read("/notices", "/notices?limit=1").await;
    assert_eq!(
        (&first["notices"][0]["event"], &first["notices"][0]["state"]),
        (&json!(1), &json!("in-time"))
    );
    let second = a.read("/notices", &format!("/notices?after={}", first["cursor"])).await;
    assert_eq!(second["notices"][0]["event"], 2);
    let cursor = second["cursor"].as_u64().unwrap();
    let none = a.read("/notices", &format!("/notices?after={cursor}")).await;
    assert_eq!((&none["notices"], &none["cursor"]), (&json!([]), &json!(cursor)));
    assert_eq!(a.read("/notices", &format!("/notices?after={cursor}&wait=1")).await["notices"], json!([]));
    assert_eq!(all.get("/notices").await.status, StatusCode::FORBIDDEN);
    assert_eq!(a.get("/notices?wait=61").await.status, StatusCode::BAD_REQUEST);

    let exact = a.read("/notices/{incident}/{event}", "/notices/x/1").await;
    assert_eq!(exact["recipient"], "a");
    let key = tocsin_protocol::AuthorKey::new(exact["key"].as_str().unwrap()).unwrap();
    let read: tocsin_protocol::Notice = serde_json::from_str(&a.get("/notices/x/1").await.text).unwrap();
    let signed = tocsin_protocol::Signed { key: read.key, signature: read.signature };
    key.verify("tocsin.incident.operator.x.1", read.said_body.get().as_bytes(), &signed).unwrap();

    let path = format!("/notices?after={cursor}&wait=30");
    let (waited, ()) = tokio::join!(a.read("/notices", &path), async {
        let body =
            bus.site.app.ledger().last(&"tocsin.notice.a.x.1".parse().unwrap()).await.unwrap().unwrap().body;
        let later: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(later["incident"], "x");
        let operator = bus.program(operator()).await;
        let event = json!({
            "incident": "late", "sequence": 1, "kind": "initial", "status": "actual", "publisher": "operator",
            "category": "outage", "services": ["999-voice"], "headline": "Later", "areas": ["uk"],
        });
        let put = operator.send(Method::PUT, "/incidents/late/events/1", event.to_string()).await;
        assert_eq!(put.status, StatusCode::ACCEPTED, "{}", put.text);
        let said = bus
            .site
            .app
            .ledger()
            .last(&"tocsin.incident.operator.late.1".parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        let dispatch = json!({
            "incident": "late", "event": 1, "kind": "initial", "status": "actual", "publisher": "operator",
            "said": said.sequence, "published_at": said.time, "directory": 1, "acknowledge": false, "policies": [],
            "steps": [], "owed": [{"policy": "test", "requirement": "informed", "recipients": ["a"]}],
        });
        bus.append("tocsin.dispatch.operator.late.1", dispatch.to_string().into()).await;
        bus.append("tocsin.notice.a.late.1", body).await;
    });
    assert_eq!(waited["notices"][0]["incident"], "late");
}

/// What comes on an event stream until there is enough.
async fn hear(
    program: &Program<'_>,
    path: &str,
    last: Option<&str>,
    enough: impl Fn(&str) -> bool,
) -> String {
    let mut request = Request::get(format!("/api/v1{path}"));
    request = request.header("authorization", format!("Bearer {}", program.token));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = program.bus.site.open(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut frames = response.into_body().into_data_stream();
    let mut heard = String::new();
    while !enough(&heard) {
        let frame = tokio::time::timeout(Duration::from_secs(30), frames.next()).await.expect(&heard);
        heard.push_str(std::str::from_utf8(&frame.unwrap().unwrap()).unwrap());
    }
    heard
}

#[tokio::test]
async fn what_changes_is_heard_at_once_and_from_where_it_broke_off() {
    let bus = Bus::start().await;
    let (a, c) = (bus.program(recipient("a")).await, bus.program(recipient("c")).await);
    let operator = bus.program(operator()).await;
    let all = hear(&a, "/events?since=0", None, |heard| heard.contains("event: changed")).await;
    assert!(all.contains("event: beat\ndata: {\"hearing\":\"well\",\"now\":"), "{all}");
    let data = all.lines().skip_while(|line| *line != "event: changed").nth(1).unwrap();
    let changed: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(changed["incidents"], json!(["x"]));
    let last = changed["revision"].to_string();
    assert!(all.contains(&format!("id: {last}\nevent: changed")), "{all}");

    let event = json!({
        "incident": "x", "sequence": 3, "kind": "update", "status": "actual", "publisher": "operator",
        "category": "outage", "services": ["999-voice"], "headline": "More", "areas": ["uk"],
    });
    let (heard, new, put) = tokio::join!(
        hear(&a, "/events", Some(&last), |heard| heard.contains("event: changed")),
        hear(&operator, "/events", None, |heard| heard.contains("event: changed")),
        async {
            // Once both streams are open: what was said before a stream without a start is not told on it.
            tokio::time::sleep(Duration::from_millis(200)).await;
            operator.send(Method::PUT, "/incidents/x/events/3", event.to_string()).await
        },
    );
    assert_eq!(put.status, StatusCode::ACCEPTED, "{}", put.text);
    for heard in [heard, new] {
        assert!(heard.contains("\"incidents\":[\"x\"]"), "{heard}");
    }
    // Who does not see it hears that it is heard, and no more.
    let nothing = hear(&c, "/events?since=0", None, |heard| heard.contains("event: beat")).await;
    assert!(!nothing.contains("changed"), "{nothing}");
}
