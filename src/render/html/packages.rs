//! The packages, and one of them.

use maud::{Markup, html};

use super::parts::{
    coded, failed_log, log, log_address, moment, newest_log, package, package_of, seconds, text,
};
use super::{Builder, Page};
use crate::decide::catalogue::{About, Build, Item, Spread};
use crate::model::records::PackageOutcome;
use crate::model::status::size;
use crate::portage::files::index;

/// Packages on a page of the list.
const PAGE: usize = 200;
/// Builds in the table.
const BUILDS: usize = 30;
/// Of those who need it so many are named before the rest is folded away.
const NEEDED: usize = 12;
/// Failures with their words.
const FAILURES: usize = 5;
/// The height of the pictures in pixels, and of what stands below the base line.
const HEIGHT: u64 = 130;
const BASE: u64 = 4;

/// The packages that were found for these words; `from` counts them on earlier pages.
#[must_use]
pub fn packages(builder: Builder<'_>, items: &[Item<'_>], words: &str, from: usize) -> Page {
    let shown = &items[from.min(items.len())..];
    let shown = &shown[..shown.len().min(PAGE)];
    let more = items.len() - from.min(items.len()) - shown.len();
    let search = html! {
        h1 { "Packages" }
        form.search method="get" action="/packages/" role="search" data-into="list" {
            input type="search" name="q" value=(words) aria-label="Words of the name or the description" placeholder="name or description" autocomplete="off";
            button { "search" }
        }
    };
    let list = html! {
        p.sub { span {
            @match (items.len(), words.trim().is_empty()) {
                (0, true) => "Nothing was built or published yet.",
                (0, false) => "No package has these words.",
                (1, _) => "1 package",
                (count, _) => { (count) " packages" }
            }
        } }
        @if !shown.is_empty() {
            table {
                thead { tr {
                    th scope="col" { "package" } th scope="col" { "on offer" } th.n.wide scope="col" { "size" } th.n.wide scope="col" { "builds in" }
                } }
                tbody { @for item in shown { (row(item)) } }
            }
        }
        @if from > 0 || more > 0 {
            p.sub {
                @if from > 0 { a href=(turn(words, from.saturating_sub(PAGE))) rel="prev" { "the ones before" } }
                @if more > 0 { a href=(turn(words, from + PAGE)) rel="next" { (more) " more" } }
            }
        }
    };
    Page {
        title: format!("Packages · {}", builder.name),
        below: "/packages/",
        parts: vec![("search", search), ("list", list)],
        ..Page::default()
    }
}

fn turn(words: &str, from: usize) -> String {
    format!("/packages/?q={}&from={from}", coded(words).replace('+', "%2B"))
}

fn row(item: &Item<'_>) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href={ "/packages/" (coded(item.name)) } { (package(item.name)) }
                @if item.failed { span.bad { " failed last" } }
                @if !item.about.is_empty() { div.why { (text(item.about)) } }
            }
            td.v { @if item.versions.is_empty() { span.dim { "nothing" } } @else { (text(&item.versions.join(", "))) } }
            td.n.wide { @if item.size > 0 { (size(item.size)) } }
            td.n.wide { @if let Some(took) = item.seconds { (seconds(took)) } }
        }
    }
}

/// One package.
#[must_use]
pub fn about(builder: Builder<'_>, about: &About<'_>) -> Page {
    let description = about.offered.last().map(|package| package.get("DESC")).unwrap_or_default();
    let newest = about.releases.first();
    let head = html! {
        h1 { (package(about.name)) }
        @if !description.is_empty() { p { (text(description)) } }
        p.sub {
            @match newest {
                Some((release, entries)) if Some(release.id) == about.current => {
                    span { "on offer in " @for (n, entry) in entries.iter().enumerate() { @if n > 0 { ", " } (text(entry.cpv.version())) } }
                }
                Some((release, _)) => span { "not on offer; last in " a href={ "/releases/" (release.id) "/" } { (release.id) } },
                None => span { "never published" },
            }
            @if let Some(spread) = Spread::of(&about.builds) { span { "builds in " (seconds(spread.median)) } }
        }
        @if newest.is_some_and(|(release, _)| Some(release.id) == about.current) {
            p { code.cmd { "emerge --ask --getbinpkg " (text(about.name)) } }
        }
    };
    Page {
        title: format!("{} · {}", about.name, builder.name),
        below: "/packages/",
        parts: vec![("about", head)],
        column: vec![
            ("offered", offered(about)),
            ("failures", failures(about, builder.logs)),
            ("builds", builds(about, builder.logs)),
        ],
        aside: vec![("why", why(about)), ("releases", releases(about))],
        ..Page::default()
    }
}

