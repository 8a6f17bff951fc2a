//! Two releases, compared.

use maud::{Markup, html};

use super::Page;
use super::parts::{coded, package, text};
use crate::model::release::{Change, Diff};
use crate::model::status::size;
use crate::portage::output::glsa::Advisory;

/// What one release has that another has not.
#[must_use]
pub fn compare(diff: &Diff) -> Page {
    let name =
        |id: Option<crate::model::release::Id>| id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
    let (from, to) = (name(diff.from), name(diff.to));
    let head = html! {
        h1 { "From " a href={ "../" (from) "/" } { (from) } " to " a href={ "../" (to) "/" } { (to) } }
        p.sub {
            span { (diff.in_short()) "; " (diff.unchanged) " as before" }
            span { (size(diff.size_before)) " before, " (size(diff.size)) " after" }
            span { (size(diff.download)) " to download for whoever has all of " (from) }
        }
        p.sub { a href={ "../" (to) "..." (from) "/" } { "the other way round" } }
    };
    let changes = html! { @for (kind, changes) in diff.kinds() { (section(kind, changes)) } };
    let security = html! {
        @for (id, title, advisories) in [("h-fixed", "Security fixes", &diff.fixes), ("h-open", "Security, still open", &diff.open)] {
            @if !advisories.is_empty() {
                section aria-labelledby=(id) {
                    h2 id=(id) { (title) }
                    ul.plain { @for one in advisories { (advisory(one)) } }
                }
            }
        }
    };
    let kept_back = html! {
        @if !diff.held.is_empty() {
            section aria-labelledby="h-held" {
                h2 #h-held { "Held back" }
                ul.plain { @for held in &diff.held { li { (package(held.cpv.as_str())) " " (text(&held.what)) } } }
            }
        }
    };
    Page {
        title: format!("{from} to {to}"),
        below: "/releases/",
        parts: vec![("head", head), ("security", security), ("changes", changes), ("held", kept_back)],
        ..Page::default()
    }
}

fn section(kind: &str, changes: &[Change]) -> Markup {
    let id = format!("h-{kind}");
    let mut title = kind.to_owned();
    title.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    html! {
        @if !changes.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) " " (changes.len()) }
                table {
                    thead { tr { th scope="col" { "package" } th scope="col" { "version" } th.n scope="col" { "size" } th.n.wide scope="col" { "more" } } }
                    tbody { @for change in changes { (row(change)) } }
                }
            }
        }
    }
}

fn row(change: &Change) -> Markup {
    let version = |version: &Option<String>| version.as_deref().map(text).unwrap_or_default().into_owned();
    html! {
        tr {
            th scope="row" {
                a href={ "/packages/" (coded(&change.package)) } { (package(&change.package)) }
                @if change.slot != "0" { span.dim { ":" (text(&change.slot)) } }
                @if let Some(why) = &change.why { div.why { (text(why)) } }
            }
            td.v {
                @match (&change.before, &change.after) {
                    (Some(before), Some(after)) if before != after => {
                        span.dim { (version(&Some(before.clone()))) " → " } (version(&Some(after.clone())))
                    }
                    (before, after) => (version(if after.is_some() { after } else { before })),
                }
            }
            td.n { (size(change.size.or(change.size_before).unwrap_or_default())) }
            td.n.wide { @if let (Some(before), Some(after)) = (change.size_before, change.size) { (difference(before, after)) } }
        }
    }
}

/// `+1.2 MiB`, `−3 KiB`
fn difference(before: u64, after: u64) -> String {
    match after.abs_diff(before) {
        0 => "0".to_owned(),
        by if after > before => format!("+{}", size(by)),
        by => format!("−{}", size(by)),
    }
}

fn advisory(one: &Advisory) -> Markup {
    html! {
        li {
            "GLSA " (text(&one.id)) " " (text(&one.title))
            div.why { (text(&one.packages.join(" "))) @if !one.cves.is_empty() { "; " (text(&one.cves.join(" "))) } }
        }
    }
}
