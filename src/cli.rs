//! The command line. Completions and the man page are made from these types.

mod builder;
mod clients;
mod release;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use builder::{ConfigArgs, ConfigVerb, LogsArgs, PauseArgs, PlanArgs, StatusArgs, TopArgs};
pub use clients::{ClientsArgs, ClientsVerb};
pub use serve::{ClientConfigArgs, ServeArgs};

use crate::config::Peer;
use crate::portage::names::exclude::exclude_atom;

pub use release::{
    BisectArgs, DiffArgs, KeyVerb, PublishArgs, ReleasesArgs, ReleasesVerb, RollbackArgs, VerifyArgs,
};

/// How a command ended, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// No supervisor answers.
    Unreachable = 3,
    /// Not possible in this state.
    Denied = 4,
    /// It found something to look at.
    Findings = 5,
}

const AFTER_HELP: &str = "\
These commands are typed inside the builder's container:
  docker exec builder gbsup status

Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
  3  no supervisor answers
  4  not possible in this state
  5  found something to look at (health, plan --now, verify, audit)";

/// Builds Gentoo packages for others, forever, as PID 1 of a container.
#[derive(Debug, Parser)]
#[command(name = "gbsup", version, after_help = AFTER_HELP, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what the builder does, why it stopped, and what to type next
    Status(StatusArgs),
    /// Watch the builder on a terminal: what is at work, its log, what is next, what failed; and keys
    Top(TopArgs),
    /// End a pause: run the step that failed again, keeping what succeeded
    #[command(after_help = "\
Examples:
  gbsup resume
  gbsup resume --skip www-client/chromium

What is known to fail is tried again as well. While the builder waits, resume does only that.")]
    Resume {
        /// Leave this package out for the rest of the cycle; may be given again
        #[arg(long, value_name = "ATOM", value_parser = atom)]
        skip: Vec<String>,
        /// Return when the builder waits again; fail with 1 when a failure pauses it
        #[arg(long)]
        wait: bool,
    },
    /// Hold the builder until somebody says resume
    #[command(after_help = "\
Examples:
  gbsup pause --wait --reason \"moving the volume\" && docker stop builder
  gbsup pause --after-cycle")]
    Pause(PauseArgs),
    /// Keep packages out of every cycle, each until another version of it is offered
    #[command(after_help = "\
Examples:
  gbsup skip www-client/chromium
  gbsup skip dev-lang/python:3.13

Without a package it lists what is skipped; piped, the columns are separated by tabs.")]
    Skip {
        /// The packages, as category/name or category/name:slot
        #[arg(value_name = "ATOM", value_parser = package)]
        packages: Vec<String>,
        /// Print JSON
        #[arg(long, conflicts_with = "packages")]
        json: bool,
    },
    /// Build packages again that are skipped
    Unskip {
        /// The packages, as `gbsup skip` lists them
        #[arg(value_name = "ATOM", value_parser = package, required = true)]
        packages: Vec<String>,
    },
    /// Sync now, whatever sync.min_interval says, and begin a new cycle
    #[command(after_help = "\
Example:
  gbsup sync --wait && gbsup status")]
    Sync {
        /// Return when the cycle is over; fail with 1 when a failure pauses it
        #[arg(long)]
        wait: bool,
    },
    /// Stop the builder gracefully; the container ends
    Stop {
        /// Return when it has stopped
        #[arg(long)]
        wait: bool,
    },
    /// Print a log: of the running or last step, of a cycle, of a package, or of what failed
    #[command(after_help = "\
Examples:
  gbsup logs -f
  gbsup logs app-misc/hello
  gbsup logs -n 50
  gbsup logs --cycle 12 | less
  gbsup logs --failed
  gbsup logs hello --failed
  gbsup logs --elog")]
    Logs(LogsArgs),
    /// Show what the newest cycle merges, and why; piped, one line per package
    Plan(PlanArgs),
    /// Say why a package is merged
    #[command(after_help = "\
Examples:
  gbsup why zlib
  gbsup why sys-libs/zlib
  gbsup why =sys-libs/zlib-1.3.1

