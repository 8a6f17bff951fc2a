//! What a build of a package is made from, as digests: two builds of a package with the same digest and the
//! same toolchain end in the same way, as far as anybody can tell beforehand.
//!
//! Sources: ebuild(5) and the Package Manager Specification for what belongs to an ebuild, portage(5) for the
//! settings, `bin/phase-helpers.sh:eapply_user` for the places of user patches.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::places::names;
use crate::beneath::{Beneath, Kind, digested};
use crate::portage::files::gpkg::digests::hex;
use crate::portage::output::plan::{Plan, Planned};

/// Portage's configuration, below the root, like everything here.
const CONFIG: &str = "etc/portage";
/// Settings of that which reach the build of any package. What says which packages are wanted, and in which
/// version, shows in the plan; `package.use` shows in the flags there.
const SETTINGS: &[&str] = &["make.conf", "bashrc", "package.bashrc", "package.env", "env", "profile"];
/// The file of make.conf that says how many jobs a build has with helpers.
pub(crate) const OF_HELPERS: &str = "zz-gbsup-helpers.conf";
/// Portage's cache of what ebuilds say of themselves, by the path of their repository.
const CACHE: &str = "var/cache/edb/dep";
/// How deep the files of a package are looked at. Ebuilds have them in a directory or two.
const DEPTH: usize = 16;
/// Installed packages.
const INSTALLED: &str = "var/db/pkg";
/// What compiles and links, as `category/name`.
const TOOLCHAIN: &[&str] = &[
    "sys-devel/gcc",
    "sys-devel/binutils",
    "sys-libs/glibc",
    "sys-libs/musl",
    "sys-kernel/linux-headers",
    "llvm-core/clang",
    "llvm-core/lld",
];
/// Which of several versions is used (gcc-config, binutils-config).
const CHOSEN: &[&str] = &["etc/env.d/gcc", "etc/env.d/binutils"];

/// Sets [`Planned::inputs`]. `repos` are the places of the repositories, by name.
pub(crate) fn look_up(plan: &mut Plan, repos: &BTreeMap<String, PathBuf>) {
    let root = Path::new("/");
    let settings = settings(root);
    for package in &mut plan.packages {
        if let Some(repo) = repos.get(&package.repo) {
            package.inputs = inputs(package, repo, &settings, root);
        }
    }
}

/// A digest of the settings that reach every build in this container.
pub(crate) fn configuration() -> String {
    settings(Path::new("/"))
}

/// See [`Ran::toolchain`](crate::model::Ran::toolchain).
pub(crate) fn toolchain() -> String {
    tools(Path::new("/"))
}

fn tools(root: &Path) -> String {
    let mut parts = Vec::new();
    for name in TOOLCHAIN {
        let (category, package) = name.split_once('/').unwrap_or((name, ""));
        let directory = root.join(INSTALLED).join(category);
        for version in names(&directory) {
            let number = version.strip_prefix(package).and_then(|rest| rest.strip_prefix('-'));
            if number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit())) {
                parts.push(format!("{category}/{version}"));
            }
        }
    }
    for directory in CHOSEN.iter().map(|directory| root.join(directory)) {
        for file in names(&directory).iter().filter(|name| name.starts_with("config-")) {
            let chosen = digested(&directory.join(file)).unwrap_or_default();
            let chosen = String::from_utf8_lossy(&chosen);
            parts.extend(chosen.lines().find_map(|line| line.strip_prefix("CURRENT=")).map(str::to_owned));
        }
    }
    parts.join(" ")
}

fn inputs(package: &Planned, repo: &Path, settings: &str, root: &Path) -> String {
    // Whoever syncs the repository, mostly the user portage, may have put anything there.
    let place = Beneath::open(repo).ok();
    let cpv = &package.cpv;
    let mut digest = Sums::default();
    digest.text(settings);
    let mut flags = package.flags.clone();
    flags.sort();
    digest.text(&flags.join(" "));
    let directory = Path::new(cpv.cp());
    let text = |path: &Path| place.as_ref().and_then(|place| place.digested(path).ok()).unwrap_or_default();
    digest.bytes(&text(&directory.join(format!("{}.ebuild", cpv.pf()))));
    match &place {
        Some(place) => digest.below(place, &directory.join("files"), DEPTH),
        None => digest.bytes(&[]),
    }
    // The sources; the rest of a Manifest is about the files above and those of other versions.
    for line in lines(&text(&directory.join("Manifest")), "DIST ") {
        digest.text(&line);
    }
    // The eclasses with their digests, from the repository's own cache, and from that of Portage when it found
    // the former out of date.
    let own = text(&Path::new("metadata/md5-cache").join(cpv.as_str()));
    let portages = Beneath::open(&root.join(CACHE).join(repo.strip_prefix("/").unwrap_or(repo)));
    let portages = portages.and_then(|place| place.digested(cpv.as_str())).unwrap_or_default();
    for cache in [own, portages] {
        for line in lines(&cache, "_eclasses_=") {
            digest.text(&line);
        }
    }
    // `P-PR`, `P` and `PN`, each with or without the slot.
    let patches = root.join(CONFIG).join("patches").join(cpv.category());
    let bare = cpv.pf().rsplit_once("-r").map_or(cpv.pf(), |(bare, _)| bare);
    for name in names(&patches) {
        let whose = name.split(':').next().unwrap_or_default();
        if [cpv.pf(), bare, cpv.pn()].contains(&whose) || whose == format!("{bare}-r0") {
            digest.text(&name);
            digest.tree(&patches.join(&name));
        }
    }
    digest.finish()
}

