//! What clients can be offered: of every package and slot one build that is whole, that has all it needs at run
//! time among the others, and whose libraries are there.
//!
//! Of each slot there are candidates: the build that is installed first, since the rest of the system was built
//! against it, then the highest version, of one version the newest build. All begin with their first one. Whatever
//! is not complete gives way to its next candidate, or, without another one, is held back, which may leave
//! others incomplete; and so on until nothing changes. All are judged by what was offered at the beginning of a
//! round, so the order in which they stand decides nothing.
//!
//! What is proof that a package would not work: a dependency that nothing offers (of which those with `:=` are
//! bound to the sub-slot they were built against), and a soname that it needs and nothing offers. What is none,
//! and is not used: that something it was built with is newer than it is, or has another sub-slot now. What
//! was needed to build it a client does not need, and what was linked into it is in it for good ([`Linked`] tells of it).

mod beside;
mod fate;
mod instance;
mod linked;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::iter;

use instance::{Instance, Slot, implicit};

use crate::model::offer::{Broken, Held, NEEDS, NOT_OFFERED, Why};
use crate::portage::files::index::{Index, Package};
use crate::portage::files::vdb::{Installed, Soname, SonameRef};
use crate::portage::names::atom::{Atom, Candidate, Provided};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::exclude;
use crate::portage::names::version;

pub use beside::{Beside, Wanted};
pub use fate::{Fate, Fates};
pub use linked::{Linked, outdated};

/// What an audit goes by.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What there is.
    pub index: &'a Index,
    /// What is wrong with its files, by path, in words that follow the path.
    pub damaged: &'a BTreeMap<String, String>,
    /// What was wrong with builds that are set aside, by package, in words that follow its name.
    pub lost: &'a BTreeMap<Cpv, String>,
    /// What is installed on the builder. Where nothing is, it is not known what is wanted, and everything is.
    pub installed: &'a [Installed],
    /// What clients have anyway.
    pub provided: &'a [Provided],
    /// What clients want with other USE flags.
    pub wanted: &'a [Wanted],
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// What is offered, as places in the index, in its order.
    pub offered: Vec<usize>,
    /// What is wanted beside it.
    pub beside: Vec<Beside>,
    /// What is installed and not offered in any version.
    pub held: Vec<Held>,
    /// What of that is installed could be put right by a build from source.
    pub rebuild: Vec<Broken>,
    /// What is offered, and was built with another version of a library than the one that is.
    pub linked: Vec<Linked>,
    /// What becomes of each build, in the order of the index.
    pub fates: Vec<Fate>,
}

/// Of what is broken, what is to be built from source: not what was built so already and is as it was, nor what
/// only lacks a package that fails or is left out anyway, as one of the atoms `failing` says.
pub(crate) fn to_rebuild(broken: &[Broken], tried: &[Broken], failing: &[String]) -> Vec<Broken> {
    let name = |atom: &str| Some(exclude::exclude_atom(atom)?.split(':').next()?.to_owned());
    let fails = |atom: &str| {
        let lacking = name(atom);
        let is_it = |failing: &String| {
            name(failing)
                .zip(lacking.as_ref())
                .is_some_and(|(failing, cp)| exclude::excludes(&failing, cp, ""))
        };
        failing.iter().any(is_it)
    };
    let helps =
        |broken: &&Broken| !tried.iter().any(|tried| tried.is(broken)) && !broken.lacks().is_some_and(fails);
    broken.iter().filter(helps).cloned().collect()
}

/// Audits.
#[must_use]
pub fn audit(facts: Facts) -> Audit {
    let implicit = implicit(&facts.index.header);
    let mut choice = Choice::new(facts, &implicit);
    choice.settle();
    choice.take_back();
    choice.report()
}

/// What is wrong with a build: why it is not offered.
type Wrong = (Why, String);

/// The choice on its way.
struct Choice<'a> {
    facts: Facts<'a>,
    /// In the order of the index.
    all: Vec<Instance<'a>>,
    /// In the order of their first builds in the index.
    slots: Vec<Slot<'a>>,
    /// What is installed, was damaged, and has no build any more; and what was wrong with it.
    lost: Vec<(&'a Installed, &'a str)>,
    /// The first and the last of the slots of a `category/package`, each of which leads to the next one.
    by_cp: HashMap<&'a str, (usize, usize)>,
    /// Every soname that any build or installed package ever provided, and by how many it is offered.
    offered: HashMap<SonameRef<'a>, usize>,
    /// The same without the versions, by architecture.
    families: HashSet<(&'a str, &'a str)>,
}

