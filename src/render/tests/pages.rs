//! The first page in its states: its structure and its words, whatever it looks like.

use insta::assert_snapshot;

use super::*;
use crate::model::helpers::Files;
use crate::model::records::{CycleRow, PackageOutcome, PackageRow, StepRow};
use crate::model::status::{ClientInfo, RepositoryInfo, Skipped, StillFailing};
use crate::model::told::Left;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::{Action, Reason};
use crate::render::html::{self, Builder, Frame, Page};

/// The elements that structure the body, with their names, and the text in them.
pub(super) fn outline(document: &str) -> String {
    let body = document.split_once("<main").map_or(document, |(_, body)| body);
    let body = body.split_once("</main>").map_or(body, |(body, _)| body);
    let mut depth: usize = 0;
    let mut outline = String::new();
    for piece in format!("main{body}").split('<') {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        let void = matches!(name, "wbr" | "meta" | "link" | "br");
        let inline = matches!(
            name,
            "span" | "wbr" | "code" | "a" | "time" | "rect" | "dd" | "dt" | "td" | "th" | "title"
        );
        if let Some(closed) = tag.strip_prefix('/') {
            let inline = matches!(
                closed,
                "span" | "code" | "a" | "time" | "rect" | "dd" | "dt" | "td" | "th" | "title"
            );
            depth = depth.saturating_sub(usize::from(!inline));
        } else if !inline && !void {
            let named = |attribute: &str| {
                let rest = tag.split_once(&format!(" {attribute}=\""))?.1;
                rest.split('"').next().map(|value| value.split(' ').collect::<Vec<_>>().join("."))
            };
            let mark =
                |sign, attribute| named(attribute).map(|value| format!("{sign}{value}")).unwrap_or_default();
            outline = format!(
                "{}\n{}{name}{}{} ",
                outline.trim_end(),
                "  ".repeat(depth),
                mark("#", "id"),
                mark(".", "class")
            );
            depth += 1;
        } else if matches!(name, "td" | "th" | "dt" | "code") {
            outline += " | ";
        }
        outline += text;
    }
    outline.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

pub(super) fn named(name: &str) -> Frame<'_> {
    Frame { name, farm: false }
}

fn shown(status: &Status, left: &[Left], cycles: &[&CycleRow]) -> String {
    let builder = Builder { name: "builder", status: Some(status), left, cycles, logs: None };
    html::document(&html::now(builder, status.now), named("builder"))
}

fn cpv(name: &str) -> Cpv {
    Cpv::parse(name.as_bytes()).unwrap()
}

fn left(package: &str, takes: Option<u64>, why: Reason) -> Left {
    Left {
        package: package.into(),
        binary: takes.is_some_and(|takes| takes < 60),
        takes,
        action: Some(Action::Update),
        before: vec!["1.0".into()],
        why: vec![why],
        use_changes: vec!["doc*".into()],
    }
}

pub(crate) fn lefts() -> Vec<Left> {
    vec![
        left(
            "dev-qt/qtdeclarative-6.10.1",
            Some(1440),
            Reason::SlotRebuild { because: vec![cpv("dev-qt/qtbase-6.10.1")] },
        ),
        left(
            "kde-plasma/kwin-6.5.3",
            Some(40),
            Reason::NeededBy { packages: vec![cpv("kde-plasma/plasma-meta-6.5.3")] },
        ),
        left("sys-apps/systemd-258.2", None, Reason::UseChanged),
    ]
}

/// A cycle of two packages, one of which failed.
pub(crate) fn cycle(id: u64) -> CycleRow {
    let row = |package: &str, from, to, outcome| PackageRow {
        package: package.into(),
        step: "build".into(),
        binary: false,
        started: at(from),
        ended: at(to),
        outcome,
        log: Some("/var/lib/gbsup/log/x.log".into()),
        message: (outcome == PackageOutcome::Failed).then(|| "no luck today".into()),
        files: Some(Files { remote: 212, local: 28, helpers: 3 }),
    };
    let step = |step: &str, from, to| StepRow {
        step: step.into(),
        started: at(from),
        ended: Some(at(to)),
        outcome: Some(Outcome::Done),
        log: None,
    };
    CycleRow {
        id,
        started: at(2000),
        reason: "interval".into(),
        ended: Some(at(1900)),
        outcome: Some(Outcome::Done),
        steps: vec![step("sync", 2000, 1998), step("build", 1998, 1900)],
        packages: vec![
            row("app-misc/good-1", 1998, 1950, PackageOutcome::Built),
            row("app-misc/broken-1.0", 1990, 1980, PackageOutcome::Failed),
        ],
        predictions: Vec::new(),
        remedies: Vec::new(),
        releases: Vec::new(),
        ccache: None,
        files: None,
    }
}

#[test]
fn first_build() {
    let mut status = building();
    status.cycle = Some(CycleInfo { id: 1, started: at(62), reason: "first".into() });
    assert_snapshot!(outline(&shown(&status, &lefts(), &[])));
}

