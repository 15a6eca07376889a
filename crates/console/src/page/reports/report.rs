//! An agency's form to report up what it sees.

use askama::Template;
use axum::{
    extract::{OriginalUri, State as Extracted},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use tocsin_duty::serves;
use tocsin_protocol::{
    BodyId, Person, RecipientId, Report, ReportId, ReportSays, ReportSource, Service, Status,
};

use super::{list, say::Became, say::say_agencys};
use crate::{
    app::App,
    page::{
        frame::{Frame, answer},
        words,
    },
    session::{Posted, Refusal, Sees, Visitor},
};

/// Fields as they came; some of them several times.
type Pairs = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "reports/form.html")]
struct Page {
    frame: Frame,
    csrf: String,
    who: String,
    /// The report's name, made with the form: the form sent twice leaves one.
    report: String,
    faults: Vec<(&'static str, String)>,
    services: Vec<Choice>,
    areas: Vec<Choice>,
    statuses: Vec<Choice>,
    earlier: Vec<Choice>,
    headline: String,
    what: String,
    seen_at: String,
    calls_lost: String,
    phone: String,
    name: String,
    role: String,
}

struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

struct Filled<'f>(&'f Pairs);

impl Filled<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.trim());
        values.into_iter().find(|value| !value.is_empty())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim());
        values.filter(|value| !value.is_empty())
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|given| given == value)
    }
}

fn agency<'v>(visitor: &'v Visitor, uri: &OriginalUri) -> Result<&'v RecipientId, Refusal> {
    match &visitor.sees {
        Sees::Recipient(recipient) => Ok(recipient),
        _ => Err(Refusal::forbidden(
            uri,
            "Only an agency reports here. An operator publishes, or reports with `tocsin tell`.",
        )),
    }
}

pub(super) async fn show(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    uri: OriginalUri,
) -> Result<Response, Refusal> {
    let recipient = agency(&visitor, &uri)?;
    let (name, role) =
        visitor.person.as_ref().map(|by| (by.name.clone(), by.role.clone())).unwrap_or_default();
    let filled = vec![("name".to_owned(), name), ("role".to_owned(), role)];
    Ok(form(&app, &visitor, recipient, &Filled(&filled), Vec::new()))
}

pub(super) async fn post(
    Extracted(app): Extracted<App>,
    uri: OriginalUri,
    Posted { visitor, form: pairs }: Posted<Pairs>,
) -> Result<Response, Refusal> {
    let recipient = agency(&visitor, &uri)?.clone();
    let filled = Filled(&pairs);
    let report = match read(&app, &recipient, &filled) {
        Ok(report) => report,
        Err(faults) => return Ok(form(&app, &visitor, &recipient, &filled, faults)),
    };
    let fault = match say_agencys(&app, &report).await {
        Became::Counts => return Ok(Redirect::to("/reports").into_response()),
        Became::Refused(why) => format!("It does not count: {why}"),
        Became::NotSaid(why) => format!("It was NOT said: {why}"),
        Became::Unknown(why) => {
            format!("It is not known whether it was said: {why} Send it again; it ends as one.")
        }
    };
    Ok(form(&app, &visitor, &recipient, &filled, vec![("headline", fault)]))
}

