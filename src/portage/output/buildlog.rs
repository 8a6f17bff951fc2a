//! The build log of one package: why it failed, and the lines that show it.
//!
//! Sources: `bin/isolated-functions.sh:die` for the ebuild's last words,
//! `_emerge/AbstractEbuildProcess.py` for phases that ended in another way, make and the compilers
//! for the rest.

use std::borrow::Cow;

use super::cause;
use super::die::{Die, DieReader, find};
use super::fetch;
use super::markers::ProblemKind;
use super::problem::{Block, Problem};
use super::signs::{self, Signs, plain};

/// What the log of a failed build says. Every field may be empty: a build that is killed together
/// with Portage says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildLog {
    /// The ebuild's last words.
    pub die: Option<Die>,
    /// The last attempt to fetch a file.
    pub download: Option<fetch::Download>,
    /// What the phase that failed points to.
    pub signs: Signs,
    /// The line of that phase that says what went wrong, for people.
    pub cause: Option<String>,
    /// The ebuild may use the network in its phases: PROPERTIES has `live` or `test_network`, or RESTRICT has
    /// `network-sandbox` (ebuild(5)). No log tells; whoever reads it asks Portage.
    pub may_fetch: bool,
    /// Whether fetching may work another time.
    pub fetch: fetch::Trouble,
    /// What Portage reported on the way, at most 8: files that could not be fetched or have a wrong
    /// digest are named in the build log and nowhere else; phases that were killed or went away.
    pub problems: Vec<Problem>,
    /// Up to 14 lines: the first ones that look like errors, then the last ones before the end.
    pub evidence: Vec<String>,
}

/// How far before the end lines that look like errors are looked for.
const LOOK_BACK: usize = 2000;
const PROBLEMS: usize = 8;
const ERRORS: usize = 8;
const LAST: usize = 6;

/// Reads a build log, or the end of one; 256 KiB are plenty.
#[must_use]
pub fn examine(text: &[u8]) -> BuildLog {
    let mut log =
        BuildLog { fetch: fetch::trouble(text), download: fetch::download(text), ..BuildLog::default() };
    // An emerge typed by hand on a terminal writes its logs in colour.
    let lines: Vec<Cow<[u8]>> = text.split(|&b| b == b'\n').map(uncoloured).collect();
    let (mut died, mut reported) = (None, None);
    let mut open = Open::Nothing;
    for (at, line) in lines.iter().enumerate() {
        // On a full file system bash cannot write its here-documents and says so among the ebuild's last words.
        if matches!(open, Open::Die(_)) && line.starts_with(b"/") && find(line, b": line ").is_some() {
            continue;
        }
        if open.line(line) {
            continue;
        }
        log.file(std::mem::replace(&mut open, Open::at(line)));
        match open {
            Open::Nothing if signs::begins_phase(line) => log.forget_the_fetch(),
            Open::Nothing => {}
            Open::Die(_) => drop(died.get_or_insert(at)),
            Open::Problem(_) => drop(reported.get_or_insert(at)),
        }
    }
    log.file(open);
    let before = &lines[..died.or(reported).unwrap_or(lines.len())];
    let phase = signs::last_phase(before);
    log.signs = signs::signs(phase);
    log.cause = cause::cause(&phase[phase.len().saturating_sub(LOOK_BACK)..]);
    log.evidence = evidence(before);
    log
}

/// At which byte of a log the line begins that says what went wrong; nothing when it is no log of a build that failed. The same line
/// that [`examine`] names, so that whoever was told it finds it.
#[must_use]
pub fn first_error(text: &[u8]) -> Option<usize> {
    let log = examine(text);
    if log.die.is_none() && log.problems.is_empty() {
        return None;
    }
    let mut at = 0;
    let lines = text.split(|&b| b == b'\n').map(|line| {
        let begin = at;
        at += line.len() + 1;
        (begin, plain(&uncoloured(line)))
    });
    let lines: Vec<(usize, String)> = lines.collect();
    let first = |is: &dyn Fn(&str) -> bool| lines.iter().find(|(_, line)| is(line)).map(|(at, _)| *at);
    let named = log.cause.as_deref().and_then(|cause| first(&|line| cause::short(line).contains(cause)));
    let last_words = || first(&|line| line.starts_with(" * ERROR: "));
    named.or_else(last_words).or_else(|| first(&is_error))
}

