//! What clients are offered: the binary packages of PKGDIR, whether they can be trusted, and the releases made of
//! them.

pub(crate) mod aside;
pub mod examine;
pub(crate) mod gpg;
pub(crate) mod licence;
pub(crate) mod offer;
pub(crate) mod origin;
pub mod release;
pub(crate) mod signing;
pub(crate) mod trees;
pub(crate) mod trust;
pub(crate) mod verify;
