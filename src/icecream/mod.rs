//! What icecream 1.4 says on the wire and in the log of its scheduler: bytes and text in, values out.
//!
//! Sources: `services/comm.cpp` and `scheduler/scheduler.cpp` of icecream.

pub mod log;
pub mod wire;
