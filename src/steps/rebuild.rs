//! The rebuild step: what the changes of a cycle make necessary; see [`rebuilds`].

use super::attention;
use super::task::Task;
use crate::config;
use crate::decide::rebuilds;
use crate::host::build::binaries;
use crate::host::installed;
use crate::host::places::found;
use crate::model::failure::Trouble;
use crate::model::rebuilds::{Change, Settled, Stale};
use crate::model::{Event, Exit, Report};
use crate::portage::command::{self, Binaries, Versions};
use crate::portage::files::settings::Settings;
use crate::portage::files::vdb::Installed;
use crate::portage::names::cpv::Cpv;

/// How often what is stale is looked for and merged again within one step: a binary package may turn out to
/// be as stale, and a rebuilt library may make others so. No package is rebuilt twice for the same reason.
const ROUNDS: usize = 4;

/// The follow-ups, then what is still stale, then what Portage itself knows to be: each of them has less
/// to do for the one before it, and the last has the last word.
pub(crate) fn run(task: &mut Task, merged: &[String], exclude: &[String]) -> Result<Report, Trouble> {
    let before = installed::settled(&task.volume);
    let settings = task.settings()?;
    tell_changes(task, before.as_ref(), &installed::packages(), &settings);
    let before = before.unwrap_or_default();

    let mut last = follow_ups(task, merged, exclude)?;
    let mut tried = Vec::new();
    let mut taken = Vec::new();
    let mut gone = Vec::new();
    let mut untried = Vec::new();
    for _ in 0..ROUNDS {
        if !went_well(&last) {
            return Ok(last);
        }
        let todo;
        let visible;
        (todo, gone, visible) = by_ebuild(task, rebuilds::to_rebuild(stale(), &before.left, &tried))?;
        if todo.is_empty() {
            break;
        }
        let ready = rebuilds::built_since(&todo, &binaries(&settings), &taken);
        let (todo, how, done) = match ready.as_slice() {
            [] => (todo, Binaries::Ignore, &mut tried),
            _ => (ready, Binaries::Use, &mut taken),
        };
        let atoms: Vec<String> = todo.iter().map(|stale| stale.atom.clone()).collect();
        task.tell(Event::Stale { job: task.job, packages: todo.clone() });
        done.extend(todo);
        last = rebuild(task, &atoms, how, exclude)?;
        if let Some(targets) = rebuilds::apart(&last, &atoms, &visible) {
            last = match task.rebuild_apart(&targets, how, exclude)? {
                Report::Rest { ran: None, untried: refused } if refused.len() < targets.len() => {
                    untried.extend(refused);
                    Report::Nothing
                }
                // The resolver's words about all of them say more.
                Report::Rest { ran: None, .. } => last,
                report => report,
            };
        }
    }
    if !went_well(&last) {
        return Ok(last);
    }
    let mut preserved = preserved(task)?;
    if !preserved.is_empty() && preserved != before.preserved {
        last = rebuild(task, &[command::PRESERVED.to_owned()], Binaries::Ignore, exclude)?;
        if !went_well(&last) {
            return Ok(last);
        }
        preserved = self::preserved(task)?;
    }

    attention::look(task, &settings);
    let now = installed::packages();
    let left = rebuilds::unchanged(installed::stale(&now), &before.left, &tried);
    task.warn("stale", left_over(&left, &preserved));
    task.warn("stale-for-good", without_ebuild(&gone));
    let settled = Settled { slots: rebuilds::slots(&now), targets: settings.targets, left, preserved };
    let kept = installed::keep(&task.volume, &settled);
    let unkept = |problem| format!("what is installed could not be written down: {problem}");
    task.warn("installed", kept.err().map(unkept));
    Ok(if untried.is_empty() { last } else { Report::Rest { ran: None, untried } })
}

/// Says what changed since the last cycle that was done.
pub(crate) fn tell_changes(task: &Task, before: Option<&Settled>, now: &[Installed], settings: &Settings) {
    let changes: Vec<Change> = before
        .map(|before| rebuilds::changes(before, &rebuilds::slots(now), &settings.targets))
        .unwrap_or_default();
    task.tell(Event::Changed { job: task.job, changes });
}