/// Whether a line reads like an error, so that a person who looks for one is shown it. Nothing is decided by it.
#[must_use]
pub fn is_error(line: &str) -> bool {
    SIGNS.iter().any(|sign| line.contains(sign))
}

/// The text that is being read.
enum Open {
    Nothing,
    Die(DieReader),
    Problem(Block),
}

impl Open {
    fn at(line: &[u8]) -> Self {
        // Programs that are built print anything, so only what Portage says of a build counts.
        let by_portage = |block: &Block| {
            matches!(
                block.kind(),
                ProblemKind::Fetch
                    | ProblemKind::FetchRestricted
                    | ProblemKind::Verify
                    | ProblemKind::Binpkg
                    | ProblemKind::Collision
                    | ProblemKind::DiskFull
                    | ProblemKind::Killed
                    | ProblemKind::UnexpectedExit
            )
        };
        if let Some(reader) = DieReader::open(line) {
            Self::Die(reader)
        } else if let Some(block) = Block::open(line).filter(by_portage) {
            Self::Problem(block)
        } else {
            Self::Nothing
        }
    }

    fn line(&mut self, line: &[u8]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Die(reader) => reader.line(line),
            Self::Problem(block) => block.line(line),
        }
    }
}

impl BuildLog {
    /// The last line that says more than that another program failed.
    pub(crate) fn last_words(&self) -> Option<&str> {
        let passes_on = |line: &str| {
            [": *** [", "ninja: build stopped", "Makefile:"].iter().any(|words| line.contains(words))
        };
        let lines = || self.evidence.iter().map(|line| line.trim()).rev();
        lines().find(|line| !passes_on(line)).or_else(|| lines().next())
    }

    /// A phase began, so whatever was to be fetched for it is there.
    fn forget_the_fetch(&mut self) {
        use ProblemKind::{Binpkg, DiskFull, Fetch, FetchRestricted, Verify};
        self.problems
            .retain(|problem| !matches!(problem.kind, Binpkg | DiskFull | Fetch | FetchRestricted | Verify));
    }

    fn file(&mut self, open: Open) {
        match open {
            Open::Nothing => {}
            // Helpers die before the ebuild does; the first words name the cause.
            Open::Die(reader) => self.die = self.die.take().or_else(|| Some(reader.finish())),
            Open::Problem(block) => {
                if self.problems.len() < PROBLEMS {
                    self.problems.push(block.finish());
                }
            }
        }
    }
}

/// What compilers, linkers, make, ninja, cmake and shells say when they give up.
const SIGNS: &[&str] = &[
    ": error: ",
    ": fatal error: ",
    "error[E",
    "ERROR: ",
    "CMake Error",
    "FAILED: ",
    "*** [",
    "*** No rule to make target",
    "undefined reference to",
    "No space left on device",
    "Killed",
    "Segmentation fault",
    "internal compiler error",
    ": command not found",
    ": not found",
    "cannot find -l",
    "configure: error:",
];

fn evidence(lines: &[Cow<[u8]>]) -> Vec<String> {
    let lines = &lines[lines.len().saturating_sub(LOOK_BACK)..];
    let texts: Vec<String> = lines.iter().map(|line| plain(line)).filter(|text| !is_noise(text)).collect();
    let last = texts.len().saturating_sub(LAST);
    let mut out: Vec<String> =
        texts[..last].iter().filter(|text| is_error(text)).take(ERRORS).cloned().collect();
    out.extend(texts[last..].iter().cloned());
    out
}

/// Blank lines, Portage's announcements of phases, its banner, and the files it is copying.
fn is_noise(text: &str) -> bool {
    const STARTS: &[&str] = &[
        ">>> ",
        "--- /",
        " * Package:",
        " * Repository:",
        " * USE:",
        " * FEATURES:",
        " * Maintainer:",
        " * Upstream:",
        " * Final size of ",
        "stty: 'standard input'",
    ];
    text.trim().is_empty() || STARTS.iter().any(|start| text.starts_with(start))
}

