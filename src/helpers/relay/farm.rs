//! Who is there, and what is told of that.

use std::collections::BTreeMap;
use std::io::{self, Write};
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

/// How helpers are told from others whose compilers are their own; nothing as long as the builder has not said.
pub(super) type Wanted = Arc<[Probe]>;

/// Those who are there or coming.
pub(super) struct Farm {
    /// How a helper is told from others whose compiler is its own.
    pub(super) wanted: watch::Receiver<Wanted>,
    /// By the last part of their address on loopback.
    pub(super) places: Mutex<BTreeMap<u8, Place>>,
    /// Until when those stay out that brought nothing back, and how long that is.
    pub(super) out: Mutex<BTreeMap<IpAddr, (Instant, Duration)>>,
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

    pub(super) fn take_place(&self) -> Option<u8> {
        let mut all = self.places();
        let free = (1..=u8::MAX).find(|place| !all.contains_key(place)).filter(|_| all.len() < MOST)?;
        all.insert(free, Place::Coming);
        Some(free)
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
        let line = serde_json::to_string(&Present { helpers, lost, left_out }).unwrap_or_default();
        // Who reads it is the supervisor, without which there is no relay.
        if writeln!(io::stdout().lock(), "{line}").is_err() {
            std::process::exit(1);
        }
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
