//! Major updates: what changed since the last cycle that was done, and what is still built against what was
//! there before.
//!
//! Portage rebuilds what depends with `:=` on a package whose sub-slot changed, and what has a flag for a
//! target (`PYTHON_TARGETS` and the like) that changed. What is left is found by looking at what is
//! installed, not at what a cycle did: so it does not matter whether the cycle was cut short, whether
//! somebody updated by hand, or whether an old binary package came back in a container made anew.
//!
//! The proof is of four kinds ([`Proof`]), and each is about the files of the package itself. That
//! a package is older than the Perl it depends on is none: nearly everything that calls a script at build
//! or at run time is, and goes on working.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::rebuilds::{Change, Directories, Proof, Settled, Slots, Stale, Targets};
use crate::model::work::Target;
use crate::model::{Ran, Report};
use crate::portage::command::Versions;
use crate::portage::files::index::Binary;
use crate::portage::files::vdb::{Installed, Slot, Soname, Versioned};
use crate::portage::names::cpv::{Cpv, is_version};
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::problem::Problem;

/// The package whose modules lie in directories that are named after its version.
const PERL: &str = "dev-lang/perl";

/// The slots of what is installed.
pub(crate) fn slots(installed: &[Installed]) -> Slots {
    let mut slots = Slots::new();
    for package in installed {
        let Slot { name, sub } = package.slot.clone();
        slots.entry(package.cpv.cp().to_owned()).or_default().insert(name, sub);
    }
    slots
}

/// What changed; what was installed or removed altogether is no change.
pub(crate) fn changes(before: &Settled, slots: &Slots, targets: &Targets) -> Vec<Change> {
    let mut found = Vec::new();
    for (package, new) in slots {
        let Some(old) = before.slots.get(package) else { continue };
        let only = |these: &BTreeMap<String, String>, others: &BTreeMap<String, String>| {
            these.keys().filter(|slot| !others.contains_key(*slot)).cloned().collect::<Vec<_>>()
        };
        let (fresh, gone) = (only(new, old), only(old, new));
        if !fresh.is_empty() || !gone.is_empty() {
            let kept = new.keys().filter(|slot| old.contains_key(*slot)).cloned().collect();
            found.push(Change::Slots { package: package.clone(), new: fresh, gone, kept });
        }
        for (slot, new) in new {
            if let Some(old) = old.get(slot).filter(|old| *old != new) {
                let (package, slot) = (package.clone(), slot.clone());
                found.push(Change::SubSlot { package, slot, old: old.clone(), new: new.clone() });
            }
        }
    }
    let variables: BTreeSet<_> = before.targets.keys().chain(targets.keys()).collect();
    for variable in variables {
        let none = BTreeSet::new();
        let old = before.targets.get(variable).unwrap_or(&none);
        let new = targets.get(variable).unwrap_or(&none);
        if old != new {
            found.push(Change::Targets {
                variable: variable.clone(),
                new: new.difference(old).cloned().collect(),
                gone: old.difference(new).cloned().collect(),
            });
        }
    }
    found
}