fn follow_ups(task: &mut Task, merged: &[String], exclude: &[String]) -> Result<Report, Trouble> {
    let options = task.options(exclude);
    let host = task.host()?;
    let mut last = Report::Nothing;
    let mut refused = Vec::new();
    for follow_up in task.config.rebuild.commands.clone() {
        if !went_well(&last) {
            break;
        }
        if wanted(&follow_up, merged) && follow_up.run.first().is_some_and(|program| found(program)) {
            let command = command::follow_up(&follow_up.run, &host, &options);
            let ran = task.run(&command)?;
            match rebuilds::refused(&ran) {
                Some(sentence) => refused.push(sentence),
                None => last = Report::Ran(Box::new(ran)),
            }
        }
    }
    task.warn("follow-up", (!refused.is_empty()).then(|| refused.join("; ")));
    Ok(last)
}

fn rebuild(
    task: &mut Task,
    targets: &[String],
    how: Binaries,
    exclude: &[String],
) -> Result<Report, Trouble> {
    let options = task.options(exclude);
    let host = task.host()?;
    task.tell_estimates(&options);
    task.run(&command::rebuild(targets, how, &host, &options)).map(|ran| Report::Ran(Box::new(ran)))
}

fn stale() -> Vec<Stale> {
    installed::stale(&installed::packages())
}

/// Those of which there is an ebuild, the others, and the version of each atom. emerge would refuse all of them because of one that
/// is gone, and nobody may want that one any more.
fn by_ebuild(task: &mut Task, stale: Vec<Stale>) -> Result<(Vec<Stale>, Vec<Stale>, Versions), Trouble> {
    if stale.is_empty() {
        return Ok((stale, Vec::new(), Versions::new()));
    }
    let atoms: Vec<&str> = stale.iter().map(|stale| stale.atom.as_str()).collect();
    let visible = task.versions(&atoms)?;
    let (there, gone) = stale.into_iter().partition(|stale| !matches!(visible.get(&stale.atom), Some(None)));
    Ok((there, gone, visible))
}

/// The libraries that are kept only for packages that still link to them, one line for each package that
/// brought some.
fn preserved(task: &mut Task) -> Result<Vec<String>, Trouble> {
    if !installed::may_preserve() {
        task.note("Portage keeps no old libraries")?;
        return Ok(Vec::new());
    }
    let (exit, text) = task.capture(&command::preserved_libs())?;
    // Warnings stand in the same text.
    let names =
        |line: &&str| line.split(' ').next().is_some_and(|word| Cpv::parse(word.as_bytes()).is_some());
    let lines = String::from_utf8_lossy(&text).lines().filter(names).map(str::to_owned).collect();
    Ok(if exit == Exit::Code(0) { lines } else { Vec::new() })
}

/// What a person should know when rebuilding did not help.
fn left_over(left: &[Stale], preserved: &[String]) -> Option<String> {
    let mut sentences: Vec<String> = left.iter().map(ToString::to_string).collect();
    if !preserved.is_empty() {
        sentences.push(format!(
            "old libraries are still in use (emerge --oneshot {}): {}",
            command::PRESERVED,
            preserved.join("; ")
        ));
    }
    let all = sentences.join("; ");
    (!all.is_empty()).then(|| format!("a rebuild changed nothing, and is not tried again: {all}"))
}

fn without_ebuild(gone: &[Stale]) -> Option<String> {
    let all: Vec<String> = gone.iter().map(ToString::to_string).collect();
    (!all.is_empty()).then(|| {
        format!(
            "there is no ebuild to rebuild it from: {}; what nothing needs is removed with: emerge --ask --depclean",
            all.join("; ")
        )
    })
}

/// Whether the last command of a step left things in order.
fn went_well(report: &Report) -> bool {
    match report {
        Report::Ran(ran) => ran.exit == Exit::Code(0),
        Report::Rest { .. } => false,
        _ => true,
    }
}

/// Whether this cycle merged what the command is there for.
fn wanted(follow_up: &config::FollowUp, merged: &[String]) -> bool {
    let Some(when) = &follow_up.when else { return true };
    merged.iter().filter_map(|cpv| Cpv::parse(cpv.as_bytes())).any(|cpv| cpv.cp() == when)
}
