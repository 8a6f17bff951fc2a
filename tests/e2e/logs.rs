//! What is kept of the builds, and how it is found again.

use serde_json::Value;

use crate::support::Builder;

const POSTINST: &str =
    "s|^SLOT.*|&\\npkg_postinst() { ewarn \"Restart the reactor.\"; elog \"It is new.\"; }|";

#[test]
fn the_log_of_a_failure_stays_and_the_words_of_ebuilds_are_kept() {
    let mut builder = Builder::settled(&["test-quick/t1", "test-fail/broken"]);
    builder.wait_paused();
    let failed = builder.gbsup(&["logs", "broken"]).ok();
    assert!(failed.contains("'coolant' undeclared"), "{failed}");

    builder.repair();
    builder.resume();
    builder.wait_waiting();
    builder.tree(&["bump", "test-quick/t1", "1", "2", POSTINST]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();

    // A log for each build, and the newest is not all there is.
    let count = builder.sh("ls /var/lib/gbsup/log/test-fail:broken-1:*.log | wc -l");
    assert_eq!(count.trim(), "2");
    assert!(!builder.gbsup(&["logs", "broken"]).ok().contains("undeclared"));
    assert_eq!(builder.gbsup(&["logs", "broken", "--failed"]).ok(), failed);
    assert!(
        builder
            .gbsup(&["logs", "t1", "--failed"])
            .exited(1)
            .contains("no build of t1 is known to have failed")
    );
    assert!(builder.gbsup(&["logs", "--failed"]).ok().contains("no failures"));

    let elog = builder.gbsup(&["logs", "--elog"]).ok();
    assert!(elog.contains("test-quick/t1-2") && elog.contains("Restart the reactor."), "{elog}");
    assert!(!elog.contains("no coolant"), "that was in the cycle before: {elog}");
    assert!(builder.gbsup(&["logs", "--elog", "--cycle", "1"]).ok().contains("no coolant"));
    let entries: Value =
        serde_json::from_str(&builder.gbsup(&["logs", "--elog", "--json"]).ok()).expect("JSON");
    let entries = entries.as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["package"] == "test-quick/t1-2").expect("of the package");
    let messages = entry["messages"].as_array().expect("a list");
    assert!(
        messages.iter().any(|message| {
            message["class"] == "warn"
                && message["phase"] == "postinst"
                && message["lines"] == serde_json::json!(["Restart the reactor."])
        }),
        "{entry:#}"
    );
    builder.gbsup(&["logs", "--elog", "--cycle", "7"]).exited(1);
}
