use insta::assert_snapshot;
use jiff::Timestamp;

use super::*;
use crate::model::duration::Eta;
use crate::model::failure::{Class, Failure};
use crate::model::records::Outcome;
use crate::model::status::{
    CycleInfo, JobInfo, PauseInfo, Progress, ReleaseInfo, SCHEMA, SyncInfo, VolumeInfo,
};
use crate::portage::output::plan::Totals;

mod ccache;
mod farm;
mod files;
mod history;
mod known;
pub(super) mod pages;

const WIDE: Look = Look { colour: false, unicode: true, width: Some(90) };

pub(super) fn at(minutes_ago: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 - 60 * minutes_ago).unwrap()
}

/// A builder in the middle of a cycle.
pub(super) fn status(state: Mode, step: &str, headline: &str) -> Status {
    Status {
        schema: SCHEMA,
        version: "0.1.0".into(),
        state,
        step: step.into(),
        headline: headline.into(),
        since: at(41),
        now: at(0),
        cycle: Some(CycleInfo { id: 3, started: at(62), reason: "interval".into() }),
        progress: Progress { done: 12, total: 57, failed: 0, binary: 3, source: 9, eta: None },
        plan: None,
        jobs: Vec::new(),
        pause: None,
        known: Vec::new(),
        skipped: Vec::new(),
        failed: Vec::new(),
        pending: Vec::new(),
        next_cycle: None,
        release: None,
        sync: SyncInfo {
            last: Some(at(61)),
            revision: Some("3f2a9c1d5e7788990011aabb".into()),
            stale_since: None,
            repositories: Vec::new(),
        },
        volume: VolumeInfo { path: "/var/lib/gbsup".into(), mounted: true, free: 44_238_000_000 },
        log: Some("/var/lib/gbsup/steps/3/build.log".into()),
        changes: Vec::new(),
        remedies: Vec::new(),
        warnings: Vec::new(),
        restarts: 0,
        clients: Vec::new(),
        helpers: None,
        ccache: None,
    }
}

fn job(package: &str, phase: &str, elapsed: u64, estimate: Option<u64>, binary: bool) -> JobInfo {
    JobInfo { package: package.into(), phase: phase.into(), elapsed, estimate, binary, files: None }
}

pub(super) fn building() -> Status {
    let mut status = status(
        Mode::Running,
        "build",
        "running: building 12 of 57, www-client/firefox-130.0 (compile, 41 min of about 1 h 10 min), all done in about 2 h 10 min",
    );
    status.jobs = vec![
        job("www-client/firefox-130.0", "compile", 2460, Some(4200), false),
        job("sys-libs/zlib-1.3.1-r1", "merge", 12, None, true),
    ];
    status.plan = Some(Totals { packages: 57, source: 50, binary: 7, download: 912_000_000 });
    status.progress.eta = Some(Eta { low: 6600, likely: 7800, high: 10_800, unknown: 0 });
    status
}

fn failure(package: &str, phase: &str, message: &str) -> Failure {
    Failure {
        package: Some(package.into()),
        phase: Some(phase.into()),
        evidence: vec![
            format!(" * ERROR: {package}::pocket failed ({phase} phase):"),
            format!(" *   {message}"),
        ],
        log: Some(format!("/var/lib/gbsup/log/build/{package}:20261122-162030.log")),
        suggestions: vec![format!("gbsup logs {package}"), format!("gbsup resume --skip ={package}")],
        ..Failure::new(Class::Compile, message)
    }
}

pub(super) fn broken() -> Status {
    let mut status = status(
        Mode::Paused,
        "build",
        "paused: app-misc/broken-1.0 failed in compile: no luck today (and 1 more); 55 of 57 built. Repair it, then: gbsup resume",
    );
    status.progress = Progress { done: 55, total: 57, failed: 2, binary: 0, source: 55, eta: None };
    status.pause = Some(PauseInfo {
        why: Why::Failure,
        failures: vec![
            failure("app-misc/broken-1.0", "compile", "no luck today"),
            failure("net-misc/lost-2.1", "unpack", "Couldn't download 'lost-2.1.tar.gz'. Aborting."),
        ],
        until: None,
        actions: vec![
            "see what happened: gbsup logs --failed".into(),
            "repair it, then: gbsup resume".into(),
            "or go on without it: gbsup resume --skip =app-misc/broken-1.0".into(),
        ],
    });
    status
}

fn held(headline: &str, action: &str) -> Status {
    let mut status = status(Mode::Paused, "build", headline);
    status.pause = Some(PauseInfo {
        why: Why::Operator,
        failures: Vec::new(),
        until: None,
        actions: vec![action.into()],
    });
    status
}

pub(super) fn waiting() -> Status {
    let mut status = status(
        Mode::Waiting,
        "wait",
        "waiting: everything is up to date (57 packages); next sync in 23 h 40 min",
    );
    status.progress = Progress { done: 57, total: 57, failed: 0, binary: 45, source: 12, eta: None };
    status.next_cycle = Some(at(-1420));
    status
}

#[test]
fn building_with_two_jobs() {
    assert_snapshot!(page(&building(), WIDE));
}

