//! The lines by which Portage's problems are known, and which of the lines that follow belong to them.
//!
//! Each row of `MARKERS` is a line that Portage prints for one reason only; the module it comes from
//! stands beside it.

use ProblemKind as K;
use Subject as S;

/// Where on the marker line the subject is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    None,
    /// Between the first two of these bytes.
    Between(u8),
    /// The word after the prefix, up to a space.
    Word,
    /// Everything after the prefix.
    Rest,
    /// The first word of the next line that is not blank and does not start with `!!!`.
    NextLine,
}

/// Which of the following lines belong to the problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// None.
    Line,
    /// Those that eerror wrote (` * `).
    Stars,
    /// Those that start with `!!!`.
    Bangs,
    /// All, until emerge goes on to something else.
    Text,
    /// A Python traceback: up to the first line that is not indented.
    Traceback,
}

/// A line, and what it means.
pub(crate) struct Marker {
    /// How it begins.
    pub(crate) starts: &'static [u8],
    /// What else is in it; empty: nothing.
    pub(crate) contains: &'static [u8],
    /// What it is about.
    pub(crate) kind: ProblemKind,
    /// Where its subject is.
    pub(crate) subject: Subject,
    /// What follows it.
    pub(crate) span: Span,
}

const fn marker(
    kind: ProblemKind,
    starts: &'static str,
    contains: &'static str,
    subject: Subject,
    span: Span,
) -> Marker {
    Marker { starts: starts.as_bytes(), contains: contains.as_bytes(), kind, subject, span }
}

