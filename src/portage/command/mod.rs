//! Every command line that is run on Portage, with its environment.
//!
//! Sources: emerge(1), portageq(1), emaint(1), make.conf(5) and `_emerge.main:parse_opts`. Exit
//! codes say almost nothing (emerge ends with 1 for every kind of failure), so these commands are
//! made to print what a program can read: no colour, no spinner, no questions.

mod inherited;
mod line;
pub mod probe;
mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::names::cpv::{self, Cpv};
use super::output::circular::Solution;
use line::{environment, plain, set};
use probe::Capabilities;

pub use inherited::{Inherits, is_name, left_out, published};
pub use line::{Command, PATH, shell_quote, shell_word};
pub use trial::{
    TRIAL, TRIAL_AGAIN, TRIAL_PKGDIR, TRIAL_ROOT, WORLD, WORLD_SETS, Wanted, lacks_what_the_profile_names,
    masked, passed_over, trial,
};

/// What the configuration says about a build.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildOptions {
    /// What to build, such as `@world`.
    pub targets: Vec<String>,
    /// Packages built at the same time; 0 counts as 1.
    pub jobs: u32,
    /// No further package is started while the load average is at or above this.
    pub load_average: Option<f64>,
    /// The user's own emerge options, after ours so that they win.
    pub args: Vec<String>,
    /// Whether what does not depend on a failed package is still built.
    pub keep_going: bool,
    /// Atoms to leave out. Versions and operators are dropped, as emerge refuses them here.
    pub exclude: Vec<String>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            targets: vec!["@world".to_owned()],
            jobs: 1,
            load_average: None,
            args: Vec::new(),
            keep_going: true,
            exclude: Vec::new(),
        }
    }
}

/// Whether Portage's namespace sandboxes work here; the exit status of [`probe_namespaces`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// `unshare` works and `/proc` can be mounted in it.
    #[default]
    Namespaces,
    /// They are switched off: a container that may unshare but not mount `/proc` fails every phase.
    Plain,
}

/// What was found out about the machine, once, before the first cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What this Portage can do.
    pub capabilities: Capabilities,
    /// Which sandboxes work.
    pub sandbox: Sandbox,
    /// FEATURES of the supervisor's own environment, as given with `docker run -e`; they win over
    /// ours. Empty when there are none.
    pub features: String,
}

/// Added to FEATURES whenever packages are merged, each with its reason.
///
/// `ebuild-locks` stays as the configuration has it. Without that lock the `pkg_*` phases of
/// different packages run at the same time, as root and outside the sandbox, and lose each other's
/// changes to caches, alternatives and `/etc/passwd`; they are short, so little is gained.
const BUILD_FEATURES: &[(&str, &str)] = &[
    ("buildpkg", "a package that is built is a package that is offered, whatever command built it"),
    ("parallel-install", "finer locks while merging; system packages are still merged one at a time"),
    ("-merge-wait", "finished packages need not wait for the longest build; system packages still do"),
    ("-merge-sync", "syncs the container's root after each merge, but never the volume that has to last"),
    ("-getbinpkg", "a client's configuration may name this very builder as the place to fetch from"),
    (
        "-binpkg-request-signature",
        "a client's configuration may ask for it, and nothing that is built here could be merged",
    ),
    ("buildpkg-live", "without it packages of live ebuilds are not packaged"),
    ("-digest", "it writes new digests into the tree for whatever was fetched"),
    ("-noauto", "it is for the command ebuild, which does one phase alone"),
    ("-compress-build-logs", "what stopped a build is read from its log"),
    ("-clean-logs", "logs go by the builder's own policy ([prune] logs)"),
    (
        "-unmerge-backup",
        "it packages what is removed, without files that were changed, as if that were for clients",
    ),
    ("-downgrade-backup", "as unmerge-backup"),
];

/// The FEATURES that are switched on or off, without the reasons.
#[cfg(test)]
pub(super) fn switched_features() -> Vec<&'static str> {
    BUILD_FEATURES.iter().map(|(feature, _)| *feature).collect()
}

