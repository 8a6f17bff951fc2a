//! Builds packages a second time, with the USE flags that a client has (`clients.build_for`). Nothing of it is installed here, so what it
//! needs has to be here as it is; and that it fails holds up nobody.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::task::Task;
use super::temporary_use::TemporaryUse;
use crate::binhost::offer::Audited;
use crate::config::Config;
use crate::decide::audit::{Beside, Wanted};
use crate::model::failure::Trouble;
use crate::model::offer::Offered;
use crate::model::{Exit, Report};
use crate::portage::command;
use crate::portage::files::settings::Settings;
use crate::portage::output::circular::Solution;
use crate::volume::{clients, replace};

/// What keeps the files of two builds of one version apart.
const INSTANCES: &str = "binpkg-multi-instance";

/// What the clients want that something is built for.
pub(super) fn wanted(config: &Config) -> Vec<Wanted> {
    let names = config.clients.build_for.iter().filter_map(|name| name.parse().ok());
    let wants = names.flat_map(|name| clients::wants(&config.volume.path, &name));
    wants.map(|(package, flags)| Wanted { package, flags }).collect()
}

/// What came of it.
pub(super) enum Outcome {
    /// There is nothing new.
    Nothing,
    /// There are new builds.
    Built,
    /// The step is to end.
    Interrupted(Report),
}

/// Builds what is missing. What failed is not tried again as long as the common build is the same.
pub(super) fn build(task: &mut Task, settings: &Settings, wanted: &[Beside]) -> Result<Outcome, Trouble> {
    let missing: Vec<&Beside> = wanted.iter().filter(|beside| beside.build.is_none()).collect();
    if missing.is_empty() {
        tell(task, &[], "");
        return Ok(Outcome::Nothing);
    }
    if !settings.features.contains(INSTANCES) {
        tell(task, &missing, &format!("that takes FEATURES=\"{INSTANCES}\""));
        return Ok(Outcome::Nothing);
    }
    let mut failed = read(&task.volume);
    let mut outcome = Outcome::Nothing;
    let host = task.host()?;
    for beside in &missing {
        if failed.contains_key(&name(beside)) {
            continue;
        }
        let solution = Solution { package: beside.package.clone(), flags: beside.flags.clone() };
        let in_force = match TemporaryUse::of(&solution) {
            Ok(in_force) => in_force,
            Err(failure) => {
                tell(task, &missing, &failure.message);
                return Ok(outcome);
            }
        };
        let options = task.options(&[]);
        task.tell_estimates(&options);
        let ran = task.run(&command::beside(&beside.package, &host, &options))?;
        drop(in_force);
        if task.handle.stopped() {
            return Ok(Outcome::Interrupted(Report::Ran(Box::new(ran))));
        }
        if ran.exit == Exit::Code(0) {
            outcome = Outcome::Built;
        } else {
            failed.insert(name(beside), task.log().to_owned());
        }
    }
    keep(task, &missing, failed);
    Ok(outcome)
}

/// Looks what came of the builds: one that is not as it was wanted is as good as failed.
pub(super) fn judge(task: &Task, wanted: &[Beside]) {
    let missing: Vec<&Beside> = wanted.iter().filter(|beside| beside.build.is_none()).collect();
    let mut failed = read(&task.volume);
    for beside in &missing {
        failed.entry(name(beside)).or_insert_with(|| task.log().to_owned());
    }
    keep(task, &missing, failed);
}

/// Those that can be offered, as they are offered.
pub(super) fn offered(audited: &Audited) -> Vec<Offered> {
    let of_one = |beside: &Beside| {
        let package = &audited.index.packages[beside.build?];
        let file = package.file();
        Some(Offered {
            cpv: package.cpv.clone(),
            slot: package.slot().0.to_owned(),
            path: file.path,
            size: file.size?,
            sha1: file.sha1?,
            beside: Some(beside.flags()),
        })
    };
    audited.beside.iter().filter_map(of_one).collect()
}

/// By which what failed is known again.
fn name(beside: &Beside) -> String {
    format!("{} {} {}", beside.package, beside.flags(), beside.common.unwrap_or_default())
}

fn file(volume: &Path) -> PathBuf {
    volume.join("state/beside.json")
}

/// What failed, and the log of when it did.
fn read(volume: &Path) -> BTreeMap<String, PathBuf> {
    fs::read(file(volume)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps what failed of what is still wanted, and tells of it.
fn keep(task: &Task, missing: &[&Beside], mut failed: BTreeMap<String, PathBuf>) {
    let failing: Vec<&Beside> =
        missing.iter().copied().filter(|beside| failed.contains_key(&name(beside))).collect();
    failed.retain(|known, _| failing.iter().any(|beside| name(beside) == *known));
    // Without it, it is tried once more than it would have to be.
    drop(replace(&file(&task.volume), &failed));
    let mut logs: Vec<String> = failed.values().map(|log| log.display().to_string()).collect();
    logs.sort_unstable();
    logs.dedup();
    tell(task, &failing, &format!("see {}", logs.join(", ")));
}

/// Says what is not built for clients, and why.
fn tell(task: &Task, missing: &[&Beside], why: &str) {
    let names: Vec<String> =
        missing.iter().map(|beside| format!("{} with {}", beside.package, beside.flags())).collect();
    let text = format!("what clients want beside the common builds is missing: {}; {why}", names.join(", "));
    task.warn("clients", (!names.is_empty()).then_some(text));
}
