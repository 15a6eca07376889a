//! The fields of the form, each with its label, its hint and what is wrong with it.

use std::collections::BTreeSet;

use askama::Template;
use tocsin_duty::Directory;
use tocsin_protocol::{Area, AreaId, Category, Event, Platform, PublisherId, Service, Severity, Status};

use super::filled::Filled;
use crate::{
    hands::Fault,
    page::words::{self, Zone},
};

/// How many areas are shown at once; the others open in groups.
const AREAS_AT_ONCE: usize = 12;

/// One field of the form.
#[derive(Debug, Clone, Template)]
#[template(path = "publish/field.html")]
pub(super) struct Field {
    pub(super) name: &'static str,
    label: String,
    hint: String,
    /// What it is now, where it may stay as it is.
    now: Option<String>,
    pub(super) fault: Option<String>,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    Choices { kind: &'static str, choices: Vec<Choice>, groups: Vec<Group> },
    Line { value: String, kind: &'static str, max: u32 },
    Lines { value: String, max: u32 },
}

#[derive(Debug, Clone)]
struct Choice {
    id: String,
    value: String,
    label: String,
    chosen: bool,
}

/// Choices that open when they are wanted.
#[derive(Debug, Clone)]
struct Group {
    summary: String,
    open: bool,
    choices: Vec<Choice>,
}

impl Field {
    fn described(&self) -> String {
        let mut ids = Vec::new();
        if !self.hint.is_empty() {
            ids.push(format!("{}-hint", self.name));
        }
        if self.now.is_some() {
            ids.push(format!("{}-now", self.name));
        }
        if self.fault.is_some() {
            ids.push(format!("{}-error", self.name));
        }
        ids.join(" ")
    }

    /// Where a link to what is wrong leads: the first thing that can be changed.
    pub(super) fn first(&self) -> String {
        match &self.shape {
            Shape::Choices { choices, .. } => {
                choices.first().map_or_else(|| self.name.to_owned(), |choice| choice.id.clone())
            }
            Shape::Line { .. } | Shape::Lines { .. } => self.name.to_owned(),
        }
    }
}

/// Makes the fields of one form.
pub(super) struct Maker<'a> {
    pub(super) filled: &'a Filled,
    pub(super) faults: &'a [Fault],
    pub(super) before: Option<&'a Event>,
    pub(super) zone: &'a Zone,
}

/// The most earlier events that one may choose from to correct, the newest.
const CORRECTED: usize = 20;

impl Maker<'_> {
    fn fault(&self, name: &str) -> Option<String> {
        let of_it: Vec<_> = self
            .faults
            .iter()
            .filter(|fault| fault.field.as_deref() == Some(name))
            .map(|fault| fault.words.as_str())
            .collect();
        (!of_it.is_empty()).then(|| of_it.join(". "))
    }

    fn field(&self, name: &'static str, label: &str, hint: &str, now: Option<String>, shape: Shape) -> Field {
        Field { name, label: label.to_owned(), hint: hint.to_owned(), now, fault: self.fault(name), shape }
    }

    fn choice(&self, name: &str, value: &str, label: &str, chosen_before: bool) -> Choice {
        let given = self.filled.all(name).next().is_some();
        Choice {
            id: format!("{name}-{value}"),
            value: value.to_owned(),
            label: label.to_owned(),
            chosen: if given { self.filled.has(name, value) } else { chosen_before },
        }
    }

    pub(super) fn status(&self) -> Field {
        let choices = [
            (Status::Actual, "Real: this is happening now"),
            (Status::Exercise, "Exercise: not real, marked so everywhere"),
        ];
        let choices =
            choices.map(|(status, label)| self.choice("status", status.as_str(), label, false)).into();
        let shape = Shape::Choices { kind: "radio", choices, groups: Vec::new() };
        self.field("status", "Is this real?", "", None, shape)
    }

    pub(super) fn category(&self) -> Field {
        let was = |category| self.before.is_some_and(|event| event.category == category);
        let choices = Category::ALL
            .iter()
            .map(|one| self.choice("category", one.as_str(), words::category(*one), was(*one)))
            .collect();
        let shape = Shape::Choices { kind: "radio", choices, groups: Vec::new() };
        self.field("category", "What has happened?", "", None, shape)
    }

