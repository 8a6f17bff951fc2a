//! `[rebuild]`: what follows a build.

use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::slot::Slot;
use super::values;

/// `rebuild.linked`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What runs after a build unless the configuration says otherwise. The binpkgs of Perl modules without a slot operator fit any
/// perl as far as Portage knows: with --usepkg the old ones would come back.
pub(super) fn perl_cleaner() -> Vec<FollowUp> {
    let run = ["perl-cleaner", "--all", "--", "--usepkg=n", "--buildpkg=y", "--quiet-build=y"];
    vec![FollowUp { when: Some("dev-lang/perl".into()), run: run.map(String::from).to_vec() }]
}

impl Slot<'_> {
    /// `rebuild.commands`
    pub(super) fn follow_ups(&mut self, field: &mut Vec<FollowUp>) {
        const WHAT: &str = "expected a list of tables such as { when = \"dev-lang/perl\", run = [\"perl-cleaner\", \"--all\"] }";
        const RUN: &str = "expected a program and its arguments as a list";
        let value = self.value;
        let DeValue::Array(elements) = value.get_ref() else {
            return self.report(&value.span(), WHAT.into());
        };
        let mut commands = Vec::new();
        for element in elements {
            let DeValue::Table(table) = element.get_ref() else {
                self.report(&element.span(), WHAT.into());
                continue;
            };
            let mut command = FollowUp { when: None, run: Vec::new() };
            let mut runs = false;
            for (key, value) in table {
                match (key.get_ref().as_ref(), value.get_ref()) {
                    ("when", value_of) => match values::package(value_of) {
                        Ok(package) => command.when = Some(package),
                        Err(reason) => self.report(&value.span(), format!("when: {reason}")),
                    },
                    ("run", DeValue::Array(words)) if !words.is_empty() => {
                        runs = true;
                        for word in words {
                            match values::word(word.get_ref()) {
                                Ok(word) => command.run.push(word),
                                Err(reason) => self.report(&word.span(), format!("run: {reason}")),
                            }
                        }
                    }
                    ("run", _) => {
                        runs = true;
                        self.report(&value.span(), format!("run: {RUN}"));
                    }
                    (other, _) => {
                        self.report(&key.span(), format!("unknown key {other:?}; there are when and run"));
                    }
                }
            }
            if !runs {
                self.report(&element.span(), format!("run is missing: {RUN}"));
            }
            commands.push(command);
        }
        *field = commands;
    }
}
