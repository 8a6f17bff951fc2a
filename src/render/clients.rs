//! `gbsup clients`: who they are, and what each would compile.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{Look, wrapped};
use super::style::{CAREFUL, GOOD, LABEL};
use super::table::{Cell, Shape, table};
use super::{clean, count};
use crate::decide::clients::sentence;
use crate::model::client::{Client, Compiled, Fit, Name};
use crate::model::duration::in_words;
use crate::model::release::Id;
use crate::portage::files::capture::Capture;

/// So many packages are listed; `--json` has all.
const MOST: usize = 200;

/// All of them, a line each. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn clients(clients: &[Client], look: Look) -> String {
    if clients.is_empty() {
        let none = "no client is known yet: sh client.sh capture | ssh BUILDER docker exec -i builder gbsup clients add NAME";
        return wrapped(none, look);
    }
    let rows: Vec<[Cell; 4]> = clients.iter().map(cells).collect();
    table(
        ["client", "captured (UTC)", "release", ""],
        Shape { whole: &[0, 1, 2], ..Shape::default() },
        &rows,
        look,
    )
}

fn cells(client: &Client) -> [Cell; 4] {
    let text = |text: String| (text, Style::new());
    let name = client.name.to_string();
    let (release, words, style) = match &client.fit {
        Some(fit) => {
            let whole = sentence(&client.name, fit);
            let words = whole.strip_prefix(&format!("{name}: ")).unwrap_or(&whole);
            (fit.release.to_string(), clean(words).into_owned(), style(fit))
        }
        None => (String::new(), "not rehearsed yet".to_owned(), LABEL),
    };
    [text(name), text(day(client.added)), text(release), (words, style)]
}