fn read(
    app: &App,
    recipient: &RecipientId,
    filled: &Filled<'_>,
) -> Result<Report, Vec<(&'static str, String)>> {
    let mut faults = Vec::new();
    let mut need = |field: &'static str, words: &str| faults.push((field, words.to_owned()));
    let services: Vec<Service> = filled.all("services").filter_map(|word| word.parse().ok()).collect();
    if services.is_empty() {
        need("services", "Choose at least one service");
    }
    let areas: Vec<_> = filled.all("areas").filter_map(|word| word.parse().ok()).collect();
    if areas.is_empty() {
        need("areas", "Choose at least one area");
    }
    let headline = filled.text("headline").unwrap_or_default().to_owned();
    if headline.is_empty() {
        need("headline", "Write one line that tells what you see");
    }
    let (name, role) = (filled.text("name").unwrap_or_default(), filled.text("role").unwrap_or_default());
    if name.is_empty() {
        need("name", "Enter your name");
    }
    if role.is_empty() {
        need("role", "Enter your role");
    }
    let status: Status = filled.text("status").and_then(|word| word.parse().ok()).unwrap_or(Status::Actual);
    let calls_lost = filled.text("calls_lost").map(str::parse).transpose().unwrap_or_else(|_| {
        need("calls_lost", "Write the number of calls in digits, or leave it empty");
        None
    });
    let zone = words::Zone::of(&app.model().read());
    let observed_at = match filled.text("seen_at") {
        None => Some(app.model().now()),
        Some(text) => zone.local(text),
    };
    if observed_at.is_none() {
        need("seen_at", "Write the day and time, or leave it empty for now");
    }
    let adds_to: Option<ReportId> = filled.text("adds_to").and_then(|word| word.parse().ok());
    let restored = filled.has("says", "restored");
    if restored && adds_to.is_none() {
        need("adds_to", "Say which earlier report of yours is over");
    }
    let report = filled.text("report").and_then(|name| ReportId::new(name).ok());
    let (Some(report), Some(observed_at), true) = (report, observed_at, faults.is_empty()) else {
        if faults.is_empty() {
            faults.push(("headline", "Open the form again".to_owned()));
        }
        return Err(faults);
    };
    Ok(Report {
        report,
        body: BodyId::from(recipient),
        status,
        says: if restored { ReportSays::Restored } else { ReportSays::Failing },
        observed_at,
        services,
        areas,
        headline,
        source: ReportSource::Agency,
        what: filled.text("what").map(|text| text.replace('\r', "")),
        adds_to,
        calls_lost,
        contact: filled.text("phone").map(|phone| tocsin_protocol::EventContact {
            role: role.to_owned(),
            name: None,
            phone: Some(phone.to_owned()),
            email: None,
            bridge: None,
        }),
        by: Some(Person { name: name.to_owned(), role: role.to_owned() }),
        alert: None,
    })
}

fn form(
    app: &App,
    visitor: &Visitor,
    recipient: &RecipientId,
    filled: &Filled<'_>,
    faults: Vec<(&'static str, String)>,
) -> Response {
    let state = app.model().read();
    let frame = Frame::on(&state, app, visitor, "reports");
    let directory = state.fold.directory();
    let known = directory.and_then(|directory| directory.recipient(recipient));
    let areas: Vec<_> = directory
        .zip(known)
        .map(|(directory, known)| {
            let served = directory.document().areas.iter();
            served.filter(|area| serves(directory, &known.entry, &area.id)).collect()
        })
        .unwrap_or_default();
    let only = areas.len() == 1;
    let areas = areas.into_iter().map(|area| Choice {
        value: area.id.to_string(),
        label: area.name.clone(),
        chosen: only || filled.has("areas", area.id.as_str()),
    });
    let services = Service::ALL.iter().map(|service| Choice {
        value: service.to_string(),
        label: words::service(*service).to_owned(),
        chosen: filled.has("services", &service.to_string()),
    });
    let statuses = [(Status::Actual, "Real"), (Status::Exercise, "Exercise: not real")];
    let statuses = statuses.into_iter().map(|(status, label)| Choice {
        value: status.to_string(),
        label: label.to_owned(),
        chosen: filled.text("status").map_or(status == Status::Actual, |given| given == status.to_string()),
    });
    let body = BodyId::from(recipient);
    let earlier = state.trails.reports(Some(&body)).into_iter().take(10).map(|said| Choice {
        value: said.report.report.to_string(),
        label: format!("{}: {}", frame.zone().second(said.at, frame.now()), said.report.headline),
        chosen: filled.has("adds_to", said.report.report.as_str()),
    });
    let text = |name: &str| filled.text(name).unwrap_or_default().to_owned();
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page {
        csrf: visitor.csrf(),
        who: known.map_or_else(|| recipient.to_string(), |known| known.entry.name.clone()),
        report: filled.text("report").map_or_else(|| list::made_of(frame.now()), str::to_owned),
        faults,
        services: services.collect(),
        areas: areas.collect(),
        statuses: statuses.collect(),
        earlier: earlier.collect(),
        headline: text("headline"),
        what: text("what"),
        seen_at: text("seen_at"),
        calls_lost: text("calls_lost"),
        phone: text("phone"),
        name: text("name"),
        role: text("role"),
        frame,
    };
    drop(state);
    answer(status, &page)
}

impl Page {
    fn fault(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|(at, _)| *at == field).map(|(_, words)| words.as_str())
    }

    fn wrong(&self, field: &str) -> &'static str {
        if self.fault(field).is_some() { " wrong" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::Timestamp;

    use super::*;

    #[test]
    fn a_report_is_named_by_the_time_of_its_form() {
        let at: Timestamp = "2023-06-25T05:31:07.412Z".parse().unwrap();
        assert_eq!(list::made_of(at), "page-2023-06-25-053107-412");
        assert!(ReportId::new(&list::made_of(at)).is_ok());
    }
}
