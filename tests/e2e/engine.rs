//! What the container engine does to it: another init, a freezer, more and fewer rights.

use std::time::{Duration, Instant};

use crate::support::{Builder, QUICK, Recipe, docker};

#[test]
fn below_another_init_it_works_and_says_so() {
    let mut builder = Recipe::new(QUICK).args(&["--init"]).start();
    let status = builder.wait_waiting();
    assert!(status.warnings.iter().any(|w| w.contains("not PID 1")), "{:?}", status.warnings);
    // Orphans are reaped all the same.
    builder.sh("kill -KILL $(pgrep -f '^gbsup: supervisor')");
    builder.wait_for("the next supervisor answers", |status| status.step == "wait");
    builder.assert_tidy();
    let (took, code) = builder.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Frozen for longer than any deadline of a stop or a client.
const FROZEN: Duration = Duration::from_secs(12);

#[test]
fn frozen_and_thawed_it_goes_on_as_if_nothing_had_been() {
    let mut builder = Builder::with_world(&["test-quick/t1", "test-slow/compile"]);
    builder.wait_at("compile");
    builder.look_away();
    docker(&["pause", builder.name()]).ok();
    let until = Instant::now() + FROZEN;
    std::thread::sleep(until - Instant::now());
    docker(&["unpause", builder.name()]).ok();
    builder.wait_building("test-slow/compile-1");
    builder.go("compile");
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, Vec::<String>::new());
    assert_eq!(builder.emerges().len(), 1, "{:?}", builder.emerges());
    let logs = builder.logs();
    assert!(!logs.contains("died") && !logs.contains("warning"), "{logs}");
    builder.assert_tidy();
}

#[test]
fn stopped_while_frozen_it_leaves_in_order() {
    let mut builder = Builder::with_world(&["test-quick/t1", "test-slow/compile"]);
    builder.wait_at("compile");
    builder.look_away();
    docker(&["pause", builder.name()]).ok();
    // Docker thaws it to stop it.
    let (_, code) = builder.stop();
    assert_eq!(code, 0);
    builder.start();
    builder.go("compile");
    builder.wait_waiting();
    builder.assert_tidy();
}

/// Namespaces that cannot be made are switched off, so no phase complains, or fails, for want of them.
#[test]
fn sandboxes_are_tried_before_they_are_used() {
    let sandboxes = "FEATURES=\"ipc-sandbox network-sandbox pid-sandbox mount-sandbox\"\n";
    for rights in
        [&["--cap-drop=SYS_ADMIN"][..], &["--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined"]]
    {
        let mut builder = Recipe::new(&["test-quick/t1"])
            .file("/etc/portage/make.conf/sandboxes", sandboxes)
            .args(rights)
            .start();
        builder.wait_waiting();
        let log = builder.sh("cat /var/lib/gbsup/log/test-quick*t1-1*");
        let complaint =
            ["Unable to unshare", "Unable to mount", "Unable to mark"].iter().find(|c| log.contains(*c));
        assert_eq!(complaint, None, "{rights:?}: {log}");
        builder.assert_tidy();
    }
}
