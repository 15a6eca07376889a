//! A fault, done to the world and ended again.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tocsin_notifier::sink::{Behaviour, Point};

use super::{
    faults::{Fault, Moment, Relay, Stream, Strike, Targets, Wire},
    link::{Flow, Link},
    process::Process,
    world::World,
};

/// In which ways a relay fails. The first are of a line, before any mail; the others of a mail.
const OF_A_LINE: [Behaviour; 8] = [
    Behaviour::Reply(Point::Greeting, 421, "4.3.2 not now"),
    Behaviour::Reply(Point::Greeting, 554, "5.3.2 no mail here"),
    Behaviour::Cut(Point::Greeting),
    Behaviour::Hang(Point::Greeting),
    Behaviour::Garbage(Point::Greeting),
    Behaviour::Cut(Point::Hello),
    Behaviour::Reply(Point::Sender, 451, "4.3.0 try later"),
    Behaviour::Reply(Point::Sender, 550, "5.7.1 sender refused"),
];
const OF_A_MAIL: [Behaviour; 20] = [
    Behaviour::Reply(Point::Recipient, 450, "4.2.1 mailbox busy"),
    Behaviour::Reply(Point::Recipient, 550, "5.1.1 no such user"),
    Behaviour::Reply(Point::Recipient, 554, "5.7.1 relay access denied"),
    Behaviour::Cut(Point::Recipient),
    Behaviour::Garbage(Point::Recipient),
    Behaviour::Reply(Point::Data, 452, "4.3.1 no room"),
    Behaviour::Reply(Point::Data, 554, "5.5.1 no valid recipients"),
    Behaviour::Cut(Point::Data),
    Behaviour::HalfClose(Point::Data),
    Behaviour::Reply(Point::Content, 451, "4.3.0 local error"),
    Behaviour::Reply(Point::Content, 554, "5.6.0 content refused"),
    Behaviour::Cut(Point::Content),
    Behaviour::Hang(Point::Content),
    Behaviour::HalfClose(Point::Content),
    Behaviour::Garbage(Point::Content),
    Behaviour::Reply(Point::Taken, 451, "4.3.0 taken all the same"),
    Behaviour::Cut(Point::Taken),
    Behaviour::Hang(Point::Taken),
    Behaviour::HalfClose(Point::Taken),
    Behaviour::Garbage(Point::Taken),
];

/// How long a moment is waited for.
const MOMENT_MOST: Duration = Duration::from_secs(5);

/// What can be struck.
pub(super) fn targets(world: &World) -> Targets {
    Targets {
        services: world.services.len(),
        sides: world.sides.len(),
        mail_links: world.mail_links.len(),
        relays: world.relays.len(),
        behaviours: OF_A_LINE.len() + OF_A_MAIL.len(),
    }
}

/// Does it, and ends it. What is being struck already is left alone.
pub(super) async fn strike(world: Arc<World>, Strike { lasts, fault, .. }: Strike) {
    match fault {
        Fault::Kill(place) => kill(&world, &world.services[place], fault, lasts).await,
        Fault::KillServer(place) => kill(&world, &world.cluster.servers[place], fault, lasts).await,
        Fault::Pause(place) => pause(&world, &world.services[place], fault, lasts).await,
        Fault::PauseServer(place) => pause(&world, &world.cluster.servers[place], fault, lasts).await,
        Fault::KillPair(first) => {
            let pair = [&world.services[first], &world.services[first + 1]];
            kill_all(&world, &pair, fault, lasts).await;
        }
        Fault::PowerCut => {
            let all: Vec<&Process> = world.cluster.servers.iter().collect();
            kill_all(&world, &all, fault, lasts.min(Duration::from_secs(3))).await;
        }
        Fault::KillLeader(stream, moment) => {
            if let Some(leader) = leader_at(&world, stream, moment).await {
                kill(&world, &world.cluster.servers[leader], fault, lasts).await;
            }
        }
        Fault::StepDown(stream, moment) => {
            wait_for(&world, moment).await;
            let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{}", stream.name());
            let asked = world.client.request(subject, bytes::Bytes::new());
            if tokio::time::timeout(Duration::from_secs(1), asked).await.is_ok_and(|answer| answer.is_ok()) {
                world.did(fault.to_string());
            }
        }
        Fault::Side(place, server, how) => {
            let links = &world.sides[place].links;
            let links = links.iter().enumerate().filter(|(number, _)| server.is_none_or(|s| s == *number));
            wire(&world, &links.map(|(_, link)| link).collect::<Vec<_>>(), fault, how, lasts).await;
        }
        Fault::Server(place, peer, how) => {
            let links = world.cluster.routes.iter().filter(|(from, to, _)| {
                let other = if *from == place { Some(*to) } else { (*to == place).then_some(*from) };
                other.is_some_and(|other| peer.is_none_or(|peer| peer == other || peer == place))
            });
            wire(&world, &links.map(|(_, _, link)| link).collect::<Vec<_>>(), fault, how, lasts).await;
        }
        Fault::Mail(place, how) => wire(&world, &[&world.mail_links[place]], fault, how, lasts).await,
        Fault::Relay(place, how) => relay(&world, place, how, fault, lasts).await,
        Fault::FullDisk(place) => full_disk(&world, &world.cluster.servers[place], fault, lasts).await,
    }
}

