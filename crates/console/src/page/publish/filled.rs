//! A form as it was filled in: what is read from it, and what is wrong with it.

use std::collections::BTreeMap;

use tocsin_protocol::{AreaId, Event, EventContact, EventNumber, Impact, PublisherId, Status, Timestamp};

use crate::{
    hands::{Draft, Fault, More, Says},
    page::words::Zone,
};

/// The values of a form, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filled(Vec<(String, String)>);

/// Fields that are of a form's own and none of its values.
const NO_VALUES: [&str; 2] = ["csrf", "event"];

impl Filled {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// What was written in a field, without the white space around it; none where nothing was.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|(field, _)| field == name);
        values.map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    /// Everything that was chosen in a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim());
        values.filter(|value| !value.is_empty())
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|given| given == value)
    }

    /// The same with one more value.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What another page must carry so that nothing of it is lost.
    pub(super) fn carried(&self) -> Vec<(String, String)> {
        let values =
            self.0.iter().filter(|(name, value)| !NO_VALUES.contains(&name.as_str()) && !value.is_empty());
        values.cloned().collect()
    }

    /// The name under which a browser keeps this draft.
    pub(super) fn draft_key(&self) -> String {
        let says = self.text("says").unwrap_or("begins");
        let key = format!("{says}-{}", self.text("incident").unwrap_or_default());
        key.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(100).collect()
    }

    /// What is to be said; `None` for words that no form of ours sends.
    pub(super) fn says(&self, status: Status) -> Option<Says> {
        let incident = || self.text("incident")?.parse().ok();
        match self.text("says").unwrap_or("begins") {
            "begins" => Some(Says::Begins(status)),
            "update" => Some(Says::Update(incident()?)),
            "resolved" => Some(Says::Resolved(incident()?)),
            "correction" => {
                Some(Says::Correction(incident()?, self.corrects().unwrap_or(EventNumber::FIRST)))
            }
            "cancelled" => Some(Says::Cancelled(incident()?)),
            "sent-in-error" => Some(Says::SentInError(incident()?)),
            _ => None,
        }
    }

    /// Which earlier event is corrected.
    fn corrects(&self) -> Option<EventNumber> {
        self.text("corrects")?.parse().ok()
    }

    /// The draft that it makes. `before` is the event that it follows.
    pub(super) fn draft(
        &self,
        publisher: &PublisherId,
        zone: &Zone,
        before: Option<&Event>,
    ) -> Result<Draft, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, words: &str| {
            faults.push(Fault { field: Some(field.to_owned()), words: words.to_owned() });
        };
        let begins = before.is_none();
        // What is not on the form of a cancellation or a withdrawal is not changed by it.
        let asked = !matches!(self.text("says"), Some("cancelled" | "sent-in-error"));
        if let (Some("correction"), Some(before)) = (self.text("says"), before)
            && self.corrects().is_none_or(|number| number > before.sequence)
        {
            fault("corrects", "Say which notice was wrong: one that has been sent");
        }

        let status = match (self.text("status").map(str::parse), before) {
            (_, Some(before)) => before.status,
            (Some(Ok(status)), None) => status,
            (_, None) => {
                fault("status", "Say whether this is real or an exercise");
                Status::Actual
            }
        };
        let Some(says) = self.says(status) else {
            return Err(vec![Fault {
                field: None,
                words: "Open the form again from the incident's page".to_owned(),
            }]);
        };
        let category = self.text("category").and_then(|word| word.parse().ok());
        if category.is_none() && begins {
            fault("category", "Say what has happened");
        }
        let services: Vec<_> = self.all("services").filter_map(|word| word.parse().ok()).collect();
        if services.is_empty() && asked {
            fault("services", "Choose at least one service");
        }
        let areas: Vec<AreaId> = self.all("areas").filter_map(|word| word.parse().ok()).collect();
        if areas.is_empty() && asked {
            fault("areas", "Choose at least one area");
        }
        let headline = self.text("headline").map(str::to_owned);
        if headline.is_none() && begins {
            fault("headline", "Write one line that tells what has happened");
        }

        let mut time = |field: &str| -> Option<Timestamp> {
            let text = self.text(field)?;
            let at = zone.local(text);
            if at.is_none() {
                fault(field, "Write day and time as 2023-06-25T06:24, by the clock here");
            }
            at
        };
        let (began_at, detected_at, restored_at) =
            (time("began_at"), time("detected_at"), time("restored_at"));
        let (expected_restoration_at, next_update_by) =
            (time("expected_restoration_at"), time("next_update_by"));
        let impact = self.impact().unwrap_or_else(|(field, words)| {
            fault(field, &words);
            None
        });
        let words = |name: &str| self.text(name).map(|text| text.replace("\r\n", "\n"));
        let contact = self.contact();
        if contact.is_none() && self.text("contact_phone").is_some() {
            fault("contact_role", "Say who answers this number: the role or desk");
        }
        let more = More {
            description: words("description"),
            instruction: words("instruction"),
            public_advice: words("public_advice"),
            public_advice_in: words("public_advice_cy")
                .and_then(|text| Some((tocsin_protocol::Language::new("cy").ok()?, text)))
                .into_iter()
                .collect(),
            severity: self.text("severity").and_then(|word| word.parse().ok()),
            platform: self.text("platform").and_then(|word| word.parse().ok()),
            began_at,
            detected_at,
            restored_at,
            expected_restoration_at,
            next_update_by,
            material: self.has("material", "yes").then_some(true),
            impact,
            contact,
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        // What is as it was is no change.
        let same = |event: &Event| {
            (sorted(&services) == sorted(&event.services), sorted(&areas) == sorted(&event.areas))
        };
        let (same_services, same_areas) = before.map_or((false, false), same);
        Ok(Draft {
            publisher: publisher.clone(),
            says,
            category: category.filter(|category| before.is_none_or(|event| event.category != *category)),
            services: if same_services { Vec::new() } else { services },
            areas: if same_areas { Vec::new() } else { areas },
            headline,
            more,
        })
    }

    /// Who answers now; none where only a number is given.
    fn contact(&self) -> Option<EventContact> {
        let words = |name: &str| self.text(name).map(|text| text.replace("\r\n", "\n"));
        let phone = words("contact_phone");
        Some(EventContact { role: words("contact_role")?, name: None, phone, email: None, bridge: None })
    }

    fn impact(&self) -> Result<Option<Impact>, (&'static str, String)> {
        let whole = |text: &str| text.replace([',', ' '], "").parse::<u64>().ok();
        let calls_unsuccessful = match self.text("calls") {
            Some(text) => {
                Some(whole(text).ok_or(("calls", "Write a whole number, such as 11470".to_owned()))?)
            }
            None => None,
        };
        let mut by_area = BTreeMap::new();
        for part in self.text("calls_by_area").unwrap_or_default().split([',', ';', '\n', '\r']) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let figure = part.split_once('=').and_then(|(area, figure)| {
                Some((area.trim().parse::<AreaId>().ok()?, figure.trim().parse().ok()?))
            });
            let shown: String = part.chars().take(40).collect();
            let (area, figure) = figure
                .ok_or(("calls_by_area", format!("Write {shown:?} as area=number, such as kent=312")))?;
            by_area.insert(area, figure);
        }
        let provisional = self.has("calls_provisional", "yes").then_some(true);
        if calls_unsuccessful.is_none() && by_area.is_empty() {
            return Ok(None);
        }
        Ok(Some(Impact { calls_unsuccessful, by_area, as_of: None, source: None, provisional }))
    }
}

