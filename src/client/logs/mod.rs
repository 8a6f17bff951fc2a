//! `gbsup logs`: reads the files on the volume, with or without a supervisor.
//!
//! ```text
//! <volume>/steps/<N>/<step>.log                          what a step printed
//! <volume>/log/<category>:<name-version>:<time>.log      what a package printed
//! <volume>/log/build/<category>/<name-version>:<time>.log     the same with FEATURES=split-log
//! ```

mod elog;
mod failed;
pub(super) mod files;
mod follow;
pub(super) mod package;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use files::{headed, newest, numbers, one, portage_logs, steps};

use super::error::Error;
use super::socket::Supervisor;
use crate::cli::{Exit, LogsArgs};
use crate::model::work::STEPS;

pub(super) fn run(supervisor: &Supervisor, args: &LogsArgs) -> Result<Exit, Error> {
    if args.failed && args.package.is_none() {
        return failed::all(supervisor, args.lines);
    }
    let (volume, status) = supervisor.volume();
    if args.elog {
        return elog::run(&volume, args.cycle, args.json);
    }
    let logs = portage_logs(&volume);
    if let Some(number) = args.cycle {
        return cycle(&volume, number, args.lines);
    }
    if let Some(name) = &args.package {
        if args.failed {
            return failed::of(&volume, name, args.lines);
        }
        let log = package::find(&logs, name)?;
        if args.follow {
            return follow::package(supervisor, &volume, &log, name, args.lines);
        }
        let exit = one(&volume, &log, args.lines)?;
        if failed::is_of_a_failure(&volume, &log) {
            // Beside the log, not in it.
            let _ = writeln!(io::stderr(), "gbsup: this build failed");
        }
        return Ok(exit);
    }
    if args.follow {
        return follow::cycles(&volume, args.lines);
    }
    let told = status.and_then(|status| status.log).map(PathBuf::from).filter(|log| log.is_file());
    match told.or_else(|| newest(&volume.join(STEPS))) {
        Some(log) => one(&volume, &log, args.lines),
        None => {
            Err(Error::Failed(format!("nothing has been logged yet below {}", volume.join(STEPS).display())))
        }
    }
}

/// Every step of a cycle.
fn cycle(volume: &Path, number: u64, last: Option<usize>) -> Result<Exit, Error> {
    let cycles = volume.join(STEPS);
    let steps = steps(&cycles.join(number.to_string()));
    if !steps.is_empty() {
        return headed(volume, &steps, last);
    }
    let known = numbers(&cycles);
    let there = match (known.first(), known.last()) {
        (Some(first), Some(last)) if first != last => format!("there are logs of {first} to {last}"),
        (Some(only), _) => format!("there are only those of cycle {only}"),
        _ => format!("there are none below {}", cycles.display()),
    };
    Err(Error::Failed(format!("no logs of cycle {number}; {there}")))
}
