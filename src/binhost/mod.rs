//! What clients are offered: the binary packages of PKGDIR, and whether they can be trusted.

pub mod verify;
