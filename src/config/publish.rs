//! `[publish]`: how releases are made.

use serde::{Deserialize, Serialize};
use toml::Value;
use toml::de::DeValue;

use super::values::{self, Read, Shown};

/// `publish.sign_key`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignKey {
    /// The only secret key that is there; the builder makes one where there is none.
    #[default]
    Only,
    /// The one with this fingerprint.
    Exactly(String),
    /// None, on purpose.
    Unsigned,
}

impl Shown for SignKey {
    fn shown(&self) -> Value {
        match self {
            Self::Only => "".into(),
            Self::Exactly(fingerprint) => fingerprint.as_str().into(),
            Self::Unsigned => "none".into(),
        }
    }
}

/// One of `publish.trees`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Every ebuild repository that anybody can sync from where this machine does.
    Public,
    /// The one with this name, wherever it comes from.
    Named(String),
}

impl Shown for Tree {
    fn shown(&self) -> Value {
        match self {
            Self::Public => "public".into(),
            Self::Named(name) => name.as_str().into(),
        }
    }
}

/// `publish.by`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publisher {
    /// The builder, in each cycle.
    #[default]
    Builder,
    /// `gbsup publish --once` in another container.
    Separate,
}

/// A name as repositories have it (PMS 3.1.5).
pub(super) fn tree(value: &DeValue) -> Read<Tree> {
    let word = values::text(value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match word.as_str() {
        "public" => Ok(Tree::Public),
        name if !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) => {
            Ok(Tree::Named(word))
        }
        other => Err(format!("expected \"public\" or the name of an ebuild repository, found {other:?}")),
    }
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
