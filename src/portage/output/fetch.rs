//! Why a file could not be fetched: a trouble that may pass by itself, or one that will not.
//!
//! Portage runs FETCHCOMMAND, wget unless configured otherwise, and only says in the end that the file
//! could not be had. What wget and curl said before stands in the package's log.

use super::die::find;

/// What kept a file from being fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// The file is not there, or not what the Manifest says, or nothing is known.
    #[default]
    Lasting,
    /// Where it comes from did not answer, had a name that could not be resolved for now,
    /// broke the connection off, or said that it is busy or broken.
    Passing,
}

/// An attempt to fetch a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// From where.
    pub url: String,
    /// Why it failed, in wget's words: `Connection refused`, `ERROR 404: Not Found`.
    pub why: Option<String>,
}

/// The lines about the file that was wanted last: without what came before it and is there (` * x.tar.gz
/// BLAKE2B SHA512 size ;-) ... [ ok ]`), and without `layout.conf`, which says how a mirror is laid out (GLEP 75) and
/// which nobody misses.
fn attempts(log: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut layout = false;
    for line in log.split(|&b| b == b'\n') {
        if line.starts_with(DOWNLOADING) {
            layout = line.ends_with(b"/layout.conf'");
        } else if layout && line.starts_with(b"!!! Couldn't download '") {
            layout = false;
            continue;
        } else if find(line, b" ;-) ").is_some() {
            lines.clear();
            layout = false;
            continue;
        }
        if !layout {
            lines.push(line);
        }
    }
    lines
}

/// `portage/package/ebuild/fetch.py`
const DOWNLOADING: &[u8] = b">>> Downloading '";

/// The last attempt in the log of a package: `>>> Downloading 'URL'`, and what wget says after it.
pub(crate) fn download(log: &[u8]) -> Option<Download> {
    let mut last: Option<Download> = None;
    for line in attempts(log) {
        let line = String::from_utf8_lossy(line);
        if let Some(url) = line.strip_prefix(">>> Downloading '").and_then(|rest| rest.strip_suffix('\'')) {
            last = Some(Download { url: url.to_owned(), why: None });
        } else if let Some(download) = &mut last
            && let Some(why) = refusal(&line)
        {
            download.why = Some(why.trim_end_matches('.').to_owned());
        }
    }
    last
}

/// `Connecting to a.example:80... failed: Connection refused.`, `2026-11-22 16:44:00 ERROR 404: Not Found.`
fn refusal(line: &str) -> Option<&str> {
    match line.split_once("... failed: ") {
        Some((_, why)) => Some(why),
        None => line.find(" ERROR ").map(|at| &line[at + 1..]),
    }
}

/// Reads the log of a package, or the end of one.
///
/// What the tree names decides: a mirror of GENTOO_MIRRORS has no more than copies, many of them later, and one that does
/// not answer is passed over by Portage. Where nothing else was asked, any place counts.
///
/// The words are those of wget 1.x (`src/connect.c`, `src/http.c`, `src/host.c`) and the exit messages
/// of `curl(1)`.
pub(crate) fn trouble(log: &[u8]) -> Trouble {
    let mut of_mirror = false;
    let (mut asked, mut passing) = ([false; 2], [false; 2]);
    for line in attempts(log) {
        if let Some(url) = line.strip_prefix(DOWNLOADING) {
            of_mirror = is_mirror(url.strip_suffix(b"'").unwrap_or(url));
            asked[usize::from(of_mirror)] = true;
        } else if SIGNS.iter().any(|sign| find(line, sign.as_bytes()).is_some())
            || status(line).is_some_and(passes)
        {
            passing[usize::from(of_mirror)] = true;
        }
    }
    let [upstream, mirrors] = passing;
    if upstream || (mirrors && !asked[0]) { Trouble::Passing } else { Trouble::Lasting }
}

/// Whether it is of a mirror of GENTOO_MIRRORS: `MIRROR/distfiles/FILE`, or `MIRROR/distfiles/4f/FILE` (GLEP 75).
fn is_mirror(url: &[u8]) -> bool {
    let mut parts = url.rsplit(|&b| b == b'/').skip(1);
    let is_hash = |part: &[u8]| part.len() == 2 && part.iter().all(u8::is_ascii_hexdigit);
    match parts.next() {
        Some(b"distfiles") => true,
        Some(part) if is_hash(part) => parts.next() == Some(b"distfiles"),
        _ => false,
    }
}

const SIGNS: &[&str] = &[
    // wget
    "failed: Connection refused",
    "failed: Connection timed out",
    "failed: Network is unreachable",
    "failed: No route to host",
    "failed: Temporary failure in name resolution",
    "Read error at byte ",
    "Read error (",
    "No data received",
    "Unable to establish SSL connection",
    // curl
    "curl: (7) ",
    "curl: (18) ",
    "curl: (28) ",
    "curl: (35) ",
    "curl: (52) ",
    "curl: (56) ",
];

