//! Every class of failure, from what the real Portage printed (`tests/captured`): the class, the sentence,
//! the log, and what to type.

mod captured;
mod machine;
mod sentences;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use gbsup::decide::classify;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::job::{Job, Package};
use gbsup::model::machine::{Machine, Purpose};
use gbsup::model::{Exit, JobId, Ran, Report, Work};
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::output::buildlog::{self, BuildLog};
use gbsup::portage::output::scanner::{Evidence, Scanner};

use jiff::Timestamp;
use machine::{tmpfs, with_places};

const STEP_LOG: &str = "/var/lib/gbsup/steps/1/build.log";

fn captured(name: &str) -> Option<Vec<u8>> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured").join(name)).ok()
}

fn scan(text: &[u8]) -> Evidence {
    let mut scanner = Scanner::new();
    for line in text.split(|byte| *byte == b'\n') {
        scanner.line(line);
    }
    scanner.finish()
}

/// The run of this name, as the supervisor hands it over.
fn ran(name: &str) -> Ran {
    let evidence = scan(&captured(&format!("{name}.txt")).unwrap_or_else(|| panic!("no capture {name}")));
    let codes = String::from_utf8(captured("exit-codes").unwrap()).unwrap();
    // Those that are not in the list failed as all do.
    let code = codes.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or("1");
    let mut logs = BTreeMap::new();
    if let (Some(log), Some(failed)) = (captured(&format!("build-log-{name}.txt")), evidence.failed.first()) {
        logs.insert(failed.package.to_string(), buildlog::examine(&log));
    }
    ended(code.parse().unwrap(), evidence, logs)
}

/// A run that ended so, on a machine that did nothing to it.
fn ended(code: i32, evidence: Evidence, logs: BTreeMap<String, BuildLog>) -> Ran {
    Ran {
        program: "emerge".into(),
        command: "emerge @world".into(),
        log: STEP_LOG.into(),
        exit: Exit::Code(code),
        evidence,
        logs,
        machine: Machine { oom_kills: Some(0), ..Machine::default() },
        moments: BTreeMap::new(),
        single_files: Vec::new(),
        renamed: BTreeMap::new(),
        toolchain: String::new(),
    }
}

fn failures(ran: Ran) -> Vec<Failure> {
    let work = Work::Build { exclude: Vec::new(), merge_again: Vec::new() };
    classify::failures(&Job::new(JobId(1), 1, work), Report::Ran(Box::new(ran)))
}

#[track_caller]
fn only(ran: Ran) -> Failure {
    let failures = failures(ran);
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    failure.clone()
}

/// A defect of Portage: its event loop ends itself by SIGTERM when a callback fails, and the process that resolves
/// dependencies goes away.
#[test]
fn an_exception_is_nobody_who_told_emerge_to_stop() {
    for (name, exit) in [("exception", Exit::Signal(15)), ("exception-resolving", Exit::Code(1))] {
        let failure = only(Ran { exit, ..ran(name) });
        assert_eq!(
            (failure.class, failure.message.as_str()),
            (Class::Unknown, "emerge died of RecursionError: maximum recursion depth exceeded"),
            "{name}"
        );
    }
    let text =
        b"Traceback (most recent call last):\n  File \"x\"\nOSError: [Errno 28] No space left on device: '/x'\n";
    let full = Ran { evidence: scan(text), exit: Exit::Signal(15), ..ran("good") };
    let failure = only(full.clone());
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::DiskFull, "OSError: [Errno 28] No space left on device: '/x'")
    );
    let place = tmpfs(Purpose::Build, "/var/tmp/portage", 0);
    let failure = only(Ran { machine: with_places(&[place]), ..full });
    assert!(failure.message.starts_with("no space is left on /var/tmp/portage, the build"), "{failure:#?}");
    // Who is told to stop may die of that.
    let text = b"Exiting on signal 15\nTraceback (most recent call last):\n  File \"x\"\nValueError: no\n";
    let failure = only(Ran { evidence: scan(text), exit: Exit::Code(143), ..ran("good") });
    assert_eq!(failure.class, Class::Interrupted);
}

