//! The figures as tables.

use jiff::civil::Date;
use tocsin_protocol::Outcome;

use crate::{
    Contact, DutyTotals, Each, Figures, PeriodReport, Spread,
    render::sheet::{Bar, Bars, Column, Sheet},
    words::{Zone, kind, outcome, plain, rough, share},
};

/// The columns of figures after the first, which says whose they are.
const FIGURES: [Column; 10] = [
    Column::figures("in time, of asked", 21, 2.2),
    Column::figures("late", 5, 0.8),
    Column::figures("silent", 6, 0.9),
    Column::figures("open", 5, 0.8),
    Column::figures("excused", 7, 1.0).beside(),
    Column::figures("median", 11, 1.5),
    Column::figures("slowest", 11, 1.5),
    Column::figures("measured", 8, 1.1).beside(),
    Column::figures("delivered, of told", 18, 1.9).beside(),
    Column::figures("e-mailed", 9, 1.1).beside(),
];

/// Beyond so many there is no picture beside the table.
const BARS: usize = 60;

pub(super) fn sheets(report: &PeriodReport, zone: &Zone) -> Vec<Sheet> {
    vec![
        trend(report),
        by_kind(report),
        operators(report),
        duties(report),
        incidents(report, zone),
        slowest(report),
        by_recipient(report),
        never_heard(report),
        contacts(report, zone),
        mails(report),
        problems(report),
    ]
}

fn columns(first: Column) -> Vec<Column> {
    [first].into_iter().chain(FIGURES).collect()
}

fn time(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), rough)
}

fn figures(name: String, figures: &Figures) -> Vec<String> {
    vec![
        name,
        in_time(figures),
        figures.acknowledged_late.to_string(),
        figures.silent.to_string(),
        figures.open.to_string(),
        figures.excused.to_string(),
        time(figures.median_seconds),
        time(figures.slowest_seconds),
        figures.measured.to_string(),
        format!("{} of {}", figures.delivered, figures.told),
        figures.escalated.to_string(),
    ]
}

fn in_time(figures: &Figures) -> String {
    if figures.asked == 0 {
        "none asked".to_owned()
    } else {
        share(figures.acknowledged_in_time, figures.asked, "")
    }
}

fn bars(title: String, all: impl IntoIterator<Item = (String, Figures)>) -> Option<Bars> {
    let all: Vec<Bar> = all
        .into_iter()
        .map(|(label, figures)| Bar { label, share: figures.share_in_time, words: in_time(&figures) })
        .collect();
    let told: Vec<String> = all.iter().map(|bar| format!("{}: {}", bar.label, bar.words)).collect();
    let text = format!("{title}. {}.", told.join("; "));
    (!all.is_empty() && all.len() <= BARS).then_some(Bars { title, text, all })
}

fn trend(report: &PeriodReport) -> Sheet {
    let each = report.period.parts;
    let label = |from: Date, to: Date| match each {
        Each::Month if from.day() == 1 && to == to.last_of_month() => from.strftime("%B %Y").to_string(),
        _ if from == to => from.to_string(),
        _ => format!("{from} to {}", to.strftime("%m-%d")),
    };
    let named = |part: &crate::PeriodPart| (label(part.from, part.to), part.figures);
    let word = match each {
        Each::Week => "week",
        Each::Month => "month",
    };
    let mut columns = columns(Column::words(word, 24, 2.2));
    columns.insert(1, Column::figures("incidents", 9, 1.1));
    // There is room for one of them alone.
    columns.iter_mut().filter(|column| column.name == "slowest").for_each(|column| *column = column.beside());
    let row = |part: &crate::PeriodPart| {
        let mut row = figures(label(part.from, part.to), &part.figures);
        row.insert(1, part.figures.incidents.to_string());
        row
    };
    let note = format!("An incident belongs to the {word} in which its first event was stored.");
    Sheet {
        id: "trend",
        title: if each == Each::Week { "By week" } else { "By month" },
        note,
        columns,
        rows: report.trend.iter().map(row).collect(),
        none: "none",
        bars: bars(format!("Acknowledged in time, by {word}"), report.trend.iter().map(named)),
        ..Sheet::default()
    }
}

fn by_kind(report: &PeriodReport) -> Sheet {
    Sheet {
        id: "kinds",
        title: "By kind of recipient",
        note: String::new(),
        columns: columns(Column::words("kind", 24, 2.2)),
        rows: report.by_kind.iter().map(|of| figures(kind(&of.kind), &of.figures)).collect(),
        none: "nobody was told",
        bars: bars(
            "Acknowledged in time, by kind of recipient".to_owned(),
            report.by_kind.iter().map(|of| (kind(&of.kind), of.figures)),
        ),
        ..Sheet::default()
    }
}

