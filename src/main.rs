//! The binary: which of its roles it plays, and the one place that prints an error and picks the
//! exit code.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::{self, ExitCode};

use clap::Parser;
use clap::error::ErrorKind;

use gbsup::binhost::examine;
use gbsup::cli::{Cli, Exit, Verb};
use gbsup::{client, init, render, supervisor};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let first = args.next();
    // Before anything else is set up: an init that waits for years is to stay small.
    match first.as_deref().and_then(|word| word.to_str()) {
        None if first.is_none() && process::id() == 1 => return ExitCode::from(init::run(&[])),
        // Its daemon leaves orphans, which somebody has to reap.
        Some("helper") if process::id() == 1 && !asks_for_help() => {
            let role = ["--", "/proc/self/exe", "helper"].map(OsString::from);
            return ExitCode::from(init::run(&role.into_iter().chain(args).collect::<Vec<_>>()));
        }
        Some("init") if !asks_for_help() => return ExitCode::from(init::run(&args.collect::<Vec<_>>())),
        _ => {}
    }
    // What it was started from may have been replaced meanwhile.
    examine::by("/proc/self/exe".into());
    match Cli::try_parse() {
        Ok(Cli { verb: Verb::Supervisor }) => ExitCode::from(supervisor::run()),
        Ok(Cli { verb }) => exit(client::run(verb)),
        Err(error) => misused(&error, &first.unwrap_or_default()),
    }
}

fn exit(result: Result<Exit, client::Error>) -> ExitCode {
    let exit = result.unwrap_or_else(|error| {
        if !error.is_silent() {
            complain(&error.to_string());
        }
        error.exit()
    });
    ExitCode::from(exit as u8)
}

fn misused(error: &clap::Error, first: &OsStr) -> ExitCode {
    if error.kind() == ErrorKind::InvalidSubcommand && process::id() == 1 {
        let command = first.to_string_lossy().into_owned();
        complain(&format!(
            "{command:?} is no command of gbsup; to run it in this image without the builder, say: init -- {command}"
        ));
        return ExitCode::from(Exit::Usage as u8);
    }
    // Help and version are not errors: clap knows which is which. A reader that left is none either.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done } as u8)
}

/// One line per line, each with the name of this program.
fn complain(message: &str) {
    let mut err = io::stderr().lock();
    for line in message.lines() {
        // An argument may be in it, as it was typed.
        let _ = writeln!(err, "gbsup: {}", render::clean(line));
    }
}

/// Whether this is `gbsup init --help`, which is the only thing clap answers about init, or the same of a helper.
fn asks_for_help() -> bool {
    env::args_os().nth(2).is_some_and(|word| word == "--help" || word == "-h")
}