#[test]
fn what_is_left_is_said_with_what_is_not_known() {
    let mut status = building();
    let left = |status: &Status| {
        let page = page(status, Look::PLAIN);
        page.lines().find(|line| line.starts_with("  left ")).map(|line| line[11..].to_owned())
    };
    assert_eq!(left(&status).as_deref(), Some("about 2 h 10 min (1 h 50 min to 3 h)"));
    status.progress.eta = Some(Eta { low: 50, likely: 60, high: 600, unknown: 1 });
    assert_eq!(left(&status).as_deref(), Some("about 1 min (50 s to 10 min), 1 package never built here"));
    status.progress.eta = None;
    assert_eq!(left(&status).as_deref(), Some("time unknown, nothing was built here before"));
    // What is merged again before the build was not predicted, and need not be.
    status.step = "preflight".into();
    assert_eq!(left(&status), None);
}

#[test]
fn paused_by_two_failures() {
    assert_snapshot!(page(&broken(), WIDE));
}

#[test]
fn paused_by_a_command() {
    let mut status =
        held("paused: by an operator: disk being replaced. Go on with: gbsup resume", "go on: gbsup resume");
    status.pending = vec!["sync".into()];
    assert_snapshot!(page(&status, WIDE));
}

#[test]
fn paused_by_the_flag_file() {
    let status = held(
        "paused: the flag file /var/lib/gbsup/control/pause holds the builder. Go on with: rm /var/lib/gbsup/control/pause",
        "go on: rm /var/lib/gbsup/control/pause",
    );
    assert_snapshot!(page(&status, WIDE));
}

#[test]
fn waiting_for_the_next_cycle() {
    let mut status = waiting();
    status.release =
        Some(ReleaseInfo { id: "2026-11-22.1".into(), packages: 213, published: at(20), again: None });
    assert_snapshot!(page(&status, WIDE));
    status.release =
        Some(ReleaseInfo { id: "2026-11-22.1".into(), packages: 1, published: at(20), again: None });
    assert!(page(&status, WIDE).contains("2026-11-22.1, 1 package, published"));
}

#[test]
fn degraded() {
    let mut status = status(
        Mode::Degraded,
        "",
        "degraded: the supervisor died 5 times within 10 min (exit code 101 the last time). Try again with: gbsup resume",
    );
    status.progress = Progress::default();
    status.cycle = None;
    status.sync = SyncInfo::default();
    status.log = None;
    status.warnings = vec!["see the container's log for what it said: docker logs builder".into()];
    assert_snapshot!(page(&status, WIDE));
}

#[test]
fn sync_waiting_to_try_again() {
    let mut status = status(
        Mode::Running,
        "sync",
        "running: syncing failed (git fetch error in /var/db/repos/pocket), attempt 3 of 4 in 5 min",
    );
    status.progress = Progress::default();
    status.sync = SyncInfo {
        last: Some(at(3000)),
        revision: Some("3f2a9c1".into()),
        stale_since: Some(at(62)),
        ..SyncInfo::default()
    };
    status.remedies = vec!["syncing is tried again after 1, 5 and 15 min".into()];
    assert_snapshot!(page(&status, WIDE));
}

#[test]
fn warnings_without_a_volume() {
    let mut status = waiting();
    status.volume.free = 912_000_000;
    status.warnings = vec![
        "no volume is mounted at /var/lib/gbsup: the packages die with the container. Start it with: docker run -v gb:/var/lib/gbsup".into(),
        "FEATURES has no buildpkg".into(),
    ];
    assert_snapshot!(page(&status, WIDE));
}

#[test]
fn what_changed_up_to_what_is_rebuilt_for_it() {
    let mut status =
        status(Mode::Running, "rebuild", "running: rebuilding 1 of 2, app-misc/a-1 (compile, 2 s)");
    status.changes = (1..=6).map(|n| format!("dev-libs/lib{n} went from {n} to {}", n + 1)).collect();
    status
        .changes
        .push("merged again, because of what they were built against: app-misc/a-1, app-misc/b-1".into());
    assert_snapshot!(page(&status, WIDE));
}

#[test]
fn narrow_terminals_get_labels_in_the_text() {
    let look = Look { width: Some(40), ..WIDE };
    assert_snapshot!(format!("{}--\n{}", page(&building(), look), page(&broken(), look)));
}

#[test]
fn no_width_is_too_small() {
    for width in 0..60 {
        for unicode in [true, false] {
            let look = Look { colour: true, unicode, width: Some(width) };
            for status in [building(), broken(), waiting()] {
                let page = anstream::adapter::strip_str(&page(&status, look)).to_string();
                assert!(page.lines().count() > 4);
                for line in page.lines() {
                    assert_eq!(line.trim_end(), line);
                    // Only a word that has no room anywhere is longer than a line.
                    let words = line.trim_start().split(' ').count();
                    assert!(words == 1 || rows(line, width.max(24)) == 1, "{width}: {line:?}");
                }
            }
        }
    }
}

