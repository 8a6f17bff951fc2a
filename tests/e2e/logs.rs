//! What is kept of the builds, and how it is found again.

use serde_json::Value;

use crate::serve::get;
use crate::support::{Builder, Recipe};

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

#[test]
fn the_page_leads_to_the_line_that_says_why() {
    let mut builder =
        Recipe::settled(&["test-quick/t1", "test-fail/broken"]).env("GBSUP_HTTP_LOGS", "true").start();
    builder.wait_paused();
    builder.sh(
        "until exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '?error#error' <&3; do sleep 0.05; done",
    );
    let page = get(&builder, "/", "text/html");
    let link =
        page.split("href=\"").filter_map(|rest| rest.split('"').next()).find(|link| link.contains("?error"));
    let address = link.and_then(|link| link.strip_suffix("#error")).expect("a link to the log");
    let address = &address.replace("%3A", ":");
    assert!(address.starts_with("/logs/test-fail:broken-1:"), "{address}");
    let log = get(&builder, address, "text/html");
    let after = log.split("<span id=\"error\"></span>").nth(1).and_then(|rest| rest.lines().next());
    assert!(
        log.starts_with("HTTP/1.0 200") && after.is_some_and(|line| line.contains("undeclared")),
        "{after:?}"
    );
    // The bytes are those of the file, which only its group may read.
    let file = "/var/lib/gbsup/log/test-fail:broken-1:*.log";
    assert_eq!(builder.sh(&format!("stat -c %a {file} | tail -n 1")), "660\n");
    let raw = get(&builder, &address.replace("?error", ""), "text/plain");
    assert_eq!(
        raw.split_once("\r\n\r\n").expect("a body").1,
        builder.sh(&format!("cat $(ls {file} | tail -n 1)"))
    );
    // Nothing else of the volume is there.
    for path in ["/logs/../state/state.json", "/logs/state/state.json", "/logs/emerge.log/x"] {
        assert!(!get(&builder, path, "*/*").starts_with("HTTP/1.0 200"), "{path}");
    }
    builder.assert_tidy();
}
