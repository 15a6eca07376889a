//! What every page stands on.

use std::sync::Arc;

use tocsin_duty::{Held, NotUnder};
use tocsin_ledger::Ledger;

use crate::{by_rule::Rulings, page::acknowledge::Voice};
use crate::{
    config::Config, feed::Words, hands::Hands, live::Hub, model::Model, operate::Readiness, session::Sessions,
};

/// What the handlers share. Cloning it is cheap.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    config: Config,
    ledger: Ledger,
    model: Model,
    hands: Hands,
    sessions: Sessions,
    voice: Voice,
    live: Hub,
    readiness: Readiness,
    words: Words,
    rulings: Rulings,
}

impl App {
    pub(crate) fn new(
        config: Config,
        ledger: Ledger,
        model: Model,
        hands: Hands,
        sessions: Sessions,
        voice: Voice,
        words: Words,
    ) -> Self {
        let rulings = Rulings::new(&config.monitoring);
        Self(Arc::new(Shared {
            config,
            ledger,
            model,
            hands,
            sessions,
            voice,
            live: Hub::default(),
            readiness: Readiness::default(),
            words,
            rulings,
        }))
    }

    /// How it serves.
    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Both streams, to say a receipt on.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// What is known.
    pub(crate) fn model(&self) -> &Model {
        &self.0.model
    }

    /// Why nothing may be shown or taken here: the directory in force does not stand under the trusted key. None where it
    /// does, where there is none yet, and where no key was told.
    pub(crate) fn untrusted(&self) -> Option<NotUnder> {
        let pin = self.config().trusts.as_ref()?;
        match self.model().read().fold.held_against(pin) {
            Held::Not(why) => Some(why),
            Held::None | Held::Under { .. } => None,
        }
    }

    /// What other services do for it.
    pub(crate) fn hands(&self) -> &Hands {
        &self.0.hands
    }

    /// What it acknowledges with.
    pub(crate) fn voice(&self) -> &Voice {
        &self.0.voice
    }

    /// What was last found of the path to everyone.
    pub(crate) fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// The fixed words of what the public reads.
    pub(crate) fn words(&self) -> &Words {
        &self.0.words
    }

    /// What becomes of monitors' reports by rule.
    pub(crate) fn rulings(&self) -> &Rulings {
        &self.0.rulings
    }

    /// The pages that are kept up to date.
    pub(crate) fn live(&self) -> &Hub {
        &self.0.live
    }

    /// Who has signed in.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }
}
