//! The map of the crate.
//!
//! gbsup is one static binary with three roles: PID 1 ([`init`]), the [`supervisor`] that decides
//! and performs the build loop, and the [`client`] that asks it. What is decided is decided in
//! [`decide`], on the data of [`model`]; what is known about Portage is in [`portage`]; what people read is made in
//! [`render`]. These four do no I/O, and a test keeps it so. What is on the volume is read and written by [`volume`]. What clients are offered is looked into by [`binhost`], and
//! handed out by [`web`].

mod beneath;
pub mod binhost;
mod children;
pub mod cli;
pub mod client;
pub mod config;
pub mod confine;
pub mod decide;
pub mod distcc;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod git;
mod helpers;
mod host;
pub mod icecream;
pub mod init;
mod logging;
pub mod model;
mod peers;
pub mod portage;
mod procs;
pub mod render;
mod requests;
pub mod signals;
mod steps;
pub mod supervisor;
pub mod sys;
pub mod volume;
mod watch;
mod web;
mod words;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
