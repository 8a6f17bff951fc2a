//! Knows Portage: its command lines, its output, its logs and its files.
//!
//! Text and values come in, values go out. Nothing here reads a file, starts a process or looks at
//! the clock; the supervisor does that and hands over what it got. What comes from Portage is
//! bytes: a damaged line is skipped, never a reason to fail the rest.

pub mod advice;
pub mod atom;
pub mod attention;
pub mod binpkg;
pub mod buildlog;
pub mod circular;
pub mod command;
pub mod complaints;
pub mod cpv;
pub mod depend;
pub mod die;
pub mod durations;
pub mod elf;
pub mod elog;
pub mod fetch;
pub mod glsa;
pub mod gpg;
pub mod gpkg;
pub mod index;
pub mod leftovers;
pub mod licence;
pub mod live;
pub mod log;
pub mod log_end;
pub mod make_conf;
pub mod makeopts;
mod markers;
pub mod output;
pub mod plan;
pub mod probe;
pub mod problem;
pub mod repository;
pub mod settings;
pub mod shlex;
pub mod signatures;
pub mod signs;
pub mod status;
pub mod sync;
pub mod unusable;
pub mod vdb;
pub mod version;
pub mod world;
pub mod xpak;