/// Sandboxes that need namespaces, see [`Sandbox::Plain`].
const NAMESPACE_FEATURES: &[&str] = &["ipc-sandbox", "network-sandbox", "pid-sandbox", "mount-sandbox"];

/// How the tree is brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syncer {
    /// `eix-sync`, when it is installed.
    EixSync,
    /// `emaint sync -a`, which every Portage has.
    Emaint,
    /// `emaint sync -r` with these repositories; never empty.
    Some(Vec<String>),
    /// The configured command line; never empty.
    Custom(Vec<String>),
}

/// Prints `Portage 3.0.83`; read it with [`Version::parse`](super::command::probe::Version::parse).
#[must_use]
pub fn version() -> Command {
    plain(&["portageq", "--version"])
}

/// The Python that gathers what decides whether a package fits a machine: `facts()`, for whoever has defined `ROOT` and `ETC` and
/// imported `json` and `os`. It is a part of `client.sh`, too, so that both sides say the same in the same words.
pub const FACTS: &str = include_str!("facts.py");

/// Prints those of this machine; read them with [`facts::facts`](super::output::facts::facts).
#[must_use]
pub fn facts() -> Command {
    // Isolated: what lies in the working directory is not imported.
    let find = "for python in python3 /usr/lib/python-exec/python3*/python3; do \
                \"$python\" -I -c 'import portage' 2>/dev/null && exec \"$python\" -I -c \"$GBSUP_FACTS\"; done; exit 127";
    let mut command = plain(&["sh", "-c", find]);
    let code = format!(
        "import json\nimport os\n\nROOT = \"/\"\nETC = \"/etc/portage\"\n\n{FACTS}\n\n\
         print(\"gbsup facts: \" + json.dumps(facts()))\n"
    );
    set(&mut command.env, "GBSUP_FACTS", code);
    command
}

/// Prints the security advisories that concern what is installed; read it with
/// [`glsa::affected`](super::output::glsa::affected).
#[must_use]
pub fn advisories() -> Command {
    plain(&["glsa-check", "--nocolor", "--cve", "--list", "affected"])
}

/// Succeeds when [`Sandbox::Namespaces`] holds: it does what Portage does for its sandboxes
/// (`portage.process:_exec2`).
#[must_use]
pub fn probe_namespaces() -> Command {
    plain(&["unshare", "--fork", "--pid", "--mount", "--net", "--ipc", "--mount-proc", "true"])
}

/// Prints `KEY='value'` lines for [`settings`](super::files::settings). Exit status 1 only means that some
/// variable is unset.
#[must_use]
pub fn envvar(keys: &[&str]) -> Command {
    plain(&[&["portageq", "envvar", "-v"], keys].concat())
}

/// Prints what an option with `native` stands for on this machine; read it with
/// [`attention::resolved`](super::files::attention::resolved).
#[must_use]
pub fn native(variable: &str, compiler: &str, option: &str) -> Command {
    if variable == "RUSTFLAGS" {
        return plain(&["rustc", "--print", "target-cpus"]);
    }
    if compiler.contains("clang") {
        return plain(&[compiler, option, "-###", "-c", "-x", "c", "/dev/null"]);
    }
    plain(&[compiler, option, "-Q", "--help=target"])
}

/// Prints where the ebuild repositories are; read it with
/// [`repository::locations`](super::files::repository::locations).
#[must_use]
pub fn repositories() -> Command {
    plain(&["portageq", "repos_config", "/"])
}

/// Brings the tree up to date. The outcome is read by [`sync`](super::output::sync).
#[must_use]
pub fn sync(how: &Syncer) -> Command {
    let argv = match how {
        Syncer::EixSync => vec!["eix-sync".to_owned()],
        Syncer::Emaint => ["emaint", "sync", "-a"].map(str::to_owned).to_vec(),
        // Several names stand in one word (`sync.py:repo`).
        Syncer::Some(names) => vec!["emaint".to_owned(), "sync".to_owned(), "-r".to_owned(), names.join(" ")],
        Syncer::Custom(argv) => argv.clone(),
    };
    Command { argv, env: environment() }
}

/// Brings the index of eix up to date, which a sync without eix-sync leaves behind.
#[must_use]
pub fn eix_update() -> Command {
    plain(&["eix-update"])
}

