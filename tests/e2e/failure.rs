//! A package that fails among good ones, and the repair.

use gbsup::model::failure::Class;
use gbsup::model::status::{Mode, Why};

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
    // Clients have what is good already.
    assert_eq!(status.release.as_ref().map(|release| release.packages), Some(4));

    // The same, wherever a person looks.
    assert!(builder.logs().contains(&status.headline));
    assert!(builder.gbsup(&["status"]).ok().contains(&status.headline));
    let failures = builder.gbsup(&["failures"]).ok();
    assert!(failures.contains(DIE) && failures.contains(&log), "{failures}");
    assert!(builder.gbsup(&["logs", "--failed"]).ok().contains("'coolant' undeclared"));
    assert!(builder.gbsup(&["logs", "test-fail/broken"]).ok().contains("'coolant' undeclared"));
    assert!(builder.gbsup(&["health"]).exited(5).contains(&status.headline));
    builder.gbsup(&["health", "--live"]).ok();

    assert_eq!(last_cycle(&builder), (4, 1));

    let before = builder.packages();
    assert_eq!(before.len(), 4);
    builder.repair();
    builder.resume();
    let status = builder.wait_waiting();
    let after = builder.packages();
    assert_eq!(after.len(), 6);
    assert_eq!(status.release.as_ref().map(|release| release.packages), Some(6));
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
    assert!(builder.gbsup(&["failures"]).ok().contains("no failures"));

    // There is nothing to resume any more.
    let said = builder.gbsup(&["resume"]).exited(4);
    assert!(said.contains("nothing to resume") && said.contains("gbsup sync"), "{said}");

    assert_eq!(last_cycle(&builder), (6, 0), "what was built in the end did not fail");
}

/// How many packages the last cycle built and how many failed in it, as the history has it.
fn last_cycle(builder: &Builder) -> (u64, u64) {
    let history = builder.gbsup(&["history", "--json"]).ok();
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    let number = |name: &str| history[0][name].as_u64().unwrap_or_else(|| panic!("{history:#}"));
    (number("built"), number("failed"))
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
    assert!(status.headline.contains("everything else is up to date"), "{}", status.headline);
    assert!(
        status.warnings.iter().any(|warning| warning.contains("test-fail/broken")),
        "{:?}",
        status.warnings
    );
    // It is known that this would not change by itself.
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("test-fail/broken-1 still failing since"), "{}", status.headline);
}

/// Whatever stops Portage, it is told in its own words. One package after the other joins the world.
#[test]
fn other_failures_are_told_apart() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    for (cycle, (atom, class, words)) in (2..).zip([
        ("test-fail/broken-install", Class::Compile, "there is no shelf to put it on"),
        ("test-fail/broken-pretend", Class::Compile, "this machine is too small"),
        ("test-fail/broken-postinst", Class::Compile, "the bell does not ring"),
    ]) {
        builder.sh(&format!("echo {atom} >/var/lib/portage/world"));
        builder.gbsup(&["sync"]).ok();
        builder.wait_cycle(cycle);
        let status = builder.wait_paused();
        let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
        let failure = failures.first().unwrap_or_else(|| panic!("{atom}: {}", status.headline));
        assert_eq!(failure.class, class, "{atom}: {failure:#?}");
        assert_eq!(failure.package, Some(format!("{atom}-1")), "{failure:#?}");
        assert!(status.headline.contains(words), "{atom}: {}", status.headline);
        assert!(failure.log.is_some(), "{atom}: {failure:#?}");
        builder.assert_tidy();
    }
}

/// emerge goes on without what it cannot have and ends with 0; that is no reason to keep silent.
#[test]
fn what_is_masked_or_gone_is_named() {
    let mut builder = Builder::with_world(&["test-quick/t1", "test-mask/masked", "test-none/gone"]);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("everything else is up to date"), "{}", status.headline);
    let named = |atom: &str| status.warnings.iter().any(|warning| warning.contains(atom));
    assert!(named("test-mask/masked") && named("test-none/gone"), "{:?}", status.warnings);
    assert!(builder.has("test-quick/t1-1"));
}

/// Nor is that an update whose dependencies are not to be had.
#[test]
fn a_skipped_update_is_named() {
    let mut builder = Builder::settled(&["test-quick/t4"]);
    builder.wait_waiting();
    builder.tree(&["bump", "test-quick/t4", "1", "2", "s|^SLOT.*|&\\nRDEPEND=\"test-mask/masked\"|"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("everything else is up to date"), "{}", status.headline);
    assert!(
        status.warnings.iter().any(|warning| warning.contains("test-quick/t4:0")),
        "{:?}",
        status.warnings
    );
}

/// When the resolver finds no way at all, nothing is built, and its own words are shown.
#[test]
fn the_resolver_is_quoted() {
    let mut builder = Builder::settled(&["test-quick/t4", "test-quick/t5"]);
    builder.wait_waiting();
    for (package, other) in [("test-quick/t4", "test-quick/t5"), ("test-quick/t5", "test-quick/t4")] {
        builder.tree(&["bump", package, "1", "2", &format!("s|^SLOT.*|&\\nDEPEND=\"={other}-2\"|")]);
    }
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_paused();
    let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    assert_eq!(failure.class, Class::Circular, "{failure:#?}");
    let words = failure.evidence.join("\n");
    assert!(words.contains("test-quick/t4-2") && words.contains("test-quick/t5-2"), "{words}");
    builder.gbsup(&["resume", "--skip", "test-quick/t4", "--skip", "test-quick/t5"]).ok();
    builder.wait_for("it goes on", |status| status.state != Mode::Paused);
    builder.wait_waiting();
}
