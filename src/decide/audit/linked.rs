//! What was built before a library that it links to was replaced by another version.
//!
//! That is no fault: the library promises with its soname that what was linked to another version goes on working,
//! and Portage goes by that and by sub-slots, as the rest of the audit does. Still some of the other version may be in a package for good:
//! inlined functions of a header, symbols that were not there yet. So it is told, and those who want it so have it built
//! anew (`rebuild.linked`).

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::instance::{Instance, Slot};
use crate::model::offer::Broken;
use crate::portage::files::vdb::{Installed, SonameRef};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::depend;

/// A package that is offered, and a library that it links to and names in DEPEND.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Linked {
    /// The package.
    pub package: Cpv,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// What is offered of the library.
    pub library: Cpv,
    /// What it was built with.
    pub built_with: Cpv,
}

/// `app-misc/hello-2 links to dev-libs/popt-1.19, and was built with dev-libs/popt-1.18`
impl fmt::Display for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.what())
    }
}

impl Linked {
    fn what(&self) -> String {
        format!("links to {}, and was built with {}", self.library, self.built_with)
    }
}

/// Those that are installed as they are offered, as something that a build from source puts right. The same version built
/// again replaces nothing, so what links to it in turn is not among them afterwards.
#[must_use]
pub fn outdated(linked: &[Linked], installed: &[Installed]) -> Vec<Broken> {
    let is_here = |linked: &&Linked| {
        installed.iter().any(|one| one.cpv == linked.package && one.slot.name == linked.slot)
    };
    let mut broken: Vec<Broken> = Vec::new();
    for one in linked.iter().filter(is_here) {
        // Once, however many libraries it is about.
        if broken.last().is_none_or(|last| (&last.package, &last.slot) != (&one.package, &one.slot)) {
            broken.push(Broken {
                package: one.package.clone(),
                slot: one.slot.clone(),
                what: one.what(),
                needed_by: Vec::new(),
            });
        }
    }
    broken
}

/// Looks for them among the builds that are offered. Sorted.
pub(super) fn linked(all: &[Instance], slots: &[Slot]) -> Vec<Linked> {
    let mut providers: HashMap<SonameRef, Vec<&Slot>> = HashMap::new();
    // Of which there is another version.
    for slot in slots.iter().filter(|slot| slot.candidates.len() > 1) {
        for soname in slot.chosen().iter().flat_map(|n| all[*n].provides()) {
            providers.entry(soname).or_default().push(slot);
        }
    }
    let mut found = Vec::new();
    let users = slots.iter().filter(|_| !providers.is_empty());
    for user in users.filter_map(Slot::chosen).map(|n| &all[n]) {
        let libraries = user.requires().filter_map(|soname| providers.get(&soname)).flatten();
        for (slot, library) in libraries.filter_map(|slot| Some((slot, &all[slot.chosen()?]))) {
            let Some(before) = built_with(user, slot, all) else { continue };
            let (package, library) = (user.package, library.package);
            if before.package.cpv.version() != library.cpv.version() && names(user, library.cpv.cp()) {
                found.push(Linked {
                    package: package.cpv.clone(),
                    slot: package.slot().0.to_owned(),
                    library: library.cpv.clone(),
                    built_with: before.package.cpv.clone(),
                });
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The build of a library that was there when a package was built: the newest one of its slot by then, since what a package
/// is built with is merged before. `None` when there was none, or its binary package is gone: then nobody knows, and nothing is
/// claimed. (One that was built and never merged, or an older one merged again from its binary package, deceives this. Then one
/// package is told or built anew without need, once.)
fn built_with<'i, 'a>(user: &Instance, slot: &Slot, all: &'i [Instance<'a>]) -> Option<&'i Instance<'a>> {
    let built = user.package.built()?;
    let builds = slot.candidates.iter().map(|n| &all[*n]);
    let before = builds.filter(|one| one.package.built().is_some_and(|at| at <= built));
    before.max_by_key(|one| (one.package.built(), one.package.build_id()))
}

/// Whether a package names another one among what it is built with. What comes in through a virtual or through another
/// library is not named, and not what its build looks at, as a rule.
fn names(user: &Instance, cp: &str) -> bool {
    let Ok(needs) = depend::parse(user.package.get("DEPEND"), |flag| user.has(flag)) else { return false };
    let mut named = false;
    for need in &needs {
        need.for_each(&mut |atom| named |= !atom.blocks() && atom.cp() == cp);
    }
    named
}
