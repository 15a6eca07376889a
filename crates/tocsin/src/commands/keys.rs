//! `tocsin keys`: makes signing keys.

use std::path::PathBuf;

use clap::Subcommand;

use crate::{failure::Failure, keys, out};

/// Make keys, with which bodies sign what they say
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key for one body, or for every body of a directory that has none
    ///
    /// A seed goes to a file that only its owner may read; it is never shown and never overwritten. In use each body
    /// makes its own and sends in the public half alone.
    #[command(after_help = "Examples:
  tocsin keys new pol-west-mercia
  tocsin keys new --directory deploy/directory/uk.toml --out keys")]
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    /// Whose key: the identifier in the directory
    #[arg(required_unless_present = "directory")]
    id: Option<String>,
    /// Make one for every body of this directory that has none, and DIR/public.toml with the public halves
    #[arg(long, value_name = "FILE", conflicts_with = "id", requires = "out")]
    directory: Option<PathBuf>,
    /// Where the seed files go [default: here]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let What::New(new) = &args.what;
    let to = new.out.clone().unwrap_or_else(|| PathBuf::from("."));
    if let Some(directory) = &new.directory {
        let all = keys::for_directory(directory, &to)?;
        out::line(&format!(
            "{} made, {} kept. Seeds, one file for each body: {}; hand each to its body and keep no copy.",
            all.made,
            all.kept,
            to.display()
        ))?;
        return out::line(&format!(
            "Public halves: {public}\nNext: tocsin directory apply {} --keys {public}",
            directory.display(),
            public = all.public.display(),
        ));
    }
    let made = keys::for_body(new.id.as_deref().unwrap_or_default(), &to)?;
    out::line(&made.public)?;
    // Scripts take the key from stdout.
    out::note(&format!(
        "The seed is in {}: guard it. The line above is the public half, for the directory.",
        made.seed_file.display()
    ));
    Ok(())
}
