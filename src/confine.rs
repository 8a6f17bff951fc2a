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

/// What the kernel holds it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing but the releases can be opened, and no connection be made.
    Fully,
    /// As far as this kernel, which is an older one, knows how.
    Partly,
    /// The kernel has no landlock: only the rights of its user hold it.
    ByUserOnly,
}

/// Gives up everything but reading below `directory`. Before any thread is started, since it is for this one and
/// those that it starts.
///
/// # Errors
/// When something could have been given up and was not: then nobody must be answered.
pub fn confine(directory: impl AsFd, files: u64) -> io::Result<Held> {
    give_up(Some(directory.as_fd()), files)
}

/// Gives up even that, for a process that is handed what it needs.
///
/// # Errors
/// As for [`confine()`].
pub(crate) fn alone(files: u64) -> io::Result<Held> {
    give_up(None, files)
}

fn give_up(directory: Option<BorrowedFd>, files: u64) -> io::Result<Held> {
    limit(files)?;
    if geteuid().is_root() {
        drop_root()?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    // Neither is its memory read through /proc by others of its user, nor written to a file when it dies.
    nix::sys::prctl::set_dumpable(false)?;
    restrict(directory).map_err(io::Error::other)
}

/// Takes the user and the group of the server, for good.
fn drop_root() -> io::Result<()> {
    setgroups(&[])?;
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

/// Has the kernel refuse everything that it can refuse, but for reading files and directories below this one.
///
/// # Errors
/// When the kernel has landlock and does not let it be used.
pub fn landlock(directory: impl AsFd) -> Result<Held, RulesetError> {
    restrict(Some(directory.as_fd()))
}

fn restrict(directory: Option<BorrowedFd>) -> Result<Held, RulesetError> {
    let abi = ABI::V6;
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    let ruleset = match directory {
        Some(directory) => ruleset.add_rule(PathBeneath::new(directory, read))?,
        None => ruleset,
    };
    let status = ruleset.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Held::Fully,
        RulesetStatus::PartiallyEnforced => Held::Partly,
        RulesetStatus::NotEnforced => Held::ByUserOnly,
    })
}
