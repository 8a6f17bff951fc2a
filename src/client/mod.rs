//! The commands a person types: they ask the supervisor, or read what it left on the volume.
//!
//! Everything blocks; each command is a process of its own. A command that goes on until
//! interrupted ends as soon as nobody can read it any more.

use std::time::Duration;

use clap::CommandFactory;

use crate::binhost::examine;
use crate::cli::{Cli, ConfigArgs, ConfigVerb, Exit, PauseArgs, ReleasesArgs, Verb};
use crate::config;
use crate::helpers;
use crate::model::request::Request;
use crate::model::status::Mode;
use crate::peers;
use answer::{asked, print, request, sentence, tell};
use socket::Supervisor;

pub use error::Error;

mod answer;
mod audit;
mod client_config;
mod clients;
mod compare;
mod error;
mod farm;
mod fingerprint;
mod key;
mod logs;
mod notify;
mod plan;
mod prune;
mod records;
mod releases;
mod serve;
mod skip;
mod socket;
mod status;
mod terminal;
mod top;
mod verify;
mod webhook;

/// Performs a verb of the command line.
pub fn run(verb: Verb) -> Result<Exit, Error> {
    let supervisor = Supervisor::here();
    match verb {
        Verb::Status(args) => status::run(&supervisor, args),
        Verb::Top(args) => top::run(&supervisor, args),
        Verb::Resume { skip, wait } => asked(&supervisor, &Request::Resume { skip }, wait),
        Verb::Pause(args) => pause(&supervisor, args),
        Verb::Skip { packages, json } => skip::skip(&supervisor, &packages, json),
        Verb::Unskip { packages } => request(&supervisor, &Request::Unskip { packages }),
        Verb::Sync { wait } => asked(&supervisor, &Request::Sync, wait),
        Verb::Stop { wait } => asked(&supervisor, &Request::Stop, wait),
        Verb::Logs(args) => logs::run(&supervisor, &args),
        Verb::Plan(args) => plan::plan(&supervisor, args),
        Verb::Why { package, json } => plan::why(&supervisor, &package, json),
        Verb::History { json, number } => records::history(&supervisor, json, number),
        Verb::Prune { json, dry_run, force } => prune::run(json, dry_run, force),
        Verb::Releases(ReleasesArgs { verb: Some(verb), .. }) => releases::label(&supervisor, &verb),
        Verb::Releases(ReleasesArgs { json, verb: None }) => releases::releases(&supervisor, json),
        Verb::Bisect(args) => releases::bisect(&supervisor, args.good, args.bad),
        Verb::Diff(args) => releases::diff(&supervisor, &args),
        Verb::Rollback(args) => releases::rollback(&supervisor, &args),
        Verb::Publish(args) => releases::publish(&supervisor, &args),
        Verb::Failures { json } => records::failures(&supervisor, json),
        Verb::Health { json, live } => records::health(&supervisor, json, live),
        Verb::Audit { json } => audit::run(&supervisor, json),
        Verb::Verify(args) => verify::run(&supervisor, &args),
        Verb::Compare { plan, json } => compare::run(&supervisor, &plan, json),
        Verb::Key(verb) => key::run(verb),
        Verb::Serve(args) => serve::run(&args),
        Verb::Fingerprint { json } => fingerprint::run(&supervisor, json),
        Verb::Clients(args) => clients::run(&supervisor, args),
        Verb::ClientConfig(args) => client_config::run(args),
        Verb::Notify { .. } => notify::test(&supervisor),
        Verb::Rehearse { place, trees } => {
            Err(Error::Failed(crate::host::clients::confined(&place, &trees).to_string()))
        }
        Verb::Examine => {
            examine::run().map(|()| Exit::Done).map_err(|error| Error::Failed(error.to_string()))
        }
        Verb::Peers { own, server, peers } => peers::run(&peers, own, server)
            .map(|()| Exit::Done)
            .map_err(|error| Error::Failed(error.to_string())),
        Verb::Helper { builder, engine } => helper(&builder, engine.as_deref()),
        Verb::Relay { engine } => {
            let engine = helpers::engine(engine.as_deref()).unwrap_or_default();
            helpers::relay(engine).map(|()| Exit::Done).map_err(|error| Error::Failed(error.to_string()))
        }
        Verb::Webhook { timeout } => webhook::run(Duration::from_secs(timeout)),
        Verb::Config(ConfigVerb::Check(args)) => config_check(&args),
        Verb::Config(ConfigVerb::Show(args)) => config_show(&args),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gbsup", &mut script);
            print(script)
        }
        Verb::Man { command } => man(command.as_deref()),
        Verb::Supervisor | Verb::Init { .. } => {
            Err(Error::Usage("this is a role and has no use as a command".into()))
        }
    }
}

fn pause(supervisor: &Supervisor, args: PauseArgs) -> Result<Exit, Error> {
    let pause = Request::Pause { mode: args.mode(), reason: args.reason };
    let exit = request(supervisor, &pause)?;
    if !args.wait {
        return Ok(exit);
    }
    terminal::end_with_the_reader();
    let mut watch = supervisor.watch()?;
    loop {
        let status = watch.next_status()?;
        match status.state {
            Mode::Paused => return tell(sentence(&crate::render::line(&status))),
            Mode::Stopping => return Err(Error::Denied("the builder stops instead of pausing".into())),
            _ => {}
        }
    }
}

fn helper(builder: &str, engine: Option<&str>) -> Result<Exit, Error> {
    let set = std::env::var("GBSUP_HELPERS_ENGINE").ok();
    let said = engine.or(set.as_deref());
    let Some(engine) = helpers::engine(said) else {
        let said = said.unwrap_or_default();
        return Err(Error::Usage(format!("GBSUP_HELPERS_ENGINE is icecream or distcc, not {said:?}")));
    };
    helpers::helper(builder, engine).map(|()| Exit::Done).map_err(Error::Failed)
}

fn read_config(args: &ConfigArgs) -> Result<(String, Option<String>), Error> {
    let Some(file) = &args.file else { return Ok(config::read()?) };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((file.display().to_string(), Some(text))),
        Err(error) => Err(Error::Usage(format!("{}: cannot be read: {error}", file.display()))),
    }
}

fn config_check(args: &ConfigArgs) -> Result<Exit, Error> {
    let (name, text) = read_config(args)?;
    let file = text.as_deref().map(|text| (name.as_str(), text));
    config::check(file, config::environment())?;
    match file {
        Some(_) => tell(format!("{name}: nothing wrong\n")),
        None => tell(format!("{name} is not there; the defaults are in effect\n")),
    }
}

fn config_show(args: &ConfigArgs) -> Result<Exit, Error> {
    let (name, text) = read_config(args)?;
    let file = text.as_deref().map(|text| (name.as_str(), text));
    print(config::show(file, config::environment())?)
}

fn man(command: Option<&str>) -> Result<Exit, Error> {
    let mut top = Cli::command();
    // Gives the subcommands their full names.
    top.build();
    let command = match command {
        None => top,
        Some(name) => top
            .find_subcommand(name)
            .filter(|found| !found.is_hide_set())
            .cloned()
            .ok_or_else(|| Error::Usage(format!("there is no command {name:?}; see gbsup --help")))?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).manual("gbsup").render(&mut page).map_err(Error::Output)?;
    print(page)
}
