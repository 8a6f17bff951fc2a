//! What the server gives up before it answers anybody. Whoever took it over could read what it hands out anyway, and
//! nothing else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

/// Its user and its group, where it has the choice: nobody else's, and in no list of users.
pub(crate) const USER: u32 = 65_533;

/// The group of the build logs, which Portage lets nobody else read (acct-group/portage).
const LOGS: u32 = 250;

/// What the kernel holds it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing but the releases, and the logs where they are served, can be opened, and no connection be made.
    Fully,
    /// As far as this kernel, which is an older one, knows how.
    Partly,
    /// The kernel has no landlock: only the rights of its user hold it.
    ByUserOnly,
}

/// Gives up everything but reading below `releases`, and below each of `logs`, for which it takes the group that may read
/// them. Before any thread is started, since it is for this one and those that it starts.
///
/// # Errors
/// When something could have been given up and was not: then nobody must be answered.
pub fn confine(releases: impl AsFd, logs: &[BorrowedFd<'_>], files: u64) -> io::Result<Held> {
    give_up(Some(releases.as_fd()), logs, files)
}

/// Gives up even that, for a process that is handed what it needs.
///
/// # Errors
/// As for [`confine()`].
pub(crate) fn alone(files: u64) -> io::Result<Held> {
    give_up(None, &[], files)
}

/// Whether the kernel can keep a process from changing files that its groups may change, cutting them short among that (Linux 6.2).
/// Only then may the server have the group of the logs.
#[must_use]
pub fn holds_files() -> bool {
    let whole = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    whole.handle_access(AccessFs::from_all(ABI::V3)).and_then(Ruleset::create).is_ok()
}

fn give_up(releases: Option<BorrowedFd<'_>>, logs: &[BorrowedFd<'_>], files: u64) -> io::Result<Held> {
    limit(files)?;
    if geteuid().is_root() {
        let groups: &[Gid] = if logs.is_empty() { &[] } else { &[Gid::from_raw(LOGS)] };
        drop_root(groups)?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    // Neither is its memory read through /proc by others of its user, nor written to a file when it dies.
    nix::sys::prctl::set_dumpable(false)?;
    let places: Vec<_> = releases.into_iter().chain(logs.iter().copied()).collect();
    restrict(&places).map_err(io::Error::other)
}

/// Takes the user and the group of the server, and these groups besides, for good.
fn drop_root(groups: &[Gid]) -> io::Result<()> {
    setgroups(groups)?;
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
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

fn restrict(places: &[BorrowedFd<'_>]) -> Result<Held, RulesetError> {
    let abi = ABI::V6;
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    for place in places {
        ruleset = ruleset.add_rule(PathBeneath::new(place, read))?;
    }
    let status = ruleset.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Held::Fully,
        RulesetStatus::PartiallyEnforced => Held::Partly,
        RulesetStatus::NotEnforced => Held::ByUserOnly,
    })
}
