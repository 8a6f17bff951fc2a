//! All of them, asked at the same time: none waits for another, and none is waited for longer than for itself.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::ask::{ask, known_away};
use crate::config::Peer;
use crate::model::farm::Heard;

/// How long a builder, or whoever knows its address, may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// No more builders are asked at a time.
const MOST: usize = 128;
/// Bytes of the stack of a thread that asks.
const STACK: usize = 512 << 10;

/// Finds the addresses of a peer.
type LookUp = fn(&Peer) -> Result<Vec<SocketAddr>, String>;

/// Whoever asks, and what is left of the last time.
pub(super) struct Rounds {
    peers: Vec<Peer>,
    own: Option<u16>,
    /// Where a server of this builder may know since when others are away.
    server: Option<SocketAddr>,
    look_up: LookUp,
    /// Names that are still being looked up: the C library has a patience of its own.
    looked_up: Arc<Mutex<BTreeSet<usize>>>,
    /// How many are being asked.
    taken: Arc<AtomicUsize>,
}

impl Rounds {
    /// Nobody was asked yet.
    pub(super) fn new(peers: &[Peer], own: Option<u16>, server: Option<SocketAddr>) -> Self {
        let (peers, taken) = (peers.to_vec(), Arc::default());
        Self { peers, own, server, look_up: addresses, looked_up: Arc::default(), taken }
    }

    /// Asks all of them, and tells what comes as it comes.
    pub(super) fn ask(&mut self, tell: &mut dyn FnMut(&Heard)) {
        tell(&Heard::Begun);
        let (out, heard) = mpsc::channel();
        // What was told of each: one whose name is looked up late is given up in this round.
        let mut open: BTreeSet<usize> = (0..self.peers.len()).collect();
        for number in 0..self.peers.len() {
            if let Err(why) = self.begin(number, &out) {
                open.remove(&number);
                tell(&Heard::Lost { peer: number, why });
            }
        }
        let mut server = self.server.is_some_and(|server| {
            let out = out.clone();
            small_thread(move || drop(out.send(Heard::Knew { away: known_away(server) }))).is_ok()
        });
        drop(out);
        let mut asked = BTreeSet::new();
        let (found_by, over) = (Instant::now() + PATIENCE, Instant::now() + 2 * PATIENCE + PATIENCE / 4);
        while server || !open.is_empty() || !asked.is_empty() {
            let until = if open.is_empty() { over } else { found_by };
            let Ok(new) = heard.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                if Instant::now() >= over {
                    break;
                }
                for peer in std::mem::take(&mut open) {
                    let why = format!("the address of {} was not found in time", self.peers[peer].host());
                    tell(&Heard::Lost { peer, why });
                }
                continue;
            };
            match &new {
                Heard::Found { peer, addresses } if open.remove(peer) => {
                    asked.extend(addresses.iter().map(|address| (*peer, address.clone())));
                }
                Heard::Lost { peer, .. } if open.remove(peer) => {}
                Heard::Said { peer, address, .. } if asked.remove(&(*peer, address.clone())) => {}
                Heard::Knew { .. } => server = false,
                // It was given up before.
                _ => continue,
            }
            tell(&new);
        }
        tell(&Heard::Done);
    }

    /// Begins to look one up, and then to ask whoever is there.
    fn begin(&self, number: usize, out: &Sender<Heard>) -> Result<(), String> {
        let (peer, own, out) = (self.peers[number].clone(), self.own, out.clone());
        let (look_up, looked_up) = (self.look_up, Arc::clone(&self.looked_up));
        let taken = Arc::clone(&self.taken);
        if !looked_up.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
            return Err(format!("the address of {} is still being looked for", peer.host()));
        }
        let ends = Arc::clone(&looked_up);
        let begun = small_thread(move || {
            let found = look_up(&peer);
            looked_up.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
            match found {
                Ok(found) => each(number, &peer, found, own, &taken, &out),
                Err(why) => drop(out.send(Heard::Lost { peer: number, why })),
            }
        });
        begun.map_err(|error| {
            ends.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
            no_thread(&error)
        })
    }
}

