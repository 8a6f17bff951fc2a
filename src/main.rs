//! The binary.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.as_slice() {
        // Before anything else: PID 1 pays for no parser, no log and no runtime.
        [] if std::process::id() == 1 => gbsup::init::run(&[]).into(),
        [verb, args @ ..] if verb == "init" => gbsup::init::run(args).into(),
        [verb] if verb == "supervisor" => gbsup::supervisor::run().into(),
        _ => {
            println!("gbsup {}", gbsup::VERSION);
            ExitCode::SUCCESS
        }
    }
}
