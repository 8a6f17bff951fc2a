//! What a client is configured by, as `client.sh capture` prints it: a tar that a stranger may have made.
//!
//! Nothing of it becomes a path, and nothing is believed to be short, before it is read to its end here: names are plain, kinds are
//! files, directories and the one link to a profile, and everything is bounded.

use std::collections::BTreeMap;
use std::io::Read;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tar::{Archive, EntryType};

use crate::portage::names::cpv::Cpv;
use crate::portage::output::facts::Fact;

/// The most bytes of a capture. One of 2000 packages with all that Gentoo configures has about 8 MiB.
pub const LONGEST: u64 = 32 << 20;
/// The most files and directories.
const ENTRIES: usize = 20_000;
/// The most bytes of a file of `/etc/portage`, and of one of the others.
const FILE: u64 = 4 << 20;
const DOCUMENT: u64 = 24 << 20;
/// Directories below each other: as deep as a capture goes, and what that is in.
const DEEPEST: usize = 18;
/// Bytes of the name of a file or a directory, and of all of a path or where a link leads (`NAME_MAX`, a bit less than `PATH_MAX`).
const NAME: usize = 255;
const PATH: usize = 1024;
/// So much of a hostile name is shown.
const SHOWN: usize = 80;

/// What the files at the top of a capture are called.
const MACHINE: &str = "machine.json";
const INSTALLED: &str = "installed.json";
const LEFT_OUT: &str = "left-out";
const WORLD: [&str; 2] = ["world", "world_sets"];
/// What all of `/etc/portage` is below.
const PORTAGE: &str = "portage";
/// The one link, below that.
const PROFILE: &str = "make.profile";
/// What a resolver is told of `/etc/portage`. Everything else names programs (`modules`, `repos.conf`, `sets.conf`), is one, or is none
/// of its business.
const HEEDED: &[&str] = &[
    "categories",
    "env",
    "make.conf",
    PROFILE,
    "package.accept_keywords",
    "package.accept_restrict",
    "package.env",
    "package.keywords",
    "package.license",
    "package.mask",
    "package.properties",
    "package.unmask",
    "package.use",
    "patches",
    "profile",
    "sets",
];
/// What else Portage looks for there by itself. Any other name is looked at where a profile of one's own leads to it, and nowhere else.
const NOT_HEEDED: &[&str] = &[
    "bashrc",
    "binrepos.conf",
    "color.map",
    "gnupg",
    "mirrors",
    "modules",
    "package.bashrc",
    "postsync.d",
    "repo.postsync.d",
    "repos.conf",
    "savedconfig",
    "sets.conf",
];
/// What is a program wherever it is, in a profile of one's own.
const PROGRAMS: &[&str] = &["bashrc", "package.bashrc", "profile.bashrc"];
/// What is kept of an installed package, by the names that Portage's records have (`var/db/pkg`).
const KEPT: &[&str] = &[
    "BDEPEND",
    "BUILD_TIME",
    "DEPEND",
    "EAPI",
    "IDEPEND",
    "IUSE",
    "KEYWORDS",
    "LICENSE",
    "PDEPEND",
    "PROPERTIES",
    "PROVIDES",
    "RDEPEND",
    "REQUIRES",
    "RESTRICT",
    "SLOT",
    "USE",
    "repository",
];
/// The newest format that is understood.
const SCHEMA: u32 = 1;

