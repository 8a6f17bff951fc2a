//! What happens in each round. The seed decides all of it, before anything has happened: no outcome changes what comes next.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use crate::support::Random;

/// How often the supervisor may be killed in one life of the container; after five deaths init waits for a person.
const DEATHS: u32 = 3;

/// A package of the test's own in `test-quick`.
#[derive(Clone, Debug)]
pub struct Package {
    /// The newest version that the repository has.
    pub version: u32,
    /// The newest version that compiles; 0 when none does.
    pub good: u32,
    /// The newest version that compiled and that a cycle could build: the newest one of a round before.
    seen: u32,
    /// Whether `package.use` sets its flag.
    pub flag: bool,
}

impl Package {
    /// Whether the newest version does not compile.
    pub fn is_broken(&self) -> bool {
        self.good != self.version
    }
}

/// What changes before a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A package comes into the repository and the world.
    Add(String),
    /// A new version that compiles.
    Bump(String),
    /// A new version that does not.
    Break(String),
    /// The newest version, which does not compile, does so from now on.
    Repair(String),
    /// Another USE flag in `package.use`.
    Use(String),
    /// The source of the overlay is not to be reached.
    OverlayGone,
    /// It is again.
    OverlayBack,
    /// The clone of the overlay is removed.
    CloneLost,
}

/// What goes wrong while the cycle runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The last byte of the volume is taken.
    DiskFull,
    /// The last inode of the volume is taken.
    InodesFull,
    /// The volume is mounted read-only.
    ReadOnly,
    /// Another, empty directory is there instead of the volume.
    Vanished,
    /// SIGKILL to emerge.
    KillEmerge,
    /// SIGKILL to the supervisor.
    KillSupervisor,
    /// SIGKILL to PID 1.
    KillContainer,
    /// SIGKILL to PID 1; monotonic time is another one afterwards.
    ClockJumps(u32),
    /// Clients of the socket and of the server, and a reader of the log, that are stopped.
    StoppedReaders,
    /// Hundreds of flag files, with and without a meaning.
    FlagStorm,
}

/// What a person does meanwhile or afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// `gbsup publish`.
    Publish,
    /// `gbsup rollback`.
    Rollback,
    /// `gbsup prune`.
    Prune,
    /// `gbsup verify`.
    Verify,
}

impl Hand {
    /// The verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Rollback => "rollback",
            Self::Prune => "prune",
            Self::Verify => "verify",
        }
    }
}

/// How a cycle is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    /// `gbsup sync`.
    Verb,
    /// `control/sync`.
    Flag,
    /// SIGUSR1 to PID 1.
    Signal,
}

/// One round.
#[derive(Clone, Debug)]
pub struct Round {
    /// From 1 on.
    pub number: u32,
    /// In this order.
    pub changes: Vec<Change>,
    /// How the cycle is asked for.
    pub ask: Ask,
    /// What goes wrong, and how long after the cycle was asked for.
    pub fault: Option<(Fault, Duration)>,
    /// What a person does, and whether while the cycle runs.
    pub hand: Option<(Hand, bool)>,
}

impl Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "round {}: {:?}, asked by {:?}", self.number, self.changes, self.ask)?;
        if let Some((fault, delay)) = &self.fault {
            write!(f, ", {fault:?} after {} ms", delay.as_millis())?;
        }
        match &self.hand {
            Some((hand, true)) => write!(f, ", {hand:?} meanwhile"),
            Some((hand, false)) => write!(f, ", {hand:?} afterwards"),
            None => Ok(()),
        }
    }
}

/// The rounds, one after the other, and how the repositories are after the last that was taken.
pub struct Plan {
    random: Random,
    number: u32,
    deaths: u32,
    faults: Vec<Fault>,
    /// By name; all but the overlay's `o1` are in the main repository.
    pub packages: BTreeMap<String, Package>,
    /// Whether the source of the overlay is there.
    pub overlay: bool,
    /// Whether there was a version of `s1` that does not compile.
    pub s1_failed: bool,
}

