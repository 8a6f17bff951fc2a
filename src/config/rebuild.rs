//! `[rebuild]`: what follows a build.

use serde::Serialize;
use toml::de::DeValue;

use super::values::{self, Read};

/// `[rebuild]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rebuild {
    /// When a package is built anew because of a library that it links to.
    pub linked: Linked,
    /// What to run before anything else is rebuilt, in order.
    pub commands: Vec<FollowUp>,
}

/// `rebuild.linked`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linked {
    /// When the soname or the sub-slot of the library changes, as Portage has it.
    #[default]
    Abi,
    /// Whenever there is another version of the library.
    Version,
}

/// A command of `rebuild.commands`. It is left out when its program is not installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FollowUp {
    /// Only when this cycle merged this package (`category/name`); `None`: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The program and its arguments; never empty.
    pub run: Vec<String>,
}

impl Default for Rebuild {
    fn default() -> Self {
        // The binpkgs of Perl modules without a slot operator fit any perl as far as Portage knows:
        // with --usepkg the old ones would come back.
        let perl = ["perl-cleaner", "--all", "--", "--usepkg=n", "--buildpkg=y", "--quiet-build=y"];
        Self {
            linked: Linked::Abi,
            commands: vec![FollowUp {
                when: Some("dev-lang/perl".into()),
                run: perl.map(String::from).to_vec(),
            }],
        }
    }
}

pub(super) fn linked(value: &DeValue) -> Read<Linked> {
    values::choice(value, &[("abi", Linked::Abi), ("version", Linked::Version)])
}
