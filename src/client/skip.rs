//! `gbsup skip`: what a person keeps out of every cycle.

use std::process::Command;

use super::answer::{json, print, request, sentence, tell};
use super::error::{DEADLINE, Error};
use super::socket::Supervisor;
use super::terminal;
use crate::cli::Exit;
use crate::model::request::Request;
use crate::model::skip::ToSkip;
use crate::portage::command::{self, Inherits};
use crate::{children, config, render};

pub(super) fn skip(supervisor: &Supervisor, packages: &[String], as_json: bool) -> Result<Exit, Error> {
    if packages.is_empty() {
        return list(supervisor, as_json);
    }
    let packages = packages.iter().map(offered).collect::<Result<_, _>>()?;
    request(supervisor, &Request::Skip { packages })
}

fn list(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let status = supervisor.status(DEADLINE)?;
    if as_json {
        return print(json(&status.skipped)?);
    }
    if status.skipped.is_empty() {
        return tell(sentence("nothing is skipped"));
    }
    print(render::skipped(&status, terminal::look()))
}

/// The version that Portage would take of a package, which the skip is about.
fn offered(package: &String) -> Result<ToSkip, Error> {
    let command = command::best_visible(package);
    let (program, args) = command.argv.split_first().ok_or_else(|| Error::Failed("no command".into()))?;
    let more = config::load()?.build.environment;
    let ran = Command::new(program)
        .args(args)
        .env_clear()
        .envs(children::environment(Inherits::Portage(&more), command.env.iter().cloned()))
        .output()
        .map_err(|error| Error::Failed(format!("{program} cannot be run: {error}")))?;
    match command::visible(&ran.stdout) {
        Some(version) => Ok(ToSkip { package: package.clone(), version }),
        None => Err(Error::Failed(format!(
            "no version of {package} can be built; see: emerge --pretend --verbose {}",
            command::shell_quote(package)
        ))),
    }
}
