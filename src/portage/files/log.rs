//! emerge.log: one line an event, `{unix time}: {message}`, appended to for years.
//!
//! Sources: `_emerge/emergelog.py` for the format, `MergeListItem.py`, `EbuildMerge.py`,
//! `Binpkg.py`, `PackageUninstall.py`, `post_emerge.py` and `portage/sync/controller.py` for the
//! messages. A package that fails has no line for its end: it was started and never completed.

use crate::portage::names::cpv::Cpv;
use crate::portage::output::die::find;

/// One line that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Seconds since 1970, by the clock of that moment; later lines may be earlier.
    pub time: i64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `Started emerge on: Nov 22, 2026 14:30:00`
    Started,
    /// ` *** emerge --update --deep @world`: the command line, options first, without quotes.
    Command(String),
    /// ` *** Resuming merge...`
    Resuming,
    /// ` >>> emerge (1 of 5) cat/pf to /`
    Start {
        /// Its place in this pass.
        n: u32,
        /// Packages in this pass.
        total: u32,
        /// The package.
        package: Cpv,
    },
    /// ` === (1 of 5) Merging (cat/pf::/path/x.ebuild)`, or `Merging Binary` for a binary package:
    /// its files begin to be copied to the system.
    Merging {
        /// The package.
        package: Cpv,
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
        package: Cpv,
    },
    /// ` >>> unmerge success: cat/pf`
    Unmerged(Cpv),
    /// ` !!! unmerge FAILURE: cat/pf`
    UnmergeFailed(Cpv),
    /// ` *** exiting successfully.`, or unsuccessfully.
    Exit {
        /// Whether it was successfully.
        success: bool,
    },
    /// ` *** terminating.`: the last line of an emerge that was not killed.
    Terminating,
    /// `>>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...`
    Syncing(String),
    /// `=== Sync completed for gentoo`
    Synced(String),
}

/// Reads one line, without its newline. `None` when it is damaged or of a kind that is not needed.
pub(crate) fn line(line: &[u8]) -> Option<LogLine> {
    let colon = find(&line[..line.len().min(24)], b": ")?;
    let time = std::str::from_utf8(&line[..colon]).ok()?.parse().ok()?;
    let event = event(line[colon + 2..].trim_ascii())?;
    Some(LogLine { time, event })
}

fn event(text: &[u8]) -> Option<Event> {
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
fn start(text: &[u8]) -> Option<Event> {
    let (n, total, package) = counted(text.strip_prefix(b"emerge ")?)?;
    Some(Event::Start { n, total, package })
}

/// `completed emerge (1 of 5) cat/pf to /`
fn completed(text: &[u8]) -> Option<Event> {
    let (n, total, package) = counted(text.strip_prefix(b"completed emerge ")?)?;
    Some(Event::Completed { n, total, package })
}

/// `(1 of 5) Merging Binary (cat/pf::/var/cache/binpkgs/cat/pn/pf-1.gpkg.tar)`
fn merging(text: &[u8]) -> Option<Event> {
    let close = text.iter().position(|&b| b == b')')?;
    let text = text[close..].strip_prefix(b") Merging ")?;
    let (binary, text) = match text.strip_prefix(b"Binary ") {
        Some(text) => (true, text),
        None => (false, text),
    };
    package(text.strip_prefix(b"(")?).map(|package| Event::Merging { package, binary })
}

/// `unmerge success: cat/pf`
fn unmerged(text: &[u8]) -> Option<Event> {
    package(text.strip_prefix(b"unmerge success: ")?).map(Event::Unmerged)
}

/// `Syncing repository 'gentoo' into '/var/db/repos/gentoo'...`
fn syncing(text: &[u8]) -> Option<Event> {
    let name = text.strip_prefix(b"Syncing repository '")?;
    let end = name.iter().position(|&b| b == b'\'')?;
    Some(Event::Syncing(String::from_utf8_lossy(&name[..end]).into_owned()))
}

/// `Sync completed for gentoo`
fn synced(text: &[u8]) -> Option<Event> {
    let name = text.strip_prefix(b"Sync completed for ")?;
    Some(Event::Synced(String::from_utf8_lossy(name).into_owned()))
}

/// `emerge --update @world`, `Resuming merge...`, `exiting successfully.`, `terminating.`
fn session(text: &[u8]) -> Option<Event> {
    match text {
        b"terminating." => Some(Event::Terminating),
        b"Resuming merge..." => Some(Event::Resuming),
        _ if text.starts_with(b"exiting ") => {
            Some(Event::Exit { success: text.starts_with(b"exiting successfully") })
        }
        _ if text.starts_with(b"emerge") => Some(Event::Command(String::from_utf8_lossy(text).into_owned())),
        _ => None,
    }
}

/// `(1 of 5) cat/pf to /`
fn counted(text: &[u8]) -> Option<(u32, u32, Cpv)> {
    let text = std::str::from_utf8(text).ok()?;
    let (count, rest) = text.strip_prefix('(')?.split_once(") ")?;
    let (n, total) = count.split_once(" of ")?;
    Some((n.parse().ok()?, total.parse().ok()?, package(rest.as_bytes())?))
}

/// A package up to a space, `::` or the end.
fn package(text: &[u8]) -> Option<Cpv> {
    let word = text.split(|&b| b == b' ').next()?;
    Cpv::parse(&word[..find(word, b"::").unwrap_or(word.len())])
}

/// Cuts what is read from the end of a growing file into lines.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The beginning of a line whose end is not there yet.
    partial: Vec<u8>,
}

