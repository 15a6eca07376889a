//! Every order in which a small world can go: two routers, a notifier, a broker and three recipients, with crashes,
//! lost acknowledgements and redelivery at every point. The routers decide by the real `tocsin_duty::Fold`.
//!
//! `stateright` walks the whole space, so a promise that holds here holds in every order of that world, not in those
//! that a random test happened to meet. What is not in it: refusals (the property tests have them), more than one
//! incident, and a dispatch of more than one batch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod facts;
mod promises;
mod world;

use stateright::{Checker as _, HasDiscoveries, Model as _};
use world::World;

/// Walks all of it; a promise that is broken panics with the way there.
fn walk(world: World) {
    let checker = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    checker.assert_properties();
    println!("{} states", checker.unique_state_count());
}

#[test]
fn three_recipients_may_acknowledge_at_any_moment_of_two_routers_who_race() {
    walk(World { recipients: 3, routers: 2, ..World::default() });
}

#[test]
fn a_router_dies_at_any_append() {
    walk(World { recipients: 2, routers: 2, crashes: 1, ..World::default() });
}

#[test]
fn the_brokers_answer_to_any_append_is_lost() {
    walk(World { recipients: 2, routers: 2, lost: 1, ..World::default() });
}

#[test]
fn routers_read_in_any_pieces() {
    walk(World { recipients: 1, routers: 2, crashes: 1, lost: 1, eager: true, ..World::default() });
}

#[test]
fn a_notifier_dies_at_any_point_of_a_mail() {
    walk(World { recipients: 1, routers: 1, crashes: 2, mail: true, ..World::default() });
}
