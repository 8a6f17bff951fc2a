//! A package that fails among good ones, and the repair.

use gbsup::core::failure::Class;
use gbsup::core::status::{Mode, Why};

use crate::support::{Builder, QUICK};

const DIE: &str = "the reactor has no coolant: touch /etc/gbsup-test/repaired";

fn with_broken() -> Builder {
    Builder::with_world(&[QUICK, &["test-fail/broken", "test-fail/needs-broken"]].concat())
}

#[test]
fn the_good_ones_are_built_and_after_the_repair_only_the_rest_is() {
    let mut builder = with_broken();
    let status = builder.wait_paused();
    let pause = status.pause.clone().expect("a pause");
    assert_eq!(pause.why, Why::Failure);
    let [failure] = pause.failures.as_slice() else { panic!("{:?}", pause.failures) };
    assert_eq!(failure.package.as_deref(), Some("test-fail/broken-1"));
    assert_eq!((failure.class, failure.phase.as_deref()), (Class::Compile, Some("compile")));
    assert_eq!(failure.message, DIE);
    let seen = failure.evidence.join("\n");
    assert!(seen.contains("'coolant' undeclared"), "{seen}");
    assert!(seen.contains("test-fail/needs-broken-1"), "what was left out is named: {seen}");
    let log = failure.log.clone().expect("a log");
    assert!(builder.sh(&format!("cat '{log}'")).contains("'coolant' undeclared"));
    assert_eq!(
        status.headline,
        format!(
            "paused: test-fail/broken-1 failed in compile: {DIE}; 4 of 6 built. Repair it, then: gbsup resume"
        )
    );
    assert_eq!((status.progress.done, status.progress.failed), (4, 1));

    // The same, wherever a person looks.
    assert!(builder.logs().contains(&status.headline));
    assert!(builder.gbsup(&["status"]).ok().contains(&status.headline));
    let failures = builder.gbsup(&["failures"]).ok();
    assert!(failures.contains(DIE) && failures.contains(&log), "{failures}");
    assert!(builder.gbsup(&["logs", "--failed"]).ok().contains("'coolant' undeclared"));
    assert!(builder.gbsup(&["logs", "test-fail/broken"]).ok().contains("'coolant' undeclared"));
    assert!(builder.gbsup(&["health"]).exited(5).contains(&status.headline));
    builder.gbsup(&["health", "--live"]).ok();

    let before = builder.packages();
    assert_eq!(before.len(), 4);
    builder.repair();
    builder.resume();
    let status = builder.wait_waiting();
    let after = builder.packages();
    assert_eq!(after.len(), 6);
    for (package, inode) in &before {
        assert_eq!(after.get(package), Some(inode), "{package} was made anew");
    }
    let mut compiled = builder.compiled();
    compiled.sort();
    let twice = compiled.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].as_str());
    assert_eq!(twice.collect::<Vec<_>>(), ["test-fail/broken-1"]);
    assert_eq!((status.progress.source, status.progress.failed), (6, 0), "{}", status.headline);
    builder.assert_tidy();
    builder.gbsup(&["health"]).ok();
    assert!(builder.gbsup(&["failures"]).ok().contains("nothing holds the builder up"));

    // There is nothing to resume any more.
    let said = builder.gbsup(&["resume"]).exited(4);
    assert!(said.contains("nothing to resume") && said.contains("gbsup sync"), "{said}");

    let history = builder.gbsup(&["history", "--json"]).ok();
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    let cycle = &history[0];
    assert_eq!((cycle["built"].as_u64(), cycle["failed"].as_u64()), (Some(6), Some(1)), "{history:#}");
}

#[test]
fn what_cannot_be_repaired_now_is_left_out() {
    let mut builder = with_broken();
    builder.wait_paused();
    builder.gbsup(&["resume", "--skip", "not an atom"]).exited(2);
    builder.gbsup(&["resume", "--skip", "test-fail/broken", "--skip", "=test-fail/needs-broken-1"]).ok();
    builder.wait_for("it goes on", |status| status.state != Mode::Paused);
    let status = builder.wait_waiting();
    assert_eq!((status.progress.done, status.progress.failed), (4, 0), "{}", status.headline);
    // The next cycle tries them again.
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_paused();
    assert!(status.headline.contains("test-fail/broken-1"), "{}", status.headline);
}

/// Whatever stops Portage, it is told in its own words.
#[test]
fn other_failures_are_told_apart() {
    for (atom, class, words) in [
        ("test-fail/nofetch", Class::Fetch, "could not be downloaded"),
        ("test-fail/broken-install", Class::Compile, "there is no shelf to put it on"),
        ("test-fail/broken-pretend", Class::Compile, "this machine is too small"),
        ("test-fail/broken-postinst", Class::Compile, "the bell does not ring"),
        ("test-fail/missing-dep", Class::MissingPackage, "test-none/gone"),
        ("test-mask/masked", Class::Masked, "test-mask/masked"),
    ] {
        let mut builder = Builder::with_world(&["test-quick/t1", atom]);
        let status = builder.wait_paused();
        let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
        let failure = failures.first().unwrap_or_else(|| panic!("{atom}: {}", status.headline));
        assert_eq!(failure.class, class, "{atom}: {failure:#?}");
        assert!(status.headline.contains(words), "{atom}: {}", status.headline);
        assert!(failure.log.is_some(), "{atom}: {failure:#?}");
        builder.assert_tidy();
    }
}