#[test]
fn paused_by_two() {
    let mut status = broken();
    if let Some(pause) = &mut status.pause {
        let mut untried = failure("media-video/fooplay-3", "", "it needs app-misc/broken");
        untried.class = Class::NotTried;
        untried.phase = None;
        pause.failures.push(untried);
    }
    assert_snapshot!(outline(&shown(&status, &[], &[&cycle(2)])));
}

#[test]
fn waiting_well() {
    let mut status = waiting();
    status.release =
        Some(ReleaseInfo { id: "2026-11-22.1".into(), packages: 57, published: at(30), again: None });
    let repository = |name: &str, error: Option<&str>| RepositoryInfo {
        name: name.into(),
        last: Some(at(61)),
        revision: Some("3f2a9c1d5e7788990011aabb".into()),
        error: error.map(String::from),
    };
    status.sync.repositories =
        vec![repository("gentoo", None), repository("guru", Some("could not be reached"))];
    status.known = vec![StillFailing {
        package: "app-misc/broken-1.0".into(),
        class: Class::Compile,
        phase: Some("compile".into()),
        message: "no luck today".into(),
        log: None,
        since: at(5000),
        last: at(100),
    }];
    status.skipped = vec![Skipped {
        package: "app-misc/skipped".into(),
        version: "app-misc/skipped-2".into(),
        since: at(900),
    }];
    status.warnings = vec!["the repository guru could not be synced".into()];
    assert_snapshot!(outline(&shown(&status, &[], &[&cycle(3), &cycle(2)])));
}

#[test]
fn degraded() {
    let mut status = status(
        Mode::Degraded,
        "wait",
        "degraded: the supervisor keeps dying (it died by signal 9); see the log, then: gbsup resume, or stop the container",
    );
    status.cycle = None;
    status.progress = Progress::default();
    assert_snapshot!(outline(&shown(&status, &[], &[])));
}

#[test]
fn nobody_tells() {
    let builder = Builder { name: "builder", status: None, left: &[], cycles: &[], logs: None };
    assert_snapshot!(outline(&html::document(&html::now(builder, at(0)), named("builder"))));
}

#[test]
fn a_cycle_and_how_it_differs() {
    let (mut newer, older) = (cycle(3), cycle(2));
    newer.packages[0].outcome = PackageOutcome::Failed;
    newer.packages[1].outcome = PackageOutcome::Built;
    let cycles = [&newer, &older];
    let builder = Builder { name: "builder", status: None, left: &[], cycles: &cycles, logs: None };
    let page = html::cycle(builder, 3, at(0)).unwrap();
    assert_snapshot!(outline(&html::document(&page, named("builder"))));
    assert!(html::cycle(builder, 4, at(0)).is_none());
}