fn by_recipient(report: &PeriodReport) -> Sheet {
    let mut columns = columns(Column::words("recipient", 28, 2.6));
    columns.insert(1, Column::words("kind", 0, 1.5).beside());
    let row = |of: &crate::PeriodRecipient| {
        let mut row = figures(plain(&of.name), &of.figures);
        row.insert(1, kind(&of.kind));
        row
    };
    Sheet {
        id: "recipients",
        title: "By recipient",
        note: String::new(),
        columns,
        rows: report.by_recipient.iter().map(row).collect(),
        none: "nobody was told",
        ..Sheet::default()
    }
}

fn operators(report: &PeriodReport) -> Sheet {
    let spread =
        |spread: &Spread| [spread.of.to_string(), time(spread.median_seconds), time(spread.slowest_seconds)];
    Sheet {
        id: "operators",
        title: "The operators",
        note: "From the failure, as the operator states it, to its first notice; of the incidents of which it stated when that began, or \
               was noticed. That is the operator's time, and no part \
               of any recipient's."
            .to_owned(),
        columns: vec![
            Column::words("operator", 12, 1.5),
            Column::figures("incidents", 9, 0.8),
            Column::figures("began stated", 12, 1.0),
            Column::figures("median", 11, 1.0),
            Column::figures("slowest", 11, 1.0),
            Column::figures("noticed stated", 14, 1.2),
            Column::figures("median", 11, 1.0),
            Column::figures("slowest", 11, 1.0),
        ],
        rows: report
            .operators
            .iter()
            .map(|of| {
                let head = [of.publisher.to_string(), of.incidents.to_string()];
                head.into_iter().chain(spread(&of.from_began)).chain(spread(&of.from_detected)).collect()
            })
            .collect(),
        none: "no incident was published",
        ..Sheet::default()
    }
}

fn duties(report: &PeriodReport) -> Sheet {
    let row = |of: &crate::OperatorFigures| {
        let kept = |tally: &crate::DutyTally| share(tally.in_time, tally.owed, "");
        let DutyTotals { duties, targets, promises } = &of.duties;
        vec![
            of.publisher.to_string(),
            kept(duties),
            duties.late.to_string(),
            duties.not_called.to_string(),
            duties.overdue.to_string(),
            duties.open.to_string(),
            kept(promises),
            kept(targets),
        ]
    };
    let owed = report.operators.iter().filter(|of| of.duties != DutyTotals::default());
    Sheet {
        id: "duties",
        title: "What the operators owed",
        note: "The operators', each time that something was owed under a policy. A promised update and an internal target have \
               figures of their own: beyond target is no breach, and none is counted among what is owed."
            .to_owned(),
        columns: vec![
            Column::words("operator", 12, 1.5),
            Column::figures("in time, of owed", 17, 1.4),
            Column::figures("late", 4, 0.7),
            Column::figures("uncalled", 8, 0.9),
            Column::figures("overdue", 7, 0.8),
            Column::figures("open", 4, 0.7),
            Column::figures("promises kept", 17, 1.3),
            Column::figures("within target", 17, 1.3),
        ],
        rows: owed.map(row).collect(),
        none: "nothing",
        ..Sheet::default()
    }
}

fn incidents(report: &PeriodReport, zone: &Zone) -> Sheet {
    let mut columns = vec![
        Column::words("incident", 26, 2.0),
        Column::words("published", 16, 1.6),
        Column::words("headline", 0, 2.6).beside(),
        Column::figures("events", 6, 0.7).beside(),
        Column::figures("told after it began", 0, 1.4).beside(),
    ];
    columns
        .extend(FIGURES.into_iter().filter(|column| column.name != "measured" && column.name != "slowest"));
    columns.push(Column::figures("problems", 8, 0.9));
    let row = |of: &crate::PeriodIncident| {
        let mut row = vec![
            of.id.to_string(),
            format!("{} {}", zone.day(of.published_at), zone.minute(of.published_at)),
            plain(&of.headline),
            of.events.to_string(),
            of.operator_delay_seconds.from_began.map_or_else(|| "not stated".to_owned(), rough),
        ];
        let all = figures(String::new(), &of.figures);
        let kept = all.into_iter().skip(1).zip(FIGURES);
        row.extend(
            kept.filter(|(_, column)| column.name != "measured" && column.name != "slowest")
                .map(|(cell, _)| cell),
        );
        row.push(of.problems.to_string());
        row
    };
    for column in columns.iter_mut().filter(|column| matches!(column.name, "open" | "median")) {
        *column = column.beside();
    }
    Sheet {
        id: "incidents",
        title: "The incidents",
        note: "Each has a report of its own, which tells its problems.".to_owned(),
        columns,
        rows: report.incidents.iter().map(row).collect(),
        none: "none",
        ..Sheet::default()
    }
}