fn offered(about: &About<'_>) -> Markup {
    html! {
        @if !about.offered.is_empty() {
            section aria-labelledby="h-offered" {
                h2 #h-offered { "On offer" }
                @for one in about.offered.iter().rev() { (instance(one)) }
            }
        }
    }
}

fn instance(one: &index::Package) -> Markup {
    let has: Vec<&str> = one.flags().collect();
    let offers = one.get("IUSE").split_whitespace().map(|flag| flag.trim_start_matches(['+', '-']));
    let (on, off): (Vec<_>, Vec<_>) = offers.partition(|flag| has.contains(flag));
    let (slot, sub_slot) = one.slot();
    html! {
        dl.facts {
            dt { "version" }
            dd {
                (text(one.cpv.version()))
                @if let Some(number) = one.build_id() { span.dim { ", build " (number) } }
            }
            dt { "slot" } dd { (text(slot)) @if sub_slot != slot { "/" (text(sub_slot)) } }
            @if let Some(at) = one.built().and_then(|second| jiff::Timestamp::from_second(second).ok()) { dt { "built" } dd { (moment(at)) } }
            @if let Some(bytes) = one.file().size { dt { "size" } dd { (size(bytes)) } }
            @if !one.get("repository").is_empty() { dt { "from" } dd { (text(one.get("repository"))) } }
            @if !one.get("LICENSE").is_empty() { dt { "license" } dd { (text(one.get("LICENSE"))) } }
            @if !on.is_empty() || !off.is_empty() {
                dt { "USE" }
                dd.p { @for flag in &on { (text(flag)) " " } @for flag in &off { span.dim { "-" (text(flag)) " " } } }
            }
        }
    }
}

