//! What the server gives up before it answers anybody, and others that work on what strangers wrote. Whoever took the server over
//! could read what it hands out anyway, and nothing else.

pub(crate) mod filter;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

/// Its user and its group, where it has the choice: nobody else's, and in no list of users.
pub(crate) const USER: u32 = 65_533;
/// The same for what works on what strangers wrote.
pub(crate) const STRANGER: u32 = 65_532;

/// The same for what asks other builders.
pub(crate) const ASKER: u32 = 65_531;

/// The same for what stands between the builder and its helpers.
pub(crate) const RELAY: u32 = 65_530;

/// What names are looked up by, and by whom servers are vouched for; a path that is not there is left out.
const OF_THE_NETWORK: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki/tls",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];
/// Where names are asked for what does not fit into a datagram.
const DNS: u16 = 53;
/// Bytes of memory that whoever asks may have, and descriptors: a connection to each builder, and what looks up names.
const ASKER_MEMORY: u64 = 2 << 30;
const ASKER_FILES: u64 = 512;

/// What that may have: bytes of memory, seconds of processor time, bytes of a file, descriptors, and processes and threads.
const BOUNDS: [(Resource, u64); 5] = [
    (Resource::RLIMIT_AS, 4 << 30),
    (Resource::RLIMIT_CPU, 1200),
    (Resource::RLIMIT_FSIZE, 64 << 20),
    (Resource::RLIMIT_NOFILE, 1024),
    (Resource::RLIMIT_NPROC, 512),
];

/// The group that Portage lets read its build logs, and nobody else (acct-group/portage).
const PORTAGE: u32 = 250;

/// What the kernel holds it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing but the releases, and the logs and sources where they are served, can be opened, and no connection be made.
    Fully,
    /// As far as this kernel, which is an older one, knows how.
    Partly,
    /// The kernel has no landlock: only the rights of its user hold it.
    ByUserOnly,
}

/// Gives up everything but reading below `releases`, and below each of `lent`, directories of Portage's, for which it takes the
/// group that may read them. Before any thread is started, since it is for this one and those that it starts.
///
/// # Errors
/// When something could have been given up and was not: then nobody must be answered.
pub fn confine(releases: impl AsFd, lent: &[BorrowedFd<'_>], files: u64) -> io::Result<Held> {
    give_up(Some(releases.as_fd()), lent, files)
}

/// Gives up even that, for a process that is handed what it needs.
///
/// # Errors
/// As for [`confine()`].
pub(crate) fn alone(files: u64) -> io::Result<Held> {
    give_up(None, &[], files)
}

/// Whether the kernel can keep a process from changing files that its groups may change, cutting them short among that (Linux 6.2).
/// Only then may the server have Portage's group.
#[must_use]
pub fn holds_files() -> bool {
    let whole = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    whole.handle_access(AccessFs::from_all(ABI::V3)).and_then(Ruleset::create).is_ok()
}

fn give_up(releases: Option<BorrowedFd<'_>>, lent: &[BorrowedFd<'_>], files: u64) -> io::Result<Held> {
    limit(files)?;
    if geteuid().is_root() {
        let groups: &[Gid] = if lent.is_empty() { &[] } else { &[Gid::from_raw(PORTAGE)] };
        drop_root(USER, groups)?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    // Neither is its memory read through /proc by others of its user, nor written to a file when it dies.
    nix::sys::prctl::set_dumpable(false)?;
    let places: Vec<_> = releases.into_iter().chain(lent.iter().copied()).collect();
    restrict(&places).map_err(io::Error::other)
}

/// Gives up everything but this system and these repositories, to read and to start, and a directory of its own, to write: for a program
/// that works on what strangers wrote. What is not there is left out.
///
/// # Errors
/// When something could have been given up and was not: then the program must not be started.
pub(crate) fn within(reads: &[PathBuf], works_in: &Path) -> io::Result<Held> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    for (what, most) in BOUNDS {
        let (_, may) = getrlimit(what)?;
        setrlimit(what, most.min(may), most.min(may))?;
    }
    if geteuid().is_root() {
        drop_root(STRANGER, &[])?;
    }
    // Where the engine allows it: most do not, and the rest holds without it.
    let apart = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    let _not_allowed = unshare(apart);
    nix::sys::prctl::set_no_new_privs()?;
    restrict_to(reads, works_in).map_err(io::Error::other)
}