async fn kill(world: &World, process: &Process, fault: Fault, lasts: Duration) {
    kill_all(world, &[process], fault, lasts).await;
}

async fn kill_all(world: &World, processes: &[&Process], fault: Fault, lasts: Duration) {
    let mut held = Vec::new();
    for process in processes {
        let Ok(busy) = process.busy.try_lock() else { return };
        held.push(busy);
    }
    for process in processes {
        world.kill(process);
    }
    world.did(fault.to_string());
    tokio::time::sleep(lasts).await;
    for process in processes {
        process.revive();
    }
}

async fn pause(world: &World, process: &Process, fault: Fault, lasts: Duration) {
    let Ok(_busy) = process.busy.try_lock() else { return };
    world.see(process);
    if process.pause() {
        world.did(fault.to_string());
        tokio::time::sleep(lasts).await;
    }
    process.revive();
}

/// Who leads a stream at a moment.
async fn leader_at(world: &World, stream: Stream, moment: Moment) -> Option<usize> {
    // Asked beforehand: at the moment itself every millisecond counts.
    let leader = world.cluster.leader(&world.client, stream.name()).await;
    wait_for(world, moment).await;
    leader
}

async fn wait_for(world: &World, moment: Moment) {
    match moment {
        Moment::Dispatch(after) => {
            let mut published = world.authors.published.subscribe();
            // Without one, any moment is as good.
            let _ = tokio::time::timeout(MOMENT_MOST, published.changed()).await;
            tokio::time::sleep(after).await;
        }
        Moment::Close(before) => {
            let soonest = Instant::now() + before;
            let next = world.authors.next_close(soonest);
            let wait = next.map_or(Duration::ZERO, |next| next - soonest);
            tokio::time::sleep(wait.min(MOMENT_MOST)).await;
        }
    }
}

async fn wire(world: &World, links: &[&Link], fault: Fault, how: Wire, lasts: Duration) {
    if links.is_empty() {
        return;
    }
    for link in links {
        match how {
            Wire::Cut => link.cut(),
            Wire::Stall => link.flow(Flow::Stalled, Flow::Stalled),
            Wire::StallBack => link.flow(Flow::Open, Flow::Stalled),
            Wire::Slow(time) => link.flow(Flow::Slow(time), Flow::Slow(time)),
            Wire::HalfClose => link.half_close(),
        }
    }
    world.did(fault.to_string());
    tokio::time::sleep(lasts).await;
    for link in links {
        link.mend();
    }
}

async fn relay(world: &World, place: usize, Relay { how, every }: Relay, fault: Fault, lasts: Duration) {
    let relay = &world.relays[place];
    let willing = (1..every).map(|_| Behaviour::Accept);
    let (line, mail) = match how.checked_sub(OF_A_LINE.len()) {
        None => (OF_A_LINE[how], Behaviour::Accept),
        Some(how) => (Behaviour::Accept, OF_A_MAIL[how]),
    };
    // A script's last behaviour stays: so many times in turn as come in this time and more.
    let turns = |behaviour| willing.clone().chain([behaviour]).cycle().take(600).collect::<Vec<_>>();
    relay.script_lines(turns(line));
    relay.script_all(turns(mail));
    world.did(fault.to_string());
    tokio::time::sleep(lasts).await;
    relay.script_lines([Behaviour::Accept]);
    relay.script_all([Behaviour::Accept]);
}

/// Lets no file of a server grow, as on a disk that is full, by the limit that the system keeps for a process: it needs
/// no right of root's and no file system of its own. The server is started again afterwards, as whoever makes room does.
async fn full_disk(world: &World, server: &Process, fault: Fault, lasts: Duration) {
    let Ok(_busy) = server.busy.try_lock() else { return };
    world.see(server);
    let Some(id) = server.id() else { return };
    let limited = Command::new("prlimit").args(["--pid", &id.to_string(), "--fsize=4096:"]).status();
    if !limited.is_ok_and(|status| status.success()) {
        world.did("disk full: left out, as there is no prlimit here");
        return;
    }
    world.did(fault.to_string());
    tokio::time::sleep(lasts).await;
    if server.ended().is_some() {
        world.did("server that ended on a full disk");
    }
    server.kill();
    server.revive();
}
