//! A private authority for development and exercises: it signs the server and every user.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::{
    error::Error,
    files::{make_dir, read, write, write_secret},
};

/// What the authority is called, in its certificate.
const AUTHORITY: &str = "Tocsin development authority: not for use";

/// The authority, opened to sign.
pub(crate) struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// Opens the authority in this directory, or makes one.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        make_dir(dir, false)?;
        let (certificate, key_file) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        let mut params = parameters(AUTHORITY, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = |why: rcgen::Error| unfit(AUTHORITY, &why);
        let key = private_key(&key_file)?;
        if read(&certificate)?.is_none() {
            let own = params.self_signed(&key).map_err(made)?;
            write(&certificate, &own.pem())?;
        }
        Ok(Self(Issuer::new(params, key)))
    }

    /// Signs whoever bears this name, unless that was done: `<stem>.pem` and `<stem>-key.pem`. Says whether it was
    /// signed now.
    pub(crate) fn sign(&self, dir: &Path, stem: &str, of: &Holder<'_>) -> Result<bool, Error> {
        let (certificate, key_file) = (dir.join(format!("{stem}.pem")), dir.join(format!("{stem}-key.pem")));
        if certificate.exists() && key_file.exists() {
            return Ok(false);
        }
        let made = |why: rcgen::Error| unfit(stem, &why);
        let key = private_key(&key_file)?;
        let (names, usage) = match of {
            Holder::Server(names) => (*names, ExtendedKeyUsagePurpose::ServerAuth),
            Holder::Client => (&[][..], ExtendedKeyUsagePurpose::ClientAuth),
        };
        let mut params = parameters(stem, names)?;
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let signed = params.signed_by(&key, &self.0).map_err(made)?;
        write(&certificate, &signed.pem())?;
        Ok(true)
    }
}

/// Who a certificate is for.
pub(crate) enum Holder<'a> {
    /// The server, under these names and addresses.
    Server(&'a [String]),
    /// A user.
    Client,
}

fn parameters(name: &str, names: &[String]) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names).map_err(|why| unfit(name, &why))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Fixed, so that an authority that is opened again is the same.
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2034, 1, 1);
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
