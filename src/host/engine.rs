//! What this container may do, looked up for [`crate::decide::engine`].

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{AccessFlags, access, geteuid};
use tracing::debug;

use crate::decide::engine::{self, Rights};
use crate::model::failure::Failure;

/// Where every build writes, whatever the configuration of Portage says.
const WRITTEN: &[&str] = &["/run", "/tmp", "/usr", "/var/db/pkg", "/var/lib/portage", "/var/tmp"];
/// As many open files as any build needs.
const OPEN_FILES: u64 = 65_536;

/// What is missing for a builder; `more` is written to as well.
pub(crate) fn look(more: Option<&Path>) -> Option<Failure> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let status = read("status");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let is_read_only = |place: &&Path| access(*place, AccessFlags::W_OK) == Err(Errno::EROFS);
    let places = WRITTEN.iter().map(Path::new).chain(more);
    engine::check(&Rights {
        user: geteuid().as_raw(),
        // What is not known is not missed.
        capabilities: effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(u64::MAX),
        maps: [read("uid_map"), read("gid_map")],
        read_only: places.filter(is_read_only).map(|place| place.display().to_string()).collect(),
    })
}

/// Lowers the limit of open files for everything that is started from here. Engines may set it to a thousand million, and programs that
/// close whatever they might have inherited take minutes for that.
pub(crate) fn bound_open_files() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft > OPEN_FILES
        && let Err(problem) = setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, hard)
    {
        debug!("the limit of open files stays at {soft}: {problem}");
    }
}
