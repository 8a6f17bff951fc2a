//! Whether a binary package is whole.
//!
//! A gpkg is an uncompressed tar with one directory level: `PF-N/gpkg-1` (empty), `metadata.tar*`,
//! `image.tar*`, perhaps their `.sig`, and `Manifest` with a line `DATA name size HASH hex ...` for
//! each of them (GLEP 78, `portage/gpkg.py:_verify_binpkg`).
//!
//! [`check`] looks at structure and sizes, which is what a killed write damages, and skips the rest.
//! [`verify`] reads every byte, and finds what a disk or a person changed as well. [`Reading::judge`] finds also
//! what somebody changed who knows how a package is made.

mod bounds;
pub mod digests;
pub mod image;
mod members;
mod reading;
pub(crate) mod sign;
pub(crate) mod signed;
#[cfg(test)]
mod tests;

pub use members::{Damage, check, names};
pub use reading::{Reading, Sound, read, verify};
