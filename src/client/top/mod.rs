//! `gbsup top`: the builder on a terminal, with keys.
//!
//! ```text
//! gbsup top                    keeps what the terminal was like, and puts it back    (keeper)
//! └─ gbsup top --drawn-by PID  draws, and asks the builder                           (drawn)
//!      ├ keys       ─┐
//!      ├ signals     │
//!      ├ the status ─┼─► one loop: what comes ─► desk ─► render::top ─► the terminal
//!      ├ the log     │
//!      └ answers    ─┘
//! ```
//!
//! Nothing is polled: each source is a thread that sleeps in the kernel.

mod desk;
mod drawn;
mod feed;
mod keeper;
mod tail;
mod tty;

use std::env;
use std::io::{self, IsTerminal, Write};

use super::error::Error;
use super::socket::Supervisor;
use super::status;
use crate::cli::{Exit, StatusArgs, TopArgs};

pub(super) fn run(supervisor: &Supervisor, args: TopArgs) -> Result<Exit, Error> {
    if let Some(parent) = args.drawn_by {
        return drawn::run(supervisor, parent);
    }
    let term = env::var("TERM").unwrap_or_default();
    if let Some(why) = undrawable(&term, io::stdin().is_terminal(), io::stdout().is_terminal()) {
        let _ = writeln!(io::stderr(), "gbsup: {why}; this is: gbsup status --watch");
        return status::run(supervisor, StatusArgs { json: false, watch: true, all: false });
    }
    keeper::run()
}

/// Why nothing can be drawn there.
fn undrawable(term: &str, stdin: bool, stdout: bool) -> Option<&'static str> {
    match (term, stdin, stdout) {
        (_, _, false) => Some("standard output is not a terminal"),
        (_, false, _) => Some("standard input is not a terminal, so there are no keys (docker exec -it)"),
        ("dumb" | "", _, _) => Some("this terminal (TERM) cannot move its cursor"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_can_be_drawn_on_is() {
        for (term, stdin, stdout, drawn) in [
            ("xterm-256color", true, true, true),
            ("linux", true, true, true),
            ("dumb", true, true, false),
            ("", true, true, false),
            ("xterm", false, true, false),
            ("xterm", true, false, false),
        ] {
            assert_eq!(undrawable(term, stdin, stdout).is_none(), drawn, "{term} {stdin} {stdout}");
        }
    }
}
