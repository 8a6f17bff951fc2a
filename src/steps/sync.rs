//! The sync step: the repositories, each with what came of it.

use std::path::Path;

use super::clones;
use super::task::Task;
use crate::beneath::digested;
use crate::host::{places, revision};
use crate::model::failure::Trouble;
use crate::model::{Exit, Ran, Report};
use crate::portage::command::{self, Syncer};
use crate::portage::files::repository::{Repositories, Repository};
use crate::portage::output::sync::{self, Heard};
use crate::steps::task;

/// Where Portage writes down which revision each sync brought, newest first
/// (`portage/util/_repo_revisions` of Portage 3.0.65 and later).
const REVISIONS: &str = "/var/lib/portage/repo_revisions";

/// Syncs these repositories, or all. A command of the operator cannot be told which ones, so it is run as it is.
pub(crate) fn run(task: &mut Task, only: &[String]) -> Result<Report, Trouble> {
    let repositories = task::repositories(task)?;
    let chosen = repositories.as_ref().map(|all| sync::chosen(all, only)).unwrap_or_default();
    let mut repairs = Vec::new();
    for repository in &chosen {
        clones::mend(task, repository, &mut repairs)?;
    }
    let wanted: Vec<String> =
        chosen.iter().map(|one| one.name.clone()).filter(|name| only.contains(name)).collect();
    let eix = task.config.sync.command.is_empty() && places::found("eix-sync");
    let mut how = match task.config.sync.command.as_slice() {
        [] if !wanted.is_empty() => Syncer::Some(wanted),
        [] if eix => Syncer::EixSync,
        [] => Syncer::Emaint,
        custom => Syncer::Custom(custom.to_vec()),
    };
    let before = repositories.as_ref().map(trees).unwrap_or_default();
    let (mut ran, mut heard) = one(task, &how, &chosen)?;
    let of_eix = (how == Syncer::EixSync).then(|| (heard.clone(), code(&ran)));
    let mut notes = Vec::new();
    while !task.handle.stopped()
        && let Some((other, note)) = sync::instead(&heard, &how, code(&ran), &chosen)
    {
        notes.push(note);
        let refused = heard.take_refusal();
        (ran, heard) = one(task, &other, &chosen)?;
        heard.refuse(refused);
        how = other;
    }
    let mut synced = sync::conclude(&heard, &how, code(&ran), &chosen);
    synced.notes.splice(0..0, notes);
    synced.repairs = repairs;
    if let Some(repositories) = &repositories {
        for repository in &chosen {
            clones::complete(task, repository, &mut synced)?;
        }
        let there = |one: &Repository| (one.name.clone(), places::is_there(&one.location));
        let there = repositories.all.iter().map(there).collect();
        let mut revisions =
            digested(Path::new(REVISIONS)).map(|text| sync::revisions(&text)).unwrap_or_default();
        // Portage writes down nothing of a repository that others may change (`volatile`).
        let heads = chosen.iter().filter_map(|one| Some((one.name.clone(), revision::head(&one.location)?)));
        revisions.extend(heads);
        sync::compare(&mut synced, repositories, &there, &revisions);
    }
    let is_new = before.is_empty() || before != repositories.as_ref().map(trees).unwrap_or_default();
    let index_is_old = match &of_eix {
        Some((heard, exit)) => sync::leaves_index(heard, *exit, is_new),
        None => eix && matches!(how, Syncer::Some(_)),
    };
    let some_are_new = synced.repositories.iter().any(|one| one.why.is_none());
    if index_is_old && some_are_new && !task.handle.stopped() && places::found("eix-update") {
        let index = task.run(&command::eix_update())?;
        if index.exit != Exit::Code(0) {
            synced.notes.push(sync::old_index("eix-update failed"));
        }
    }
    // A profile is a part of the tree.
    if is_new {
        task.forget_settings();
    }
    Ok(Report::Synced { ran: Box::new(ran), synced: Box::new(synced) })
}

/// What each repository is at; nothing when that cannot be told of all.
fn trees(repositories: &Repositories) -> Vec<String> {
    let tree =
        |one: &Repository| revision::head(&one.location).or_else(|| revision::timestamp(&one.location));
    repositories.all.iter().map(tree).collect::<Option<_>>().unwrap_or_default()
}

fn one(task: &mut Task, how: &Syncer, chosen: &[Repository]) -> Result<(Ran, Heard), Trouble> {
    let mut heard = Heard::default();
    let ran = task.run_reading(&command::sync(how), |line| heard.line(line, chosen))?;
    Ok((ran, heard))
}

fn code(ran: &Ran) -> Option<i32> {
    match ran.exit {
        Exit::Code(code) => Some(code),
        Exit::Signal(_) | Exit::NotStarted(_) => None,
    }
}
