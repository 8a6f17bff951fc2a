//! `gbsup logs --elog`: the messages of a cycle's ebuilds.

use std::path::Path;

use jiff::Timestamp;

use super::files::unreadable;
use super::package;
use crate::beneath::Beneath;
use crate::cli::Exit;
use crate::client::answer::{json, print};
use crate::client::error::Error;
use crate::client::{records, terminal};
use crate::model::records::CycleRow;
use crate::portage::output::elog;
use crate::render;

/// No ebuild has more to say.
const LONGEST: u64 = 16 << 20;

/// Prints what the packages of a cycle left, of the newest one when none is named.
pub(super) fn run(volume: &Path, cycle: Option<u64>, as_json: bool) -> Result<Exit, Error> {
    let cycles = records::cycles(volume, None)?;
    let Some(row) = cycles.iter().find(|row| cycle.is_none_or(|number| row.id == number)) else {
        let which = cycle.map_or_else(|| "no cycle".to_owned(), |number| format!("no cycle {number}"));
        return Err(Error::Failed(format!("{which} is recorded; gbsup history lists those that are")));
    };
    let logs = volume.join("log");
    let directory = logs.join("elog");
    let saved = package::all(&logs, "elog", "elog");
    let place = Beneath::open(&logs).ok();
    let mut entries = Vec::new();
    for log in &saved {
        if let Some(at) = elog::time(&log.name.time).filter(|at| is_of(*at, row)) {
            let Some(place) = &place else { continue };
            let text = place.read(&log.below, LONGEST).map_err(|error| unreadable(&log.path, &error))?;
            entries.push(elog::entry(&log.name.cpv, at, &text));
        }
    }
    entries.sort_by(|a, b| (a.at, &a.package).cmp(&(b.at, &b.package)));
    if as_json {
        return print(json(&entries)?);
    }
    if entries.is_empty() {
        return print(nothing(row.id, saved.is_empty(), &directory));
    }
    print(render::elog(&entries, terminal::look()))
}

/// The names of the files count in seconds.
fn is_of(at: Timestamp, cycle: &CycleRow) -> bool {
    at.as_second() >= cycle.started.as_second()
        && cycle.ended.is_none_or(|ended| at.as_second() <= ended.as_second())
}

fn nothing(cycle: u64, ever: bool, directory: &Path) -> String {
    let mut text = format!("the ebuilds of cycle {cycle} left no messages\n");
    if ever {
        text += &format!(
            "there are none of any cycle in {}: they are kept there when PORTAGE_ELOG_SYSTEM in make.conf has \
             the word save:log,warn,error,qa\n",
            directory.display()
        );
    }
    text
}