/// Gives up everything but connections to these ports, and reading what names and certificates are looked up in; `besides` are files or
/// directories of further certificates. For a process that asks others.
///
/// # Errors
/// As for [`confine()`].
pub fn asks(ports: &[u16], besides: &[PathBuf]) -> io::Result<Held> {
    limit(ASKER_FILES)?;
    let (_, may) = getrlimit(Resource::RLIMIT_AS)?;
    setrlimit(Resource::RLIMIT_AS, ASKER_MEMORY.min(may), ASKER_MEMORY.min(may))?;
    if geteuid().is_root() {
        drop_root(ASKER, &[])?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    nix::sys::prctl::set_dumpable(false)?;
    connecting_to(ports, besides).map_err(io::Error::other)
}

/// Gives up every file, and every right but to listen and to connect. For a process that hands on what others say.
///
/// # Errors
/// As for [`confine()`].
pub(crate) fn relays(files: u64) -> io::Result<Held> {
    limit(files)?;
    if geteuid().is_root() {
        drop_root(RELAY, &[])?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    nix::sys::prctl::set_dumpable(false)?;
    let no_files = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let no_files = no_files.handle_access(AccessFs::from_all(LANDLOCK)).and_then(Ruleset::create);
    no_files.and_then(enforce).map_err(io::Error::other)
}

fn connecting_to(ports: &[u16], besides: &[PathBuf]) -> Result<Held, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut ruleset = ruleset()?;
    for path in OF_THE_NETWORK.iter().map(Path::new).chain(besides.iter().map(PathBuf::as_path)) {
        let Ok(meta) = std::fs::metadata(path) else { continue };
        let access = if meta.is_dir() { read } else { read & AccessFs::from_file(LANDLOCK) };
        let Ok(path) = PathFd::new(path) else { continue };
        ruleset = ruleset.add_rule(PathBeneath::new(path, access))?;
    }
    for port in ports.iter().copied().chain([DNS]) {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    enforce(ruleset)
}

fn restrict_to(reads: &[PathBuf], works_in: &Path) -> Result<Held, RulesetError> {
    let all = AccessFs::from_all(LANDLOCK);
    let run = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let work = all & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let mut ruleset = ruleset()?;
    for path in reads {
        let Ok(meta) = std::fs::metadata(path) else { continue };
        let access = if meta.is_dir() {
            run
        } else if meta.is_file() {
            run & AccessFs::from_file(LANDLOCK)
        } else {
            AccessFs::ReadFile | AccessFs::WriteFile
        };
        let Ok(path) = PathFd::new(path) else { continue };
        ruleset = ruleset.add_rule(PathBeneath::new(path, access))?;
    }
    if let Ok(path) = PathFd::new(works_in) {
        ruleset = ruleset.add_rule(PathBeneath::new(path, work))?;
    }
    enforce(ruleset)
}

/// Takes this user and the group of the same number, and these groups besides, for good.
fn drop_root(user: u32, groups: &[Gid]) -> io::Result<()> {
    setgroups(groups)?;
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    Ok(())
}

/// No core files, and no more descriptors than are needed.
fn limit(files: u64) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let files = files.min(most);
    setrlimit(Resource::RLIMIT_NOFILE, files, files)?;
    Ok(())
}

/// Has the kernel refuse everything that it can refuse, but for reading files and directories below these.
///
/// # Errors
/// When the kernel has landlock and does not let it be used.
pub fn landlock(places: &[BorrowedFd<'_>]) -> Result<Held, RulesetError> {
    restrict(places)
}

/// What this program knows of landlock; an older kernel holds it to what it knows itself.
const LANDLOCK: ABI = ABI::V6;

fn restrict(places: &[BorrowedFd<'_>]) -> Result<Held, RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut ruleset = ruleset()?;
    for place in places {
        ruleset = ruleset.add_rule(PathBeneath::new(place, read))?;
    }
    enforce(ruleset)
}

/// Refuses everything.
fn ruleset() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()
}

fn enforce(ruleset: RulesetCreated) -> Result<Held, RulesetError> {
    Ok(match ruleset.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Held::Fully,
        RulesetStatus::PartiallyEnforced => Held::Partly,
        RulesetStatus::NotEnforced => Held::ByUserOnly,
    })
}
