//! Reaping.

use std::fs;

use nix::libc;

use crate::support::{Container, GBSUP, Setup, children, make_fifo, pid_of, wait_until, zombies};

/// Shell for `count` hundred orphans, each alive only for a moment. In Perl, since a shell reaps those of
/// its children that end before it does.
fn generate(count: u32) -> String {
    format!("perl -e 'for (1..{count}) {{ unless (fork) {{ for (1..100) {{ fork or exit }} exit }} wait }}'")
}

/// Memory of a process that belongs to it alone and to no file, in kB.
fn anonymous(pid: i32) -> u64 {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it runs");
    let line = smaps.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("the line is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A container whose script waits for a line from `$DIR/go`, says `done` when it is through, and stays.
fn gated(script: &str) -> Container {
    let setup = Setup::script(&format!("{script}; echo done; exec sleep 1000"));
    make_fifo(&setup.dir().join("go"));
    setup.start()
}

#[test]
fn twenty_thousand_orphans_leave_no_zombie_and_no_memory() {
    let (first, rest) = (generate(1), generate(199));
    let mut container = gated(&format!("{first}; echo first; read go <$DIR/go; {rest}"));
    let init = container.init();
    container.until("stdout", "first");
    wait_until("only the command is left", || children(init).len() == 1);
    let before = anonymous(init);
    fs::write(container.path("go"), "\n").expect("the other end is open");
    container.until("stdout", "done");
    wait_until("only the command is left", || children(init).len() == 1);
    assert_eq!(anonymous(init), before);
}

#[test]
fn a_backlog_of_ten_thousand_is_reaped_at_once() {
    let mut container = gated(&format!("echo ready; read go <$DIR/go; {}", generate(100)));
    let init = container.init();
    container.until("stdout", "ready");
    gbsup::sys::kill(init, libc::SIGSTOP).expect("it runs");
    fs::write(container.path("go"), "\n").expect("the other end is open");
    container.until("stdout", "done");
    assert_eq!(children(init).len(), 10_000 + 1, "they have become zombies");
    gbsup::sys::kill(init, libc::SIGCONT).expect("it runs");
    wait_until("only the command is left", || children(init).len() == 1);
}

#[test]
fn a_burst_of_two_thousand_is_reaped() {
    // All of them wait in opening the FIFO, and end when it is opened at the other end and closed.
    let script = "mkfifo $DIR/gate; i=0
        while [ $i -lt 2000 ]; do (read line <$DIR/gate &); i=$((i + 1)); done
        echo ready; read line <$DIR/go; : >$DIR/gate";
    let mut container = gated(script);
    container.until("stdout", "ready");
    let init = container.init();
    assert!(children(init).len() > 1900);
    fs::write(container.path("go"), "\n").expect("the other end is open");
    container.until("stdout", "done");
    wait_until("only the command is left", || children(init).len() == 1);
}

/// Two children that end at the same moment are one SIGCHLD.
#[test]
fn a_command_that_ends_with_an_orphan_is_not_missed() {
    for _ in 0..60 {
        let script = "bash -c 'sleep 0.01 & kill -9 $BASHPID'; sleep 0.0087";
        assert_eq!(Setup::command(&["bash", "-c", script]).run().code, 0);
    }
}

/// Says that the other tests would see zombies: without a reaper they stay.
#[test]
fn without_a_reaper_there_are_zombies() {
    let setup =
        Setup::script("exec unshare -pf --kill-child --mount-proc sh -c 'sh $DIR/orphans & exec sleep 1000'");
    // A shell reaps whatever it finds; what it has become when the orphans are made does not.
    let orphans = format!(
        "until read name </proc/1/comm && [ $name = sleep ]; do :; done; {}; echo >$DIR/done",
        generate(1)
    );
    fs::write(setup.dir().join("orphans"), orphans).expect("written");
    let mut container = setup.start();
    wait_until("the orphans were made", || container.path("done").exists());
    let unshare = container.main_child();
    let inner = children(unshare).first().copied().expect("it runs");
    // The orphans, and the shell that had them made.
    wait_until("they are zombies", || zombies(inner) == 100 + 1);
}

/// What comes in by `docker exec` has no parent in the namespace; what it leaves behind does.
#[test]
fn orphans_of_processes_from_outside_are_reaped() {
    let mut container = Setup::supervisor("exec sleep 1000").start();
    let init = container.init();
    container.main_child();
    let enter = |script: &str| {
        let mut command = std::process::Command::new("nsenter");
        command.args(["-t", &init.to_string(), "-p", "-m", "sh", "-c", script]).spawn().expect("nsenter runs")
    };
    let mut three: Vec<_> = (0..3).map(|_| enter("sleep 0.05 & sleep 0.1 & exit 0")).collect();
    for child in &mut three {
        assert!(child.wait().expect("it is our child").success());
    }
    // One more whose client is killed while it runs.
    let mut killed = enter("sleep 0.1 & exec sleep 1000");
    wait_until("it runs", || !children(pid_of(&killed)).is_empty());
    killed.kill().expect("it runs");
    killed.wait().expect("it is our child");
    wait_until("only the supervisor is left", || children(init).len() == 1);
    stays_up(&mut container);
}

fn stays_up(container: &mut Container) {
    assert!(container.runs());
    assert_eq!(container.zombies(), 0);
}

#[test]
fn not_pid_1_it_adopts_orphans_and_sweeps_only_its_own() {
    let script = format!(
        "sleep 1001 & stranger=$!
         {GBSUP} init -- sh -c '(sleep 1002 &); (sleep 1002 &); exec sleep 1003' &
         init=$!
         until [ $(pgrep -P $init -c) = 3 ]; do sleep 0.01; done; echo adopted
         kill $init; wait $init; echo $?
         pgrep -c sleep; kill -0 $stranger && echo stranger"
    );
    // The reaper above is another one, so that only adoption keeps the orphans from it.
    let ended = Setup::command(&["bash", "-c", &script]).run();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines, ["adopted", "143", "1", "stranger"], "{}", ended.stderr);
}