/// Looks after the files of a clone that was cut short: without `all` it makes the index of files that is missing, and
/// touches none of them; with it, it writes those that are missing, and no other.
#[must_use]
pub fn check_out(clone: &str, all: bool) -> Command {
    in_clone(
        clone,
        if all { &["checkout-index", "--all", "--quiet"] } else { &["reset", "--mixed", "--quiet"] },
    )
}

/// Prints the files of a clone that are not there; nothing when all are.
#[must_use]
pub fn lost_files(clone: &str) -> Command {
    of_clone(clone, &["ls-files", "--deleted"])
}

/// Ends with 0 when what git has noted as checked out is the commit that HEAD names, with 1 when it is another.
#[must_use]
pub fn is_at_head(clone: &str) -> Command {
    of_clone(clone, &["diff-index", "--cached", "--quiet", "--no-ext-diff", "HEAD", "--"])
}

/// Ends with 128 when a part of the commit that HEAD names is not there.
#[must_use]
pub fn is_connected(clone: &str) -> Command {
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
const PORTAGE: &str = "sys-apps/portage";

/// Prints the newest version that is neither masked nor gone, `category/name-version`, or an empty line with
/// exit status 1. An atom may name a slot.
#[must_use]
pub fn best_visible(atom: &str) -> Command {
    plain(&["portageq", "best_visible", "/", atom])
}

/// Prints what decides whether the phases of an ebuild may use the network; read it with [`may_fetch`].
#[must_use]
pub fn network_of(package: &str) -> Command {
    plain(&["portageq", "metadata", "/", "ebuild", package, "PROPERTIES", "RESTRICT"])
}

/// Whether an ebuild may use the network in a phase, from the two lines that Portage prints
/// (`portage/package/ebuild/doebuild.py:_doebuild_spawn`). A live ebuild is given it in `src_unpack` alone, but
/// where FEATURES has no `network-sandbox` nothing is kept from it.
#[must_use]
pub fn may_fetch(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.split_whitespace().any(|word| ["live", "test_network", "network-sandbox"].contains(&word))
}

/// Prints the installed Portage, `sys-apps/portage-3.0.83`, or an empty line.
#[must_use]
pub fn portage_installed() -> Command {
    plain(&["portageq", "best_version", "/", PORTAGE])
}

/// Prints the Portage that an update would install, or an empty line with exit status 1.
#[must_use]
pub fn portage_available() -> Command {
    best_visible(PORTAGE)
}

/// Whether Portage should be updated before anything else, from what [`portage_installed`] and
/// [`portage_available`] printed.
///
/// The comparison of Portage itself (`emaint/modules/sync/sync.py:_check_updates`): both are known
/// and they differ. A Portage that no package owns is never due.
#[must_use]
pub fn self_update_due(installed: &[u8], available: &[u8]) -> bool {
    let cpv = |text: &[u8]| Cpv::parse(text.trim_ascii());
    match (cpv(installed), cpv(available)) {
        (Some(installed), Some(available)) => installed != available,
        _ => false,
    }
}

/// Updates Portage alone.
#[must_use]
pub fn self_update(host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.extend(["--oneshot", "--update"].map(str::to_owned));
    finish(argv, options, &[PORTAGE.to_owned()], features(host, &[]))
}

/// Builds the targets: everything that is new, changed, or has no usable binary package.
#[must_use]
pub fn build(host: &Host, options: &BuildOptions) -> Command {
    update(host, options, &[])
}

/// Says what [`build`] would do, and why; the output is read by [`plan`](super::output::plan).
///
/// The order of the list may differ from that in which [`build`] merges (with `--tree`, Portage takes
/// packages that do not depend on each other one by one: `depgraph.py:_serialize_tasks`).
#[must_use]
pub fn plan(host: &Host, options: &BuildOptions) -> Command {
    let mut command = update(host, options, &["--pretend", "--tree"]);
    // What the user's own options say of its looks would make the list another one.
    if !options.args.is_empty() {
        command.argv.extend(["--color=n", "--verbose=y", "--quiet=n"].map(str::to_owned));
    }
    command
}

/// What a build and its plan have in common.
fn update(host: &Host, options: &BuildOptions, only: &[&str]) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.extend(only.iter().map(|&arg| arg.to_owned()));
    // The world file is the client's: a target that is an atom must not end up in it.
    argv.push("--oneshot".to_owned());
    argv.extend(
        ["--update", "--deep", "--changed-use", "--changed-deps=y", "--changed-slot=y"].map(str::to_owned),
    );
    // Only here: a run that ignores binary packages would find none and rebuild all it looks at.
    let proactive: &[&str] = if host.capabilities.buildpkg_proactive { &["buildpkg-proactive"] } else { &[] };
    finish(argv, options, &options.targets, features(host, proactive))
}

