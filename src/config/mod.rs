//! Configuration: defaults, then the file, then the environment.
//!
//! [`check()`] is pure: text and variables in, a [`Config`] or every problem at once out, each with
//! its line and its reason. Nothing here is read twice, so a running supervisor keeps the old
//! configuration simply by keeping the old value.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use serde::Serialize;

mod check;
mod http;
mod notify;
mod publish;
mod rebuild;
mod secrets;
mod show;
#[cfg(test)]
mod tests;
mod values;

pub use check::{Problem, Problems, check};
pub use http::{Http, location};
pub use notify::{News, Notify, Posted, Url};
pub use publish::{Publish, Publisher, SignKey};
pub use rebuild::{FollowUp, Linked, Rebuild};
pub use secrets::{exposed, in_environment};
pub use show::show;

/// Where the file is when `GBSUP_CONFIG` says nothing else.
pub const DEFAULT_FILE: &str = "/etc/gbsup/gbsup.toml";

/// As much of the file is read, in bytes.
const MOST: u64 = 2 << 20;

/// Names the file to read instead of [`DEFAULT_FILE`].
pub const FILE_VARIABLE: &str = "GBSUP_CONFIG";

/// Every section with its keys, in the order in which they are shown.
const KEYS: &[(&str, &[&str])] = &[
    ("volume", &["path"]),
    ("cycle", &["interval", "on_start"]),
    ("sync", &["command", "min_interval", "retries", "on_failure"]),
    ("build", &["targets", "jobs", "load_average", "args", "keep_going", "stall", "environment"]),
    ("rebuild", &["linked", "commands"]),
    ("remedy", &["fetch", "out_of_memory", "circular", "stalled", "binpkg_corrupt", "disk_full"]),
    (
        "publish",
        &[
            "hold_back",
            "provided",
            "keep",
            "redistributable_only",
            "client_kernel",
            "gpg_home",
            "sign_key",
            "by",
        ],
    ),
    (
        "prune",
        &[
            "logs",
            "log_size",
            "emerge_log",
            "history",
            "distfiles",
            "distfile_size",
            "leftovers",
            "binpkgs",
            "binpkg_size",
            "quarantine",
            "cap",
        ],
    ),
    ("stop", &["grace"]),
    ("http", &["listen", "url", "max_connections", "max_pages"]),
    (
        "notify",
        &[
            "name",
            "events",
            "command",
            "webhook",
            "webhook_format",
            "cooldown",
            "timeout",
            "heartbeat",
            "heartbeat_interval",
        ],
    ),
    ("log", &["level", "format"]),
];

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Config {
    /// Where the packages go.
    pub volume: Volume,
    /// When cycles begin.
    pub cycle: Cycle,
    /// How the repositories are synced.
    pub sync: Sync,
    /// What is built, and how hard the machine works at it.
    pub build: Build,
    /// What follows a build.
    pub rebuild: Rebuild,
    /// What is done about a failure before a person is asked.
    pub remedy: Remedy,
    /// What clients are offered.
    pub publish: Publish,
    /// What is removed in the course of time.
    pub prune: Prune,
    /// How the builder stops.
    pub stop: Stop,
    /// What clients are served on.
    pub http: Http,
    /// Who is told what.
    pub notify: Notify,
    /// What the log says.
    pub log: Log,
}

/// `[volume]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// The directory that must survive; absolute.
    pub path: PathBuf,
}

/// `[cycle]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cycle {
    /// How long to wait between the end of a cycle and the next one; `None`: until somebody asks.
    #[serde(serialize_with = "values::serialize_interval")]
    pub interval: Option<Duration>,
    /// Whether a cycle begins when the container starts.
    pub on_start: bool,
}

/// `[sync]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sync {
    /// The command and its arguments; empty: eix-sync when installed, else `emaint sync -a`.
    pub command: Vec<String>,
    /// Never sync oftener than this unless somebody asks.
    #[serde(serialize_with = "values::serialize_duration")]
    pub min_interval: Duration,
    /// How long to wait before each further attempt.
    #[serde(serialize_with = "values::serialize_durations")]
    pub retries: Vec<Duration>,
    /// What to do when the last attempt failed too.
    pub on_failure: OnFailure,
}

