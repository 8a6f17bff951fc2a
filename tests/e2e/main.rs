//! End to end: containers of the pocket Gentoo, with real Portage, real packages and real signals.
//!
//! The image is `gbsup-pocket`, or what `GBSUP_TEST_IMAGE` names. Each test has containers and a
//! volume of its own, so all of them can run at the same time; `GBSUP_TEST_BUILDERS` says how many
//! may build at once (one more than there are CPUs). Without Docker they fail: nothing is skipped.

mod audit;
mod ccache;
mod classes;
mod client;
mod clients;
mod config;
mod crash;
mod cycle;
mod damage;
mod distcc;
mod drift;
mod engine;
mod failure;
mod farm;
mod flags;
mod forecast;
mod gnupg;
mod helpers;
mod kernel;
mod kill;
mod kinds;
mod known;
mod logs;
mod major;
mod notify;
mod orphans;
mod pages;
mod pause;
mod plain;
mod plan;
mod planted;
mod prune;
mod records;
mod release;
mod remedy;
mod room;
mod secrets;
mod serve;
mod setup;
mod shapes;
mod sign;
mod signals;
mod slow;
mod soak;
mod stall;
mod stop;
mod stuck;
mod support;
mod survival;
mod sync;
mod top;
mod trees;
mod verbs;
mod verify;
mod versions;
mod volume;
mod whole;