/// Builds these versions, which failed in [`build`], once more, and what they need. With MAKEOPTS they are
/// built one at a time and with those: what the environment says wins over make.conf and `package.env`
/// (`portage/package/ebuild/config.py`, `configlist`).
#[must_use]
pub fn again(packages: &[Cpv], makeopts: Option<&str>, host: &Host, options: &BuildOptions) -> Command {
    let jobs = if makeopts.is_some() { 1 } else { options.jobs };
    let options = BuildOptions { jobs, ..options.clone() };
    let mut argv = emerge(&options, Binaries::Use);
    argv.extend(["--oneshot", "--changed-use", "--changed-deps=y", "--changed-slot=y"].map(str::to_owned));
    let targets: Vec<String> = packages.iter().map(Cpv::atom).collect();
    let mut command = finish(argv, &options, &targets, features(host, &[]));
    if let Some(makeopts) = makeopts {
        set(&mut command.env, "MAKEOPTS", makeopts.to_owned());
    }
    command
}

/// Merges these versions, which [`build`] left untried, and what they need that is not there. What is installed and
/// satisfies them is taken as it is, whatever it lacks itself.
#[must_use]
pub fn rest(packages: &[Cpv], host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.push("--oneshot".to_owned());
    let targets: Vec<String> = packages.iter().map(Cpv::atom).collect();
    finish(argv, options, &targets, features(host, &[]))
}

/// Builds one package of a circular dependency, whose flags were changed for that, and what it needs. It
/// alone is not packaged: it has to be built again with the flags it should have.
#[must_use]
pub fn untangle(solution: &Solution, host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.push("--oneshot".to_owned());
    argv.push(format!("--buildpkg-exclude={}", solution.package.cp()));
    finish(argv, options, &[solution.package.atom()], features(host, &[]))
}

/// Asks what there is to know about the circular dependency that stopped a [`build`], or [`untangle`].
/// Read the answer with [`circular::from_json`](super::output::circular::from_json). The text that says the same
/// is not printed then.
#[must_use]
pub fn circle(within: Option<&Solution>, host: &Host, options: &BuildOptions) -> Command {
    let mut command = match within {
        Some(solution) => untangle(solution, host, options),
        None => build(host, options),
    };
    command.argv.extend(["--pretend", "--circular-deps-report=json"].map(str::to_owned));
    command
}

/// Prints the libraries that are kept only for packages that still link to them, those of one package in a
/// line; exit status 1 when there are none. [`rebuild`] the set [`PRESERVED`] then.
#[must_use]
pub fn preserved_libs() -> Command {
    plain(&["portageq", "list_preserved_libs", "/"])
}

/// The set of what still links to preserved libraries.
pub const PRESERVED: &str = "@preserved-rebuild";

/// Merges packages again although nothing about them is new. No `--changed-use`: with it nothing is
/// selected.
#[must_use]
pub fn rebuild(targets: &[String], binaries: Binaries, host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, binaries);
    argv.push("--oneshot".to_owned());
    finish(argv, options, targets, features(host, &[]))
}

/// Prints, for each of these atoms, the version that emerge would take; read it with [`versions`].
#[must_use]
pub fn mass_best_visible(atoms: &[&str]) -> Command {
    plain(&[&["portageq", "mass_best_visible", "/", "ebuild"], atoms].concat())
}

/// By atom the version that emerge would take; nothing where there is none.
pub type Versions = BTreeMap<String, Option<Cpv>>;

