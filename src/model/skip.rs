//! Packages that a person keeps out of every cycle, each until another version of it is offered.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::portage::names::cpv::Cpv;

/// A package that is not built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// `category/name` or `category/name:slot`.
    pub package: String,
    /// The version that was offered when it was said.
    pub version: Cpv,
    /// When it was said.
    pub since: Timestamp,
}

/// What a person asks to keep out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToSkip {
    /// `category/name` or `category/name:slot`.
    pub package: String,
    /// The version that Portage would take.
    pub version: Cpv,
}

/// Adds these; what is there already is about the newest version from now on.
pub(crate) fn add(skips: &mut Vec<Skip>, more: &[ToSkip], now: Timestamp) {
    let mut again: HashSet<&str> = HashSet::new();
    // Of two for one package the later one.
    let newest: Vec<&ToSkip> = more.iter().rev().filter(|skip| again.insert(&skip.package)).collect();
    skips.retain(|skip| !again.contains(skip.package.as_str()));
    skips.extend(newest.into_iter().rev().map(|ToSkip { package, version }| Skip {
        package: package.clone(),
        version: version.clone(),
        since: now,
    }));
}

/// Takes out those for which Portage would take another version now, and returns them. `offered` are the
/// versions it would take, by [`Skip::package`]; of what is not in there it takes none.
pub(crate) fn take_changed(skips: &mut Vec<Skip>, offered: &BTreeMap<String, Cpv>) -> Vec<(Skip, Cpv)> {
    let mut changed = Vec::new();
    skips.retain(|skip| match offered.get(&skip.package).filter(|version| **version != skip.version) {
        Some(version) => {
            changed.push((skip.clone(), version.clone()));
            false
        }
        None => true,
    });
    changed
}
