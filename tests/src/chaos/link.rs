//! A TCP proxy on loopback that can cut, stall, delay and half-close what goes through it.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How bytes go one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// At once.
    Open,
    /// Not at all: they are taken and kept back, and nobody is told.
    Stalled,
    /// Each portion this much later.
    Slow(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Way {
    cut: bool,
    there: Flow,
    back: Flow,
    half_closes: u32,
}

const OPEN: Way = Way { cut: false, there: Flow::Open, back: Flow::Open, half_closes: 0 };

/// One link: a port of its own, behind which another port is. Dropping it closes it and all its lines.
#[derive(Debug)]
pub struct Link {
    port: u16,
    way: watch::Sender<Way>,
    serving: JoinHandle<()>,
}

impl Link {
    /// A link to this port on loopback, which nobody need listen on yet.
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn to(target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let way = watch::Sender::new(OPEN);
        let serving = tokio::spawn(serve(listener, target, way.subscribe()));
        Ok(Self { port, way, serving })
    }

    /// The port of its own.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every line, and each new one at once.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.cut = true);
    }

    /// Whether every line has ended.
    pub fn is_down(&self) -> bool {
        // Each line listens to what is done to the link, as does what accepts them.
        self.way.receiver_count() <= 1
    }

    /// Lets bytes go so: to what is behind it, and back.
    pub fn flow(&self, there: Flow, back: Flow) {
        self.way.send_modify(|way| (way.there, way.back) = (there, back));
    }

    /// Tells what is behind it that whoever is before it has nothing more to say, on every line of now. The other
    /// direction stays open.
    pub fn half_close(&self) {
        self.way.send_modify(|way| way.half_closes += 1);
    }

    /// As if nothing had been done to it. Lines that are gone stay gone.
    pub fn mend(&self) {
        self.way.send_modify(|way| *way = Way { half_closes: way.half_closes, ..OPEN });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, target: u16, way: watch::Receiver<Way>) {
    let mut lines = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                lines.spawn(line(stream, target, way.clone()));
            },
            Some(_) = lines.join_next() => {}
        }
    }
}

async fn line(near: TcpStream, target: u16, way: watch::Receiver<Way>) {
    if way.borrow().cut {
        return;
    }
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    // What is delayed is delayed by the link alone.
    if near.set_nodelay(true).and_then(|()| far.set_nodelay(true)).is_err() {
        return;
    }
    let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
    let mut cut = way.clone();
    let there = pump(near_reads, far_writes, way.clone(), |way| way.there, true);
    let back = pump(far_reads, near_writes, way, |way| way.back, false);
    tokio::select! {
        _ = cut.wait_for(|way| way.cut) => {}
        _ = async { tokio::join!(there, back) } => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    flow: fn(&Way) -> Flow,
    half_closes: bool,
) {
    let before = way.borrow().half_closes;
    let mut closed = way.clone();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = closed.wait_for(|way| half_closes && way.half_closes != before) => break,
        };
        let Ok(length @ 1..) = read else { break };
        let flowing = way.wait_for(|way| flow(way) != Flow::Stalled).await.map(|way| flow(&way));
        match flowing {
            Ok(Flow::Slow(time)) => tokio::time::sleep(time).await,
            Ok(_) => {}
            Err(_) => break,
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    // An error means that the far end is gone already.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const NOT_YET: Duration = Duration::from_millis(150);

    async fn ends() -> (Link, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let link = Link::to(listener.local_addr().unwrap().port()).await.unwrap();
        let near = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port())).await.unwrap();
        let (far, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        (link, near, far)
    }

    async fn passes(from: &mut TcpStream, to: &mut TcpStream) {
        from.write_all(b"word").await.unwrap();
        let mut read = [0; 4];
        timeout(SOON, to.read_exact(&mut read)).await.unwrap().unwrap();
        assert_eq!(&read, b"word");
    }

    #[tokio::test]
    async fn what_is_stalled_one_way_goes_the_other_and_comes_when_it_is_mended() {
        let (link, mut near, mut far) = ends().await;
        passes(&mut near, &mut far).await;
        link.flow(Flow::Open, Flow::Stalled);
        passes(&mut near, &mut far).await;
        far.write_all(b"back").await.unwrap();
        let mut read = [0; 4];
        assert!(timeout(NOT_YET, near.read_exact(&mut read)).await.is_err(), "it is kept back");
        link.mend();
        timeout(SOON, near.read_exact(&mut read)).await.unwrap().unwrap();
        assert_eq!(&read, b"back");
    }

    #[tokio::test]
    async fn a_cut_ends_lines_and_lets_none_through_until_it_is_mended() {
        let (link, mut near, mut far) = ends().await;
        link.cut();
        for end in [&mut near, &mut far] {
            let read = timeout(SOON, end.read(&mut [0])).await.unwrap();
            assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        }
        let mut again = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port())).await.unwrap();
        let read = timeout(SOON, again.read(&mut [0])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }

    #[tokio::test]
    async fn a_half_close_is_the_end_of_one_direction_alone() {
        let (link, mut near, mut far) = ends().await;
        passes(&mut near, &mut far).await;
        link.half_close();
        assert_eq!(timeout(SOON, far.read(&mut [0])).await.unwrap().unwrap(), 0);
        passes(&mut far, &mut near).await;
    }
}
