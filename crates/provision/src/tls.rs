//! A private authority for development and exercises: it signs the server and every user.

use std::{fs, path::Path};

use jiff::{civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tocsin_protocol::Timestamp;

use crate::{
    error::Error,
    files::{make_dir, read, write, write_secret},
};

/// What the authority is called, in its certificate.
const AUTHORITY: &str = "Tocsin development authority: not for use";

/// For how many days the authority's certificate is valid, and a user's.
const AUTHORITY_DAYS: i32 = 3650;
const DAYS: i32 = 365;

/// The authority, opened to sign.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    today: Date,
    renew: bool,
}

impl Authority {
    /// Opens the authority in this directory, or makes one. Its certificate is made anew as others are, with the same
    /// key, so that what it has signed stays valid. Says whether it was made now.
    pub(crate) fn open(dir: &Path, now: Timestamp, renew: bool) -> Result<(Self, bool), Error> {
        make_dir(dir, false)?;
        let today = TimeZone::UTC.to_datetime(now).date();
        let (certificate, key_file) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        let life = Life::new(AUTHORITY, today, AUTHORITY_DAYS)?;
        let mut params = parameters(AUTHORITY, &[], &life)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = |why: rcgen::Error| unfit(AUTHORITY, &why);
        let key = private_key(&key_file)?;
        let due = life.is_due(&certificate, AUTHORITY, renew)?;
        if due {
            let own = params.self_signed(&key).map_err(made)?;
            write(&certificate, &life.mark(AUTHORITY, &own.pem()))?;
        }
        Ok((Self { issuer: Issuer::new(params, key), today, renew }, due))
    }

    /// Signs whoever bears this name, unless that was done for the same names and is valid for some time:
    /// `<stem>.pem` and `<stem>-key.pem`. A key that is there is kept. Says whether it was signed now.
    pub(crate) fn sign(&self, dir: &Path, stem: &str, of: &Holder<'_>) -> Result<bool, Error> {
        let (certificate, key_file) = (dir.join(format!("{stem}.pem")), dir.join(format!("{stem}-key.pem")));
        let (names, usage) = match of {
            Holder::Server(names) => (*names, vec![ExtendedKeyUsagePurpose::ServerAuth]),
            Holder::Route(names) => {
                (*names, vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth])
            }
            Holder::Client => (&[][..], vec![ExtendedKeyUsagePurpose::ClientAuth]),
        };
        let life = Life::new(stem, self.today, DAYS)?;
        let whose = [&[stem.to_owned()], names].concat().join(" ");
        if key_file.exists() && !life.is_due(&certificate, &whose, self.renew)? {
            return Ok(false);
        }
        let made = |why: rcgen::Error| unfit(stem, &why);
        let key = private_key(&key_file)?;
        let mut params = parameters(stem, names, &life)?;
        params.extended_key_usages = usage;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let signed = params.signed_by(&key, &self.issuer).map_err(made)?;
        write(&certificate, &life.mark(&whose, &signed.pem()))?;
        Ok(true)
    }
}

/// From when and until when a certificate is valid. It stands in words before the certificate, where readers of PEM
/// pass over it.
struct Life {
    today: Date,
    until: Date,
    days: i32,
}

impl Life {
    fn new(of: &str, today: Date, days: i32) -> Result<Self, Error> {
        let until = today
            .checked_add(jiff::Span::new().days(days))
            .map_err(|why| Error::Certificate { of: of.to_owned(), why: why.to_string() })?;
        Ok(Self { today, until, days })
    }

    fn mark(&self, whose: &str, pem: &str) -> String {
        format!("{whose}, until {}\n{pem}", self.until)
    }

    /// Whether the certificate in this file is not there, not for whom it should be, or has less than a third of its
    /// life left.
    fn is_due(&self, certificate: &Path, whose: &str, renew: bool) -> Result<bool, Error> {
        let text = read(certificate)?.unwrap_or_default();
        let marked = text.lines().next().and_then(|line| line.split_once(", until "));
        let left = marked
            .filter(|(known, _)| *known == whose)
            .and_then(|(_, until)| until.parse::<Date>().ok())
            .and_then(|until| (until - self.today).get_days().checked_mul(3));
        Ok(renew || left.is_none_or(|left| left < self.days))
    }
}

/// Who a certificate is for.
pub(crate) enum Holder<'a> {
    /// The server, under these names and addresses.
    Server(&'a [String]),
    /// A server before the other servers, to whom it speaks and who speak to it.
    Route(&'a [String]),
    /// A user.
    Client,
}

fn parameters(name: &str, names: &[String], life: &Life) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names).map_err(|why| unfit(name, &why))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // From the day before, for whose clock is behind.
    let start_of = |day: Date| {
        let part = |part: i8| u8::try_from(part).unwrap_or(1);
        date_time_ymd(day.year().into(), part(day.month()), part(day.day()))
    };
    params.not_before = start_of(life.today.yesterday().unwrap_or(life.today));
    params.not_after = start_of(life.until);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// The private key in a file that only its owner may read; made where there is none.
fn private_key(file: &Path) -> Result<KeyPair, Error> {
    let unfit = |why: rcgen::Error| Error::Unfit { file: file.to_owned(), why: why.to_string() };
    if let Some(pem) = read(file)? {
        return KeyPair::from_pem(&pem).map_err(unfit);
    }
    let key = KeyPair::generate().map_err(unfit)?;
    write_secret(file, &key.serialize_pem()).map_err(|source| Error::File {
        what: "write",
        file: file.to_owned(),
        source,
    })?;
    Ok(key)
}

fn unfit(of: &str, why: &rcgen::Error) -> Error {
    Error::Certificate { of: of.to_owned(), why: why.to_string() }
}

/// Whether a file is there that nats-server or a client is told to read.
pub(crate) fn is_there(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|known| known.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_anew_when_it_nears_its_end_or_is_for_other_names_and_its_key_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let at = |day: &str| format!("{day}T12:00:00Z").parse::<Timestamp>().unwrap();
        let sign = |day: &str, renew: bool, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let (authority, made) = Authority::open(dir.path(), at(day), renew).unwrap();
            (made, authority.sign(dir.path(), "server", &Holder::Server(&names)).unwrap())
        };
        let file = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(sign("2026-01-01", false, &["a"]), (true, true));
        let (key, first) = (file("server-key.pem"), file("server.pem"));
        assert!(first.starts_with("server a, until 2027-01-01\n-----BEGIN CERTIFICATE-----"), "{first}");
        assert_eq!(sign("2026-08-31", false, &["a"]), (false, false), "a third is left");
        assert_eq!(file("server.pem"), first);
        assert_eq!(sign("2026-09-02", false, &["a"]), (false, true));
        assert_ne!(file("server.pem"), first);
        assert_eq!(sign("2026-09-03", false, &["a", "b"]), (false, true));
        assert_eq!(sign("2026-09-03", false, &["a", "b"]), (false, false));
        assert_eq!(sign("2026-09-03", true, &["a", "b"]), (true, true));
        assert_eq!(sign("2034-01-01", false, &["a", "b"]), (true, true));
        assert_eq!(file("server-key.pem"), key);

        // One that an older release made.
        let unmarked = first.split_once('\n').unwrap().1;
        write(&dir.path().join("server.pem"), unmarked).unwrap();
        assert_eq!(sign("2034-01-01", false, &["a", "b"]), (false, true));
    }
}