impl Reader {
    /// Takes the next bytes of the file and returns the entries of every line they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<LogLine> {
        let Some(last) = bytes.iter().rposition(|&b| b == b'\n') else {
            self.keep(bytes);
            return Vec::new();
        };
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(&bytes[..last]);
        self.keep(&bytes[last + 1..]);
        whole.split(|&b| b == b'\n').filter_map(line).collect()
    }

    /// Keeps the start of a line; no line worth reading is longer than 64 KiB.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (64 * 1024_usize).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpv(text: &str) -> Cpv {
        Cpv::parse(text.as_bytes()).expect("well formed")
    }

    #[test]
    fn every_kind_of_line() {
        for (text, want) in [
            ("1795352400: Started emerge on: Nov 22, 2026 14:30:00", Some(Event::Started)),
            (
                "1795352400:  *** emerge --update --jobs=4 @world",
                Some(Event::Command("emerge --update --jobs=4 @world".into())),
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
                Some(Event::Syncing("gentoo".into())),
            ),
            ("1795352400: === Sync completed for gentoo", Some(Event::Synced("gentoo".into()))),
            ("1795352400: === Unmerging... (sys-libs/zlib-1.2)", None),
            ("1795352400: ", None),
            ("1795352400:", None),
            ("x: >>> emerge (1 of 5) sys-libs/zlib-1.3 to /", None),
            ("1795352400:  >>> emerge (1 of 5) sys-libs/zlib to /", None),
            ("1795352400:  >>> emerge (1 of", None),
            ("", None),
        ] {
            let got = line(text.as_bytes());
            assert_eq!(got.as_ref().map(|e| e.time), want.as_ref().map(|_| 1_795_352_400), "{text}");
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
        let whole = Reader::default().feed(DAMAGED.as_bytes());
        assert_eq!(whole.iter().map(|entry| entry.time).collect::<Vec<_>>(), [100, 104, 50]);
        for size in [1, 3, 7, 64] {
            let mut reader = Reader::default();
            let pieces: Vec<LogLine> =
                DAMAGED.as_bytes().chunks(size).flat_map(|piece| reader.feed(piece)).collect();
            assert_eq!(pieces, whole, "{size}");
        }
    }

    #[test]
    fn a_line_without_end_stays_small() {
        let mut reader = Reader::default();
        for _ in 0..100 {
            assert!(reader.feed(&[b'x'; 4096]).is_empty());
        }
        assert!(reader.partial.len() <= 64 * 1024);
        assert_eq!(reader.feed(b"\n1: Started emerge on: x\n").len(), 1);
    }
}
