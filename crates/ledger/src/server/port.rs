//! A port for a server that is started anew, and finds its own free again.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
};

/// Below these Linux gives no port to whoever asks for any, and above the first few nothing common listens.
const OUTSIDE: std::ops::Range<u64> = 10_000..30_000;
/// How many are tried.
const TRIES: usize = 1000;

/// A port of 127.0.0.1 that nobody has, held until this is dropped. The system gives it to nobody who does not ask for
/// it by its number, so no connection takes it in between, nor while a server that has it is down.
///
/// # Errors
/// When none can be had.
pub fn free_port() -> io::Result<TcpListener> {
    let mut tries = 1;
    loop {
        let port = OUTSIDE.start + RandomState::new().hash_one(()) % (OUTSIDE.end - OUTSIDE.start);
        let port = u16::try_from(port).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(_) if tries < TRIES => tries += 1,
            bound => return bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_held_at_once_differ_and_none_is_one_that_the_system_gives_out() {
        let held: Vec<_> = (0..50).map(|_| free_port().unwrap()).collect();
        let mut ports: Vec<_> = held.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| OUTSIDE.contains(&u64::from(*port))), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), held.len());
    }
}
