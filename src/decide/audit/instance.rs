//! The builds of the packages, as the audit looks at them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::portage::files::index::{Block, Package, slot_of};
use crate::portage::files::vdb::{Installed, SonameRef, sonames};
use crate::portage::names::atom::{Atom, Candidate};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::depend::{self, Need};

/// One build of one package: what its index says of it, which is read where somebody asks. Of most builds that is once, and of none of
/// twenty thousand it has to be kept.
pub(crate) struct Instance<'a> {
    pub(crate) package: &'a Package,
    slot: (&'a str, &'a str),
    flags: Words<'a>,
    known: Words<'a>,
    /// Flags that every package knows.
    implicit: &'a BTreeSet<String>,
    /// The dependencies without which a package does not work on a client: RDEPEND, PDEPEND, IDEPEND. DEPEND and BDEPEND are for whoever
    /// builds it.
    at_run_time: [&'a str; 3],
    requires: &'a str,
    provides: &'a str,
}

impl<'a> Instance<'a> {
    pub(super) fn new(package: &'a Package, implicit: &'a BTreeSet<String>) -> Self {
        let [slot, enabled, iuse, requires, provides, at_run_time @ ..] = package
            .block
            .values(["SLOT", "USE", "IUSE", "REQUIRES", "PROVIDES", "RDEPEND", "PDEPEND", "IDEPEND"]);
        let (flags, known) = (Words::new(enabled), Words::new(iuse));
        Self { package, slot: slot_of(slot), flags, known, implicit, at_run_time, requires, provides }
    }

    /// What it needs; what cannot be read of it otherwise.
    pub(super) fn needs(&self) -> Result<Vec<Need<'a>>, String> {
        let mut needs = Vec::new();
        for text in self.at_run_time.into_iter().filter(|text| !text.is_empty()) {
            let more = depend::parse(text, |flag| self.has(flag)).map_err(|problem| problem.to_string())?;
            if needs.is_empty() {
                needs = more;
            } else {
                needs.extend(more);
            }
        }
        Ok(needs)
    }

    /// The libraries that it links to and does not bring.
    pub(super) fn requires(&self) -> impl Iterator<Item = SonameRef<'a>> + use<'a> {
        sonames(self.requires)
    }

    /// The libraries that it brings.
    pub(super) fn provides(&self) -> impl Iterator<Item = SonameRef<'a>> + use<'a> {
        sonames(self.provides)
    }

    /// Whether its ebuild has this flag.
    pub(super) fn knows(&self, flag: &str) -> bool {
        self.known.has(flag)
    }

    /// Whether it has the flags of another one, but for these.
    pub(super) fn is_with(&self, other: &Self, flags: &BTreeMap<String, bool>) -> bool {
        let kept = words(other.flags.text).filter(|flag| !flags.contains_key(*flag));
        let enabled = flags.iter().filter(|(_, enabled)| **enabled).map(|(flag, _)| flag.as_str());
        let mut expected: Vec<&str> = kept.chain(enabled).collect();
        expected.sort_unstable();
        expected == sorted(self.flags.text)
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.has(flag)
    }

    /// Whether this is what an atom of another one means.
    pub(super) fn is_meant(&self, atom: &Atom, by: &Instance) -> bool {
        atom.means(self, |flag| by.has(flag))
    }
}

/// USE or IUSE, whose words may have a sign.
struct Words<'a> {
    text: &'a str,
    sorted: OnceCell<Box<[&'a str]>>,
}

/// As many bytes are searched sooner than words are sorted.
const FEW: usize = 500;

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, sorted: OnceCell::new() }
    }

    fn has(&self, name: &str) -> bool {
        if self.text.len() <= FEW {
            return words(self.text).any(|word| word == name);
        }
        self.sorted.get_or_init(|| sorted(self.text).into()).binary_search(&name).is_ok()
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_start_matches(['+', '-']))
}

fn sorted(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = words(text).collect();
    words.sort_unstable();
    words
}

impl Candidate for Instance<'_> {
    fn cpv(&self) -> &Cpv {
        &self.package.cpv
    }

    fn slot(&self) -> (&str, &str) {
        self.slot
    }

    fn flag(&self, name: &str) -> Option<bool> {
        let is_known = self.knows(name) || self.implicit.contains(name);
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
    /// The place of another slot of the package.
    pub(super) next: Option<usize>,
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_word_is_found_however_many_there_are(names in proptest::collection::vec("[-+]?[a-c]{1,2}", 0..400)) {
            let text = names.join(" ");
            for words in [Words::new(&text), Words::new(&text[..text.len().min(FEW)])] {
                for flag in ["a", "b", "cc", "d", "+a", ""] {
                    let bare = |word: &str| word.trim_start_matches(['+', '-']) == flag;
                    let expected = words.text.split_whitespace().any(bare);
                    proptest::prop_assert_eq!(words.has(flag), expected, "{} {}", flag, words.text);
                }
            }
        }
    }
}