/// Asks those at these addresses, a thread each.
fn each(
    number: usize,
    peer: &Peer,
    found: Vec<SocketAddr>,
    own: Option<u16>,
    taken: &Arc<AtomicUsize>,
    out: &Sender<Heard>,
) {
    let others: Vec<_> = found.into_iter().filter(|address| !is_own(*address, own)).collect();
    let addresses = others.iter().map(ToString::to_string).collect();
    drop(out.send(Heard::Found { peer: number, addresses }));
    for address in others {
        let (peer, said) = (peer.clone(), out.clone());
        let said_by = move |answer| Heard::Said { peer: number, address: address.to_string(), answer };
        let Some(turn) = Turn::take(taken) else {
            drop(out.send(said_by(Err(format!("{MOST} builders are asked at a time, and no more")))));
            continue;
        };
        let begun = small_thread(move || {
            let answer = ask(&peer, address, PATIENCE).map(Box::new);
            drop(turn);
            drop(said.send(said_by(answer)));
        });
        if let Err(error) = begun {
            drop(out.send(said_by(Err(no_thread(&error)))));
        }
    }
}

fn small_thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("peer".into()).stack_size(STACK).spawn(work).map(drop)
}

fn no_thread(error: &io::Error) -> String {
    format!("it was not asked, because no thread could be started: {error}")
}

/// The addresses of a peer, in order, each once.
fn addresses(peer: &Peer) -> Result<Vec<SocketAddr>, String> {
    let found = match peer.host().parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, peer.port())],
        Err(_) => match (peer.host(), peer.port()).to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(_) => return Err(format!("the host {} is not known", peer.host())),
        },
    };
    let found: BTreeSet<_> = found.into_iter().collect();
    if found.is_empty() {
        return Err(format!("the host {} has no address", peer.host()));
    }
    Ok(found.into_iter().take(MOST).collect())
}

/// Whether this is where this builder listens itself. A datagram socket that is connected sends nothing, and has the address that the system
/// would send from, which is the same one only here.
fn is_own(address: SocketAddr, own: Option<u16>) -> bool {
    let from = || -> io::Result<IpAddr> {
        let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(address)?;
        Ok(socket.local_addr()?.ip())
    };
    own == Some(address.port()) && from().is_ok_and(|from| from == address.ip())
}

/// A place among those that ask at the same time.
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let before = taken.fetch_add(1, Ordering::Relaxed);
        let turn = Self(Arc::clone(taken));
        (before < MOST).then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_name_that_nobody_answers_for_holds_up_no_other() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let peers = ["http://silent".to_owned(), format!("http://{nobody}")];
        let look_up: LookUp = |peer| match peer.host() {
            "silent" => loop {
                thread::park();
            },
            _ => addresses(peer),
        };
        let peers: Vec<_> = peers.iter().map(|url| Peer::parse(url).unwrap()).collect();
        let mut rounds = Rounds { look_up, ..Rounds::new(&peers, None, None) };
        let mut round = || {
            let mut heard = Vec::new();
            rounds.ask(&mut |new| heard.push(new.clone()));
            heard
        };
        let refused = "127.0.0.1 cannot be reached: Connection refused";
        let other = [
            Heard::Found { peer: 1, addresses: vec![nobody.to_string()] },
            Heard::Said { peer: 1, address: nobody.to_string(), answer: Err(refused.into()) },
        ];
        let lost = |why: &str| Heard::Lost { peer: 0, why: why.into() };
        let late = lost("the address of silent was not found in time");
        assert_eq!(round(), [&[Heard::Begun][..], &other, &[late, Heard::Done]].concat());
        // No further thread waits for it.
        let still = lost("the address of silent is still being looked for");
        assert_eq!(round(), [&[Heard::Begun, still][..], &other, &[Heard::Done]].concat());
    }

    #[test]
    fn whoever_finds_itself_asks_nobody() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        assert!(is_own(address, Some(address.port())));
        assert!(!is_own(address, Some(address.port().wrapping_add(1))) && !is_own(address, None));
        assert!(!is_own("192.0.2.1:80".parse().unwrap(), Some(80)));
    }
}