fn sorted<T: Ord + Clone>(all: &[T]) -> Vec<T> {
    let mut all = all.to_vec();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{EventKind, EventNumber};

    use super::*;

    fn filled(pairs: &[(&str, &str)]) -> Filled {
        Filled::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    const FIRST: [(&str, &str); 6] = [
        ("status", "exercise"),
        ("category", "outage"),
        ("services", "999-voice"),
        ("services", "112-voice"),
        ("areas", "north"),
        ("headline", " Calls fail "),
    ];

    fn publisher() -> PublisherId {
        PublisherId::new("operator").unwrap()
    }

    fn london() -> Zone {
        Zone::named("Europe/London")
    }

    fn before() -> Event {
        serde_json::from_value(serde_json::json!({
            "incident": "x", "sequence": 1, "kind": "initial", "status": "exercise", "publisher": "operator",
            "category": "outage", "services": ["999-voice", "112-voice"], "headline": "Calls fail", "areas": ["north"],
        }))
        .unwrap()
    }

    #[test]
    fn four_choices_and_a_headline_are_a_draft() {
        let draft = filled(&FIRST).draft(&publisher(), &london(), None).unwrap();
        assert_eq!(draft.says, Says::Begins(Status::Exercise));
        assert_eq!((draft.services.len(), draft.headline.as_deref()), (2, Some("Calls fail")));
        assert_eq!(draft.more, More::default());
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_at_its_field() {
        let fields = |form: &Filled, before: Option<&Event>| -> Vec<String> {
            let faults = form.draft(&publisher(), &london(), before).unwrap_err();
            faults.into_iter().map(|fault| fault.field.unwrap_or_default()).collect()
        };
        assert_eq!(fields(&filled(&[]), None), ["status", "category", "services", "areas", "headline"]);
        let hostile = [
            ("status", "real"),
            ("category", "<script>"),
            ("services", "911"),
            ("areas", "../etc"),
            ("headline", "\u{a0}"),
        ];
        assert_eq!(fields(&filled(&hostile), None), ["status", "category", "services", "areas", "headline"]);
        let more = |name, value| filled(&[&FIRST[..], &[(name, value)]].concat());
        for (name, value) in [
            ("began_at", "yesterday"),
            ("began_at", "2023-02-30T06:24"),
            ("calls", "many"),
            ("calls", "-1"),
            ("calls_by_area", "kent"),
            ("calls_by_area", "kent=x"),
        ] {
            assert_eq!(fields(&more(name, value), None), [name], "{value}");
        }
        assert_eq!(fields(&more("contact_phone", "01632 960000"), None), ["contact_role"]);
        assert_eq!(
            fields(&filled(&[("says", "update"), ("incident", "x")]), Some(&before())),
            ["services", "areas"]
        );
        for says in ["erase", "update"] {
            let form = filled(&[&FIRST[..], &[("says", says), ("incident", "../x")]].concat());
            assert_eq!(fields(&form, None), [""], "{says}");
        }
    }

    #[test]
    fn a_correction_names_a_notice_that_was_sent_and_a_withdrawal_changes_nothing() {
        let correction = |number: &str| {
            let form = filled(&[
                ("says", "correction"),
                ("incident", "x"),
                ("corrects", number),
                ("services", "999-voice"),
                ("areas", "north"),
                ("material", "yes"),
            ]);
            form.draft(&publisher(), &london(), Some(&before()))
        };
        let newest = before().sequence;
        let draft = correction(&newest.to_string()).unwrap();
        assert_eq!(draft.says, Says::Correction("x".parse().unwrap(), newest));
        assert_eq!(draft.more.material, Some(true));
        for never_sent in [&newest.next().to_string(), "0", "first"] {
            assert_eq!(
                correction(never_sent).unwrap_err()[0].field.as_deref(),
                Some("corrects"),
                "{never_sent}"
            );
        }
        let form = filled(&[("says", "sent-in-error"), ("incident", "x")]);
        let draft = form.draft(&publisher(), &london(), Some(&before())).unwrap();
        assert_eq!((draft.says, draft.services.len()), (Says::SentInError("x".parse().unwrap()), 0));
    }

    #[test]
    fn an_update_holds_only_what_changed() {
        let same = [
            ("says", "update"),
            ("incident", "x"),
            ("category", "outage"),
            ("services", "112-voice"),
            ("services", "999-voice"),
            ("areas", "north"),
            ("platform", "none"),
            ("began_at", "2023-06-25T06:24"),
            ("calls", "11,470"),
            ("calls_by_area", "north=300, south=12"),
        ];
        let event = Event { kind: EventKind::Initial, sequence: EventNumber::FIRST, ..before() };
        let draft = filled(&same).draft(&publisher(), &london(), Some(&event)).unwrap();
        assert_eq!(draft.says, Says::Update("x".parse().unwrap()));
        assert_eq!(
            (draft.category, draft.services.len(), draft.areas.len(), draft.headline),
            (None, 0, 0, None)
        );
        let impact = draft.more.impact.unwrap();
        assert_eq!(
            (impact.calls_unsuccessful, impact.by_area.len(), impact.provisional),
            (Some(11_470), 2, None)
        );
        assert_eq!(draft.more.began_at, Some("2023-06-25T05:24:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_carried_is_what_was_filled_in_and_no_more() {
        let form = filled(&[
            ("csrf", "x"),
            ("event", "{}"),
            ("headline", "a"),
            ("areas", "b"),
            ("areas", "c"),
            ("calls", ""),
        ]);
        assert_eq!(form.carried().len(), 3);
        let key = filled(&[("says", "update"), ("incident", "<\"x'>")]).draft_key();
        assert_eq!(key, "update-x");
    }
}
