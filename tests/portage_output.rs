//! Whole runs of emerge through the scanner.

use std::fmt::Write as _;

use gbsup::portage::output::markers::ProblemKind;
use gbsup::portage::output::scanner::{Evidence, How, Progress, Scanner};

/// Feeds a transcript and lists what was said about it, one short word per event.
fn scan(text: &[u8]) -> (String, Evidence) {
    let mut scanner = Scanner::new();
    let mut said = String::new();
    for line in text.split(|&b| b == b'\n') {
        if let Some(progress) = scanner.line(line) {
            let _ = writeln!(said, "{}", word(&progress));
        }
    }
    (said, scanner.finish())
}

fn word(progress: &Progress) -> String {
    match progress {
        Progress::Planned { total, .. } => format!("planned {total}"),
        Progress::Emerging { n, total, package, binary } => {
            format!("emerging{} {n}/{total} {package}", if *binary { " binary" } else { "" })
        }
        Progress::Fetching { n, total, package } => format!("fetching {n}/{total} {package}"),
        Progress::Installing { n, total, package } => format!("installing {n}/{total} {package}"),
        Progress::Completed { n, total, package } => format!("completed {n}/{total} {package}"),
        Progress::Uninstalling { package } => format!("uninstalling {package}"),
        Progress::Failed { package, how, log } => {
            format!("failed {package} {how:?} {}", log.as_ref().map_or("-", |p| p.to_str().unwrap_or("?")))
        }
        Progress::Resuming => "resuming".to_owned(),
        Progress::Jobs { complete, total, running, failed, merge_wait } => {
            format!("jobs {complete}/{total} {running} {failed} {merge_wait}")
        }
    }
}

#[test]
fn a_run_that_goes_on_after_a_failure() {
    let (said, evidence) = scan(
        br"Calculating dependencies ... done!
Dependency resolution took 0.43 s (backtrack: 0/100).

[ebuild  N     ] app-misc/hello-2.10::pocket  0 KiB
[binary   R    ] sys-libs/zlib-1.2.13-1:0/1::pocket  0 KiB

Total: 5 packages (4 new, 1 reinstall), Size of downloads: 0 KiB

>>> Verifying ebuild manifests
>>> Running pre-merge checks for app-misc/hello-2.10
>>> Emerging (1 of 5) app-misc/broken-1.0::pocket
>>> Emerging binary (2 of 5) sys-libs/zlib-1.2.13::pocket
>>> Jobs: 0 of 5 complete, 2 running                Load avg: 1.00, 0.80, 0.50
>>> Failed to emerge app-misc/broken-1.0, Log file:
>>>  '/var/lib/gbsup/log/app-misc:broken-1.0:20261122-143000.log'
>>> Installing (2 of 5) sys-libs/zlib-1.2.13::pocket
>>> Completed (2 of 5) sys-libs/zlib-1.2.13::pocket
>>> Jobs: 1 of 5 complete, 1 failed, 2 merge wait Load avg: 1.00, 0.80, 0.50
*** Resuming merge...
>>> Emerging (1 of 2) app-misc/hello-2.10::pocket
>>> Installing (1 of 2) app-misc/hello-2.10::pocket
>>> Failed to install app-misc/hello-2.10, Log file:
>>>  '/log/hello'
>>> Uninstalling app-misc/old-1::pocket

 * Messages for package app-misc/broken-1.0:
 * Log file: /var/lib/gbsup/log/app-misc:broken-1.0:20261122-143000.log

 * ERROR: app-misc/broken-1.0::pocket failed (compile phase):
 *   emake failed
 * 
 * If you need support, post the output of `emerge --info '=app-misc/broken-1.0::pocket'`,
 * the complete build log and the output of `emerge -pqv '=app-misc/broken-1.0::pocket'`.
 * The complete build log is located at '/var/lib/gbsup/log/app-misc:broken-1.0:20261122-143000.log'.
 * Working directory: '/var/tmp/portage/app-misc/broken-1.0/work'
 * S: '/var/tmp/portage/app-misc/broken-1.0/work/broken-1.0'

 * Messages for package app-misc/killed-1:

 * The ebuild phase 'compile' has been killed by signal 9.

 * Messages for package app-misc/needs-broken-1.0:

 * emerge --keep-going: app-misc/needs-broken-1.0 dropped because it requires
 * >=app-misc/broken-1.0, app-misc/other
 * 
 * The following 4 packages have failed to build, install, or execute
 * postinst:
 * 
 *  (app-misc/broken-1.0:0/0::pocket, ebuild scheduled for merge), Log file:
 *   '/var/lib/gbsup/log/app-misc:broken-1.0:20261122-143000.log'
 *  (app-misc/needs-broken-1.0:0/0::pocket, ebuild scheduled for merge)
 *  (app-misc/silent-1.0:0/0::pocket, ebuild scheduled for merge)
 *  (app-misc/post-1.0-3:0/0::pocket, binary scheduled for merge) (postinst failed), Log file:
 *   '/log/post'
 * 
",
    );
    assert_eq!(
        said,
        "planned 5\nemerging 1/5 app-misc/broken-1.0\nemerging binary 2/5 sys-libs/zlib-1.2.13\njobs 0/5 2 0 0\n\
         failed app-misc/broken-1.0 Build /var/lib/gbsup/log/app-misc:broken-1.0:20261122-143000.log\n\
         installing 2/5 sys-libs/zlib-1.2.13\ncompleted 2/5 sys-libs/zlib-1.2.13\njobs 1/5 0 1 2\nresuming\n\
         emerging 1/2 app-misc/hello-2.10\ninstalling 1/2 app-misc/hello-2.10\n\
         failed app-misc/hello-2.10 Install /log/hello\nuninstalling app-misc/old-1\n"
    );
    let failed: Vec<_> = evidence
        .failed
        .iter()
        .map(|f| {
            let log = f.log.as_ref().map(|p| p.display().to_string());
            (f.package.as_str(), f.how.clone(), log.unwrap_or_default())
        })
        .collect();
    let reason = "it requires >=app-misc/broken-1.0, app-misc/other".to_owned();
    assert_eq!(
        failed,
        [
            (
                "app-misc/broken-1.0",
                How::Build,
                "/var/lib/gbsup/log/app-misc:broken-1.0:20261122-143000.log".to_owned()
            ),
            ("app-misc/hello-2.10", How::Install, "/log/hello".to_owned()),
            ("app-misc/needs-broken-1.0", How::Dropped(Some(reason)), String::new()),
            ("app-misc/silent-1.0", How::Dropped(None), String::new()),
            ("app-misc/post-1.0", How::Postinst, "/log/post".to_owned()),
        ]
    );
    let die = evidence.failed[0].die.as_ref().expect("elog repeats the last words");
    assert_eq!((die.phase.as_deref(), die.message.as_str()), (Some("compile"), "emake failed"));
    assert_eq!(evidence.problems.len(), 1);
    let killed = &evidence.problems[0];
    assert_eq!((killed.kind, killed.subject.as_deref()), (ProblemKind::Killed, Some("9")));
    assert_eq!(killed.package.as_ref().map(ToString::to_string).as_deref(), Some("app-misc/killed-1"));
    assert_eq!(evidence.tail.len(), 57);
    assert!(!evidence.nothing_to_merge);
}

