//! How packages are called, compared and asked for: atoms, versions, dependencies, licences.

pub mod atom;
pub mod cpv;
pub mod depend;
pub mod exclude;
pub mod licence;
pub mod version;
