//! What an ebuild says when it dies.
//!
//! The same block stands in the package's build log and, repeated by elog, in emerge's output.
//! Source: `bin/isolated-functions.sh:die`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::portage::names::cpv::Cpv;

/// An ebuild's last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Die {
    /// The package that failed.
    pub package: Cpv,
    /// The ebuild phase, such as `compile` or `install`.
    pub phase: Option<String>,
    /// What the ebuild said, its lines joined by `\n`; `(no error message)` when it said nothing.
    pub message: String,
    /// Where Portage says the complete log is.
    pub log: Option<PathBuf>,
}

/// What Portage says of the log, before its path in quotes.
pub(crate) const COMPLETE_LOG: &[u8] = b"The complete build log is located at '";
/// How such a path ends where it is that of a file for `pkg_pretend` alone, which Portage adds to the log of the package and
/// deletes (`_emerge/Scheduler.py:_run_pkg_pretend`).
pub(crate) const TEMPORARY: &[u8] = b".pretend.log";

/// Longest message kept, in lines.
const MAX_LINES: usize = 40;

/// Reads one block, line by line.
#[derive(Clone, Debug)]
pub(crate) struct DieReader {
    die: Die,
    message: Vec<String>,
    in_message: bool,
}

impl DieReader {
    /// Starts a block at ` * ERROR: sys-libs/zlib-1.3::gentoo failed (compile phase):`.
    pub(crate) fn open(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(b" * ERROR: ")?;
        let failed = find(rest, b" failed")?;
        let name = &rest[..failed];
        let package = Cpv::parse(&name[..find(name, b"::").unwrap_or(name.len())])?;
        let phase = match &rest[failed + b" failed".len()..] {
            b":" => None,
            tail => {
                let phase = tail.strip_prefix(b" (")?.strip_suffix(b" phase):")?;
                Some(String::from_utf8_lossy(phase).into_owned())
            }
        };
        let die = Die { package, phase, message: String::new(), log: None };
        Some(Self { die, message: Vec::new(), in_message: true })
    }

    /// Takes the next line; false when the block is over and the line is not part of it.
    pub(crate) fn line(&mut self, line: &[u8]) -> bool {
        let Some(text) = starred(line) else { return false };
        if text.starts_with(b"ERROR: ") || text.starts_with(b"Messages for package ") || starts_summary(text)
        {
            return false;
        }
        if text == b"Call stack:" || text.starts_with(b"If you need support, post the output of") {
            self.in_message = false;
        } else if self.in_message {
            if self.message.len() < MAX_LINES {
                self.message.push(String::from_utf8_lossy(text.trim_ascii()).into_owned());
            }
        } else if let Some(path) = text.strip_prefix(COMPLETE_LOG) {
            let path = path.strip_suffix(b"'.").unwrap_or(path);
            if !path.ends_with(TEMPORARY) {
                self.die.log = Some(PathBuf::from(OsStr::from_bytes(path)));
            }
        }
        true
    }

    /// What was read.
    pub(crate) fn finish(mut self) -> Die {
        while self.message.last().is_some_and(String::is_empty) {
            self.message.pop();
        }
        self.die.message = self.message.join("\n");
        self.die
    }
}

/// The text of a line that eerror wrote: ` * text` or an empty ` * `.
pub(crate) fn starred(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b" *")?;
    rest.strip_prefix(b" ").or(rest.is_empty().then_some(rest))
}

/// Whether the text of an eerror line begins the summary of a run with keep-going, which follows
/// the last ebuild's words without a break: `The following 2 packages have failed to build, ...`
pub(crate) fn starts_summary(text: &[u8]) -> bool {
    text.starts_with(b"The following ") && find(text, b" failed to build, install, or execute").is_some()
}

/// Offset of the first occurrence of a short text.
pub(crate) fn find(line: &[u8], needle: &[u8]) -> Option<usize> {
    line.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Die, usize) {
        let mut lines = text.lines();
        let first = lines.next().expect("a line");
        let mut reader = DieReader::open(first.as_bytes()).expect("the start of a block");
        let taken = lines.take_while(|line| reader.line(line.as_bytes())).count();
        (reader.finish(), taken)
    }

    #[test]
    fn a_block_from_the_ebuild() {
        let (die, taken) = read(
            " * ERROR: app-misc/broken-1.0-r1::x failed (compile phase):\n\
             \x20*   emake failed\n\
             \x20* \n\
             \x20* If you need support, post the output of `emerge --info '=app-misc/broken-1.0-r1::x'`,\n\
             \x20* the complete build log and the output of `emerge -pqv '=app-misc/broken-1.0-r1::x'`.\n\
             \x20* The complete build log is located at '/var/log/portage/app-misc:broken-1.0-r1:20261122.log'.\n\
             \x20* Working directory: '/var/tmp/portage'\n\
             >>> Failed to emerge app-misc/broken-1.0-r1, Log file:\n",
        );
        assert_eq!(die.package.as_str(), "app-misc/broken-1.0-r1");
        assert_eq!(die.phase.as_deref(), Some("compile"));
        assert_eq!(die.message, "emake failed");
        assert_eq!(
            die.log.as_deref().and_then(|p| p.to_str()),
            Some("/var/log/portage/app-misc:broken-1.0-r1:20261122.log")
        );
        assert_eq!(taken, 6);
    }

    #[test]
    fn several_lines_and_a_call_stack() {
        let (die, _) = read(
            " * ERROR: a/b-1::x failed:\n *   first\n * \n * third\n * \n * Call stack:\n *     ebuild.sh, line 136:  Called src_compile\n *             phase-functions.sh, line 1137:  Called die\n",
        );
        assert_eq!((die.phase, die.message.as_str()), (None, "first\n\nthird"));
    }

    #[test]
    fn what_is_not_a_block() {
        for line in [
            " * ERROR: nothing here",
            " * ERROR: a/b::x failed (compile phase):",
            " * ERROR: a/b-1::x failed (compile",
            "ERROR: a/b-1::x failed (compile phase):",
            "",
        ] {
            assert!(DieReader::open(line.as_bytes()).is_none(), "{line}");
        }
    }
}
