//! The runs that were captured, a line of a table for each.

use gbsup::model::failure::{Class, Failure};

use super::{STEP_LOG, only, ran};

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
        "test-mask/masked: masked by package.mask (Masked for the tests: it eats the cat); test-mask/needs-masked-1 needs it",
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
        "test-fail/flagged: not there with the USE flags that are wanted (colour); test-fail/wants-flag-1 needs it",
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
        "emerge was told to stop, and not by gbsup (signal 15)",
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
        "mirror-down", Class::Fetch,
        "test-fail/notfound-1 failed in fetch: notfound-1.tar.gz could not be downloaded (ERROR 404: File not found)",
        "!!! Couldn't download 'notfound-1.tar.gz'. Aborting.",
        &["emerge --fetchonly =test-fail/notfound-1", "wget -P \"$(portageq distdir)\" http://127.0.0.1:8765/notfound-1.tar.gz"],
    ),
    (
        "pretend-failure-jobs", Class::Compile,
        "test-x/a-1 failed in pretend: the kernel has no FROB",
        "checking the kernel",
        &["emerge --oneshot =test-x/a-1"],
    ),
    // Nothing is full, whatever the log says.
    (
        "disk-full", Class::Compile,
        "test-fail/hungry-1 failed in compile: the big table cannot be written",
        "head: error writing 'standard output': No space left on device",
        &["emerge --oneshot =test-fail/hungry-1"],
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