/// Of these directories for modules, which are named after a version of Perl, those of a Perl that is not
/// installed. None while there is no Perl at all.
pub(crate) fn of_another_perl(directories: Vec<String>, installed: &[Installed]) -> Vec<String> {
    let perls: Vec<&Installed> = perls(installed).collect();
    let is_of = |name: &str, perl: &Installed| {
        let version = perl.cpv.version().split("-r").next().unwrap_or_default();
        name == perl.slot.sub
            || version.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let of_another = |directory: &String| {
        let name = directory.rsplit('/').next().unwrap_or_default();
        is_version(name) && !perls.is_empty() && !perls.iter().any(|perl| is_of(name, perl))
    };
    directories.into_iter().filter(of_another).collect()
}

/// Whether a directory's version is that of this package.
fn is_named_after(version: &str, package: &Installed) -> bool {
    let own = package.cpv.version().split("-r").next().unwrap_or_default();
    version == package.slot.sub
        || version == package.slot.name
        || own.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The proof that a package stayed behind at a jump of what it depends on without a slot, as modules of OCaml, Guile, R
/// or GHC do: it has files in a directory of a version that is not installed in any slot, and none where the installed one
/// has its own. What says by a slot or by a flag for a target which versions it is for, Portage rebuilds.
fn left_behind(package: &Installed, installed: &[Installed], directories: &Directories) -> Option<Proof> {
    let mine = directories.get(&package.cpv)?;
    let others = installed.iter().filter(|other| {
        let cp = other.cpv.cp();
        cp != package.cpv.cp() && package.plain.contains(cp)
    });
    for other in others {
        let Some(theirs) = directories.get(&other.cpv) else { continue };
        for now in theirs.iter().filter(|now| is_named_after(&now.version, other)) {
            let here = |all: &BTreeSet<Versioned>, version: &str| {
                all.iter().any(|one| one.place == now.place && one.version == version)
            };
            let is_there = |version: &str| {
                let same = installed.iter().filter(|one| one.cpv.cp() == other.cpv.cp());
                same.into_iter().any(|one| {
                    is_named_after(version, one)
                        || directories.get(&one.cpv).is_some_and(|all| here(all, version))
                })
            };
            if here(mine, &now.version) {
                continue;
            }
            let old = mine.iter().find(|one| {
                let points = |version: &str| version.matches('.').count();
                one.place == now.place
                    && points(&one.version) == points(&now.version)
                    && !is_named_after(&one.version, package)
                    && !is_there(&one.version)
            });
            if let Some(old) = old {
                let (directory, instead) = (old.to_string(), now.to_string());
                return Some(Proof::Directory { directory, of: other.cpv.clone(), instead });
            }
        }
    }
    None
}

fn perls(installed: &[Installed]) -> impl Iterator<Item = &Installed> {
    installed.iter().filter(|package| package.cpv.cp() == PERL)
}

/// What has to be rebuilt, each package once. `modules` are those that own files below a directory that
/// [`of_another_perl`] returned, with that directory.
pub(crate) fn stale(
    installed: &[Installed],
    modules: &BTreeMap<Cpv, String>,
    directories: &Directories,
) -> Vec<Stale> {
    let slots = slots(installed);
    let provided: BTreeSet<&Soname> = installed.iter().flat_map(|package| &package.provides).collect();
    let mut families: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for soname in &provided {
        families.entry((&soname.abi, soname.family())).or_default().push(soname.name.clone());
    }
    let bound = |package: &Installed| {
        package.bound.iter().find_map(|bound| {
            let new = slots.get(&bound.cp)?.get(&bound.slot.name)?;
            let to = format!("{}:{}", bound.cp, bound.slot.name);
            (*new != bound.slot.sub).then(|| Proof::Bound {
                to,
                old: bound.slot.sub.clone(),
                new: new.clone(),
            })
        })
    };
    let outdated = |package: &Installed| {
        let directory = modules.get(&package.cpv)?.clone();
        let perl = perls(installed).last()?.slot.sub.clone();
        Some(Proof::Modules { directory, perl })
    };
    let unprovided = |package: &Installed| {
        package.requires.iter().filter(|soname| !provided.contains(soname)).find_map(|soname| {
            let instead = families.get(&(soname.abi.as_str(), soname.family()))?.clone();
            Some(Proof::Library { soname: soname.name.clone(), instead })
        })
    };
    let judge = |package: &Installed| {
        let proof = bound(package)
            .or_else(|| outdated(package))
            .or_else(|| left_behind(package, installed, directories))
            .or_else(|| unprovided(package))?;
        let (atom, built) = (package.atom(), package.built);
        Some(Stale { package: package.cpv.clone(), atom, built, proof })
    };
    installed.iter().filter_map(judge).collect()
}

/// What a person should know of a follow-up that the resolver refused because of what cannot be had any more, such as
/// perl-cleaner, which asks for all modules in one emerge. It built nothing; what is stale is found and built without
/// that.
pub(crate) fn refused(ran: &Ran) -> Option<String> {
    let gone = |problem: &&Problem| matches!(problem.kind, ProblemKind::Missing | ProblemKind::Masked);
    let atom = ran.evidence.main_problem().filter(|_| ran.is_refused()).filter(gone)?.subject.as_deref()?;
    Some(format!(
        "{} rebuilt nothing, since there is no ebuild of {atom}: that is left out, and what else is built against the old version \
         is rebuilt without it; if nothing needs it, remove it: emerge --ask --depclean {atom}",
        ran.program
    ))
}

/// What is to be rebuilt apart from each other when the resolver refused all of it, since it cannot have what one of them needs; nothing
/// when it did not, or there is only one. `visible` has the version of each atom.
pub(crate) fn apart(report: &Report, atoms: &[String], visible: &Versions) -> Option<Vec<Target>> {
    let Report::Ran(ran) = report else { return None };
    let target = |atom: &String| {
        let (_, slot) = atom.rsplit_once(':')?;
        Some(Target { package: visible.get(atom)?.clone()?, slot: slot.to_owned() })
    };
    (ran.is_refused() && atoms.len() > 1).then(|| atoms.iter().filter_map(target).collect())
}

/// Of what is stale, what is to be rebuilt: not what was `left` by earlier cycles as it is, nor what was
/// `tried` in this one.
pub(crate) fn to_rebuild(stale: Vec<Stale>, left: &[Stale], tried: &[Stale]) -> Vec<Stale> {
    let again = |stale: &Stale| !left.contains(stale) && !tried.iter().any(|tried| tried.is_as(stale));
    stale.into_iter().filter(again).collect()
}

/// Of what is to be rebuilt, that of which there is a binary package of a later build. It may have been built
/// against what is there now, as in a container made anew, and is worth a try unless it was `taken` already.
pub(crate) fn built_since(stale: &[Stale], binaries: &[Binary], taken: &[Stale]) -> Vec<Stale> {
    let later = |stale: &Stale, binary: &Binary| binary.cpv == stale.package && binary.built > stale.built;
    let worth = |stale: &&Stale| !taken.contains(stale) && binaries.iter().any(|binary| later(stale, binary));
    stale.iter().filter(worth).cloned().collect()
}

/// Of what is stale at the end, what a rebuild of this or an earlier cycle did not change. What was not
/// rebuilt at all, because somebody left it out, is none of it.
pub(crate) fn unchanged(stale: Vec<Stale>, left: &[Stale], tried: &[Stale]) -> Vec<Stale> {
    let rebuilt = |stale: &Stale| tried.iter().any(|tried| tried.is_as(stale) && tried.built != stale.built);
    stale.into_iter().filter(|stale| left.contains(stale) || rebuilt(stale)).collect()
}

#[cfg(test)]
#[path = "rebuilds_tests.rs"]
mod tests;
