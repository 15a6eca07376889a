//! Who there is: the scenario's directory, with fresh keys, shortened windows and, if asked for, synthetic recipients.

use jiff::SignedDuration;
use tocsin_duty::Directory;
use tocsin_protocol::{
    AreaId, ConsoleDoors, Contact, DirectoryDocument, OwedRule, Recipient, RecipientId, Requirement,
    SigningKey, Term, Where, Window,
};

use super::{
    clock::whole,
    day::{Day, Found, Populations, told},
};
use crate::error::Error;

/// The kind of recipients that are made up.
pub(crate) const SYNTHETIC: &str = "synthetic";
/// Windows shorter than this would measure the machine, not the people.
pub(crate) const SHORTEST_WINDOW: SignedDuration = SignedDuration::from_millis(500);

/// Who there is, everybody's keys, and the day that they live through.
pub(crate) struct World {
    /// The day, by its own windows.
    pub(crate) day: Day,
    /// How many times faster it is played.
    pub(crate) speed: i32,
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
    /// Gives everybody of a scenario their keys, adds the synthetic recipients, and shortens the windows.
    ///
    /// # Errors
    /// When the windows would be too short.
    pub(crate) fn of(found: Found, speed: i32, synthetic: usize) -> Result<Self, Error> {
        let Found { mut document, scenario, mut keys } = found;
        let (console, link) = (SigningKey::generate(), SigningKey::generate());
        document.console_key = Some(console.public());
        document.link_key = Some(link.public());
        let mut take =
            |id: &str| keys.remove(id).ok_or_else(|| Error::told(format!("the directory lists {id} twice")));
        // The operator is a publisher and a recipient: one body, one key.
        let publisher = take(scenario.publisher.as_str())?;
        let mut desks = Vec::with_capacity(document.recipients.len());
        for recipient in &document.recipients {
            let own = recipient.id.as_str() == scenario.publisher.as_str();
            let key = if own { again(&publisher)? } else { take(recipient.id.as_str())? };
            desks.push((recipient.id.clone(), key));
        }
        add_synthetic(&mut document, &mut desks, synthetic)?;
        let directory = index(&document)?;
        let day = Day::new(scenario, &directory)?;
        let mut world = Self { day, speed, document, publisher, console, link, desks, windows: Vec::new() };
        world.shorten()?;
        Ok(world)
    }

    /// Where people live.
    ///
    /// # Errors
    /// Never for a directory that was loaded.
    pub(crate) fn populations(&self) -> Result<Populations, Error> {
        index(&self.document).map(Populations::new)
    }

    /// Shortens every window as much as the day.
    fn shorten(&mut self) -> Result<(), Error> {
        let speed = self.speed;
        for policy in &mut self.document.policies {
            for step in &mut policy.steps {
                let window = whole(step.within.0, speed);
                if window < SHORTEST_WINDOW {
                    return Err(Error::told(format!(
                        "at {speed} times the speed a window of {:#} is {:#}: nobody could answer in it; use a lower --speed",
                        step.within.0, window
                    )));
                }
                step.within = Window(window);
            }
            for duty in &mut policy.duties {
                let terms = [&mut duty.within, &mut duty.target, &mut duty.repeat, &mut duty.lasting];
                for term in terms.into_iter().flatten() {
                    *term = Term::Length(Window(whole(length(*term), speed)));
                }
            }
            if speed > 1 {
                policy.name = format!("{} (drill: windows divided by {speed})", policy.name);
            }
        }
        let first = self.day.course.asking().next();
        let windows = first.map(|first| self.day.course.windows(first.event)).unwrap_or_default();
        self.windows = windows.into_iter().map(|(window, _)| (window, whole(window, speed))).collect();
        Ok(())
    }
}

/// Adds recipients that nobody could take for real ones: required, of a kind of their own.
fn add_synthetic(
    document: &mut DirectoryDocument,
    desks: &mut Vec<(RecipientId, SigningKey)>,
    count: usize,
) -> Result<(), Error> {
    if count == 0 {
        return Ok(());
    }
    let areas: Vec<AreaId> =
        document.areas.iter().filter(|area| area.population.is_some()).map(|area| area.id.clone()).collect();
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
        document.recipients.push(Recipient {
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
            console: ConsoleDoors::Open,
            last_verified_at: None,
            id: id.clone(),
        });
        desks.push((id, key));
    }
    for policy in &mut document.policies {
        policy.owed.push(OwedRule {
            kinds: vec![SYNTHETIC.to_owned()],
            recipients: Vec::new(),
            place: Where::Affected,
            requirement: Requirement::Required,
        });
    }
    Ok(())
}

/// A term by the clock. A drill has no calendar: a month is thirty days.
fn length(term: Term) -> SignedDuration {
    match term {
        Term::Length(Window(length)) => length,
        Term::Days(days) => SignedDuration::from_hours(24) * i32::from(days),
        Term::Months(months) => SignedDuration::from_hours(24 * 30) * i32::from(months),
    }
}

fn index(document: &DirectoryDocument) -> Result<Directory, Error> {
    Directory::build(1, document.clone()).map_err(|faults| told("the directory", &faults))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::day::find;

    fn load(speed: i32, synthetic: usize) -> Result<World, Error> {
        World::of(find("uk-2023").unwrap(), speed, synthetic)
    }

    fn minutes(n: i64) -> SignedDuration {
        SignedDuration::from_mins(n)
    }

    #[test]
    fn the_shipped_directory_is_taken_with_a_key_for_everybody_and_shortened_windows() {
        let world = load(180, 0).unwrap();
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
        let world = load(180, 0).unwrap();
        let populations = world.populations().unwrap().of(&[AreaId::new("uk").unwrap()]);
        let served = world.document.recipients.iter().filter(|r| r.kind == "police-territorial");
        for area in served.flat_map(|force| &force.areas) {
            assert!(populations.contains_key(area), "{area}");
        }
    }

    #[test]
    fn synthetic_recipients_are_required_and_known_as_such() {
        let world = load(180, 3).unwrap();
        let owed = world.day.course.owed();
        let synthetic: Vec<_> =
            world.document.recipients.iter().filter(|recipient| recipient.kind == SYNTHETIC).collect();
        assert_eq!(synthetic.len(), 3);
        assert!(synthetic.iter().all(|recipient| owed[&recipient.id] == Requirement::Required));
    }

    #[test]
    fn a_speed_at_which_nobody_could_answer_is_refused() {
        assert!(load(3600, 0).is_err());
    }

    #[test]
    fn a_scenario_that_is_not_there_is_told_with_those_that_are() {
        let told = find("uk-2032").map(drop).unwrap_err().to_string();
        assert!(told.contains("uk-2023"), "{told}");
    }
}
