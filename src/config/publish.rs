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
