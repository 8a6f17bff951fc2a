//! Releases: which there are, how two of them differ, and the `CHANGES` of one.

use anstyle::Style;
use jiff::Timestamp;

use super::page::{CAREFUL, GOOD, LABEL};
use super::table::{Cell, table};
use super::{Look, clean, count, size};
use crate::core::offer::Held;
use crate::core::release::{Change, Demanding, Diff, Release, Shown};

/// The releases as a table, the newest first. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn releases(releases: &[Shown], look: Look) -> String {
    const TITLES: [&str; 6] = ["release", "published (UTC)", "packages", "size", "its own", ""];
    let rows: Vec<_> = releases.iter().map(cells).collect();
    if rows.is_empty() {
        "nothing is published yet\n".to_owned()
    } else {
        table(TITLES, &[2, 3, 4], &rows, look)
    }
}

fn cells(shown: &Shown) -> [Cell; 6] {
    let text = |text: String| (text, Style::new());
    let mut notes = Vec::new();
    notes.extend(shown.current.then(|| "current".to_owned()));
    notes.extend(shown.previous.then(|| "previous".to_owned()));
    notes.extend(shown.again.map(|id| format!("offers {id} again")));
    notes.push(if shown.signed.is_some() { "signed" } else { "not signed" }.to_owned());
    notes.extend(shown.problem.as_deref().map(|problem| clean(problem).into_owned()));
    let style = match (&shown.problem, shown.current) {
        (Some(_), _) => CAREFUL,
        (None, true) => GOOD,
        (None, false) => Style::new(),
    };
    [
        text(shown.id.to_string()),
        text(time(shown.published)),
        text(shown.packages.to_string()),
        text(size(shown.size)),
        text(size(shown.own_size)),
        (notes.join(", "), style),
    ]
}

/// How two releases differ. A pipe gets a line for each package: what happened to it, its name and slot, its
/// version before and now, its size in bytes, and why it was built, separated by tabs.
#[must_use]
pub fn diff(diff: &Diff, look: Look) -> String {
    if look.width.is_none() {
        return rows(diff);
    }
    let from = diff.from.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
    let to = diff.to.map(|id| id.to_string()).unwrap_or_default();
    format!("from {from} to {to}: {}", body(diff, look))
}

fn rows(diff: &Diff) -> String {
    let mut text = String::new();
    for (kind, changes) in diff.kinds() {
        for change in changes {
            let bytes = change.size.or(change.size_before).unwrap_or_default();
            let (before, after) = (change.before.as_deref(), change.after.as_deref());
            text += &format!(
                "{kind}\t{}\t{}\t{}\t{bytes}\t{}\n",
                name(change),
                before.unwrap_or_default(),
                after.unwrap_or_default(),
                clean(change.why.as_deref().unwrap_or_default())
            );
        }
    }
    text
}

/// What a release tells people: the file `CHANGES`.
#[must_use]
pub fn changes(diff: &Diff, release: &Release) -> String {
    let what = format!("{}, {}", count(release.packages.len(), "package"), size(release.size()));
    let again = release.again.map(|id| format!("\nIt offers again what {id} offered.")).unwrap_or_default();
    let before = diff
        .from
        .map_or_else(|| "It is the first one: ".to_owned(), |from| format!("Compared with {from}: "));
    let signed = match &release.signed {
        Some(key) => format!("Every package is signed by the key {key}."),
        None => {
            "The packages are not signed: clients need verify-signature = false in binrepos.conf.".to_owned()
        }
    };
    let look = Look { width: Some(usize::MAX), ..Look::PLAIN };
    let kernel = release.kernel.as_ref().map(kernel).unwrap_or_default();
    format!(
        "Release {}, {} UTC: {what}{again}\n{signed}\n{before}{}{kernel}",
        release.id,
        time(release.published),
        body(diff, look)
    )
}

/// The lowest kernel that all of it runs on.
fn kernel(highest: &Demanding) -> String {
    let Demanding { package, demand } = highest;
    format!("\nIt demands Linux {} or newer ({} of {package}).\n", demand.kernel, clean(&demand.file))
}

/// `2 upgraded, 1 rebuilt; 210 as before; 34 MiB to download`, and each of them.
fn body(diff: &Diff, look: Look) -> String {
    let mut text =
        format!("{}; {} as before; {} to download\n", diff.in_short(), diff.unchanged, size(diff.download));
    for (kind, changes) in diff.kinds().filter(|(_, changes)| !changes.is_empty()) {
        let rows: Vec<_> = changes.iter().map(change).collect();
        let label = look.style(LABEL);
        text += &format!("\n{label}{kind}{label:#}\n");
        // The titles would say no more than the rows do.
        text.extend(table([""; 4], &[2], &rows, look).lines().skip(1).map(|line| format!("  {line}\n")));
    }
    if !diff.held.is_empty() {
        let label = look.style(LABEL);
        text += &format!("\n{label}held back{label:#}\n");
        text.extend(diff.held.iter().map(held));
    }
    text
}

fn change(change: &Change) -> [Cell; 4] {
    let versions = match (&change.before, &change.after) {
        (Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
        (before, after) => after.as_ref().or(before.as_ref()).cloned().unwrap_or_default(),
    };
    let bytes = change.size.or(change.size_before).unwrap_or_default();
    let why = clean(change.why.as_deref().unwrap_or_default()).into_owned();
    [name(change), versions, size(bytes), why].map(|text| (text, Style::new()))
}

/// `dev-lang/python:3.13`; without the slot where that is 0, as most are.
fn name(change: &Change) -> String {
    let Change { package, slot, .. } = change;
    if slot == "0" { package.clone() } else { format!("{package}:{slot}") }
}

fn held(held: &Held) -> String {
    format!("  {} {}\n", held.cpv, clean(&held.what))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