/// One of them may be why emerge went away.
#[test]
fn what_was_in_work_when_emerge_went_away_is_named() {
    let mut job = Job::new(JobId(1), 1, Work::Build { exclude: Vec::new(), merge_again: Vec::new() });
    for (name, phase) in [("a/b-1", Some("compile")), ("c/d-2", None), ("e/f-3", None), ("g/h-4", None)] {
        let package = Package {
            cpv: Cpv::parse(name.as_bytes()).expect("a version"),
            since: Duration::ZERO,
            started: Timestamp::UNIX_EPOCH,
            binary: false,
            merging: false,
            phase: phase.map(str::to_owned),
        };
        job.packages.insert(name.to_owned(), package);
    }
    job.failed.insert("x/y-1".to_owned(), None);
    let ran = Ran { exit: Exit::Signal(9), ..ran("good") };
    let failures = classify::failures(&job, Report::Ran(Box::new(ran)));
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    let sentence = "emerge was killed by signal 9; in work was a/b-1 (compile), c/d-2, e/f-3 and 1 more";
    assert_eq!((failure.class, failure.message.as_str()), (Class::Killed, sentence));
    assert_eq!(failure.evidence.last().map(String::as_str), Some("failed before that: x/y-1"));
}

/// An ebuild of this name that died so, with these lines before.
fn died(phase: &str, words: &str, before: &str) -> Ran {
    let text = format!(
        ">>> Failed to emerge app-misc/live-9999, Log file:\n>>>  '/v/log/live.log'\n{}",
        ">>> Jobs: 0 of 2 complete, 1 failed\nsomething about another package\n"
    );
    let log = format!("{before} * ERROR: app-misc/live-9999::x failed ({phase} phase):\n *   {words}\n");
    let logs = BTreeMap::from([("app-misc/live-9999".to_owned(), buildlog::examine(log.as_bytes()))]);
    Ran { evidence: scan(text.as_bytes()), logs, exit: Exit::Code(1), ..ran("good") }
}

#[test]
fn the_network_is_of_the_machine_where_an_ebuild_may_use_it() {
    let git = "fatal: unable to access 'https://git.example/x.git/': Could not resolve host: git.example\n";
    let failure = only(died("unpack", "Unable to fetch from any of EGIT_REPO_URI", git));
    assert_eq!(
        (failure.class, failure.phase.as_deref(), failure.may_pass),
        (Class::Fetch, Some("unpack"), true)
    );
    assert!(failure.message.contains("Could not resolve host: git.example"), "{}", failure.message);
    assert!(!gbsup::model::known::is_remembered(&failure));

    // In a phase that builds only of an ebuild that is given the network.
    let cargo = "error: failed to download\n\nCaused by:\n  [7] Could not connect to server (Failed to connect to index.example)\n";
    let mut ran = died("compile", "cargo build failed", cargo);
    assert_eq!(only(ran.clone()).class, Class::Compile);
    ran.logs.get_mut("app-misc/live-9999").expect("it is there").may_fetch = true;
    assert_eq!(only(ran).class, Class::Fetch);

    // A compile that fails stays a compile that fails.
    let test = "test: curl: (7) Connection refused ... ok\nmain.c:3:1: error: no\nmake: *** [Makefile:1: all] Error 1\n";
    let mut ran = died("compile", "emake failed", test);
    ran.logs.get_mut("app-misc/live-9999").expect("it is there").may_fetch = true;
    let failure = only(ran);
    assert_eq!((failure.class, gbsup::model::known::is_remembered(&failure)), (Class::Compile, true));
}

/// The last lines before say what the ebuild does not.
#[test]
fn a_death_without_words() {
    let before =
        "checking for frob... no\nfrobnicate: the frob is not there\nmake: *** [Makefile:2: all] Error 1\n";
    let failure = only(died("configure", "(no error message)", before));
    assert_eq!(
        failure.headline(),
        "app-misc/live-9999 failed in configure: frobnicate: the frob is not there"
    );
    let failure = only(died("configure", "(no error message)", ""));
    assert_eq!(failure.message, "it died without a word");
    // What emerge printed about others is no evidence.
    assert_eq!(failure.evidence, [">>> Failed to emerge app-misc/live-9999, Log file:"]);
}

/// A list of USE flags can be longer than all the rest.
#[test]
fn a_headline_has_no_list_of_flags() {
    let flags = "abi_x86_32(-)?,abi_x86_64(-)?,context,icu,nls,python,static-libs,threads,tools,zlib,zstd";
    for (text, headline) in [
        (
            format!("emerge: there are no ebuilds to satisfy \">=dev-libs/boost-1.80:0/1=[{flags}]\"."),
            ">=dev-libs/boost-1.80:0/1=: nothing in the repositories satisfies it",
        ),
        (
            format!(
                "emerge: there are no ebuilds built with USE flags to satisfy \"dev-libs/boost:0[{flags}]\"."
            ),
            "dev-libs/boost:0: not there with the USE flags that are wanted",
        ),
    ] {
        let failure = only(Ran { evidence: scan(text.as_bytes()), exit: Exit::Code(1), ..ran("good") });
        assert_eq!(failure.headline(), headline);
        assert!(
            failure.evidence[0].contains(flags) && failure.suggestions[0].contains(flags),
            "{failure:#?}"
        );
    }
}