/// The line without the sequences that colour it.
pub(crate) fn uncoloured(line: &[u8]) -> Cow<'_, [u8]> {
    const ESCAPE: u8 = 0x1b;
    if !line.contains(&ESCAPE) {
        return Cow::Borrowed(line);
    }
    let mut out = Vec::with_capacity(line.len());
    let mut bytes = line.iter();
    while let Some(&byte) = bytes.next() {
        if byte != ESCAPE {
            out.push(byte);
        } else if bytes.as_slice().first() == Some(&b'[') {
            // It ends with a byte from @ to ~; the [ after the escape is no end.
            bytes.next();
            bytes.find(|byte| (b'@'..=b'~').contains(byte));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_where_it_is_said() {
        let text = b">>> Compiling source in /work ...\n\x1b[1mbroken.c:3:5: \x1b[31merror: \x1b[0mexpected ';'\nmake: *** [Makefile:2: broken.o] Error 1\n\
              \x20* ERROR: app-misc/broken-1.0::pocket failed (compile phase):\n\x20*   emake failed\n\x20* \n\x20* S: '/work'\n";
        let at = first_error(text).unwrap();
        assert!(text[at..].starts_with(b"\x1b[1mbroken.c:3:5: "), "{at}");
        // Who only dies is found by that; a build that goes on has no error yet, whatever its compilers print.
        let died = b"checking\n\x20* ERROR: a/b-1::x failed (prepare phase):\n\x20*   no luck\n\x20* \n\x20* S: '/work'\n";
        assert_eq!(first_error(died), Some(9));
        assert_eq!(first_error(&text[..80]), None);
        assert_eq!(first_error(b""), None);
    }

    #[test]
    fn a_compile_failure() {
        let log = examine(
            b" * Package:    app-misc/broken-1.0\n>>> Compiling source in /work ...\nmake -j2 \ncc -c good.c\n\
              broken.c:3:5: error: expected ';' before '}' token\nmake: *** [Makefile:2: broken.o] Error 1\n\
              \x20* ERROR: app-misc/broken-1.0::pocket failed (compile phase):\n\x20*   emake failed\n\x20* \n\
              \x20* If you need support, post the output of `emerge --info '=app-misc/broken-1.0::pocket'`,\n\
              \x20* The complete build log is located at '/log/x.log'.\n\x20* S: '/work'\n",
        );
        let die = log.die.expect("last words");
        assert_eq!((die.phase.as_deref(), die.message.as_str()), (Some("compile"), "emake failed"));
        assert_eq!(die.log.as_deref().and_then(|p| p.to_str()), Some("/log/x.log"));
        assert_eq!(log.evidence.last().map(String::as_str), Some("make: *** [Makefile:2: broken.o] Error 1"));
        assert!(log.evidence.iter().any(|line| line.contains("expected ';'")));
        assert!(!log.signs.killed_program && log.signs.own_error && log.problems.is_empty());
    }

    #[test]
    fn the_first_of_two_last_words_counts() {
        let log = examine(
            b" * ERROR: a/b-1::x failed (install phase):\n *   dodoc failed\n * \n * If you need support, post the output of\n\
              \x20* ERROR: a/b-1::x failed (install phase):\n *   second\n",
        );
        assert_eq!(log.die.map(|d| d.message).as_deref(), Some("dodoc failed"));
    }

    /// bash has no room for its here-documents then.
    #[test]
    fn last_words_on_a_full_file_system() {
        let log = examine(include_bytes!("../../../tests/captured/build-log-tmpfs-full.txt"));
        let die = log.die.expect("last words");
        assert_eq!(
            (die.phase.as_deref(), die.message.as_str()),
            (Some("compile"), "the big table cannot be written")
        );
        assert!(log.signs.no_space);
        assert_eq!(log.evidence.len(), 2, "{:?}", log.evidence);
    }

    /// A mirror that does not say how it is laid out is no source that is missing.
    #[test]
    fn a_mirror_that_is_down() {
        let log = examine(include_bytes!("../../../tests/captured/build-log-mirror-down.txt"));
        let [problem] = log.problems.as_slice() else { panic!("{:?}", log.problems) };
        assert_eq!(problem.subject.as_deref(), Some("notfound-1.tar.gz"));
        assert_eq!(
            log.evidence.last().map(String::as_str),
            Some("2026-11-28 00:33:18 ERROR 404: File not found.")
        );
    }

    /// What was fetched in the end has nothing to do with a phase that died later.
    #[test]
    fn a_file_that_came_after_all() {
        let log = examine(
            b"!!! Couldn't download 'a.tar.gz'. Aborting.\n>>> Unpacking source...\n * ERROR: a/b-1::x failed (unpack phase):\n *   no\n",
        );
        assert!(log.problems.is_empty() && log.die.is_some());
    }

    #[test]
    fn a_log_in_colour() {
        let log = examine(b" \x1b[31;01m*\x1b[0m ERROR: a/b-1::x failed (compile phase):\n \x1b[31;01m*\x1b[0m   emake failed\n");
        assert_eq!(log.die.map(|die| die.message).as_deref(), Some("emake failed"));
    }

    #[test]
    fn a_phase_that_was_killed_or_went_away() {
        let log = examine(b"cc -c x.c\n * The ebuild phase 'compile' has been killed by signal 9.\n");
        let kinds = |log: &BuildLog| log.problems.iter().map(|problem| problem.kind).collect::<Vec<_>>();
        assert_eq!((kinds(&log), &log.evidence), (vec![ProblemKind::Killed], &vec!["cc -c x.c".to_owned()]));
        let log = examine(
            b" * The ebuild phase 'unpack' has exited unexpectedly. This type of\n * behavior is known\n",
        );
        assert!(kinds(&log) == [ProblemKind::UnexpectedExit] && log.die.is_none());
    }

    /// The log and the kind and subject of what Portage reported in it.
    #[test]
    fn what_could_not_be_fetched() {
        for (text, kind, subject) in [
            (
                &include_bytes!("../../../tests/captured/build-log-fetch-failure.txt")[..],
                ProblemKind::Fetch,
                "nofetch-1.tar.gz",
            ),
            (
                include_bytes!("../../../tests/captured/build-log-digest-failure.txt"),
                ProblemKind::Verify,
                "baddigest-1.tar.gz",
            ),
        ] {
            let log = examine(text);
            let problem = log.problems.first().expect("a problem");
            assert_eq!((problem.kind, problem.subject.as_deref()), (kind, Some(subject)));
            assert!(log.die.is_none());
        }
    }

    #[test]
    fn real_logs_of_ebuilds_that_die() {
        let log = examine(include_bytes!("../../../tests/captured/build-log-compile-failure-alone.txt"));
        let die = log.die.expect("last words");
        assert_eq!(die.phase.as_deref(), Some("compile"));
        assert_eq!(die.message, "the reactor has no coolant: touch /etc/gbsup-test/repaired");
        assert_eq!(
            log.evidence,
            [
                "cc -c reactor.c -o reactor.o",
                "reactor.c:42:7: error: 'coolant' undeclared (first use in this function)"
            ]
        );
        let log = examine(include_bytes!("../../../tests/captured/build-log-broken-postinst.txt"));
        assert_eq!(log.die.and_then(|die| die.phase).as_deref(), Some("postinst"));
    }

    #[test]
    fn the_first_error_is_not_lost_in_what_follows() {
        let mut text = b"x.c:1:1: error: the cause\n".to_vec();
        text.extend(b"x.c:2:1: note: more\n".repeat(300));
        text.extend(b"\x1b[31mlast\x1b[0m\n10%\r100%\n\xff\n\n");
        let log = examine(&text);
        assert_eq!(log.evidence.first().map(String::as_str), Some("x.c:1:1: error: the cause"));
        assert_eq!(log.evidence[log.evidence.len() - 3..], ["last", "100%", "\u{fffd}"]);
    }

    #[test]
    fn empty_and_endless_logs() {
        assert_eq!(examine(b""), BuildLog::default());
        let log = examine(&b"y: error: z\n".repeat(100_000));
        assert_eq!(log.evidence.len(), ERRORS + LAST);
    }
}
