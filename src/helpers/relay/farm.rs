//! Who is there, and what is told of that.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::helpers::jobs::{Counter, Job};
use crate::model::helpers::{Helper, LeftOut, MOST, Present, Probe};

/// How long one may take to say who it is.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// A helper that says that it has more slots is believed so many.
pub(super) const MOST_SLOTS: u32 = 256;
/// Bytes that more than greetings and an error come to: an object.
const OBJECT: u64 = 256;
/// How long one stays out that brought nothing back, at first; twice as long each time that it did not since, and never longer than this.
const OUT: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(8)];

/// How helpers are told from others whose compilers are their own; nothing as long as the builder has not said, and none while nobody can be proved.
pub(super) type Wanted = Option<Arc<[Probe]>>;

/// Those who are there or coming.
pub(super) struct Farm {
    /// Who is told of each change.
    says: Box<dyn Fn(&Present) + Send + Sync>,
    /// How a helper is told from others whose compiler is its own.
    pub(super) wanted: watch::Receiver<Wanted>,
    /// By the last part of their address on loopback.
    places: Mutex<BTreeMap<u8, Place>>,
    /// Who had each of those last.
    owners: Mutex<BTreeMap<u8, IpAddr>>,
    /// Until when those stay out that brought nothing back, and how long that is.
    out: Mutex<BTreeMap<IpAddr, (Instant, Duration)>>,
}

/// What is known of one.
pub(super) enum Place {
    Coming,
    /// It takes jobs, but for some.
    In(Helper, Option<String>),
    /// It is given nothing.
    Out(LeftOut),
}

impl Farm {
    /// Nobody is there yet.
    pub(super) fn new(says: Box<dyn Fn(&Present) + Send + Sync>, wanted: watch::Receiver<Wanted>) -> Self {
        let (places, owners, out) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { says, wanted, places, owners, out }
    }

    pub(super) fn places(&self) -> MutexGuard<'_, BTreeMap<u8, Place>> {
        lock(&self.places)
    }

    pub(super) fn is_out(&self, address: IpAddr) -> bool {
        lock(&self.out).get(&address).is_some_and(|(until, _)| Instant::now() < *until)
    }

    /// Leaves one out from now on; how long.
    pub(super) fn leave_out(&self, address: IpAddr) -> Duration {
        let mut out = lock(&self.out);
        let [first, longest] = OUT;
        let time = out.get(&address).map_or(first, |(_, before)| longest.min(*before * 2));
        out.insert(address, (Instant::now() + time, time));
        time
    }

    /// One has brought something back.
    pub(super) fn forgive(&self, address: IpAddr) {
        lock(&self.out).remove(&address);
    }

    /// The one that it had before, or one that nobody had, or one that nobody has: a step's compilers go on to where they were told at its
    /// beginning that somebody is, and with how many slots.
    pub(super) fn take_place(&self, address: IpAddr) -> Option<u8> {
        let (mut all, mut owners) = (self.places(), lock(&self.owners));
        if all.len() >= MOST {
            return None;
        }
        let free = |place: &u8| !all.contains_key(place);
        let was =
            |owner: Option<IpAddr>| (1..=u8::MAX).filter(free).find(|n| owners.get(n).copied() == owner);
        let place = was(Some(address)).or_else(|| was(None)).or_else(|| (1..=u8::MAX).find(free))?;
        all.insert(place, Place::Coming);
        owners.insert(place, address);
        Some(place)
    }

    pub(super) fn tell(&self, lost: Option<String>) {
        let (mut helpers, mut left_out) = (Vec::new(), Vec::new());
        for place in self.places().values() {
            match place {
                Place::Coming => {}
                Place::In(helper, short) => {
                    helpers.push(helper.clone());
                    left_out.extend(short.clone().map(|why| LeftOut { name: helper.name.clone(), why }));
                }
                Place::Out(out) => left_out.push(out.clone()),
            }
        }
        helpers.sort_by(|a, b| a.name.cmp(&b.name));
        left_out.sort_by(|a, b| a.name.cmp(&b.name));
        (self.says)(&Present { helpers, lost, left_out });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How one went.
pub(super) enum Gone {
    Left,
    Out(String),
    /// It answers, and brings nothing back.
    Stuck(String),
}

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self::Left
    }
}

/// One helper, from when it came.
pub(super) struct Visit<'a> {
    pub(super) farm: &'a Farm,
    pub(super) place: u8,
    pub(super) from: SocketAddr,
    pub(super) jobs: &'a Counter,
}

impl Visit<'_> {
    /// Its address here.
    pub(super) fn here(&self, port: u16) -> SocketAddr {
        SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, self.place), port).into()
    }

    /// From now on this is so.
    pub(super) fn put(&self, what: Place) {
        self.farm.places().insert(self.place, what);
        self.farm.tell(None);
    }
}

/// The next that comes to a gate, while those that came before are served.
pub(super) async fn next(gate: &TcpListener, running: &mut JoinSet<()>) -> TcpStream {
    loop {
        tokio::select! {
            accepted = gate.accept() => match accepted {
                Ok((stream, _)) => return stream,
                Err(_) => sleep(Duration::from_secs(1)).await,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

/// Hands a file on, and what comes back, until one of both ends it; or the helper has had it for too long.
pub(super) async fn hand_over(job: Job, client: &mut TcpStream, helper: &mut TcpStream) {
    let is_back = tokio::select! {
        ended = copy_bidirectional(client, helper) => ended.is_ok_and(|(_, back)| back >= OBJECT),
        () = job.overdue() => false,
    };
    if is_back {
        job.done();
    }
}

#[cfg(test)]
impl Farm {
    /// One whose changes are told there.
    pub(super) fn telling(
        wanted: watch::Receiver<Wanted>,
    ) -> (Self, tokio::sync::mpsc::UnboundedReceiver<Present>) {
        let (say, told) = tokio::sync::mpsc::unbounded_channel();
        (Self::new(Box::new(move |present| drop(say.send(present.clone()))), wanted), told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_back_has_its_place_again_and_nobody_else() {
        let (farm, _told) = Farm::telling(watch::channel(None).1);
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        assert_eq!([1, 2, 3].map(|n| farm.take_place(address(n))), [1, 2, 3].map(Some));
        farm.places().remove(&1);
        farm.places().remove(&2);
        assert_eq!(farm.take_place(address(4)), Some(4), "the places of others are theirs");
        assert_eq!(farm.take_place(address(2)), Some(2));
        assert_eq!(farm.take_place(address(2)), Some(5), "two may have one address");
        // Where nobody's is left, one is taken that nobody has.
        for n in 6..=u8::MAX {
            farm.take_place(address(n)).map(|place| farm.places().remove(&place));
        }
        assert_eq!(farm.take_place(IpAddr::from([10, 0, 1, 1])), Some(1));
    }
}
