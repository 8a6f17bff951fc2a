//! What Portage keeps in files, and what it reads from them: packages, indexes, records, logs, settings.

pub mod attention;
pub mod binpkg;
pub mod durations;
pub mod elf;
pub mod gpkg;
pub mod index;
pub mod leftovers;
pub mod live;
pub mod log;
pub mod log_end;
pub mod make_conf;
pub mod makeopts;
pub mod repository;
pub mod settings;
pub mod shlex;
pub mod signatures;
pub mod unusable;
pub mod vdb;
pub mod world;
pub mod xpak;
