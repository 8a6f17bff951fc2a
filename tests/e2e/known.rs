//! Packages that are known to fail, and packages that are skipped.

use gbsup::model::failure::Class;
use gbsup::model::status::Status;

use crate::support::{Builder, Recipe};

fn known(status: &Status) -> Vec<&str> {
    status.known.iter().map(|failing| failing.package.as_str()).collect()
}

/// How often a package was compiled, or tried to be.
fn times(builder: &Builder, package: &str) -> usize {
    builder.compiled().iter().filter(|compiled| *compiled == package).count()
}

fn sync(builder: &mut Builder, cycle: u64) {
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(cycle);
}

#[test]
fn what_still_fails_is_left_out_until_something_changes() {
    let world = ["test-quick/t4", "test-fail/broken", "test-fail/needs-broken"];
    let mut builder = Recipe::new(&world).start();
    let status = builder.wait_paused();
    assert!(status.known.is_empty(), "it is what the pause is about: {:?}", status.known);

    // Neither it nor what needs it: a new package, and the update of one that is installed.
    builder.tree(&["bump", "test-quick/t4", "1", "2", "s|^SLOT.*|&\\nRDEPEND=\"test-fail/broken\"|"]);
    sync(&mut builder, 2);
    let status = builder.wait_waiting();
    let [failing] = status.known.as_slice() else { panic!("{:?}", status.known) };
    let since = failing.since.strftime("%Y-%m-%d");
    let release = &status.release.as_ref().expect("what was built is offered").id;
    let sentence = format!(
        "everything else is up to date (release {release}, 1 package); test-fail/broken-1 still failing since {since} (compile)"
    );
    assert!(status.headline.contains(&sentence), "{}", status.headline);
    assert_eq!((failing.package.as_str(), failing.class), ("test-fail/broken-1", Class::Compile));
    assert!(failing.log.as_ref().is_some_and(|log| log.contains("broken-1")), "{failing:?}");
    let waits = |warning: &String| {
        warning.starts_with("not built, because of what still fails:")
            && warning.contains("test-fail/needs-broken-1")
            && warning.contains("test-quick/t4-2")
    };
    assert!(status.warnings.iter().any(waits), "{:?}", status.warnings);
    assert!(!status.warnings.iter().any(|warning| warning.contains("masked")), "{:?}", status.warnings);
    assert_eq!(times(&builder, "test-fail/broken-1"), 1);
    assert!(builder.gbsup(&["health"]).ok().contains("still failing"));
    let failures = builder.gbsup(&["failures"]).ok();
    assert!(failures.contains("1 package still failing") && failures.contains("no coolant"), "{failures}");
    assert!(builder.gbsup(&["logs", "--failed"]).ok().contains("'coolant' undeclared"));

    // A person may ask for it, without a sync.
    let said = builder.gbsup(&["resume"]).ok();
    assert!(said.contains("trying again what still fails: test-fail/broken-1"), "{said}");
    builder.wait_cycle(3);
    builder.wait_paused();
    assert_eq!(times(&builder, "test-fail/broken-1"), 2);
    assert!(!builder.steps(3).contains(&"sync".to_owned()));

    // Nothing that matters has changed, with another tree and in another process.
    builder.tree(&["bump", "test-fail/tested", "1", "2"]);
    builder.stop();
    builder.start();
    builder.wait_paused();
    sync(&mut builder, 4);
    assert_eq!(known(&builder.wait_waiting()), ["test-fail/broken-1"]);
    assert_eq!(times(&builder, "test-fail/broken-1"), 2);

    // A person patches it, in vain.
    let patches = "/etc/portage/patches/test-fail/broken";
    builder.sh(&format!("mkdir -p {patches} && echo 'no diff yet' >{patches}/notes"));
    sync(&mut builder, 5);
    builder.wait_paused();
    assert_eq!(times(&builder, "test-fail/broken-1"), 3);

    // The ebuild is repaired.
    builder.sh("sed -i 's/die \"the reactor.*/echo repaired/' /srv/tree/test-fail/broken/broken-1.ebuild");
    builder.tree(&["commit", "cool the reactor"]);
    sync(&mut builder, 6);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("everything is up to date (release "), "{}", status.headline);
    assert!(status.headline.contains("; 3 packages built)"), "{}", status.headline);
    assert!(status.known.is_empty(), "{:?}", status.known);
    assert!(builder.logs().contains("test-fail/broken-1 is built; it had failed since"));
    for package in ["test-fail/broken-1", "test-fail/needs-broken-1", "test-quick/t4-2"] {
        assert!(builder.has(package), "{package}");
    }
    builder.assert_tidy();
}

#[test]
fn a_skip_lasts_until_another_version() {
    let mut builder = Recipe::settled(&["test-quick/t1", "test-fail/broken"]).start();
    builder.wait_paused();
    builder.gbsup(&["skip", "broken"]).exited(2);
    let said = builder.gbsup(&["skip", "test-none/gone"]).exited(1);
    assert!(said.contains("no version of test-none/gone can be built"), "{said}");
    let said = builder.gbsup(&["skip", "test-fail/broken"]).ok();
    assert!(said.contains("until another version is offered: test-fail/broken (now 1)"), "{said}");
    assert_eq!(builder.gbsup(&["skip"]).ok().split('\t').next(), Some("test-fail/broken"));
    builder.resume();
    let status = builder.wait_waiting();
    assert!(status.headline.contains("everything else is up to date"), "{}", status.headline);
    assert_eq!((known(&status).len(), status.skipped.len()), (0, 1));
    // What was changed for a package brings it back, but not against a person's word.
    builder.sh(
        "mkdir -p /etc/portage/patches/test-fail/broken && touch /etc/portage/patches/test-fail/broken/notes",
    );
    sync(&mut builder, 2);
    builder.wait_waiting();
    assert_eq!(times(&builder, "test-fail/broken-1"), 1);

    builder.tree(&["bump", "test-fail/broken", "1", "2"]);
    sync(&mut builder, 3);
    let status = builder.wait_paused();
    assert!(status.headline.contains("test-fail/broken-2 failed"), "{}", status.headline);
    assert!(status.skipped.is_empty(), "{:?}", status.skipped);
    assert!(builder.logs().contains("not skipped any more: test-fail/broken-2 is offered"));

    builder.gbsup(&["skip", "test-fail/broken"]).ok();
    builder.gbsup(&["unskip", "test-quick/t1"]).exited(4);
    builder.gbsup(&["unskip", "test-fail/broken"]).ok();
    assert!(builder.gbsup(&["skip"]).ok().contains("nothing is skipped"));
}
