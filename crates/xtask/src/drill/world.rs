//! Who there is: the United Kingdom's directory as shipped, with fresh keys, shortened windows and, if asked for,
//! synthetic recipients.

use std::{collections::BTreeMap, fs, path::Path};

use jiff::SignedDuration;
use serde::Deserialize;
use tocsin_duty::{Directory, Fault, Gravity, Text, Texts, check, policy_files};
use tocsin_protocol::{
    AreaId, Contact, DirectoryDocument, OwedRule, Recipient, RecipientId, Requirement, SigningKey, Where,
    Window,
};

use super::{clock::shortened, day::PUBLISHER};
use crate::{error::Error, place};

/// The directory that is shipped, from the top of the repository.
const DIRECTORY: &str = "deploy/directory/uk.toml";
/// The kind of recipients that are made up.
pub(crate) const SYNTHETIC: &str = "synthetic";
/// Windows shorter than this would measure the machine, not the people.
pub(crate) const SHORTEST_WINDOW: SignedDuration = SignedDuration::from_millis(500);

/// Who there is, and everybody's keys.
pub(crate) struct World {
    /// The directory as it is applied.
    pub(crate) document: DirectoryDocument,
    /// The publisher's key.
    pub(crate) publisher: SigningKey,
    /// With which the console signs what is acknowledged on its pages.
    pub(crate) console: SigningKey,
    /// With which the links of mails are signed.
    pub(crate) link: SigningKey,
    /// Each recipient's key, in the order of the directory.
    pub(crate) desks: Vec<(RecipientId, SigningKey)>,
    /// The windows as the policy has them and as they are here, for the screen.
    pub(crate) windows: Vec<(SignedDuration, SignedDuration)>,
}

impl World {
    /// Reads the directory, makes the keys, shortens the windows, adds the synthetic recipients.
    ///
    /// # Errors
    /// When a file cannot be read, or has a fault.
    pub(crate) fn load(speed: i32, synthetic: usize) -> Result<Self, Error> {
        let (directory, policies) = read(&place::root().join(DIRECTORY))?;
        let listed: Listed =
            toml::from_str(&directory.text).map_err(|why| Error::part(format!("read {DIRECTORY}"), why))?;
        // The operator is a publisher and a recipient: one body, one key.
        let desks: Vec<_> = listed.recipients.into_iter().map(|r| (r.id, SigningKey::generate())).collect();
        let publisher =
            desks.iter().find(|(id, _)| id.as_str() == PUBLISHER).map(|(_, key)| again(key)).ok_or_else(
                || Error::told(format!("{DIRECTORY} does not list {PUBLISHER} as a recipient")),
            )??;
        let public: BTreeMap<_, _> = desks.iter().map(|(id, key)| (id.as_str(), key.public())).collect();
        let public = toml::to_string(&public).map_err(|why| Error::part("list the public keys", why))?;
        let keys = Some(Text { file: "the drill's keys".to_owned(), text: public });
        let (document, faults) = check(&Texts { directory, policies, keys, today: None });
        let mut document = document.ok_or_else(|| told(&faults))?;
        let (console, link) = (SigningKey::generate(), SigningKey::generate());
        document.console_key = Some(console.public());
        document.link_key = Some(link.public());
        let mut world = Self { document, publisher, console, link, desks, windows: Vec::new() };
        world.shorten(speed)?;
        world.add_synthetic(synthetic)?;
        Directory::build(1, world.document.clone()).map_err(|faults| told(&faults))?;
        Ok(world)
    }

    /// The areas that people live in, with how many.
    pub(crate) fn populations(&self) -> BTreeMap<AreaId, u64> {
        self.document.areas.iter().filter_map(|area| Some((area.id.clone(), area.population?))).collect()
    }

    /// Shortens every window as much as the day.
    fn shorten(&mut self, speed: i32) -> Result<(), Error> {
        for policy in &mut self.document.policies {
            for step in &mut policy.steps {
                let window = shortened(step.within.0, speed);
                if window < SHORTEST_WINDOW {
                    return Err(Error::told(format!(
                        "at {speed} times the speed a window of {:#} is {:#}: nobody could answer in it; use a lower --speed",
                        step.within.0, window
                    )));
                }
                if policy.id.as_str() == "uk-999" {
                    self.windows.push((step.within.0, window));
                }
                step.within = Window(window);
            }
            if speed > 1 {
                policy.name = format!("{} (drill: windows divided by {speed})", policy.name);
            }
        }
        Ok(())
    }