fn slowest(report: &PeriodReport) -> Sheet {
    Sheet {
        id: "slowest",
        title: "The slowest",
        note: format!("From notice to acknowledgement, of the {} measured.", report.figures.measured),
        columns: vec![
            Column::words("recipient", 40, 3.0),
            Column::figures("took", 16, 1.2),
            Column::words("of", 36, 3.0),
        ],
        rows: report
            .slowest
            .iter()
            .map(|slow| {
                vec![
                    plain(&slow.name),
                    rough(slow.seconds),
                    format!("{}, event {}", slow.incident, slow.event),
                ]
            })
            .collect(),
        none: "nobody has acknowledged",
        ..Sheet::default()
    }
}

fn never_heard(report: &PeriodReport) -> Sheet {
    Sheet {
        id: "never-heard",
        title: "Never heard",
        note: "Recipients that were owed a notice, and of which no receipt of any sort came: neither that a system holds \
               it, nor that a person knows of it."
            .to_owned(),
        columns: vec![
            Column::words("recipient", 44, 3.0),
            Column::words("kind", 24, 2.0),
            Column::figures("incidents told of", 18, 1.2),
        ],
        rows: report
            .never_heard
            .iter()
            .map(|of| vec![plain(&of.name), kind(&of.kind), of.incidents.to_string()])
            .collect(),
        none: "everybody was heard of",
        ..Sheet::default()
    }
}

fn contacts(report: &PeriodReport, zone: &Zone) -> Sheet {
    let row = |of: &Contact| {
        let failed: Vec<String> = of
            .failed
            .iter()
            .map(|failed| {
                let code = failed.code.map(|code| format!("{code}, ")).unwrap_or_default();
                let reply = plain(&failed.last_reply);
                let said = if reply.is_empty() { String::new() } else { format!(": \"{reply}\"") };
                let what =
                    if failed.outcome == Outcome::Unknown { "nobody knows" } else { outcome(failed.outcome) };
                format!(
                    "{} ({code}{}, last {} {}){said}",
                    if failed.attempts == 1 {
                        "1 attempt".to_owned()
                    } else {
                        format!("{} attempts", failed.attempts)
                    },
                    what,
                    zone.day(failed.last_at),
                    zone.minute(failed.last_at)
                )
            })
            .collect();
        vec![
            plain(&of.name),
            format!("{}, {}", plain(&of.contact), plain(&of.address)),
            format!("{} of {}", of.taken, of.mails),
            failed.join("; "),
        ]
    };
    Sheet {
        id: "contacts",
        title: "Contacts whose mail failed",
        note: "By the relay's reply. Whether a mailbox refuses later, after the relay took the mail, is not on the record."
            .to_owned(),
        columns: vec![
            Column::words("recipient", 20, 1.6),
            Column::words("contact", 26, 2.0),
            Column::figures("mails taken", 11, 0.8),
            Column::words("failed attempts, by reply code", 36, 4.0),
        ],
        rows: report.contacts.iter().map(row).collect(),
        none: "none",
        ..Sheet::default()
    }
}

fn mails(report: &PeriodReport) -> Sheet {
    let mails = &report.mails;
    let of = |part: u32| share(part, mails.attempts, "");
    Sheet {
        id: "mails",
        title: "E-mails",
        note: String::new(),
        columns: vec![Column::words("what", 50, 3.0), Column::figures("how many", 28, 2.0)],
        rows: [
            ("mails taken by a relay, of those owed", share(mails.taken, mails.owed, "")),
            ("attempts begun", mails.attempts.to_string()),
            ("of them: the relay took the mail", of(mails.accepted)),
            ("failed for now, tried again", of(mails.temporary)),
            ("refused for good: the address cannot be reached", of(mails.permanent)),
            ("nobody knows whether the relay took it", of(mails.unknown)),
            ("the relay's configuration was at fault", of(mails.relay_fault)),
            ("mails stood down before they were sent", mails.stood_down.to_string()),
        ]
        .into_iter()
        .map(|(label, value)| vec![label.to_owned(), value])
        .collect(),
        none: "none",
        ..Sheet::default()
    }
}

fn problems(report: &PeriodReport) -> Sheet {
    Sheet {
        id: "problems",
        title: "Problems of the record",
        note: "To know before believing the rest. Each incident's own report tells them in full.".to_owned(),
        columns: vec![
            Column::words("problem", 44, 3.0),
            Column::figures("problems", 12, 1.0),
            Column::figures("incidents", 12, 1.0),
        ],
        rows: report
            .problems
            .iter()
            .map(|of| vec![of.code.words().to_owned(), of.problems.to_string(), of.incidents.to_string()])
            .collect(),
        none: "none was found",
        ..Sheet::default()
    }
}