#[test]
fn a_wait_for_a_lock_that_somebody_ended() {
    let mut failures = failures(ran("interrupted"));
    classify::while_locked(&mut failures, "it waits for a lock that emerge t1 (pid 7) holds");
    assert_eq!(failures[0].class, Class::PortageLocked);
    assert!(failures[0].message.ends_with("while it waited for another Portage"), "{}", failures[0].message);
    let mut compile = vec![only(ran("compile-failure-alone"))];
    classify::while_locked(&mut compile, "it waits");
    assert_eq!(compile[0].class, Class::Compile);
}

/// A setting that is one file gets its line at the end of it.
#[test]
fn settings_that_are_one_file() {
    let failure = only(Ran { single_files: vec!["package.use".into()], ..ran("use-change") });
    assert_eq!(failure.suggestions, ["echo 'test-fail/flagged colour' >> /etc/portage/package.use"]);
}

/// What is not recognised says so, with the last lines.
#[test]
fn nothing_is_guessed() {
    let evidence = scan(b"something went wrong\nand nobody said what\n\n");
    let failure = only(Ran { evidence, exit: Exit::Code(137), ..ran("good") });
    assert_eq!(failure.class, Class::Unknown);
    assert_eq!(failure.evidence, ["something went wrong", "and nobody said what"]);
    assert_eq!((failure.log.as_deref(), failure.suggestions.len()), (Some(STEP_LOG), 1));
}

/// What Portage 3.0.83 said over a repository without `profiles/categories`.
#[test]
fn a_category_that_nobody_lists_is_told() {
    let text = b"\n!!! 'test-none/a' has a category that is not listed in /etc/portage/categories\n\
        !!! Problems have been detected with your world file\n!!! Please run emaint --check world\n\n\
        !!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\ntest-none/a test-none/gone\n\n";
    let report = Report::Ran(Box::new(Ran { evidence: scan(text), ..ran("good") }));
    let told = classify::passed_over(&report, false);
    let unlisted = "not built, because its category is listed neither in profiles/categories of a repository nor in \
                    /etc/portage/categories: test-none/a (see";
    assert!(
        told.len() == 2 && told[0].starts_with(unlisted) && told[1].contains("the tree: test-none/gone (see"),
        "{told:#?}"
    );
    let text = b"\n!!! 'test-none/a' has a category that is not listed in /etc/portage/categories\n\n\
        emerge: there are no ebuilds to satisfy \">=test-none/a-1:0\".\n\
        (dependency required by \"test-quick/x-1::pocket\" [ebuild])\n";
    let failure = only(Ran { evidence: scan(text), ..ran("no-such-package") });
    assert!(failure.message.starts_with("its category is listed neither"), "{failure:#?}");
}

/// Portage does not say it: a world that comes to a new root keeps the names of before.
#[test]
fn what_a_repository_has_renamed_is_told() {
    let text = b"\n!!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\ntest-none/a test-none/a-b\n\n";
    let renamed = BTreeMap::from([("test-none/a".to_owned(), "test-quick/t1".to_owned())]);
    let report = Report::Ran(Box::new(Ran { evidence: scan(text), renamed: renamed.clone(), ..ran("good") }));
    let told = classify::passed_over(&report, false);
    let new = "not built, because the repository has renamed it to test-quick/t1 (change /var/lib/portage/world, or the set): \
               test-none/a (see";
    assert!(
        told.len() == 2 && told[0].starts_with(new) && told[1].contains("the tree: test-none/a-b (see"),
        "{told:#?}"
    );
    let text = b"\nemerge: there are no ebuilds to satisfy \">=test-none/a-1:0\".\n\
        (dependency required by \"test-quick/x-1::pocket\" [ebuild])\n";
    let failure = only(Ran { evidence: scan(text), renamed, ..ran("no-such-package") });
    assert!(failure.message.starts_with("the repository has renamed it to test-quick/t1"), "{failure:#?}");
}

/// What Portage 3.0.83 said of an ebuild that inherits an eclass that is nowhere, and nothing of why it is passed over.
#[test]
fn an_ebuild_that_cannot_be_read_is_told() {
    let text = b"Calculating dependencies ...\nMessages for package test-quick/ec-1::pocket:\n\
        \x20* ERROR: test-quick/ec-1::pocket failed (depend phase):\n *   nope.eclass could not be found by inherit()\n * \n\
        \x20* Call stack:\n *     ebuild.sh, line 282:  Called die\n done!\n\n\
        !!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\ntest-quick/ec\n\n";
    let report = Report::Ran(Box::new(Ran { evidence: scan(text), ..ran("good") }));
    assert_eq!(
        classify::passed_over(&report, false),
        [
            "not built, because its ebuild cannot be read (nope.eclass could not be found by inherit()): test-quick/ec \
          (see: emerge --pretend --verbose test-quick/ec)"
        ]
    );
}