/// Runs of the pocket Gentoo: the transcript, who failed and how, and with which last words.
#[test]
fn real_failures() {
    let dropped = How::Dropped(Some("it requires test-fail/broken".to_owned()));
    let coolant = "compile: the reactor has no coolant: touch /etc/gbsup-test/repaired";
    let shelf = "install: there is no shelf to put it on: touch /etc/gbsup-test/repaired";
    let bell = "postinst: the bell does not ring: touch /etc/gbsup-test/repaired";
    let small = "pretend: this machine is too small: touch /etc/gbsup-test/repaired";
    for (text, want) in [
        (
            &include_bytes!("captured/compile-failure.txt")[..],
            vec![("test-fail/broken-1", How::Build, coolant), ("test-fail/needs-broken-1", dropped, "")],
        ),
        (
            include_bytes!("captured/two-failures.txt"),
            vec![
                ("test-fail/broken-install-1", How::Build, shelf),
                ("test-fail/broken-1", How::Build, coolant),
            ],
        ),
        (
            include_bytes!("captured/install-failure.txt"),
            vec![("test-fail/broken-install-1", How::Build, shelf)],
        ),
        (
            include_bytes!("captured/postinst-failure.txt"),
            vec![("test-fail/broken-postinst-1", How::Postinst, bell)],
        ),
        (
            include_bytes!("captured/pretend-failure.txt"),
            vec![("test-fail/broken-pretend-1", How::Build, small)],
        ),
        (include_bytes!("captured/fetch-failure.txt"), vec![("test-fail/nofetch-1", How::Build, "")]),
        (include_bytes!("captured/digest-failure.txt"), vec![("test-fail/baddigest-1", How::Build, "")]),
        (include_bytes!("captured/good.txt"), vec![]),
        (include_bytes!("captured/rebuild-subslot.txt"), vec![]),
    ] {
        let (said, evidence) = scan(text);
        let got: Vec<_> = evidence
            .failed
            .iter()
            .map(|f| {
                let words =
                    f.die.as_ref().map(|d| format!("{}: {}", d.phase.as_deref().unwrap_or("?"), d.message));
                (f.package.as_str(), f.how.clone(), words.unwrap_or_default())
            })
            .collect();
        let want: Vec<_> =
            want.into_iter().map(|(package, how, words)| (package, how, words.to_owned())).collect();
        assert_eq!(got, want);
        assert!(evidence.problems.is_empty(), "{:?}", evidence.problems);
        for failed in &evidence.failed {
            if matches!(failed.how, How::Dropped(_)) {
                assert_eq!(failed.log, None);
                continue;
            }
            let name = failed.package.as_str().replace('/', ":");
            let log = failed.log.as_ref().and_then(|p| p.to_str()).expect("a log");
            assert!(log.starts_with(&format!("/var/lib/gbsup/log/{name}:")), "{log}");
            assert!(said.contains(&format!("failed {} ", failed.package)), "{said}");
            assert!(said.contains(log), "{said}");
        }
    }
}

