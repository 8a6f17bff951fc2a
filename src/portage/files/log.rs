//! emerge.log: one line an event, `{unix time}: {message}`, appended to for years.
//!
//! Sources: `_emerge/emergelog.py` for the format, `MergeListItem.py`, `EbuildMerge.py`,
//! `Binpkg.py`, `PackageUninstall.py`, `post_emerge.py` and `portage/sync/controller.py` for the
//! messages. A package that fails has no line for its end: it was started and never completed.

use crate::portage::names::cpv::CpvRef;
use crate::portage::output::die::find;

/// One line that means something. A log of years has hundreds of thousands of them, so they are told of as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Seconds since 1970, by the clock of that moment; later lines may be earlier.
    pub time: i64,
    /// What happened.
    pub event: Event<'a>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// `Started emerge on: Nov 22, 2026 14:30:00`
    Started,
    /// ` *** emerge --update --deep @world`: the command line, options first, without quotes.
    Command(&'a [u8]),
    /// ` *** Resuming merge...`
    Resuming,
    /// ` >>> emerge (1 of 5) cat/pf to /`
    Start {
        /// Its place in this pass.
        n: u32,
        /// Packages in this pass.
        total: u32,
        /// The package.
        package: CpvRef<'a>,
    },
    /// ` === (1 of 5) Merging (cat/pf::/path/x.ebuild)`, or `Merging Binary` for a binary package:
    /// its files begin to be copied to the system.
    Merging {
        /// The package.
        package: CpvRef<'a>,
        /// Whether it is installed from a binary package.
        binary: bool,
    },
    /// ` ::: completed emerge (1 of 5) cat/pf to /`
    Completed {
        /// Its place in this pass.
        n: u32,
        /// Packages in this pass.
        total: u32,
        /// The package.
        package: CpvRef<'a>,
    },
    /// ` >>> unmerge success: cat/pf`
    Unmerged(CpvRef<'a>),
    /// ` !!! unmerge FAILURE: cat/pf`
    UnmergeFailed(CpvRef<'a>),
    /// ` *** exiting successfully.`, or unsuccessfully.
    Exit {
        /// Whether it was successfully.
        success: bool,
    },
    /// ` *** terminating.`: the last line of an emerge that was not killed.
    Terminating,
    /// `>>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...`
    Syncing(&'a [u8]),
    /// `=== Sync completed for gentoo`
    Synced(&'a [u8]),
}

/// Reads one line, without its newline. `None` when it is damaged or of a kind that is not needed.
pub(crate) fn line(line: &[u8]) -> Option<LogLine<'_>> {
    let colon = find(&line[..line.len().min(24)], b": ")?;
    // Nearly half of the lines are of no kind that is needed, and their times are not either.
    let event = event(line[colon + 2..].trim_ascii())?;
    let time = std::str::from_utf8(&line[..colon]).ok()?.parse().ok()?;
    Some(LogLine { time, event })
}

fn event(text: &[u8]) -> Option<Event<'_>> {
    // The first three bytes tell the kinds apart, except for the session's own first line.
    match text.get(..4)? {
        b">>> " => start(&text[4..]).or_else(|| unmerged(&text[4..])).or_else(|| syncing(&text[4..])),
        b"::: " => completed(&text[4..]),
        b"=== " => merging(&text[4..]).or_else(|| synced(&text[4..])),
        b"*** " => session(&text[4..]),
        b"!!! " => package(text.strip_prefix(b"!!! unmerge FAILURE: ")?).map(Event::UnmergeFailed),
        _ => text.starts_with(b"Started emerge on: ").then_some(Event::Started),
    }
}

/// `emerge (1 of 5) cat/pf to /`
fn start(text: &[u8]) -> Option<Event<'_>> {
    let (n, total, package) = counted(text.strip_prefix(b"emerge ")?)?;
    Some(Event::Start { n, total, package })
}

/// `completed emerge (1 of 5) cat/pf to /`
fn completed(text: &[u8]) -> Option<Event<'_>> {
    let (n, total, package) = counted(text.strip_prefix(b"completed emerge ")?)?;
    Some(Event::Completed { n, total, package })
}

/// `(1 of 5) Merging Binary (cat/pf::/var/cache/binpkgs/cat/pn/pf-1.gpkg.tar)`
fn merging(text: &[u8]) -> Option<Event<'_>> {
    let close = memchr::memchr(b')', text)?;
    let text = text[close..].strip_prefix(b") Merging ")?;
    let (binary, text) = match text.strip_prefix(b"Binary ") {
        Some(text) => (true, text),
        None => (false, text),
    };
    package(text.strip_prefix(b"(")?).map(|package| Event::Merging { package, binary })
}

