//! Who is connected, and who gives way when there is no room for another client.
//!
//! A slow client is served as long as nobody waits for its place: a modem may take a day for a package. When all places
//! are taken, one that is idle or slow loses its own to whoever comes, so that a few hundred slow readers shut nobody out.
//! It is taken from the address that has the most, so one machine cannot push out the others; and no address has so many that
//! there is none left for another. Who has to wait does so in a line, where each address has its share, too.
//!
//! Pages that are kept open have places of their own, so that they take none from those who download; and a connection that
//! a page has come by gives way before all others.
//!
//! Whoever has asked and waits for the server is not slow, however long a build lets it wait: nobody loses an answer to the next in line.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::meter::{Meter, WINDOW};

/// Bytes per second below which a connection is slow.
const SLOW: u64 = 64 << 10;

/// One of so many places is kept for other addresses than the one that has all the rest.
const KEPT: usize = 8;
/// How many wait for a place, at most half of them from one address.
pub(super) const LINE: u16 = 1024;

/// The connections there are, at most a fixed number.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    /// So many open pages.
    most_pages: usize,
    inside: Mutex<Inside>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    next: u64,
    /// Those that have a place.
    members: HashMap<u64, Member>,
    /// Open pages, beside them.
    pages: HashMap<u64, Member>,
    /// Those that gave theirs away and have not ended yet.
    going: usize,
    /// Those that wait for one, by address.
    waiting: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Member {
    from: IpAddr,
    meter: Arc<Meter>,
    /// Set as soon as its task is there.
    task: Option<AbortHandle>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    /// What its connection has taken.
    pub(super) meter: Arc<Meter>,
}

/// A turn in the line, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    crowd: Arc<Crowd>,
    from: IpAddr,
}

impl Crowd {
    /// With so many places, and so many for open pages.
    pub(super) fn new(most: u16, most_pages: u16) -> Arc<Self> {
        let (most, most_pages) = (usize::from(most.max(1)), usize::from(most_pages));
        Arc::new(Self { most, most_pages, inside: Mutex::default(), left: Notify::new() })
    }

    /// A place for a connection from this address. `None`: all that it may have are taken, and none is idle or slow.
    pub(super) fn try_enter(self: &Arc<Self>, from: IpAddr, now: Instant) -> Option<Place> {
        let mut inside = locked(&self.inside);
        let own = inside.members.values().filter(|member| member.from == network(from)).count();
        let at_its_share = own >= self.most - self.most / KEPT;
        if at_its_share || inside.members.len() >= self.most {
            // As many on their way out as there are places: descriptors are bounded, too.
            let all = inside.going < self.most;
            let slowest = all.then(|| inside.slowest(network(from), at_its_share, now)).flatten();
            let task = inside.members.remove(&slowest?)?.task;
            inside.going += 1;
            if let Some(task) = task {
                task.abort();
            }
        }
        let number = inside.next;
        inside.next += 1;
        let meter = Arc::new(Meter::new(now));
        let member = Member { from: network(from), meter: Arc::clone(&meter), task: None };
        inside.members.insert(number, member);
        Some(Place { crowd: Arc::clone(self), number, meter })
    }

    /// A turn in the line of those that wait for a place. `None`: the line is full, or its address has half of it.
    pub(super) fn line_up(self: &Arc<Self>, from: IpAddr) -> Option<Turn> {
        let mut inside = locked(&self.inside);
        let all: usize = inside.waiting.values().sum();
        let own = inside.waiting.entry(network(from)).or_default();
        if all >= usize::from(LINE) || *own >= usize::from(LINE / 2) {
            return None;
        }
        *own += 1;
        Some(Turn { crowd: Arc::clone(self), from: network(from) })
    }

    /// The task that has a place, which ends when the place goes to somebody else.
    pub(super) fn is_held_by(&self, number: u64, task: AbortHandle) {
        if let Some(member) = locked(&self.inside).members.get_mut(&number) {
            member.task = Some(task);
        }
    }
}