/// Every package that was begun is said to be complete, in order of its number.
#[test]
fn a_real_run_without_failure() {
    let (said, evidence) = scan(include_bytes!("captured/good.txt"));
    let total = said.lines().find_map(|line| line.strip_prefix("planned ")).expect("a plan");
    for verb in ["emerging", "installing", "completed"] {
        let lines = said.lines().filter(|line| line.starts_with(&format!("{verb} ")));
        assert_eq!(lines.count().to_string(), total, "{verb}");
    }
    assert!(said.lines().last().is_some_and(|line| line == format!("jobs {total}/{total} 0 0 0")), "{said}");
    assert!(evidence.main_problem().is_none());
    let (said, evidence) = scan(include_bytes!("captured/nothing-to-do.txt"));
    assert_eq!((said.as_str(), evidence.nothing_to_merge), ("planned 0\n", true));
}

/// What will be merged, as Portage lists it before each pass.
#[test]
fn real_merge_lists() {
    let lists = |text: &[u8]| -> Vec<(u32, Vec<String>)> {
        let mut scanner = Scanner::new();
        let said = text.split(|&b| b == b'\n').filter_map(|line| scanner.line(line));
        let kind = |binary| if binary { "binary " } else { "" };
        said.filter_map(|progress| match progress {
            Progress::Planned { total, list } => {
                let list = list.iter().map(|listed| format!("{}{}", kind(listed.binary), listed.package));
                Some((total, list.collect()))
            }
            _ => None,
        })
        .collect()
    };
    let [(total, list)] = &lists(include_bytes!("captured/good.txt"))[..] else { panic!("one list") };
    assert_eq!((list.len().to_string(), list[0].as_str()), (total.to_string(), "sys-libs/zlib-1.2.13"));
    let [first, second] = &lists(include_bytes!("captured/compile-failure.txt"))[..] else { panic!("two") };
    assert!(first.0 > second.0 && first.1.len() > second.1.len(), "{first:?} {second:?}");
    let [rebuilt] = &lists(include_bytes!("captured/rebuild-subslot.txt"))[..] else { panic!("one") };
    let all = ["test-quick/t1-2", "test-quick/t2-1", "binary media-libs/freetype-2.12.1"];
    assert_eq!(*rebuilt, (3, all.map(str::to_owned).to_vec()));
}

#[test]
fn a_real_phase_that_went_away() {
    let (_, evidence) = scan(include_bytes!("captured/exited-unexpectedly.txt"));
    assert_eq!(evidence.failed.len(), 1);
    let [problem] = &evidence.problems[..] else { panic!("one problem: {:?}", evidence.problems) };
    assert_eq!((problem.kind, problem.subject.as_deref()), (ProblemKind::UnexpectedExit, Some("compile")));
    assert_eq!(problem.lines.last().map(String::as_str), Some(" * functioning properly."));
}

#[test]
fn a_real_collision() {
    let (_, evidence) = scan(include_bytes!("captured/collision.txt"));
    let [failed] = &evidence.failed[..] else { panic!("one failure: {:?}", evidence.failed) };
    assert_eq!((failed.package.as_str(), &failed.how), ("test-fail/collide-1", &How::Install));
    let [problem] = &evidence.problems[..] else { panic!("one problem: {:?}", evidence.problems) };
    assert_eq!(problem.kind, ProblemKind::Collision);
    assert_eq!(problem.subject.as_deref(), Some("/usr/share/gbsup-test/t1"));
    assert_eq!(problem.package.as_ref(), Some(&failed.package));
    assert!(problem.lines.iter().any(|line| line.contains("test-quick/t1-1:0::pocket")), "{problem:?}");
}

