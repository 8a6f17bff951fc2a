//! What a builder tells, for the tests: a status made by the core itself, with what a day brings.

use std::sync::LazyLock;
use std::time::Duration;

use gbsup::config::Config;
use gbsup::decide::view;
use gbsup::model::Now;
use gbsup::model::ccache::CacheUse;
use gbsup::model::duration::Eta;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::helpers::Files;
use gbsup::model::records::{
    CycleRow, Outcome, PackageOutcome, PackageRow, PredictionRow, ReleaseRow, StepRow,
};
use gbsup::model::state::State;
use gbsup::model::status::{
    ClientInfo, CycleInfo, JobInfo, Mode, PauseInfo, Progress, ReleaseInfo, RepositoryInfo, Status,
    StillFailing, VolumeInfo, Why,
};
use gbsup::model::told::{Left, Told};
use gbsup::portage::output::plan::{Action, Reason, Totals};
use jiff::{SignedDuration, Timestamp};

use crate::server::{NEW, Server};

/// When the test began.
static NOW: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

fn ago(minutes: i64) -> Timestamp {
    *NOW - SignedDuration::from_mins(minutes)
}

/// A builder in this state, with this headline.
pub(crate) fn status(state: Mode, headline: &str) -> Status {
    let now = Now { mono: Duration::ZERO, wall: Timestamp::now() };
    let begun = view::status(&State::new(Config::default(), now), now);
    Status { state, headline: headline.to_owned(), ..begun }
}

/// The same in the middle of its life.
pub(crate) fn lived(state: Mode, step: &str, headline: &str) -> Status {
    let mut status = status(state, headline);
    step.clone_into(&mut status.step);
    status.since = ago(31);
    status.cycle = Some(CycleInfo { id: 118, started: ago(134), reason: "interval".into() });
    let repository = |name: &str, minutes, revision: &str| RepositoryInfo {
        name: name.into(),
        last: Some(ago(minutes)),
        revision: Some(revision.into()),
        error: None,
    };
    status.sync.last = Some(ago(133));
    status.sync.repositories = vec![
        repository("gentoo", 133, "3f2a91c5e7788990011aabb"),
        repository("guru", 133, "88d01ce5e7788990011aabb"),
    ];
    status.volume = VolumeInfo { path: "/var/lib/gbsup".into(), mounted: true, free: 312 << 30 };
    status.release = Some(ReleaseInfo { id: NEW.into(), packages: 913, published: ago(1500), again: None });
    status.log = Some("/var/lib/gbsup/steps/118/build.log".into());
    status.clients = clients();
    status
}

/// One whom all fits, one that compiles, one that nobody knows of, and a new one.
fn clients() -> Vec<ClientInfo> {
    let client = |name: &str, release: Option<&str>, compiled, seconds, problem: Option<&str>, text: &str| {
        ClientInfo {
            name: name.into(),
            release: release.map(Into::into),
            binary: if release.is_some() && problem.is_none() { 209 } else { 0 },
            compiled,
            seconds,
            problem: problem.map(Into::into),
            text: format!("{name}: {text}"),
        }
    };
    vec![
        client("desktop", Some(NEW), 0, None, None, "209 from the release, nothing to compile"),
        client("laptop", Some(NEW), 2, Some(11_400), None, "209 from the release, 2 compiled"),
        client("media.lan", Some(NEW), 0, None, Some("gbsup clients media.lan says why"), "not known"),
        client("new", None, 0, None, None, "not rehearsed yet"),
    ]
}

/// One that builds, and has done so many packages.
pub(crate) fn building(done: u64) -> Status {
    let mut status = lived(
        Mode::Running,
        "build",
        &format!(
            "running: building {} of 57, www-client/firefox-145.0.1 (compile, 41 min of about 1 h 10 min) and 1 more, \
             all done in about 2 h 10 min; 1 failed so far",
            done + 2
        ),
    );
    let eta = Some(Eta { low: 6600, likely: 7800, high: 10_800, unknown: 2 });
    status.progress = Progress { done, total: 57, failed: 1, binary: 2, source: done.saturating_sub(2), eta };
    status.plan = Some(Totals { packages: 57, source: 43, binary: 14, download: 870 << 20 });
    let job = |package: &str, phase: &str, elapsed, estimate| JobInfo {
        package: package.into(),
        phase: phase.into(),
        elapsed,
        estimate,
        binary: false,
        files: Some(Files { remote: 212, local: 28, helpers: 3 }),
    };
    status.jobs = vec![
        job("www-client/firefox-145.0.1", "compile", 2460, Some(4200)),
        job("dev-qt/qtbase-6.10.1", "configure", 120, Some(1080)),
    ];
    status.failed =
        vec![failure("media-libs/libfoo-2.1", "compile", "foo.c:12: fatal error: bar.h: No such file")];
    status
}

