//! A log: some of its lines, as a terminal would have coloured them, and the way to the others.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::parts::{coded, log_address, moment, newest_log, package, text};
use super::{Builder, Page};
use crate::model::records::PackageOutcome;
use crate::model::status::size;
use crate::portage::files::log_name::LogName;
use crate::portage::output::buildlog::{is_error, uncoloured};
use crate::portage::output::elog;
use crate::render::ansi::{Pen, pieces};

/// Logs in the list.
const MOST: usize = 200;
/// Bytes of a line that are shown.
const LONGEST: usize = 16 << 10;

/// A piece of a log.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// Below where logs are.
    pub path: &'a str,
    /// Bytes of all of it.
    pub size: u64,
    /// At which byte the piece begins.
    pub from: u64,
    /// The piece.
    pub bytes: &'a [u8],
    /// At which byte the line begins that says what went wrong.
    pub error: Option<u64>,
    /// Something that can be shown follows the piece: of what is being written, no line without its end.
    pub more: bool,
    /// The builder is still writing it.
    pub written: bool,
}

/// The page of a log of the builder with this name.
#[must_use]
pub fn log(log: &Log<'_>, name: &str) -> Page {
    let next = log.from + log.bytes.len() as u64;
    let file = log.path.rsplit('/').next().unwrap_or(log.path);
    let (title, heading, begun) = match (LogName::parse(log.path), step(log.path)) {
        (Some(name), _) => {
            let title = name.cpv.pf().to_owned();
            (title, html! { "Log of " (package(name.cpv.as_str())) }, elog::time(&name.time))
        }
        (_, Some((step, cycle))) => {
            let title = format!("{step} of cycle {cycle}");
            (
                title,
                html! { "Log of step " (text(step)) " of " a href={ "/cycles/" (cycle) } { "cycle " (cycle) } },
                None,
            )
        }
        _ => (file.to_owned(), html! { "Log " (text(file)) }, None),
    };
    let head = html! {
        h1 { (heading) }
        p.sub {
            @if let Some(begun) = begun { span { "begun " (moment(begun)) } }
            span #size { (size(log.size)) @if log.written { ", being written" } }
        }
        p.sub.ways {
            a href="?at=0" { "beginning" }
            @if log.error.is_some() { a.bad href="?error#error" { "first error" } }
            a href={ "./" (coded(file)) } { "end" }
            a href="?raw" { "as it is" }
        }
    };
    let body = html! {
        @if log.from > 0 { p.sub { a #earlier href={ "?to=" (log.from) } { "earlier" } } }
        pre #log tabindex="0" aria-label="The log" data-from=(log.from) data-next=(next) data-more[log.more] data-written[log.written] {
            (log_lines(log.from, log.bytes, log.error))
        }
        @if log.size == 0 { p.dim { "Nothing is written in it yet." } }
        @if log.more { p.sub { a #later href={ "?at=" (next) } { "later" } } }
    };
    Page {
        title: format!("{title} · {name}"),
        below: "/logs/",
        parts: vec![("head", head), ("lines", body)],
        script: Some("/log.js"),
        ..Page::default()
    }
}

/// `steps/12/build.log`
fn step(path: &str) -> Option<(&str, u64)> {
    let (cycle, file) = path.strip_prefix("steps/")?.split_once('/')?;
    Some((file.strip_suffix(".log")?, cycle.parse().ok()?))
}

/// Lines that begin at this byte of a log, each with a name that stays: `o` and the byte where it begins.
#[must_use]
pub fn log_lines(from: u64, bytes: &[u8], error: Option<u64>) -> Markup {
    let mut at = from;
    let mut out = String::with_capacity(bytes.len() * 2);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let plain = String::from_utf8_lossy(line);
        let bad = is_error(&String::from_utf8_lossy(&uncoloured(plain.as_bytes())));
        let class = if error == Some(at) {
            "l bad here"
        } else if bad {
            "l bad"
        } else {
            "l"
        };
        if error == Some(at) {
            out.push_str("<span id=\"error\"></span>");
        }
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<span class=\"{class}\" id=\"o{at}\"><a href=\"?at={at}#o{at}\" tabindex=\"-1\" aria-hidden=\"true\"></a>"
        );
        coloured(&mut out, &plain);
        out.push_str("\n</span>");
        at += line.len() as u64;
    }
    PreEscaped(out)
}

/// The classes of what is written so.
fn classes(pen: Pen) -> String {
    let mut classes = String::new();
    // Black and white are what the page has for both.
    if let Some(colour) = pen.colour.filter(|colour| !matches!(colour, 0 | 7)) {
        let _ = write!(classes, "f{colour}");
    }
    for (is, class) in [(pen.bold, " fb"), (pen.dim || pen.colour == Some(0), " dim")] {
        classes += if is { class } else { "" };
    }
    classes
}

/// Writes a line with its colours; what else a terminal would act on is left out.
fn coloured(out: &mut String, line: &str) {
    let line = line.trim_end();
    // Before it is cut, since what a carriage return overwrote may be long.
    let line = line.rsplit('\r').next().unwrap_or(line);
    let shown = &line[..line.floor_char_boundary(LONGEST)];
    for (pen, text) in pieces(shown) {
        let classes = classes(pen);
        let (before, after) = if classes.is_empty() {
            (String::new(), "")
        } else {
            (format!("<span class=\"{}\">", classes.trim_start()), "</span>")
        };
        out.push_str(&before);
        for c in text.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                c => out.push(c),
            }
        }
        out.push_str(after);
    }
    if shown.len() < line.len() {
        let _ = write!(out, " … {} more", size((line.len() - shown.len()) as u64));
    }
}

