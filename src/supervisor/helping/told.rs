//! What the threads tell.

use crate::model::helpers::Present;

/// What one of them tells.
pub(super) enum Told {
    Present(Present),
    /// By whom, and for which package where that is known.
    Compiled(String, Option<String>),
    /// The same, by where it was compiled.
    CompiledAt(String, Option<String>),
    /// A file could be handed to nobody, for this option.
    Kept(&'static str),
    Cycle(Option<u64>),
    Started(&'static str),
    Ended(&'static str, String),
}
