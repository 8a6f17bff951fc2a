//! What is asked of Portage and of other programs, and what is done to the tree and to the index; nothing here merges a package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::line::{Command, environment, plain, private, set};
use crate::portage::names::cpv::Cpv;

/// How the tree is brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Syncer {
    /// `eix-sync`, when it is installed.
    EixSync,
    /// `emaint sync -a`, which every Portage has.
    Emaint,
    /// `emaint sync -r` with these repositories; never empty.
    Some(Vec<String>),
    /// The configured command line; never empty.
    Custom(Vec<String>),
}

/// Prints `Portage 3.0.83`; read it with [`Version::parse`](super::probe::Version::parse).
pub(crate) fn version() -> Command {
    plain(&["portageq", "--version"])
}

/// The Python that gathers what decides whether a package fits a machine: `facts()`, for whoever has defined `ROOT` and `ETC` and
/// imported `json` and `os`. It is a part of `client.sh`, too, so that both sides say the same in the same words.
pub(crate) const FACTS: &str = include_str!("facts.py");

/// Prints those of this machine; read them with [`facts::facts`](crate::portage::output::facts::facts).
pub(crate) fn facts() -> Command {
    let code = format!(
        "ROOT = \"/\"\nETC = \"/etc/portage\"\n\n{FACTS}\n\nprint(\"gbsup facts: \" + json.dumps(facts()))\n"
    );
    python(&code)
}

/// Runs this in the first Python that can import Portage; it finds `json`, `os` and `sys` imported.
pub(super) fn python(code: &str) -> Command {
    // Isolated: what lies in the working directory is not imported.
    let find = "for python in python3 /usr/lib/python-exec/python3*/python3; do \
                command -v \"$python\" >/dev/null || continue; \
                \"$python\" -I -X utf8 -c \"$GBSUP_CODE\"; code=$?; [ $code = 126 ] || exit $code; done; exit 127";
    let mut command = plain(&["sh", "-c", find]);
    let begin = "import json\nimport os\nimport sys\n\ndel os.environ[\"GBSUP_CODE\"]\n\
                 try:\n    import portage\nexcept ImportError:\n    sys.exit(126)\n\n";
    set(&mut command.env, "GBSUP_CODE", format!("{begin}{code}"));
    command
}

/// Prints the security advisories that concern what is installed; read it with
/// [`glsa::affected`](crate::portage::output::glsa::affected).
pub(crate) fn advisories() -> Command {
    plain(&["glsa-check", "--nocolor", "--cve", "--list", "affected"])
}

/// Succeeds when [`Sandbox::Namespaces`](super::Sandbox::Namespaces) holds: it does what Portage does for its sandboxes
/// (`portage.process:_exec2`).
pub(crate) fn probe_namespaces() -> Command {
    plain(&["unshare", "--fork", "--pid", "--mount", "--net", "--ipc", "--mount-proc", "true"])
}

/// Prints `KEY='value'` lines for [`settings`](crate::portage::files::settings). Exit status 1 only means that some
/// variable is unset.
pub(crate) fn envvar(keys: &[&str]) -> Command {
    private(&[&["portageq", "envvar", "-v"], keys].concat())
}

/// Prints what an option with `native` stands for on this machine; read it with
/// [`attention::resolved`](crate::portage::files::attention::resolved).
pub(crate) fn native(variable: &str, compiler: &str, option: &str) -> Command {
    if variable == "RUSTFLAGS" {
        return plain(&["rustc", "--print", "target-cpus"]);
    }
    if compiler.contains("clang") {
        return plain(&[compiler, option, "-###", "-c", "-x", "c", "/dev/null"]);
    }
    plain(&[compiler, option, "-Q", "--help=target"])
}

/// Prints where the ebuild repositories are; read it with
/// [`repository::locations`](crate::portage::files::repository::locations).
pub(crate) fn repositories() -> Command {
    private(&["portageq", "repos_config", "/"])
}