#[test]
fn the_picture_of_a_cycle_that_is_paused_ends_with_what_ran_last() {
    let paused = CycleRow { ended: None, outcome: None, ..cycle(3) };
    let builder = Builder { name: "builder", status: None, left: &[], cycles: &[&paused], logs: None };
    let page = html::document(&html::cycle(builder, 3, at(0)).unwrap(), named("builder"));
    let (_, ends) = page.split_once("</svg><p class=\"sub ends\">").expect("a picture and its ends");
    let ends: Vec<_> = ends.split("datetime=\"").skip(1).take(2).filter_map(|end| end.get(..20)).collect();
    assert_eq!(ends, [at(2000), at(1900)].map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
}

#[test]
fn the_first_word_is_that_of_everybody() {
    for status in [building(), broken(), waiting()] {
        let page = shown(&status, &[], &[]);
        let (_, heading) = page.split_once("<h1>").unwrap();
        let heading = heading.split_once("</h1>").unwrap().0;
        assert_eq!(words(heading), line(&status));
    }
}

/// What of a page is read, of a piece that has no other elements than spans.
fn words(piece: &str) -> String {
    let pieces = piece.split('<').enumerate().map(|(number, piece)| match piece.split_once('>') {
        Some((_, words)) if number > 0 => words,
        _ => piece,
    });
    pieces.collect()
}

#[test]
fn what_counts_is_no_difference() {
    let page = |elapsed| {
        let mut status = building();
        status.jobs[0].elapsed = elapsed;
        shown(&status, &[], &[])
    };
    let (sooner, later) = (page(12), page(13));
    assert_ne!(sooner, later);
    assert_eq!(html::without_ages(&sooner), html::without_ages(&later));
    // Nothing else is taken for that.
    assert_eq!(html::without_ages(r#"a <b data-age="1">1 s</b> c"#), "a <b</b> c");
    assert_eq!(html::without_ages(r#"a <b data-of="9" data-age="1"#), r#"a <b data-of="9""#);
    assert_eq!(
        html::without_ages("a &lt;b data-age=&quot;1&quot;> <i>c</i>"),
        "a &lt;b data-age=&quot;1&quot;> <i>c</i>"
    );
}

#[test]
fn what_is_silent_is_said_to_be() {
    let status = building();
    let builder = Builder { name: "b", status: Some(&status), left: &[], cycles: &[], logs: None };
    let page = html::document(&html::now(builder, at(-1)), named("b"));
    let (_, warning) = page.split_once("<p class=\"warn\">").unwrap();
    let warning = words(warning.split_once("</p>").unwrap().0);
    assert!(warning.contains("The supervisor was last heard 1 min ago"), "{page}");
}

/// What a name may try.
const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u{202e}\u{1b}[2J";

/// Puts it where a word of others can be.
fn poison(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            let kept = ["state", "class", "since", "now", "started", "last", "why", "published"];
            fields
                .iter_mut()
                .filter(|(name, _)| !kept.contains(&name.as_str()))
                .for_each(|(_, value)| poison(value));
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(poison),
        serde_json::Value::String(text) => EVIL.clone_into(text),
        _ => {}
    }
}

/// Everything that a name of others can be in.
fn hostile() -> (Status, Vec<Left>, CycleRow) {
    let mut status = broken();
    let mut value = serde_json::to_value(&status).unwrap();
    poison(&mut value);
    status = serde_json::from_value(value).unwrap();
    status.warnings = vec![EVIL.into()];
    status.remedies = vec![EVIL.into()];
    status.changes = vec![EVIL.into()];
    status.pending = vec![EVIL.into()];
    status.known = vec![StillFailing {
        package: EVIL.into(),
        class: Class::Compile,
        phase: Some(EVIL.into()),
        message: EVIL.into(),
        log: Some(EVIL.into()),
        since: at(9),
        last: at(8),
    }];
    status.release =
        Some(ReleaseInfo { id: EVIL.into(), packages: 1, published: at(1), again: Some(EVIL.into()) });
    let left = Left {
        package: EVIL.into(),
        before: vec![EVIL.into()],
        use_changes: vec![EVIL.into()],
        why: vec![Reason::UseChanged, Reason::BinaryUse { flags: vec![EVIL.into()] }],
        ..left("a/b-1", None, Reason::Target)
    };
    let mut cycle = cycle(1);
    for package in &mut cycle.packages {
        package.package = EVIL.into();
        package.message = Some(EVIL.into());
        package.log = Some(EVIL.into());
    }
    cycle.steps[0].step = EVIL.into();
    (status, vec![left], cycle)
}

#[test]
fn words_of_others_are_words() {
    let (status, left, cycle) = hostile();
    let cycles = [&cycle];
    let builder = Builder { name: "<b>", status: Some(&status), left: &left, cycles: &cycles, logs: None };
    let pages: [Page; 4] = [
        html::now(builder, at(0)),
        html::plan(builder, at(0)),
        html::cycles(builder, at(0)),
        html::cycle(builder, 1, at(0)).unwrap(),
    ];
    for page in pages {
        let page = html::document(&page, named("<b>"));
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'), "{page}");
        assert!(!page.contains("style=") && !page.contains(" onerror=alert(1)>\""), "{page}");
        // Each attribute ends where it should: nothing of a name stands in a tag, but quoted.
        for tag in page.split('<').skip(1).map(|piece| piece.split('>').next().unwrap()) {
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
    }
    let text = metrics::metrics(&status, 1, &cycles);
    assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("gbsup_")), "{text}");
}

#[test]
fn the_first_page_is_small() {
    let mut status = broken();
    let left: Vec<Left> = (0..2000)
        .map(|n| Left { package: format!("app-misc/package{n}-1.2.3"), ..lefts().remove(1) })
        .collect();
    let cycle = cycle(7);
    let cycles = vec![&cycle; 500];
    if let Some(pause) = &mut status.pause {
        for n in 0..20 {
            let mut untried = failure(&format!("media-video/player{n}-3"), "", "it needs app-misc/broken");
            untried.class = Class::NotTried;
            pause.failures.push(untried);
        }
    }
    let page = shown(&status, &left, &cycles);
    assert!(page.len() < 30_000, "{} bytes", page.len());
    assert!(page.contains("all 2000"), "{page}");
}

#[test]
fn numbers_for_prometheus() {
    let mut status = broken();
    status.progress.eta = Some(Eta { low: 60, likely: 90, high: 120, unknown: 0 });
    status.sync.repositories = vec![RepositoryInfo {
        name: "a\"b\\c\n".into(),
        last: Some(at(61)),
        revision: None,
        error: Some("no".into()),
    }];
    status.release =
        Some(ReleaseInfo { id: "2026-11-22.1".into(), packages: 57, published: at(30), again: None });
    status.restarts = 2;
    let client = |name: &str, problem: Option<&str>| ClientInfo {
        name: name.into(),
        release: Some("2026-11-22.1".into()),
        binary: 209,
        compiled: 2,
        seconds: Some(11_400),
        problem: problem.map(Into::into),
        text: String::new(),
    };
    status.clients = vec![client("laptop", None), client("media", Some("no profile"))];
    assert_snapshot!(metrics::metrics(&status, 3, &[&cycle(3)]));
}
