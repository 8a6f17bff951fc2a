//! What the reader's side can show, and whether anybody is still there.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::{env, process, thread};

use anstream::{AutoStream, ColorChoice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cli::Exit;
use crate::render::{self, Look};

/// When a terminal does not say how wide it is: `docker exec -t` begins without a size.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;

/// The look of what is printed to stdout.
pub(super) fn look() -> Look {
    let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    if !io::stdout().is_terminal() {
        return Look { colour, ..Look::PLAIN };
    }
    Look { colour, unicode: unicode(|name| env::var(name).ok()), width: Some(size().0) }
}

/// How many rows a page may have that is drawn again: the last one is the cursor's.
pub(super) fn rows() -> usize {
    size().1.saturating_sub(2)
}

/// Columns and rows.
pub(super) fn size() -> (usize, usize) {
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((width, height)) => (width.0.into(), height.0.into()),
        None => (WIDTH, HEIGHT),
    }
}

/// Whether the terminal shows more than ASCII. Nothing said means yes: `docker exec` passes no
/// locale on, and terminals without UTF-8 are the ones that say so.
fn unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    let term = variable("TERM").unwrap_or_default();
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| variable(name).filter(|v| !v.is_empty()));
    let utf8 = |locale: String| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8") || matches!(locale.as_str(), "c" | "posix")
    };
    !matches!(term.as_str(), "dumb" | "vt100" | "vt220") && locale.is_none_or(utf8)
}

/// A page on a terminal that is drawn again in the same place.
#[derive(Default)]
pub(super) struct Screen {
    page: String,
}

impl Screen {
    pub(super) fn draw(&mut self, page: &str) -> io::Result<()> {
        let (width, height) = size();
        let total: usize = page.lines().map(|line| render::rows(line, width)).sum();
        let fits = total < height;
        // The last row is the cursor's; the one before says that there is more.
        let mut room = if fits { total } else { height.saturating_sub(2) };
        let mut fitting = String::new();
        for line in page.lines() {
            let Some(left) = room.checked_sub(render::rows(line, width)) else { break };
            room = left;
            fitting.push_str(line);
            fitting.push('\n');
        }
        if !fits {
            fitting.push_str("...\n");
        }
        // What the terminal made of the last page depends on how wide it is now.
        let up: usize = self.page.lines().map(|line| render::rows(line, width)).sum();
        let mut out = io::stdout().lock();
        if up > 0 {
            write!(out, "\x1b[{up}A\r")?;
        }
        write!(out, "\x1b[J{fitting}")?;
        out.flush()?;
        self.page = fitting;
        Ok(())
    }
}

/// Ends this process when nobody can read it any more: the reader of a pipe has gone, or the
/// terminal was closed. Without this a command that has nothing to print would stay for ever.
pub(super) fn end_with_the_reader() {
    // A stdin that has ended already says nothing about whoever reads stdout. Looked at before anything
    // is printed: later it might be the reader who has just left.
    let stdin_is_open = !hung_up(&[PollFd::new(io::stdin().as_fd(), PollFlags::empty())], PollTimeout::ZERO);
    // Without it the command still ends, though not before it has something to print.
    let _unwatched = thread::Builder::new().name("reader".into()).spawn(move || {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        let mut watched = vec![PollFd::new(stdout.as_fd(), PollFlags::empty())];
        if stdin_is_open {
            watched.push(PollFd::new(stdin.as_fd(), PollFlags::empty()));
        }
        if hung_up(&watched, PollTimeout::NONE) {
            process::exit(i32::from(Exit::Done as u8));
        }
    });
}

/// Whether one of these has no other side any more.
fn hung_up(watched: &[PollFd], timeout: PollTimeout) -> bool {
    let mut watched = watched.to_vec();
    loop {
        match poll(&mut watched, timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => {
                let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
                return watched.iter().any(|fd| fd.revents().is_some_and(|events| events.intersects(gone)));
            }
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_only_where_the_terminal_asks_for_it() {
        for (variables, expected) in [
            (&[][..], true),
            (&[("TERM", "xterm-256color")], true),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8")], true),
            (&[("LANG", "de_DE.ISO-8859-1")], false),
            (&[("LC_ALL", "en_US.ISO-8859-15"), ("LANG", "C.UTF-8")], false),
            (&[("LC_ALL", ""), ("LANG", "C.UTF-8")], true),
            (&[("TERM", "dumb"), ("LANG", "C.UTF-8")], false),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string())
            };
            assert_eq!(unicode(variable), expected, "{variables:?}");
        }
    }
}
