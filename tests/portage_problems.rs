//! Every marker line through the scanner.

use gbsup::portage::output::markers::ProblemKind as K;
use gbsup::portage::output::scanner::Scanner;

/// Marker line as Portage 3.0.83 prints it, what it means, whom it concerns.
#[test]
fn every_marker() {
    for (line, kind, subject) in [
        (" * Error: circular dependencies:", K::Circular, None),
        (" * Error: The above package list contains packages which cannot be", K::Blocker, None),
        (
            "!!! All ebuilds that could satisfy \"app-misc/x\" have been masked.",
            K::Masked,
            Some("app-misc/x"),
        ),
        (
            "!!! All binary packages that could satisfy \"a/b\" for /r/ have been masked.",
            K::Masked,
            Some("a/b"),
        ),
        ("emerge: there are no ebuilds to satisfy \">=a/b-2:0/1=[c]\".", K::Missing, Some(">=a/b-2:0/1=[c]")),
        ("emerge: there are no binary packages to satisfy \"a/b\" for /r/.", K::Missing, Some("a/b")),
        (
            "emerge: there are no ebuilds built with USE flags to satisfy \"a/b[c]\".",
            K::UseChange,
            Some("a/b[c]"),
        ),
        ("!!! The ebuild selected to satisfy \"a/b\" has unmet requirements.", K::RequiredUse, Some("a/b")),
        ("The following USE changes are necessary to proceed:", K::Autounmask, Some("USE")),
        ("!!! The following update has been skipped due to unsatisfied dependencies:", K::Skipped, None),
        ("!!! The following update(s) have been skipped due to unsatisfied dependencies", K::Skipped, None),
        (
            "emerge: There are no sets to satisfy 'wrold'. The following sets exist:",
            K::Missing,
            Some("wrold"),
        ),
        ("!!! 'a/b-' is not a valid package atom.", K::Config, Some("a/b-")),
        (
            "emerge: error: unrecognized arguments: --frobnicate",
            K::Config,
            Some("unrecognized arguments: --frobnicate"),
        ),
        ("!!! Your current profile is invalid. If you have just changed your profile", K::Profile, None),
        ("!!! Read-only file system: /var/cache/binpkgs", K::ReadOnly, Some("/var/cache/binpkgs")),
        ("!!! BINPKG_GPG_SIGNING_KEY is not set", K::Config, None),
        (
            "!!! Dependency calculation in a child process failed: exit status 137",
            K::Resolver,
            Some("exit status 137"),
        ),
        (" * Invalid resume list:", K::Resume, None),
        ("The directory specified in your PORTAGE_TMPDIR variable, '/nope',", K::Tmpdir, Some("/nope")),
        ("Can not execute files in /var/tmp/portage", K::Tmpdir, Some("/var/tmp/portage")),
        (
            "--- /var/tmp has insufficient free space, emerge job parallelism reduced. free: 1 GiB",
            K::LowSpace,
            Some("/var/tmp"),
        ),
        ("!!! Couldn't download 'x-1.tar.gz'. Aborting.", K::Fetch, Some("x-1.tar.gz")),
        (" * Fetch failed for 'app-misc/x-1', Log file:", K::Fetch, Some("app-misc/x-1")),
        ("!!! app-misc/x-1 has fetch restriction turned on.", K::FetchRestricted, Some("app-misc/x-1")),
        ("!!! Fetched file: x-1.tar.gz VERIFY FAILED!", K::Verify, Some("x-1.tar.gz")),
        (
            "!!! Insufficient space to store x-1.tar.gz in /var/cache/distfiles",
            K::DiskFull,
            Some("x-1.tar.gz"),
        ),
        (
            "!!! Invalid binary package: '/p/x-1-1.gpkg.tar', Cannot read tar file",
            K::Binpkg,
            Some("/p/x-1-1.gpkg.tar"),
        ),
        ("!!! Tried to use non-existent binary for 'app-misc/x-1'", K::Binpkg, Some("app-misc/x-1")),
        (" * The ebuild phase 'compile' has been killed by signal 9.", K::Killed, Some("9")),
        (
            " * The ebuild phase 'compile' has exited unexpectedly. This type of",
            K::UnexpectedExit,
            Some("compile"),
        ),
        ("Exiting on signal 15", K::Interrupted, Some("15")),
    ] {
        let mut scanner = Scanner::new();
        assert!(scanner.line(line.as_bytes()).is_none());
        let problems = scanner.finish().problems;
        let [problem] = &problems[..] else { panic!("one problem in {line}") };
        assert_eq!((problem.kind, problem.subject.as_deref()), (kind, subject), "{line}");
        assert_eq!(problem.lines, [line]);
    }
}
