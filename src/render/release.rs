//! Releases: which there are, how two of them differ, and the `CHANGES` of one.

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{Look, wrapped};
use super::style::{CAREFUL, GOOD, LABEL};
use super::table::{Cell, Shape, table};
use super::{clean, count, size};
use crate::decide::bisect::Next;
use crate::model::offer::Held;
use crate::model::release::{Change, Demanding, Diff, Id, Opaque, Release, Shown};
use crate::portage::output::glsa::Advisory;

/// The releases as a table, the newest first. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn releases(releases: &[Shown], look: Look) -> String {
    const TITLES: [&str; 6] = ["release", "published (UTC)", "packages", "size", "its own", ""];
    let rows: Vec<_> = releases.iter().map(cells).collect();
    if rows.is_empty() {
        "nothing is published yet\n".to_owned()
    } else {
        let shape =
            Shape { right: &[2, 3, 4], below_at_last: &[5], whole: &[0, 1, 3, 4], ..Shape::default() };
        table(TITLES, shape, &rows, look)
    }
}

fn cells(shown: &Shown) -> [Cell; 6] {
    let text = |text: String| (text, Style::new());
    let mut notes = Vec::new();
    notes.extend(shown.current.then(|| "current".to_owned()));
    notes.extend(shown.previous.then(|| "previous".to_owned()));
    notes.extend(shown.again.map(|id| format!("offers {id} again")));
    let signing = if shown.signed.is_some() { "signed" } else { "not signed" };
    notes.extend(shown.published.map(|_| signing.to_owned()));
    let label = shown.label.in_words();
    notes.extend((!label.is_empty()).then(|| clean(&label).into_owned()));
    let careful = [&shown.too_new, &shown.problem].map(Option::as_deref).into_iter().flatten();
    notes.extend(careful.map(|problem| clean(problem).into_owned()));
    let style = match (&shown.problem, &shown.too_new, shown.current) {
        (None, None, true) => GOOD,
        (None, None, false) => Style::new(),
        _ => CAREFUL,
    };
    [
        text(shown.id.to_string()),
        text(shown.published.map(time).unwrap_or_default()),
        text(shown.packages.to_string()),
        text(size(shown.size)),
        text(size(shown.own_size)),
        (notes.join(", "), style),
    ]
}

/// The release to try next between a good one and a bad one, and what is different in the bad one.
#[must_use]
pub fn bisect(next: &Next, (good, bad): (Id, Id), diff: &Diff, url: &str, look: Look) -> String {
    let Some(between) = next.between else {
        return body(&format!("{bad} is the first bad release, {good} the last good one; "), diff, look);
    };
    let builder =
        if url.is_empty() { "http://BUILDER:8080" } else { url.strip_suffix("/binpkgs").unwrap_or(url) };
    let tries = match next.tries() {
        1 => "after that it is known".to_owned(),
        tries => format!("at most {} more after that", tries - 1),
    };
    format!(
        "try {between}, one of {} between them; {tries}\n\
         \x20 a client takes it with this line in its binrepos.conf, in the place of its sync-uri:\n\
         \x20 sync-uri = {builder}/releases/{between}\n\
         if it is good: gbsup bisect {between} {bad}\n\
         if it is bad:  gbsup bisect {good} {between}\n\
         \n\
         {}",
        count(next.left, "release"),
        body(&format!("what is different in {bad} since {good}: "), diff, look)
    )
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
    body(&format!("from {from} to {to}: "), diff, look)
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
    let opaque = Opaque::of(&release.packages).as_ref().map(opaque).unwrap_or_default();
    format!(
        "Release {}, {} UTC: {what}{again}\n{signed}\n{before}{}{kernel}{opaque}",
        release.id,
        time(release.published),
        body("", diff, look)
    )
}

/// The lowest kernel that all of it runs on.
fn kernel(highest: &Demanding) -> String {
    let Demanding { package, demand } = highest;
    format!("\nIt demands Linux {} or newer ({} of {package}).\n", demand.kernel, clean(&demand.file))
}

