//! What Portage keeps in files, and what it reads from them: packages, indexes, records, logs, settings.

pub(crate) mod attention;
pub(crate) mod binpkg;
pub mod built;
pub mod capture;
pub(crate) mod ccache;
pub mod durations;
pub(crate) mod elf;
pub mod gpkg;
pub mod index;
pub(crate) mod leftovers;
pub(crate) mod live;
pub mod log;
pub(crate) mod log_end;
pub mod log_name;
pub(crate) mod make_conf;
pub(crate) mod makeopts;
pub(crate) mod masquerade;
pub(crate) mod renamed;
pub mod repository;
pub mod settings;
pub(crate) mod shlex;
pub(crate) mod signatures;
pub(crate) mod unusable;
pub mod vdb;
pub(crate) mod world;
pub mod xpak;
