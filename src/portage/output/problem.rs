//! The problems that emerge reports in words.
//!
//! emerge ends with status 1 whatever went wrong, so the kind of failure is in its text alone: a line
//! of `markers` begins a problem. The lines that follow are kept as they are: nobody
//! explains a conflict better than the resolver that found it.

use super::die::{find, starred, starts_summary};
use super::markers::{ENDS, MARKERS, ProblemKind, Span, Subject};
use crate::portage::names::cpv::Cpv;

/// The lines by which problems are known: how each begins, and what else is in it. For a test that holds them against
/// Portage itself.
#[must_use]
pub fn texts() -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    MARKERS.iter().map(|marker| (text(marker.starts), text(marker.contains))).collect()
}

/// One problem, in Portage's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about.
    pub kind: ProblemKind,
    /// The atom, package, file or path concerned, as Portage wrote it.
    pub subject: Option<String>,
    /// The package whose messages it stood among, where elog repeats them at the end.
    pub package: Option<Cpv>,
    /// The text, its marker line first; at most 120 lines of 400 bytes, no blank ones at the end.
    pub lines: Vec<String>,
    /// How many lines were left out.
    pub omitted: usize,
    /// Commands that put it right, where somebody looked further than Portage's words.
    pub remedy: Vec<String>,
}

impl Problem {
    /// Whether it was read off an exception, which is the subject: `RecursionError: maximum recursion depth exceeded`.
    pub(crate) fn is_traceback(&self) -> bool {
        self.lines.first().is_some_and(|line| line.starts_with("Traceback (most recent call last):"))
    }
}

const MAX_LINES: usize = 120;
const MAX_LINE: usize = 400;

/// Reads one problem, line by line.
#[derive(Clone, Debug)]
pub struct Block {
    problem: Problem,
    subject: Subject,
    span: Span,
    over: bool,
}

impl Block {
    /// Starts a problem at a marker line.
    pub(crate) fn open(line: &[u8]) -> Option<Self> {
        // Nearly every line of a build ends here.
        if !matches!(line.first()?, b'!' | b' ' | b'"' | b'e' | b'T' | b'W' | b'C' | b'E' | b'P' | b'-') {
            return None;
        }
        let marker = MARKERS.iter().find(|marker| {
            line.starts_with(marker.starts)
                && (marker.contains.is_empty() || find(line, marker.contains).is_some())
        })?;
        let subject = match marker.subject {
            Subject::Between(quote) => between(line, marker.starts.len(), quote),
            Subject::Word => word(&line[marker.starts.len()..]),
            Subject::Rest => Some(&line[marker.starts.len()..]),
            Subject::None if marker.kind == ProblemKind::Killed => {
                find(line, marker.contains).and_then(|at| word(&line[at + marker.contains.len()..]))
            }
            Subject::None | Subject::NextLine => None,
        };
        // How a mirror is laid out (GLEP 75); Portage goes on without it.
        if marker.kind == ProblemKind::Fetch && subject.is_some_and(|file| file.starts_with(b".layout.conf."))
        {
            return None;
        }
        let mut block = Self {
            problem: Problem {
                kind: marker.kind,
                subject: subject.map(|s| lossy(s.strip_suffix(b".").unwrap_or(s))),
                package: None,
                lines: Vec::new(),
                omitted: 0,
                remedy: Vec::new(),
            },
            subject: marker.subject,
            span: marker.span,
            over: marker.span == Span::Line,
        };
        block.push(line);
        Some(block)
    }

    /// What it is about.
    pub(crate) fn kind(&self) -> ProblemKind {
        self.problem.kind
    }

    /// Takes the next line; false when the problem is over and the line is not part of it.
    pub(crate) fn line(&mut self, line: &[u8]) -> bool {
        if self.over {
            return false;
        }
        let more = match self.span {
            Span::Line => false,
            Span::Stars => starred(line).is_some() && !ends(line),
            Span::Bangs => line.starts_with(b"!!!"),
            Span::Text => !ends(line),
            Span::Traceback => {
                self.over = !line.starts_with(b" ");
                if self.over {
                    // The exception itself, however long its traceback.
                    self.problem.subject = Some(lossy(line));
                }
                true
            }
        };
        if !more {
            self.over = true;
            return false;
        }
        let text = starred(line).or_else(|| line.strip_prefix(b"!!!")).unwrap_or(line).trim_ascii();
        if matches!(self.subject, Subject::NextLine)
            && self.problem.subject.is_none()
            && !text.is_empty()
            // In a text these start its second sentence, in a list of lines they are the list.
            && (self.span == Span::Bangs || !line.starts_with(b"!!!"))
        {
            self.problem.subject = Some(lossy(text));
        }
        self.push(line);
        true
    }

    /// Whether a marker line of this kind belongs to what is being read: the world file's two
    /// markers follow each other.
    pub(crate) fn continues_with(&mut self, next: &Block) -> bool {
        let same = self.problem.kind == ProblemKind::WorldAtomGone
            && next.problem.kind == ProblemKind::WorldAtomGone
            && self.problem.subject.is_none();
        if same {
            self.subject = next.subject;
            next.problem.lines.iter().for_each(|line| self.push(line.as_bytes()));
        }
        same
    }

