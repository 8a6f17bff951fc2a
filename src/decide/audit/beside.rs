//! Builds of a package beside the one that is offered, with other USE flags, for clients that want it so.

use std::collections::BTreeMap;

use super::instance::{Instance, Slot};
use crate::portage::names::cpv::Cpv;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `category/name`
    pub package: String,
    /// The flags that are to be other than here; true to enable one.
    pub flags: BTreeMap<String, bool>,
}

/// A build that is wanted beside the common one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The package, as the common build is of it.
    pub package: Cpv,
    /// What is other in it than in that; never empty.
    pub flags: BTreeMap<String, bool>,
    /// Its place in the index; nothing when there is none that could be offered.
    pub build: Option<usize>,
    /// When the common one was built, in seconds since 1970.
    pub common: Option<i64>,
}

impl Beside {
    /// Its flags as they stand in a `package.use` file: `-bar foo`.
    #[must_use]
    pub fn flags(&self) -> String {
        let one = |(flag, enabled): (&String, &bool)| format!("{}{flag}", if *enabled { "" } else { "-" });
        self.flags.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

/// Each once, however many clients want it, of these slots and all builds; `could_be` says which of those could be offered. What a package does
/// not know, or has as it is wanted, is no reason to build it.
pub(super) fn beside(
    wanted: &[Wanted],
    slots: &[Slot],
    all: &[Instance],
    could_be: impl Fn(usize) -> bool,
) -> Vec<Beside> {
    let mut found: Vec<Beside> = Vec::new();
    for wanted in wanted {
        for slot in slots {
            let Some(common) = slot.chosen().map(|chosen| &all[chosen]) else { continue };
            if common.package.cpv.cp() != wanted.package {
                continue;
            }
            let is_other =
                |(flag, enabled): &(&String, &bool)| common.knows(flag) && common.has(flag) != **enabled;
            let flags: BTreeMap<String, bool> = wanted
                .flags
                .iter()
                .filter(is_other)
                .map(|(flag, enabled)| (flag.clone(), *enabled))
                .collect();
            let package = common.package.cpv.clone();
            if flags.is_empty() || found.iter().any(|other| other.package == package && other.flags == flags)
            {
                continue;
            }
            let is_it = |n: &&usize| {
                let other = &all[**n];
                other.package.cpv == package && other.is_with(common, &flags) && could_be(**n)
            };
            let build = slot.candidates.iter().find(is_it).copied();
            found.push(Beside { package, flags, build, common: common.package.built() });
        }
    }
    found
}
