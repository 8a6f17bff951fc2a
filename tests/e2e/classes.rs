//! Every class of failure that can be provoked, provoked: what it is called, what it shows, and that what
//! it suggests works when it is pasted into a shell of the container.

use gbsup::model::failure::{Class, Failure};
use gbsup::model::status::Status;

use crate::support::{Builder, Recipe, command};

fn failures(status: &Status) -> Vec<Failure> {
    status.pause.as_ref().map(|pause| pause.failures.clone()).unwrap_or_default()
}

#[track_caller]
fn only(status: &Status) -> Failure {
    let failures = failures(status);
    let [failure] = failures.as_slice() else { panic!("{}: {failures:#?}", status.headline) };
    failure.clone()
}

/// What every failure has, whatever its class.
#[track_caller]
fn assert_well_told(builder: &Builder, failure: &Failure) {
    assert!(!failure.message.is_empty() && !failure.message.contains('\n'), "{failure:#?}");
    assert!(!failure.evidence.is_empty() && !failure.suggestions.is_empty(), "{failure:#?}");
    let log = failure.log.as_ref().unwrap_or_else(|| panic!("no log: {failure:#?}"));
    builder.sh(&format!("test -s '{log}'"));
}

/// Types the suggestions as they are.
#[track_caller]
fn paste(builder: &Builder, failure: &Failure) {
    for suggestion in &failure.suggestions {
        if suggestion.ends_with(" # on the host") {
            command("bash", &["-c", suggestion], None, &[]).ok();
        } else {
            builder.sh(suggestion);
        }
    }
}

/// What several packages of one world die of, in one run.
#[test]
fn packages() {
    let mut builder = Recipe::settled(&["test-quick/t1", "test-quick/t2"])
        .config("[remedy]\nfetch = []\nbinpkg_corrupt = false\n")
        .start();
    builder.wait_waiting();
    // Damage that neither the length nor the time of the file tells.
    builder.sh("emerge --quiet --unmerge test-quick/t2 && cd /var/lib/gbsup/binpkgs/test-quick/t2 && touch -r *.gpkg.tar /tmp/time && \
         at=$(grep --byte-offset --only-matching --text -m 1 image.tar *.gpkg.tar | head -n 1 | cut -d : -f 1) && \
         echo damage | dd of=$(echo *.gpkg.tar) bs=1 seek=$((at + 600)) conv=notrunc status=none && touch -r /tmp/time *.gpkg.tar");
    builder.sh("mkdir /etc/portage/env && echo 'FEATURES=\"test\"' >/etc/portage/env/test && \
         mkdir -p /etc/portage/package.env && echo 'test-fail/tested test' >/etc/portage/package.env/tests");
    // The server that has no such file; it answers before it is needed.
    builder.serve("python3 -m http.server --bind 127.0.0.1 --directory /srv/distfiles 8765", 8765);
    let expected = [
        ("test-fail/baddigest-1", Class::Verify, "baddigest-1.tar.gz is not what the Manifest says"),
        ("test-fail/broken-1", Class::Compile, "the reactor has no coolant"),
        ("test-fail/collide-1", Class::Collision, "/usr/share/gbsup-test/t1 belongs to test-quick/t1-1"),
        ("test-fail/killed-1", Class::Killed, "killed by signal 9"),
        (
            "test-fail/nofetch-1",
            Class::Fetch,
            "nofetch-1.tar.gz could not be downloaded (Connection refused)",
        ),
        ("test-fail/notfound-1", Class::Fetch, "notfound-1.tar.gz could not be downloaded (ERROR 404"),
        ("test-fail/tested-1", Class::Test, "1 of 7 tests failed"),
        ("test-quick/t2-1", Class::BinpkgCorrupt, "is damaged"),
    ];
    let atoms: Vec<_> = expected.iter().map(|(package, ..)| &package[..package.len() - 2]).collect();
    builder.set_world(&[&["test-quick/t1"], &atoms[..]].concat());
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_paused();
    let mut found = failures(&status);
    found.sort_by(|a, b| a.package.cmp(&b.package));
    let names: Vec<_> = found.iter().filter_map(|failure| failure.package.as_deref()).collect();
    assert_eq!(names, expected.map(|(package, ..)| package));
    for (failure, (package, class, words)) in found.iter().zip(expected) {
        assert_eq!(failure.class, class, "{failure:#?}");
        assert!(failure.message.contains(words), "{failure:#?}");
        assert_well_told(&builder, failure);
        assert!(
            failure.suggestions.iter().any(|typed| typed.contains(&package[..package.len() - 2])),
            "{failure:#?}"
        );
    }
    let page = builder.gbsup(&["failures"]).ok();
    assert!(
        expected.iter().all(|(package, _, words)| page.contains(package) && page.contains(words)),
        "{page}"
    );

    // History knows why, for each of them.
    let history = builder.gbsup(&["history", "--json"]).ok();
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    for failure in &found {
        let packages = history[0]["packages"].as_array().expect("packages");
        let row = packages.iter().find(|row| row["package"].as_str() == failure.package.as_deref());
        assert_eq!(
            row.and_then(|row| row["message"].as_str()),
            Some(failure.message.as_str()),
            "{history:#}"
        );
    }

    // What can be repaired by pasting is repaired by pasting.
    builder.repair();
    let pasted = |class| found.iter().find(|failure| failure.class == class).expect("it was found above");
    paste(&builder, pasted(Class::BinpkgCorrupt));
    builder.sh(&pasted(Class::Test).suggestions[1]);
    assert!(builder.sh(&pasted(Class::Collision).suggestions[0]).contains("test-quick/t1-1"));
    builder.set_world(&[
        "test-quick/t1",
        "test-quick/t2",
        "test-fail/tested",
        "test-fail/killed",
        "test-fail/broken",
    ]);
    builder.resume();
    let status = builder.wait_waiting();
    assert_eq!(status.progress.failed, 0, "{}", status.headline);
    for package in ["test-quick/t2-1", "test-fail/tested-1", "test-fail/killed-1"] {
        assert!(builder.has(package), "{package}");
    }
    builder.assert_tidy();
}

