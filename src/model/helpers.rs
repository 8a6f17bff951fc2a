//! The machines that compile for this one (`[helpers]`), as the process that stands between them and the builder tells it, a line of JSON for
//! each change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the scheduler calls the builder's own daemon; no helper may be called so.
pub(crate) const BUILDER: &str = "builder";
/// So many helpers at a time.
pub(crate) const MOST: usize = 200;

/// A helper that takes jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helper {
    /// What it calls itself: letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// How many files it compiles at a time.
    pub slots: u32,
    /// Where compilers of this machine find it, as `ADDRESS:PORT`; absent where a scheduler tells them.
    pub gate: Option<String>,
}

/// A helper that is there and is not given everything, or nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it calls itself.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Who is there, and why the last one that went has gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Those that take jobs, by name.
    pub helpers: Vec<Helper>,
    /// A sentence about one that was taken out or let in no further.
    pub lost: Option<String>,
    /// Those that are left out.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// What a helper of distcc says of itself when it comes, as a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    /// Which way of saying this it is: 1.
    pub distcc: u32,
    /// What it calls itself.
    pub name: String,
    /// Where its daemon takes files.
    pub port: u16,
    /// How many at a time.
    pub slots: u32,
}

/// How a helper is told from others: a compiler, and what that makes here of the unit in `crate::distcc::probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probe {
    /// The name by which it is called.
    pub compiler: String,
    /// Whether a helper that has another one is given nothing at all.
    pub needed: bool,
    /// What it made.
    pub object: Vec<u8>,
}

/// What is known of the helpers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Helpers {
    /// Who is there.
    pub present: Present,
    /// How many files each has compiled since the cycle began, the builder under its own name.
    pub compiled: BTreeMap<String, u64>,
    /// The same of each package (`category/name-version`). A file of which it is not known for which package it was is in none of them.
    pub packages: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many files were compiled here since they could be handed to nobody, by the option for which.
    pub kept: BTreeMap<String, u64>,
    /// The cycle that all three are about.
    pub cycle: Option<u64>,
    /// Why nothing can be given to any; absent while all that it takes runs.
    pub down: Option<String>,
}

impl Helpers {
    /// How many files they compile at a time, all together.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.present.helpers.iter().fold(0, |sum, helper| sum.saturating_add(helper.slots))
    }

    /// How many files were compiled by helpers, and how many in all.
    #[must_use]
    pub fn files(&self) -> (u64, u64) {
        let Files { remote, local, .. } = Files::of(&self.compiled);
        (remote, remote + local)
    }

    /// What became of the files of a package in this cycle; nothing when none of them is known.
    #[must_use]
    pub fn of_package(&self, cycle: Option<u64>, package: &str) -> Option<Files> {
        let compiled = self.packages.get(package).filter(|_| cycle.is_some() && cycle == self.cycle)?;
        Some(Files::of(compiled))
    }
}

/// What became of the files of a package, or of a whole cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Files that helpers have compiled.
    pub remote: u64,
    /// Files that were compiled here although they could have been given to one.
    pub local: u64,
    /// How many helpers have compiled any.
    pub helpers: u64,
}

impl Files {
    /// Counts, by the names of those who have compiled them.
    pub(crate) fn of(compiled: &BTreeMap<String, u64>) -> Self {
        let mut files = Self::default();
        for (name, count) in compiled {
            if name == BUILDER {
                files.local += count;
            } else {
                files.remote += count;
                files.helpers += 1;
            }
        }
        files
    }

    /// `212 of 240 files on 3 helpers`
    pub(crate) fn in_words(self) -> String {
        let plural = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let all = plural(self.remote.saturating_add(self.local), "file");
        match self.helpers {
            0 => format!("{all}, none on a helper"),
            helpers => format!("{} of {all} on {}", self.remote, plural(helpers, "helper")),
        }
    }

    /// `212 of 240`
    pub(crate) fn share(self) -> String {
        format!("{} of {}", self.remote, self.remote.saturating_add(self.local))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_who_compiled_them() {
        let compiled =
            |all: &[(&str, u64)]| all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        for (all, words) in [
            (&[(BUILDER, 28), ("h1", 200), ("h2", 12)][..], "212 of 240 files on 2 helpers"),
            (&[("h1", 1)], "1 of 1 file on 1 helper"),
            (&[(BUILDER, 3)], "3 files, none on a helper"),
        ] {
            assert_eq!(Files::of(&compiled(all)).in_words(), words);
        }
        let packages = BTreeMap::from([("a/b-1".to_owned(), compiled(&[(BUILDER, 1), ("h1", 2)]))]);
        let helpers = Helpers { packages, cycle: Some(3), ..Helpers::default() };
        let files = Files { remote: 2, local: 1, helpers: 1 };
        assert_eq!(helpers.of_package(Some(3), "a/b-1"), Some(files));
        assert_eq!(files.share(), "2 of 3");
        for (cycle, package) in [(Some(4), "a/b-1"), (None, "a/b-1"), (Some(3), "a/b-2")] {
            assert_eq!(helpers.of_package(cycle, package), None, "{cycle:?} {package}");
        }
    }
}
