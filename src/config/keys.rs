//! The table of the keys: name, type, default, and how a value is read. A key is a line of it, and a line of
//! `etc/gbsup.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::build::{self, Jobs, LoadAverage};
use super::ccache::{self, CacheSize};
use super::http::{self, Peer};
use super::notify::{self, News, Posted, Url};
use super::publish::{self, Publisher, SignKey, Tree};
use super::rebuild::{self, FollowUp, Linked};
use super::slot::Slot;
use super::values::{self, DAY, HOUR, MINUTE, Shown, YEAR, as_it_is};
use crate::portage::files::elf::Kernel;
use crate::portage::names::atom::Provided;
use crate::words::words;

/// `key: Type = default, method(reader)`; the method is one of [`Slot`]. How a value is written is its type's [`Shown`].
macro_rules! keys {
    ($($(#[$about:meta])* $section:ident: $(#[$on:meta])* struct $Section:ident {
        $($(#[$doc:meta])* $key:ident: $kind:ty = $default:expr, $way:ident($($read:expr),*);)*
    })*) => {
        /// Every section with its keys, in the order in which they are shown.
        pub(super) const KEYS: &[(&str, &[&str])] = &[$((stringify!($section), &[$(stringify!($key)),*])),*];

        /// Everything that can be configured.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Config {
            $($(#[$about])* pub $section: $Section,)*
        }

        $(
            #[doc = concat!("`[", stringify!($section), "]`")]
            $(#[$on])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section {
                $($(#[$doc])* pub $key: $kind,)*
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $($key: $default,)* }
                }
            }
        )*

        impl Config {
            /// Reads a value into the field of its key.
            pub(super) fn set(&mut self, mut slot: Slot) {
                match (slot.section, slot.key) {
                    $($((stringify!($section), stringify!($key)) => {
                        slot.$way($($read,)* &mut self.$section.$key);
                    })*)*
                    _ => {}
                }
            }

            /// Each value as it is written in the file, in the order of [`KEYS`].
            pub(super) fn shown(&self) -> Vec<Vec<Value>> {
                vec![$(vec![$(self.$section.$key.shown()),*]),*]
            }
        }
    };
}

keys! {
    /// Where the packages go.
    volume: struct Volume {
        /// The directory that must survive; absolute.
        path: PathBuf = "/var/lib/gbsup".into(), one(values::absolute);
    }
    /// When cycles begin.
    cycle: struct Cycle {
        /// How long to wait between the end of a cycle and the next one; `None`: until somebody asks.
        interval: Option<Duration> = Some(Duration::from_hours(24)), one(values::interval::<YEAR>);
        /// Whether a cycle begins when the container starts.
        on_start: bool = true, one(values::boolean);
    }
    /// How the repositories are synced.
    sync: struct Sync {
        /// The command and its arguments; empty: eix-sync when installed, else `emaint sync -a`.
        command: Vec<String> = Vec::new(), list(values::word);
        /// Never sync oftener than this unless somebody asks.
        min_interval: Duration = Duration::from_hours(24), one(values::duration::<0, YEAR>);
        /// How long to wait before each further attempt.
        retries: Vec<Duration> = retries(), list(values::duration::<1, DAY>);
        /// What to do when the last attempt failed too.
        on_failure: OnFailure = OnFailure::Continue, one(values::choice);
    }
    /// What is built, and how hard the machine works at it.
    build: struct Build {
        /// Sets and atoms; never empty.
        targets: Vec<String> = vec!["@world".into()], some("at least one set or atom", build::target);
        /// Packages built at the same time.
        jobs: Jobs = Jobs::Auto, one(build::jobs);
        /// No further package is started while the machine's load is above this.
        load_average: LoadAverage = LoadAverage::Auto, one(build::load_average);
        /// Further arguments for emerge.
        args: Vec<String> = Vec::new(), list(build::argument);
        /// Build what can be built although a package failed.
        keep_going: bool = true, one(values::boolean);
        /// What prints nothing and uses no processor for so long is stopped; `None`: nothing is.
        stall: Option<Duration> = Some(Duration::from_hours(2)), one(values::interval::<YEAR>);
        /// Names of variables of the container that Portage gets besides those it documents.
        environment: Vec<String> = Vec::new(), list(build::variable);
    }
    /// What compilers have compiled before.
    ccache: #[derive(Copy, Eq)] struct Ccache {
        /// How much room that may take on the volume.
        size: CacheSize = CacheSize::None, one(ccache::size);
    }
    /// What follows a build.
    rebuild: struct Rebuild {
        /// When a package is built anew because of a library that it links to.
        linked: Linked = Linked::Abi, one(values::choice);
        /// What to run before anything else is rebuilt, in order.
        commands: Vec<FollowUp> = rebuild::perl_cleaner(), follow_ups();
    }
    /// What is done about a failure before a person is asked.
    remedy: struct Remedy {
        /// How long to wait before each further attempt to build a package whose sources could not be
        /// fetched for a reason that may pass; empty: no further attempt.
        fetch: Vec<Duration> = retries(), list(values::duration::<1, DAY>);
        /// Build a package that ran out of memory again, alone: with half the jobs, then with one.
        out_of_memory: bool = true, one(values::boolean);
        /// Build one of several packages that need each other with other USE flags first, as Portage suggests.
        circular: bool = true, one(values::boolean);
        /// Build a package that had stalled once more.
        stalled: bool = true, one(values::boolean);
        /// Set a damaged binary package aside and build it from source.
        binpkg_corrupt: bool = true, one(values::boolean);
        /// Remove what `[prune]` does not keep when no space is left, and go on if that freed any.
        disk_full: bool = true, one(values::boolean);
    }
    /// What clients are offered.
    publish: struct Publish {
        /// Publish what is good although something is not; otherwise the builder pauses for that.
        hold_back: bool = true, one(values::boolean);
        /// What clients have anyway, so that it need not be offered.
        provided: Vec<Provided> = Vec::new(), list(values::provided);
        /// How many releases are kept; at least 1. The current one and the one before always are, and what was
        /// current within the last 24 hours.
        keep: u32 = 5, one(values::number::<_, 1, { u64::MAX }>);
        /// Leave out what may not be handed on: RESTRICT with `bindist`, and licences that are not in the group
        /// `BINARY-REDISTRIBUTABLE` of the repositories.
        redistributable_only: bool = false, one(values::boolean);
        /// The oldest kernel that a client runs; it is told when a package demands a newer one.
        client_kernel: Option<Kernel> = None, one(values::kernel);
        /// The GnuPG home with the key that packages are signed with, or a file that it was exported to; absolute. Where it has its default and nothing is in it, the key on
        /// the volume counts.
        gpg_home: PathBuf = "/var/lib/gbsup-key".into(), one(values::absolute);
        /// Which key of it.
        sign_key: SignKey = SignKey::Only, one(publish::sign_key);
        /// Which ebuild repositories clients can sync from the releases; empty: none.
        trees: Vec<Tree> = vec![Tree::Public], list(publish::tree);
        /// Who makes releases.
        by: Publisher = Publisher::Builder, one(values::choice);
    }
    /// The clients that the builder knows.
    clients: struct Clients {
        /// Those for which a package is also built with the USE flags that they have.
        build_for: Vec<String> = Vec::new(), list(values::client);
    }
    /// Who compiles besides.
    helpers: #[derive(Copy)] struct Helpers {
        /// What hands files to other machines.
        engine: Engine = Engine::None, one(values::choice);
    }
    /// What is removed in the course of time.
    prune:
    /// How old things become before they go; `None`: they stay.
    struct Prune {
        /// Logs of packages and of steps.
        logs: Option<Duration> = Some(days(90)), one(values::interval::<YEAR>);
        /// How many bytes all logs may take together; `None`: as many as there are.
        log_size: Option<u64> = Some(4 << 30), one(values::size);
        /// How many bytes Portage's `emerge.log` may have; `None`: as many as there are.
        emerge_log: Option<u64> = Some(64 << 20), one(values::size);
        /// Cycles in the history.
        history: Option<Duration> = Some(days(730)), one(values::interval::<{ 20 * YEAR }>);
        /// Source files to which no Manifest of any repository refers.
        distfiles: Option<Duration> = Some(days(60)), one(values::interval::<YEAR>);
        /// How many bytes those may take together; `None`: as many as there are.
        distfile_size: Option<u64> = None, one(values::size);
        /// What failed builds left in Portage's build directory.
        leftovers: Option<Duration> = Some(days(7)), one(values::interval::<YEAR>);
        /// Binary packages that nothing needs any more.
        binpkgs: Option<Duration> = Some(days(30)), one(values::interval::<YEAR>);
        /// How many bytes those may take together; `None`: as many as there are.
        binpkg_size: Option<u64> = None, one(values::size);
        /// Binary packages that were set aside because they were damaged.
        quarantine: Option<Duration> = Some(days(30)), one(values::interval::<YEAR>);
        /// The most that goes at once of each kind, in per cent of its files, from 1 to 100.
        cap: u8 = 50, one(values::number::<_, 1, 100>);
    }
    /// How the builder stops.
    stop: struct Stop {
        /// How long a stop may take before what is left is killed. Docker kills after 10 s.
        grace: Duration = Duration::from_secs(8), one(values::duration::<1, HOUR>);
    }
    /// What clients are served on.
    http: #[derive(Eq)] struct Http {
        /// Where clients are answered; `None`: nowhere.
        listen: Option<SocketAddr> = Some(SocketAddr::from(([0, 0, 0, 0], 8080))), one(http::listen);
        /// Where clients find the packages, without a slash at the end; empty: they are told a guess.
        url: String = String::new(), one(http::url);
        /// Connections at the same time; at least 1.
        max_connections: u16 = 256, one(values::number::<_, 1, 65_535>);
        /// Pages that are open at the same time, beside them.
        max_pages: u16 = 512, one(values::number::<_, 0, 65_535>);
        /// Whether everybody who reaches the server may read the logs of builds and steps.
        logs: bool = false, one(values::boolean);
        /// Whether everybody who reaches the server may fetch the source archives that are on the volume.
        distfiles: bool = false, one(values::boolean);
        /// Other builders, which are shown beside this one.
        peers: Vec<Peer> = Vec::new(), distinct(http::PEERS, http::peer);
    }
    /// Who is told what.
    notify: struct Notify {
        /// What the builder is called in a message.
        name: String = "gbsup".into(), one(values::word);
        /// What people are told.
        events: Vec<News> = notify::EVENTS.to_vec(), list(values::choice);
        /// The program that is given each message, and its arguments; empty: none.
        command: Vec<String> = Vec::new(), list(values::word);
        /// Where each message is posted to.
        webhook: Option<Url> = None, one(notify::url);
        /// What is posted there.
        webhook_format: Posted = Posted::Auto, one(values::choice);
        /// No further message before this long after one.
        cooldown: Duration = Duration::from_mins(10), one(values::duration::<0, DAY>);
        /// How long the command or a request may take before it is killed.
        timeout: Duration = Duration::from_secs(30), one(values::duration::<1, { 10 * MINUTE }>);
        /// What is requested again and again as long as no failure holds the builder.
        heartbeat: Option<Url> = None, one(notify::url);
        /// How often.
        heartbeat_interval: Duration = Duration::from_mins(5), one(values::duration::<1, { 7 * DAY }>);
    }
    /// What the log says.
    log: #[derive(Copy)] struct Log {
        /// The least important message that is logged.
        level: Level = Level::Info, one(values::choice);
        /// How a message looks.
        format: Format = Format::Text, one(values::choice);
    }
}

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

fn retries() -> Vec<Duration> {
    [1, 5, 15].map(Duration::from_mins).to_vec()
}

/// What to do when the repositories cannot be synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Build the old tree and say so.
    #[default]
    Continue,
    /// Pause for a person.
    Pause,
}

/// `helpers.engine`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Nothing: all is compiled here.
    #[default]
    None,
    /// icecream, whose helpers are sent the compiler that is used here.
    Icecream,
    /// distcc, whose helpers use their own one: only those where it is proved to be the same.
    Distcc,
}

/// `log.level`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are the documentation")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// `log.format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

words!(Level, Format);
as_it_is!(Engine, FollowUp, Format, Level, Linked, News, OnFailure, Posted, Publisher);