/// The logs of what was merged last, the newest first.
#[must_use]
pub fn log_list(builder: Builder<'_>) -> Page {
    let rows = builder.cycles.iter().flat_map(|cycle| cycle.packages.iter().rev().map(|row| (cycle.id, row)));
    // Of older merges of a version the newest log is not theirs.
    let mut seen = BTreeSet::new();
    let rows = rows.filter(|(_, row)| seen.insert(&row.package) || row.log.is_some());
    let address = |row| newest_log(builder.logs, row);
    let rows: Vec<_> = rows.filter_map(|(cycle, row)| Some((cycle, row, address(row)?))).take(MOST).collect();
    let list = html! {
        h1 { "Logs" }
        @if let Some(log) = builder.status.and_then(|status| log_address(builder.logs?, status.log.as_deref()?)) {
            p.sub { span { "Of the step: " a href=(log) { (text(log.rsplit("/logs/").next().unwrap_or_default())) } } }
        }
        @if rows.is_empty() { p { "No package was merged yet." } }
        @else {
            table {
                thead { tr { th scope="col" { "package" } th scope="col" { "outcome" } th.n.wide scope="col" { "cycle" } th.n.wide scope="col" { "ended" } } }
                tbody {
                    @for (cycle, row, address) in &rows {
                        tr {
                            th scope="row" {
                                a href=(address) { (package(&row.package)) }
                                // The columns that a phone has no room for.
                                div.why.narrow { "cycle " (cycle) ", " (moment(row.ended)) }
                            }
                            td { @match (row.outcome, row.binary) {
                                (PackageOutcome::Failed, _) => span.bad { "failed" },
                                (PackageOutcome::Built, true) => "binary",
                                (PackageOutcome::Built, false) => "built",
                            } }
                            td.n.wide { a href={ "/cycles/" (cycle) } { (cycle) } }
                            td.n.wide { (moment(row.ended)) }
                        }
                    }
                }
            }
        }
    };
    Page {
        title: format!("Logs · {}", builder.name),
        below: "/logs/",
        parts: vec![("list", list)],
        ..Page::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let mut out = String::new();
        coloured(&mut out, line);
        out
    }

    #[test]
    fn colours_are_kept_and_commands_are_not() {
        for (line, markup) in [
            ("plain <b> & \"x\"\n", "plain &lt;b&gt; &amp; &quot;x&quot;"),
            ("\u{1b}[32;01m * \u{1b}[39;49;00mhello", "<span class=\"f2 fb\"> * </span>hello"),
            ("\u{1b}[1m\u{1b}[31mred", "<span class=\"f1 fb\">red</span>"),
            (
                "\u{1b}[38;5;196mred\u{1b}[m \u{1b}[38;2;0;0;255mblue",
                "<span class=\"f1\">red</span> <span class=\"f4\">blue</span>",
            ),
            ("10%\r20%\r\n", "20%"),
            (
                "\u{1b}[2J\u{1b}[10;3Hgone\u{1b}]0;title\u{7}\u{1b}]8;;http://x\u{1b}\\link\u{8}\u{202e}!",
                "gonelink!",
            ),
            ("\u{1b}", ""),
            ("\u{1b}[31", ""),
            ("\u{1b}]0;without an end", ""),
        ] {
            assert_eq!(shown(line), markup, "{line:?}");
        }
        let long = shown(&"x".repeat(100_000));
        assert!(long.ends_with("x … 81.7 KiB more"), "{}", &long[long.len() - 40..]);
    }

    #[test]
    fn lines_have_names_that_stay() {
        let lines = log_lines(100, b"a\nmake: *** [Makefile:3: x] Error 1\n", Some(102)).into_string();
        assert!(
            lines.contains("id=\"o100\"")
                && lines.contains("<span id=\"error\"></span><span class=\"l bad here\" id=\"o102\">"),
            "{lines}"
        );
    }
}
