//! What a person reads afterwards or meanwhile: logs, history, health.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Builder, Recipe, docker, host_wait};

#[test]
fn logs_are_found_by_step_cycle_and_package() {
    let mut builder = Builder::with_world(&["test-slow/loud", "test-quick/t1"]);
    builder.wait_waiting();
    let build = builder.gbsup(&["logs"]).ok();
    assert!(build.contains("Completed (2 of 2)"), "the last step with something to tell: {build}");
    let cycle = builder.gbsup(&["logs", "--cycle", "1"]).ok();
    let places =
        ["preflight", "sync", "self-update", "plan", "build"].map(|step| cycle.find(&format!("/{step}.log")));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    let package = builder.gbsup(&["logs", "test-slow/loud"]).ok();
    assert!(package.contains("the last line of 5 MB"), "{} bytes", package.len());
    assert!(!builder.logs().contains("the last line of 5 MB"), "build output stays in its own log");
    let said = builder.gbsup(&["logs", "--cycle", "7"]).exited(1);
    assert!(said.contains("only those of cycle 1"), "{said}");
    let said = builder.gbsup(&["logs", "app-misc/nothing"]).exited(1);
    assert!(said.contains("app-misc/nothing"), "{said}");
    assert!(builder.gbsup(&["logs", "--failed"]).ok().contains("no failures"));

    let history = builder.gbsup(&["history"]).ok();
    assert_eq!(history.lines().count(), 1, "piped there is no heading: {history}");
    assert!(history.contains("\tfirst\t2\t"), "{history}");
}

/// `logs -f` shows what comes, and leaves nothing running when its reader goes.
#[test]
fn logs_are_followed() {
    let mut builder = Builder::with_world(&["test-slow/compile"]);
    builder.wait_at("compile");
    let mut following = Command::new("docker")
        .args(["exec", "--interactive", builder.name(), "gbsup", "logs", "-f"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("docker starts");
    let mut lines = BufReader::new(following.stdout.take().expect("it is piped")).lines();
    let mut until = |needle: &str| {
        let found = lines.by_ref().map_while(Result::ok).find(|line| line.contains(needle));
        assert!(found.is_some(), "it ended before {needle}");
    };
    until("Emerging (1 of 1) test-slow/compile-1");
    builder.go("compile");
    until("Completed (1 of 1) test-slow/compile-1");
    builder.wait_waiting();
    builder.gbsup(&["sync"]).ok();
    until("/2/sync.log");
    until("Sync completed for pocket");
    drop(following.stdin.take());
    assert!(following.wait().expect("it is a child").success());
    builder.wait_waiting();
    builder.assert_nothing_runs();
}

/// `docker ps` shows that a person is needed.
#[test]
fn docker_shows_a_failure_as_unhealthy() {
    let health = ["--health-interval", "1s", "--health-retries", "1", "--health-start-period", "0s"];
    let mut builder = Recipe::new(&["test-fail/broken"]).args(&health).start();
    let becomes = |builder: &Builder, wanted: &str| {
        host_wait(wanted, || {
            let format = "{{.State.Health.Status}}";
            docker(&["inspect", "--format", format, builder.name()]).out.trim() == wanted
        });
    };
    builder.wait_paused();
    becomes(&builder, "unhealthy");
    builder.repair();
    builder.resume();
    builder.wait_waiting();
    becomes(&builder, "healthy");
}