    /// Those that the directory's policies are about come first.
    pub(super) fn services(&self, directory: Option<&Directory>) -> Field {
        let was = |service: &Service| self.before.is_some_and(|event| event.services.contains(service));
        let policies = directory.map(Directory::policies).unwrap_or_default();
        let about: BTreeSet<_> = policies.iter().flat_map(|policy| &policy.services).collect();
        let choice = |one: &Service| {
            self.choice("services", one.as_str(), &words::capital(words::service(*one)), was(one))
        };
        let (first, others): (Vec<_>, Vec<_>) =
            Service::ALL.iter().partition(|one| about.is_empty() || about.contains(one));
        let others: Vec<_> = others.into_iter().map(choice).collect();
        let groups = Vec::from_iter(group("Other services", others));
        let shape =
            Shape::Choices { kind: "checkbox", choices: first.into_iter().map(choice).collect(), groups };
        self.field("services", "Which services are touched?", "Choose all that are.", None, shape)
    }

    /// The areas that the publisher may speak of: the outermost at once, and what is in them in groups.
    pub(super) fn areas(&self, directory: Option<&Directory>, publisher: &PublisherId) -> Field {
        let may = |directory: &Directory, area: &Area| {
            directory.publisher(publisher).is_some_and(|known| directory.may_speak_of(known, &area.id))
        };
        let known: Vec<&Area> = directory
            .map(|directory| directory.document().areas.iter().filter(|area| may(directory, area)).collect())
            .unwrap_or_default();
        if known.is_empty() {
            // Nothing to choose from: it is written.
            let value = self.filled.all("areas").collect::<Vec<_>>().join(" ");
            let hint = "The console has not read a directory in which you may speak of any area. Write the area's identifier, such as uk.";
            let shape = Shape::Line { value, kind: "text", max: 64 };
            return self.field("areas", "Where?", hint, None, shape);
        }
        let was = |area: &Area| self.before.is_some_and(|event| event.areas.contains(&area.id));
        let choice = |area: &&Area| self.choice("areas", area.id.as_str(), &area.name, was(area));
        let within = |area: &Area, outer: &AreaId| area.within.as_ref() == Some(outer);
        let is_outer = |area: &&Area| !known.iter().any(|other| within(area, &other.id));
        let outer: Vec<&Area> = known.iter().copied().filter(is_outer).collect();
        let inner: Vec<&Area> =
            known.iter().copied().filter(|area| outer.iter().any(|outer| within(area, &outer.id))).collect();
        let at_once =
            if outer.len() + inner.len() <= AREAS_AT_ONCE { [outer, inner].concat() } else { outer };
        let choices: Vec<_> = at_once.iter().map(choice).collect();
        let groups = known.iter().filter_map(|outer| {
            let inside = known.iter().filter(|area| within(area, &outer.id));
            let inside: Vec<_> =
                inside.filter(|area| !at_once.iter().any(|shown| shown.id == area.id)).map(choice).collect();
            group(&format!("Parts of {}", outer.name), inside)
        });
        let shape = Shape::Choices { kind: "checkbox", choices, groups: groups.collect() };
        self.field("areas", "Where?", "Choose the smallest that hold all of it.", None, shape)
    }

    pub(super) fn headline(&self) -> Field {
        let now = self.before.map(|event| event.headline.clone());
        let hint = "What those who are told read first, such as: 999 calls are failing across the UK, cause not known.";
        let shape = Shape::Line { value: self.value("headline"), kind: "text", max: 160 };
        self.field("headline", "One line that tells it", hint, now, shape)
    }

    pub(super) fn lines(&self, name: &'static str, label: &str, hint: &str, max: u32) -> Field {
        let now = self.before.and_then(|event| match name {
            "description" => event.description.clone(),
            "instruction" => event.instruction.clone(),
            "public_advice" => event.public_advice.clone(),
            "public_advice_cy" => {
                let welsh = event.public_advice_in.iter().find(|(language, _)| language.as_str() == "cy");
                welsh.map(|(_, words)| words.clone())
            }
            _ => None,
        });
        self.field(name, label, hint, now, Shape::Lines { value: self.value(name), max })
    }

