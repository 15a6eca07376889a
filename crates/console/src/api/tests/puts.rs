//! What each account says.

use super::*;

#[tokio::test]
async fn an_event_is_put_once_however_often_it_is_tried() {
    let bus = Bus::start().await;
    let (operator, a) = (bus.program(operator()).await, bus.program(recipient("a")).await);
    let wanted = json!({
        "kind": "initial", "status": "actual", "category": "outage", "services": ["999-voice"], "areas": ["uk"],
        "headline": "999 calls fail",
    });
    let drafted = operator.send(Method::POST, "/drafts", wanted.to_string()).await;
    assert_eq!(drafted.status, StatusCode::OK, "{}", drafted.text);
    let drafted = holds("post", "/drafts", &drafted);
    let put_at = drafted["put_at"].as_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    let of = "/incidents/{incident}/events/{event}";
    let event = drafted["event"].to_string();
    let put = operator.send(Method::PUT, &put_at, event.clone()).await;
    assert_eq!(put.status, StatusCode::ACCEPTED, "{}", put.text);
    assert_eq!(holds("put", of, &put)["fate"], "on-the-bus");
    until("it is known", async || operator.get("/incidents/named").await.status == StatusCode::OK).await;
    // The same, written otherwise.
    let pretty = format!("\n {} \n", serde_json::to_string_pretty(&drafted["event"]).unwrap());
    let again = operator.send(Method::PUT, &put_at, pretty).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    holds("put", of, &again);
    let entries = bus
        .site
        .app
        .ledger()
        .entries(tocsin_protocol::Stream::Said, &["tocsin.incident.operator.named.*".to_owned()])
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);

    let mut other = drafted["event"].clone();
    other["headline"] = "Something else".into();
    let kept = {
        let mut kept = other.clone();
        kept["incident"] = "away".into();
        kept["headline"] = "kept".into();
        kept.to_string()
    };
    let put = operator.send(Method::PUT, "/incidents/away/events/1", kept).await;
    assert_eq!((put.status, &holds("put", of, &put)["fate"]), (StatusCode::ACCEPTED, &json!("kept")));
    let bad = r#"{"incident":"named","sequence":1,"Headline":"x","services":"999"}"#;
    for (path, body, status) in [
        (put_at.as_str(), other.to_string(), StatusCode::CONFLICT),
        ("/incidents/other/events/1", event.clone(), StatusCode::CONFLICT),
        ("/incidents/named/events/2", event.clone(), StatusCode::CONFLICT),
        ("/incidents/named/events/0", event.clone(), StatusCode::NOT_FOUND),
        (put_at.as_str(), bad.to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        (put_at.as_str(), String::new(), StatusCode::UNPROCESSABLE_ENTITY),
        (put_at.as_str(), "\u{0}".repeat(70_000), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let answer = operator.send(Method::PUT, path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        holds("put", of, &answer);
    }
    let answer = operator.send(Method::PUT, &put_at, bad).await;
    let faults: Value = serde_json::from_str(&answer.text).unwrap();
    let services =
        faults["errors"].as_array().unwrap().iter().find(|fault| fault["pointer"] == "/services").unwrap();
    assert_eq!(services["value"], "999");
    assert!(services["message"].as_str().unwrap().contains("is not in a list: write"), "{services}");

    for (draft, status) in [
        (json!({"kind": "update", "incident": "x"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "initial", "incident": "x"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "initial"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "update", "status": "actual"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "resolved", "whatever": 1}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!([]), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = operator.send(Method::POST, "/drafts", draft.to_string()).await;
        assert_eq!(answer.status, status, "{draft}: {}", answer.text);
        holds("post", "/drafts", &answer);
    }
    for (method, path) in [(Method::PUT, put_at.as_str()), (Method::POST, "/drafts")] {
        assert_eq!(a.send(method, path, event.clone()).await.status, StatusCode::FORBIDDEN);
    }
    // A browser's session puts nothing here: it has pages, which hold its token.
    bus.site.account("operator.person", Sees::Publisher("operator".parse().unwrap()));
    let mut cookies = String::new();
    until("the account is known", async || {
        cookies = bus.site.sign_in("operator.person", PASSWORD).await.cookies();
        !cookies.is_empty()
    })
    .await;
    let request = Request::put(format!("/api/v1{put_at}")).header("cookie", &cookies).header("origin", HERE);
    assert_eq!(bus.site.send(request.body(event.into()).unwrap()).await.status, StatusCode::UNAUTHORIZED);
    let mut last = StatusCode::OK;
    for _ in 0..60 {
        last = operator.send(Method::POST, "/drafts", "{}").await.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn an_agency_acknowledges_by_its_program_once_and_it_says_so() {
    let bus = Bus::start().await;
    let (b, own, linked, a) = (
        bus.program(recipient("b")).await,
        bus.program(recipient("own")).await,
        bus.program(recipient("linked")).await,
        bus.program(recipient("a")).await,
    );
    let (operator, of) =
        (bus.program(operator()).await, "/incidents/{incident}/events/{event}/acknowledgement");
    let path = "/incidents/x/events/1/acknowledgement";
    let given = json!({
        "by": {"name": "B. Example", "role": "supervisor"}, "control_room": "Main", "on_behalf_of": "Body c",
        "note": "by telephone tree",
    });
    let put = b.send(Method::PUT, path, given.to_string()).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text);
    let stands = holds("put", of, &put);
    assert_eq!((&stands["stands"], &stands["acknowledged"]["method"]), (&json!("this"), &json!("program")));
    assert_eq!(stands["acknowledged"]["note"], "by telephone tree");
    let subject: Subject = "tocsin.receipt.b.x.1.acknowledged".parse().unwrap();
    let entry = bus.site.app.ledger().last(&subject).await.unwrap().unwrap();
    let receipt: Receipt = from_body("receipt", &entry.body).unwrap();
    assert_eq!(
        (receipt.control_room.as_deref(), receipt.on_behalf_of.as_deref()),
        (Some("Main"), Some("Body c"))
    );

    // Again, and by somebody else there: the first stands.
    for by in ["B. Example", "Another Person"] {
        let given = json!({"by": {"name": by, "role": "supervisor"}});
        let again = b.send(Method::PUT, path, given.to_string()).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.text);
        let stands = holds("put", of, &again);
        assert_eq!(
            (&stands["stands"], &stands["acknowledged"]["by"]["name"]),
            (&json!("earlier"), &json!("B. Example"))
        );
    }
    let filter = "tocsin.receipt.b.x.1.acknowledged".to_owned();
    assert_eq!(
        bus.site.app.ledger().entries(tocsin_protocol::Stream::Said, &[filter]).await.unwrap().len(),
        1
    );
    // What its desk said before counts for the page, the desk and the program alike.
    assert_eq!(a.send(Method::PUT, path, given.to_string()).await.status, StatusCode::OK);
    assert_eq!(b.read("/incidents/{incident}", "/incidents/x").await["own"]["state"], "in-time");

    let unnamed = json!({"by": {"name": " ", "role": "supervisor"}}).to_string();
    for (program, path, body, status) in [
        (&own, path, given.to_string(), StatusCode::CONFLICT),
        (&linked, path, given.to_string(), StatusCode::CONFLICT),
        (&operator, path, given.to_string(), StatusCode::FORBIDDEN),
        (&b, "/incidents/none/events/1/acknowledgement", given.to_string(), StatusCode::NOT_FOUND),
        (&b, "/incidents/x/events/9/acknowledgement", given.to_string(), StatusCode::NOT_FOUND),
        (&b, "/incidents/x/events/2/acknowledgement", "{}".to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        (&b, "/incidents/x/events/2/acknowledgement", "\u{0}".to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        (&b, "/incidents/x/events/2/acknowledgement", unnamed.clone(), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = program.send(Method::PUT, path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        holds("put", of, &answer);
    }
    let why = linked.send(Method::PUT, path, given.to_string()).await.text;
    assert!(why.contains("by a mail's link alone") && why.contains("at your own desk"), "{why}");
    let filter = ["own", "linked"].map(|id| format!("tocsin.receipt.{id}.>"));
    assert!(bus.site.app.ledger().entries(tocsin_protocol::Stream::Said, &filter).await.unwrap().is_empty());
    let answer = b.send(Method::PUT, "/incidents/x/events/2/acknowledgement", unnamed).await;
    let faults: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(faults["errors"][0]["pointer"], "/by/name", "{faults}");
}

#[tokio::test]
async fn while_the_bus_is_away_nothing_looks_well_and_nothing_is_said() {
    let mut bus = Bus::start().await;
    let b = bus.program(recipient("b")).await.token;
    bus.site.server.kill().await.unwrap();
    let b = Program { bus: &bus, token: b };
    until("it is deaf", async || b.read("/me", "/me").await["hearing"] == "deaf").await;
    assert_eq!(b.read("/incidents", "/incidents").await["hearing"], "deaf");
    let given = json!({"by": {"name": "B. Example", "role": "supervisor"}}).to_string();
    let put = b.send(Method::PUT, "/incidents/x/events/1/acknowledgement", given).await;
    assert_eq!(put.status, StatusCode::SERVICE_UNAVAILABLE, "{}", put.text);
    assert!(put.text.contains("it was NOT said") && put.header("retry-after") == "5", "{}", put.text);
    holds("put", "/incidents/{incident}/events/{event}/acknowledgement", &put);
}
