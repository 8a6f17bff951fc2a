//! PID 1: starts the supervisor, passes signals to it, reaps every orphan, and never exits by accident.
//!
//! ```text
//!                      died                 cleared, 1 s 2 s 4 s .. 60 s
//!     ┌──────────┐ ───────────> ┌──────────┐ ───────────> ┌─────────┐
//!     │ running  │              │ clearing │              │ waiting │
//!     └──────────┘ <──────┐     └──────────┘ ─────┐       └─────────┘
//!      │ TERM, INT        │              fifth in │            │
//!      v                  │           ten minutes v            │ start
//!     ┌──────────┐        │             ┌──────────┐           │
//!     │ stopping │        └──────────── │ degraded │           │
//!     └──────────┘        ^  resume,    └──────────┘           │
//!      │ exit, deadline   │  USR2                              │
//!      v                  └────────────────────────────────────┘
//!     sweep, exit
//! ```
//!
//! A supervisor that hangs is killed, and has died then; `watch` knows when that is so.
//!
//! TERM and INT lead from every state to the sweep. It is synchronous, one thread, without polling:
//! `supervise` holds the loop, `command` the other one, in which a command of the user's
//! stands in the supervisor's place. Neither has a panic path, and nothing here allocates while
//! nothing happens.

mod command;
mod common;
mod deaths;
mod degraded;
mod job;
mod pages;
mod say;
mod supervise;
mod sweep;
mod watch;

use std::ffi::OsString;

use say::say;

use crate::procs::Role;
use crate::sys;

/// Wrong usage.
const USAGE: u8 = 2;

/// Runs init with the arguments after the word `init` and returns the exit code.
///
/// No arguments: the supervisor. `-- COMMAND...`: that command in its place.
#[must_use]
pub fn run(args: &[OsString]) -> u8 {
    sys::close_from_3();
    Role::Init.show();
    match args {
        [] => supervise::run(),
        [dashes, program, args @ ..] if dashes == "--" => command::run(program, args),
        _ => {
            say("usage: gbsup init, or gbsup init -- COMMAND [ARGUMENT]...");
            USAGE
        }
    }
}
