//! Passwords, kept as Argon2id hashes.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use data_encoding::BASE32_NOPAD;

/// The shortest password, in characters, that is taken for a new account.
pub const PASSWORD_MIN: usize = 12;
/// The longest password, in bytes: hashing is no place for a book.
pub(super) const PASSWORD_MAX: usize = 256;

/// A password that nobody has chosen: 100 random bits, in groups that can be read out.
pub fn generated_password() -> String {
    let letters = BASE32_NOPAD.encode(&rand::random::<[u8; 16]>()).to_lowercase();
    let letter = |at: usize| letters.get(at..at + 5).unwrap_or_default();
    [letter(0), letter(5), letter(10), letter(15)].join("-")
}

/// The work of one hash: what OWASP's password storage cheat sheet asks of Argon2id at least, 19 MiB and two passes.
fn work() -> Argon2<'static> {
    // The crate's own default, which its documentation ties to that recommendation.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// The hash of a password in PHC form. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash(String);

impl Hash {
    /// Hashes a new password. `None` for one that is longer than is ever taken.
    pub(super) fn of(password: &str) -> Option<Self> {
        if password.len() > PASSWORD_MAX {
            return None;
        }
        let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).ok()?;
        Some(Self(work().hash_password(password.as_bytes(), &salt).ok()?.to_string()))
    }

    /// Takes a hash from a file. One that asks for less work than ours would tell by its time which accounts there are
    /// and one that asks for far more could stop the console, so only ours is taken.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let again = "set the password again with `tocsin account password`";
        let hash =
            PasswordHash::new(text).map_err(|why| format!("its password is no hash ({why}): {again}"))?;
        let ours = Params::default();
        let params = Params::try_from(&hash).ok();
        let same = params.is_some_and(|p| {
            (p.m_cost(), p.t_cost(), p.p_cost()) == (ours.m_cost(), ours.t_cost(), ours.p_cost())
        });
        if hash.algorithm != Algorithm::Argon2id.ident() || !same || hash.hash.is_none() {
            return Err(format!(
                "its password is not hashed with Argon2id, m={}, t={}, p={}: {again}",
                ours.m_cost(),
                ours.t_cost(),
                ours.p_cost()
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the password. Without a hash, for a name that is no account's, the same work is done for nothing, so
    /// that the time does not tell which accounts there are. It takes some 20 ms of a processor and 19 MiB.
    pub(super) fn verify(hash: Option<&Self>, password: &str) -> bool {
        if password.len() > PASSWORD_MAX {
            return false;
        }
        if let Some(hash) = hash.and_then(|hash| PasswordHash::new(&hash.0).ok()) {
            return work().verify_password(password.as_bytes(), &hash).is_ok();
        }
        let mut out = [0; 32];
        let _ = work().hash_password_into(password.as_bytes(), &[0; 16], &mut out);
        // The compiler may not leave out what nobody reads.
        std::hint::black_box(out);
        false
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_password_and_nothing_else_is() {
        let hash = Hash::of("correct horse battery").unwrap();
        let read = Hash::read(hash.as_str()).unwrap();
        assert!(Hash::verify(Some(&read), "correct horse battery"));
        for wrong in ["", "correct horse batter", "correct horse battery ", &"x".repeat(1000)] {
            assert!(!Hash::verify(Some(&read), wrong), "{wrong}");
        }
        assert!(!Hash::verify(None, "correct horse battery"));
        assert_ne!(hash, Hash::of("correct horse battery").unwrap(), "each has a salt of its own");
        assert!(Hash::of(&"x".repeat(PASSWORD_MAX + 1)).is_none());
        assert!(!format!("{hash:?}").contains("argon2"));
    }

    #[test]
    fn a_generated_password_is_another_each_time() {
        let (one, other) = (generated_password(), generated_password());
        assert_eq!(one.len(), 23, "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn a_hash_of_other_work_is_not_taken() {
        let ours = Hash::of("correct horse battery").unwrap().0;
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
        for (from, to) in
            [("m=19456", "m=4000000"), ("m=19456", "m=8"), ("t=2", "t=1"), ("argon2id", "argon2i")]
        {
            assert!(Hash::read(&ours.replace(from, to)).is_err(), "{to}");
        }
        assert!(Hash::read("plain").is_err());
        assert!(Hash::read("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA").is_err());
    }
}
