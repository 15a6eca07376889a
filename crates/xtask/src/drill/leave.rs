//! What a drill leaves on the disk.

use std::{fs, path::Path};

use tocsin_audit::{
    Report,
    render::{self, View},
};

use super::parts::Home;
use crate::error::Error;

/// Leaves the report in every format.
pub(crate) fn write(home: &Home, report: &Report, view: &View) -> Result<(), Error> {
    let formats =
        [("json", render::json(report)), ("csv", render::csv(report)), ("html", render::html(report, view))];
    for (format, text) in formats {
        let text = text.map_err(|why| Error::part(format!("write the report as {format}"), why))?;
        let file = home.report(format);
        fs::write(&file, text).map_err(|why| Error::io(format!("write {}", file.display()), why))?;
    }
    Ok(())
}

/// How many mails are in a directory.
pub(crate) fn files(dir: &Path) -> Result<u64, Error> {
    Ok(mails(dir)?.len() as u64)
}

/// A mail that is worth a look: one to this address, when there is one.
pub(crate) fn a_mail(dir: &Path, to: Option<&str>) -> Result<Option<String>, Error> {
    let mut mails = mails(dir)?;
    mails.sort();
    let to = to.map(|to| to.replace('@', "_"));
    let wanted = |name: &String| to.as_deref().is_some_and(|to| name.contains(to));
    let at = mails.iter().position(wanted).unwrap_or_default();
    Ok(mails.into_iter().nth(at))
}

fn mails(dir: &Path) -> Result<Vec<String>, Error> {
    let cannot = |why| Error::io(format!("list {}", dir.display()), why);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "eml") {
            names.push(name);
        }
    }
    Ok(names)
}

/// A path as a person here would type it.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    short.display().to_string()
}
