//! `tocsin policy`: shows the policies in force.

use clap::Subcommand;
use tocsin_protocol::{ClockStart, Confidence, OwedRule, PolicyDocument, Requirement, Where};

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
    let mut lines = vec![
        format!("{}: {}", policy.id, policy.name),
        format!("  basis        {}", policy.basis.trim().replace('\n', "\n               ")),
        format!(
            "  as of        {}",
            policy.as_of.map_or_else(|| "no date given".to_owned(), |day| day.to_string())
        ),
        format!("  confidence   {}", confidence(policy.confidence)),
        format!("  services     {services}"),
        format!("  clock        {}", clock(policy.clock)),
        format!("  acknowledge  {kinds}whatever worsens"),
    ];
    lines.extend(policy.steps.iter().enumerate().map(|(place, step)| {
        let (within, contact) = (step.within.0, &step.contact);
        format!(
            "  step {}       after {within:#}, e-mail to the {contact} contact of whoever is silent",
            place + 1
        )
    }));
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
    };
    format!("{requirement} {}, {place}", who.join(", "))
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
