//! One sentence for what Portage 3.0.83 and the tools that it runs print in other places than the pocket Gentoo.

use gbsup::model::failure::{Class, Failure};
use gbsup::portage::output::buildlog;

use super::{ended, only, scan};

/// What is told of a run that printed this, when each package that failed has this build log.
fn failure(output: &str, log: &str) -> Failure {
    let evidence = scan(output.as_bytes());
    let logs = evidence.failed.iter().map(|failed| failed.package.to_string());
    let logs = logs.map(|package| (package, buildlog::examine(log.as_bytes()))).collect();
    only(ended(1, evidence, logs))
}

#[test]
fn the_resolver() {
    for (output, class, headline, suggestion) in [
        (
            "Calculating dependencies ... * Manifest not found for '/srv/local/app-misc/x/x-1.ebuild'\n done!\n\n\
             !!! All ebuilds that could satisfy \"app-misc/x\" have been masked.\n\
             !!! One of the following masked packages is required to complete your request:\n\
             - app-misc/x-1::local (masked by: corruption)\n",
            Class::Masked,
            "app-misc/x: masked by corruption (Manifest not found for '/srv/local/app-misc/x/x-1.ebuild')",
            "ebuild /srv/local/app-misc/x/x-1.ebuild manifest  # if you wrote it yourself",
        ),
        (
            " * Missing digest for '/srv/local/app-misc/z/z-3.ebuild'\n\n>>> Verifying ebuild manifests\n\n\
             !!! Digest verification failed:\n!!! /srv/local/app-misc/z/z-2.ebuild\n\
             !!! Reason: Filesize does not match recorded size\n!!! Got: 71\n!!! Expected: 69\n",
            Class::Verify,
            "/srv/local/app-misc/z/z-2.ebuild is not what its Manifest says",
            "gbsup sync",
        ),
        (
            ">>> Verifying ebuild manifests\n\n\
             !!! A file listed in the Manifest could not be found: /srv/local/app-misc/z/z-2.ebuild\n",
            Class::Verify,
            "A file listed in the Manifest could not be found: /srv/local/app-misc/z/z-2.ebuild",
            "gbsup sync",
        ),
        (
            "!!! All ebuilds that could satisfy \"app-misc/new\" have been masked.\n\
             !!! One of the following masked packages is required to complete your request:\n\
             - app-misc/new-2::gentoo (masked by: EAPI 9)\n\n\
             The current version of portage supports EAPI '8'. You must upgrade to a\n\
             newer version of portage before EAPI masked packages can be installed.\n",
            Class::Masked,
            "app-misc/new: masked by EAPI 9",
            "emerge --oneshot --update sys-apps/portage",
        ),
        (
            "!!! All ebuilds that could satisfy \"dev-qt/old:5\" have been masked.\n\
             !!! One of the following masked packages is required to complete your request:\n\
             - dev-qt/old-5.15.16-r1::gentoo (masked by: package.mask, missing keyword)\n\
             /var/db/repos/gentoo/profiles/package.mask:\n# Somebody <somebody@example.org> (2026-10-01)\n\
             # It is dead. Removal on 2026-12-01.\n\n\
             (dependency required by \"media-video/old-1::gentoo[qt5]\" [installed])\n",
            Class::Masked,
            "dev-qt/old:5: masked by package.mask (It is dead. Removal on 2026-12-01) and a missing keyword; \
             media-video/old-1 needs it",
            "mkdir -p /etc/portage/package.unmask && echo '=dev-qt/old-5.15.16-r1' >> /etc/portage/package.unmask/old",
        ),
        (
            "emerge: there are no ebuilds built with USE flags to satisfy \"dev-python/six[python_targets_python3_13(-)]\".\n\
             !!! One of the following packages is required to complete your request:\n\
             - dev-python/six-1.16::gentoo (Missing IUSE: python_targets_python3_13)\n\
             (dependency required by \"dev-python/x-1::gentoo\" [ebuild])\n",
            Class::UseChange,
            "dev-python/six: it has no USE flag python_targets_python3_13; dev-python/x-1 needs it",
            "emerge --pretend --verbose 'dev-python/six[python_targets_python3_13(-)]'",
        ),
    ] {
        let failure = failure(output, "");
        assert_eq!((failure.class, failure.headline().as_str()), (class, headline));
        assert_eq!(failure.suggestions.first().map(String::as_str), Some(suggestion), "{failure:#?}");
    }
}