fn style(fit: &Fit) -> Style {
    if fit.problem.is_none() && fit.compile.is_empty() { GOOD } else { CAREFUL }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// One of them in full: what it would compile, why, and what the builder would need. A pipe gets a line for each package alone, with what
/// the builder would need for it at the end.
#[must_use]
pub fn client(client: &Client, look: Look) -> String {
    let Some(fit) = &client.fit else {
        return format!("{}: not rehearsed yet\n", client.name);
    };
    let listed = fit.compile.iter().take(MOST);
    let shape = Shape { right: &[1], whole: &[0, 1], ..Shape::default() };
    if look.width.is_none() {
        let rows: Vec<[Cell; 5]> = listed
            .map(|one| {
                let [package, takes, why, by] = compiled(one);
                [package, takes, why, by, (needed(one), Style::new())]
            })
            .collect();
        return table(["package", "takes", "why", "by", "to add"], shape, &rows, look);
    }
    let rows: Vec<[Cell; 4]> = listed.map(compiled).collect();
    let list = table(["package", "takes", "why", "by"], shape, &rows, look);
    let mut text = wrapped(&clean(&sentence(&client.name, fit)), look);
    text += &format!(
        "release {}, rehearsed {} UTC, captured {} UTC\n",
        fit.release,
        day(fit.rehearsed),
        day(client.added)
    );
    for drift in &fit.drift {
        text += &wrapped(&format!("  {}", clean(drift)), look);
    }
    if !rows.is_empty() {
        text += &format!("\n{list}");
    }
    if fit.compile.len() > MOST {
        text += &format!("and {} more (--json has all)\n", fit.compile.len() - MOST);
    }
    text + &additions(&fit.compile) + &beside(&client.name, &fit.compile)
}

fn compiled(one: &Compiled) -> [Cell; 4] {
    let text = |text: &str| (clean(text).into_owned(), Style::new());
    let takes = one.seconds.map(|seconds| in_words(Duration::from_secs(seconds))).unwrap_or_default();
    [text(one.package.as_str()), text(&takes), text(&one.why), text(one.place.as_deref().unwrap_or_default())]
}

/// What the builder would need for one: `/etc/portage/package.use: x11-misc/foo -bar`.
fn needed(one: &Compiled) -> String {
    let lines: Vec<String> =
        one.add.iter().map(|add| format!("{}: {}", clean(&add.file), clean(&add.line))).collect();
    lines.join("; ")
}

/// What to add to the builder's files, by file.
fn additions(compile: &[Compiled]) -> String {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in compile.iter().flat_map(|one| &one.add) {
        files.entry(&line.file).or_default().push(&line.line);
    }
    if files.is_empty() {
        return String::new();
    }
    let mut text = "\nThe builder would build these for all its clients with:\n".to_owned();
    for (file, lines) in files {
        text += &format!("  {}\n", clean(file));
        for line in lines {
            text += &format!("    {}\n", clean(line));
        }
    }
    text
}

/// How the builder would build what has other flags there for this client alone.
fn beside(name: &Name, compile: &[Compiled]) -> String {
    if compile.iter().all(|one| one.flags.is_empty()) {
        return String::new();
    }
    format!(
        "\nIt builds those with other USE flags beside the common ones, for {name} alone, with this in gbsup.toml:\n  [clients]\n  build_for = [\"{name}\"]\n"
    )
}

/// What an update there does. Everybody reads that, and which packages it is about is the business of the client.
fn in_numbers(fit: &Fit) -> String {
    match (&fit.problem, fit.compile.len()) {
        (Some(_), _) => "not known".to_owned(),
        (None, 0) => format!("{} from the release, nothing to compile", fit.binary),
        (None, compiled) => format!("{} from the release, {compiled} compiled", fit.binary),
    }
}

/// What becomes of the `CHANGES` of a release when it is known what each client would do with it.
#[must_use]
pub fn changes_with_clients(changes: &str, release: Id, clients: &[Client]) -> String {
    const TITLE: &str = "\nclients\n";
    let own = changes.split(TITLE).next().unwrap_or_default();
    let known = clients.iter().filter_map(|client| {
        let fit = client.fit.as_ref().filter(|fit| fit.release == release)?;
        Some(format!("  {}: {}\n", client.name, in_numbers(fit)))
    });
    let known: String = known.collect();
    if known.is_empty() { own.to_owned() } else { format!("{own}{TITLE}{known}") }
}

/// What is said when a client was added.
#[must_use]
pub fn client_added(name: &Name, capture: &Capture, replaced: bool) -> String {
    let packages = count(capture.installed.len(), "package");
    let known = if replaced { "is now known by this capture" } else { "is known from now on" };
    let profile = clean(&capture.machine.profile).into_owned();
    format!("{name} {known}: {packages} installed, profile {profile}\n")
}

/// What is said of it then.
#[must_use]
pub fn client_in_short(client: &Client) -> String {
    match &client.fit {
        Some(fit) => format!("{}\n", clean(&sentence(&client.name, fit))),
        None => {
            format!("{}: nothing is published yet; it is rehearsed with the first release\n", client.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laptop() -> Client {
        serde_json::from_str(
            r#"{"name": "laptop", "added": "2026-11-28T10:00:00Z", "fit": {"schema": 1, "release": "2026-11-28.2",
            "rehearsed": "2026-11-28T12:00:00Z", "binary": 209, "drift": ["another profile: own:desk"], "problem": null, "compile": [
            {"package": "x11-misc/foo-1", "why": "USE -bar", "place": "package.use/x:1", "seconds": 3600,
             "add": [{"file": "/etc/portage/package.use", "line": "x11-misc/foo -bar"}], "flags": {"bar": false}},
            {"package": "a/b-2", "why": "the repository own is only there\u001b[2J", "place": null, "seconds": null}]}}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_pipe_gets_columns() {
        let new = Client { name: "desk".parse().unwrap(), fit: None, ..laptop() };
        assert_eq!(
            clients(&[new, laptop()], Look::PLAIN),
            "desk\t2026-11-28 10:00\t\tnot rehearsed yet\n\
             laptop\t2026-11-28 10:00\t2026-11-28.2\t209 from the release, 2 compiled (x11-misc/foo: USE -bar in package.use/x:1; \
             1 more), at least 1 h there\n"
        );
        let text = client(&laptop(), Look::PLAIN);
        let first = "x11-misc/foo-1\t1 h\tUSE -bar\tpackage.use/x:1\t/etc/portage/package.use: x11-misc/foo -bar\na/b-2\t\t";
        assert!(text.starts_with(first), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_terminal_gets_the_lines_to_add() {
        let text = client(&laptop(), Look { width: Some(100), ..Look::PLAIN });
        assert!(text.contains("\n  another profile: own:desk\n"), "{text}");
        let end = "\nThe builder would build these for all its clients with:\n  /etc/portage/package.use\n    x11-misc/foo -bar\n\nIt builds those \
                   with other USE flags beside the common ones, for laptop alone, with this in gbsup.toml:\n  [clients]\n  build_for = [\"laptop\"]\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_release_says_what_its_clients_do() {
        let id = "2026-11-28.2".parse().unwrap();
        let own = "Release 2026-11-28.2\n\nrebuilt\n  a/b\n";
        let told = changes_with_clients(own, id, &[laptop()]);
        let expected = format!("{own}\nclients\n  laptop: 209 from the release, 2 compiled\n");
        assert_eq!(told, expected, "no package, and no line");
        assert_eq!(changes_with_clients(&told, id, &[laptop()]), told, "once");
        assert_eq!(changes_with_clients(&told, id, &[]), own);
        assert_eq!(
            changes_with_clients(own, "2026-11-28.1".parse().unwrap(), &[laptop()]),
            own,
            "that is another one"
        );
    }
}
