//! Other machines compile for this one: icecream, with a process of ours on either side of the network between.
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

mod probe;
mod relay;
mod role;

pub(crate) use relay::run as relay;
pub(crate) use role::run as helper;

/// Where helpers come to.
pub(crate) const PORT: u16 = 8765;
/// Where the scheduler listens, on loopback; its control port is the next one.
pub(crate) const SCHEDULER: u16 = 8767;