#[test]
fn real_words_of_emerge() {
    for (text, kind, subject, lines) in [
        (&include_bytes!("captured/masked-package.txt")[..], ProblemKind::Masked, "test-mask/masked", 10),
        (include_bytes!("captured/masked-keyword.txt"), ProblemKind::Masked, "test-mask/unstable", 6),
        (include_bytes!("captured/missing-dependency.txt"), ProblemKind::Missing, "test-none/gone", 3),
        (include_bytes!("captured/no-such-package.txt"), ProblemKind::Missing, "test-none/gone", 3),
        (include_bytes!("captured/circular.txt"), ProblemKind::Circular, "", 11),
        (include_bytes!("captured/use-change.txt"), ProblemKind::UseChange, "test-fail/flagged[colour]", 5),
        (include_bytes!("captured/required-use.txt"), ProblemKind::RequiredUse, "test-fail/torn", 5),
        (include_bytes!("captured/slot-conflict.txt"), ProblemKind::SlotConflict, "test-fail/slotlib:0", 20),
        (include_bytes!("captured/blocker.txt"), ProblemKind::Blocker, "", 9),
        (include_bytes!("captured/world-atom-gone.txt"), ProblemKind::WorldAtomGone, "test-none/gone", 7),
        (include_bytes!("captured/invalid-profile.txt"), ProblemKind::Profile, "", 4),
        (include_bytes!("captured/interrupted.txt"), ProblemKind::Interrupted, "15", 1),
        (
            include_bytes!("captured/bad-option.txt"),
            ProblemKind::Config,
            "unrecognized arguments: --frobnicate",
            1,
        ),
    ] {
        let (_, evidence) = scan(text);
        let [problem] = &evidence.problems[..] else { panic!("one problem: {:?}", evidence.problems) };
        assert_eq!(
            (problem.kind, problem.subject.as_deref()),
            (kind, Some(subject).filter(|s| !s.is_empty()))
        );
        assert_eq!(problem.lines.len(), lines, "{:?}", problem.lines);
        assert!(evidence.failed.is_empty());
    }
}

#[test]
fn a_failure_whose_log_does_not_follow_loses_nothing() {
    let (said, _) = scan(
        b">>> Failed to emerge a/b-1, Log file:\n>>> Emerging (2 of 2) a/c-1::x\n\n>>> Failed to emerge a/c-1, Log file:\n\n>>>  '/log/c'\n",
    );
    assert_eq!(said, "failed a/b-1 Build -\nemerging 2/2 a/c-1\nfailed a/c-1 Build /log/c\n");
}

#[test]
fn blockers_keep_their_lines_of_the_list() {
    let (_, evidence) = scan(
        b"[ebuild  N     ] a/b-1::x\n[blocks B      ] a/c (\"a/c\" is soft blocking a/b-1)\n\n * Error: The above package list contains packages which cannot be\n * installed at the same time on the same system.\n\n  (a/b-1:0/0::x, ebuild scheduled for merge) pulled in by\n    a/b\n",
    );
    let problem = evidence.main_problem().expect("a problem");
    assert_eq!(problem.kind, ProblemKind::Blocker);
    assert!(problem.lines[0].starts_with("[blocks B"), "{:?}", problem.lines);
    assert!(problem.lines.iter().any(|line| line.trim() == "a/b"));
}

#[test]
fn the_world_file_is_one_problem_and_not_fatal() {
    let (_, evidence) = scan(
        b"\n!!! Problems have been detected with your world file\n!!! Please run emaint --check world\n\n\n!!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\napp-misc/gone app-misc/away\n\nNothing to merge; quitting.\n\n",
    );
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].subject.as_deref(), Some("app-misc/gone app-misc/away"));
    assert!(evidence.main_problem().is_none() && evidence.nothing_to_merge);
}

#[test]
fn damaged_output_is_survived() {
    let (said, evidence) = scan(
        b">>> Emerging (1 of \xff) a/b-1\n>>> Emerging (1 of 2\n>>> Emerging (x of 2) a/b-1::x\n>>> Jobs: \n>>> \n>>>\n * ERROR: \n *  (\n *  (a/b\nTotal: \n\0\0\0\n>>> Completed (1 of 1) a/b-1::x to /root/\n",
    );
    assert_eq!(said, "completed 1/1 a/b-1\n");
    assert!(evidence.failed.is_empty() && evidence.problems.is_empty());
}
