//! What others leave behind in the container ends at PID 1.

use crate::support::{Builder, host_wait};

/// Ever fewer parents than children, as a build has them: each parent leaves 500 to PID 1.
const ORPHANS: &str = "
import os
for _ in range(40):
    parent = os.fork()
    if not parent:
        for _ in range(500):
            if not os.fork():
                os._exit(0)
        os._exit(0)
    os.waitpid(parent, 0)
";

/// The memory of PID 1 that is its own, in kB.
fn own_memory(builder: &Builder) -> u64 {
    let status = builder.sh("cat /proc/1/status");
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    kilobytes.and_then(|text| text.split_whitespace().next()?.parse().ok()).expect("RssAnon in kB")
}

#[test]
fn twenty_thousand_orphans_leave_no_zombie_and_no_trace() {
    let mut builder = Builder::settled(&["test-quick/t4"]);
    builder.wait_waiting();
    builder.look_away();
    // The first ones bring in the code that reaps them, which init lets go of while nothing happens.
    builder.exec(&["python3", "-c", &ORPHANS.replace("range(40)", "range(1)")]).ok();
    let before = own_memory(&builder);
    builder.exec(&["python3", "-c", ORPHANS]).ok();
    host_wait("no zombie is left", || builder.sh("ps -eo stat= | grep -c '^Z' || true").trim() == "0");
    // A single byte for each of them would be five pages; the kernel itself gives and takes one or two.
    let after = own_memory(&builder);
    assert!(after <= before + 8, "PID 1 has grown from {before} kB to {after} kB");
    assert_eq!(builder.gbsup(&["health"]).code, 0);
    builder.assert_nothing_runs();
}

/// A client that is killed leaves its command to the container, and that command its children.
#[test]
fn commands_of_killed_clients_are_reaped() {
    let mut builder = Builder::settled(&["test-quick/t4"]);
    builder.wait_waiting();
    builder.look_away();
    for _ in 0..3 {
        let mut client = std::process::Command::new("docker")
            .args(["exec", builder.name(), "bash", "-c", "sleep 300 & (sleep 300 &) ; exec sleep 300"])
            .spawn()
            .expect("docker starts");
        host_wait("it has begun", || builder.sh("pgrep -c '^sleep$' || true").trim() == "3");
        client.kill().expect("it runs");
        client.wait().expect("it was killed");
        builder.sh("pkill '^sleep$'");
        host_wait("all are gone", || builder.sh("pgrep -c '^sleep$' || true").trim() == "0");
        host_wait("no zombie is left", || builder.sh("ps -eo stat= | grep -c '^Z' || true").trim() == "0");
    }
    builder.assert_nothing_runs();
}