/// Why something is no capture, or none that is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is not a byte.
    #[error("it is empty: did `sh client.sh capture` end well?")]
    Empty,
    /// The whole is too long.
    #[error("it is longer than {} MiB", LONGEST >> 20)]
    TooLong,
    /// It begins as what this compresses.
    #[error("it is compressed ({0}); hand it on as `sh client.sh capture` prints it")]
    Compressed(&'static str),
    /// The words of whoever reads tars.
    #[error("it is no tar, or was not copied to its end: {0}")]
    NoTar(String),
    /// It has too many entries.
    #[error("it has more than {ENTRIES} files")]
    TooMany,
    /// A name that is no plain one.
    #[error("{0:?} is no name that a capture has")]
    Name(String),
    /// Something at its top that does not belong there.
    #[error(
        "{0:?} is nothing of a capture: it has {PORTAGE}/, world, world_sets, {MACHINE}, {INSTALLED} and {LEFT_OUT}"
    )]
    Foreign(String),
    /// It is neither a file nor a directory.
    #[error("{0:?} is {1}, and a capture has files and directories alone")]
    Kind(String, &'static str),
    /// It is there already.
    #[error("{0:?} is in it twice")]
    Twice(String),
    /// What should be a directory is none.
    #[error("{0:?} is below what is no directory")]
    Below(String),
    /// A file is too large.
    #[error("{0:?} is larger than {1} MiB")]
    TooLarge(String, u64),
    /// The end is missing.
    #[error("it ends in the middle of {0:?}: it was not copied to its end")]
    Cut(String),
    /// A part is not there.
    #[error("it has no {0}: it was not copied to its end, or is not what `sh client.sh capture` prints")]
    Lacks(&'static str),
    /// A part is not understood.
    #[error("{0} is not understood: {1}")]
    Unreadable(&'static str, String),
    /// A part is of a later version.
    #[error("{0} is of a later version of client.sh (its format is {1}); this builder knows {SCHEMA}")]
    Later(&'static str, u32),
}

/// What a client is configured by, and what it is.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// `/etc/portage`, by the paths below it: a directory is before what it holds.
    pub portage: BTreeMap<String, Node>,
    /// `world` and `world_sets` of `/var/lib/portage`, as far as they are there.
    pub world: BTreeMap<&'static str, Vec<u8>>,
    /// What the machine is.
    pub machine: Machine,
    /// What is installed, each with what its record says, by names of [`KEPT`].
    pub installed: BTreeMap<Cpv, BTreeMap<&'static str, String>>,
    /// What was left out, a line each.
    pub left_out: Vec<String>,
}

/// Something below `/etc/portage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A file, and what is in it.
    File(Vec<u8>),
    /// `make.profile`, and where it leads.
    Link(String),
}

/// `machine.json`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    #[serde(default)]
    schema: u32,
    /// What it calls itself.
    #[serde(default)]
    pub name: String,
    /// The version of the script.
    #[serde(default)]
    pub made_by: String,
    /// Its kernel.
    #[serde(default)]
    pub kernel: String,
    /// What its CPU can do, by the names of `/proc/cpuinfo`.
    #[serde(default)]
    pub cpu: Vec<String>,
    /// `REPOSITORY:PATH`, or a path for one of its own.
    #[serde(default)]
    pub profile: String,
    /// The repositories that it syncs from the builder.
    #[serde(default)]
    pub follows: Vec<String>,
    /// What emerge is always told there.
    #[serde(default)]
    pub emerge_default_opts: Vec<String>,
    /// As of the [`fingerprint`](crate::portage::output::facts).
    #[serde(default)]
    pub facts: Vec<Fact>,
}

#[derive(Deserialize)]
struct Installed {
    #[serde(default)]
    schema: u32,
    packages: Vec<BTreeMap<String, String>>,
}

/// Reads a capture to its end.
///
/// # Errors
/// The first thing by which it is none, or none that is taken.
pub fn read(bytes: &[u8]) -> Result<Capture, Refused> {
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }
    if bytes.len() as u64 > LONGEST {
        return Err(Refused::TooLong);
    }
    if let Some((_, name)) = COMPRESSED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Refused::Compressed(name));
    }
    let mut reading = Reading::default();
    let mut archive = Archive::new(bytes);
    let entries = archive.entries().map_err(|error| Refused::NoTar(error.to_string()))?;
    for (number, entry) in entries.enumerate() {
        if number >= ENTRIES {
            return Err(Refused::TooMany);
        }
        let mut entry = entry.map_err(|error| Refused::NoTar(error.to_string()))?;
        let Some(path) = plain(&entry.path_bytes())? else { continue };
        let node = match entry.header().entry_type() {
            EntryType::Directory => Node::Directory,
            EntryType::Regular => {
                let most = if path.contains('/') { FILE } else { DOCUMENT };
                let size = entry.size();
                if size > most {
                    return Err(Refused::TooLarge(path, most >> 20));
                }
                let mut data = Vec::new();
                let read = entry.by_ref().take(most).read_to_end(&mut data);
                if read.is_err() || data.len() as u64 != size {
                    return Err(Refused::Cut(path));
                }
                Node::File(data)
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                Node::Link(link(&path, &target)?)
            }
            other => return Err(Refused::Kind(path, kind(other))),
        };
        reading.take(path, node)?;
    }
    reading.finish()
}

const COMPRESSED: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];

fn kind(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a file with holes",
        _ => "something else",
    }
}

fn shown(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).chars().take(SHOWN).collect();
    text
}

/// A path as it is used: of plain names alone, without `./` in front. Nothing for the top itself.
fn plain(path: &[u8]) -> Result<Option<String>, Refused> {
    let refused = || Refused::Name(shown(path));
    let text = std::str::from_utf8(path).map_err(|_| refused())?;
    let text = text.strip_prefix("./").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() || text == "." {
        // An absolute path has lost its only slash, and is none.
        return if path.starts_with(b"/") || path.is_empty() { Err(refused()) } else { Ok(None) };
    }
    let is_plain = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && name.len() <= NAME
            && !name.contains(char::is_control)
    };
    if text.len() > PATH || text.split('/').count() > DEEPEST || !text.split('/').all(is_plain) {
        return Err(refused());
    }
    Ok(Some(text.to_owned()))
}

