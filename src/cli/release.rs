//! The arguments of what is about releases, and the key that signs them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::release::Id;

/// `gbsup releases`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Of its own are the bytes of a release that are in no other one. Piped, the columns are separated by tabs.")]
pub struct ReleasesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Say something of one
    #[command(subcommand)]
    pub verb: Option<ReleasesVerb>,
}

/// What a person says of a release.
#[derive(Debug, Subcommand)]
pub enum ReleasesVerb {
    /// Give a release a name, which any other loses
    Tag {
        /// The release
        release: Id,
        /// Its names
        #[arg(required = true, value_name = "NAME", value_parser = tag)]
        tags: Vec<String>,
        /// Take them away
        #[arg(long)]
        remove: bool,
    },
    /// Write a sentence beside a release; none: take it away
    Note {
        /// The release
        release: Id,
        /// The words
        text: Vec<String>,
    },
    /// Keep a release, however many newer ones there are
    Keep {
        /// The release
        release: Id,
        /// Let it go again
        #[arg(long)]
        not: bool,
    },
}

/// A name that needs no quotes anywhere.
fn tag(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.chars().all(plain) && (1..=64).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("expected up to 64 letters, digits, dots, dashes and underscores".to_owned())
    }
}

/// `gbsup bisect`
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = "\
Example:
  gbsup bisect 2026-11-20.1 2026-11-25.1

It names the release in the middle and what is different in the bad one. A client tries that release; the two lines that
follow say what to type when it is good and when it is bad, until one release is left and its packages.")]
pub struct BisectArgs {
    /// A release that works
    #[arg(value_name = "GOOD")]
    pub good: Id,
    /// A newer one that does not
    #[arg(value_name = "BAD")]
    pub bad: Id,
}

/// `gbsup diff`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gbsup diff
  gbsup diff 2026-11-22.1
  gbsup diff 2026-11-20.1 2026-11-22.1

Without names it compares the current release with the one before. Piped, there is one line per package.")]
pub struct DiffArgs {
    /// The release to compare with
    #[arg(value_name = "A")]
    pub from: Option<Id>,
    /// The release to be told about
    #[arg(value_name = "B")]
    pub to: Option<Id>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gbsup rollback`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gbsup rollback
  gbsup rollback 2026-11-20.1

Without a name it goes back to the one before the current release. It becomes a new release of the same
files, since Portage takes no index that is older than the one it has. It works at once, also while
something is built, but for what it says before of each client that is known (gbsup clients): that takes a minute at most; the next cycle that is done publishes again what is new. If clients trust another key by now,
the packages are signed with that.")]
pub struct RollbackArgs {
    /// The release to go back to
    #[arg(value_name = "RELEASE")]
    pub to: Option<Id>,
    /// Leave its signatures as they are, although clients trust another key now
    #[arg(long)]
    pub unsigned: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gbsup publish`
#[derive(Args, Debug)]
#[command(after_help = "\
The builder does it as soon as it waits: it looks at what is good and publishes that, which takes a while; --wait
returns when it is done, and fails with 1 when the builder pauses instead. With --once this command does it itself, also while the builder
is paused, or in a container that has nothing but the volume: it publishes what was found good last
(state/offer.json), and needs no Portage.")]
pub struct PublishArgs {
    /// Do it here and now, without asking the builder
    #[arg(long)]
    pub once: bool,
    /// Return when it is published
    #[arg(long, conflicts_with = "once")]
    pub wait: bool,
    /// Print JSON; with --once
    #[arg(long, requires = "once")]
    pub json: bool,
}

/// `gbsup verify`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gbsup verify --all
  gbsup verify --release --keyring /etc/gbsup/gbsup.asc

A package that was found good is read again when its file has changed, or with --all, which also
finds what a bad disk did. It fails with 5 when something is wrong.

Of a release everything is read, and of a signed one the signatures, too. Whoever could change its files
could change the key beside it as well: with --keyring they have to be by a key that is kept elsewhere.")]
pub struct VerifyArgs {
    /// Read every package, whatever is known of it
    #[arg(long, conflicts_with = "release")]
    pub all: bool,
    /// Check a release, the one that clients are offered when none is named
    #[arg(long, value_name = "RELEASE", num_args = 0..=1)]
    pub release: Option<Option<Id>>,
    /// Every package has to be signed by a key of this file
    #[arg(long, value_name = "FILE", requires = "release")]
    pub keyring: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gbsup key`
#[derive(Clone, Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a key without a pass phrase in publish.gpg_home, which root alone can read
    #[command(after_help = "\
Example:
  docker run --rm -v gbsup-key:/var/lib/gbsup-key gbsup/builder key init

Without it the builder makes a key on its own volume, with its first release. A key elsewhere is worth more:
whatever is built as root could read the one on the volume. Nothing is done when there is a key already.
Keep a copy of the directory: clients that trust this key refuse what another one signs.")]
    Init {
        /// Whose it is
        #[arg(long, default_value = "gbsup packages")]
        name: String,
        /// How long it signs: 2y, 6m, never; it can be made longer any time
        #[arg(long, default_value = "2y")]
        expire: String,
    },
    /// Show the key, when it expires, and what clients do to trust it
    #[command(after_help = "\
It fails with 5 when the key cannot be used, or expires within 60 days.")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
