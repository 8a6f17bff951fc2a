//! All that is left to do.

use jiff::Timestamp;
use maud::html;

use crate::model::status::{Mode, Status};
use crate::render::count;

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
            0 => (nothing(builder.status)),
            1 => "1 package is left.",
            count => { (count) " packages are left." }
        } }
        @if let Some(status) = builder.status {
            p.sub {
                @if !left.is_empty() {
                    span { (source) " from source, " (left.len() - source) " from binary packages" }
                    @if known > 0 { span { "one after the other " (seconds(known)) ", as far as that is known" } }
                }
                @if now.duration_since(status.now).as_secs() > 1 { span { "as of " (ago(now, status.now)) } }
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

/// Why the list is empty: that nothing is left is one reason of several.
fn nothing(status: Option<&Status>) -> String {
    let Some(status) = status else { return "What is left is not known.".to_owned() };
    let to_go = usize::try_from(status.progress.left()).unwrap_or(usize::MAX);
    match status.state {
        Mode::Degraded => "What is left is not known: there is no supervisor.".to_owned(),
        Mode::Paused if to_go > 0 => {
            format!("Nothing is tried while it is paused; {} to go.", count(to_go, "package"))
        }
        Mode::Paused => "Nothing is tried while it is paused.".to_owned(),
        Mode::Starting => "Nothing is planned yet.".to_owned(),
        Mode::Running if matches!(status.step.as_str(), "preflight" | "sync" | "self-update" | "plan") => {
            "Nothing is planned yet: that follows the sync.".to_owned()
        }
        Mode::Running | Mode::Waiting | Mode::Stopping => "Nothing is left to do.".to_owned(),
    }
}
