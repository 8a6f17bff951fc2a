//! Every command line that is run on Portage, with its environment.
//!
//! Sources: emerge(1), portageq(1), emaint(1), make.conf(5) and `_emerge.main:parse_opts`. Exit
//! codes say almost nothing (emerge ends with 1 for every kind of failure), so these commands are
//! made to print what a program can read: no colour, no spinner, no questions.

mod ask;
mod ccache;
mod client;
mod inherited;
mod line;
pub(crate) mod probe;
mod questions;
mod trial;

use super::names::cpv::Cpv;
use super::names::exclude;
use super::output::circular::Solution;
use line::{environment, set};
use probe::Capabilities;

pub(crate) use ask::*;
pub(crate) use ccache::{CCACHE, Ccache, ccache_counters};
pub(crate) use client::{read_ebuilds, rehearse, resolver};
pub(crate) use inherited::{CERTIFICATES, Inherits, is_name, left_out, published};
pub(crate) use line::{Command, PATH, shell_quote, shell_word, show_line};
pub(crate) use questions::{Answers, Said, is_asked_together, questions, together};
pub(crate) use trial::{
    TRIAL, TRIAL_AGAIN, TRIAL_PKGDIR, TRIAL_ROOT, WORLD, WORLD_SETS, Wanted, lacks_what_the_profile_names,
    masked, passed_over, trial,
};

/// What the configuration says about a build.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BuildOptions {
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
    /// What compilers have compiled before; `None`: that is as Portage has it.
    pub ccache: Option<Ccache>,
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
            ccache: None,
        }
    }
}

/// Whether Portage's namespace sandboxes work here; the exit status of [`probe_namespaces`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// `unshare` works and `/proc` can be mounted in it.
    #[default]
    Namespaces,
    /// They are switched off: a container that may unshare but not mount `/proc` fails every phase.
    Plain,
}

/// What was found out about the machine, once, before the first cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
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

/// Updates Portage alone.
pub(crate) fn self_update(host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.extend(["--oneshot", "--update"].map(str::to_owned));
    finish(argv, options, &[PORTAGE.to_owned()], features(host, &[]))
}

/// Builds the targets: everything that is new, changed, or has no usable binary package.
pub(crate) fn build(host: &Host, options: &BuildOptions) -> Command {
    update(host, options, &[])
}

/// Says what [`build`] would do, and why; the output is read by [`plan`](super::output::plan).
///
/// The order of the list may differ from that in which [`build`] merges (with `--tree`, Portage takes
/// packages that do not depend on each other one by one: `depgraph.py:_serialize_tasks`).
pub(crate) fn plan(host: &Host, options: &BuildOptions) -> Command {
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
pub(crate) fn again(
    packages: &[Cpv],
    makeopts: Option<&str>,
    host: &Host,
    options: &BuildOptions,
) -> Command {
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
pub(crate) fn rest(packages: &[Cpv], host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.push("--oneshot".to_owned());
    let targets: Vec<String> = packages.iter().map(Cpv::atom).collect();
    finish(argv, options, &targets, features(host, &[]))
}

/// Builds one package of a circular dependency, whose flags were changed for that, and what it needs. It
/// alone is not packaged: it has to be built again with the flags it should have.
pub(crate) fn untangle(solution: &Solution, host: &Host, options: &BuildOptions) -> Command {
    let mut argv = emerge(options, Binaries::Use);
    argv.push("--oneshot".to_owned());
    argv.push(format!("--buildpkg-exclude={}", solution.package.cp()));
    finish(argv, options, &[solution.package.atom()], features(host, &[]))
}

/// Asks what there is to know about the circular dependency that stopped a [`build`], or [`untangle`].
/// Read the answer with [`circular::from_json`](super::output::circular::from_json). The text that says the same
/// is not printed then.
pub(crate) fn circle(within: Option<&Solution>, host: &Host, options: &BuildOptions) -> Command {
    let mut command = match within {
        Some(solution) => untangle(solution, host, options),
        None => build(host, options),
    };
    command.argv.extend(["--pretend", "--circular-deps-report=json"].map(str::to_owned));
    command
}

/// Merges packages again although nothing about them is new. No `--changed-use`: with it nothing is
/// selected.
pub(crate) fn rebuild(
    targets: &[String],
    binaries: Binaries,
    host: &Host,
    options: &BuildOptions,
) -> Command {
    let mut argv = emerge(options, binaries);
    argv.push("--oneshot".to_owned());
    finish(argv, options, targets, features(host, &[]))
}

/// A configured command that calls emerge itself, such as `perl-cleaner --all`. It gets our options
/// through `EMERGE_DEFAULT_OPTS`.
pub(crate) fn follow_up(argv: &[String], host: &Host, options: &BuildOptions) -> Command {
    // The first two are the program and the option that would make it ignore these very options.
    let mut defaults = emerge(options, Binaries::Use).split_off(2);
    defaults.extend(exclusions(options));
    defaults.extend(options.args.iter().map(|arg| shell_quote(arg)));
    let mut env = of_build(options, features(host, &[]));
    set(&mut env, "EMERGE_DEFAULT_OPTS", defaults.join(" "));
    Command { argv: argv.to_vec(), env, private: false }
}

/// Merges one version again: its merge was cut short, or its `pkg_postinst` failed. Files of others are as protected
/// as the configuration says.
pub(crate) fn remerge(package: &Cpv, host: &Host, options: &BuildOptions) -> Command {
    merge_anew(package, Binaries::Use, &[], host, options)
}

/// Merges the binary package again whose files were being copied when its merge was cut short
/// ([`is_same_build`](super::files::leftovers::is_same_build)).
///
/// Some of its files are on the system but in no record, so `collision-protect` would refuse them
/// (`portage/emaint/modules/merges/merges.py`). Files that another package owns are refused as before.
pub(crate) fn merge_over(package: &Cpv, host: &Host, options: &BuildOptions) -> Command {
    merge_anew(package, Binaries::Only, &["-collision-protect", "protect-owned"], host, options)
}

/// Builds a version once more, without installing anything: what it needs has to be there as it is, or emerge refuses.
pub(crate) fn beside(package: &Cpv, host: &Host, options: &BuildOptions) -> Command {
    // No option of the user may have it installed, or something else built.
    let options = BuildOptions { args: Vec::new(), exclude: Vec::new(), ..options.clone() };
    let mut argv = emerge(&options, Binaries::Ignore);
    argv.extend(["--oneshot", "--buildpkgonly"].map(str::to_owned));
    finish(argv, &options, &[package.atom()], features(host, &[]))
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

/// What a run does with the binary packages that are already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binaries {
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
    Command { argv, env: of_build(options, features), private: false }
}

fn exclusions(options: &BuildOptions) -> impl Iterator<Item = String> {
    options
        .exclude
        .iter()
        .filter_map(|atom| exclude::exclude_atom(atom))
        .map(|atom| format!("--exclude={atom}"))
}

/// The environment of whatever builds.
fn of_build(options: &BuildOptions, features: String) -> Vec<(String, String)> {
    let mut env = environment();
    // First, so that the FEATURES of the container can switch it off.
    let added = options.ccache.iter().map(|_| CCACHE.to_owned());
    set(&mut env, "FEATURES", added.chain([features]).collect::<Vec<_>>().join(" "));
    for (name, value) in options.ccache.iter().flat_map(Ccache::variables) {
        set(&mut env, name, value);
    }
    env
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
