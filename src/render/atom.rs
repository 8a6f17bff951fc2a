//! Feeds of releases and of failures: Atom (RFC 4287). References are relative to where the feed was found.

use std::fmt::Write;

use jiff::Timestamp;
use maud::html;
use sha1::{Digest, Sha1};

use super::{clean, count};
use crate::model::records::{CycleRow, PackageOutcome};
use crate::model::release::Listed;

/// The media type of a feed.
pub const TYPE: &str = "application/atom+xml; charset=utf-8";
/// Entries of a feed.
const MOST: usize = 50;
/// The namespace of names, for identifiers made of them (RFC 9562, appendix B): that of URLs.
const NAMESPACE: [u8; 16] =
    [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// The releases of a builder with this name, the newest first.
#[must_use]
pub fn releases(name: &str, releases: &[Listed]) -> String {
    let entries = releases.iter().filter_map(|listed| {
        let told = listed.told.as_ref()?;
        let id = listed.id;
        let packages = count(told.packages, "package");
        let text = if told.changes.is_empty() { packages } else { format!("{packages}: {}", told.changes) };
        Some(FeedEntry {
            key: format!("release {id} {}", told.published),
            title: format!("Release {id}"),
            updated: told.published,
            path: format!("/releases/{id}/"),
            text,
        })
    });
    feed(name, "releases", "/feed/releases.atom", entries.take(MOST).collect())
}

/// What failed in its cycles, the newest first.
#[must_use]
pub fn failures(name: &str, cycles: &[&CycleRow]) -> String {
    let failed = cycles.iter().flat_map(|cycle| {
        let failed = cycle.packages.iter().filter(|package| package.outcome == PackageOutcome::Failed);
        failed.map(|package| (cycle.id, package))
    });
    let mut entries: Vec<FeedEntry> = failed
        .map(|(cycle, package)| FeedEntry {
            key: format!("failure {cycle} {} {}", package.package, package.ended),
            title: format!("{} failed", package.package),
            updated: package.ended,
            path: format!("/cycles/{cycle}"),
            text: package.message.clone().unwrap_or_else(|| "the reason is not known yet".to_owned()),
        })
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.updated));
    entries.truncate(MOST);
    feed(name, "failures", "/feed/failures.atom", entries)
}

struct FeedEntry {
    /// What makes it this one and no other.
    key: String,
    title: String,
    updated: Timestamp,
    path: String,
    text: String,
}

fn feed(name: &str, what: &str, path: &str, entries: Vec<FeedEntry>) -> String {
    let updated = entries.first().map_or(Timestamp::UNIX_EPOCH, |entry| entry.updated);
    let title = escaped(&format!("{name}: {what}"));
    let mut feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<title>{title}</title>\n\
         <id>{}</id>\n<updated>{}</updated>\n<author><name>{}</name></author>\n<link rel=\"self\" href=\"{path}\"/>\n\
         <link href=\"/\"/>\n<generator>gbsup</generator>\n",
        urn(&format!("{name} {what}")),
        time(updated),
        escaped(name)
    );
    for entry in entries {
        // Writing to a string cannot fail.
        let _ = write!(
            feed,
            "<entry>\n<title>{}</title>\n<id>{}</id>\n<updated>{}</updated>\n<link href=\"{}\"/>\n<summary>{}</summary>\n</entry>\n",
            escaped(&entry.title),
            urn(&format!("{name} {}", entry.key)),
            time(entry.updated),
            escaped(&entry.path),
            escaped(&entry.text)
        );
    }
    feed + "</feed>\n"
}

/// Text as XML has it, which knows no control characters.
fn escaped(text: &str) -> String {
    html! { (clean(text)) }.into_string()
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A UUID of version 5 (RFC 9562, 5.5), the same whenever it is made of the same name.
fn urn(name: &str) -> String {
    let digest = Sha1::new().chain_update(NAMESPACE).chain_update("gbsup:").chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::PackageRow;

    #[test]
    fn what_failed_is_told_the_newest_first() {
        let at = |minute: i64| Timestamp::from_second(1_795_000_000 + 60 * minute).unwrap();
        let row = |package: &str, minute, outcome, message: Option<&str>| PackageRow {
            package: package.into(),
            step: "build".into(),
            binary: false,
            started: at(minute - 1),
            ended: at(minute),
            outcome,
            log: None,
            message: message.map(String::from),
            files: None,
        };
        let cycle = CycleRow {
            id: 7,
            started: at(0),
            reason: "interval".into(),
            ended: None,
            outcome: None,
            steps: Vec::new(),
            packages: vec![
                row("a/b-1", 5, PackageOutcome::Failed, Some("no <luck> & \u{1b}[2J")),
                row("a/c-1", 6, PackageOutcome::Built, None),
                row("a/d-1", 9, PackageOutcome::Failed, None),
            ],
            predictions: Vec::new(),
            remedies: Vec::new(),
            releases: Vec::new(),
            ccache: None,
            files: None,
        };
        insta::assert_snapshot!(failures("builder <1>", &[&cycle]));
    }
}