#[rustfmt::skip]
pub(crate) const MARKERS: &[Marker] = &[
    // _emerge/depgraph.py: _show_circular_deps, _show_unsatisfied_blockers, _show_unsatisfied_dep.
    marker(K::Circular, " * Error: circular dependencies:", "", S::None, Span::Text),
    marker(K::Blocker, " * Error: The above package list contains packages", "", S::None, Span::Text),
    marker(K::Masked, "!!! All ebuilds that could satisfy ", "have been masked", S::Between(b'"'), Span::Text),
    marker(K::Masked, "!!! All binary packages that could satisfy ", "have been masked", S::Between(b'"'), Span::Text),
    marker(K::Missing, "emerge: there are no ebuilds to satisfy ", "", S::Between(b'"'), Span::Text),
    marker(K::Missing, "emerge: there are no binary packages to satisfy ", "", S::Between(b'"'), Span::Text),
    marker(K::UseChange, "emerge: there are no ebuilds built with USE flags to satisfy ", "", S::Between(b'"'), Span::Text),
    marker(K::RequiredUse, "!!! The ebuild selected to satisfy ", "has unmet requirements", S::Between(b'"'), Span::Text),
    // _emerge/resolver/slot_collision.py: _prepare_conflict_msg_and_check_for_specificity.
    marker(K::SlotConflict, "!!! Multiple package instances within a single package slot", "", S::NextLine, Span::Text),
    // _emerge/depgraph.py: _display_autounmask, display_problems, _show_missed_update.
    marker(K::Autounmask, "The following ", " are necessary to proceed:", S::Word, Span::Text),
    marker(K::WorldAtomGone, "!!! Problems have been detected with your world file", "", S::None, Span::Text),
    marker(K::WorldAtomGone, "!!! Ebuilds for the following packages are either all", "", S::NextLine, Span::Text),
    // portage/dbapi/dep_expand.py and others, by way of portage/versions.py.
    marker(K::Category, "!!! '", "' has a category that is not listed in ", S::Between(b'\''), Span::Line),
    marker(K::Skipped, "!!! The following update", "been skipped", S::NextLine, Span::Text),
    marker(K::Skipped, "WARNING: One or more updates/rebuilds have been skipped", "", S::None, Span::Text),
    // _emerge/actions.py: missing_sets_warning, run_action, action_build; _emerge/main.py; argparse.
    marker(K::Missing, "emerge: There are no sets to satisfy ", "", S::Between(b'\''), Span::Text),
    marker(K::Config, "!!! The set '", "contains a non-existent set", S::Between(b'\''), Span::Bangs),
    marker(K::Config, "emerge: the given set '", "' contains a non-existent set named ", S::Between(b'\''), Span::Text),
    marker(K::Config, "!!! '", "is not a valid package atom", S::Between(b'\''), Span::Bangs),
    marker(K::Config, "!!! The short ebuild name ", "is ambiguous", S::Between(b'"'), Span::Text),
    marker(K::Config, "emerge: error: ", "", S::Rest, Span::Line),
    // portage/util/__init__.py: getconfig, with the place that shlex gives.
    marker(K::Config, "\"/", "\", line ", S::Between(b'"'), Span::Line),
    marker(K::Profile, "!!! Unable to parse profile: ", "", S::Between(b'\''), Span::Bangs),
    marker(K::Profile, "!!! Your current profile is invalid", "", S::None, Span::Bangs),
    marker(K::ReadOnly, "!!! Read-only file system: ", "", S::Rest, Span::Line),
    marker(K::Config, "!!! BINPKG_GPG_SIGNING_", " is not set", S::None, Span::Line),
    marker(K::Resolver, "!!! Dependency calculation in a child process failed: ", "", S::Rest, Span::Line),
    marker(K::Resume, " * One or more packages are either masked or have missing", "", S::None, Span::Stars),
    marker(K::Resume, " * Invalid resume list:", "", S::None, Span::Stars),
    marker(K::Resume, " * An expected package is not available", "", S::None, Span::Stars),
    // portage/package/ebuild/doebuild.py: _check_temp_dir; _emerge/Scheduler.py: merge, _can_add_job.
    marker(K::Tmpdir, " * The directory specified in your PORTAGE_TMPDIR variable", "", S::None, Span::Stars),
    marker(K::Tmpdir, "The directory specified in your PORTAGE_TMPDIR variable, ", "", S::Between(b'\''), Span::Line),
    marker(K::Tmpdir, "Can not execute files in ", "", S::Rest, Span::Line),
    marker(K::LowSpace, "--- ", " has insufficient free space, emerge job parallelism reduced", S::Word, Span::Line),
    // portage/package/ebuild/fetch.py: async_fetch; _emerge/EbuildFetcher.py: _proc_join_done.
    marker(K::Fetch, "!!! Couldn't download '", "Aborting", S::Between(b'\''), Span::Line),
    marker(K::Fetch, " * Fetch failed for '", "", S::Between(b'\''), Span::Stars),
    marker(K::FetchRestricted, "!!! ", " has fetch restriction turned on.", S::Word, Span::Text),
    marker(K::Verify, "!!! Fetched file: ", " VERIFY FAILED!", S::Word, Span::Bangs),
    marker(K::Verify, "!!! Previously fetched file: '", "", S::Between(b'\''), Span::Bangs),
    marker(K::Fetch, "Warning: No mirrors available for file '", "", S::Between(b'\''), Span::Line),
    marker(K::DiskFull, "!!! Insufficient space to store ", "", S::Word, Span::Line),
    // portage/package/ebuild/digestcheck.py, doebuild.py; _emerge/BinpkgVerifier.py.
    marker(K::Verify, "!!! Digest verification failed:", "", S::NextLine, Span::Bangs),
    marker(K::Verify, " * Digest verification failed:", "", S::None, Span::Stars),
    marker(K::Verify, "!!! A file is not listed in the Manifest: '", "", S::Between(b'\''), Span::Bangs),
    marker(K::Verify, "!!! A file listed in the Manifest could not be found: ", "", S::Rest, Span::Bangs),
    marker(K::Verify, "!!! Missing digest for '", "", S::Between(b'\''), Span::Bangs),
    // portage/package/ebuild/doebuild.py: doebuild, when metadata is read; the ebuild is masked by "corruption" then.
    marker(K::Manifest, " * Manifest not found for '", "", S::Between(b'\''), Span::Line),
    marker(K::Manifest, " * Missing digest for '", "", S::Between(b'\''), Span::Line),
    marker(K::Manifest, " * A file listed in the Manifest could not be found: '", "", S::Between(b'\''), Span::Line),
    // portage/dbapi/bintree.py: _populate_local, inject; _emerge/BinpkgFetcher.py.
    marker(K::Binpkg, "!!! Tried to use non-existent binary for '", "", S::Between(b'\''), Span::Bangs),
    marker(K::Binpkg, "!!! Invalid binary package: '", "", S::Between(b'\''), Span::Bangs),
    // _emerge/Binpkg.py: _unpack_metadata_exit, _unpack_contents_exit.
    marker(K::Binpkg, "!!! Error extracting '", "", S::Between(b'\''), Span::Line),
    // portage/dbapi/vartree.py: treewalk, which wraps what follows the name of the package.
    marker(K::Collision, " * Detected file collision(s):", "", S::NextLine, Span::Stars),
    marker(K::Collision, " * Package '", "' has internal", S::None, Span::Stars),
    marker(K::Collision, " * Package '", "' has one", S::None, Span::Stars),
    // _emerge/AbstractEbuildProcess.py: _killed_by_signal, _unexpected_exit.
    marker(K::Killed, " * The ebuild phase '", "has been killed by signal ", S::None, Span::Line),
    marker(K::UnexpectedExit, " * The ebuild phase '", "has exited", S::Between(b'\''), Span::Stars),
    // bin/emerge: main; _emerge/Scheduler.py: merge.
    marker(K::Interrupted, "Exiting on signal ", "", S::Word, Span::Line),
    marker(K::ReadOnly, "Permission denied: '", "", S::Between(b'\''), Span::Line),
    marker(K::Traceback, "Traceback (most recent call last):", "", S::None, Span::Traceback),
];