/// What the builder is to build. From the world itself Portage leaves out what cannot be had; from any other
/// set it does not.
fn want(builder: &Builder, atoms: &[&str]) {
    builder.sh(&format!("printf '%s\\n' {} >/etc/portage/sets/wanted", atoms.join(" ")));
}

/// The failure that stopped it, which has to be of this class and say this.
#[track_caller]
fn refused(builder: &mut Builder, class: Class, words: &str) -> Failure {
    let failure = only(&builder.wait_paused());
    assert_eq!(failure.class, class, "{failure:#?}");
    assert!(failure.message.contains(words), "{failure:#?}");
    assert_well_told(builder, &failure);
    failure
}

/// What the resolver refuses, one thing after the other.
#[test]
fn resolver() {
    let recipe = Recipe::new(&[]).file("/etc/portage/sets/wanted", "test-mask/needs-unstable\n");
    let config = "[build]\ntargets = [\"@wanted\"]\n[remedy]\ncircular = false\n";
    let mut builder = recipe.config(config).start();

    // Each is repaired by pasting what is suggested; then the next one joins.
    let mut wanted = vec!["test-mask/needs-unstable"];
    for (class, words, next) in [
        (Class::Masked, "masked by the keyword ~amd64", Some("test-mask/needs-licensed")),
        (Class::Masked, "masked by the licence pocket-EULA", Some("test-mask/needs-masked")),
        (Class::Masked, "masked by package.mask", Some("test-fail/wants-flag")),
        (Class::UseChange, "test-fail/wants-flag-1 needs it", Some("test-fail/torn")),
        (Class::RequiredUse, "exactly-one-of ( left right )", Some("test-fail/hen")),
        (Class::Circular, "test-fail/egg-1 needs test-fail/hen-1", None),
    ] {
        let failure = refused(&mut builder, class, words);
        paste(&builder, &failure);
        wanted.extend(next);
        want(&builder, &wanted);
        builder.resume();
    }
    builder.wait_waiting();
    for package in wanted {
        assert!(builder.has(&format!("{package}-1")), "{package}");
    }
    assert!(builder.sh("cat /var/db/pkg/test-fail/hen-1/USE").contains("egg"), "built properly in the end");
    builder.assert_tidy();

    // Here it is suggested to go on without one of them.
    for (cycle, (atoms, class, words)) in (2..).zip([
        (&["test-fail/missing-dep"][..], Class::MissingPackage, "test-fail/missing-dep-1 needs it"),
        (
            &["test-fail/wants-slotlib-one", "test-fail/wants-slotlib-two"],
            Class::SlotConflict,
            "different versions of test-fail/slotlib:0",
        ),
        (&["test-fail/blocked", "test-fail/blocker"], Class::Blocker, "cannot be installed together"),
    ]) {
        want(&builder, atoms);
        builder.gbsup(&["sync"]).ok();
        builder.wait_cycle(cycle);
        let failure = refused(&mut builder, class, words);
        builder.sh(&failure.suggestions[0]);
        builder.wait_for("it goes on", |status| status.pause.is_none());
        builder.wait_waiting();
    }
}