impl Plan {
    /// With four packages, and one in an overlay.
    pub fn new(random: Random) -> Self {
        let package = |name: &str| (name.to_owned(), Package { version: 1, good: 1, seen: 0, flag: false });
        let packages = ["s1", "s2", "s3", "s4", "o1"].map(package).into();
        Self { random, number: 0, deaths: 0, faults: Vec::new(), packages, overlay: true, s1_failed: false }
    }

    /// The next round; the world is as it leaves it.
    pub fn next(&mut self) -> Round {
        for package in self.packages.values_mut() {
            package.seen = package.good;
        }
        self.number += 1;
        let changes = (0..=self.random.below(3)).filter_map(|_| self.change()).collect();
        let ask = [Ask::Verb, Ask::Flag, Ask::Signal][self.random.below(3) as usize];
        // Two of three, so that faults meet what earlier ones left, and ordinary cycles too.
        let fault = (self.random.below(3) > 0).then(|| self.fault());
        let delay = Duration::from_millis(self.random.below(5000).into());
        let hand = match self.random.below(8) {
            0 => Some(Hand::Publish),
            1 => Some(Hand::Rollback),
            2 => Some(Hand::Prune),
            3 => Some(Hand::Verify),
            _ => None,
        };
        let meanwhile = self.random.below(2) == 0;
        Round {
            number: self.number,
            changes,
            ask,
            fault: fault.map(|fault| (fault, delay)),
            hand: hand.map(|hand| (hand, meanwhile)),
        }
    }

    /// Each kind comes once before any comes again.
    fn fault(&mut self) -> Fault {
        if self.faults.is_empty() {
            let jump = self.random.below(10_000_000);
            self.faults = self.random.shuffled(vec![
                Fault::DiskFull,
                Fault::InodesFull,
                Fault::ReadOnly,
                Fault::Vanished,
                Fault::KillEmerge,
                Fault::KillSupervisor,
                Fault::KillContainer,
                Fault::ClockJumps(jump),
                Fault::StoppedReaders,
                Fault::FlagStorm,
            ]);
        }
        let mut fault = self.faults.pop().unwrap_or(Fault::KillContainer);
        if fault == Fault::KillSupervisor && self.deaths == DEATHS {
            fault = Fault::KillContainer;
        }
        match fault {
            Fault::KillSupervisor => self.deaths += 1,
            Fault::KillContainer | Fault::ClockJumps(_) => self.deaths = 0,
            _ => {}
        }
        fault
    }

    fn change(&mut self) -> Option<Change> {
        let names: Vec<String> = self.packages.keys().filter(|name| *name != "o1").cloned().collect();
        let name = names[self.random.below(u32::try_from(names.len()).unwrap_or(1)) as usize].clone();
        let kind = self.random.below(12);
        if kind == 0 && names.len() < 8 {
            let name = format!("s{}", names.len() + 1);
            self.packages.insert(name.clone(), Package { version: 1, good: 1, seen: 0, flag: false });
            return Some(Change::Add(name));
        }
        let package = self.packages.get_mut(&name)?;
        match kind {
            0..=4 => {
                package.version += 1;
                package.good = package.version;
                Some(Change::Bump(name))
            }
            5 | 6 if !package.is_broken() => {
                package.version += 1;
                // Below a version that fails, nothing that came in the same round is built.
                package.good = package.seen;
                self.s1_failed |= name == "s1";
                Some(Change::Break(name))
            }
            5..=8 if package.is_broken() => {
                package.good = package.version;
                Some(Change::Repair(name))
            }
            9 => {
                package.flag = !package.flag;
                Some(Change::Use(name))
            }
            10 => {
                self.overlay = !self.overlay;
                Some(if self.overlay { Change::OverlayBack } else { Change::OverlayGone })
            }
            // With neither a source nor a clone there is nothing to expect of it.
            11 if self.overlay => Some(Change::CloneLost),
            _ => None,
        }
    }
}

#[test]
fn the_seed_decides_all() {
    let rounds = |seed| {
        let mut plan = Plan::new(Random::of(seed));
        (0..200).map(|_| plan.next().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(rounds(7), rounds(7));
    assert_ne!(rounds(7), rounds(8));
    let all = rounds(7).concat();
    for word in ["DiskFull", "Vanished", "Rollback", "OverlayGone", "Repair", "Add", "meanwhile"] {
        assert!(all.contains(word), "{word} never comes");
    }
}
