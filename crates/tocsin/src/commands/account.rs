//! `tocsin account`: who may sign in to the console.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use console::Term;
use tocsin_console::{AccountName, Accounts, PASSWORD_MIN, Sees, generated_password};
use tocsin_ledger::secret;
use tocsin_protocol::{Person, PublisherId, RecipientId};

use crate::{
    failure::{Exit, Failure},
    out, terminal,
};

/// More than any password, in bytes.
const INPUT_MAX: u64 = 4096;

/// Say who may sign in to the console
///
/// Accounts stand in a file beside the console, which reads it again when it has changed: nothing needs a restart.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an account
    ///
    /// The password is asked for twice; where nobody is there to be asked, it is the first line of the input.
    #[command(after_help = "Examples:
  tocsin account add pol-kent.control --recipient pol-kent
  tocsin account add bt-cha.duty --publisher bt-cha --name \"A. Person\" --role \"duty manager\"
  tocsin account add ofcom --everything --generate")]
    Add(Add),
    /// List the accounts, and what each sees
    #[command(after_help = "Example:
  tocsin account list")]
    List(In),
    /// Give an account another password, which ends its sessions
    #[command(after_help = "Examples:
  tocsin account password pol-kent.control
  tocsin account password pol-kent.control --generate")]
    Password(ToChange),
    /// Take an account away, which ends its sessions
    #[command(after_help = "Example:
  tocsin account revoke pol-kent.control")]
    Revoke(Named),
    /// Make an API token, with which a program speaks for an account; an older one is worth nothing from then on
    #[command(after_help = "Example:
  tocsin account token pol-kent.control
  curl -H \"Authorization: Bearer tocsin_...\" https://tocsin.operator.example/api/v1/...")]
    Token(Named),
}

#[derive(Debug, clap::Args)]
struct In {
    /// The file of accounts, as the console's configuration names it
    #[arg(long, value_name = "FILE", env = "TOCSIN_ACCOUNTS", default_value = "accounts.toml")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The account
    account: AccountName,
    #[command(flatten)]
    accounts: In,
}