/// Memory and room that are not there, by the container's own limits.
#[test]
fn scarcity() {
    let limits = ["--memory", "512m", "--memory-swap", "512m", "--tmpfs", "/var/tmp:exec,size=16m"];
    let mut builder = Recipe::new(&["test-fail/hungry"])
        .args(&limits)
        .env("MAKEOPTS", "-j8")
        .config("[remedy]\nout_of_memory = false\n")
        .start();
    let status = builder.wait_paused();
    let failure = only(&status);
    assert_eq!(failure.class, Class::DiskFull, "{failure:#?}");
    assert!(status.headline.contains("no space is left on /var/tmp"), "{}", status.headline);
    assert_well_told(&builder, &failure);
    assert!(builder.sh(&failure.suggestions[0]).contains("/var/tmp"));

    builder.set_world(&["test-fail/oom"]);
    builder.sh("rm -r /var/tmp/portage/test-fail");
    builder.resume();
    let status = builder.wait_paused();
    let failure = only(&status);
    assert_eq!(
        (failure.class, failure.phase.as_deref()),
        (Class::OutOfMemory, Some("compile")),
        "{failure:#?}"
    );
    assert!(status.headline.contains("paused: test-fail/oom-1 ran out of memory"), "{}", status.headline);
    let seen = failure.evidence.join("\n");
    assert!(seen.contains("oom_kill") && seen.contains("Error 137"), "{seen}");
    assert_well_told(&builder, &failure);
    paste(&builder, &failure);
    builder.resume();
    builder.wait_waiting();
    assert!(builder.has("test-fail/oom-1"));
}

/// Tells the emerge of the builder to stop, as a person would.
#[track_caller]
fn stop_emerge(builder: &Builder) {
    builder.sh("read -r _ pid _ </var/lib/gbsup/state/job && kill -TERM -- -$pid");
}

/// What people do while it builds: stop emerge, break the profile, run an emerge of their own.
#[test]
fn people() {
    let mut builder = Builder::with_world(&["test-slow/compile"]);
    builder.wait_at("compile");
    stop_emerge(&builder);
    let status = builder.wait_paused();
    let failure = only(&status);
    assert_eq!(failure.class, Class::Interrupted, "{failure:#?}");
    assert!(status.headline.contains("told to stop, and not by gbsup (signal 15)"), "{}", status.headline);

    builder.sh("ln -sfn /nowhere /etc/portage/make.profile");
    builder.resume();
    let failure = only(&builder.wait_paused());
    assert_eq!(failure.class, Class::ProfileInvalid, "{failure:#?}");
    builder.sh("ln -sfn ../../var/db/repos/pocket/profiles/default /etc/portage/make.profile; rm -f /run/test/at-compile");

    // By its full name, so that it is not counted among those of the builder.
    builder.sh("setsid /usr/bin/emerge --oneshot test-slow/compile >/tmp/by-hand 2>&1 &");
    builder.wait_at("compile");
    builder.resume();
    let status = builder
        .wait_for("it waits for the other", |status| status.headline.contains("waiting for another Portage"));
    let told = status.warnings.iter().find(|warning| warning.contains("waits for a lock"));
    let told = told.unwrap_or_else(|| panic!("{:?}", status.warnings));
    assert!(told.contains("/usr/bin/emerge --oneshot test-slow/compile"), "{told}");

    // The wait is no failure, but somebody may have enough of it.
    stop_emerge(&builder);
    let failure = only(&builder.wait_paused());
    assert_eq!(failure.class, Class::PortageLocked, "{failure:#?}");
    builder.resume();
    builder.wait_for("it waits again", |status| status.headline.contains("waiting for another Portage"));
    builder.go("compile");
    builder.wait_waiting();
    builder.wait_for("nothing of it is left", |status| status.warnings.is_empty());
    assert!(builder.has("test-slow/compile-1"));
}