fn failure(package: &str, phase: &str, message: &str) -> Failure {
    let mut failure = Failure::new(Class::Compile, message);
    failure.package = Some(package.to_owned());
    failure.phase = Some(phase.to_owned());
    failure.log = Some(format!("/var/lib/gbsup/log/build/{package}:20261128-020714.log"));
    failure.evidence = vec![
        format!(" * ERROR: {package}::gentoo failed ({phase} phase):"),
        " *   emake failed".to_owned(),
        " * If you need support, post the output of `emerge --info '=media-libs/libfoo-2.1::gentoo'` and the complete build log".to_owned(),
    ];
    failure.suggestions = vec![format!("gbsup logs {package}"), format!("gbsup resume --skip ={package}")];
    failure
}

/// One whose volume is refused, with this headline.
pub(crate) fn refused(headline: &str) -> Status {
    let mut status = status(Mode::Paused, headline);
    let mut failure = Failure::new(Class::Volume, "it is mounted read-only");
    failure.suggestions = vec!["mount -o remount,rw /var/lib/gbsup".into()];
    status.pause = Some(PauseInfo {
        why: Why::Failure,
        failures: vec![failure],
        until: None,
        actions: vec!["repair it, then: gbsup resume".into()],
    });
    status
}

/// One that is held by two failures.
pub(crate) fn paused() -> Status {
    let mut status = lived(
        Mode::Paused,
        "build",
        "paused: dev-lang/rust-1.91.1 ran out of memory (and 1 more failure); 41 of 57 built. Repair it, then: gbsup resume",
    );
    status.progress = Progress { done: 41, total: 57, failed: 2, binary: 6, source: 35, eta: None };
    let mut memory = failure("dev-lang/rust-1.91.1", "compile", "the kernel killed rustc: memory ran out");
    memory.class = Class::OutOfMemory;
    let mut untried = Failure::new(Class::NotTried, "it needs dev-lang/rust");
    untried.package = Some("www-client/firefox-145.0.1".into());
    let failures = vec![
        memory,
        failure("media-libs/libfoo-2.1", "compile", "foo.c:12: fatal error: bar.h: No such file"),
        untried,
    ];
    status.pause = Some(PauseInfo {
        why: Why::Failure,
        failures,
        until: None,
        actions: vec![
            "read what happened: gbsup logs --failed".into(),
            "try: gbsup resume --skip =dev-lang/rust-1.91.1".into(),
            "when it is repaired, go on with: gbsup resume".into(),
        ],
    });
    status.remedies =
        vec!["dev-lang/rust-1.91.1 ran out of memory; built again with 1 job, which did not help".into()];
    status
}

/// One that has nothing to do.
pub(crate) fn waiting() -> Status {
    let mut status = lived(
        Mode::Waiting,
        "wait",
        "waiting: everything else is up to date (release 2026-11-22.1, 913 packages; 43 packages built); \
         app-misc/broken-1.0 still failing since 2026-11-20 (compile); next sync in 23 h 40 min",
    );
    status.progress = Progress { done: 57, total: 57, failed: 0, binary: 14, source: 43, eta: None };
    status.next_cycle = Some(status.now + SignedDuration::from_mins(1420) + SignedDuration::from_secs(30));
    status.known = vec![StillFailing {
        package: "app-misc/broken-1.0".into(),
        class: Class::Compile,
        phase: Some("compile".into()),
        message: "no luck today".into(),
        log: Some("/var/lib/gbsup/log/build/app-misc/broken-1.0:20261120-101112.log".into()),
        since: ago(11_000),
        last: ago(1500),
    }];
    status.warnings =
        vec!["the repository guru could not be synced for 2 d: the server did not answer".into()];
    status.changes = vec![
        "dev-libs/icu changed its sub-slot from 76.1 to 77.1".into(),
        "merged again, because of what they were built against: dev-qt/qtbase-6.10.1, app-office/libreoffice-25.8.3".into(),
    ];
    status
}

/// One whose failure, and all that can be said of it, has words that are a page themselves.
pub(crate) fn hostile() -> Status {
    const EVIL: &str = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">\"'&amp;\u{202e}\u{1b}[2J\
                        averyveryverylongwordwithoutanyplacetobreakitwhichwouldmakeanarrowpagescrollsideways";
    let mut status = lived(Mode::Paused, "build", &format!("paused: {EVIL}. Repair it, then: gbsup resume"));
    let mut failure = failure(&format!("a/{EVIL}-1"), EVIL, EVIL);
    failure.evidence = vec![EVIL.to_owned()];
    failure.suggestions = vec![EVIL.to_owned()];
    let untried = Failure { class: Class::NotTried, ..failure.clone() };
    let actions = vec![format!("try: {EVIL}")];
    status.pause =
        Some(PauseInfo { why: Why::Failure, failures: vec![failure, untried], until: None, actions });
    status.warnings = vec![EVIL.to_owned()];
    EVIL.clone_into(&mut status.volume.path);
    status
}