/// A digest of the settings that reach every build.
fn settings(root: &Path) -> String {
    let mut digest = Sums::default();
    let profile = root.join(CONFIG).join("make.profile").read_link().unwrap_or_default();
    digest.text(&profile.to_string_lossy());
    for setting in SETTINGS {
        digest.tree(&root.join(CONFIG).join(setting));
    }
    digest.finish()
}

/// A digest of several texts and files, told apart by their lengths.
#[derive(Default)]
pub(crate) struct Sums(Sha256);

impl Sums {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// The contents; one that is not there or cannot be read counts as empty.
    fn file(&mut self, path: &Path) {
        self.bytes(&digested(path).unwrap_or_default());
    }

    /// What decides in a repository which packages of whatever origin may be installed: its profiles, and whose it takes as well.
    pub(crate) fn profiles(&mut self, repository: &Path) -> io::Result<()> {
        let place = Beneath::open(repository)?;
        self.below(&place, Path::new("profiles"), DEPTH);
        self.below(&place, Path::new("metadata/layout.conf"), 0);
        Ok(())
    }

    /// A file, or a directory with everything below it, where others may write. A link counts by what it says, and by the
    /// file that it leads to if that is there as well.
    fn below(&mut self, place: &Beneath, path: &Path, depth: usize) {
        let Ok(entries) = place.list(path) else {
            return self.bytes(&place.digested(path).unwrap_or_default());
        };
        for entry in entries {
            self.text(&entry.path.file_name().unwrap_or_default().to_string_lossy());
            match entry.kind {
                Kind::Directory if depth > 0 => self.below(place, &entry.path, depth - 1),
                Kind::Directory => {}
                Kind::File => self.bytes(&place.digested(&entry.path).unwrap_or_default()),
                Kind::Other => {
                    let target = place.link(&entry.path).unwrap_or_default();
                    self.text(&target.to_string_lossy());
                    self.bytes(&place.digested(&entry.path).unwrap_or_default());
                }
            }
        }
    }

    /// A file, or a directory with everything below it. It is root's.
    fn tree(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.file(path);
        }
        for name in names(path) {
            // How many helpers there are makes no other package.
            if name == OF_HELPERS {
                continue;
            }
            self.text(&name);
            let below = path.join(&name);
            // A link that leads up again would have no end.
            if below.is_symlink() {
                let target = below.read_link().unwrap_or_default();
                self.text(&target.to_string_lossy());
                if !below.is_dir() {
                    self.file(&below);
                }
            } else {
                self.tree(&below);
            }
        }
    }

    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// The lines of a text that begin so, in order.
