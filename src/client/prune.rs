//! `gbsup prune`: what may go, listed or removed here and now. No supervisor is needed.

use serde::Serialize;

use super::answer::{json, print};
use super::error::Error;
use super::terminal;
use crate::cli::Exit;
use crate::host::process::ask_here;
use crate::host::prune;
use crate::model::prune::Removal;
use crate::portage::command::{self, Command};
use crate::portage::files::repository;
use crate::portage::files::settings::{self, Settings};
use crate::{config, render};

/// What `gbsup prune --json` says.
#[derive(Serialize)]
struct Answer<'a> {
    dry_run: bool,
    removals: &'a [Removal],
    bytes: u64,
    problems: &'a [String],
}

pub(super) fn run(as_json: bool, dry_run: bool, force: bool) -> Result<Exit, Error> {
    let mut config = config::load()?;
    if force {
        config.prune.cap = 100;
    }
    let ask = |command: &Command| ask_here(&config.build.environment, command);
    let settings = ask(&command::envvar(&settings::keys())).map(|text| Settings::parse(&text));
    let repositories =
        || ask(&command::repositories()).map(|text| repository::locations(&text)).unwrap_or_default();
    let (chosen, mut problems) = prune::survey(&config, settings, repositories);
    let mut gone = Vec::new();
    if dry_run {
        gone = chosen;
    } else {
        problems.extend(prune::remove(&chosen, || false, |removal| gone.push(removal.clone()), ask).problems);
    }
    let bytes = gone.iter().map(|removal| removal.size).sum();
    if as_json {
        print(json(&Answer { dry_run, removals: &gone, bytes, problems: &problems })?)?;
    } else {
        print(render::prune(&gone, bytes, dry_run, terminal::look()))?;
    }
    if problems.is_empty() { Ok(Exit::Done) } else { Err(Error::Failed(problems.join("\n"))) }
}