/// `unmerge success: cat/pf`
fn unmerged(text: &[u8]) -> Option<Event<'_>> {
    package(text.strip_prefix(b"unmerge success: ")?).map(Event::Unmerged)
}

/// `Syncing repository 'gentoo' into '/var/db/repos/gentoo'...`
fn syncing(text: &[u8]) -> Option<Event<'_>> {
    let name = text.strip_prefix(b"Syncing repository '")?;
    Some(Event::Syncing(&name[..memchr::memchr(b'\'', name)?]))
}

/// `Sync completed for gentoo`
fn synced(text: &[u8]) -> Option<Event<'_>> {
    text.strip_prefix(b"Sync completed for ").map(Event::Synced)
}

/// `emerge --update @world`, `Resuming merge...`, `exiting successfully.`, `terminating.`
fn session(text: &[u8]) -> Option<Event<'_>> {
    match text {
        b"terminating." => Some(Event::Terminating),
        b"Resuming merge..." => Some(Event::Resuming),
        _ if text.starts_with(b"exiting ") => {
            Some(Event::Exit { success: text.starts_with(b"exiting successfully") })
        }
        _ if text.starts_with(b"emerge") => Some(Event::Command(text)),
        _ => None,
    }
}

/// `(1 of 5) cat/pf to /`
fn counted(text: &[u8]) -> Option<(u32, u32, CpvRef<'_>)> {
    let text = text.strip_prefix(b"(")?;
    let (count, rest) = text.split_at(memchr::memchr(b')', text)?);
    let of = find(count, b" of ")?;
    let number = |text| std::str::from_utf8(text).ok()?.parse().ok();
    Some((number(&count[..of])?, number(&count[of + 4..])?, package(rest.strip_prefix(b") ")?)?))
}

/// A package up to a space, `::` or the end.
fn package(text: &[u8]) -> Option<CpvRef<'_>> {
    let end = text.iter().position(|byte| matches!(byte, b' ' | b':')).unwrap_or(text.len());
    let (package, rest) = text.split_at(end);
    // A single colon is in no name.
    if rest.starts_with(b":") && !rest.starts_with(b"::") { None } else { CpvRef::parse(package) }
}

/// Cuts what is read from the end of a growing file into lines.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The beginning of a line whose end is not there yet.
    partial: Vec<u8>,
}

impl Reader {
    /// Takes the next bytes of the file and tells of the entry of every line that they complete.
    pub fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(LogLine<'_>)) {
        let mut rest = bytes;
        while let Some(length) = memchr::memchr(b'\n', rest) {
            let text = &rest[..length];
            rest = &rest[length + 1..];
            if self.partial.is_empty() {
                line(text).map(&mut tell);
            } else {
                self.partial.extend_from_slice(text);
                line(&self.partial).map(&mut tell);
                self.partial.clear();
            }
        }
        self.keep(rest);
    }

    /// Keeps the start of a line; no line worth reading is longer than 64 KiB.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (64 * 1024_usize).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// So many bytes of a log are read at most, from its end: the years before that say nothing of how long a package takes now, and the user
/// portage can make the file as long as the file system allows.
pub const MOST: u64 = 256 << 20;

/// From where on such bytes are whole lines, if they begin in the middle of one; nothing when none ends there.
#[must_use]
pub fn after_cut(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|end| end + 1)
}

