//! What the container engine does to it: another init, a freezer, more and fewer rights.

use std::time::{Duration, Instant};

use gbsup::model::failure::Class;

use crate::support::{Builder, Recipe, docker, host_wait, image};

#[test]
fn below_another_init_it_works_and_says_so() {
    let mut builder = Recipe::new(&["test-quick/t1"]).args(&["--init"]).start();
    let status = builder.wait_waiting();
    assert!(status.warnings.iter().any(|w| w.contains("not PID 1")), "{:?}", status.warnings);
    // Orphans are reaped all the same.
    builder.sh("kill -KILL $(pgrep -f '^gbsup: supervisor')");
    builder.wait_for("the next supervisor answers", |status| status.step == "wait");
    builder.assert_tidy();
    // Docker did not have to kill it.
    assert_eq!(builder.stop().1, 0);
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

/// One sentence with what to give. Where a builder cannot even begin, the container ends with it.
#[test]
fn a_right_that_is_withheld_is_named() {
    for (with, said) in [
        ("--read-only", "start the container without --read-only"),
        (
            "--user=1000",
            "the container runs as user 1000, and only root can install packages; start it without --user 1000",
        ),
    ] {
        let ran = docker(&["run", "--rm", "--label", "gbsup.test", "--network", "none", with, image()]);
        let all = ran.exited(2);
        assert!(all.contains(said) && !all.contains("again in"), "{all}");
    }
    let rights = ["--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "DAC_OVERRIDE"];
    let mut builder = Recipe::new(&["test-quick/t1"]).args(&rights).start();
    let status = builder.wait_paused();
    let add = "start it with --cap-add FOWNER --cap-add KILL --cap-add SETGID --cap-add SETUID";
    assert!(status.headline.contains(add), "{}", status.headline);
    assert_eq!(status.pause.map(|pause| pause.failures[0].class), Some(Class::Engine));
}

/// Enough processes for the builder itself and none for Portage: the limit is named with what to type, and no library panics.
/// Nobody asks it for its status, since a command of Docker's in the container takes places as well.
#[test]
fn a_limit_of_processes_is_named_and_nothing_panics() {
    let builder = Recipe::new(&["test-quick/t1"]).args(&["--pids-limit=6"]).start();
    host_wait("it pauses", || builder.logs().contains("paused: "));
    let logs = builder.logs();
    assert!(logs.contains("its limit of 6 (pids.max) was reached"), "{logs}");
    assert!(logs.contains("try: docker update --pids-limit 4096"), "{logs}");
    assert!(!logs.contains("panicked") && !logs.contains("died"), "{logs}");
}
