//! The recipients as a table for a spreadsheet, and back.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use tocsin_desk::clean;
use tocsin_duty::{Fault, Gravity, Text};
use tocsin_exchange::sheet::{self, Edited, MAX_TABLE_BYTES};

use crate::{
    directory_file::{self, Files},
    failure::{Exit, Failure},
    out,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The edited table, or - for standard input
    table: PathBuf,
    #[command(flatten)]
    files: Files,
    /// Write the directory file, once nothing is wrong
    #[arg(long)]
    write: bool,
    /// Let recipients be removed who are not in the table
    #[arg(long, requires = "write")]
    remove: bool,
}

pub(super) fn write(file: &Path) -> Result<(), Failure> {
    let text = directory_file::read(file, "directory")?.text;
    let csv = sheet::to_csv(&text).map_err(|fault| Failure::wrong(format!("{}: {fault}", file.display())))?;
    out::text(&csv)
}

pub(super) fn read(args: &Args) -> Result<(), Failure> {
    let table = table(&args.table)?;
    let (file, named) = (args.files.directory(), args.files.named());
    let before = directory_file::read(file, "directory")?;
    let edited = match sheet::from_csv(&table, &before.text) {
        Ok(edited) => edited,
        Err(faults) => {
            for fault in &faults {
                out::line(&clean::line(&fault.to_string(), 400))?;
            }
            out::note(&format!("Nothing was written: mend the table first ({} wrong).", faults.len()));
            return Err(Failure::told(Exit::Input));
        }
    };
    if edited.is_nothing() {
        return out::line(&format!("Nothing differs: {named} says what the table says."));
    }
    out::text(&told(&edited))?;
    // Keys are made from the file, so a recipient stands in it before it can have one.
    let is_key = |fault: &Fault| fault.what.contains("`tocsin keys new ");
    let (keys, new): (Vec<Fault>, Vec<Fault>) =
        new_faults(args, before, &edited)?.into_iter().partition(is_key);
    if !new.is_empty() {
        out::note("\nWith that the directory would have these faults, which it has not now:");
        for fault in &new {
            out::note(&format!("  {}", clean::line(&fault.what, 400)));
        }
        out::note("Nothing was written: mend the table first.");
        return Err(Failure::told(Exit::Input));
    }
    for fault in keys.iter().filter(|_| !edited.added.is_empty()) {
        out::note(&clean::line(&fault.what, 400));
    }
    if !args.write {
        out::note(&format!("\nNothing was written. With --write these changes are made in {named}."));
        return Ok(());
    }
    if !edited.removed.is_empty() && !args.remove {
        return Err(Failure::wrong(format!(
            "nothing was written: {} of the file are not in the table. Was a filter on? Give --remove where they are to go",
            edited.removed.len()
        )));
    }
    replace(file, &edited.toml)
        .map_err(|why| Failure::failed(format!("cannot write {named}: {why}; it is as it was")))?;
    out::line(&format!(
        "\n{named} is written. It is in force once it is applied: `tocsin directory apply {named}`."
    ))
}

/// What differs, in words.
fn told(edited: &Edited) -> String {
    let mut text = String::new();
    for (what, lines) in
        [("Added:", &edited.added), ("Removed:", &edited.removed), ("Changed:", &edited.changed)]
    {
        if !lines.is_empty() {
            text.push_str(what);
            text.push('\n');
            for line in lines {
                let within = &line[..line.len() - line.trim_start().len()];
                let _ = writeln!(text, "  {within}{}", clean::line(line, 400).trim_start());
            }
        }
    }
    text
}

/// The errors that the file would have and has not: a table must not make a directory unfit.
fn new_faults(args: &Args, before: Text, edited: &Edited) -> Result<Vec<Fault>, Failure> {
    let as_it_would_be = Text { file: before.file.clone(), text: edited.toml.clone() };
    let old = args.files.check_as(before)?.faults;
    let mut new = args.files.check_as(as_it_would_be)?.faults;
    new.retain(|fault| fault.gravity == Gravity::Error && !old.iter().any(|other| other.what == fault.what));
    Ok(new)
}

fn table(file: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |why: std::io::Error| Failure::wrong(format!("cannot read {}: {why}", file.display()));
    // One more than is taken, so that what is too long is told as that.
    let most = MAX_TABLE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        fs::File::open(file).map_err(cannot)?.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    }
    Ok(bytes)
}

/// The old file or the new one, whole, whenever the machine stops.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let file = fs::canonicalize(file)?;
    let beside = file.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::NamedTempFile::new_in(beside)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(fs::metadata(&file)?.permissions())?;
    new.as_file().sync_all()?;
    new.persist(&file).map(drop).map_err(|why| why.error)
}