/// What to do when the repositories cannot be synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Build the old tree and say so.
    #[default]
    Continue,
    /// Pause for a person.
    Pause,
}

/// `[build]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Build {
    /// Sets and atoms; never empty.
    pub targets: Vec<String>,
    /// Packages built at the same time.
    pub jobs: Jobs,
    /// No further package is started while the machine's load is above this.
    pub load_average: LoadAverage,
    /// Further arguments for emerge.
    pub args: Vec<String>,
    /// Build what can be built although a package failed.
    pub keep_going: bool,
    /// What prints nothing and uses no processor for so long is stopped; `None`: nothing is.
    #[serde(serialize_with = "values::serialize_interval")]
    pub stall: Option<Duration>,
    /// Names of variables of the container that Portage gets besides those it documents.
    pub environment: Vec<String>,
}

/// `build.jobs`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jobs {
    /// One per CPU.
    #[default]
    Auto,
    /// That many; at least 1.
    Exactly(u32),
}

impl Jobs {
    /// The number, on a machine with so many CPUs.
    #[must_use]
    pub fn on(self, cpus: u32) -> u32 {
        match self {
            Self::Auto => cpus.max(1),
            Self::Exactly(jobs) => jobs,
        }
    }
}

/// `build.load_average`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LoadAverage {
    /// Two above the number of CPUs. One package alone keeps the load at that number, so a limit of
    /// just that many makes each further one wait for it (`_emerge/Scheduler.py:_can_add_job`).
    #[default]
    Auto,
    /// No limit.
    None,
    /// That much; above 0.
    Limit(f64),
}

impl LoadAverage {
    /// The limit, on a machine with so many CPUs.
    #[must_use]
    pub fn on(self, cpus: u32) -> Option<f64> {
        match self {
            Self::Auto => Some(f64::from(cpus.max(1).saturating_add(2))),
            Self::None => None,
            Self::Limit(limit) => Some(limit),
        }
    }
}

/// `[remedy]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "one switch for each remedy")]
pub struct Remedy {
    /// How long to wait before each further attempt to build a package whose sources could not be
    /// fetched for a reason that may pass; empty: no further attempt.
    #[serde(serialize_with = "values::serialize_durations")]
    pub fetch: Vec<Duration>,
    /// Build a package that ran out of memory again, alone: with half the jobs, then with one.
    pub out_of_memory: bool,
    /// Build one of several packages that need each other with other USE flags first, as Portage suggests.
    pub circular: bool,
    /// Build a package that had stalled once more.
    pub stalled: bool,
    /// Set a damaged binary package aside and build it from source.
    pub binpkg_corrupt: bool,
    /// Remove what `[prune]` does not keep when no space is left, and go on if that freed any.
    pub disk_full: bool,
}

/// `[prune]`: how old things become before they go; `None`: they stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prune {
    /// Logs of packages and of steps.
    #[serde(serialize_with = "values::serialize_interval")]
    pub logs: Option<Duration>,
    /// How many bytes all logs may take together; `None`: as many as there are.
    #[serde(serialize_with = "values::serialize_size")]
    pub log_size: Option<u64>,
    /// How many bytes Portage's `emerge.log` may have; `None`: as many as there are.
    #[serde(serialize_with = "values::serialize_size")]
    pub emerge_log: Option<u64>,
    /// Cycles in the history.
    #[serde(serialize_with = "values::serialize_interval")]
    pub history: Option<Duration>,
    /// Source files to which no Manifest of any repository refers.
    #[serde(serialize_with = "values::serialize_interval")]
    pub distfiles: Option<Duration>,
    /// How many bytes those may take together; `None`: as many as there are.
    #[serde(serialize_with = "values::serialize_size")]
    pub distfile_size: Option<u64>,
    /// What failed builds left in Portage's build directory.
    #[serde(serialize_with = "values::serialize_interval")]
    pub leftovers: Option<Duration>,
    /// Binary packages that nothing needs any more.
    #[serde(serialize_with = "values::serialize_interval")]
    pub binpkgs: Option<Duration>,
    /// How many bytes those may take together; `None`: as many as there are.
    #[serde(serialize_with = "values::serialize_size")]
    pub binpkg_size: Option<u64>,
    /// Binary packages that were set aside because they were damaged.
    #[serde(serialize_with = "values::serialize_interval")]
    pub quarantine: Option<Duration>,
    /// The most that goes at once of each kind, in per cent of its files, from 1 to 100.
    pub cap: u8,
}

