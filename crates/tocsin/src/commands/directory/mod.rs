//! `tocsin directory`: checks, applies and shows the directory, and turns it into a table and back.

pub(super) mod sign;
mod table;

use std::{collections::BTreeMap, path::PathBuf};

use clap::Subcommand;
use tocsin_duty::Held;
use tocsin_ledger::{Appended, Ledger};
use tocsin_protocol::{AreaScope, DirectoryDocument, NewFact, Recipient, SigningKey, Subject, to_body};

use self::sign::InForce;
pub(super) use self::sign::Standing;
use crate::{
    bus,
    directory_file::{Checked, Files},
    failure::{Exit, Failure},
    out,
    trust::Trust,
};

/// Check, apply and show the directory: who may tell, who is told, and under which policies
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell every fault of a directory and its policies, with its line
    #[command(after_help = "Example:
  tocsin directory check deploy/directory/uk.toml --keys keys/public.toml

Exit code 2 when there are faults; warnings alone are none.")]
    Check {
        #[command(flatten)]
        files: Files,
        /// Tell the faults as JSON: a list of file, line, gravity and what
        #[arg(long)]
        json: bool,
    },
    /// Put a directory in force from now on
    ///
    /// What was said before stays under the directory that was in force then. Nothing is written when nothing changed. Where
    /// the directory in force, or else the new one, names a directory_key, it is signed with that; without it nothing is
    /// written. With that key the same directory is written once more where the key has yet to sign it, after it took another's
    /// place, or where somebody wrote one without it.
    #[command(after_help = "Examples:
  NATS_NKEY=admin.nk tocsin directory apply deploy/directory/uk.toml --keys keys/public.toml
  NATS_NKEY=admin.nk tocsin directory apply uk.toml --keys keys/public.toml --directory-key safe/directory_key.nk")]
    Apply {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        key: sign::DirectoryKey,
    },
    /// Write the recipients of a directory file as a table (CSV) for a spreadsheet
    #[command(after_help = "Example:
  tocsin directory csv deploy/directory/example.toml > recipients.csv

Control rooms, areas, publishers and policies are not in the table: they stay in the file. What a spreadsheet would take
for a formula, such as a number that begins with +, has an apostrophe before it, which `from-csv` takes away again.")]
    Csv {
        /// The directory file
        file: PathBuf,
    },
    /// Show what an edited table would change in a directory file, and with --write change it
    ///
    /// Every fault of the table is told with its row and column. Comments, order and all that the table does not show stay
    /// as they are; a column that is left out leaves its field as it is.
    #[command(after_help = "Examples:
  tocsin directory from-csv recipients.csv deploy/directory/example.toml
  tocsin directory from-csv recipients.csv deploy/directory/example.toml --write

The file is changed, not the directory in force: that is what `tocsin directory apply` does. Exit code 2 when the table has
faults, or the file would have ones that it has not now; nothing is written then.")]
    FromCsv(table::Args),
    /// Show the directory in force, or an earlier version
    #[command(after_help = "Examples:
  tocsin directory show
  tocsin directory show 3 --json
  tocsin directory show --trust UDEXAMPLE...

With --trust: exit code 1 where it does not stand under that key.")]
    Show {
        /// Which version; the one in force if none is given
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        version: Option<u64>,
        /// Print it as it stands on the bus
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        trust: Trust,
    },
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Check { files, json } => check(&files, json),
        What::Apply { files, key } => apply(&files, &key).await,
        What::Csv { file } => table::write(&file),
        What::FromCsv(args) => table::read(&args),
        What::Show { version, json, trust } => show(version, json, &trust).await,
    }
}

fn check(files: &Files, json: bool) -> Result<(), Failure> {
    let checked = files.check()?;
    if json {
        out::line(&as_json(&checked)?)?;
    } else {
        out::text(&checked.told())?;
        let signed = |document: &DirectoryDocument| {
            document.directory_key.as_ref().map_or_else(String::new, |key| {
                format!("; directory_key {key} signs what comes after it, which takes --directory-key")
            })
        };
        let summary = checked
            .document
            .as_ref()
            .map_or_else(String::new, |document| format!("; {}{}", summary(document), signed(document)));
        out::line(&format!("{}: {}{summary}", files.named(), checked.counted()))?;
    }
    if checked.document.is_none() { Err(Failure::told(Exit::Input)) } else { Ok(()) }
}

