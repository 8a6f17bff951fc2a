//! `[ccache]`: what compilers have compiled before.

use toml::Value;
use toml::de::DeValue;

use super::values::{self, Read, Shown, expected};

/// A cache that is smaller holds next to nothing, and to ccache nothing at all means without bounds.
const LEAST: u64 = 1 << 20;

/// `ccache.size`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheSize {
    /// There is no cache.
    #[default]
    None,
    /// That many bytes; at least 1 MiB.
    Bytes(u64),
}

impl CacheSize {
    /// How many bytes the cache may take, if there is to be one.
    pub(crate) fn bytes(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

impl Shown for CacheSize {
    fn shown(&self) -> Value {
        match self {
            Self::None => "none".into(),
            Self::Bytes(bytes) => Some(*bytes).shown(),
        }
    }
}

/// `ccache.size`
pub(super) fn size(value: &DeValue) -> Read<CacheSize> {
    const WHAT: &str = "\"none\" or a size of at least 1 MiB such as \"5 GiB\"";
    match value {
        DeValue::String(text) if text == "none" => Ok(CacheSize::None),
        _ => match values::size(value) {
            Ok(Some(bytes)) if bytes >= LEAST => Ok(CacheSize::Bytes(bytes)),
            _ => expected(WHAT, value),
        },
    }
}
