//! The log of the scheduler at its most talkative: what is asked for, and by whom each file was compiled.
//!
//! ```text
//! [8] 2026-11-29 00:34:18: NEW 3 client=builder versions=[6f3f(x86_64)] many-1/work/f1.cpp C++ 0
//! [8] 2026-11-29 00:34:19: END 3 status=0 in=900(40%) out=800(50%) real=120 user=90 sys=9 pfaults=1 server=h1
//! ```
//!
//! Of the file itself it has no more than the last three parts of its path (`services/comm.cpp:shorten_filename`), so that it does not tell
//! the package; whoever asked for it does, since it waits for the answer.

/// How many parts of a path the scheduler is told.
const PARTS: usize = 3;

/// What the log says of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Somebody asks where this file can be compiled.
    Asked {
        /// The job, for as long as this scheduler runs.
        job: u64,
        /// The name of the daemon that asks.
        by: &'a str,
        /// The end of the file's path.
        file: &'a str,
    },
    /// It is over.
    Ended {
        /// The job.
        job: u64,
        /// The name of the daemon that compiled it; nothing when there was an error in it.
        by: Option<&'a str>,
    },
}

/// Reads a line.
#[must_use]
pub fn read(line: &str) -> Option<Line<'_>> {
    let (_, said) = line.trim_end().split_once(": ")?;
    let (what, rest) = said.split_once(' ')?;
    let (job, rest) = rest.split_once(' ')?;
    let job = job.parse().ok()?;
    match what {
        "NEW" => {
            let (by, rest) = rest.strip_prefix("client=")?.split_once(" versions=[")?;
            let (_, rest) = rest.split_once("] ")?;
            // Behind it are the language and the oldest protocol.
            let file = rest.rsplitn(3, ' ').nth(2)?;
            Some(Line::Asked { job, by, file })
        }
        "END" => {
            let (status, rest) = rest.strip_prefix("status=")?.split_once(' ')?;
            let (_, by) = rest.rsplit_once("server=")?;
            Some(Line::Ended { job, by: (status == "0").then_some(by) })
        }
        _ => None,
    }
}

/// What the scheduler is told of the file with this path.
#[must_use]
pub fn told_of(path: &str) -> &str {
    match path.rmatch_indices('/').nth(PARTS - 1) {
        Some((at, _)) => &path[at + 1..],
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_and_who_compiled_it() {
        let ended = |by| Some(Line::Ended { job: 3, by });
        for (line, expected) in [
            (
                "[8] 2026-11-29 00:34:19: END 3 status=0 in=0(0%) out=0(0%) real=1 user=1 sys=1 pfaults=0 server=h1\n",
                ended(Some("h1")),
            ),
            ("[8] 2026-11-29 00:34:19: END 3 status=1 in=0(0%) server=h1", ended(None)),
            ("[8] 2026-11-29 00:34:19: END 3 status=0", None),
            ("[8] 2026-11-29 00:34:19: END x status=0 server=h1", None),
            ("[8] 2026-11-29 00:34:18: put 3 in joblist of h1", None),
            ("", None),
            (
                "[7] 2026-11-29 09:13:04: NEW 3 client=builder versions=[6f3f(x86_64), 7a(i686)] many-1/a b/END 3 status=0 server=h1 C++ 0",
                Some(Line::Asked { job: 3, by: "builder", file: "many-1/a b/END 3 status=0 server=h1" }),
            ),
            ("[7] 2026-11-29 09:13:04: NEW 3 client=builder versions=[]", None),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn of_a_path_the_end_is_told() {
        for (path, told) in [
            ("/var/tmp/portage/test-slow/many-1/work/f1.cpp", "many-1/work/f1.cpp"),
            ("/a/b/c", "a/b/c"),
            ("/b/c", "/b/c"),
            ("c", "c"),
            ("", ""),
        ] {
            assert_eq!(told_of(path), told);
        }
    }
}