impl Turn {
    /// Waits for a place.
    pub(super) async fn comes(self) -> Place {
        loop {
            let left = self.crowd.left.notified();
            if let Some(place) = self.crowd.try_enter(self.from, Instant::now()) {
                return place;
            }
            // Somebody leaves, or was there long enough to be called slow.
            let _either = tokio::time::timeout(WINDOW / 10, left).await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut inside = locked(&self.crowd.inside);
        if let Some(own) = inside.waiting.get_mut(&self.from) {
            *own -= 1;
            if *own == 0 {
                inside.waiting.remove(&self.from);
            }
        }
    }
}

impl Inside {
    /// Who gives way to somebody from this address, which may be asked to take one of its `own` places: of the address that has the most
    /// places among those that are not fast, the slowest. `None` also when its connections are too young to be called slow, since another address would have to give way to
    /// them. A crowd is fast as long as buffers fill, so an address that has no more places than the newcomer's would have gives
    /// way only when no address has more.
    fn slowest(&self, newcomer: IpAddr, own: bool, now: Instant) -> Option<u64> {
        let mut places: HashMap<IpAddr, usize> = HashMap::new();
        for member in self.members.values() {
            *places.entry(member.from).or_default() += 1;
        }
        // Pages never keep anybody from downloading.
        let asked = || self.members.iter().filter(|(_, member)| !own || member.from == newcomer);
        let paged = asked().filter(|(_, member)| member.meter.has_sent_page() && member.task.is_some());
        if let Some((number, _)) = paged.min_by_key(|(number, _)| **number) {
            return Some(*number);
        }
        let most = places.values().copied().max().unwrap_or_default();
        let share = places.get(&newcomer).copied().unwrap_or_default() + 1;
        let not_fast = asked().filter_map(|(number, member)| {
            let speed = member.meter.speed(now).filter(|_| member.task.is_some());
            let has = places.get(&member.from).copied().unwrap_or_default();
            let may = has == most || has > share || member.from == newcomer;
            let slow = speed.is_none_or(|speed| speed < SLOW);
            (may && slow).then_some((std::cmp::Reverse(has), speed.is_none(), speed, *number))
        });
        not_fast.min().filter(|(_, young, ..)| !young).map(|(.., number)| number)
    }
}

impl Place {
    /// Notes what is sent by it now.
    pub(super) fn sends(&self, page: bool) {
        self.meter.sends(page);
    }

    /// Changes over to the places of open pages, and frees its own. When all of them are taken, the oldest of the address
    /// that has the most loses its own to an address that has at least two fewer; false: there is no such.
    pub(super) fn stays_open(&self) -> bool {
        let mut guard = locked(&self.crowd.inside);
        let inside = &mut *guard;
        let Some(member) = inside.members.get(&self.number) else { return false };
        if inside.pages.len() >= self.crowd.most_pages {
            let mut places: HashMap<IpAddr, usize> = HashMap::new();
            for page in inside.pages.values() {
                *places.entry(page.from).or_default() += 1;
            }
            let own = places.get(&member.from).copied().unwrap_or_default();
            let of = |page: &Member| places.get(&page.from).copied().unwrap_or_default();
            let oldest =
                inside.pages.iter().map(|(number, page)| (std::cmp::Reverse(of(page)), *number)).min();
            let Some((std::cmp::Reverse(most), oldest)) = oldest else { return false };
            if most < own + 2 || inside.going >= self.crowd.most {
                return false;
            }
            if let Some(task) = inside.pages.remove(&oldest).and_then(|page| page.task) {
                task.abort();
            }
            inside.going += 1;
        }
        if let Some(member) = inside.members.remove(&self.number) {
            inside.pages.insert(self.number, member);
        }
        drop(guard);
        self.crowd.left.notify_one();
        true
    }