/// The faults, for programs.
pub(super) fn as_json(checked: &Checked) -> Result<String, Failure> {
    let faults: Vec<_> = checked
        .faults
        .iter()
        .map(|fault| {
            let gravity = match fault.gravity {
                tocsin_duty::Gravity::Error => "error",
                tocsin_duty::Gravity::Warning => "warning",
            };
            serde_json::json!({
                "file": fault.file, "line": fault.line, "gravity": gravity, "what": fault.what,
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&faults)?)
}

fn summary(document: &DirectoryDocument) -> String {
    format!(
        "{} recipients, {} publishers, {} areas, {} policies",
        document.recipients.len(),
        document.publishers.len(),
        document.areas.len(),
        document.policies.len()
    )
}

async fn apply(files: &Files, key: &sign::DirectoryKey) -> Result<(), Failure> {
    let checked = files.check()?;
    let Some(document) = &checked.document else {
        out::note(checked.told().trim_end());
        return Err(Failure::wrong(format!(
            "{} was not applied: {}; mend them first",
            files.named(),
            checked.counted()
        )));
    };
    if !checked.faults.is_empty() {
        out::note(checked.told().trim_end());
    }
    let ledger = bus::command("directory").await?;
    let standing = Standing::read(&ledger).await?;
    if let Some(InForce { version, document: there, .. }) = &standing.in_force
        && there == document
        && !standing.may_be_said_again(key)
    {
        return out::line(&format!(
            "Nothing changed: version {version} is in force, as it stands in {}.",
            files.named()
        ));
    }
    let key = standing.signer(document, key)?;
    let version = put(&ledger, &standing, document, key.as_ref()).await?;
    let signed = key.map_or_else(String::new, |key| format!(", signed by {}", key.public()));
    out::line(&format!("Version {version} is in force{signed}: {}.", summary(document)))
}

/// Puts a directory in force after the one that is, signed by whom [`Standing::signer`] says, and says which it is.
pub(super) async fn put(
    ledger: &Ledger,
    standing: &Standing,
    document: &DirectoryDocument,
    key: Option<&SigningKey>,
) -> Result<u64, Failure> {
    let version = standing.next();
    let fact = NewFact {
        subject: Subject::Directory { version },
        body: to_body("directory", document)?,
        schedule: None,
    };
    let signed = key.map(|key| key.sign(&fact.subject.to_string(), &fact.body)).transpose()?;
    let appended = match &signed {
        Some(signed) => ledger.append_signed(&fact, signed).await?,
        None => ledger.append(&fact, None).await?,
    };
    match appended {
        Appended::Written(_) => {}
        // An answer that was lost: it was this very command that wrote it.
        Appended::Already(entry) if entry.body == fact.body && entry.signed == signed => {}
        Appended::Already(entry) => {
            return Err(Failure::failed(format!(
                "somebody else wrote version {version} at {}: look at it with `tocsin directory show`, then apply yours again",
                entry.time
            )));
        }
    }
    desks(ledger, document).await?;
    Ok(version)
}

/// Makes the place of each recipient's desk. The router does as well; this way each is there before the first notice,
/// whether a router runs or not.
pub(super) async fn desks(ledger: &Ledger, document: &DirectoryDocument) -> Result<usize, Failure> {
    let recipients: Vec<_> = document.recipients.iter().map(|recipient| recipient.id.clone()).collect();
    ledger.ensure_desks(&recipients).await?;
    ledger.ensure_work().await?;
    Ok(recipients.len())
}

/// The newest directory in force and what it holds, where there is one.
pub(super) async fn if_in_force(ledger: &Ledger) -> Result<Option<DirectoryDocument>, Failure> {
    Ok(Standing::read(ledger).await?.in_force.map(|newest| newest.document))
}

/// The directory in force, for other commands that show a part of it.
pub(super) async fn in_force(ledger: &Ledger) -> Result<(u64, DirectoryDocument), Failure> {
    let newest = Standing::read(ledger).await?.in_force.ok_or_else(none)?;
    Ok((newest.version, newest.document))
}

/// The same, with what else is on the bus, for a command that changes it.
pub(super) async fn standing(ledger: &Ledger) -> Result<(Standing, DirectoryDocument), Failure> {
    let standing = Standing::read(ledger).await?;
    let document = standing.in_force.as_ref().ok_or_else(none)?.document.clone();
    Ok((standing, document))
}

fn none() -> Failure {
    Failure::failed("no directory is in force: put one in force with `tocsin directory apply FILE`")
}

async fn show(version: Option<u64>, json: bool, trust: &Trust) -> Result<(), Failure> {
    let pin = trust.pin()?;
    let ledger = bus::command("directory").await?;
    let standing = Standing::through(&ledger, version).await?;
    for idle in &standing.idle {
        out::note(&idle.told());
    }
    let held = pin.map(|pin| standing.held_against(&pin));
    let directory = match version {
        None => standing.in_force.ok_or_else(none)?,
        Some(version) => standing.in_force.filter(|known| known.version == version).ok_or_else(|| {
            Failure::failed(if standing.taken.contains(&version) {
                format!("version {version} of the directory is not in force, and never was")
            } else {
                format!("there is no version {version} of the directory on this bus")
            })
        })?,
    };
    if json {
        out::line(&serde_json::to_string_pretty(&directory.document)?)?;
    } else {
        out::text(&shown(&directory))?;
    }
    match held {
        Some(Held::Not(why)) => Err(Failure::failed(why.to_string())),
        Some(Held::Under { .. }) if !json => out::line("\nIt stands under the trusted key."),
        _ => Ok(()),
    }
}

fn shown(InForce { version, since, document, signed_by }: &InForce) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for recipient in &document.recipients {
        *kinds.entry(&recipient.kind).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut lines = vec![
        document.name.clone(),
        format!("version {version}, since {since}; {}", summary(document)),
        sign::told(signed_by.as_deref(), document),
        kinds.join(", "),
        "\nPublishers".to_owned(),
    ];
    let wide = document.publishers.iter().map(|publisher| publisher.id.as_str().len()).max().unwrap_or(0);
    for publisher in &document.publishers {
        let (key, areas) = (key(publisher.key.as_deref()), scope(&publisher.areas));
        lines.push(format!("  {:wide$}  {key}  {} ({areas})", publisher.id, publisher.name));
    }
    if !document.monitors.is_empty() {
        lines.push("\nMonitors".to_owned());
    }
    let wide = document.monitors.iter().map(|monitor| monitor.id.as_str().len()).max().unwrap_or(0);
    for monitor in &document.monitors {
        let (key, areas) = (key(monitor.key.as_deref()), scope(&monitor.areas));
        lines.push(format!("  {:wide$}  {key}  {} ({areas})", monitor.id, monitor.name));
    }
    lines.push("\nRecipients".to_owned());
    let wide = document.recipients.iter().map(|recipient| recipient.id.as_str().len()).max().unwrap_or(0);
    let kind = document.recipients.iter().map(|recipient| recipient.kind.len()).max().unwrap_or(0);
    for recipient in &document.recipients {
        let (key, areas) = (key(recipient.key.as_deref()), joined(&recipient.areas));
        let Recipient { id, name, kind: what, .. } = recipient;
        lines.push(format!("  {id:wide$}  {key}  {what:kind$}  {name} ({areas})"));
    }
    lines.push("\nPolicies".to_owned());
    for policy in &document.policies {
        lines.push(format!("  {}: {} (see `tocsin policy show {0}`)", policy.id, policy.name));
    }
    lines.join("\n") + "\n"
}

fn scope(areas: &AreaScope) -> String {
    match areas {
        AreaScope::All => "all areas".to_owned(),
        AreaScope::These(areas) => joined(areas),
    }
}

fn key(key: Option<&str>) -> &'static str {
    if key.is_some() { "key   " } else { "no key" }
}

fn joined(areas: &[tocsin_protocol::AreaId]) -> String {
    areas.iter().map(tocsin_protocol::AreaId::as_str).collect::<Vec<_>>().join(", ")
}