/// What [`mass_best_visible`] says of each atom: `ATOM:category/name-version`, or `ATOM:` and so nothing where there is no version.
/// An atom of which it does not speak may have one.
#[must_use]
pub fn versions(text: &[u8]) -> Versions {
    let text = String::from_utf8_lossy(text);
    let answer = |line: &str| {
        let (atom, version) = line.trim_end().rsplit_once(':')?;
        let version = if version.is_empty() { None } else { Some(Cpv::parse(version.as_bytes())?) };
        Some((atom.to_owned(), version))
    };
    text.lines().filter_map(answer).collect()
}

/// A configured command that calls emerge itself, such as `perl-cleaner --all`. It gets our options
/// through `EMERGE_DEFAULT_OPTS`.
#[must_use]
pub fn follow_up(argv: &[String], host: &Host, options: &BuildOptions) -> Command {
    // The first two are the program and the option that would make it ignore these very options.
    let mut defaults = emerge(options, Binaries::Use).split_off(2);
    defaults.extend(exclusions(options));
    defaults.extend(options.args.iter().map(|arg| shell_quote(arg)));
    let mut env = environment();
    set(&mut env, "EMERGE_DEFAULT_OPTS", defaults.join(" "));
    set(&mut env, "FEATURES", features(host, &[]));
    Command { argv: argv.to_vec(), env }
}

/// Merges one version again: its merge was cut short, or its `pkg_postinst` failed. Files of others are as protected
/// as the configuration says.
#[must_use]
pub fn remerge(package: &Cpv, host: &Host, options: &BuildOptions) -> Command {
    merge_anew(package, Binaries::Use, &[], host, options)
}

/// Merges the binary package again whose files were being copied when its merge was cut short
/// ([`is_same_build`](super::files::leftovers::is_same_build)).
///
/// Some of its files are on the system but in no record, so `collision-protect` would refuse them
/// (`portage/emaint/modules/merges/merges.py`). Files that another package owns are refused as before.
#[must_use]
pub fn merge_over(package: &Cpv, host: &Host, options: &BuildOptions) -> Command {
    merge_anew(package, Binaries::Only, &["-collision-protect", "protect-owned"], host, options)
}

fn merge_anew(
    package: &Cpv,
    binaries: Binaries,
    more: &[&str],
    host: &Host,
    options: &BuildOptions,
) -> Command {
    // Neither an option of the user nor an exclusion may turn a repair into something else.
    let options = BuildOptions { args: Vec::new(), exclude: Vec::new(), ..options.clone() };
    let mut argv = emerge(&options, binaries);
    argv.extend(["--oneshot", "--complete-graph=y"].map(str::to_owned));
    finish(argv, &options, &[package.atom()], features(host, more))
}

/// Compares the package index with the files; exit status 1 when they differ. `features` are those of
/// [`Host::features`].
#[must_use]
pub fn check_binhost(features: &str) -> Command {
    binhost("--check", features)
}

/// Writes the package index anew from the files, with sizes and digests. Fails when there is no
/// PKGDIR yet. `features` are those of [`Host::features`].
#[must_use]
pub fn fix_binhost(features: &str) -> Command {
    binhost("--fix", features)
}

fn binhost(what: &str, features: &str) -> Command {
    let mut command = plain(&["emaint", what, "binhost"]);
    // It takes what is not signed for damaged where that is asked for.
    set(&mut command.env, "FEATURES", format!("-binpkg-request-signature {features}").trim_end().to_owned());
    command
}

/// Shows whether a secret key is in a home of GnuPG: a line that begins with `sec:` says so.
#[must_use]
pub fn secret_key(home: &Path, key: &str) -> Command {
    let home = home.display().to_string();
    plain(&["gpg", "--homedir", &home, "--batch", "--with-colons", "--list-secret-keys", key])
}

/// Prints the sets of packages that Portage knows, one a line; read it with
/// [`complaints::unknown_sets`](super::output::complaints::unknown_sets).
#[must_use]
pub fn list_sets() -> Command {
    plain(&["emerge", "--ignore-default-opts", "--color=n", "--list-sets"])
}