/// The HTTP status of wget's `ERROR 503: Service Unavailable.` and of curl's `The requested URL returned
/// error: 503`.
fn status(line: &[u8]) -> Option<u16> {
    let number = ["ERROR ", "The requested URL returned error: "].iter().find_map(|before| {
        let at = find(line, before.as_bytes())? + before.len();
        line.get(at..at + 3)
    })?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Request Timeout, Too Many Requests, and everything that is the server's own trouble (RFC 9110, 15).
fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_and_what_will_not() {
        for (log, passes) in [
            ("Connecting to 127.0.0.1:8099... failed: Connection refused.", true),
            ("Resolving a.example (a.example)... failed: Temporary failure in name resolution.", true),
            ("Resolving a.example (a.example)... failed: Name or service not known.", false),
            ("2026-11-22 14:30:00 ERROR 503: Service Unavailable.", true),
            ("2026-11-22 14:30:00 ERROR 429: Too Many Requests.", true),
            ("2026-11-22 14:30:00 ERROR 404: Not Found.", false),
            ("curl: (22) The requested URL returned error: 502", true),
            ("curl: (22) The requested URL returned error: 404", false),
            ("curl: (28) Operation timed out after 30001 milliseconds", true),
            ("curl: (6) Could not resolve host: a.example", false),
            ("!!! Couldn't download 'a-1.tar.gz'. Aborting.", false),
            ("!!! Fetched file: a-1.tar.gz VERIFY FAILED!", false),
            ("ERROR 5", false),
            // Of two places that the tree names, one may come back.
            ("ERROR 404: Not Found.\nConnecting to b.example... failed: Connection timed out.\n", true),
        ] {
            assert_eq!(trouble(log.as_bytes()) == Trouble::Passing, passes, "{log}");
        }
    }

    #[test]
    fn a_mirror_that_is_down_is_no_reason_to_wait_for_what_is_gone() {
        let refused = "Connecting to 127.0.0.1:9... failed: Connection refused.\n";
        let (gone, busy) = ("ERROR 404: Not Found.\n", "ERROR 503: Service Unavailable.\n");
        let of = |url: &str, what: &str| format!(">>> Downloading '{url}'\n{what}");
        let mirror = |what: &str| of("http://127.0.0.1:9/distfiles/4f/x.tar.gz", what);
        let upstream = |what: &str| of("https://a.example/x/x.tar.gz", what);
        for (log, passes) in [
            (mirror(refused) + &upstream(gone), false),
            (upstream(gone) + &mirror(refused), false),
            (mirror(gone) + &upstream(refused), true),
            (mirror(gone) + &upstream(busy), true),
            (mirror(refused), true),
            (mirror(refused) + &of("http://b.example/distfiles/x.tar.gz", gone), true),
            (mirror(gone), false),
        ] {
            assert_eq!(trouble(log.as_bytes()) == Trouble::Passing, passes, "{log}");
        }
    }

    /// Only what became of the file itself counts.
    #[test]
    fn other_files_are_no_attempts() {
        let layout = ">>> Downloading 'http://m.example/distfiles/layout.conf'\nConnecting to m.example... failed: Connection refused.\n\
                      !!! Couldn't download '.layout.conf.m.example'. Aborting.\n";
        let other = ">>> Downloading 'http://a.example/other.tar.gz'\nConnecting to a.example... failed: Connection refused.\n\
                     >>> Downloading 'http://b.example/other.tar.gz'\n * other.tar.gz BLAKE2B SHA512 size ;-) ...   [ ok ]\n";
        let wanted =
            ">>> Downloading 'http://a.example/x.tar.gz'\n2026-11-22 14:30:00 ERROR 404: Not Found.\n";
        let log = format!("{layout}{other}{wanted}");
        assert_eq!(trouble(log.as_bytes()), Trouble::Lasting);
        let download = download(log.as_bytes()).expect("an attempt");
        assert_eq!(
            (download.url.as_str(), download.why.as_deref()),
            ("http://a.example/x.tar.gz", Some("ERROR 404: Not Found"))
        );
        assert_eq!(super::download(layout.as_bytes()), None);
    }

    #[test]
    fn the_last_attempt_and_why_it_failed() {
        let log = b">>> Downloading 'http://a.example/x.tar.gz'\nResolving a.example... failed: Name or service not known.\n\
                    >>> Downloading 'http://b.example/x.tar.gz'\n2026-11-22 14:30:00 ERROR 404: Not Found.\n\n\
                    !!! Couldn't download 'x.tar.gz'. Aborting.\n";
        let why = Some("ERROR 404: Not Found".to_owned());
        assert_eq!(download(log), Some(Download { url: "http://b.example/x.tar.gz".into(), why }));
        let log = b">>> Downloading 'http://a.example/x.tar.gz'\n";
        assert_eq!(download(log).and_then(|download| download.why), None);
        assert_eq!(download(b"x ERROR 404\n"), None);
    }
}
