//! The releases, and one of them.

use maud::{Markup, html};

use super::Page;
use super::directory::{link, reference};
use super::parts::{moment, package, package_of, text};
use crate::model::release::{Id, Listed, Release};
use crate::model::status::size;

/// The releases, the newest first.
#[must_use]
pub fn releases(releases: &[Listed]) -> Page {
    let list = html! {
        h1 { "Releases" }
        p.sub { span { "Clients use " a href="/binpkgs/" { "/binpkgs/" } ", always the one on offer." } }
        @if releases.is_empty() { p { "Nothing is published yet. What is built is offered when the cycle is done." } }
        @else {
            table {
                thead { tr {
                    th scope="col" { "release" } th.n scope="col" { "packages" } th.n scope="col" { "size" }
                } }
                tbody { @for (n, release) in releases.iter().enumerate() { (row(release, releases.get(n + 1))) } }
            }
        }
    };
    Page { title: "Releases".into(), below: "/releases/", parts: vec![("list", list)], ..Page::default() }
}

fn row(release: &Listed, before: Option<&Listed>) -> Markup {
    let id = release.id.to_string();
    html! {
        tr {
            th scope="row" {
                a href={ "./" (id) "/" } { (id) }
                @if release.current { " " span.offered { "on offer" } }
                @if release.label.keep { " " span.dim { "kept" } }
                @for tag in &release.label.tags { " " code { (text(tag)) } }
                @if let Some(note) = &release.label.note { div { (text(note)) } }
                @match &release.told {
                    Some(told) => {
                        div.why {
                            (moment(told.published))
                            @if told.signed.is_some() { ", signed" } @else { ", not signed" }
                            @if let Some(again) = told.again { ", what " (again) " offered" }
                            @if let Some(cycle) = told.cycle { ", of cycle " a href={ "/cycles/" (cycle) } { (cycle) } }
                            @if told.held > 0 { ", " (told.held) " held back" }
                            @if told.fixes > 0 { ", " (told.fixes) " advisories fixed" }
                        }
                        @if !told.changes.is_empty() { div { (text(&told.changes)) } }
                        @if let Some(before) = before.filter(|before| before.told.is_some()) {
                            div.why { a href={ "./" (before.id) "..." (id) "/" } { "what is different since " (before.id) } }
                        }
                    }
                    None => div.why.bad { "what it says of itself cannot be read" },
                }
            }
            td.n { @if let Some(told) = &release.told { (told.packages) } }
            td.n { @if let Some(told) = &release.told { (size(told.size)) } }
        }
    }
}

/// A release: what it is, how it differs from the one `before`, its `CHANGES`, its packages, and what is held back. `files` are those beside the packages, with
/// their sizes; `directories` end with a slash.
#[must_use]
pub fn release(
    release: &Release,
    before: Option<Id>,
    changes: Option<&str>,
    files: &[(String, Option<u64>)],
) -> Page {
    let count = release.packages.len();
    let head = html! {
        h1 { "Release " (release.id) }
        p.sub {
            span { (count) @if count == 1 { " package" } @else { " packages" } ", " (size(release.size())) }
            span { "published " (moment(release.published)) }
            span { @match &release.signed { Some(key) => { "signed with " code { (text(key)) } } None => "not signed" } }
            @if let Some(again) = release.again {
                span { "what " a href={ "../" (again) "/" } { (again) } " offered, since somebody rolled back to it" }
            }
            @if let Some(cycle) = release.origin.cycle { span { "of cycle " a href={ "/cycles/" (cycle) } { (cycle) } } }
        }
        @if let Some(before) = before {
            p.sub { a href={ "../" (before) "..." (release.id) "/" } { "what is different since " (before) } }
        }
        p.sub { @for (name, _) in files.iter().filter(|(_, size)| size.is_some()) { (link(name)) } }
        @if !release.origin.revisions.is_empty() {
            p.sub {
                @for (name, revision) in &release.origin.revisions {
                    span { (text(name)) " " code { (text(revision).chars().take(12).collect::<String>()) } }
                }
            }
        }
    };
    let changes = html! {
        @if let Some(changes) = changes {
            section aria-labelledby="h-changes" {
                h2 #h-changes { "What changed" }
                pre tabindex="0" { @for line in changes.lines() { (text(line)) "\n" } }
            }
        }
    };
    let kept_back = html! {
        @if !release.held.is_empty() {
            section aria-labelledby="h-held" {
                h2 #h-held { "Held back" }
                ul.plain { @for held in &release.held { li { (package(held.cpv.as_str())) " " (text(&held.what)) } } }
            }
        }
    };
    let packages = html! {
        section aria-labelledby="h-packages" {
            h2 #h-packages { "Packages" }
            table {
                thead { tr { th scope="col" { "package" } th scope="col" { "slot" } th.n scope="col" { "size" } } }
                tbody {
                    @for one in &release.packages {
                        tr {
                            th scope="row" {
                                (package_of(&one.cpv))
                                @if let Some(why) = &one.why { div.why { (text(why)) } }
                            }
                            td { (text(&one.slot)) }
                            td.n { a href=(reference(&one.path)) { (size(one.size)) } }
                        }
                    }
                }
            }
        }
    };
    Page {
        title: format!("Release {}", release.id),
        below: "/releases/",
        parts: vec![("head", head), ("changes", changes), ("held", kept_back), ("packages", packages)],
        ..Page::default()
    }
}