/// Brings the tree up to date. The outcome is read by [`sync`](crate::portage::output::sync).
pub(crate) fn sync(how: &Syncer) -> Command {
    let argv = match how {
        Syncer::EixSync => vec!["eix-sync".to_owned()],
        Syncer::Emaint => ["emaint", "sync", "-a"].map(str::to_owned).to_vec(),
        // Several names stand in one word (`sync.py:repo`).
        Syncer::Some(names) => vec!["emaint".to_owned(), "sync".to_owned(), "-r".to_owned(), names.join(" ")],
        Syncer::Custom(argv) => argv.clone(),
    };
    Command { argv, env: environment(), private: false }
}

/// Brings the index of eix up to date, which a sync without eix-sync leaves behind.
pub(crate) fn eix_update() -> Command {
    plain(&["eix-update"])
}

/// Looks after the files of a clone that was cut short: without `all` it makes the index of files that is missing, and
/// touches none of them; with it, it writes those that are missing, and no other.
pub(crate) fn check_out(clone: &str, all: bool) -> Command {
    in_clone(
        clone,
        if all { &["checkout-index", "--all", "--quiet"] } else { &["reset", "--mixed", "--quiet"] },
    )
}

/// Prints the files of a clone that are not there; nothing when all are.
pub(crate) fn lost_files(clone: &str) -> Command {
    of_clone(clone, &["ls-files", "--deleted"])
}

/// Ends with 0 when what git has noted as checked out is the commit that HEAD names, with 1 when it is another.
pub(crate) fn is_at_head(clone: &str) -> Command {
    of_clone(clone, &["diff-index", "--cached", "--quiet", "--no-ext-diff", "HEAD", "--"])
}

/// Ends with 128 when a part of the commit that HEAD names is not there.
pub(crate) fn is_connected(clone: &str) -> Command {
    of_clone(clone, &["rev-list", "--objects", "--no-walk", "--quiet", "HEAD"])
}

fn in_clone(clone: &str, rest: &[&str]) -> Command {
    // A directory above it, or a file of it, may belong to another user, whom git would not trust.
    let git = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", clone];
    let mut command = plain(&[&git, rest].concat());
    // It may run as a user who may not read root's settings, and stops there.
    set(&mut command.env, "HOME", "/".to_owned());
    command
}

/// A question about a clone; what was never fetched is not fetched for it.
fn of_clone(clone: &str, rest: &[&str]) -> Command {
    let mut command = in_clone(clone, rest);
    set(&mut command.env, "GIT_NO_LAZY_FETCH", "1".to_owned());
    command
}

/// Portage's own package.
pub(crate) const PORTAGE: &str = "sys-apps/portage";

/// Prints the newest version that is neither masked nor gone, `category/name-version`, or an empty line with
/// exit status 1. An atom may name a slot. Read it with [`visible`].
pub(crate) fn best_visible(atom: &str) -> Command {
    plain(&["portageq", "best_visible", "/", atom])
}

/// The version that [`best_visible`] printed; what Portage warns of may stand before it.
pub(crate) fn visible(text: &[u8]) -> Option<Cpv> {
    text.split(|&byte| byte == b'\n').rev().find_map(|line| Cpv::parse(line.trim_ascii()))
}

/// Prints what decides whether the phases of an ebuild may use the network; read it with [`may_fetch`].
pub(crate) fn network_of(package: &str) -> Command {
    plain(&["portageq", "metadata", "/", "ebuild", package, "PROPERTIES", "RESTRICT"])
}

/// Whether an ebuild may use the network in a phase, from the two lines that Portage prints
/// (`portage/package/ebuild/doebuild.py:_doebuild_spawn`). A live ebuild is given it in `src_unpack` alone, but
/// where FEATURES has no `network-sandbox` nothing is kept from it.
pub(crate) fn may_fetch(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.split_whitespace().any(|word| ["live", "test_network", "network-sandbox"].contains(&word))
}

/// Prints the installed Portage, `sys-apps/portage-3.0.83`, or an empty line; read it with [`visible`].
pub(crate) fn portage_installed() -> Command {
    plain(&["portageq", "best_version", "/", PORTAGE])
}

/// Prints the Portage that an update would install; read it with [`visible`].
pub(crate) fn portage_available() -> Command {
    best_visible(PORTAGE)
}

