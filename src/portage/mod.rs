//! Knows Portage: its command lines, its output, its logs and its files.
//!
//! Text and values come in, values go out. Nothing here reads a file, starts a process or looks at
//! the clock; the supervisor does that and hands over what it got. What comes from Portage is
//! bytes: a damaged line is skipped, never a reason to fail the rest.

pub(crate) mod command;
pub mod files;
pub mod names;
pub mod output;