/// What Portage 3.0.83 said of an ebuild that its Manifest does not have; there is no log of the package.
#[test]
fn an_ebuild_that_is_not_in_its_manifest_is_named() {
    let text = b">>> Verifying ebuild manifests\n\
        !!! A file is not listed in the Manifest: '/var/db/repos/pocket/test-quick/t4/t4-1.ebuild'\n\
        >>> Emerging (1 of 2) test-quick/t4-1::pocket\n\
        !!! A file is not listed in the Manifest: '/var/db/repos/pocket/test-quick/t4/t4-1.ebuild'\n\
        >>> Failed to emerge test-quick/t4-1\n>>> Emerging (2 of 2) test-quick/t5-1::pocket\n\
        >>> Failed to emerge test-quick/t5-1\n";
    let failures = failures(Ran { evidence: scan(text), ..ran("no-such-package") });
    let classes: Vec<_> = failures.iter().map(|failure| failure.class).collect();
    assert_eq!(classes, [Class::Verify, Class::Unknown], "{failures:#?}");
    assert!(failures[0].message.starts_with("A file is not listed in the Manifest: '/var"), "{failures:#?}");
    assert!(
        failures[0].suggestions[1].ends_with("t4-1.ebuild manifest  # if you wrote it yourself"),
        "{failures:#?}"
    );
}

/// What Portage 3.0.83 said where /etc/portage/bashrc dies or exits.
#[test]
fn what_ran_before_the_ebuild_is_named() {
    let text = b">>> Emerging (1 of 1) test-quick/t4-1::pocket\n>>> Failed to emerge test-quick/t4-1\n\n\
        \x20* Messages for package test-quick/t4-1:\n\n";
    for (single_files, words) in
        [(vec!["bashrc".to_owned()], "/etc/portage/bashrc"), (Vec::new(), "without a word of the ebuild")]
    {
        let failure = only(Ran { evidence: scan(text), single_files, ..ran("no-such-package") });
        assert!(failure.class == Class::Unknown && failure.message.contains(words), "{failure:#?}");
    }
}

/// Portage names a log that it has deleted; the one that is there is named instead. Its words are evidence where the log says nothing.
#[test]
fn the_evidence_names_a_log_that_is_there() {
    let failure = only(Ran { logs: BTreeMap::new(), ..ran("pretend-failure-jobs") });
    let named: Vec<_> =
        failure.evidence.iter().filter(|line| line.contains("The complete build log")).collect();
    let log = failure.log.as_deref().unwrap();
    assert!(named.iter().all(|line| line.ends_with(&format!("is located at '{log}'."))), "{failure:#?}");
    assert!(!named.is_empty() && log.starts_with("/var/lib/gbsup/log/"), "{failure:#?}");
}

/// A version of nines is no version: whoever lets it in should know.
#[test]
fn a_live_ebuild_is_called_live() {
    let text = b"\n!!! All ebuilds that could satisfy \"app-misc/x\" have been masked.\n\
        !!! One of the following masked packages is required to complete your request:\n\
        - app-misc/x-9999::pocket (masked by: missing keyword)\n\n\
        (dependency required by \"app-misc/y-1::pocket\" [ebuild])\n";
    let failure = only(Ran { evidence: scan(text), ..ran("no-such-package") });
    let words = "; app-misc/x-9999 is live: it is built from whatever its authors committed last, and never the same twice";
    assert!(failure.message.ends_with(words), "{failure:#?}");
    assert!(failure.suggestions[0].contains("=app-misc/x-9999 **"), "{failure:#?}");
}

/// An exception of the system names what has to be looked at.
#[test]
fn a_file_that_portage_cannot_read_is_looked_at() {
    let text = b"Traceback (most recent call last):\n  File \"/x.py\", line 48, in y\n\
        IsADirectoryError: [Errno 21] Is a directory: '/var/lib/portage/world'\n";
    let failure = only(Ran { evidence: scan(text), ..ran("no-such-package") });
    assert_eq!(failure.suggestions[0], "ls -ld /var/lib/portage/world");
}

/// Gone without failing: a warning, not a failure.
#[test]
fn a_world_atom_that_is_gone_is_told() {
    let report = Report::Ran(Box::new(ran("world-atom-gone")));
    for (left_out, or) in [(false, ""), (true, ", or needs what is left out")] {
        assert_eq!(
            classify::passed_over(&report, left_out),
            [format!(
                "not built, because it is masked or gone from the tree{or}: test-none/gone (see: emerge --pretend --verbose test-none/gone)"
            )]
        );
    }
}