/// The server learns of a builder at work, with all that there is around it.
pub(crate) fn tell_building(server: &mut Server) {
    let status = building(11);
    server.tell(&told(&status));
    for message in &around("building") {
        server.tell(message);
    }
    server.until(&status.headline[..30]);
}

/// What else is told beside such a status.
pub(crate) fn around(state: &str) -> [Told; 2] {
    let left = if state == "building" { left() } else { Vec::new() };
    [Told::Left { left }, Told::Cycles { cycles: (0..8).map(|n| cycle(118 - n)).collect() }]
}

fn left() -> Vec<Left> {
    let one = |package: &str, binary, takes, before: &str, why| Left {
        package: package.into(),
        binary,
        takes,
        action: Some(Action::Update),
        before: vec![before.into()],
        why: vec![why],
        use_changes: vec!["-iptables*".into()],
    };
    let cpv = |name: &str| serde_json::from_value(name.into()).unwrap();
    let mut left = vec![
        one(
            "dev-qt/qtdeclarative-6.10.1",
            false,
            Some(1440),
            "6.10.0",
            Reason::SlotRebuild { because: vec![cpv("dev-qt/qtbase-6.10.1")] },
        ),
        one(
            "kde-plasma/kwin-6.5.3",
            false,
            Some(1020),
            "6.5.2",
            Reason::NeededBy { packages: vec![cpv("kde-plasma/plasma-meta-6.5.3")] },
        ),
        one("sys-apps/systemd-258.2", false, Some(360), "258.2", Reason::UseChanged),
        one("sys-libs/zlib-1.3.1-r1", true, Some(3), "1.3.1", Reason::Target),
    ];
    for n in 0..40 {
        let name = format!("kde-frameworks/kframework{n}-6.20.0");
        left.push(one(&name, n % 3 == 0, (n % 5 != 0).then_some(90), "6.19.0", Reason::Target));
    }
    left
}

fn cycle(id: u64) -> CycleRow {
    let days = i64::try_from(118 - id).unwrap();
    let began = |minute: i64| ago(134 + days * 1440 - minute);
    let row = |n: i64, package: &str, from, to| PackageRow {
        package: package.into(),
        step: "build".into(),
        binary: n % 5 == 4,
        started: began(from),
        ended: began(to),
        outcome: if n == 3 && id.is_multiple_of(2) { PackageOutcome::Failed } else { PackageOutcome::Built },
        // Of what was built the builder does not know the file.
        log: (n == 3).then(|| "/var/lib/gbsup/log/build/x.log".into()),
        message: (n == 3).then(|| "foo.c:12: fatal error: bar.h: No such file".into()),
        files: (n == 1).then_some(Files { remote: 212, local: 28, helpers: 3 }),
    };
    let step = |step: &str, from, to| StepRow {
        step: step.into(),
        started: began(from),
        ended: Some(began(to)),
        outcome: Some(Outcome::Done),
        log: Some(format!("/var/lib/gbsup/steps/{id}/{step}.log")),
    };
    CycleRow {
        id,
        started: began(0),
        reason: if id.is_multiple_of(3) { "requested" } else { "interval" }.into(),
        ended: Some(began(120)),
        outcome: Some(Outcome::Done),
        steps: vec![
            step("sync", 0, 3),
            step("plan", 3, 6),
            step("build", 6, 110),
            step("audit", 110, 115),
            step("publish", 115, 120),
        ],
        packages: vec![
            row(1, "dev-libs/icu-77.1", 6, 14),
            row(2, "sys-libs/glibc-2.42-r2", 6, 28),
            row(3, "media-libs/libfoo-2.1", 14, 17),
            row(4, "app-arch/zstd-1.5.7-r1", 17, 18),
            row(5, "dev-lang/rust-1.91.1", 18, 70),
            row(6, "llvm-core/llvm-21.1.6", 28, 90),
            row(7, "www-client/firefox-145.0.1", 70, 110),
            row(8, "dev-qt/qtbase-6.10.1", 90, 104),
        ],
        predictions: vec![PredictionRow {
            at: began(6),
            packages: 8,
            eta: Eta { low: 5000, likely: 6000, high: 7000, unknown: 0 },
            took: Some(6240),
        }],
        remedies: Vec::new(),
        releases: vec![ReleaseRow { release: NEW.into(), at: began(118), packages: 913, again: None }],
        ccache: Some(CacheUse { hits: 212, misses: 28, size: 1_288_490_188 }),
        files: Some(Files { remote: 212, local: 40, helpers: 3 }),
    }
}

pub(crate) fn told(status: &Status) -> Told {
    Told::Status { status: Box::new(status.clone()) }
}