/// Why it is there.
fn why(about: &About<'_>) -> Markup {
    let built = about
        .releases
        .first()
        .into_iter()
        .flat_map(|(_, entries)| entries)
        .find_map(|entry| entry.why.as_deref());
    let nobody = about.needed.to_run.is_empty() && about.needed.to_build.is_empty();
    html! {
        @if about.current.is_some() && !about.offered.is_empty() {
            section aria-labelledby="h-why" {
                h2 #h-why { "Why it is there" }
                @if let Some(built) = built { p.sub { span { "built last: " (text(built)) } } }
                @if nobody { p.dim { "Nothing on offer needs it: it is wanted for itself." } }
                @for (title, set) in [("needed by", &about.needed.to_run), ("needed to build", &about.needed.to_build)] {
                    @if !set.is_empty() {
                        h3 { (title) " " (set.len()) }
                        ul.plain.names {
                            @for one in set.iter().take(NEEDED) { li { (package_of(one)) } }
                        }
                        @if set.len() > NEEDED {
                            details data-key=(title) {
                                summary { (set.len() - NEEDED) " more" }
                                ul.plain.names { @for one in set.iter().skip(NEEDED) { li { (package_of(one)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn failures(about: &About<'_>, logs: Option<&str>) -> Markup {
    let failed: Vec<&Build<'_>> = about
        .builds
        .iter()
        .filter(|build| build.row.outcome == PackageOutcome::Failed)
        .take(FAILURES)
        .collect();
    html! {
        @if !failed.is_empty() {
            section aria-labelledby="h-failures" {
                h2 #h-failures { "Last failures" }
                ul.plain {
                    @for build in failed {
                        li {
                            (package(&build.row.package)) span.dim { " in cycle " } a href={ "/cycles/" (build.cycle) } { (build.cycle) }
                            div.why { (moment(build.row.ended)) @if let Some(message) = &build.row.message { ": " (text(message)) } }
                            @if let Some(path) = &build.row.log { div.why { (failed_log(logs, path)) } }
                        }
                    }
                }
            }
        }
    }
}

fn builds(about: &About<'_>, logs: Option<&str>) -> Markup {
    if about.builds.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-builds" {
            h2 #h-builds { "Build time" }
            @if let Some(spread) = Spread::of(&about.builds) { (times(&about.builds, spread)) }
            table {
                thead { tr { th scope="col" { "version" } th.n scope="col" { "cycle" } th.n.wide scope="col" { "ended" } th.n scope="col" { "took" } } }
                tbody {
                    @for (number, build) in about.builds.iter().take(BUILDS).enumerate() {
                        tr {
                            th scope="row" {
                                span.p { (text(build.row.package.get(about.name.len() + 1..).unwrap_or_default())) }
                                @match (build.row.outcome, build.row.binary) {
                                    (PackageOutcome::Failed, _) => span.bad { " failed" },
                                    (PackageOutcome::Built, true) => span.dim { " binary" },
                                    (PackageOutcome::Built, false) => {}
                                }
                                @if let Some(path) = build.row.log.as_deref().filter(|path| logs.is_some_and(|logs| log_address(logs, path).is_some())) {
                                    " " (log(logs, path))
                                } @else if let Some(address) = newest_log(logs, build.row).filter(|_| number == 0) {
                                    " " a href=(address) { "log" }
                                }
                                @if let Some(files) = build.row.files { div.why { (files.in_words()) } }
                            }
                            td.n { a href={ "/cycles/" (build.cycle) } { (build.cycle) } }
                            td.n.wide { (moment(build.row.ended)) }
                            td.n { (seconds(build.seconds())) }
                        }
                    }
                }
            }
        }
    }
}

/// What its builds took, the oldest at the left: a dot for each, a band for the middle half of them, a line for the middle.
fn times(builds: &[Build<'_>], spread: Spread) -> Markup {
    let shown: Vec<&Build<'_>> = builds.iter().filter(|build| !build.row.binary).rev().collect();
    let measured = shown.iter().filter(|build| build.is_measured());
    let top = measured.map(|build| build.seconds()).max().unwrap_or(1).max(1);
    let room = HEIGHT - 2 * BASE - 6;
    let y = |seconds: u64| HEIGHT - BASE - seconds.min(top) * room / top;
    let count = shown.len();
    let middle = seconds(spread.median);
    let said = match (seconds(spread.low), seconds(spread.high)) {
        (low, high) if low == high => format!("mostly {middle}"),
        (low, high) => format!("half of them between {low} and {high}, the middle {middle}"),
    };
    let label = format!("What {count} builds took: {said}");
    let (band_top, band_bottom) = (y(spread.high), y(spread.low));
    html! {
        @if count > 2 {
            p.sub { span { (said) } }
            svg.chart width="100%" height=(HEIGHT) role="img" aria-label=(label) {
                rect.band x="0" width="100%" y=(band_top) height=((band_bottom - band_top).max(1)) {}
                line.median x1="0" x2="100%" y1=(y(spread.median)) y2=(y(spread.median)) {}
                line.base x1="0" x2="100%" y1=(HEIGHT - 1) y2=(HEIGHT - 1) {}
                @for (n, build) in shown.iter().enumerate() {
                    circle class=(if build.is_measured() { "ok" } else { "bad" }) cx=(place(n, count)) cy=(y(build.seconds())) r="3.5" {
                        title { (text(&build.row.package)) ", cycle " (build.cycle) ": " (seconds(build.seconds())) @if !build.is_measured() { ", failed" } }
                    }
                }
            }
            p.sub.ends { (moment(shown[0].row.ended)) (moment(shown[count - 1].row.ended)) }
        }
    }
}

/// The middle of the `n`th of so many equal parts.
fn place(n: usize, of: usize) -> String {
    let part = (2 * n + 1) * 5000 / of.max(1);
    format!("{}.{:02}%", part / 100, part % 100)
}

fn releases(about: &About<'_>) -> Markup {
    let sizes: Vec<u64> =
        about.releases.iter().map(|(_, entries)| entries.iter().map(|entry| entry.size).sum()).collect();
    let top = sizes.iter().copied().max().unwrap_or(1).max(1);
    let count = sizes.len();
    html! {
        @if count > 0 {
            section aria-labelledby="h-releases" {
                h2 #h-releases { "Size in each release" }
                @if count > 1 {
                    @let smallest = size(sizes.iter().copied().min().unwrap_or_default());
                    @let label = format!("The size in {count} releases, from {smallest} to {}", size(top));
                    svg.chart width="100%" height="70" role="img" aria-label=(label) {
                        line.base x1="0" x2="100%" y1="69" y2="69" {}
                        @for (n, (bytes, (release, _))) in sizes.iter().zip(&about.releases).rev().enumerate() {
                            @let height = (bytes * 64 / top).max(1);
                            @let part = 10_000 / count;
                            rect.size x=(percent(n * part + part / 8)) width=(percent(part - part / 4)) y=(69 - height) height=(height) {
                                title { (release.id) ": " (size(*bytes)) }
                            }
                        }
                    }
                }
                table {
                    thead { tr { th scope="col" { "release" } th scope="col" { "version" } th.n scope="col" { "size" } } }
                    tbody {
                        @for ((release, entries), bytes) in about.releases.iter().zip(&sizes) {
                            tr {
                                th scope="row" { a href={ "/releases/" (release.id) "/" } { (release.id) } }
                                td { @for (n, entry) in entries.iter().enumerate() { @if n > 0 { ", " } (text(entry.cpv.version())) } }
                                td.n { (size(*bytes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn percent(part: usize) -> String {
    format!("{}.{:02}%", part / 100, part % 100)
}