/// A log of a phase that died with these words, and what is said of it.
#[test]
fn helpers_that_say_only_that_they_failed() {
    for (phase, words, body, sentence) in [
        (
            "compile",
            "emake failed",
            "a.c:3:5: error: expected ';'\nmake: *** [Makefile:2: a.o] Error 1",
            "emake failed: a.c:3:5: error: expected ';'",
        ),
        (
            "configure",
            "(no error message)",
            "../meson.build:5:7: ERROR: Dependency \"x\" not found\n\nA full log can be found at /x",
            "../meson.build:5:7: ERROR: Dependency \"x\" not found",
        ),
        (
            "setup",
            "Incorrect kernel configuration options",
            " *   CONFIG_NFSD: is not set when it should be.\n * Please check to make sure these options are set correctly.",
            "Incorrect kernel configuration options: CONFIG_NFSD: is not set when it should be",
        ),
        (
            "pretend",
            "Build requirements not met!",
            " * There is NOT at least 16 GiB RAM",
            "Build requirements not met: There is NOT at least 16 GiB RAM",
        ),
        // An ebuild that explains itself is not talked over.
        (
            "compile",
            "the table is missing: touch /x",
            "a.c:3:5: error: expected ';'",
            "the table is missing: touch /x",
        ),
    ] {
        let log = format!(
            ">>> Compiling source in /w ...\n{body}\n * ERROR: a/b-1::gentoo failed ({phase} phase):\n *   {words}\n * \n"
        );
        let failure = failure(">>> Failed to emerge a/b-1, Log file:\n>>>  '/l/x.log'\n", &log);
        assert_eq!((failure.class, failure.message.as_str()), (Class::Compile, sentence));
    }
}

/// The second is what Portage 3.0.83 prints where the ebuild has nothing to ask for.
#[test]
fn what_a_person_has_to_download() {
    let place = "Please download b-1.tar.gz from https://example.com/ and place it in /var/cache/distfiles";
    let head = " * Package:    a/b-1:0\n * Repository: x\n * USE:        \n * FEATURES:   preserve-libs\n";
    for (asked, words) in [
        (format!(" * {place}\n"), place),
        (
            format!("{head} * The following files cannot be fetched for b:\n *    b-1.tar.gz\n"),
            "The following files cannot be fetched for b: b-1.tar.gz",
        ),
    ] {
        let log = format!(
            "!!! a/b-1 has fetch restriction turned on.\n\
             !!! This probably means that this ebuild's files must be downloaded\n\
             !!! manually.  See the comments in the ebuild for more information.\n\n\
             {asked} * Fetch failed for 'a/b-1', Log file:\n *  '/l/x.log'\n"
        );
        let failure = failure(">>> Failed to emerge a/b-1, Log file:\n>>>  '/l/x.log'\n", &log);
        assert_eq!(failure.message, format!("a person has to download what it is built from: {words}"));
        assert_eq!((failure.class, failure.may_pass), (Class::Fetch, false));
    }
}

/// What Portage 3.0.83 leaves where it dies of one of `GENTOO_MIRRORS` itself, before any phase.
#[test]
fn what_portage_died_of_before_the_ebuild() {
    let log = "Process Process-6:\nTraceback (most recent call last):\n  \
               File \"/usr/lib/python3/site-packages/_emerge/EbuildFetcher.py\", line 310, in main\n    await task\n  \
               File \"/usr/lib/python3.11/urllib/parse.py\", line 514, in urlsplit\n    \
               raise ValueError(\"Invalid IPv6 URL\")\nValueError: Invalid IPv6 URL\n";
    let failure = failure(">>> Failed to emerge a/b-1, Log file:\n>>>  '/l/x.log'\n", log);
    let sentence = "the build failed without a word of the ebuild; before that: ValueError: Invalid IPv6 URL";
    assert_eq!((failure.class, failure.message.as_str()), (Class::Unknown, sentence));
}

/// What Portage 3.0.83 prints of an ebuild that bash cannot read, and of one whose eclass is not there.
#[test]
fn an_ebuild_that_cannot_be_read() {
    for (before, die, sentence, suggestions) in [
        (
            "Calculating dependencies .../srv/mine/a/b/b-1.2.ebuild: line 8: syntax error near unexpected token `;'\n\
             /srv/mine/a/b/b-1.2.ebuild: line 8: `src_compile() { if ; then'\n",
            "error sourcing ebuild",
            "error sourcing ebuild: /srv/mine/a/b/b-1.2.ebuild, line 8: syntax error near unexpected token `;'",
            vec!["sed -n 8p /srv/mine/a/b/b-1.2.ebuild", "gbsup sync"],
        ),
        (
            "Calculating dependencies ...\n/srv/mine/x/y/y-1.ebuild: line 3: warning: x\n",
            "nosuch.eclass could not be found by inherit()",
            "nosuch.eclass could not be found by inherit()",
            vec!["gbsup sync"],
        ),
    ] {
        let output = format!(
            "{before}\nMessages for package a/b-1.2::mine:\n * ERROR: a/b-1.2::mine failed (depend phase):\n *   {die}\n * \n\
             * Call stack:\n *   ebuild.sh, line 693:  Called die\n!!! Sandbox violation during 'depend' phase: 'a/b-1.2'\n\
             !!! Aborting. Please report this as a bug to the 'mine' repository.\n done!\n"
        );
        let failure = failure(&output, "");
        assert_eq!((failure.message.as_str(), failure.phase.as_deref()), (sentence, Some("depend")));
        assert_eq!(failure.suggestions, suggestions);
    }
}
