//! What all pages have around them.

use maud::{DOCTYPE, Markup, html};

use super::Page;
use super::parts::text;

/// The menu: where each entry leads, and its word.
const MENU: &[(&str, &str)] = &[
    ("/", "Now"),
    ("/plan/", "Plan"),
    ("/cycles/", "Cycles"),
    ("/packages/", "Packages"),
    ("/releases/", "Releases"),
];

/// The same of several builders.
const FARM: (&str, &str) = ("/farm", "Farm");

/// What all pages of a builder have in common.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Whether it knows of others.
    pub farm: bool,
}

/// A page as it is sent.
#[must_use]
pub fn document(page: &Page, frame: Frame<'_>) -> String {
    let document: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text(&page.title)) }
                link rel="icon" href={ "/icon.svg?" (page.tone.name()) };
                link rel="stylesheet" href="/style.css";
                link rel="alternate" type="application/atom+xml" title="Releases" href="/feed/releases.atom";
                link rel="alternate" type="application/atom+xml" title="Failures" href="/feed/failures.atom";
                @if page.live.is_some() {
                    noscript { meta http-equiv="refresh" content="30"; }
                }
                script src="/page.js" defer {}
                @if let Some(script) = page.script { script src=(script) defer {} }
            }
            body data-tone=(page.tone.name()) data-live=[page.live] data-key=(page.key) {
                a.skip href="#main" { "To the page" }
                header {
                    a.name href="/" { (text(frame.name)) }
                    nav aria-label="Pages" {
                        @for (path, word) in MENU.iter().chain(frame.farm.then_some(&FARM)) {
                            a href=(path) aria-current=[(*path == page.below).then_some("page")] { (word) }
                        }
                    }
                }
                main #main tabindex="-1" {
                    @if page.live.is_some() {
                        p #lost role="alert" hidden { "Nothing is heard of the builder at the moment; this is as it was." }
                    }
                    (parts(&page.parts))
                    @if !page.column.is_empty() {
                        div.columns {
                            div { (parts(&page.column)) }
                            div { (parts(&page.aside)) }
                        }
                    }
                }
                p #said.unseen role="status" aria-live="polite" {}
                footer {
                    a href="/api/v1/status" { "status.json" }
                    a href="/metrics" { "metrics" }
                    a href="/feed/releases.atom" { "releases.atom" }
                    a href="/feed/failures.atom" { "failures.atom" }
                    a href="/binpkgs/" { "packages" }
                    span { "gbsup " (crate::VERSION) }
                }
            }
        }
    };
    document.into_string()
}

fn parts(parts: &[(&'static str, Markup)]) -> Markup {
    html! { @for (id, part) in parts { div id=(id) { (part) } } }
}