#[derive(Debug, clap::Args)]
struct ToChange {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    password: Password,
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    sees: ToSee,
    /// Who is usually at it: what a form begins with
    #[arg(long, value_name = "NAME", requires = "role")]
    name: Option<String>,
    /// In which role
    #[arg(long, value_name = "ROLE", requires = "name")]
    role: Option<String>,
    #[command(flatten)]
    password: Password,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct ToSee {
    /// An agency: it sees its own notices and the incidents that it was told of, and acknowledges
    #[arg(long, value_name = "ID")]
    recipient: Option<RecipientId>,
    /// An operator: it sees its incidents and everyone's part in them, and publishes
    #[arg(long, value_name = "ID")]
    publisher: Option<PublisherId>,
    /// A regulator or auditor: it sees everything and changes nothing
    #[arg(long)]
    everything: bool,
}

impl ToSee {
    fn sees(self) -> Sees {
        match (self.recipient, self.publisher) {
            (Some(id), _) => Sees::Recipient(id),
            (None, Some(id)) => Sees::Publisher(id),
            (None, None) => Sees::Everything,
        }
    }
}

#[derive(Debug, clap::Args)]
struct Password {
    /// Make a password, and show it this once
    #[arg(long, conflicts_with = "password_file")]
    generate: bool,
    /// The file whose first line is the password (mode 600)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A password, and whether it must be shown, as nobody knows it yet.
struct Chosen {
    password: String,
    made: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Add(add) => self::add(add).await,
        What::List(In { file }) => list(&file),
        What::Password(ToChange { named, password }) => {
            let Named { account, accounts } = named;
            known(&accounts.file, &account)?;
            let chosen = password.choose().await?;
            change(&accounts.file, |all| all.set_password(&account, &chosen.password))?;
            out::line(&format!("{account} has another password, and its sessions have ended."))?;
            chosen.show()
        }
        What::Revoke(Named { account, accounts }) => {
            change(&accounts.file, |all| all.revoke(&account))?;
            out::line(&format!("{account} may no longer sign in, and its sessions have ended."))
        }
        What::Token(Named { account, accounts }) => {
            let token = change(&accounts.file, |all| all.new_token(&account))?;
            out::line(&token)?;
            // Scripts take the token from stdout.
            out::note(&format!(
                "It speaks for {account} and is not shown again; an older one is worth nothing now."
            ));
            Ok(())
        }
    }
}

async fn add(add: Add) -> Result<(), Failure> {
    let Named { account, accounts } = add.named;
    let there = Accounts::read(&accounts.file).map_err(|error| Failure::input(&error))?.unwrap_or_default();
    if there.iter().any(|(name, _)| *name == account) {
        return Err(Failure::wrong(format!(
            "the account {account} is there already: give it another password with `tocsin account password {account}`, or revoke it first"
        )));
    }
    let person = add.name.zip(add.role).map(|(name, role)| Person { name, role });
    let (sees, chosen) = (add.sees.sees(), add.password.choose().await?);
    change(&accounts.file, |all| all.add(&account, sees, person, &chosen.password))?;
    out::line(&format!("{account} may sign in."))?;
    chosen.show()
}

fn list(file: &Path) -> Result<(), Failure> {
    let accounts = Accounts::read(file).map_err(|error| Failure::input(&error))?;
    let Some(accounts) = accounts.filter(|accounts| accounts.iter().next().is_some()) else {
        return out::line(&format!("{} has no account: make one with `tocsin account add`.", file.display()));
    };
    let width = accounts.iter().map(|(name, _)| name.as_str().len()).max().unwrap_or_default();
    for (name, account) in accounts.iter() {
        let sees = match &account.sees {
            Sees::Recipient(id) => format!("recipient {id}"),
            Sees::Publisher(id) => format!("publisher {id}"),
            Sees::Everything => "everything".to_owned(),
        };
        let token = if account.has_token() { ", has an API token" } else { "" };
        let person = account.person.as_ref().map(|person| format!(", {} ({})", person.name, person.role));
        out::line(&format!("{name:width$}  {sees}{token}{}", person.unwrap_or_default()))?;
    }
    Ok(())
}

/// Before a password is asked for in vain.
fn known(file: &Path, account: &AccountName) -> Result<(), Failure> {
    let accounts = Accounts::read(file).map_err(|error| Failure::input(&error))?.unwrap_or_default();
    if accounts.iter().any(|(name, _)| name == account) {
        return Ok(());
    }
    Err(Failure::wrong(format!("{} has no account {account}: see `tocsin account list`", file.display())))
}

fn change<T>(
    file: &Path,
    change: impl FnOnce(&mut Accounts) -> Result<T, tocsin_console::Error>,
) -> Result<T, Failure> {
    Accounts::change(file, change).map_err(|error| Failure::input(&error))
}

impl Password {
    async fn choose(self) -> Result<Chosen, Failure> {
        if self.generate {
            return Ok(Chosen { password: generated_password(), made: true });
        }
        let password = match self.password_file {
            Some(file) => {
                let text = secret::read(&file).map_err(|error| Failure::input(&error))?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            None => tokio::task::spawn_blocking(asked).await??,
        };
        Ok(Chosen { password, made: false })
    }
}

impl Chosen {
    fn show(self) -> Result<(), Failure> {
        if self.made {
            out::line(&format!("Its password, which is not shown again: {}", self.password))?;
        }
        Ok(())
    }
}

/// Asks for it twice at the terminal, where it is not shown; else it is the first line of the input.
fn asked() -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(first_line(io::stdin().lock())?);
    }
    let terminal = Term::stderr();
    loop {
        let ask = |question: &str| {
            terminal::tell(question);
            terminal.read_secure_line()
        };
        let first = ask(&format!("Password, at least {PASSWORD_MIN} characters: "))?;
        if first.is_empty() {
            return Err(Failure::told(Exit::Interrupted));
        }
        if first.chars().count() < PASSWORD_MIN {
            terminal::tell("  it is too short\n");
        } else if ask("Again: ")? == first {
            return Ok(first);
        } else {
            terminal::tell("  they differ\n");
        }
    }
}

fn first_line(from: impl io::Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(INPUT_MAX).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_whatever_ends_it() {
        for (text, line) in [("abc\n", "abc"), ("abc\r\nmore", "abc"), ("", ""), (" a b ", " a b ")] {
            assert_eq!(first_line(text.as_bytes()).unwrap(), line);
        }
    }
}