#[test]
fn terminals_without_unicode_get_ascii() {
    let page = page(&broken(), Look { unicode: false, ..WIDE });
    assert!(page.is_ascii(), "{page}");
    assert!(page.contains("[###############################!]"), "{page}");
}

#[test]
fn a_pipe_gets_whole_lines_without_drawing() {
    let plain = page(&broken(), Look::PLAIN);
    assert!(plain.is_ascii());
    assert_snapshot!(plain);
}

#[test]
fn colours() {
    let look = Look { colour: true, ..WIDE };
    assert_snapshot!(page(&broken(), look).replace('\u{1b}', "␛"));
}

#[test]
fn many_failures_are_cut_short() {
    let mut status = broken();
    if let Some(pause) = &mut status.pause {
        pause.failures = (0..9).map(|n| failure(&format!("app/x-{n}"), "compile", "no luck")).collect();
    }
    let page = page(&status, WIDE);
    assert!(page.contains("and 4 more: gbsup failures"), "{page}");
}

#[test]
fn one_line_is_the_headline() {
    assert_eq!(line(&waiting()), waiting().headline);
    let mut other = waiting();
    other.headline = "no state here".into();
    assert_eq!(line(&other), "waiting: no state here");
}

#[test]
fn nothing_from_outside_reaches_the_terminal_as_a_command() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\nnew\rline\tof \u{202e}text";
    let mut status = broken();
    status.headline = format!("paused: {evil}");
    status.jobs = vec![job(evil, evil, 1, None, false)];
    status.pending = vec![evil.into()];
    status.changes = vec![evil.into()];
    status.remedies = vec![evil.into()];
    status.warnings = vec![evil.into()];
    status.log = Some(evil.into());
    status.volume.path = evil.into();
    status.sync.revision = Some(evil.into());
    status.release = Some(ReleaseInfo { id: evil.into(), packages: 1, published: at(1), again: None });
    if let Some(cycle) = &mut status.cycle {
        cycle.reason = evil.into();
    }
    let bad = Failure {
        package: Some(evil.into()),
        phase: Some(evil.into()),
        evidence: vec![evil.into()],
        log: Some(evil.into()),
        suggestions: vec![evil.into()],
        ..Failure::new(Class::Unknown, evil)
    };
    if let Some(pause) = &mut status.pause {
        pause.failures = vec![bad.clone()];
        pause.actions = vec![evil.into()];
    }
    let mut row = history::cycle(1, Some(30), Some(Outcome::Done));
    row.reason = evil.into();
    for shown in [
        page(&status, WIDE),
        page(&status, Look::PLAIN),
        line(&status),
        failures(&[bad], &[], WIDE),
        history(&[row], at(0), WIDE),
    ] {
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
    }
    assert_eq!(clean("a\u{1b}[31mb\nc"), "a\\x1b[31mb c");
}

#[test]
fn failures_in_full() {
    let Some(pause) = broken().pause else { unreachable!() };
    let mut all = pause.failures;
    all.push(Failure::new(Class::DiskFull, "no space left on /var/lib/gbsup (0 B free)"));
    assert_snapshot!(failures(&all, &[], WIDE));
}

#[test]
fn time_alone_is_no_change() {
    let line = "running: building 2 of 6, a/b-1 (build, 1 h 10 min); 1 failed so far";
    assert_eq!(timeless(line), "running: building 2 of 6, a/b-1 (build, 1 failed so far");
    assert_eq!(timeless(line), timeless(&line.replace("1 h 10 min", "59 s")));
    assert_ne!(timeless(line), timeless(&line.replace("2 of 6", "3 of 6")));
    let estimated =
        "running: building 2 of 6, a/b-1 (build, 7 s of about 1 min), all done in about 2 h 10 min";
    assert_eq!(timeless(estimated), timeless(&estimated.replace("7 s", "59 s").replace("2 h 10 min", "2 h")));
    assert_ne!(timeless(line), timeless(&line.replace("1 failed", "2 failed")));
}

#[test]
fn styles_take_no_room() {
    for (line, width, taken) in [("", 10, 1), ("0123456789", 10, 1), ("0123456789a", 10, 2), ("a", 0, 1)] {
        assert_eq!(rows(line, width), taken, "{line}");
        assert_eq!(rows(&format!("\u{1b}[1m{line}\u{1b}[0m"), width), taken, "{line}");
    }
}

#[test]
fn sizes() {
    for (bytes, words) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (912_000_000, "870 MiB"),
        (44_238_000_000, "41.2 GiB"),
        (u64::MAX, "16777216.0 TiB"),
    ] {
        assert_eq!(size(bytes), words);
    }
}

/// What holds it and what to type come before how far it is, in whatever a terminal has.
#[test]
fn what_to_do_is_on_the_shortest_page() {
    let look = Look { width: Some(60), ..Look::PLAIN };
    let all = page(&broken(), look);
    for rows in 5..all.lines().count() {
        let page = page_within(&broken(), look, rows);
        assert!(page.lines().take(rows).any(|line| line.contains("to do")), "{rows} rows:\n{page}");
    }
    assert_eq!(page_within(&broken(), look, usize::MAX), all);
}