/// `[stop]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// How long a stop may take before what is left is killed.
    #[serde(serialize_with = "values::serialize_duration")]
    pub grace: Duration,
}

/// `[log]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Log {
    /// The least important message that is logged.
    pub level: Level,
    /// How a message looks.
    pub format: Format,
}

/// `log.level`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

impl Level {
    /// The word in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `log.format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

impl Format {
    /// The word in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Default for Volume {
    fn default() -> Self {
        Self { path: PathBuf::from("/var/lib/gbsup") }
    }
}

impl Default for Cycle {
    fn default() -> Self {
        Self { interval: Some(Duration::from_hours(24)), on_start: true }
    }
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            min_interval: Duration::from_hours(24),
            retries: [1, 5, 15].map(Duration::from_mins).to_vec(),
            on_failure: OnFailure::Continue,
        }
    }
}

impl Default for Remedy {
    fn default() -> Self {
        Self {
            fetch: [1, 5, 15].map(Duration::from_mins).to_vec(),
            out_of_memory: true,
            circular: true,
            stalled: true,
            binpkg_corrupt: true,
            disk_full: true,
        }
    }
}

impl Default for Build {
    fn default() -> Self {
        Self {
            targets: vec!["@world".into()],
            jobs: Jobs::Auto,
            load_average: LoadAverage::Auto,
            args: Vec::new(),
            keep_going: true,
            stall: Some(Duration::from_hours(2)),
            environment: Vec::new(),
        }
    }
}

impl Default for Prune {
    fn default() -> Self {
        let days = |days: u64| Some(Duration::from_hours(24 * days));
        Self {
            logs: days(90),
            log_size: Some(4 << 30),
            emerge_log: Some(64 << 20),
            history: days(730),
            distfiles: days(60),
            distfile_size: None,
            leftovers: days(7),
            binpkgs: days(30),
            binpkg_size: None,
            quarantine: days(30),
            cap: 50,
        }
    }
}

impl Default for Stop {
    fn default() -> Self {
        // Docker kills after 10 s.
        Self { grace: Duration::from_secs(8) }
    }
}

/// The file that [`load`] reads.
#[must_use]
pub fn file() -> PathBuf {
    env::var_os(FILE_VARIABLE)
        .filter(|name| !name.is_empty())
        .map_or_else(|| DEFAULT_FILE.into(), PathBuf::from)
}

/// The configuration of this container. A file that is not there means the defaults, unless
/// `GBSUP_CONFIG` asked for it.
pub fn load() -> Result<Config, Problems> {
    let (name, text) = read()?;
    check(text.as_deref().map(|text| (name.as_str(), text)), environment())
}

/// The file's name and its text, if there is one.
pub fn read() -> Result<(String, Option<String>), Problems> {
    let path = file();
    let name = path.display().to_string();
    let mut text = String::new();
    // What is longer is refused by `check`.
    let read = fs::File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    match read.map(|_| text) {
        Ok(text) => Ok((name, Some(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var_os(FILE_VARIABLE).is_none() => {
            Ok((name, None))
        }
        Err(error) => Err(Problems::unreadable(&name, &error)),
    }
}

/// The variables that concern gbsup.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("GBSUP_"))
}
