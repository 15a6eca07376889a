//! `tocsin policy`: shows the policies in force.

use clap::Subcommand;
use tocsin_protocol::{
    Channel, ClockStart, Confidence, DutyDocument, DutyStart, OwedRule, PolicyDocument, Reach, Requirement,
    Stage, Trigger, Where,
};

use crate::{bus, commands::directory, failure::Failure, out};

/// Show the policies in force: who must be told, by when, and on what authority
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show one policy of the directory in force, or all
    #[command(after_help = "Examples:
  tocsin policy show
  tocsin policy show uk-999")]
    Show {
        /// Which policy; all if none is given
        id: Option<String>,
    },
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let What::Show { id } = args.what;
    let ledger = bus::command("policy").await?;
    let (version, document) = directory::in_force(&ledger).await?;
    let mut shown: Vec<_> = document
        .policies
        .iter()
        .filter(|policy| id.as_deref().is_none_or(|id| policy.id.as_str() == id))
        .map(text)
        .collect();
    if let (Some(id), true) = (id, shown.is_empty()) {
        let known: Vec<_> = document.policies.iter().map(|policy| policy.id.as_str()).collect();
        return Err(Failure::wrong(format!(
            "directory version {version} has no policy {id:?}: it has {}",
            known.join(", ")
        )));
    }
    shown.push(format!("From directory version {version}, {}.\n", document.name));
    out::text(&shown.join("\n"))
}

fn text(policy: &PolicyDocument) -> String {
    let services = if policy.services.is_empty() {
        "every service".to_owned()
    } else {
        policy.services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let kinds: Vec<_> = policy.acknowledge.iter().map(ToString::to_string).collect();
    let kinds =
        if kinds.is_empty() { String::new() } else { format!("{} events, and ", kinds.join(" and ")) };
    let day = |day: Option<jiff::civil::Date>| {
        day.map_or_else(|| "no date given".to_owned(), |day| day.to_string())
    };
    let mut lines = vec![
        format!("{}: {}", policy.id, policy.name),
        format!("  basis        {}", policy.basis.trim().replace('\n', "\n               ")),
        format!("  looked up    {}", day(policy.as_of)),
        format!("  confidence   {}", confidence(policy.confidence)),
        format!("  services     {services}"),
        format!("  clock        {}", clock(policy.clock)),
        match policy.trigger {
            Trigger::Failure => format!("  acknowledge  {kinds}whatever worsens"),
            Trigger::Handover => {
                "  acknowledge  each event by which more of the lost callers are handed to the police"
                    .to_owned()
            }
        },
    ];
    if let Some(source) = &policy.source {
        lines.insert(2, format!("  source       {source}"));
    }
    if policy.in_force_from.is_some() {
        lines.insert(3, format!("  in force     from {}", day(policy.in_force_from)));
    }
    lines.extend(policy.steps.iter().enumerate().map(|(place, step)| {
        let (within, contact) = (step.within.0, &step.contact);
        let whose = match step.reach {
            Reach::Own => "of whoever is silent",
            Reach::Buddy => "of the buddy of whoever is silent",
            Reach::CoordinatingBody => "of the body that coordinates whoever is silent",
        };
        format!("  step {}       after {within:#}, e-mail to the {contact} contact {whose}", place + 1)
    }));
    lines.extend(policy.duties.iter().map(|owed| format!("  owes         {}", duty(owed))));
    lines.extend(policy.owed.iter().map(|rule| format!("  {}", owed(rule))));
    lines.join("\n") + "\n"
}

fn owed(rule: &OwedRule) -> String {
    let requirement = match rule.requirement {
        Requirement::Required => "required    ",
        Requirement::Informed => "informed    ",
    };
    let mut who: Vec<String> = rule.kinds.iter().map(|kind| format!("every {kind}")).collect();
    who.extend(rule.recipients.iter().map(ToString::to_string));
    if who.is_empty() {
        who.push("everybody".to_owned());
    }
    let place = match rule.place {
        Where::Anywhere => "wherever it is",
        Where::Affected => "where their areas are affected",
        Where::Neighbour => "next to whoever is affected",
        Where::HandedOver => "where lost callers of their areas are handed to the police",
    };
    format!("{requirement} {}, {place}", who.join(", "))
}

/// What the publisher owes, in one line.
fn duty(duty: &DutyDocument) -> String {
    let stage = match duty.stage {
        Stage::Initial => "the first event",
        Stage::Update => "an update",
        Stage::Full => "the full report",
        Stage::Final => "the final report",
    };
    let from = match &duty.from {
        DutyStart::Clock(start) => clock(*start).to_owned(),
        DutyStart::Duty(earlier) => format!("when {earlier} was met"),
    };
    let mut words = vec![format!("{}: {}, by {stage}", duty.id, duty.what)];
    match (duty.within, duty.target) {
        (Some(within), _) => words.push(format!(" within {within} of {from}")),
        (None, Some(_)) => words.push(format!(", as soon as practicable after {from}")),
        (None, None) => {}
    }
    words.extend(duty.target.map(|target| format!("; our own target, never a breach: {target}")));
    words.extend(duty.repeat.map(|repeat| {
        let until =
            duty.lasting.map_or_else(|| "until restored".to_owned(), |lasting| format!("for {lasting}"));
        format!("; again {repeat} after each, missed or not, {until}")
    }));
    if duty.channels.contains(&Channel::Telephone) {
        words.push("; by telephone too, logged by a person".to_owned());
    }
    if !duty.kinds.is_empty() {
        words.push(format!("; to every {}", duty.kinds.join(", every ")));
    }
    words.concat()
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Assumption => "an assumption: our own choice, as no public source gives a figure",
        Confidence::Medium => "medium: known in general, not looked up",
        Confidence::High => "high: read in the source, or in a good account of it",
        Confidence::Proposed => "proposed: not law when last seen",
    }
}

fn clock(clock: ClockStart) -> &'static str {
    match clock {
        ClockStart::Occurred => "when it occurred (began_at)",
        ClockStart::Detected => "when it was detected (detected_at)",
        ClockStart::Aware => "when the publisher was aware (aware_at)",
        ClockStart::Discovered => "when it was discovered (discovered_at)",
        ClockStart::Classified => "when it was classified (classified_at)",
        ClockStart::Restored => "when it was restored (restored_at)",
        ClockStart::Published => "when it was published, by the broker",
    }
}