/// Prints what bash has against these scripts, and runs none of them; read it with
/// [`complaints::of_bash`](super::output::complaints::of_bash).
#[must_use]
pub fn check_scripts(scripts: &[PathBuf]) -> Command {
    let each = "for script do bash -n -- \"$script\"; done";
    let scripts = scripts.iter().map(|script| script.display().to_string());
    let mut command = plain(&["bash", "-c", each, "bash"]);
    command.argv.extend(scripts);
    command
}

/// What a run does with the binary packages that are already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binaries {
    /// It takes those that fit.
    Use,
    /// It builds from source: one of the same version may have been built against the same old things.
    Ignore,
    /// It takes nothing else, whatever became of the configuration since.
    Only,
}

/// How every emerge begins whose output is read.
const EMERGE: [&str; 6] = [
    "emerge",
    // EMERGE_DEFAULT_OPTS is written for a person's desktop: it may ask, or fetch.
    "--ignore-default-opts",
    "--color=n",
    "--nospinner",
    "--verbose",
    "--verbose-conflicts",
];

/// emerge with the options that every run has.
fn emerge(options: &BuildOptions, binaries: Binaries) -> Vec<String> {
    let mut argv: Vec<String> = EMERGE.map(str::to_owned).to_vec();
    let always = [
        // Build output goes to the package's own log; the summary at the end names it.
        "--quiet-build=y",
        "--quiet-fail=y",
        "--buildpkg=y",
        // With binary packages in use, Portage forgets build dependencies unless told not to.
        "--with-bdeps=y",
        "--backtrack=100",
        // The configuration has to stay equal to the clients': suggestions are for people.
        "--autounmask=n",
        // A package that asks questions would wait for ever.
        "--accept-properties=-interactive",
    ];
    argv.extend(always.map(str::to_owned));
    match binaries {
        // The two =y only spare the notes about every binary that no longer fits.
        Binaries::Use => argv
            .extend(["--usepkg=y", "--binpkg-respect-use=y", "--binpkg-changed-deps=y"].map(str::to_owned)),
        Binaries::Only => argv.extend(
            ["--usepkgonly=y", "--binpkg-respect-use=n", "--binpkg-changed-deps=n", "--with-bdeps=n"]
                .map(str::to_owned),
        ),
        // --usepkg=n alone is ignored by some versions when FEATURES has getbinpkg.
        Binaries::Ignore => argv.extend(["--usepkg=n", "--getbinpkg=n"].map(str::to_owned)),
    }
    argv.push(format!("--jobs={}", options.jobs.max(1)));
    if let Some(load) = options.load_average {
        argv.push(format!("--load-average={load}"));
    }
    argv.push(format!("--keep-going={}", if options.keep_going { 'y' } else { 'n' }));
    argv
}

/// Appends what stands last, so that the user's own options win.
fn finish(mut argv: Vec<String>, options: &BuildOptions, targets: &[String], features: String) -> Command {
    argv.extend(exclusions(options));
    argv.extend(options.args.iter().cloned());
    argv.extend(targets.iter().cloned());
    let mut env = environment();
    set(&mut env, "FEATURES", features);
    Command { argv, env }
}

fn exclusions(options: &BuildOptions) -> impl Iterator<Item = String> {
    options.exclude.iter().filter_map(|atom| cpv::exclude_atom(atom)).map(|atom| format!("--exclude={atom}"))
}

/// The value of FEATURES: incremental, so it adds to what the profile and make.conf say.
fn features(host: &Host, more: &[&str]) -> String {
    let mut all: Vec<String> = BUILD_FEATURES.iter().map(|(feature, _)| (*feature).to_owned()).collect();
    if host.capabilities.observability {
        all.push("observability".to_owned());
    }
    if host.sandbox == Sandbox::Plain {
        all.extend(NAMESPACE_FEATURES.iter().map(|feature| format!("-{feature}")));
    }
    all.extend(more.iter().map(|&feature| feature.to_owned()));
    all.extend(host.features.split_whitespace().map(str::to_owned));
    all.join(" ")
}

#[cfg(test)]
mod tests;