    /// By which [`Crowd::is_held_by`] knows it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = locked(&self.crowd.inside);
        let number = &self.number;
        if inside.members.remove(number).is_none() && inside.pages.remove(number).is_none() {
            inside.going = inside.going.saturating_sub(1);
        }
        drop(inside);
        self.crowd.left.notify_one();
    }
}

/// What counts as one address: of IPv6 the /64, since a host has all of that (RFC 4291, 2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn enter(crowd: &Arc<Crowd>, from: IpAddr, now: Instant) -> Option<Place> {
        let place = crowd.try_enter(from, now)?;
        crowd.is_held_by(place.number(), tokio::spawn(std::future::pending::<()>()).abort_handle());
        place.meter.waits(now);
        Some(place)
    }

    fn has(crowd: &Crowd, place: &Place) -> bool {
        locked(&crowd.inside).members.contains_key(&place.number)
    }

    #[tokio::test]
    async fn the_slowest_of_the_address_with_the_most_gives_way() {
        let crowd = Crowd::new(4, 0);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let idle = enter(&crowd, OTHER, start).unwrap();
        let fast = enter(&crowd, HOST, start).unwrap();
        let slow = enter(&crowd, HOST, start).unwrap();
        let slower = enter(&crowd, HOST, start).unwrap();
        fast.meter.took(1 << 20, at(900));
        slow.meter.took(3000, at(900));
        slower.meter.took(2000, at(900));
        assert!(enter(&crowd, OTHER, at(999)).is_none(), "none has been there for a window");
        let _new = enter(&crowd, OTHER, at(1000)).unwrap();
        assert!(!has(&crowd, &slower) && has(&crowd, &slow) && has(&crowd, &idle) && has(&crowd, &fast));
        // Two places each: the idle one is the slowest of all that are slow.
        let _newer = enter(&crowd, OTHER, at(1000)).unwrap();
        assert!(!has(&crowd, &idle) && has(&crowd, &slow));
        let _newest = enter(&crowd, OTHER, at(1000)).unwrap();
        assert!(!has(&crowd, &slow) && has(&crowd, &fast));
        assert!(enter(&crowd, HOST, at(1000)).is_none(), "one is fast, the others have only come");
        drop(fast);
        assert!(enter(&crowd, HOST, at(1000)).is_some());
        drop((idle, slow, slower));
        assert_eq!(locked(&crowd.inside).going, 0);
    }

    #[tokio::test]
    async fn a_young_crowd_pushes_nobody_out() {
        let crowd = Crowd::new(3, 0);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let alone = enter(&crowd, OTHER, start).unwrap();
        let many = [600, 700].map(|millis| enter(&crowd, HOST, at(millis)).unwrap());
        assert!(enter(&crowd, HOST, at(1500)).is_none() && has(&crowd, &alone));
        assert!(enter(&crowd, HOST, at(1600)).is_some());
        assert!(has(&crowd, &alone) && !has(&crowd, &many[0]));
    }

    #[tokio::test]
    async fn a_crowd_whose_buffers_fill_pushes_nobody_out() {
        let crowd = Crowd::new(3, 0);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let alone = enter(&crowd, OTHER, start).unwrap();
        let many = [(), ()].map(|()| enter(&crowd, HOST, start).unwrap());
        for place in &many {
            place.meter.took(1 << 20, at(900));
        }
        let third = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 3));
        assert!(enter(&crowd, third, at(1100)).is_none() && enter(&crowd, HOST, at(1100)).is_none());
        assert!(has(&crowd, &alone));
        // They are slow as soon as nothing is taken out of the buffers.
        assert!(enter(&crowd, third, at(3500)).is_some());
        assert!(has(&crowd, &alone));
    }

    #[tokio::test]
    async fn one_address_leaves_a_place_for_another() {
        let crowd = Crowd::new(8, 0);
        let now = Instant::now();
        let mut many: Vec<_> = (0..7).map(|_| enter(&crowd, HOST, now).unwrap()).collect();
        assert!(enter(&crowd, HOST, now).is_none(), "its share");
        let other = enter(&crowd, OTHER, now).expect("the place that is left");
        // Its own slow ones give way, and nobody else's.
        let later = now + WINDOW;
        many.push(enter(&crowd, HOST, later).expect("a place of its own"));
        assert!(has(&crowd, &other) && many.iter().filter(|place| has(&crowd, place)).count() == 7);

        // The line: half of it for one address.
        let line: Vec<_> = (0..LINE / 2).map(|_| crowd.line_up(HOST).unwrap()).collect();
        assert!(crowd.line_up(HOST).is_none() && crowd.line_up(OTHER).is_some());
        drop(line);
        assert!(locked(&crowd.inside).waiting.is_empty());
        let turn = crowd.line_up(OTHER).unwrap();
        drop(many);
        turn.comes().await;
        assert!(locked(&crowd.inside).waiting.is_empty());
    }

    #[tokio::test]
    async fn open_pages_take_no_place_of_others() {
        let crowd = Crowd::new(2, 3);
        let start = Instant::now();
        let pages: Vec<_> = (0..3)
            .map(|_| enter(&crowd, HOST, start).unwrap())
            .inspect(|page| assert!(page.stays_open()))
            .collect();
        let both = [enter(&crowd, HOST, start).unwrap(), enter(&crowd, OTHER, start).unwrap()];
        assert!(enter(&crowd, OTHER, start).is_none(), "all places of those who download are taken");
        // The address that has all the pages gets no further one; another takes the oldest, until both have about as many.
        assert!(!both[0].stays_open() && has(&crowd, &both[0]));
        let open = |place: &Place| locked(&crowd.inside).pages.contains_key(&place.number);
        assert!(both[1].stays_open() && open(&both[1]) && !open(&pages[0]) && open(&pages[1]));
        let third = enter(&crowd, OTHER, start).unwrap();
        assert!(!third.stays_open());
        drop((pages, both, third));
        let inside = locked(&crowd.inside);
        assert!(inside.pages.is_empty() && inside.members.is_empty() && inside.going == 0);
    }

    #[tokio::test]
    async fn who_waits_for_the_server_is_not_slow() {
        let crowd = Crowd::new(1, 0);
        let start = Instant::now();
        let place = crowd.try_enter(HOST, start).unwrap();
        let task = tokio::spawn(std::future::pending::<()>());
        crowd.is_held_by(place.number(), task.abort_handle());
        let later = start + 60 * WINDOW;
        assert!(crowd.try_enter(HOST, later).is_none() && has(&crowd, &place));
        // The client is measured from when the server has come to it.
        place.meter.waits(later);
        assert!(crowd.try_enter(HOST, later + WINDOW / 2).is_none() && has(&crowd, &place));
        assert!(crowd.try_enter(HOST, later + WINDOW).is_some() && !has(&crowd, &place));
    }

    #[tokio::test]
    async fn who_came_for_a_page_gives_way_at_once() {
        let crowd = Crowd::new(2, 1);
        let start = Instant::now();
        let [page, download] = [enter(&crowd, HOST, start).unwrap(), enter(&crowd, HOST, start).unwrap()];
        page.sends(true);
        assert!(enter(&crowd, HOST, start).is_none() && has(&crowd, &page), "it is being sent");
        page.meter.has_sent();
        let next = enter(&crowd, HOST, start).expect("the page's place");
        assert!(!has(&crowd, &page) && has(&crowd, &download));
        next.sends(true);
        next.sends(false);
        next.meter.has_sent();
        assert!(enter(&crowd, HOST, start).is_none(), "it downloads by now");
    }

    #[test]
    fn a_host_is_one_address() {
        let is = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(is("2001:db8::1", "2001:db8::ffff:0:1") && !is("2001:db8::1", "2001:db8:0:1::1"));
        assert!(is("::ffff:192.0.2.1", "192.0.2.1") && !is("192.0.2.1", "192.0.2.2"));
    }
}
