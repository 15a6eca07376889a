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
