//! Whole runs of emerge through the scanner.

use std::fmt::Write as _;

use gbsup::portage::output::{Evidence, How, Progress, Scanner};
use gbsup::portage::problem::ProblemKind;

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
        Progress::Planned { total } => format!("planned {total}"),
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
