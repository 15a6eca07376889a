//! Reports from programs: an agency's or operator's own, and an Alertmanager's.
//!
//! Whose token it is, whose report it is. An agency's is of its people and signed by the console; an operator's is of its
//! people or machines and signed with its own key. None begins an incident by itself, unless a rule of the operator's lets
//! it (`by_rule`): what waits is on the operator's page, which offers a draft that is filled in.

use std::fmt::Write as _;

use axum::{
    Json,
    body::Bytes,
    extract::{State as Ours, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tocsin_protocol::{
    Alert, AreaId, BodyId, EventContact, Person, Report, ReportId, ReportSays, ReportSource, Service, Status,
    Timestamp, schema, to_body,
};

use super::{problem::Problem, publish::counted};
use crate::{
    app::App,
    by_rule::Told,
    config::Monitoring,
    hands::Word,
    page::reports::{Became, say_agencys, say_publishers},
    session::{Sees, Visitor},
};

/// What a program reports. What is left out of it the token tells.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    report: ReportId,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    says: Option<ReportSays>,
    observed_at: Timestamp,
    services: Vec<Service>,
    areas: Vec<AreaId>,
    headline: String,
    what: Option<String>,
    adds_to: Option<ReportId>,
    calls_lost: Option<u64>,
    contact: Option<EventContact>,
    by: Option<Person>,
    /// Of a machine: the same whenever the same alert fires.
    fingerprint: Option<String>,
    /// Of a machine: the alert's labels.
    #[serde(default)]
    labels: Labels,
}

#[derive(Serialize)]
struct Stands {
    body: BodyId,
    report: ReportId,
    /// `said` now, `already` before, or `nothing` where there was nothing to say.
    became: &'static str,
    /// What was not mapped, and is in the report's text alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmapped: Vec<String>,
    /// What becomes of it by a rule; absent where none is for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_rule: Option<Told>,
}

impl Stands {
    /// What stands, and what becomes of it by a rule at this moment.
    fn of(app: &App, body: BodyId, report: ReportId, became: &'static str, unmapped: Vec<String>) -> Self {
        let by_rule = {
            let (state, now) = (app.model().read(), app.model().now());
            let said = state.trails.said(&body, &report);
            said.and_then(|said| Told::of(&app.rulings().look(&state, now), said))
        };
        Self { body, report, became, unmapped, by_rule }
    }
}

pub(super) async fn say(
    Ours(app): Ours<App>,
    visitor: Visitor,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let who = reporter(&visitor)?;
    counted(&app, &visitor)?;
    let body = body.map_err(|why| Problem::of_body(&why))?;
    let given: Given = serde_json::from_slice(&body)
        .map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the report: {why}")))?;
    let source = match (&visitor.sees, &given.by) {
        (Sees::Recipient(_), _) => ReportSource::Agency,
        (_, Some(_)) => ReportSource::Operator,
        (_, None) => ReportSource::Monitoring,
    };
    let alert = match source {
        ReportSource::Monitoring => Some(Alert {
            monitor: Some(visitor.account.clone()),
            fingerprint: given.fingerprint,
            labels: given.labels,
        }),
        _ if given.fingerprint.is_some() || !given.labels.is_empty() => {
            let detail = "fingerprint and labels are a machine's: leave out `by`, and report with an operator's account";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        _ => None,
    };
    let report = Report {
        report: given.report,
        body: who,
        status: given.status.unwrap_or(Status::Actual),
        says: given.says.unwrap_or(ReportSays::Failing),
        observed_at: given.observed_at,
        services: given.services,
        areas: given.areas,
        headline: given.headline,
        source,
        what: given.what,
        adds_to: given.adds_to,
        calls_lost: given.calls_lost,
        contact: given.contact,
        by: given.by,
        alert,
    };
    stand(&app, &visitor, report, Vec::new()).await
}

/// The body that reports with this account.
fn reporter(visitor: &Visitor) -> Result<BodyId, Problem> {
    match &visitor.sees {
        Sees::Recipient(recipient) => Ok(BodyId::from(recipient)),
        Sees::Publisher(publisher) => Ok(BodyId::from(publisher)),
        Sees::Everything => Err(Problem::forbidden(
            "a body of the directory reports, and for itself: this account is of none",
        )),
    }
}

/// Says a report, unless it stands already.
async fn stand(
    app: &App,
    visitor: &Visitor,
    report: Report,
    unmapped: Vec<String>,
) -> Result<Response, Problem> {
    let unfit = |why: tocsin_protocol::Error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
    let said = to_body("report", &report).map_err(unfit)?;
    schema::check_report(&said).map_err(|problems| Problem::of_schema(&problems, &said))?;
    let answer = |status: StatusCode, became: &'static str| {
        let (body, report) = (report.body.clone(), report.report.clone());
        (status, Json(Stands::of(app, body, report, became, unmapped.clone()))).into_response()
    };
    let known =
        app.model().read().trails.said(&report.body, &report.report).map(|known| known.report == report);
    match known {
        Some(true) => return Ok(answer(StatusCode::OK, "already")),
        Some(false) => {
            let detail =
                "a report of that name was said already, otherwise: say what is new under another name";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        None => {}
    }
    let became = match &visitor.sees {
        Sees::Publisher(publisher) => {
            say_publishers(app, publisher, Word::Report(Box::new(report.clone()))).await
        }
        _ => say_agencys(app, &report).await,
    };
    match became {
        Became::Counts => Ok(answer(StatusCode::CREATED, "said")),
        Became::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
        Became::NotSaid(why) => {
            let detail = format!("it was NOT said: {why} Send it again, or report by another way");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(5))
        }
        Became::Unknown(why) => {
            let detail = format!("it is not known whether it was said: {why} Send it again: it ends as one");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(5))
        }
    }
}