    pub(super) fn time(&self, name: &'static str, label: &str, hint: &str) -> Field {
        let at = self.before.and_then(|event| match name {
            "began_at" => event.began_at,
            "detected_at" => event.detected_at,
            "restored_at" => event.restored_at,
            "expected_restoration_at" => event.expected_restoration_at,
            "next_update_by" => event.next_update_by,
            _ => None,
        });
        let now = at.map(|at| self.zone.whole(at));
        self.field(
            name,
            label,
            hint,
            now,
            Shape::Line { value: self.value(name), kind: "datetime-local", max: 0 },
        )
    }

    pub(super) fn line(&self, name: &'static str, label: &str, hint: &str, max: u32) -> Field {
        let impact = self.before.and_then(|event| event.impact.as_ref());
        let contact = self.before.and_then(|event| event.contact.as_ref());
        let now = match name {
            "calls" => impact.and_then(|impact| impact.calls_unsuccessful).map(|calls| calls.to_string()),
            "calls_by_area" => impact.filter(|impact| !impact.by_area.is_empty()).map(|impact| {
                let figures = impact.by_area.iter().map(|(area, calls)| format!("{area}={calls}"));
                figures.collect::<Vec<_>>().join(", ")
            }),
            "contact_role" => contact.map(|contact| contact.role.clone()),
            "contact_phone" => contact.and_then(|contact| contact.phone.clone()),
            _ => None,
        };
        self.field(name, label, hint, now, Shape::Line { value: self.value(name), kind: "text", max })
    }

    pub(super) fn provisional(&self) -> Field {
        let choices = vec![self.choice("calls_provisional", "yes", "The figure may still change", false)];
        let shape = Shape::Choices { kind: "checkbox", choices, groups: Vec::new() };
        self.field("calls_provisional", "Is it certain?", "", None, shape)
    }

    /// Whether an update must be acknowledged anew, though no rule says so.
    pub(super) fn material(&self) -> Field {
        let choices = vec![self.choice("material", "yes", "Everyone must acknowledge it anew", false)];
        let shape = Shape::Choices { kind: "checkbox", choices, groups: Vec::new() };
        self.field(
            "material",
            "Does it change what people must do?",
            "A worsening is acknowledged anew in any case.",
            None,
            shape,
        )
    }

    /// Which earlier event is corrected.
    pub(super) fn corrects(&self) -> Field {
        let newest = self.before.map_or(0, |event| event.sequence.get());
        let choices = (1..=newest)
            .rev()
            .take(CORRECTED)
            .map(|number| {
                self.choice("corrects", &number.to_string(), &format!("Notice {number}"), number == newest)
            })
            .collect();
        let shape = Shape::Choices { kind: "radio", choices, groups: Vec::new() };
        self.field(
            "corrects",
            "Which notice was wrong?",
            "The correction goes to those who had that one.",
            None,
            shape,
        )
    }

    pub(super) fn platform(&self) -> Field {
        let choices = Platform::ALL
            .iter()
            .map(|one| self.choice("platform", one.as_str(), words::platform(*one), false))
            .collect();
        let now =
            self.before.and_then(|event| event.platform).map(|platform| words::platform(platform).to_owned());
        let shape = Shape::Choices { kind: "radio", choices, groups: Vec::new() };
        self.field("platform", "What carries the service now?", "", now, shape)
    }

    pub(super) fn severity(&self) -> Field {
        let choices = Severity::ALL
            .iter()
            .rev()
            .map(|one| self.choice("severity", one.as_str(), &words::capital(words::severity(*one)), false))
            .collect();
        let now =
            self.before.and_then(|event| event.severity).map(|severity| words::severity(severity).to_owned());
        let shape = Shape::Choices { kind: "radio", choices, groups: Vec::new() };
        self.field("severity", "How grave is it?", "", now, shape)
    }

    fn value(&self, name: &str) -> String {
        self.filled.text(name).unwrap_or_default().to_owned()
    }
}

fn group(summary: &str, choices: Vec<Choice>) -> Option<Group> {
    let open = choices.iter().any(|choice| choice.chosen);
    (!choices.is_empty()).then(|| Group { summary: format!("{summary} ({})", choices.len()), open, choices })
}
