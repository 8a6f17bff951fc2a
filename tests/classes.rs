//! Every class of failure, from what the real Portage printed (`tests/captured`): the class, the sentence,
//! the log, and what to type.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gbsup::core::classify;
use gbsup::core::failure::{Class, Failure};
use gbsup::core::job::Job;
use gbsup::core::{Exit, JobId, Ran, Report, Work};
use gbsup::portage::buildlog;
use gbsup::portage::output::{Evidence, Scanner};

const STEP_LOG: &str = "/var/lib/gbsup/log/cycle/1/build.log";

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
    Ran {
        program: "emerge".into(),
        command: "emerge @world".into(),
        log: STEP_LOG.into(),
        exit: Exit::Code(code.parse().unwrap()),
        evidence,
        logs,
        full: None,
        oom_kills: Some(0),
        single_files: Vec::new(),
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

/// A run of the pocket Gentoo, and what is told of it: the class, the headline, a line of the evidence, what
/// to type.
type Case = (&'static str, Class, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const RESOLVER: &[Case] = &[
    (
        "masked-keyword", Class::Masked,
        "test-mask/unstable: masked by the keyword ~amd64; test-mask/needs-unstable-1 needs it",
        "- test-mask/unstable-1::pocket (masked by: ~amd64 keyword)",
        &["mkdir -p /etc/portage/package.accept_keywords && echo '=test-mask/unstable-1 ~amd64' >> /etc/portage/package.accept_keywords/unstable"],
    ),
    (
        "masked-license", Class::Masked,
        "test-mask/licensed: masked by the licence pocket-EULA; test-mask/needs-licensed-1 needs it",
        "A copy of the 'pocket-EULA' license is located at '/var/db/repos/pocket/licenses/pocket-EULA'.",
        &["mkdir -p /etc/portage/package.license && echo '=test-mask/licensed-1 pocket-EULA' >> /etc/portage/package.license/licensed"],
    ),
    (
        "masked-package", Class::Masked,
        "test-mask/masked: masked by package.mask; test-mask/needs-masked-1 needs it",
        "# Masked for the tests: it eats the cat.",
        &["mkdir -p /etc/portage/package.unmask && echo '=test-mask/masked-1' >> /etc/portage/package.unmask/masked"],
    ),
    (
        "missing-dependency", Class::MissingPackage,
        "test-none/gone: nothing in the repositories satisfies it; test-fail/missing-dep-1 needs it",
        "(dependency required by \"test-fail/missing-dep-1::pocket\" [ebuild])",
        &["gbsup resume --skip test-fail/missing-dep"],
    ),
    (
        "use-change", Class::UseChange,
        "test-fail/flagged[colour]: not there with these USE flags; test-fail/wants-flag-1 needs it",
        "- test-fail/flagged-1::pocket (Change USE: +colour)",
        &["mkdir -p /etc/portage/package.use && echo 'test-fail/flagged colour' >> /etc/portage/package.use/flagged"],
    ),
    (
        "required-use", Class::RequiredUse,
        "test-fail/torn: its USE flags do not meet exactly-one-of ( left right )",
        "- test-fail/torn-1::pocket USE=\"-left -right\"",
        &["mkdir -p /etc/portage/package.use && echo 'test-fail/torn left' >> /etc/portage/package.use/torn"],
    ),
    (
        "circular", Class::Circular,
        "packages need each other to be built: test-fail/egg-1 needs test-fail/hen-1 needs test-fail/egg-1",
        "- test-fail/hen-1 (Change USE: -egg)",
        &["USE='-egg' emerge --oneshot --buildpkg-exclude=test-fail/hen =test-fail/hen-1"],
    ),
    (
        "slot-conflict", Class::SlotConflict,
        "different versions of test-fail/slotlib:0 are wanted by test-fail/wants-slotlib-two-1 and test-fail/wants-slotlib-one-1",
        "!!! into the dependency graph, resulting in a slot conflict:",
        &["gbsup resume --skip test-fail/wants-slotlib-two", "gbsup resume --skip test-fail/wants-slotlib-one"],
    ),
    (
        "blocker", Class::Blocker,
        "these cannot be installed together: test-fail/blocked-1 and test-fail/blocker-1",
        "[blocks B      ] test-fail/blocked (\"test-fail/blocked\" is hard blocking test-fail/blocker-1)",
        &["gbsup resume --skip test-fail/blocked", "gbsup resume --skip test-fail/blocker"],
    ),
    (
        "invalid-profile", Class::ProfileInvalid,
        "Your current profile is invalid. If you have just changed your profile",
        "!!! configuration, you should revert back to the previous configuration.",
        &["ls -l /etc/portage/make.profile", "eselect profile list"],
    ),
    (
        "bad-option", Class::Config,
        "error: unrecognized arguments: --frobnicate",
        "emerge: error: unrecognized arguments: --frobnicate",
        &["emerge --info"],
    ),
    (
        "interrupted", Class::Interrupted,
        "emerge was told to stop by somebody else (signal 15)",
        "Exiting on signal 15",
        &[],
    ),
];

#[rustfmt::skip]
const PACKAGES: &[Case] = &[
    (
        "fetch-failure", Class::Fetch,
        "test-fail/nofetch-1 failed in fetch: nofetch-1.tar.gz could not be downloaded (Connection refused)",
        "!!! Couldn't download 'nofetch-1.tar.gz'. Aborting.",
        &["emerge --fetchonly =test-fail/nofetch-1", "wget -P \"$(portageq distdir)\" http://127.0.0.1:9/nofetch-1.tar.gz"],
    ),
    (
        "fetch-not-found", Class::Fetch,
        "test-fail/notfound-1 failed in fetch: notfound-1.tar.gz could not be downloaded (ERROR 404: File not found)",
        "!!! Couldn't download 'notfound-1.tar.gz'. Aborting.",
        &["emerge --fetchonly =test-fail/notfound-1", "wget -P \"$(portageq distdir)\" http://127.0.0.1:8765/notfound-1.tar.gz"],
    ),
    (
        "digest-failure", Class::Verify,
        "test-fail/baddigest-1 failed in fetch: baddigest-1.tar.gz is not what the Manifest says",
        "!!! Reason: Filesize does not match recorded size",
        &["emerge --fetchonly =test-fail/baddigest-1", "gbsup sync"],
    ),
    (
        "compile-failure-alone", Class::Compile,
        "test-fail/broken-1 failed in compile: the reactor has no coolant: touch /etc/gbsup-test/repaired",
        "reactor.c:42:7: error: 'coolant' undeclared (first use in this function)",
        &["emerge --oneshot =test-fail/broken-1"],
    ),
    (
        "exited-unexpectedly", Class::Compile,
        "test-txt/exits-1 failed in compile: its build ended without a word: the ebuild called exit, or bash could not go on",
        " * The ebuild phase 'compile' has exited unexpectedly. This type of",
        &["emerge --oneshot =test-txt/exits-1"],
    ),
    (
        "test-failure", Class::Test,
        "test-fail/tested-1 failed in test: 1 of 7 tests failed: touch /etc/gbsup-test/repaired",
        "FAIL: the needle is in the red",
        &[
            "emerge --oneshot =test-fail/tested-1",
            "mkdir -p /etc/portage/env && echo 'FEATURES=\"-test\"' > /etc/portage/env/no-test && mkdir -p /etc/portage/package.env && echo 'test-fail/tested no-test' >> /etc/portage/package.env/tested",
        ],
    ),
    (
        "collision", Class::Collision,
        "test-fail/collide-1: /usr/share/gbsup-test/t1 belongs to test-quick/t1-1",
        " * test-quick/t1-1:0::pocket",
        &["portageq owners / /usr/share/gbsup-test/t1", "gbsup resume --skip test-fail/collide"],
    ),
    (
        "killed", Class::Killed,
        "test-fail/killed-1 failed in compile: it was killed by signal 9, and not for lack of memory",
        " * The ebuild phase 'compile' has been killed by signal 9.",
        &["emerge --oneshot =test-fail/killed-1"],
    ),
    (
        "disk-full", Class::DiskFull,
        "test-fail/hungry-1 failed in compile: no space was left where it was built",
        "head: error writing 'standard output': No space left on device",
        &["df -h", "emerge --oneshot =test-fail/hungry-1"],
    ),
    (
        "binpkg-corrupt", Class::BinpkgCorrupt,
        "test-quick/t1-1: the binary package /var/lib/gbsup/binpkgs/test-quick/t1/t1-1-1.gpkg.tar is damaged",
        "!!! Reason: Failed on SHA1 verification",
        &[
            "emerge --oneshot --usepkg=n =test-quick/t1-1",
            "rm -f /var/lib/gbsup/binpkgs/test-quick/t1/t1-1-1.gpkg.tar._checksum_failure_.*",
        ],
    ),
];

#[track_caller]
fn check(failure: &Failure, (name, class, headline, evidence, suggestions): &Case) {
    assert_eq!((failure.class, failure.headline().as_str()), (*class, *headline), "{name}: {failure:#?}");
    assert!(failure.evidence.iter().any(|line| line == evidence), "{name}: {failure:#?}");
    assert_eq!(failure.suggestions, *suggestions, "{name}");
}

#[test]
fn what_stops_the_whole_run() {
    for case in RESOLVER {
        let failure = only(ran(case.0));
        check(&failure, case);
        assert_eq!((failure.log.as_deref(), failure.phase.as_deref()), (Some(STEP_LOG), None));
    }
}

#[test]
fn what_stops_a_package() {
    for case in PACKAGES {
        let failure = only(ran(case.0));
        check(&failure, case);
        let log = failure.log.as_deref().unwrap_or_default();
        let name = failure.package.as_deref().unwrap_or_default().replace('/', ":");
        let kept = log.starts_with(&format!("/var/lib/gbsup/log/{name}:"));
        assert!(kept || log.ends_with("/temp/build.log"), "{}: {log}", case.0);
    }
}

/// The same words mean a lack of memory only when the kernel says that it killed for it.
#[test]
fn memory_ran_out_when_the_kernel_says_so() {
    let short = Ran { oom_kills: Some(3), ..ran("out-of-memory") };
    let failure = only(short);
    assert_eq!(failure.class, Class::OutOfMemory);
    assert_eq!(failure.headline(), "test-fail/oom-1 ran out of memory");
    assert_eq!(failure.phase.as_deref(), Some("compile"));
    for line in [
        "make: *** [Makefile:2: 1] Error 137",
        "killed by the kernel for lack of memory meanwhile: 3 processes (oom_kill)",
    ] {
        assert!(failure.evidence.iter().any(|evidence| evidence == line), "{failure:#?}");
    }
    assert_eq!(failure.suggestions, ["MAKEOPTS=-j1 emerge --oneshot =test-fail/oom-1"]);

    let failure = only(ran("out-of-memory"));
    assert_eq!((failure.class, failure.message.as_str()), (Class::Compile, "emake failed"));
    let failure = only(Ran { oom_kills: None, ..ran("killed") });
    assert_eq!((failure.class, failure.message.as_str()), (Class::Killed, "it was killed by signal 9"));
    let failure = only(Ran { oom_kills: Some(1), ..ran("killed") });
    assert_eq!(failure.class, Class::OutOfMemory);
    // Whatever else the kernel killed meanwhile, a compiler that found an error is not a lack of memory.
    let failure = only(Ran { oom_kills: Some(1), ..ran("compile-failure-alone") });
    assert_eq!(failure.class, Class::Compile);
    let failure = only(Ran {
        oom_kills: Some(1),
        exit: Exit::Signal(9),
        evidence: Evidence::default(),
        ..ran("killed")
    });
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::OutOfMemory, "emerge was killed because memory ran out")
    );
}

#[test]
fn a_full_file_system_is_named() {
    let failure = only(Ran { full: Some("/var/tmp".into()), ..ran("disk-full") });
    assert_eq!((failure.class, failure.message.as_str()), (Class::DiskFull, "no space is left on /var/tmp"));
    assert_eq!(failure.suggestions[0], "df -h /var/tmp");
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