/// Whether Portage should be updated before anything else, from the one that is installed and the one that an update would
/// install.
///
/// The comparison of Portage itself (`emaint/modules/sync/sync.py:_check_updates`): both are known
/// and they differ. A Portage that no package owns is never due.
pub(crate) fn self_update_due(installed: Option<&Cpv>, available: Option<&Cpv>) -> bool {
    installed.zip(available).is_some_and(|(installed, available)| installed != available)
}

/// Prints the libraries that are kept only for packages that still link to them, those of one package in a
/// line; exit status 1 when there are none. [`rebuild`](super::rebuild) the set [`PRESERVED`] then.
pub(crate) fn preserved_libs() -> Command {
    plain(&["portageq", "list_preserved_libs", "/"])
}

/// The set of what still links to preserved libraries.
pub(crate) const PRESERVED: &str = "@preserved-rebuild";

/// Prints, for each of these atoms, the version that emerge would take; read it with [`versions`].
pub(crate) fn mass_best_visible(atoms: &[&str]) -> Command {
    plain(&[&["portageq", "mass_best_visible", "/", "ebuild"], atoms].concat())
}

/// By atom the version that emerge would take; nothing where there is none.
pub(crate) type Versions = BTreeMap<String, Option<Cpv>>;

/// What [`mass_best_visible`] says of each atom: `ATOM:category/name-version`, or `ATOM:` and so nothing where there is no version.
/// An atom of which it does not speak may have one.
pub(crate) fn versions(text: &[u8]) -> Versions {
    let text = String::from_utf8_lossy(text);
    let answer = |line: &str| {
        let (atom, version) = line.trim_end().rsplit_once(':')?;
        let version = if version.is_empty() { None } else { Some(Cpv::parse(version.as_bytes())?) };
        Some((atom.to_owned(), version))
    };
    text.lines().filter_map(answer).collect()
}

/// Compares the package index with the files; exit status 1 when they differ. `features` are those of
/// [`Host::features`](super::Host::features).
pub(crate) fn check_binhost(features: &str) -> Command {
    binhost("--check", features)
}

/// Writes the package index anew from the files, with sizes and digests. Fails when there is no
/// PKGDIR yet. `features` are those of [`Host::features`](super::Host::features).
pub(crate) fn fix_binhost(features: &str) -> Command {
    binhost("--fix", features)
}

fn binhost(what: &str, features: &str) -> Command {
    let mut command = plain(&["emaint", what, "binhost"]);
    // It takes what is not signed for damaged where that is asked for.
    set(&mut command.env, "FEATURES", format!("-binpkg-request-signature {features}").trim_end().to_owned());
    command
}

/// Shows whether a secret key is in a home of GnuPG: a line that begins with `sec:` says so.
pub(crate) fn secret_key(home: &Path, key: &str) -> Command {
    let home = home.display().to_string();
    plain(&["gpg", "--homedir", &home, "--batch", "--with-colons", "--list-secret-keys", key])
}

/// Prints the sets of packages that Portage knows, one a line; read it with
/// [`complaints::unknown_sets`](crate::portage::output::complaints::unknown_sets).
pub(crate) fn list_sets() -> Command {
    plain(&["emerge", "--ignore-default-opts", "--color=n", "--list-sets"])
}

/// Prints what bash has against these scripts, and runs none of them; read it with
/// [`complaints::of_bash`](crate::portage::output::complaints::of_bash).
pub(crate) fn check_scripts(scripts: &[PathBuf]) -> Command {
    let each = "for script do bash -n -- \"$script\"; done";
    let scripts = scripts.iter().map(|script| script.display().to_string());
    let mut command = plain(&["bash", "-c", each, "bash"]);
    command.argv.extend(scripts);
    command
}

/// Compiles an empty program with the flags that [`compilers::tried`](crate::portage::files::compilers::tried) has, and prints
/// which variable's a compiler refuses, and its words; read it with
/// [`compilers::judge`](crate::portage::files::compilers::judge). Nothing is printed of a compiler that does not work without
/// them either, or that is not there.
pub(crate) fn try_flags(tried: &[[String; 6]]) -> Command {
    let mut command = plain(&["sh", "-c", include_str!("flags.sh"), "flags"]);
    command.argv.extend(tried.iter().flatten().cloned());
    set(&mut command.env, "LC_ALL", "C".to_owned());
    command
}
