//! The commands a person types: they ask the supervisor, or read what it left on the volume.
//!
//! Everything blocks; each command is a process of its own. A command that goes on until
//! interrupted ends as soon as nobody can read it any more.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory;
use serde::Serialize;

use crate::binhost::examine;
use crate::cli::{Cli, ConfigArgs, ConfigVerb, Exit, PauseArgs, Verb};
use crate::config::{self, Problems};
use crate::model::request::{Reply, Request};
use crate::model::status::{Mode, Status, Why};
use socket::{Seen, Supervisor};

mod audit;
mod client_config;
mod compare;
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
mod verify;
mod webhook;

/// How long the supervisor may take to answer. `health` has to be through within 5 s.
const DEADLINE: Duration = Duration::from_secs(4);

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing listens there.
    #[error("no supervisor answers at {0}: is this the builder container?")]
    Nobody(PathBuf),
    /// Something is wrong with whoever should answer.
    #[error("no supervisor answers at {0}: {1}")]
    Silent(PathBuf, String),
    /// Not possible in this state; the supervisor's own words.
    #[error("{0}")]
    Denied(String),
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] Problems),
    /// It is done, and found something to look at; one line each.
    #[error("{0}")]
    Findings(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
    /// A release could not be read or made.
    #[error("{0}")]
    Release(#[from] crate::binhost::release::Error),
    /// What was to be shown could not be written.
    #[error("cannot write: {0}")]
    Output(io::Error),
}

impl Error {
    /// The exit code that goes with it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Nobody(_) | Self::Silent(..) => Exit::Unreachable,
            Self::Denied(_) => Exit::Denied,
            Self::Findings(_) => Exit::Findings,
            Self::Usage(_) | Self::Config(_) => Exit::Usage,
            // Whoever read it has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Failed(_) | Self::Release(_) | Self::Output(_) => Exit::Failed,
        }
    }

    /// Whether there is anybody to tell.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Performs a verb of the command line.
pub fn run(verb: Verb) -> Result<Exit, Error> {
    let supervisor = Supervisor::here();
    match verb {
        Verb::Status(args) => status::run(&supervisor, args),
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
        Verb::Releases { json } => releases::releases(&supervisor, json),
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
        Verb::ClientConfig(args) => client_config::run(args),
        Verb::Notify { .. } => notify::test(&supervisor),
        Verb::Examine => {
            examine::run().map(|()| Exit::Done).map_err(|error| Error::Failed(error.to_string()))
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

/// Sends a request and prints the answer.
fn request(supervisor: &Supervisor, request: &Request) -> Result<Exit, Error> {
    match supervisor.ask(request, DEADLINE)? {
        Reply::Accepted { message } | Reply::Already { message } => print(sentence(&message)),
        Reply::Denied { message } => Err(Error::Denied(message)),
        Reply::Invalid { message } => Err(Error::Usage(message)),
        Reply::Status { status } => print(sentence(&status.headline)),
    }
}

/// The same, and waits for what comes of it if that is wanted.
fn asked(supervisor: &Supervisor, what: &Request, wait: bool) -> Result<Exit, Error> {
    if !wait {
        return request(supervisor, what);
    }
    terminal::end_with_the_reader();
    // Begun before it is asked for, so that nothing is missed.
    let mut watch = supervisor.watch()?;
    request(supervisor, what)?;
    loop {
        let status = match watch.next() {
            Ok(Seen::Status(status)) => status,
            // It has stopped, and nobody is there to say so.
            Ok(Seen::Lost(_)) | Err(_) if *what == Request::Stop => return Ok(Exit::Done),
            Ok(Seen::Lost(error)) => {
                let _ = writeln!(io::stderr(), "gbsup: {error}; waiting for it");
                watch.find_again(error)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(end) = end(what, &status, supervisor)? {
            return end;
        }
    }
}

/// How it ended, once it has: a status that was made before the request was taken says nothing.
fn end(
    what: &Request,
    status: &Status,
    supervisor: &Supervisor,
) -> Result<Option<Result<Exit, Error>>, Error> {
    let line = || crate::render::line(status);
    let rests = match (what, status.state) {
        (Request::Stop, _) => false,
        (_, Mode::Stopping) => return Ok(Some(Err(Error::Denied("the builder is being stopped".into())))),
        (_, Mode::Waiting | Mode::Paused) => !status.pending.iter().any(|pending| pending != "pause"),
        _ => false,
    };
    // What was seen may be older than the request; what is asked for now is not.
    if !rests || supervisor.status(DEADLINE)?.state != status.state {
        return Ok(None);
    }
    Ok(Some(match (what, status.state) {
        (Request::Pause { .. }, Mode::Paused) | (_, Mode::Waiting) => print(sentence(&line())),
        (_, _) if status.pause.as_ref().is_some_and(|pause| pause.why == Why::Operator) => {
            Err(Error::Denied(line()))
        }
        _ => Err(Error::Failed(line())),
    }))
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
            Mode::Paused => return print(sentence(&crate::render::line(&status))),
            Mode::Stopping => return Err(Error::Denied("the builder stops instead of pausing".into())),
            _ => {}
        }
    }
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
        Some(_) => print(format!("{name}: nothing wrong\n")),
        None => print(format!("{name} is not there; the defaults are in effect\n")),
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

/// Somebody's words as a line of output.
fn sentence(text: &str) -> String {
    format!("{}\n", crate::render::clean(text))
}

/// A value as indented JSON and a line break.
fn json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(text + "\n")
}

/// Prints everything a command has to say.
fn print(text: impl AsRef<[u8]>) -> Result<Exit, Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(Exit::Done)
}
