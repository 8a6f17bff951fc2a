//! `[publish]`: how releases are made.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use toml::de::DeValue;

use super::values::{self, Read};
use crate::portage::files::elf::Kernel;
use crate::portage::names::atom::Provided;

/// `[publish]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Publish {
    /// Publish what is good although something is not; otherwise the builder pauses for that.
    pub hold_back: bool,
    /// What clients have anyway, so that it need not be offered.
    pub provided: Vec<Provided>,
    /// How many releases are kept; at least 1. The current one and the one before always are, and what was
    /// current within the last 24 hours.
    pub keep: u32,
    /// Leave out what may not be handed on: RESTRICT with `bindist`, and licences that are not in the group
    /// `BINARY-REDISTRIBUTABLE` of the repositories.
    pub redistributable_only: bool,
    /// The oldest kernel that a client runs; it is told when a package demands a newer one.
    #[serde(serialize_with = "values::serialize_kernel")]
    pub client_kernel: Option<Kernel>,
    /// The GnuPG home with the key that packages are signed with; absolute.
    pub gpg_home: PathBuf,
    /// Which key of it.
    pub sign_key: SignKey,
    /// Who makes releases.
    pub by: Publisher,
}

impl Default for Publish {
    fn default() -> Self {
        Self {
            hold_back: true,
            provided: Vec::new(),
            keep: 5,
            redistributable_only: false,
            client_kernel: None,
            gpg_home: "/var/lib/gbsup-key".into(),
            sign_key: SignKey::Only,
            by: Publisher::Builder,
        }
    }
}

/// `publish.sign_key`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignKey {
    /// The only secret key that is there; without one releases are not signed.
    #[default]
    Only,
    /// The one with this fingerprint.
    Exactly(String),
    /// None, on purpose.
    Unsigned,
}

impl Serialize for SignKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Self::Only => "",
            Self::Exactly(fingerprint) => fingerprint,
            Self::Unsigned => "none",
        })
    }
}

/// `publish.by`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publisher {
    /// The builder, in each cycle.
    #[default]
    Builder,
    /// `gbsup publish --once` in another container.
    Separate,
}

/// A fingerprint in full: anything shorter can belong to several keys.
pub(super) fn sign_key(value: &DeValue) -> Read<SignKey> {
    let word = values::text(value)?;
    match word.as_str() {
        "" => Ok(SignKey::Only),
        "none" => Ok(SignKey::Unsigned),
        digits if digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            Ok(SignKey::Exactly(digits.to_ascii_uppercase()))
        }
        other => Err(format!(
            "expected the 40 hexadecimal digits of a fingerprint, \"\" or \"none\", found {other:?}"
        )),
    }
}

pub(super) fn by(value: &DeValue) -> Read<Publisher> {
    values::choice(value, &[("builder", Publisher::Builder), ("separate", Publisher::Separate)])
}
