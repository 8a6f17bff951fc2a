//! Builders for tests: a container, its volume, and what it says about itself.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each scenario uses what it needs of it")]

mod builder;
mod checks;
mod client;
mod costs;
mod docker;
mod home;
mod pages;
mod random;
mod recipe;
mod settled;
mod slot;
mod watch;

pub use builder::Builder;
pub use checks::{Idle, Packages};
pub use client::Client;
pub use docker::{Ran, catch, command, docker, feed, host_wait, image, remove};
pub use home::{Home, KEY};
pub use random::Random;
pub use recipe::{Recipe, Volume};
pub use slot::Slot;
pub use watch::PATIENCE;

/// The volume in the container.
pub const VOLUME: &str = "/var/lib/gbsup";

/// The packages of the test repository that take about a second each.
pub const QUICK: &[&str] = &["test-quick/t1", "test-quick/t2", "test-quick/t3", "test-quick/t4"];
