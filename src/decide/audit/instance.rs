//! The builds of the packages, as the audit looks at them.

use std::collections::{BTreeMap, BTreeSet};

use crate::portage::files::index::{Block, Package};
use crate::portage::files::vdb::{Installed, SonameRef, sonames};
use crate::portage::names::atom::{Atom, Candidate};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::depend::{self, Need};

/// The dependencies without which a package does not work on a client. DEPEND and BDEPEND are for
/// whoever builds it.
const AT_RUN_TIME: [&str; 3] = ["RDEPEND", "PDEPEND", "IDEPEND"];

/// One build of one package.
pub(crate) struct Instance<'a> {
    pub(crate) package: &'a Package,
    slot: (&'a str, &'a str),
    /// Both are sorted.
    flags: Vec<&'a str>,
    known: Vec<&'a str>,
    /// Flags that every package knows.
    implicit: &'a BTreeSet<String>,
    /// What it needs; what cannot be read of it otherwise.
    pub(crate) needs: Result<Vec<Need>, String>,
    /// Both are sorted.
    pub(crate) requires: Vec<SonameRef<'a>>,
    pub(crate) provides: Vec<SonameRef<'a>>,
}

impl<'a> Instance<'a> {
    pub(super) fn new(package: &'a Package, implicit: &'a BTreeSet<String>) -> Self {
        let [enabled, iuse, requires, provides] =
            package.block.values(["USE", "IUSE", "REQUIRES", "PROVIDES"]);
        let words = |text: &'a str| {
            let words = text.split_whitespace();
            let mut words: Vec<&str> = words.map(|word| word.trim_start_matches(['+', '-'])).collect();
            words.sort_unstable();
            words
        };
        let (flags, known) = (words(enabled), words(iuse));
        let has = |flag: &str| flags.binary_search(&flag).is_ok();
        let mut needs = Ok(Vec::new());
        for text in package.block.values(AT_RUN_TIME) {
            match (&mut needs, depend::parse(text, has)) {
                (Ok(all), Ok(more)) => all.extend(more),
                (Ok(_), Err(problem)) => needs = Err(problem.to_string()),
                (Err(_), _) => {}
            }
        }
        let slot = package.slot();
        let (requires, provides) = (sonames(requires), sonames(provides));
        Self { package, slot, flags, known, implicit, needs, requires, provides }
    }

    /// Whether its ebuild has this flag.
    pub(super) fn knows(&self, flag: &str) -> bool {
        self.known.binary_search(&flag).is_ok()
    }

    /// Whether it has the flags of another one, but for these.
    pub(super) fn is_with(&self, other: &Self, flags: &BTreeMap<String, bool>) -> bool {
        let kept = other.flags.iter().copied().filter(|flag| !flags.contains_key(*flag));
        let enabled = flags.iter().filter(|(_, enabled)| **enabled).map(|(flag, _)| flag.as_str());
        let mut expected: Vec<&str> = kept.chain(enabled).collect();
        expected.sort_unstable();
        expected == self.flags
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.binary_search(&flag).is_ok()
    }

    /// Whether this is what an atom of another one means.
    pub(super) fn is_meant(&self, atom: &Atom, by: &Instance) -> bool {
        atom.means(self, |flag| by.has(flag))
    }
}

impl Candidate for Instance<'_> {
    fn cpv(&self) -> &Cpv {
        &self.package.cpv
    }

    fn slot(&self) -> (&str, &str) {
        self.slot
    }

    fn flag(&self, name: &str) -> Option<bool> {
        let is_known = self.known.binary_search(&name).is_ok() || self.implicit.contains(name);
        is_known.then(|| self.has(name))
    }
}

/// The builds of one package for one slot.
pub(super) struct Slot<'a> {
    /// Places in the list of all builds, the best first. Never empty.
    pub(super) candidates: Vec<usize>,
    /// Which of them is offered; past the last one: none.
    pub(super) at: usize,
    /// What is installed of it.
    pub(super) installed: Option<&'a Installed>,
}

impl Slot<'_> {
    pub(super) fn chosen(&self) -> Option<usize> {
        self.candidates.get(self.at).copied()
    }
}

/// The flags that every package knows, by the header of an index: those of IUSE_IMPLICIT, and the values of the
/// variables of USE_EXPAND_IMPLICIT (the Package Manager Specification, 11.1.1).
pub(super) fn implicit(header: &Block) -> BTreeSet<String> {
    let words = |key: &str| header.get(key).unwrap_or_default().split_whitespace();
    let unprefixed: Vec<&str> = words("USE_EXPAND_UNPREFIXED").collect();
    let mut flags: BTreeSet<String> = words("IUSE_IMPLICIT").map(str::to_owned).collect();
    for variable in words("USE_EXPAND_IMPLICIT") {
        let prefix = variable.to_lowercase();
        let value = |word: &str| {
            if unprefixed.contains(&variable) { word.to_owned() } else { format!("{prefix}_{word}") }
        };
        flags.extend(words(&format!("USE_EXPAND_VALUES_{variable}")).map(value));
    }
    flags
}