/// Up to where such bytes are whole lines.
#[must_use]
pub fn whole(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpv(text: &str) -> CpvRef<'_> {
        CpvRef::parse(text.as_bytes()).expect("well formed")
    }

    /// The times of the lines of a log that mean something, and what they tell of, read in such pieces.
    fn read(log: &[u8], size: usize) -> Vec<(i64, String)> {
        let (mut reader, mut entries) = (Reader::default(), Vec::new());
        for piece in log.chunks(size) {
            reader.feed(piece, |entry| entries.push((entry.time, format!("{:?}", entry.event))));
        }
        entries
    }

    #[test]
    fn every_kind_of_line() {
        for (text, want) in [
            ("1795352400: Started emerge on: Nov 22, 2026 14:30:00", Some(Event::Started)),
            (
                "1795352400:  *** emerge --update --jobs=4 @world",
                Some(Event::Command(b"emerge --update --jobs=4 @world")),
            ),
            ("1795352400:  *** Resuming merge...", Some(Event::Resuming)),
            (
                "1795352400:  >>> emerge (1 of 5) sys-libs/zlib-1.3 to /",
                Some(Event::Start { n: 1, total: 5, package: cpv("sys-libs/zlib-1.3") }),
            ),
            ("1795352400:  === (1 of 5) Cleaning (sys-libs/zlib-1.3::/r/zlib-1.3.ebuild)", None),
            (
                "1795352400:  === (1 of 5) Merging Binary (sys-libs/zlib-1.3::/p/zlib-1.3-1.gpkg.tar)",
                Some(Event::Merging { package: cpv("sys-libs/zlib-1.3"), binary: true }),
            ),
            (
                "1795352400:  === (1 of 5) Merging (sys-libs/zlib-1.3::/r/zlib-1.3.ebuild)",
                Some(Event::Merging { package: cpv("sys-libs/zlib-1.3"), binary: false }),
            ),
            (
                "1795352400:  ::: completed emerge (1 of 5) sys-libs/zlib-1.3 to /",
                Some(Event::Completed { n: 1, total: 5, package: cpv("sys-libs/zlib-1.3") }),
            ),
            (
                "1795352400:  >>> unmerge success: sys-libs/zlib-1.2",
                Some(Event::Unmerged(cpv("sys-libs/zlib-1.2"))),
            ),
            (
                "1795352400:  !!! unmerge FAILURE: sys-libs/zlib-1.2",
                Some(Event::UnmergeFailed(cpv("sys-libs/zlib-1.2"))),
            ),
            ("1795352400:  >>> AUTOCLEAN: sys-libs/zlib:0", None),
            ("1795352400:  *** exiting successfully.", Some(Event::Exit { success: true })),
            (
                "1795352400:  *** exiting unsuccessfully with status '1'.",
                Some(Event::Exit { success: false }),
            ),
            ("1795352400:  *** Finished. Cleaning up...", None),
            ("1795352400:  *** terminating.", Some(Event::Terminating)),
            (
                "1795352400: >>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...",
                Some(Event::Syncing(b"gentoo")),
            ),
            ("1795352400: === Sync completed for gentoo", Some(Event::Synced(b"gentoo"))),
            ("1795352400: === Unmerging... (sys-libs/zlib-1.2)", None),
            ("1795352400: ", None),
            ("1795352400:", None),
            ("x: >>> emerge (1 of 5) sys-libs/zlib-1.3 to /", None),
            ("1795352400:  >>> emerge (1 of 5) sys-libs/zlib to /", None),
            ("1795352400:  >>> emerge (1 of 5) sys-libs/zlib-1.3:0 to /", None),
            ("1795352400:  >>> emerge (1 of 5)sys-libs/zlib-1.3 to /", None),
            ("1795352400:  >>> emerge (1 of", None),
            ("", None),
        ] {
            let got = line(text.as_bytes());
            assert_eq!(got.map(|e| e.time), want.map(|_| 1_795_352_400), "{text}");
            assert_eq!(got.map(|e| e.event), want, "{text}");
        }
    }

    /// What a power loss leaves: zeros where the end of a line was.
    const DAMAGED: &str = "100:  >>> emerge (1 of 3) a/a-1 to /\n\
        101:  >>> emerge (2 of 3) a/b\x00\x00\x00102:  ::: completed emerge (2 of 3) a/b-1 to /\n\
        \0\0\0\0\n\
        104:  ::: completed emerge (1 of 3) a/a-1 to /\n\
        50:  *** terminating.\n";

    #[test]
    fn a_growing_file_gives_the_same_in_any_pieces() {
        let whole = read(DAMAGED.as_bytes(), DAMAGED.len());
        assert_eq!(whole.iter().map(|(time, _)| *time).collect::<Vec<_>>(), [100, 104, 50]);
        for size in [1, 3, 7, 64] {
            assert_eq!(read(DAMAGED.as_bytes(), size), whole, "{size}");
        }
        for (text, length) in [("", 0), ("1", 0), ("1\n", 2), ("1\n\n2", 3)] {
            assert_eq!(super::whole(text.as_bytes()), length, "{text:?}");
        }
    }

    #[test]
    fn a_line_without_end_stays_small() {
        let mut reader = Reader::default();
        for _ in 0..100 {
            reader.feed(&[b'x'; 4096], |_| panic!("there is no line"));
        }
        assert!(reader.partial.len() <= 64 * 1024);
        let mut entries = 0;
        reader.feed(b"\n1: Started emerge on: x\n", |_| entries += 1);
        assert_eq!(entries, 1);
    }
}