/// What Alertmanager posts (webhook version 4), as far as it is read. Fields that we do not know are left alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    version: String,
    #[serde(rename = "groupKey")]
    key: String,
    status: AlertStatus,
    #[serde(default)]
    common_annotations: Labels,
    alerts: Vec<Firing>,
    #[serde(default)]
    truncated_alerts: u64,
}

type Labels = std::collections::BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AlertStatus {
    Firing,
    Resolved,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Firing {
    status: AlertStatus,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    starts_at: Timestamp,
    #[serde(default)]
    ends_at: Option<Timestamp>,
}

/// How many alerts of a group are told in a report's text.
const ALERTS_TOLD: usize = 10;
/// The longest headline and text, in characters, as the schema has it.
const HEADLINE_MAX: usize = 160;
const WHAT_MAX: usize = 4000;
/// How many labels a report takes, and the longest name and value of one, as the schema has it.
const LABELS_MAX: usize = 64;
const LABEL_NAME_MAX: usize = 64;
const LABEL_VALUE_MAX: usize = 200;

pub(super) async fn alertmanager(
    Ours(app): Ours<App>,
    visitor: Visitor,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Sees::Publisher(publisher) = &visitor.sees else {
        return Err(Problem::forbidden(
            "monitoring reports with an operator's token: this account is not one's",
        ));
    };
    counted(&app, &visitor)?;
    let wrong = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let body = body.map_err(|why| Problem::of_body(&why))?;
    let group: Group = serde_json::from_slice(&body)
        .map_err(|why| wrong(format!("this is no webhook of Alertmanager's (version 4): {why}")))?;
    if group.version != "4" {
        return Err(wrong(format!(
            "version {:?} of the webhook is not known: send version 4",
            group.version
        )));
    }
    let who = BodyId::from(publisher);
    let begins = begins(&group.key);
    let open = {
        let state = app.model().read();
        state.trails.open_report(&who, &begins).map(|said| said.report.clone())
    };
    match (group.status, open) {
        // Alertmanager repeats what still fires: one group is one report.
        (AlertStatus::Firing, Some(open)) => {
            let stands = Stands::of(&app, who, open.report, "already", Vec::new());
            Ok((StatusCode::OK, Json(stands)).into_response())
        }
        (AlertStatus::Firing, None) => {
            let (report, unmapped) =
                firing(&group, &who, &visitor.account, &begins, &app.config().monitoring).map_err(wrong)?;
            stand(&app, &visitor, report, unmapped).await
        }
        (AlertStatus::Resolved, Some(open)) => {
            let report = resolved(&group, open, app.model().now()).map_err(|why| wrong(why.to_string()))?;
            stand(&app, &visitor, report, Vec::new()).await
        }
        (AlertStatus::Resolved, None) => {
            let report = ReportId::new(&format!("{begins}none")).map_err(|why| wrong(why.to_string()))?;
            let stands = Stands::of(&app, who, report, "nothing", Vec::new());
            Ok((StatusCode::OK, Json(stands)).into_response())
        }
    }
}

/// How the names of a group's reports begin.
fn begins(group_key: &str) -> String {
    let digest = Sha256::digest(group_key.as_bytes());
    let mut name = "am-".to_owned();
    for byte in digest.iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name + "-"
}

/// The report of a group that fires, and the labels that named no service or area.
fn firing(
    group: &Group,
    who: &BodyId,
    account: &str,
    begins: &str,
    mapping: &Monitoring,
) -> Result<(Report, Vec<String>), String> {
    let alerts: Vec<_> = group.alerts.iter().filter(|alert| alert.status == AlertStatus::Firing).collect();
    let first = alerts.iter().map(|alert| alert.starts_at).min();
    let first = first.ok_or("a group that fires has an alert that fires, and this one has none")?;
    let mut unmapped = Vec::new();
    let mut services: Vec<Service> = Vec::new();
    let mut areas: Vec<AreaId> = Vec::new();
    for alert in &alerts {
        mapping.services(&alert.labels, &mut services, &mut unmapped);
        mapping.areas(&alert.labels, &mut areas, &mut unmapped);
    }
    unmapped.sort();
    unmapped.dedup();
    if services.is_empty() {
        services.clone_from(&mapping.default_services);
    }
    if areas.is_empty() {
        areas.clone_from(&mapping.default_areas);
    }
    if services.is_empty() || areas.is_empty() {
        let lacking = if services.is_empty() { "service" } else { "area" };
        return Err(format!(
            "no label of it names a {lacking}: map one under [console.monitoring], or give default_{lacking}s there; unmapped: {}",
            unmapped.join(", ")
        ));
    }
    let annotation = |name: &str| {
        let own = alerts.iter().find_map(|alert| alert.annotations.get(name));
        group.common_annotations.get(name).or(own).map(String::as_str)
    };
    let name = alerts.iter().find_map(|alert| alert.labels.get("alertname")).map(String::as_str);
    let headline = annotation("summary").or(name).unwrap_or("An alert fires");
    let mut what = String::new();
    if let Some(description) = annotation("description") {
        what.push_str(description);
        what.push('\n');
    }
    for alert in alerts.iter().take(ALERTS_TOLD) {
        let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(what, "since {}: {}", alert.starts_at, labels.join(", "));
    }
    let rest = (alerts.len().saturating_sub(ALERTS_TOLD) as u64).saturating_add(group.truncated_alerts);
    if rest > 0 {
        let _ = writeln!(what, "and {rest} more");
    }
    if !unmapped.is_empty() {
        let _ = writeln!(what, "Not mapped: {}", unmapped.join(", "));
    }
    let at = first.strftime("%Y%m%dt%H%M%S");
    let report = Report {
        report: ReportId::new(&format!("{begins}{at}")).map_err(|why| why.to_string())?,
        body: who.clone(),
        status: mapping.status,
        says: ReportSays::Failing,
        observed_at: first,
        services,
        areas,
        headline: line(headline, HEADLINE_MAX),
        source: ReportSource::Monitoring,
        what: Some(text(&what, WHAT_MAX)),
        adds_to: None,
        calls_lost: None,
        contact: None,
        by: None,
        alert: Some(Alert {
            monitor: Some(account.to_owned()),
            fingerprint: Some(begins.trim_end_matches('-').to_owned()),
            labels: common(&alerts),
        }),
    };
    Ok((report, unmapped))
}

/// The labels that all alerts have, as far as a report takes them.
fn common(alerts: &[&Firing]) -> Labels {
    let Some((first, rest)) = alerts.split_first() else { return Labels::new() };
    let fits = |name: &str, value: &str| {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        name.len() <= LABEL_NAME_MAX
            && name.bytes().all(is_word)
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && value.chars().count() <= LABEL_VALUE_MAX
            && !value.trim().is_empty()
            && text(value, usize::MAX) == value
            && !value.contains('\n')
    };
    first
        .labels
        .iter()
        .filter(|(name, value)| {
            rest.iter().all(|alert| alert.labels.get(*name) == Some(*value)) && fits(name, value)
        })
        .take(LABELS_MAX)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// That a group fires no more, of the report that it was.
fn resolved(group: &Group, open: Report, now: Timestamp) -> Result<Report, tocsin_protocol::Error> {
    // Of an alert that fires it says the year 1.
    let ends = group.alerts.iter().filter_map(|alert| alert.ends_at.filter(|end| *end > alert.starts_at));
    let ended = ends.max();
    Ok(Report {
        report: ReportId::new(&format!("{}-over", open.report))?,
        says: ReportSays::Restored,
        observed_at: ended.unwrap_or(now),
        headline: line(&format!("Fires no more: {}", open.headline), HEADLINE_MAX),
        what: None,
        adds_to: Some(open.report.clone()),
        ..open
    })
}

/// Words from outside as one plain line.
fn line(words: &str, most: usize) -> String {
    let plain = text(words, usize::MAX).split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = plain.chars().take(most).collect();
    if plain.is_empty() { "An alert fires".to_owned() } else { plain }
}

/// Words from outside without what could not be shown.
fn text(words: &str, most: usize) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown: String = words.chars().filter(|c| !hidden(*c)).take(most).collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBHOOK: &str = r#"{
        "receiver": "tocsin", "status": "firing", "version": "4", "groupKey": "{}:{alertname=\"CallsNotAnswered\"}",
        "truncatedAlerts": 2, "externalURL": "http://am.example", "groupLabels": {"alertname": "CallsNotAnswered"},
        "commonLabels": {"alertname": "CallsNotAnswered"}, "commonAnnotations": {"summary": "Test calls to 999 fail\n"},
        "alerts": [
            {"status": "firing", "labels": {"alertname": "CallsNotAnswered", "service": "voice", "site": "lon"},
             "annotations": {}, "startsAt": "2023-06-25T05:25:30.123Z", "endsAt": "0001-01-01T00:00:00Z",
             "generatorURL": "http://p.example", "fingerprint": "a1"},
            {"status": "firing", "labels": {"alertname": "CallsNotAnswered", "service": "fax", "site": "man"},
             "annotations": {}, "startsAt": "2023-06-25T05:25:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "a2"}
        ]}"#;

    fn mapping() -> Monitoring {
        toml::from_str(
            r#"
            area_label = "site"
            [services]
            voice = ["999-voice", "112-voice"]
            [areas]
            lon = ["london"]
            man = ["greater-manchester"]
            "#,
        )
        .unwrap()
    }

    #[test]
    fn a_group_that_fires_becomes_one_report_whose_labels_are_mapped_and_what_is_not_is_told() {
        let group: Group = serde_json::from_str(WEBHOOK).unwrap();
        let who: BodyId = "bt".parse().unwrap();
        let (report, unmapped) = firing(&group, &who, "am", &begins(&group.key), &mapping()).unwrap();
        assert_eq!(unmapped, ["service=fax"]);
        assert_eq!(report.headline, "Test calls to 999 fail");
        assert_eq!(report.observed_at.to_string(), "2023-06-25T05:25:00Z");
        let areas: Vec<_> = report.areas.iter().map(AreaId::as_str).collect();
        assert_eq!(areas, ["london", "greater-manchester"]);
        assert_eq!(report.services.len(), 2);
        let what = report.what.clone().unwrap();
        let alert = report.alert.as_ref().unwrap();
        assert_eq!((alert.monitor.as_deref(), alert.labels.len()), (Some("am"), 1), "{alert:?}");
        assert_eq!(alert.labels["alertname"], "CallsNotAnswered");
        assert!(what.contains("Not mapped: service=fax") && what.contains("and 2 more"), "{what}");
        assert!(
            report.report.as_str().starts_with("am-") && report.report.as_str().ends_with("20230625t052500")
        );
        schema::check_report(&to_body("report", &report).unwrap()).unwrap();
        let over = resolved(&group, report, "2023-06-25T07:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(
            over.observed_at.to_string(),
            "2023-06-25T07:00:00Z",
            "an end before its beginning is none"
        );
        schema::check_report(&to_body("report", &over).unwrap()).unwrap();
    }

    #[test]
    fn a_group_of_which_no_label_names_a_service_is_refused_with_what_to_do() {
        let group: Group = serde_json::from_str(WEBHOOK).unwrap();
        let who: BodyId = "bt".parse().unwrap();
        let why = firing(&group, &who, "am", "am-", &Monitoring::default()).unwrap_err();
        assert!(why.contains("[console.monitoring]") && why.contains("service=voice"), "{why}");
        let defaults = Monitoring {
            default_services: vec![Service::Voice999],
            default_areas: vec!["uk".parse().unwrap()],
            ..Monitoring::default()
        };
        assert!(firing(&group, &who, "am", "am-", &defaults).is_ok());
    }
}