impl<'a> Choice<'a> {
    fn new(facts: Facts<'a>, implicit: &'a BTreeSet<String>) -> Self {
        let all: Vec<Instance> =
            facts.index.packages.iter().map(|package| Instance::new(package, implicit)).collect();
        let installed: HashMap<(&str, &str), &Installed> =
            facts.installed.iter().map(|one| ((one.cpv.cp(), one.slot.name.as_str()), one)).collect();
        let mut slots: Vec<Slot> = Vec::with_capacity(all.len());
        let mut places = HashMap::with_capacity(all.len());
        let mut by_cp: HashMap<&str, (usize, usize)> = HashMap::with_capacity(all.len());
        for (n, instance) in all.iter().enumerate() {
            let key = (instance.package.cpv.cp(), instance.slot().0);
            let place = *places.entry(key).or_insert(slots.len());
            if let Some(slot) = slots.get_mut(place) {
                slot.candidates.push(n);
                continue;
            }
            slots.push(Slot {
                candidates: vec![n],
                at: 0,
                installed: installed.get(&key).copied(),
                next: None,
            });
            match by_cp.entry(key.0) {
                Entry::Occupied(mut ends) => {
                    let (_, last) = ends.get_mut();
                    slots[*last].next = Some(place);
                    *last = place;
                }
                Entry::Vacant(none) => drop(none.insert((place, place))),
            }
        }
        drop(places);
        for slot in &mut slots {
            let is_installed = |package: &Package| {
                slot.installed.is_some_and(|one| {
                    one.cpv == package.cpv && (one.built.is_none() || one.built == package.built())
                })
            };
            slot.candidates.sort_by(|a, b| {
                let (a, b) = (all[*a].package, all[*b].package);
                is_installed(b)
                    .cmp(&is_installed(a))
                    .then_with(|| version::compare(b.cpv.version(), a.cpv.version()))
                    .then_with(|| (b.build_id(), b.built()).cmp(&(a.build_id(), a.built())))
            });
        }
        let mut offered: HashMap<SonameRef, usize> = HashMap::new();
        offered.extend(all.iter().flat_map(Instance::provides).map(|soname| (soname, 0)));
        offered.extend(facts.installed.iter().flat_map(|one| &one.provides).map(|one| (one.by_ref(), 0)));
        // What clients have anyway is as good as offered.
        let anyway = facts.installed.iter().filter(|one| facts.provided.iter().any(|p| p.is(&one.cpv)));
        let anyway = anyway.flat_map(|one| &one.provides).map(Soname::by_ref);
        for soname in anyway.chain(slots.iter().flat_map(|slot| all[slot.candidates[0]].provides())) {
            *offered.entry(soname).or_default() += 1;
        }
        let families = offered.keys().map(|soname| (soname.abi, soname.family())).collect();
        let builds = all.iter().filter(|_| !facts.lost.is_empty());
        let there: HashSet<&Cpv> = builds.map(|one| &one.package.cpv).collect();
        let is_lost = |one: &Installed| {
            !there.contains(&one.cpv) && !facts.provided.iter().any(|provided| provided.is(&one.cpv))
        };
        let what = |one: &'a Installed| Some((one, facts.lost.get(&one.cpv)?.as_str()));
        let lost = facts.installed.iter().filter(|one| is_lost(one)).filter_map(what).collect();
        Self { facts, all, slots, lost, by_cp, offered, families }
    }

    /// Gives way until everything that is offered is right.
    fn settle(&mut self) {
        let mut users = None;
        let mut doubtful: BTreeSet<usize> = (0..self.slots.len()).collect();
        while !doubtful.is_empty() {
            let is_wrong = |slot: &usize| {
                let chosen = self.slots[*slot].chosen()?;
                self.wrong(chosen).map(|_| (*slot, chosen))
            };
            let wrong: Vec<(usize, usize)> = doubtful.iter().filter_map(is_wrong).collect();
            doubtful.clear();
            if wrong.is_empty() {
                break;
            }
            let users = users.get_or_insert_with(|| self.users());
            for (slot, old) in wrong {
                self.slots[slot].at += 1;
                let new = self.slots[slot].chosen();
                for soname in self.all[old].provides() {
                    if let Some(count) = self.offered.get_mut(&soname) {
                        *count -= 1;
                    }
                }
                for soname in new.iter().flat_map(|new| self.all[*new].provides()) {
                    *self.offered.entry(soname).or_default() += 1;
                }
                doubtful.insert(slot);
                doubtful.extend(users.of(&self.all[old]));
            }
        }
    }

    /// Takes what was held back because of something that gave way itself later: more of what is offered
    /// makes nothing wrong.
    fn take_back(&mut self) {
        let mut again = true;
        while again {
            again = false;
            for slot in 0..self.slots.len() {
                if self.slots[slot].chosen().is_some() {
                    continue;
                }
                let candidates = &self.slots[slot].candidates;
                let Some(at) = candidates.iter().position(|n| self.wrong(*n).is_none()) else { continue };
                for soname in self.all[candidates[at]].provides() {
                    *self.offered.entry(soname).or_default() += 1;
                }
                self.slots[slot].at = at;
                again = true;
            }
        }
    }