    /// What was read.
    pub(crate) fn finish(self) -> Problem {
        let mut problem = self.problem;
        while problem.lines.last().is_some_and(|line| line.is_empty() || line == " *") {
            problem.lines.pop();
        }
        if problem.kind == ProblemKind::Traceback {
            // The error's own number is exact where Portage had no words for it.
            let last = problem.subject.take().or_else(|| problem.lines.last().cloned()).unwrap_or_default();
            if last.contains("[Errno 28]") {
                problem.kind = ProblemKind::DiskFull;
            } else if last.contains("[Errno 30]") {
                problem.kind = ProblemKind::ReadOnly;
            }
            problem.subject = Some(last);
        }
        problem
    }

    fn push(&mut self, line: &[u8]) {
        if self.problem.lines.len() < MAX_LINES {
            self.problem.lines.push(lossy(line));
        } else {
            self.problem.omitted += 1;
        }
    }
}

fn ends(line: &[u8]) -> bool {
    ENDS.iter().any(|end| line.starts_with(end)) || starred(line).is_some_and(starts_summary)
}

/// The text between the first two quotes, where the prefix may end with the first.
fn between(line: &[u8], prefix: usize, quote: u8) -> Option<&[u8]> {
    let (before, rest) = line.split_at(prefix);
    let mut parts = rest.splitn(3, |&b| b == quote);
    if before.last() != Some(&quote) {
        parts.next()?;
    }
    let inside = parts.next()?;
    parts.next().map(|_| inside)
}

fn word(text: &[u8]) -> Option<&[u8]> {
    text.split(|&b| b == b' ').find(|word| !word.is_empty())
}

/// A line as text, cut to a bearable length, without the spaces at its end.
pub(crate) fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(line[..line.len().min(MAX_LINE)].trim_ascii_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Problem {
        let mut lines = text.lines();
        let mut block = Block::open(lines.next().expect("a line").as_bytes()).expect("a marker");
        for line in lines {
            if !block.line(line.as_bytes()) {
                break;
            }
        }
        block.finish()
    }

    #[test]
    fn lines_that_mean_nothing() {
        for line in [
            "",
            "checking for gcc... gcc",
            "!!! ",
            " * ",
            "emerge: ",
            "The following",
            " *",
            "make: *** [all] Error 2",
        ] {
            assert!(Block::open(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_text_ends_where_emerge_goes_on() {
        let problem = read(
            "!!! All ebuilds that could satisfy \"app-misc/masked\" have been masked.\n\
             !!! One of the following masked packages is required to complete your request:\n\
             - app-misc/masked-1::x (masked by: ~amd64 keyword)\n\
             \n\
             (dependency required by \"app-misc/y-1::x\" [ebuild])\n\
             For more information, see the MASKED PACKAGES section in the emerge\n\
             man page or refer to the Gentoo Handbook.\n",
        );
        assert_eq!(problem.lines.len(), 5);
        assert!(problem.lines[4].starts_with("(dependency required by"));
    }

    #[test]
    fn the_subject_may_be_on_a_later_line() {
        let slot = read(
            "!!! Multiple package instances within a single package slot have been pulled\n\
             !!! into the dependency graph, resulting in a slot conflict:\n\
             \n\
             dev-libs/icu:0\n\
             \n\
             \x20 (dev-libs/icu-75.1:0/75.1::gentoo, ebuild scheduled for merge) pulled in by\n",
        );
        assert_eq!(slot.subject.as_deref(), Some("dev-libs/icu:0"));
        let digest = read(
            "!!! Digest verification failed:\n!!! /var/db/repos/x/a/b/b-1.ebuild\n!!! Reason: Filesize does not match recorded size\n!!! Got: 1\n!!! Expected: 2\n",
        );
        assert_eq!(digest.subject.as_deref(), Some("/var/db/repos/x/a/b/b-1.ebuild"));
        assert_eq!(digest.lines.len(), 5);
    }

    #[test]
    fn a_traceback_tells_a_full_disk() {
        let problem = read(
            "Traceback (most recent call last):\n  File \"/usr/bin/emerge\", line 1, in main\nOSError: [Errno 28] No space left on device: '/x'\nnot part of it\n",
        );
        assert_eq!(problem.kind, ProblemKind::DiskFull);
        assert_eq!(problem.lines.len(), 3);
        assert_eq!(problem.subject.as_deref(), Some("OSError: [Errno 28] No space left on device: '/x'"));
    }

    #[test]
    fn a_text_without_end_stays_small() {
        let long = "x".repeat(10_000);
        let text = format!(" * Error: circular dependencies:\n{}", format!("{long}\n").repeat(500));
        let problem = read(&text);
        assert_eq!((problem.lines.len(), problem.omitted), (MAX_LINES, 381));
        assert!(problem.lines.iter().all(|line| line.len() <= MAX_LINE));
    }
}
