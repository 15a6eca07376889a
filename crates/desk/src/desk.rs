//! Whose desk it is.

use std::{collections::BTreeMap, sync::Arc};

use tocsin_ledger::Ledger;
use tocsin_protocol::{
    AuthorKey, Entry, PublisherId, Receipt, RecipientId, SigningKey, Stream, Subject, from_body, schema,
    to_body,
};

use crate::{clock::Clock, error::Error, witness::Witness};

/// One recipient's place on the bus: it reads that recipient's notices and signs its receipts. Clones share it.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(crate) ledger: Ledger,
    pub(crate) recipient: RecipientId,
    pub(crate) control_room: Option<String>,
    pub(crate) pinned: Arc<BTreeMap<PublisherId, AuthorKey>>,
    pub(crate) clock: Clock,
    witness: Arc<Witness>,
    key: Arc<SigningKey>,
    public: AuthorKey,
}

impl Desk {
    /// A desk for this recipient, whose key the directory lists.
    ///
    /// # Errors
    /// [`Error::Word`] when the key has no public half, which no key made or read by us lacks.
    pub fn new(ledger: Ledger, recipient: RecipientId, key: SigningKey) -> Result<Self, Error> {
        let public = AuthorKey::new(&key.public())?;
        Ok(Self {
            ledger,
            recipient,
            control_room: None,
            pinned: Arc::default(),
            clock: Clock::default(),
            witness: Arc::default(),
            key: Arc::new(key),
            public,
        })
    }

    /// Pins publishers' keys that are known here by other ways than the bus: what they say must be signed with these.
    #[must_use]
    pub fn pinning(self, keys: BTreeMap<PublisherId, AuthorKey>) -> Self {
        Self { pinned: Arc::new(keys), ..self }
    }

    /// Names the control room that this desk stands in; it is written into every receipt.
    #[must_use]
    pub fn in_control_room(self, name: String) -> Self {
        Self { control_room: Some(name), ..self }
    }

    /// Has it go by another clock than this machine's in what it claims.
    #[must_use]
    pub fn by_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Whose desk it is.
    pub fn recipient(&self) -> &RecipientId {
        &self.recipient
    }

    /// Checks, signs and says a receipt, with the newest checkpoint that this desk has seen.
    pub(crate) async fn say(&self, receipt: &Receipt) -> Result<tocsin_ledger::Said, Error> {
        let checkpoint = self.witness.newest(&self.ledger).await;
        let mut body = to_body("receipt", &Receipt { checkpoint, ..receipt.clone() })?;
        // It may leave no room for what the person has to say.
        if body.len() > schema::MAX_RECEIPT_BYTES {
            body = to_body("receipt", receipt)?;
        }
        schema::check_receipt(&body).map_err(|problems| Error::Invalid { problems })?;
        let subject = receipt.subject();
        let signed = self.key.sign(&subject.to_string(), &body)?;
        Ok(self.ledger.say(&subject, &signed, body).await?)
    }

    /// The receipt of ours that stands on this subject, with its entry. What somebody else put there does not count.
    pub(crate) async fn said_before(&self, subject: &Subject) -> Result<Option<(Entry, Receipt)>, Error> {
        debug_assert_eq!(subject.stream(), Stream::Said);
        let Some(entry) = self.ledger.last(subject).await? else { return Ok(None) };
        let receipt = from_body::<Receipt>("receipt", &entry.body).ok().filter(|_| self.is_ours(&entry));
        Ok(receipt.map(|receipt| (entry, receipt)))
    }

    /// Whether this desk's key signed it.
    pub(crate) fn is_ours(&self, entry: &Entry) -> bool {
        let signed = entry.signed.as_ref();
        signed.is_some_and(|signed| self.public.verify(&entry.subject, &entry.body, signed).is_ok())
    }
}