/// The packages that may demand any.
fn opaque(opaque: &Opaque) -> String {
    let Opaque { package, why, count } = opaque;
    let more = if *count == 1 { String::new() } else { format!(" and {} more", count - 1) };
    format!("\nIt is not known which kernel {package}{more} demands: {}.\n", clean(why))
}

/// `2 upgraded, 1 rebuilt; 210 as before; 34 MiB to download` after what stands before it, and each of them.
fn body(before: &str, diff: &Diff, look: Look) -> String {
    let Diff { unchanged, download, .. } = diff;
    let sum = format!("{before}{}; {unchanged} as before; {} to download", diff.in_short(), size(*download));
    let mut text = wrapped(&sum, look);
    for (kind, changes) in diff.kinds().filter(|(_, changes)| !changes.is_empty()) {
        let rows: Vec<_> = changes.iter().map(change).collect();
        let label = look.style(LABEL);
        text += &format!("\n{label}{kind}{label:#}\n");
        // The titles would say no more than the rows do.
        let indented = Look { width: look.width.map(|width| width.saturating_sub(2)), ..look };
        let shape = Shape { right: &[2], whole: &[2], ..Shape::default() };
        text.extend(table([""; 4], shape, &rows, indented).lines().map(|line| format!("  {line}\n")));
    }
    for (title, advisories) in [("security fixes", &diff.fixes), ("security, still open", &diff.open)] {
        if !advisories.is_empty() {
            let label = look.style(LABEL);
            text += &format!("\n{label}{title}{label:#}\n");
            text.extend(advisories.iter().map(advisory));
        }
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

/// `  GLSA 202611-01 Title (category/name; CVE-2026-1)`
fn advisory(advisory: &Advisory) -> String {
    let Advisory { id, title, packages, cves } = advisory;
    let parts = [packages.join(" "), cves.join(" ")];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("  GLSA {} {} ({})\n", clean(id), clean(title), clean(&parts.join("; ")))
}

fn held(held: &Held) -> String {
    format!("  {} {}\n", held.cpv, clean(&held.what))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::release::Label;
    use crate::portage::names::cpv::Cpv;

    const WIDE: Look = Look { width: Some(100), ..Look::PLAIN };

    fn change(package: &str, before: Option<&str>, after: Option<&str>, why: Option<&str>) -> Change {
        Change {
            package: package.into(),
            slot: if package.ends_with("python") { "3.13" } else { "0" }.into(),
            before: before.map(String::from),
            after: after.map(String::from),
            size_before: before.map(|_| 1 << 20),
            size: after.map(|_| 2 << 20),
            why: why.map(String::from),
        }
    }

    fn example() -> Diff {
        Diff {
            from: "2026-11-22.1".parse().ok(),
            to: "2026-11-22.2".parse().ok(),
            added: vec![change("app-misc/hello", None, Some("2.10"), Some("asked for"))],
            removed: vec![change("app-misc/tree", Some("2.1"), None, None)],
            upgraded: vec![change("dev-lang/python", Some("3.13.1"), Some("3.13.2"), None)],
            rebuilt: vec![change("dev-libs/a", Some("1"), Some("1"), Some("evil \u{1b}[31m words"))],
            unchanged: 209,
            download: 6 << 20,
            held: vec![Held {
                cpv: Cpv::parse(b"dev-libs/b-1").unwrap(),
                slot: "0".into(),
                why: crate::model::offer::Why::File,
                what: "is damaged".into(),
            }],
            fixes: vec![Advisory {
                id: "202611-01".into(),
                title: "Python: Many".into(),
                packages: vec!["dev-lang/python".into()],
                cves: vec!["CVE-2026-1".into()],
            }],
            ..Diff::default()
        }
    }

    #[test]
    fn a_difference_for_people() {
        assert_eq!(
            diff(&example(), WIDE),
            "from 2026-11-22.1 to 2026-11-22.2: 1 added, 1 upgraded, 1 rebuilt, 1 removed; 209 as before; 6.0 MiB\n\x20 to download\n\
             \n\
             added\n\
             \x20 app-misc/hello  2.10  2.0 MiB  asked for\n\
             \n\
             upgraded\n\
             \x20 dev-lang/python:3.13  3.13.1 -> 3.13.2  2.0 MiB\n\
             \n\
             rebuilt\n\
             \x20 dev-libs/a  1  2.0 MiB  evil \\x1b[31m words\n\
             \n\
             removed\n\
             \x20 app-misc/tree  2.1  1.0 MiB\n\
             \n\
             security fixes\n\
             \x20 GLSA 202611-01 Python: Many (dev-lang/python; CVE-2026-1)\n\
             \n\
             held back\n\
             \x20 dev-libs/b-1 is damaged\n"
        );
        assert_eq!(Diff::default().in_short(), "nothing changed");
    }

    #[test]
    fn a_difference_for_a_pipe() {
        assert_eq!(
            diff(&example(), Look::PLAIN),
            "added\tapp-misc/hello\t\t2.10\t2097152\tasked for\n\
             upgraded\tdev-lang/python:3.13\t3.13.1\t3.13.2\t2097152\t\n\
             rebuilt\tdev-libs/a\t1\t1\t2097152\tevil \\x1b[31m words\n\
             removed\tapp-misc/tree\t2.1\t\t1048576\t\n"
        );
    }

    #[test]
    fn the_next_release_to_try() {
        let (good, bad) = ("2026-11-20.1".parse().unwrap(), "2026-11-22.2".parse().unwrap());
        let next = Next { between: "2026-11-21.1".parse().ok(), left: 3 };
        let text = bisect(&next, (good, bad), &example(), "http://b:8080/binpkgs", WIDE);
        for line in [
            "try 2026-11-21.1, one of 3 releases between them; at most 1 more after that",
            "  sync-uri = http://b:8080/releases/2026-11-21.1",
            "if it is good: gbsup bisect 2026-11-21.1 2026-11-22.2",
            "if it is bad:  gbsup bisect 2026-11-20.1 2026-11-21.1",
            "  dev-lang/python:3.13  3.13.1 -> 3.13.2  2.0 MiB",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        }
        let found = bisect(&Next { between: None, left: 0 }, (good, bad), &example(), "", WIDE);
        assert!(
            found.starts_with(
                "2026-11-22.2 is the first bad release, 2026-11-20.1 the last good one; 1 added, "
            ),
            "{found}"
        );
    }

    #[test]
    fn releases_as_a_table() {
        assert_eq!(releases(&[], WIDE), "nothing is published yet\n");
        let shown = |id: &str, current, again: Option<&str>, problem: Option<&str>| Shown {
            id: id.parse().unwrap(),
            published: "2026-11-22T10:00:00Z".parse().ok(),
            packages: 213,
            size: 3 << 30,
            own_size: 5 << 20,
            held: 1,
            current,
            previous: !current,
            again: again.map(|id| id.parse().unwrap()),
            signed: None,
            too_new: current.then(|| "it demands Linux 99.0.0".to_owned()),
            label: if current {
                Label { keep: true, note: Some("fine".into()), ..Label::default() }
            } else {
                Label::default()
            },
            problem: problem.map(String::from),
        };
        let all = [
            shown("2026-11-22.2", true, Some("2026-11-20.1"), None),
            shown("2026-11-22.1", false, None, Some("release 2026-11-22.1 is not complete")),
            Shown::unreadable("2026-11-21.1".parse().unwrap(), "release.json is not there".to_owned()),
        ];
        assert_eq!(
            releases(&all, Look::PLAIN),
            "2026-11-22.2\t2026-11-22 10:00:00\t213\t3.0 GiB\t5.0 MiB\tcurrent, offers 2026-11-20.1 again, not signed, kept; fine, it demands Linux 99.0.0\n\
             2026-11-22.1\t2026-11-22 10:00:00\t213\t3.0 GiB\t5.0 MiB\tprevious, not signed, release 2026-11-22.1 is not complete\n\
             2026-11-21.1\t\t0\t0 B\t0 B\trelease.json is not there\n"
        );
    }
}
