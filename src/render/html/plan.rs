//! All that is left to do.

use jiff::Timestamp;
use maud::html;

use super::now::list;
use super::parts::{ago, seconds};
use super::{Builder, Page, Tone};

/// What is still to be merged, in the order in which it is; `now` is when it is read.
#[must_use]
pub fn plan(builder: Builder<'_>, now: Timestamp) -> Page {
    let left = builder.left;
    let source = left.iter().filter(|one| !one.binary).count();
    let known: u64 = left.iter().filter_map(|one| one.takes).sum();
    let body = html! {
        h1 { @match left.len() {
            0 => "Nothing is left to do.",
            1 => "1 package is left.",
            count => { (count) " packages are left." }
        } }
        @if let Some(status) = builder.status {
            p.sub {
                @if !left.is_empty() {
                    span { (source) " from source, " (left.len() - source) " from binary packages" }
                    @if known > 0 { span { "one after the other " (seconds(known)) ", as far as that is known" } }
                }
                span { "as of " (ago(now, status.now)) }
            }
        }
        @if !left.is_empty() { (list(left)) }
    };
    Page {
        title: format!("{} left · {}", left.len(), builder.name),
        tone: builder.status.map(Tone::of).unwrap_or_default(),
        below: "/plan/",
        parts: vec![("left", body)],
        ..Page::default()
    }
}
