//! PID 1, in PID namespaces of its own.
//!
//! Each test starts `gbsup` as PID 1 by `unshare` and looks at it from outside. It needs root.

mod binary;
mod command;
mod job;
mod orphans;
mod output;
mod signals;
mod stop;
mod supervise;
mod support;
mod terminal;
mod watch;
