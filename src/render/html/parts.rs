//! Pieces that several pages have in common.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::clean;
use crate::model::bounds::cut;
use crate::model::duration::in_words;
use crate::model::records::{PackageOutcome, PackageRow};
use crate::portage::names::cpv::Cpv;

/// Seconds that go on, in a page; up to the end of what they are told in, nothing else is said.
const AGE: &str = " data-age=\"";
/// Bytes of a sentence on a page.
const LONGEST: usize = 1000;

/// A text of others, without what nobody sees, and no longer than anybody reads.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    match clean(text) {
        Cow::Borrowed(text) => cut(text, LONGEST),
        Cow::Owned(text) => Cow::Owned(cut(&text, LONGEST).into_owned()),
    }
}

/// A path as it stands in a reference: what means something in a URL, coded.
pub(super) fn coded(path: &str) -> String {
    let mut coded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+@".contains(&byte) {
            coded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(coded, "%{byte:02X}");
        }
    }
    coded
}

/// Where the log at a path of the container is read, when it is one of this volume.
#[must_use]
pub fn log_address(volume: &str, path: &str) -> Option<String> {
    let below = path.strip_prefix(volume)?.strip_prefix('/')?;
    let below = match (below.strip_prefix("log/"), below.strip_prefix("steps/")) {
        // Where older versions had the logs of steps.
        (Some(log), _) => {
            log.strip_prefix("cycle/").map_or_else(|| log.to_owned(), |step| format!("steps/{step}"))
        }
        (None, Some(step)) => format!("steps/{step}"),
        (None, None) => return None,
    };
    Some(coded_log(&below))
}

/// Where the log at a path below those of logs is read.
#[must_use]
pub fn coded_log(below: &str) -> String {
    format!("/logs/{}", coded(below))
}

/// Where the log of the newest merge of this version is read. Which file that is the builder knows of one that failed; the server finds the
/// others by their names.
pub(super) fn newest_log(volume: Option<&str>, row: &PackageRow) -> Option<String> {
    let volume = volume?;
    match row.log.as_deref() {
        Some(path) => log_address(volume, path),
        None => (row.outcome == PackageOutcome::Built).then(|| coded_log(&format!("newest/{}", row.package))),
    }
}

/// A log: a link to where it is read, or where it is in the container.
pub(super) fn log(volume: Option<&str>, path: &str) -> Markup {
    html! {
        @match volume.and_then(|volume| log_address(volume, path)) {
            Some(address) => a href=(address) { "log" },
            None => { "log " code { (text(path)) } }
        }
    }
}

/// The same of a build that failed: it leads to the line that says why.
pub(super) fn failed_log(volume: Option<&str>, path: &str) -> Markup {
    html! {
        @match volume.and_then(|volume| log_address(volume, path)) {
            Some(address) => a href={ (address) "?error#error" } { "log" },
            None => { "log " code { (text(path)) } }
        }
    }
}

/// `2 h 10 min`
pub(super) fn seconds(seconds: u64) -> String {
    in_words(Duration::from_secs(seconds))
}

/// `3 h`, from one moment to a later one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    in_words(Duration::try_from(to.duration_since(from)).unwrap_or_default())
}

/// A moment; a script shows it in the time of whoever looks.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M UTC")) } }
}

/// The time of day of a moment that is not far.
pub(super) fn clock(at: Timestamp) -> Markup {
    html! { time.clock datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%H:%M UTC")) } }
}

/// `12 min`, and counting: a script goes on with it.
pub(super) fn counting(seconds: u64) -> Markup {
    html! { span data-age=(seconds) { (self::seconds(seconds)) } }
}

/// The same from a moment on.
pub(super) fn since(then: Timestamp, now: Timestamp) -> Markup {
    counting(u64::try_from(now.duration_since(then).as_secs()).unwrap_or_default())
}

/// `12 min ago`
pub(super) fn ago(now: Timestamp, then: Timestamp) -> Markup {
    html! { span title=(then.strftime("%Y-%m-%d %H:%M UTC")) { (since(then, now)) " ago" } }
}

/// A part of a page without what only counts on, in it: of two that are the same so, either will do for whoever has the other.
#[must_use]
pub fn without_ages(part: &str) -> String {
    let mut rest = part;
    let mut without = String::with_capacity(part.len());
    while let Some((before, age)) = rest.split_once(AGE) {
        without.push_str(before);
        rest = age.find('<').map_or("", |end| &age[end..]);
    }
    without.push_str(rest);
    without
}

/// The name of a package, which may break only between its parts.
pub(super) fn package(name: &str) -> Markup {
    let name = text(name);
    let (category, rest) = name.split_once('/').map_or((None, name.as_ref()), |(a, b)| (Some(a), b));
    html! {
        span.p {
            @if let Some(category) = category { span.cat { (category) "/" } wbr; }
            (rest)
        }
    }
}

/// The name of a package, which leads to what is known of it.
pub(super) fn package_of(cpv: &Cpv) -> Markup {
    html! { a href={ "/packages/" (coded(cpv.cp())) } { (package(cpv.as_str())) } }
}

/// The same of a name that may be none.
pub(super) fn linked(name: &str) -> Markup {
    html! {
        @match Cpv::parse(name.as_bytes()) {
            Some(cpv) => (package_of(&cpv)),
            None => (package(name)),
        }
    }
}

/// A sentence that ends in a command to type: the command stands for itself.
pub(super) fn instruction(sentence: &str) -> Markup {
    let sentence = text(sentence);
    html! {
        @match sentence.rsplit_once(": ") {
            Some((before, command)) => { span { (before) ": " } code.cmd { (command) } }
            None => { span { (sentence) } }
        }
    }
}

/// `1 package`, `2 packages`; the number stands out.
pub(super) fn figure(number: impl std::fmt::Display, what: &str, class: &str) -> Markup {
    html! { div class=(class) { dd { (number) } dt { (what) } } }
}

/// How much of an estimate has passed, as a thin line that goes on by itself.
pub(super) fn line(elapsed: u64, estimate: u64, late: bool) -> Markup {
    let share = (elapsed.saturating_mul(1000) / estimate.max(1)).min(1000);
    html! {
        svg.line viewBox="0 0 1000 4" preserveAspectRatio="none" aria-hidden="true" {
            rect.none width="1000" height="4" {}
            rect.now.late[late] height="4" data-of=(estimate) data-age=(elapsed) width=(share) {}
        }
    }
}