    /// Which slots have builds that may need another one.
    fn users(&self) -> Users<'a> {
        let mut users = Users { by_cp: HashMap::new(), by_soname: HashMap::new() };
        for (place, slot) in self.slots.iter().enumerate() {
            for instance in slot.candidates.iter().map(|n| &self.all[*n]) {
                for need in instance.needs().iter().flatten() {
                    need.for_each(&mut |atom| {
                        users.by_cp.entry(atom.cp()).or_default().insert(place);
                    });
                }
                for soname in instance.requires() {
                    users.by_soname.entry(soname).or_default().insert(place);
                }
            }
        }
        users
    }

    /// The slots of a `category/package`.
    fn slots_of(&self, cp: &str) -> impl Iterator<Item = &Slot<'a>> {
        let first = self.by_cp.get(cp).map(|(first, _)| &self.slots[*first]);
        iter::successors(first, |slot| slot.next.map(|next| &self.slots[next]))
    }

    /// Whether what is offered, or what clients have anyway, is what an atom means.
    fn is_offered(&self, atom: &Atom, by: &Instance) -> bool {
        let mut chosen = self.slots_of(atom.cp()).filter_map(Slot::chosen);
        self.facts.provided.iter().any(|provided| provided.satisfies(atom))
            || by.is_meant(atom, by)
            || chosen.any(|n| self.all[n].is_meant(atom, by))
    }

    /// What is wrong with a build, by what is offered now.
    fn wrong(&self, n: usize) -> Option<Wrong> {
        let instance = &self.all[n];
        let damaged = self.facts.damaged;
        if !damaged.is_empty()
            && let Some(what) = damaged.get(&*instance.package.path())
        {
            return Some((Why::File, what.clone()));
        }
        let needs = match instance.needs() {
            Ok(needs) => needs,
            Err(problem) => {
                return Some((
                    Why::Missing(problem.clone()),
                    format!("has dependencies that nobody can read: {problem}"),
                ));
            }
        };
        let is_there = |atom: &Atom| self.is_offered(atom, instance);
        if let Some(atom) = needs.iter().find_map(|need| need.missing(&is_there)) {
            return Some(match self.held_for(atom, instance) {
                Some(held) => (Why::Needs(held.clone()), format!("needs {held}, which is held back")),
                None => (Why::Missing(atom.to_string()), format!("{NEEDS}{atom}{NOT_OFFERED}")),
            });
        }
        // What no package ever provided belongs to the base of the system, or is not needed in earnest.
        let is_missing = |soname: &SonameRef| match self.offered.get(soname) {
            Some(count) => *count == 0,
            None => self.families.contains(&(soname.abi, soname.family())),
        };
        let missing: Vec<SonameRef> = instance.requires().filter(is_missing).collect();
        if missing.is_empty() {
            return None;
        }
        let own: HashSet<SonameRef> = instance.provides().collect();
        // The least of them, in whatever order they stand.
        missing.into_iter().filter(|soname| !own.contains(soname)).min().map(|soname| {
            (Why::Soname(soname.name.to_owned()), format!("links to {}, which nothing offers", soname.name))
        })
    }

    /// The package that is held back and would be what an atom means.
    fn held_for(&self, atom: &Atom, by: &Instance) -> Option<&'a Cpv> {
        let mut held = self.slots_of(atom.cp()).filter(|slot| slot.chosen().is_none());
        let held = held.find(|slot| slot.candidates.iter().any(|n| self.all[*n].is_meant(atom, by)));
        let lost = || {
            let mut lost = self.lost.iter().map(|(one, _)| *one);
            lost.find(|one| atom.means_build(&one.cpv, (&one.slot.name, &one.slot.sub)))
        };
        match held {
            Some(held) => Some(&self.all[held.candidates[0]].package.cpv),
            None => lost().map(|one| &one.cpv),
        }
    }

    /// Whether there is any build of what is installed, or another version of it for its slot.
    fn has_slot(&self, one: &Installed) -> bool {
        let mut names = self.slots_of(one.cpv.cp()).map(|slot| self.all[slot.candidates[0]].slot().0);
        names.any(|name| name == one.slot.name)
    }

    /// What was installed once and is no more is nobody's loss.
    fn is_wanted(&self, slot: &Slot) -> bool {
        slot.installed.is_some() || self.facts.installed.is_empty()
    }

    fn report(&self) -> Audit {
        let mut offered: Vec<usize> = self.slots.iter().filter_map(Slot::chosen).collect();
        offered.sort_unstable();
        let (mut held, mut rebuild) = (Vec::new(), Vec::new());
        for slot in self.slots.iter().filter(|slot| self.is_wanted(slot)) {
            let first = slot.candidates[0];
            if slot.chosen() == Some(first) {
                continue;
            }
            let Some((why, what)) = self.wrong(first) else { continue };
            let package = self.all[first].package;
            if let Some(installed) = slot.installed {
                rebuild.extend(self.cure(installed, package, &why, &what));
            }
            if slot.chosen().is_none() {
                held.push(Held { cpv: package.cpv.clone(), slot: package.slot().0.to_owned(), why, what });
            }
        }
        for (one, what) in &self.lost {
            let (cpv, slot, what) = (one.cpv.clone(), one.slot.name.clone(), (*what).to_owned());
            if !self.has_slot(one) {
                held.push(Held { cpv: cpv.clone(), slot: slot.clone(), why: Why::File, what: what.clone() });
            }
            rebuild.push(Broken { package: cpv, slot, what, needed_by: Vec::new() });
        }
        let linked = linked::linked(&self.all, &self.slots);
        let could_be = |build| self.wrong(build).is_none();
        let beside = beside::beside(self.facts.wanted, &self.slots, &self.all, could_be);
        let mut fates = self.fates();
        for build in beside.iter().filter_map(|beside| beside.build) {
            fates[build] = Fate::Offered;
        }
        Audit { offered, beside, held, rebuild: together(rebuild), linked, fates }
    }

    /// The fate of each build, in the order of the index.
    fn fates(&self) -> Vec<Fate> {
        let mut fates = vec![Fate::Unwanted; self.all.len()];
        for slot in &self.slots {
            let others = match slot.chosen() {
                Some(_) => Fate::Replaced,
                None if self.is_wanted(slot) => Fate::Held,
                None => Fate::Unwanted,
            };
            for &n in &slot.candidates {
                fates[n] = if slot.chosen() == Some(n) { Fate::Offered } else { others };
            }
        }
        fates
    }

    /// What to build from source so that a package is right again: another one that is installed and of which
    /// there is no binary package, or itself, since its ebuild may need something else by now.
    fn cure(&self, installed: &Installed, package: &Package, why: &Why, what: &str) -> Option<Broken> {
        let lacks = |one: &&Installed| !self.all.iter().any(|other| other.package.cpv == one.cpv);
        let broken = |one: &Installed, what: String, needed_by: Vec<Cpv>| {
            Some(Broken { package: one.cpv.clone(), slot: one.slot.name.clone(), what, needed_by })
        };
        let mut others = self.facts.installed.iter().filter(lacks);
        let provider = match why {
            Why::Needs(_) | Why::Licence => return None,
            Why::File => None,
            Why::Missing(text) => {
                let atom = Atom::parse(text).ok();
                others.find(|one| {
                    atom.as_ref()
                        .is_some_and(|atom| atom.means_build(&one.cpv, (&one.slot.name, &one.slot.sub)))
                })
            }
            Why::Soname(name) => others.find(|one| one.provides.iter().any(|soname| soname.name == *name)),
        };
        match provider {
            // That is said of itself.
            Some(one) if self.lost.iter().any(|(lost, _)| lost.cpv == one.cpv) => None,
            Some(one) => broken(one, "has no binary package".to_owned(), vec![package.cpv.clone()]),
            None if installed.cpv == package.cpv => broken(installed, what.to_owned(), Vec::new()),
            None => None,
        }
    }
}

/// Each trouble once, with all that suffer from it.
fn together(mut all: Vec<Broken>) -> Vec<Broken> {
    all.sort_unstable();
    let mut once: Vec<Broken> = Vec::new();
    for broken in all {
        match once.last_mut().filter(|last| last.is(&broken)) {
            Some(last) => last.needed_by.extend(broken.needed_by),
            None => once.push(broken),
        }
    }
    for broken in &mut once {
        broken.needed_by.dedup();
    }
    once
}

/// Which slots have builds that name a package or a soname.
struct Users<'a> {
    by_cp: HashMap<&'a str, BTreeSet<usize>>,
    by_soname: HashMap<SonameRef<'a>, BTreeSet<usize>>,
}

impl<'a> Users<'a> {
    /// The slots that may need this build.
    fn of<'u>(&'u self, instance: &'u Instance<'a>) -> impl Iterator<Item = usize> {
        let by_cp = self.by_cp.get(instance.package.cpv.cp()).into_iter();
        let by_soname = instance.provides().filter_map(|soname| self.by_soname.get(&soname));
        by_cp.chain(by_soname).flatten().copied()
    }
}

#[cfg(test)]
mod tests;