/// Where the one link that there may be leads.
fn link(path: &str, target: &[u8]) -> Result<String, Refused> {
    let target = std::str::from_utf8(target).ok();
    let target = target.filter(|text| (1..=PATH).contains(&text.len()) && !text.contains(char::is_control));
    let below = path.strip_prefix(PORTAGE).and_then(|rest| rest.strip_prefix('/'));
    match (below, target) {
        (Some(PROFILE), Some(target)) => Ok(target.to_owned()),
        _ => Err(Refused::Kind(path.to_owned(), kind(EntryType::Symlink))),
    }
}

#[derive(Default)]
struct Reading {
    capture: Capture,
    machine: Option<Machine>,
    installed: bool,
    is_whole: bool,
}

impl Reading {
    fn take(&mut self, path: String, node: Node) -> Result<(), Refused> {
        if let Some(below) = path.strip_prefix(PORTAGE).and_then(|rest| rest.strip_prefix('/')) {
            let is_directory = node == Node::Directory;
            match self.capture.portage.insert(below.to_owned(), node) {
                Some(Node::Directory) if is_directory => {}
                Some(_) => return Err(Refused::Twice(path)),
                None => {}
            }
            return Ok(());
        }
        let data = match node {
            Node::File(data) => data,
            Node::Directory if path == PORTAGE => return Ok(()),
            _ => return Err(Refused::Foreign(path)),
        };
        if let Some(name) = WORLD.into_iter().find(|name| *name == path) {
            let before = self.capture.world.insert(name, data);
            return before.map_or(Ok(()), |_| Err(Refused::Twice(path)));
        }
        let before = match path.as_str() {
            MACHINE => {
                let machine: Machine = document(MACHINE, &data)?;
                known(MACHINE, machine.schema)?;
                self.machine.replace(machine).is_some()
            }
            INSTALLED => {
                let Installed { schema, packages } = document(INSTALLED, &data)?;
                known(INSTALLED, schema)?;
                for package in packages {
                    let (cpv, values) = record(package)?;
                    self.capture.installed.insert(cpv, values);
                }
                std::mem::replace(&mut self.installed, true)
            }
            LEFT_OUT => {
                let text = String::from_utf8_lossy(&data);
                self.capture.left_out = text.lines().map(str::to_owned).collect();
                std::mem::replace(&mut self.is_whole, true)
            }
            _ => return Err(Refused::Foreign(path)),
        };
        if before { Err(Refused::Twice(path)) } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Capture, Refused> {
        let nodes = &self.capture.portage;
        for path in nodes.keys() {
            let above = path.match_indices('/').map(|(at, _)| &path[..at]);
            for above in above {
                if nodes.get(above).is_some_and(|node| *node != Node::Directory) {
                    return Err(Refused::Below(format!("{PORTAGE}/{path}")));
                }
            }
        }
        self.capture.machine = self.machine.ok_or(Refused::Lacks(MACHINE))?;
        if !self.installed {
            return Err(Refused::Lacks(INSTALLED));
        }
        // It is written last.
        if self.is_whole { Ok(self.capture) } else { Err(Refused::Lacks(LEFT_OUT)) }
    }
}

fn document<T: DeserializeOwned>(name: &'static str, data: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(data).map_err(|error| Refused::Unreadable(name, error.to_string()))
}

fn known(name: &'static str, schema: u32) -> Result<(), Refused> {
    if schema > SCHEMA { Err(Refused::Later(name, schema)) } else { Ok(()) }
}

/// An installed package. What its record has besides is none of a resolver's business.
fn record(mut package: BTreeMap<String, String>) -> Result<(Cpv, BTreeMap<&'static str, String>), Refused> {
    let cpv = package.remove("cpv").unwrap_or_default();
    let cpv = Cpv::try_from(cpv)
        .map_err(|error| Refused::Unreadable(INSTALLED, shown(error.to_string().as_bytes())))?;
    let values = KEPT.iter().filter_map(|name| {
        let value = package.get(*name)?;
        Some((*name, value.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    Ok((cpv, values.collect()))
}

impl Capture {
    /// Whether a resolver that works as the client is told of this path below `/etc/portage`.
    #[must_use]
    pub fn heeds(&self, path: &str) -> bool {
        let mut names = path.split('/');
        let Some(first) = names.next() else { return false };
        let own = || self.portage.get(PROFILE) == Some(&Node::Directory) && !NOT_HEEDED.contains(&first);
        (HEEDED.contains(&first) || own()) && names.all(|name| !PROGRAMS.contains(&name))
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