fn lines(text: &[u8], beginning: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::portage::output::plan::Reader;

    const REPO: &str = "var/db/repos/r";

    fn planned(line: &str) -> Planned {
        let mut reader = Reader::new();
        reader.line(line.as_bytes());
        reader.finish(&[]).packages.remove(0)
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_reaches_a_build_changes_its_inputs_and_nothing_else_does() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let look = |line: &str| inputs(&planned(line), &root.join(REPO), &settings(root), root);
        let line = "[ebuild  N     ] a/b-1-r2:3/4::r  USE=\"x -y\" 12 KiB";
        write(root, "var/db/repos/r/a/b/b-1-r2.ebuild", "EAPI=8");
        write(root, "var/db/repos/r/a/b/Manifest", "DIST b-1.tar.xz 1 SHA512 00\n");
        fs::create_dir_all(root.join(REPO).join("a/b/files")).unwrap();
        // Whoever the repository is synced as could have it waited for.
        nix::unistd::mkfifo(&root.join(REPO).join("a/b/files/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut before = look(line);
        assert_eq!(before.len(), 64);
        for (path, text, reaches) in [
            ("var/db/repos/r/a/b/b-1-r2.ebuild", "EAPI=8 # repaired", true),
            ("var/db/repos/r/a/b/b-2.ebuild", "EAPI=8", false),
            ("var/db/repos/r/a/c/c-1.ebuild", "EAPI=8", false),
            ("var/db/repos/r/a/b/files/sub/x.patch", "+", true),
            ("var/db/repos/r/a/b/metadata.xml", "<>", false),
            ("var/db/repos/r/a/b/Manifest", "DIST b-1.tar.xz 1 SHA512 00\nEBUILD b-2.ebuild 6\n", false),
            ("var/db/repos/r/a/b/Manifest", "DIST b-1.tar.xz 1 SHA512 11\n", true),
            ("var/db/repos/r/metadata/md5-cache/a/b-1-r2", "DESCRIPTION=d\n_eclasses_=e\t00\n", true),
            ("var/db/repos/r/metadata/md5-cache/a/b-1-r2", "DESCRIPTION=other\n_eclasses_=e\t00\n", false),
            ("var/db/repos/r/metadata/md5-cache/a/b-1-r2", "_eclasses_=e\t11\n", true),
            ("etc/portage/patches/a/b/x.patch", "+", true),
            ("etc/portage/patches/a/b-1/x.patch", "+", true),
            ("etc/portage/patches/a/b-1-r2:3/x.patch", "+", true),
            ("etc/portage/patches/a/b-2/x.patch", "+", false),
            ("etc/portage/patches/a/bc/x.patch", "+", false),
            ("etc/portage/make.conf/flags", "CFLAGS=-O2", true),
            ("etc/portage/package.env", "a/b no-test", true),
            ("etc/portage/env/no-test", "FEATURES=-test", true),
            ("etc/portage/package.accept_keywords/c", "a/c", false),
        ] {
            write(root, path, text);
            let after = look(line);
            assert_eq!(after != before, reaches, "{path}: {text}");
            before = after;
        }
        // Marks are about what is installed, not about what is built.
        assert_eq!(look(&line.replace("-y", "-y*")), before);
        assert_ne!(look(&line.replace("-y", "y")), before);
    }

    /// They are written by whoever syncs them.
    #[test]
    fn the_files_of_a_repository_lead_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let look = || inputs(&planned("[ebuild  N     ] a/b-1::r  12 KiB"), &root.join(REPO), "", root);
        let link = |to: &str, from: &str| {
            std::os::unix::fs::symlink(to, root.join(REPO).join("a/b").join(from)).unwrap();
        };
        write(root, "var/db/repos/r/a/b/b-9999.ebuild", "EAPI=8");
        write(root, "outside/file", "1");
        // A way up and a tree with no end, to which there is nothing like it below.
        write(root, "var/db/repos/r/a/b/files/x.patch", "+");
        link("../../../../../../../../proc/self", "files/everything");
        link("/", "files/root");
        link("../../../../../../../outside/file", "files/outside");
        link("b-9999.ebuild", "b-1.ebuild");
        let long = fs::File::create(root.join(REPO).join("a/b/files/long")).unwrap();
        long.set_len(1 << 40).unwrap();
        let before = look();
        write(root, "outside/file", "2");
        assert_eq!(look(), before, "what lies outside has no part in it");
        write(root, "var/db/repos/r/a/b/b-9999.ebuild", "EAPI=8 # repaired");
        assert_ne!(look(), before, "a link to another version of itself has");
    }

    #[test]
    fn the_profiles_of_a_repository() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let look = || {
            let mut sums = Sums::default();
            sums.profiles(&root.join(REPO)).map(|()| sums.finish())
        };
        assert!(look().is_err(), "it is not there");
        write(root, "var/db/repos/r/profiles/repo_name", "r\n");
        let mut before = look().unwrap();
        for (path, text, decides) in [
            ("profiles/base/deep/package.mask", "a/b\n", true),
            ("profiles/base/deep/package.mask", "a/c\n", true),
            ("profiles/updates/1Q-2026", "move a/b a/c\n", true),
            ("metadata/layout.conf", "masters = q\n", true),
            ("metadata/md5-cache/a/b-1", "EAPI=8\n", false),
            ("a/b/b-1.ebuild", "EAPI=8\n", false),
        ] {
            write(&root.join(REPO), path, text);
            let after = look().unwrap();
            assert_eq!(after != before, decides, "{path}: {text}");
            before = after;
        }
    }

    #[test]
    fn the_toolchain_is_what_is_installed_and_chosen() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(tools(root), "");
        for package in
            ["sys-devel/gcc-14.2.1", "sys-devel/gcc-config-2.11", "sys-libs/glibc-2.40-r5", "a/gcc-1"]
        {
            write(root, &format!("var/db/pkg/{package}/PF"), "");
        }
        write(root, "etc/env.d/gcc/config-x86_64-pc-linux-gnu", "CURRENT=x86_64-pc-linux-gnu-14\n");
        assert_eq!(tools(root), "sys-devel/gcc-14.2.1 sys-libs/glibc-2.40-r5 x86_64-pc-linux-gnu-14");
    }
}
