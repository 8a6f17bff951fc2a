//! emerge's status lines, one small function per kind of line.
//!
//! The format is what Portage prints when its output is not a terminal and colour is off
//! (`_emerge/{MergeListItem,PackageMerge,Scheduler,JobStatusDisplay}.py`): whole lines that start
//! with `>>> `.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::die::find;
use crate::portage::names::cpv::Cpv;

/// Something that happened to a package, or to the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The dependencies are resolved; this many packages will be merged. Comes again after
    /// [`Progress::Resuming`].
    Planned {
        /// Packages in the merge list.
        total: u32,
        /// The list itself, in the order of merging.
        list: Vec<Listed>,
    },
    /// Work on a package began: `>>> Emerging (1 of 5) cat/pf::repo`.
    Emerging {
        /// Its place in the order of starting. Starts again at 1 after [`Progress::Resuming`].
        n: u32,
        /// Packages in this pass.
        total: u32,
        /// The package.
        package: Cpv,
        /// Whether it is installed from a binary package.
        binary: bool,
    },
    /// A package is only fetched: `>>> Fetching (1 of 5) cat/pf::repo`.
    Fetching {
        /// As in [`Progress::Emerging`].
        n: u32,
        /// As in [`Progress::Emerging`].
        total: u32,
        /// The package.
        package: Cpv,
    },
    /// Its files are being copied to the system: `>>> Installing (1 of 5) cat/pf::repo`.
    Installing {
        /// As in [`Progress::Emerging`].
        n: u32,
        /// As in [`Progress::Emerging`].
        total: u32,
        /// The package.
        package: Cpv,
    },
    /// Its merge ended: `>>> Completed (1 of 5) cat/pf::repo`. Portage says so of a merge that
    /// failed as well; then [`Progress::Failed`] follows at once.
    Completed {
        /// As in [`Progress::Emerging`].
        n: u32,
        /// As in [`Progress::Emerging`].
        total: u32,
        /// The package.
        package: Cpv,
    },
    /// A package is being removed: `>>> Uninstalling cat/pf::repo`.
    Uninstalling {
        /// The package.
        package: Cpv,
    },
    /// It failed: `>>> Failed to emerge cat/pf, Log file:` and, on the next line, `>>>  '/path'`.
    Failed {
        /// The package.
        package: Cpv,
        /// In which part of its way.
        how: How,
        /// Its build log, when Portage names one.
        log: Option<PathBuf>,
    },
    /// With keep-going, what does not depend on a failed package is resolved again.
    Resuming,
    /// `>>> Jobs: 1 of 5 complete, 1 running, 1 failed, 2 merge wait   Load avg: ...`
    Jobs {
        /// Packages done in this pass.
        complete: u32,
        /// Packages in this pass.
        total: u32,
        /// Being built now.
        running: u32,
        /// Failed in this pass.
        failed: u32,
        /// Built, and waiting to be merged.
        merge_wait: u32,
    },
}

/// A package in the list of what will be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub package: Cpv,
    /// Whether it is installed from a binary package.
    pub binary: bool,
}

/// Where on its way a package failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Fetching or building it.
    Build,
    /// Copying its files to the system.
    Install,
    /// Its files are installed, what it does after that failed.
    Postinst,
    /// It was not tried, with the reason when Portage gave one: `it requires app-misc/x`.
    Dropped(Option<String>),
}

/// What follows `>>> `.
pub(crate) fn status(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b">>> ")
}

/// The status lines about packages that are well, and the count of jobs.
pub(crate) fn progress(text: &[u8]) -> Option<Progress> {
    let space = text.iter().position(|&b| b == b' ')?;
    let rest = &text[space + 1..];
    match &text[..space] {
        b"Emerging" => {
            let (binary, rest) = match rest.strip_prefix(b"binary ") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            counted(rest).map(|(n, total, package)| Progress::Emerging { n, total, package, binary })
        }
        b"Fetching" => counted(rest).map(|(n, total, package)| Progress::Fetching { n, total, package }),
        b"Installing" => counted(rest).map(|(n, total, package)| Progress::Installing { n, total, package }),
        b"Completed" => counted(rest).map(|(n, total, package)| Progress::Completed { n, total, package }),
        b"Uninstalling" => package(rest).map(|package| Progress::Uninstalling { package }),
        b"Jobs:" => jobs(rest),
        _ => None,
    }
}

/// `(1 of 5) cat/pf::repo`
fn counted(text: &[u8]) -> Option<(u32, u32, Cpv)> {
    let text = text.strip_prefix(b"(")?;
    let close = text.iter().position(|&b| b == b')')?;
    let of = find(&text[..close], b" of ")?;
    Some((number(&text[..of])?, number(&text[of + 4..close])?, package(text[close + 1..].trim_ascii())?))
}

/// `cat/pf::repo`, perhaps followed by `to /other/root`.
pub(crate) fn package(text: &[u8]) -> Option<Cpv> {
    let name = text.split(|&b| b == b' ').next()?;
    Cpv::parse(&name[..find(name, b"::").unwrap_or(name.len())])
}

/// ` (cat/pf:slot/sub::repo, binary scheduled for merge)` and what follows it. The name of a binary
/// package carries its build number here: `cat/pf-3:0/0::repo`.
pub(crate) fn package_in_parentheses(text: &[u8]) -> Option<(Cpv, &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"(")?;
    let name = &text[..text.iter().position(|&b| b == b':')?];
    let close = find(text, b" scheduled for merge")?;
    let close = close + text[close..].iter().position(|&b| b == b')')?;
    Some((Cpv::parse_built(name)?, &text[close + 1..]))
}

/// `1 of 5 complete, 1 running, 1 failed, 2 merge wait   Load avg: 1.00, 0.80, 0.50`
fn jobs(text: &[u8]) -> Option<Progress> {
    let text = std::str::from_utf8(text).ok()?;
    let counts = text.split("Load avg").next()?;
    let (complete, counts) = counts.split_once(" of ")?;
    let (total, counts) = counts.split_once(" complete")?;
    let (mut running, mut failed, mut merge_wait) = (0, 0, 0);
    for count in counts.split(',') {
        let Some((n, what)) = count.trim().split_once(' ') else { continue };
        match what {
            "running" => running = n.parse().ok()?,
            "failed" => failed = n.parse().ok()?,
            "merge wait" => merge_wait = n.parse().ok()?,
            _ => {}
        }
    }
    let (complete, total) = (complete.parse().ok()?, total.parse().ok()?);
    Some(Progress::Jobs { complete, total, running, failed, merge_wait })
}

/// `emerge --keep-going: cat/pf dropped because it requires a/b, c/d`
pub(crate) fn dropped(text: &str) -> Option<(Cpv, String)> {
    let (name, why) = text.strip_prefix("emerge --keep-going: ")?.split_once(" dropped because ")?;
    Some((package(name.as_bytes())?, why.to_owned()))
}

/// A path up to the quote that ends the line; the opening one is gone already.
pub(crate) fn quoted_path(text: &[u8]) -> Option<PathBuf> {
    text.strip_suffix(b"'").map(|path| PathBuf::from(OsStr::from_bytes(path)))
}

/// The number between a prefix and the next space.
pub(crate) fn number_after(line: &[u8], prefix: &[u8]) -> Option<u32> {
    let rest = line.strip_prefix(prefix)?;
    number(rest.split(|&b| b == b' ').next()?)
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
