//! Other machines compile for this one: icecream or distcc, with a process of ours on either side of the network between.
//!
//! ```text
//!   builder: icecc ──► iceccd --no-remote ──► icecc-scheduler   on loopback alone, with its control port
//!              │                                   ▲
//!              │ 127.0.1.N                         │ 127.0.1.N
//!              └───────────► gbsup: relay ─────────┘
//!                              │        ▲ port 8765
//!   - - - - - - - - - - - - - -│- - - - │- - - - - - - - - - - - network
//!   helper:                    │      gbsup: helper
//!                              ▼        ▲
//!                              iceccd ──┘
//! ```
//!
//! To the scheduler each helper is an address of the builder's loopback, and so is where it sends the compiler. That way nobody but the relay
//! listens on the network, what a helper may say is known, and a helper that no longer answers is taken out at once, with
//! every connection that waits for it: icecream itself waits twelve minutes. On the helper's side the load that its daemon tells is put right, which
//! is the whole machine's.
//!
//! With distcc there is no scheduler, and compilers connect to the addresses on loopback by themselves. The helper's side tells the relay that it is
//! there, and where its daemon takes files; the relay compares its compilers with those here (`crate::distcc::probe`) before it listens for it.

mod jobs;
mod probe;
mod relay;
mod role;

use std::time::Duration;

use crate::config::Engine;

pub(crate) use relay::run as relay;
pub(crate) use role::run as helper;

/// Where helpers come to.
pub(crate) const PORT: u16 = 8765;
/// Where the scheduler listens, on loopback; its control port is the next one.
pub(crate) const SCHEDULER: u16 = 8767;
/// Where the daemon of a helper of distcc takes files.
const DISTCCD: u16 = 3632;
/// How a helper of distcc and a relay speak with each other.
const VERSION: u32 = 1;
/// What a relay answers to a helper of distcc that may stay: this and [`VERSION`], as a line.
const READY: &str = "gbsup distcc ";
/// What it answers to one that may not: this and why, as a line.
const REFUSED: &str = "gbsup refuses ";
/// How long a relay says nothing to a helper of distcc at most: then an empty line.
const BEAT: Duration = Duration::from_secs(15);

/// What a helper is told to help with.
#[must_use]
pub(crate) fn engine(said: Option<&str>) -> Option<Engine> {
    match said {
        None | Some("" | "none" | "icecream") => Some(Engine::Icecream),
        Some("distcc") => Some(Engine::Distcc),
        Some(_) => None,
    }
}
