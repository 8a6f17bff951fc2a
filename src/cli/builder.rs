//! The arguments of what is about the builder: its status, its plan, its pauses, its logs, its configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::request::PauseMode;

/// `gbsup status`
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Examples:
  gbsup status
  gbsup status --watch
  gbsup status --json | jq -r .headline
  gbsup status --all

--watch redraws the page on a terminal. Piped it prints the headline whenever it changes;
with --json the whole status, one object per line. --all shows the builders of http.peers beside
this one, each as it answers now; piped, the columns are separated by tabs.")]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Go on until interrupted
    #[arg(short, long)]
    pub watch: bool,
    /// Show the other builders as well
    #[arg(short, long, conflicts_with = "watch")]
    pub all: bool,
}

/// `gbsup top`
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Example:
  docker exec -it builder gbsup top

It shows what the page in the browser shows, with the log of what is at work, and follows the builder. Keys
pause it, resume it, skip what failed and sync, each after a question; ? shows all of them. Where it cannot
draw (TERM=dumb, a pipe) it is: gbsup status --watch")]
pub struct TopArgs {
    /// The process that keeps the terminal as it was
    #[arg(long, hide = true)]
    pub drawn_by: Option<i32>,
}

/// `gbsup plan`
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Examples:
  gbsup plan
  gbsup plan --json | jq -r '.packages[].cpv'
  gbsup plan --now && gbsup resume

--now asks Portage here and now, which changes nothing and needs no supervisor. It fails with 1
and the resolver's words when the configuration cannot be resolved, and with 5 when something of
the world file would be left out. A circular dependency that the builder breaks by itself is told
and no failure.")]
pub struct PlanArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Ask Portage what a build would do now
    #[arg(long)]
    pub now: bool,
}

/// `gbsup pause`
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct PauseArgs {
    /// Stop the running job at once; merges that have begun end first
    #[arg(long, group = "when")]
    pub now: bool,
    /// Let the packages that are being built end first (the default)
    #[arg(long, group = "when")]
    pub after_package: bool,
    /// Let the cycle end first
    #[arg(long, group = "when")]
    pub after_cycle: bool,
    /// Return when the builder is paused
    #[arg(long)]
    pub wait: bool,
    /// Shown in the status, for the next person
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl PauseArgs {
    /// When the pause takes effect.
    #[must_use]
    pub fn mode(&self) -> PauseMode {
        match (self.now, self.after_cycle) {
            (true, _) => PauseMode::Now,
            (_, true) => PauseMode::AfterCycle,
            _ => PauseMode::AfterPackage,
        }
    }
}

/// `gbsup logs`
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct LogsArgs {
    /// Go on printing as it grows, from step to step, until interrupted; of a package until it is done
    #[arg(short, long, conflicts_with_all = ["cycle", "failed", "elog"])]
    pub follow: bool,
    /// Only the last lines of each log
    #[arg(short = 'n', long, value_name = "LINES", conflicts_with = "elog")]
    pub lines: Option<usize>,
    /// Every step of this cycle, in order
    #[arg(long, value_name = "N", conflicts_with_all = ["failed", "package"])]
    pub cycle: Option<u64>,
    /// The log of each package that failed; of a package the newest one that failed
    #[arg(long, conflicts_with = "elog")]
    pub failed: bool,
    /// What the ebuilds of the newest cycle, or of the one named, want to be read
    #[arg(long, conflicts_with = "package")]
    pub elog: bool,
    /// Print JSON
    #[arg(long, requires = "elog")]
    pub json: bool,
    /// The newest log of this package: hello, app-misc/hello or =app-misc/hello-2.10
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
}

/// `gbsup config`
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Report every problem of the configuration at once
    Check(ConfigArgs),
    /// Print the configuration in effect, and where each value comes from
    Show(ConfigArgs),
}

/// Which file to look at.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// Read this file instead of GBSUP_CONFIG or /etc/gbsup/gbsup.toml
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}