    /// Adds recipients that nobody could take for real ones: required, of a kind of their own.
    fn add_synthetic(&mut self, count: usize) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let areas: Vec<AreaId> = self.populations().into_keys().collect();
        for number in 1..=count {
            let id = RecipientId::new(&format!("synthetic-{number:05}"))
                .map_err(|why| Error::part("name a synthetic recipient", why))?;
            let key = SigningKey::generate();
            let contact = |word: &str, role: &str| {
                (
                    word.to_owned(),
                    Contact { role: role.to_owned(), email: format!("{word}@{id}.example"), phone: None },
                )
            };
            self.document.recipients.push(Recipient {
                buddy: None,
                coordinating_body: None,
                control_rooms: Vec::new(),
                name: format!("Synthetic control room {number}"),
                kind: SYNTHETIC.to_owned(),
                nation: None,
                areas: areas.iter().cycle().nth(number).cloned().into_iter().collect(),
                neighbours: Vec::new(),
                key: Some(key.public()),
                contacts: [contact("duty", "Duty officer"), contact("senior", "Duty director")].into(),
                valid_from: None,
                valid_to: None,
                console: true,
                last_verified_at: None,
                id: id.clone(),
            });
            self.desks.push((id, key));
        }
        for policy in &mut self.document.policies {
            policy.owed.push(OwedRule {
                kinds: vec![SYNTHETIC.to_owned()],
                recipients: Vec::new(),
                place: Where::Affected,
                requirement: Requirement::Required,
            });
        }
        Ok(())
    }
}

/// What is read of the directory before it has keys: for whom to make them.
#[derive(Deserialize)]
struct Listed {
    recipients: Vec<ListedRecipient>,
}

/// One of them.
#[derive(Deserialize)]
struct ListedRecipient {
    id: RecipientId,
}

fn told(faults: &[Fault]) -> Error {
    let grave = faults.iter().filter(|fault| fault.gravity == Gravity::Error);
    Error::told(
        grave.fold("the directory cannot be used:".to_owned(), |all, fault| format!("{all}\n  {fault}")),
    )
}

/// The same key once more, for the other part of the same body.
///
/// # Errors
/// Never for a key made here.
pub(crate) fn again(key: &SigningKey) -> Result<SigningKey, Error> {
    key.seed()
        .and_then(|seed| SigningKey::from_seed(&seed))
        .map_err(|why| Error::part("take a key twice", why))
}

fn read(path: &Path) -> Result<(Text, BTreeMap<String, Text>), Error> {
    let directory = text(path, DIRECTORY.to_owned())?;
    let beside = path.parent().map(Path::to_owned).unwrap_or_default();
    let policies = policy_files(&directory)
        .into_iter()
        .map(|named| Ok((named.clone(), text(&beside.join(&named), named)?)))
        .collect::<Result<_, Error>>()?;
    Ok((directory, policies))
}

fn text(path: &Path, file: String) -> Result<Text, Error> {
    let text =
        fs::read_to_string(path).map_err(|source| Error::io(format!("read {}", path.display()), source))?;
    Ok(Text { file, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: i64) -> SignedDuration {
        SignedDuration::from_mins(n)
    }

    #[test]
    fn the_shipped_directory_is_taken_with_a_key_for_everybody_and_shortened_windows() {
        let world = World::load(180, 0).unwrap();
        assert!(world.desks.len() > 100, "{}", world.desks.len());
        for ((id, key), entry) in world.desks.iter().zip(&world.document.recipients) {
            assert_eq!((id, Some(key.public())), (&entry.id, entry.key.clone()));
        }
        let windows =
            [(minutes(15), SignedDuration::from_secs(5)), (minutes(30), SignedDuration::from_secs(10))];
        assert_eq!(world.windows, windows);
        assert!(world.document.policies.iter().all(|policy| policy.name.contains("divided by 180")));
    }

    #[test]
    fn every_force_area_has_people_so_that_a_figure_can_be_split() {
        let populations = World::load(180, 0).unwrap().populations();
        let forces = World::load(180, 0).unwrap();
        let served = forces.document.recipients.iter().filter(|r| r.kind == "police-territorial");
        for area in served.flat_map(|force| &force.areas) {
            assert!(populations.contains_key(area), "{area}");
        }
    }

    #[test]
    fn synthetic_recipients_are_required_and_known_as_such() {
        let world = World::load(180, 3).unwrap();
        let directory = Directory::build(1, world.document.clone()).unwrap();
        let policy = directory.policies().iter().find(|policy| policy.id.as_str() == "uk-999").unwrap();
        let owed = directory.owed(policy, &[AreaId::new("uk").unwrap()], &[]);
        let synthetic: Vec<_> = owed.iter().filter(|(recipient, _)| recipient.kind == SYNTHETIC).collect();
        assert_eq!(synthetic.len(), 3);
        assert!(synthetic.iter().all(|(_, requirement)| *requirement == Requirement::Required));
    }

    #[test]
    fn a_speed_at_which_nobody_could_answer_is_refused() {
        assert!(World::load(3600, 0).is_err());
    }
}
