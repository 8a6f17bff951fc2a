//! What clients are offered: the binary packages of PKGDIR, whether they can be trusted, and the releases made of
//! them.

pub mod aside;
pub mod examine;
pub mod gpg;
pub mod licence;
pub mod offer;
pub(crate) mod origin;
pub mod release;
pub mod signing;
pub mod trust;
pub mod verify;
