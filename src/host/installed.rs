//! Looks at what is installed, and keeps what it was like when a cycle was done. What follows from that is
//! decided in [`major`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::places::{INSTALLED, names, two_deep};
use crate::beneath::digested;
use crate::decide::rebuilds;
use crate::model::rebuilds::{Directories, Settled, Stale};
use crate::portage::files::vdb::{self, Installed};
use crate::portage::names::atom::Provided;
use crate::portage::names::cpv::Cpv;
use crate::volume;

/// Where Perl looks for modules, below `/usr/lib`, `/usr/lib64` and the like: in directories there that are
/// named after its version (`perl-functions.eclass`).
const MODULES: &[&str] = &["perl5", "perl5/vendor_perl", "perl5/site_perl"];

/// Where Portage notes the libraries that it keeps for what still links to them
/// (`portage/util/_dyn_libs/PreservedLibsRegistry.py`). It is its lock as well, and empty until something is noted.
const PRESERVED: &str = "/var/lib/portage/preserved_libs_registry";

/// What Portage is told that the system has without it (portage(5)).
const PROVIDED: &str = "/etc/portage/profile/package.provided";

/// What clients have anyway: what is configured, and what the builder has without Portage, since its configuration is
/// that of its clients.
pub(crate) fn provided(configured: &[Provided]) -> Vec<Provided> {
    let place = Path::new(PROVIDED);
    let files = if place.is_dir() {
        names(place).into_iter().map(|name| place.join(name)).collect()
    } else {
        vec![place.to_owned()]
    };
    let texts: Vec<String> = files.iter().map(|file| text(file)).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let named = lines.map(|line| line.split('#').next().unwrap_or_default());
    configured.iter().cloned().chain(named.filter_map(Provided::parse)).collect()
}

/// Every installed package, in the order of their names.
pub(crate) fn packages() -> Vec<Installed> {
    let root = Path::new(INSTALLED);
    let mut entries = two_deep(root);
    entries.sort();
    let read = |entry: PathBuf| {
        let cpv = Cpv::parse(entry.to_str()?.as_bytes())?;
        Installed::read(cpv, |name| text(&root.join(&entry).join(name)))
    };
    entries.into_iter().filter_map(read).collect()
}

/// The installed versions of one package, `category/name`.
pub(crate) fn versions(package: &str) -> Vec<Cpv> {
    let Some((category, _)) = package.split_once('/') else { return Vec::new() };
    let names = names(&Path::new(INSTALLED).join(category));
    let all = names.iter().filter_map(|name| Cpv::parse(format!("{category}/{name}").as_bytes()));
    all.filter(|cpv| cpv.cp() == package).collect()
}

/// Whether Portage may keep libraries for what still links to them: no where it has noted nothing.
pub(crate) fn may_preserve() -> bool {
    match digested(Path::new(PRESERVED)) {
        Ok(text) => !matches!(text.trim_ascii(), b"" | b"{}"),
        Err(problem) => problem.kind() != io::ErrorKind::NotFound,
    }
}

/// What of it has to be rebuilt.
pub(crate) fn stale(installed: &[Installed]) -> Vec<Stale> {
    rebuilds::stale(installed, &modules(installed), &directories(installed))
}

/// The directories named after versions of all that depends on something without a slot, and of what that is.
fn directories(installed: &[Installed]) -> Directories {
    let needed: BTreeSet<&str> =
        installed.iter().flat_map(|package| &package.plain).map(String::as_str).collect();
    let counts = |package: &&Installed| !package.plain.is_empty() || needed.contains(package.cpv.cp());
    let of = |package: &Installed| {
        let contents = text(&Path::new(INSTALLED).join(package.cpv.as_str()).join("CONTENTS"));
        (package.cpv.clone(), vdb::versioned(&contents))
    };
    installed.iter().filter(counts).map(of).filter(|(_, found)| !found.is_empty()).collect()
}

/// The packages with modules of a Perl that is not installed, and where they are. Lists of files are read
/// only when there are such directories at all.
fn modules(installed: &[Installed]) -> BTreeMap<Cpv, String> {
    let directories = rebuilds::of_another_perl(module_directories(), installed);
    if directories.is_empty() {
        return BTreeMap::new();
    }
    let owned = |package: &Installed| {
        let contents = text(&Path::new(INSTALLED).join(package.cpv.as_str()).join("CONTENTS"));
        let directory = directories.iter().find(|directory| vdb::owns_below(&contents, directory))?;
        Some((package.cpv.clone(), directory.clone()))
    };
    installed.iter().filter_map(owned).collect()
}

/// Every directory in one of [`MODULES`], whatever its name.
fn module_directories() -> Vec<String> {
    let usr = Path::new("/usr");
    // CONTENTS has the path without symbolic links.
    let real = |path: &PathBuf| path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let libraries = names(usr).into_iter().filter(|name| name.starts_with("lib"));
    let libraries = libraries.map(|name| usr.join(name)).filter(real);
    let parents = libraries.flat_map(|library| MODULES.iter().map(move |modules| library.join(modules)));
    let found = parents.flat_map(|parent| names(&parent).into_iter().map(move |name| parent.join(name)));
    found.filter(real).map(|path| path.display().to_string()).collect()
}

fn text(file: &Path) -> String {
    fs::read(file).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// How the system was when a cycle was last done. None on a fresh volume; what cannot be read is none
/// either, and then nothing is known to have changed.
pub(crate) fn settled(volume: &Path) -> Option<Settled> {
    serde_json::from_slice(&fs::read(file(volume)).ok()?).ok()
}

/// Keeps how the system is now.
pub(crate) fn keep(path: &Path, settled: &Settled) -> io::Result<()> {
    volume::replace(&file(path), settled)
}

fn file(volume: &Path) -> PathBuf {
    volume.join("state/installed.json")
}
