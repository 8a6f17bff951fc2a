//! The job of a dead supervisor is stopped before the next supervisor starts: never two emerges.

use nix::libc;

use crate::support::{Container, Setup};

/// A supervisor whose first instance starts a job (`$DIR/job`, with its environment, in a session of
/// its own, and with the SIGINT that shells deny to what they start with `&`), does what `record` says
/// about the job file and is then ready to die. The second says which of the processes in `$DIR/pids`
/// are still there.
fn with_job(job: &str, record: &str) -> Container {
    let setup = Setup::supervisor(&format!(
        "if [ $GBSUP_RESTARTS = 0 ]; then
            SUPERVISED_JOB=0.17 env --default-signal=INT setsid sh $DIR/job &
            until grep -q ready $DIR/log; do sleep 0.01; done
            job=$!
            {record}
            echo dying >>$DIR/log
         else
            for pid in $(cat $DIR/pids); do kill -0 $pid 2>/dev/null && echo alive $pid >>$DIR/log; done
            echo second >>$DIR/log
         fi
         trap 'exit 0' TERM; while :; do sleep 0.05; done"
    ));
    std::fs::write(setup.dir().join("log"), "").expect("written");
    std::fs::write(setup.dir().join("job"), job).expect("written");
    setup.start()
}

/// What the supervisor keeps on the volume: job, pid of the leader, its start time.
const RECORD: &str = "echo 17 $job $(cut -d' ' -f22 /proc/$job/stat) >$DIR/volume/state/job";

/// Kills the supervisor when its job runs, and returns the log up to the second one.
fn second_start(mut container: Container) -> String {
    container.until("log", "dying");
    gbsup::sys::kill(container.main_child(), libc::SIGKILL).expect("it runs");
    container.until("log", "second");
    assert!(!container.path("volume/state/job").exists(), "the job file is gone");
    let log = container.read("log");
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
    log
}

/// A leader that says which signal it got, with a child that does too and one in another group.
const POLITE: &str = "
    trap 'echo leader INT >>$DIR/log; exit' INT; trap 'echo leader TERM >>$DIR/log; exit' TERM
    env --default-signal=INT sh -c 'trap \"echo child INT >>$DIR/log; exit\" INT; echo up >>$DIR/log; while :; do sleep 0.01; done' &
    echo $! >>$DIR/pids; echo $$ >>$DIR/pids
    until grep -q up $DIR/log; do sleep 0.01; done
    echo ready >>$DIR/log; while :; do sleep 0.01; done";

#[test]
fn the_job_in_the_job_file_gets_int_and_is_gone_before_the_restart() {
    let log = second_start(with_job(POLITE, RECORD));
    assert!(log.contains("leader INT") && log.contains("child INT"), "{log}");
    assert!(!log.contains("alive") && !log.contains("TERM"), "{log}");
}

#[test]
fn a_job_about_to_be_spawned_is_found_by_its_environment() {
    // As if the supervisor's own mark had been lost on the way.
    let job =
        format!("exec env -u GBSUP_RESTARTS SUPERVISED_JOB=9.17 sh -c '{}'", POLITE.replace('\'', "'\\''"));
    let log = second_start(with_job(&job, "echo 17 0 0 >$DIR/volume/state/job"));
    assert!(log.contains("leader INT") && !log.contains("alive"), "{log}");
}

#[test]
fn a_job_without_a_job_file_is_found_too() {
    let log = second_start(with_job(POLITE, ":"));
    assert!(log.contains("leader INT") && !log.contains("alive"), "{log}");
}

/// Its leader is gone, and what remains of the session has cleaned its environment.
#[test]
fn a_leaderless_session_is_found_by_its_number() {
    let job = "
        env -i --default-signal=INT DIR=$DIR sh -c 'trap \"echo rest INT >>$DIR/log; exit\" INT; echo up >>$DIR/log
            while :; do sleep 0.01; done' &
        echo $! >>$DIR/pids
        until grep -q up $DIR/log; do sleep 0.01; done
        until [ -s $DIR/volume/state/job ]; do echo ready >>$DIR/log; sleep 0.01; done";
    let record = format!("{RECORD}; wait $job");
    let log = second_start(with_job(job, &record));
    assert!(log.contains("rest INT") && !log.contains("alive"), "{log}");
}

#[test]
fn a_job_that_ignores_int_and_term_is_killed_in_about_ten_seconds() {
    let job = "
        trap '' INT; trap 'echo TERM >>$DIR/log' TERM; echo $$ >>$DIR/pids; echo ready >>$DIR/log
        while :; do sleep 0.1; done";
    let log = second_start(with_job(job, RECORD));
    assert!(log.contains("TERM") && !log.contains("alive"), "{log}");
}

/// After a restart of the container the file names processes of another life, whose pids others have.
#[test]
fn a_stale_job_file_harms_nobody() {
    let mut container = with_job("echo ready >>$DIR/log", "until [ -s $DIR/bystander ]; do sleep 0.01; done");
    let init = container.init().to_string();
    // It belongs to PID 1, as what a person has left in the background by `docker exec`.
    let script = "setsid sh -c 'echo $$ >$DIR/pid; mv $DIR/pid $DIR/bystander; exec sleep 1000' &";
    let mut command = std::process::Command::new("nsenter");
    command.args(["-t", &init, "-p", "-m", "sh", "-c", script]).env("DIR", container.path(""));
    assert!(command.status().expect("nsenter runs").success());
    container.until("log", "dying");
    let pid = container.read("bystander").trim().to_owned();
    std::fs::write(container.path("volume/state/job"), format!("16 {pid} 1\n")).expect("written");
    std::fs::write(container.path("pids"), format!("{pid}\n")).expect("written");
    let log = second_start(container);
    assert!(log.contains(&format!("alive {pid}\n")), "{log}");
}