It fails with 1 when the package is neither in the plan of the newest cycle nor was merged again after its build.")]
    Why {
        /// The package: zlib, sys-libs/zlib or =sys-libs/zlib-1.3.1
        #[arg(value_name = "PACKAGE")]
        package: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the cycles, newest first: when, why, how many packages, how it ended
    #[command(after_help = "\
Piped, the columns are separated by tabs. --json also has the steps and packages of each cycle.")]
    History {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// How many cycles
        #[arg(short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
    },
    /// Remove what the configuration does not keep: old logs, sources nothing refers to, binary packages nothing needs
    #[command(after_help = "\
Examples:
  gbsup prune --dry-run
  gbsup prune

What a release has, what is installed and what could be built today stays. The builder does this itself at the
end of each cycle, and when no space is left; [prune] of the configuration says what goes.")]
    Prune {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only list what would go, and why
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Remove all of it, and not only the part that prune.cap allows at once
        #[arg(long)]
        force: bool,
    },
    /// List the releases, newest first: when, how many packages, how large, which one clients are offered; and say something of one
    Releases(ReleasesArgs),
    /// Find the release in which something broke, and what changed in it
    Bisect(BisectArgs),
    /// Show how two releases differ: what was added, removed, upgraded, downgraded and rebuilt
    Diff(DiffArgs),
    /// Offer clients again what an older release offered
    Rollback(RollbackArgs),
    /// Publish what is good now, without building
    Publish(PublishArgs),
    /// Show what failed in full: the ebuild's words, the log, what to type
    Failures {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether a person is needed; for HEALTHCHECK
    #[command(after_help = "\
Without --live it fails with 5 when a failure holds the builder or it is degraded, so that
`docker ps` shows it. A pause that an operator asked for is healthy.

With --live it fails with 3 when nothing answers, and only then. Use it where the engine
replaces unhealthy containers (swarm, Kubernetes): a repair needs the container to stay.

It answers within 5 seconds.")]
    Health {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only ask whether something answers
        #[arg(long)]
        live: bool,
    },
    /// Check that every binary package is what its Manifest and the package index say
    Verify(VerifyArgs),
    /// Look at what clients can be offered: what is whole and has all it needs
    #[command(after_help = "\
It decides as the builder does before it publishes, and changes nothing. It fails with 5 when a
package is held back, or could be put right by a build from source.")]
    Audit {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what a client would build itself although it uses the binhost, and why
    #[command(after_help = "\
PLAN is what emerge --pretend --verbose prints on the client; - reads standard input:
  ssh laptop emerge -pvuDU --getbinpkg @world | docker exec -i builder gbsup compare -
It fails with 5 when the client would build anything.")]
    Compare {
        /// The client's plan, or -
        #[arg(value_name = "PLAN")]
        plan: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what decides whether a package of this builder fits a client: flags, keywords, masks, compiler, tree
    #[command(after_help = "\
Each fact has the file and the line that it is from. Every release has them as fingerprint.json, by which
client.sh explains what a client would compile. Piped, the columns are separated by tabs.")]
    Fingerprint {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the clients that the builder knows, and what an update of each would compile
    Clients(ClientsArgs),
    /// The key that packages are signed with
    #[command(subcommand)]
    Key(KeyVerb),
    /// Try whether notifications arrive
    #[command(after_help = "\
It sends a test message every way that is configured below [notify], and a sign of life to the
heartbeat. It fails with 1 and the reason when one of them did not arrive.")]
    Notify {
        /// Send a test message
        #[arg(long, required = true)]
        test: bool,
    },
    /// Serve the releases of a volume over HTTP; the builder does this itself
    Serve(ServeArgs),
    /// Compile for a builder whose helpers.engine is icecream or distcc
    #[command(after_help = "\
Example, on any machine of the builder's private network:
  docker run -d --restart always --network farm --read-only --tmpfs /run --tmpfs /var/cache/icecc:exec \
      --cap-drop ALL --cap-add CHOWN,SETGID,SETUID,SETPCAP,SYS_CHROOT --cpus 4 --memory 4g IMAGE helper builder

Where the builder's helpers.engine is distcc it needs no more than a tmpfs on /tmp, and a user instead of capabilities:
  docker run -d --restart always --network farm --read-only --tmpfs /tmp --user 65534 --cap-drop ALL \
      --cpus 4 --memory 4g IMAGE helper --engine distcc builder

It compiles as many files at a time as the container may use CPUs. Whoever is a helper could put anything into your
packages: docs/helpers.md.")]
    Helper {
        /// The builder, as HOST or HOST:PORT
        #[arg(value_name = "BUILDER", default_value = "builder")]
        builder: String,
        /// What the builder's helpers.engine is; otherwise GBSUP_HELPERS_ENGINE, or icecream
        #[arg(long, value_name = "ENGINE", value_parser = ["icecream", "distcc"])]
        engine: Option<String>,
    },
    /// Print the script with which a client uses the packages of this builder
    ClientConfig(ClientConfigArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  docker exec builder gbsup completions bash > /etc/bash_completion.d/gbsup")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page, or that of a command
    #[command(after_help = "\
Example:
  gbsup man > /usr/share/man/man1/gbsup.1
  gbsup man logs | man -l -")]
    Man {
        /// The command
        command: Option<String>,
    },
    /// Send one HTTP request that stands on standard input; the supervisor starts it
    #[command(hide = true)]
    Webhook {
        /// How long that may take, in seconds
        #[arg(long, default_value_t = 30)]
        timeout: u64,
    },
    /// Ask other builders how they are, once for each byte on standard input; whoever shows them starts it
    #[command(hide = true)]
    Peers {
        /// Where this builder listens itself
        #[arg(long)]
        own: Option<u16>,
        /// Where a server of this builder is that may know since when they are away
        #[arg(long)]
        server: Option<SocketAddr>,
        /// Where they are
        #[arg(value_parser = Peer::parse)]
        peers: Vec<Peer>,
    },
    /// Stand between the builder and its helpers; the supervisor starts it
    #[command(hide = true)]
    Relay {
        /// What they are helpers of
        engine: Option<String>,
    },
    /// Be the resolver of a client, without rights; whoever rehearses a release starts it
    #[command(hide = true)]
    Rehearse {
        /// The only directory that it may write
        place: PathBuf,
        /// The ebuild repositories
        trees: Vec<PathBuf>,
    },
    /// Read packages that come through standard input; whoever looks into them starts it
    #[command(hide = true)]
    Examine,
    /// Be the supervisor; init starts it
    #[command(hide = true)]
    Supervisor,
    /// Be init, or run a command under it: init -- COMMAND...
    ///
    /// Init is reached before the command line is read; this is its place in the help.
    #[command(hide = true)]
    Init {
        /// The command and its arguments
        #[arg(last = true)]
        command: Vec<String>,
    },
}

/// Refuses what cannot be an atom before the builder sees it.
fn atom(text: &str) -> Result<String, String> {
    let wrong = text.is_empty()
        || text.starts_with(['-', '@'])
        || text.contains(|c: char| c.is_whitespace() || c.is_control())
        || text.matches('/').count() != 1;
    // As Portage reads it: its wildcards and no others.
    if wrong || exclude_atom(text).is_none() {
        return Err(
            "expected a package as category/name or =category/name-version, or a pattern such as dev-qt/*"
                .into(),
        );
    }
    Ok(text.into())
}

/// Takes what means one package, whatever its version, and perhaps one slot of it.
fn package(text: &str) -> Result<String, String> {
    let package = atom(text).ok().and_then(|text| exclude_atom(&text));
    let package = package.filter(|package| package == text && !package.contains('*'));
    package.ok_or_else(|| "expected a package as category/name or category/name:slot".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::model::request::PauseMode;

    fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_skipped_is_one_package() {
        for good in ["app-misc/hello", "dev-lang/python:3.12"] {
            assert_eq!(package(good).as_deref(), Ok(good));
        }
        for bad in ["=app-misc/hello-1", "app-misc/*", "*/****b", "app-misc/hello::gentoo", "../../etc", ""] {
            assert_eq!(
                package(bad),
                Err("expected a package as category/name or category/name:slot".into()),
                "{bad}"
            );
        }
    }

    #[test]
    fn pauses_have_one_time() {
        for (line, mode) in [
            ("gbsup pause", PauseMode::AfterPackage),
            ("gbsup pause --after-package", PauseMode::AfterPackage),
            ("gbsup pause --now --wait", PauseMode::Now),
            ("gbsup pause --after-cycle --reason tired", PauseMode::AfterCycle),
        ] {
            let Ok(Cli { verb: Verb::Pause(args) }) = parse(line) else { panic!("{line}") };
            assert_eq!(args.mode(), mode, "{line}");
        }
        assert!(parse("gbsup pause --now --after-cycle").is_err());
    }

    #[test]
    fn logs_are_of_one_thing() {
        for line in [
            "gbsup logs",
            "gbsup logs -f",
            "gbsup logs -f hello",
            "gbsup logs -n 20",
            "gbsup logs -fn 20 hello",
            "gbsup logs --failed -n 20",
            "gbsup logs --cycle 3",
            "gbsup logs --failed",
            "gbsup logs hello --failed",
            "gbsup logs --elog",
            "gbsup logs --elog --cycle 3 --json",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "gbsup logs --json",
            "gbsup logs --elog hello",
            "gbsup logs --elog --failed",
            "gbsup logs -f --elog",
            "gbsup logs --cycle 3 hello",
            "gbsup logs -f --failed",
            "gbsup logs a b",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_client_is_shown_added_or_removed() {
        for line in [
            "gbsup clients",
            "gbsup clients --json",
            "gbsup clients laptop --json",
            "gbsup clients add laptop",
            "gbsup clients add laptop -",
            "gbsup clients add laptop laptop.tar --json",
            "gbsup clients remove laptop",
            "gbsup clients remove -n laptop",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "gbsup clients ../x",
            "gbsup clients add",
            "gbsup clients add .x",
            "gbsup clients add a/b",
            "gbsup clients remove",
            "gbsup clients laptop add desk",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn only_packages_can_be_skipped() {
        for atom in ["app-misc/hello", "=app-misc/hello-2.10", "dev-lang/python:3.12", "dev-qt/*"] {
            assert!(parse(&format!("gbsup resume --skip {atom}")).is_ok(), "{atom}");
        }
        for atom in ["hello", "@world", "a/b/c", "-a/b", "*/****b", "a/**", "a/-b"] {
            assert!(parse(&format!("gbsup resume --skip={atom}")).is_err(), "{atom}");
        }
        for atoms in ["app-misc/hello", "dev-lang/python:3.12 app-misc/hello"] {
            assert!(parse(&format!("gbsup skip {atoms}")).is_ok(), "{atoms}");
            assert!(parse(&format!("gbsup unskip {atoms}")).is_ok(), "{atoms}");
        }
        for atoms in ["hello", "=app-misc/hello-2.10", "app-misc/*", "app-misc/hello --json"] {
            assert!(parse(&format!("gbsup skip {atoms}")).is_err(), "{atoms}");
        }
        assert!(parse("gbsup skip").is_ok() && parse("gbsup unskip").is_err());
    }
}
