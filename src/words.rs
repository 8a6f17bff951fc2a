//! Enums whose variants are words. serde knows each word already: it stands in the status, on the volume and in the
//! configuration, and people read the same one. And how a sentence ends that names a part of many.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Error};

/// Shows each variant by serde's word for it.
macro_rules! words {
    ($($kind:ty),+ $(,)?) => {
        $(impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        })+
    };
}
pub(crate) use words;

/// What ends a list that leaves so many out: ` and 3 more`, and nothing for none.
pub(crate) fn and_more(left_out: usize) -> String {
    if left_out > 0 { format!(" and {left_out} more") } else { String::new() }
}

/// The variant of this word.
///
/// # Errors
/// All words that there are.
pub(crate) fn parse<T: DeserializeOwned>(word: &str) -> Result<T, Unknown> {
    T::deserialize(StrDeserializer::new(word))
}

/// The words that there are.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) &'static [&'static str]);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|word| format!("{word:?}")).collect();
        f.write_str(&words.join(" or "))
    }
}

impl std::error::Error for Unknown {}

impl Error for Unknown {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, words: &'static [&'static str]) -> Self {
        Self(words)
    }
}