/// With any of these emerge has gone on to something else.
pub(crate) const ENDS: &[&[u8]] = &[
    b">>> ",
    b"*** Resuming merge",
    b"Calculating dependencies",
    b"Nothing to merge; quitting",
    b" done!",
    b"Dependency resolution took ",
    b"These are the packages that would be",
    b"For more information, see",
    b"For more information about Blocked Packages",
    b" * IMPORTANT: ",
    b" * Messages for package ",
    b" * After world updates",
    b"[ebuild ",
    b"[binary ",
    b"[blocks ",
    b"Total: ",
];

/// What kind of problem a text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// Packages that need each other to be built.
    Circular,
    /// Two versions wanted in one slot.
    SlotConflict,
    /// Packages that may not be installed together.
    Blocker,
    /// Every candidate is masked: by a mask, a keyword, a licence.
    Masked,
    /// No ebuild, binary package or set of this name.
    Missing,
    /// A dependency wants USE flags that are not set.
    UseChange,
    /// The USE flags of one package contradict each other.
    RequiredUse,
    /// Changes of configuration that Portage proposes and does not make.
    Autounmask,
    /// An atom of the world file for which the tree has nothing any more. Not fatal.
    WorldAtomGone,
    /// A package whose category no repository lists, so that Portage does not see it. Not fatal.
    Category,
    /// Updates left out because of a conflict. Not fatal.
    Skipped,
    /// A file could not be downloaded.
    Fetch,
    /// A file that a person has to download.
    FetchRestricted,
    /// A file whose size or digest is wrong.
    Verify,
    /// An ebuild that its Manifest does not describe: Portage goes on without it. Not fatal.
    Manifest,
    /// Files that another package owns; [`Problem::subject`](super::problem::Problem::subject) is the first of them.
    Collision,
    /// A phase was killed by a signal; [`Problem::subject`](super::problem::Problem::subject) is its number.
    Killed,
    /// A phase ended without a word; often a full disk.
    UnexpectedExit,
    /// A binary package that is damaged, or in the index only.
    Binpkg,
    /// A binary package that is whole and was refused; whoever looked at it has put the reason into the first line.
    Unusable,
    /// What is left to do could not be worked out again after a failure.
    Resume,
    /// The profile is invalid.
    Profile,
    /// A file system is mounted read-only.
    ReadOnly,
    /// `PORTAGE_TMPDIR` is missing or unusable.
    Tmpdir,
    /// Anything else that has to be put right in the configuration or the command line.
    Config,
    /// A file system is full.
    DiskFull,
    /// Little space is left in `PORTAGE_TMPDIR`; fewer jobs run. Not fatal.
    LowSpace,
    /// The process that resolves dependencies died; killed for its memory, as a rule.
    Resolver,
    /// emerge was told to stop; [`Problem::subject`](super::problem::Problem::subject) is the signal's number.
    Interrupted,
    /// Portage itself failed.
    Traceback,
}

impl ProblemKind {
    /// Whether emerge carries on as if nothing had happened.
    pub(crate) fn is_notice(self) -> bool {
        matches!(self, Self::WorldAtomGone | Self::Category | Self::Skipped | Self::LowSpace | Self::Manifest)
    }
}
