//! `gbsup init -- COMMAND`: exit codes, and what the command starts with.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::libc;

use crate::support::{Container, Process, Setup, code, signals, wait_until};

#[test]
fn every_exit_code_is_passed_on() {
    for wanted in 0..=255 {
        assert_eq!(Setup::script(&format!("exit {wanted}")).run().code, wanted);
    }
}

#[test]
fn a_signalled_command_is_128_and_the_signal() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGKILL, libc::SIGSEGV, libc::SIGTERM, 37] {
        let script = format!("kill -{signal} $$; sleep 1000");
        assert_eq!(Setup::script(&script).run().code, 128 + signal);
    }
}

#[test]
fn a_missing_command_is_127() {
    let ended = Setup::command(&["no-such-command"]).run();
    assert_eq!(ended.code, 127);
    assert_eq!(
        ended.stderr,
        "gbsup[1]: cannot start no-such-command: No such file or directory (os error 2)\n"
    );
    assert_eq!(Setup::command(&["/no/such/command"]).run().code, 127);
}

#[test]
fn a_command_that_is_not_executable_is_126() {
    for path in ["/etc/passwd", "/etc"] {
        assert_eq!(Setup::command(&[path]).run().code, 126, "{path}");
    }
}

#[test]
fn wrong_usage_is_2_and_explained() {
    for args in [&["init", "--"][..], &["init", "nonsense"]] {
        let output = std::process::Command::new(crate::support::GBSUP).args(args).output().expect("it runs");
        assert_eq!(code(output.status), 2);
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: gbsup init"), "{args:?}");
    }
}

#[test]
fn a_command_keeps_stdin_directory_and_arguments() {
    let mut input = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut input, b"hello\n").expect("written");
    std::io::Seek::rewind(&mut input).expect("rewound");
    let setup = Setup::command(&["sh", "-c", "cat; pwd; echo \"$1\"", "sh", "a  b"]);
    let stdout = File::create(setup.dir().join("stdout")).expect("created");
    let ended = setup.stdio(input.into(), stdout.into(), Stdio::inherit()).run();
    let directory = std::env::current_dir().expect("there is one");
    assert_eq!(ended.stdout, format!("hello\n{}\na  b\n", directory.display()));
}

/// The parent of PID 1 blocks TERM, USR1 and CHLD and ignores HUP, INT and PIPE, and a descriptor
/// has leaked.
const SLOPPY: [&str; 4] = [
    "bash",
    "-c",
    "exec 7</etc/passwd; exec env --block-signal=TERM,USR1,CHLD --ignore-signal=HUP,INT,PIPE \"$@\"",
    "bash",
];

#[test]
fn a_command_has_clean_signals_whatever_was_inherited() {
    let look = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    let ended = Setup::command(&look).through(&SLOPPY).run();
    assert_eq!(ended.stdout, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[test]
fn a_command_has_three_descriptors_whatever_was_inherited() {
    let look = "fd=0; while [ $fd -lt 64 ]; do [ -e /proc/$$/fd/$fd ] && echo $fd; fd=$((fd + 1)); done";
    assert_eq!(Setup::script(look).through(&SLOPPY).run().stdout, "0\n1\n2\n");
}

#[test]
fn init_itself_lets_go_of_what_it_inherited() {
    let mut container = Setup::command(&["sleep", "1000"]).through(&SLOPPY).start();
    container.main_child();
    let init = container.init();
    assert_eq!(signals(init, "SigBlk").iter().count(), 0);
    // While it starts the command there is the pipe on which a failure would be reported, too.
    wait_until("0 to 2 and a pipe are open", || open_files(init) == 3 + 2);
    wait_until("it has left its directory", || {
        fs::read_link(format!("/proc/{init}/cwd")).is_ok_and(|cwd| cwd == Path::new("/"))
    });
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 128 + libc::SIGTERM);
}

#[test]
fn it_shows_what_it_is() {
    let mut container = Setup::command(&["sleep", "1000"]).start();
    container.main_child();
    let init = container.init();
    assert_eq!(fs::read_to_string(format!("/proc/{init}/comm")).unwrap(), "gbsup: init\n");
    let arguments = fs::read_to_string(format!("/proc/{init}/cmdline")).unwrap();
    assert_eq!(arguments.trim_end_matches('\0'), "gbsup: init");
}

#[test]
fn a_command_leads_a_process_group() {
    let mut container = Setup::command(&["sleep", "1000"]).start();
    let command = container.main_child();
    let process = Process::read(command).expect("it runs");
    assert_eq!(process.group, command);
}

#[test]
fn init_sleeps_while_nothing_happens() {
    let mut container = Setup::command(&["sleep", "1000"]).start();
    no_wake_ups(&mut container);
}

#[test]
fn init_sleeps_while_the_supervisor_runs() {
    let mut container = Setup::supervisor("exec sleep 1000").start();
    no_wake_ups(&mut container);
}

/// A second is long enough to see polling; the benchmark looks longer.
fn no_wake_ups(container: &mut Container) {
    let init = container.init();
    container.main_child();
    // The end of its start is a wake-up too.
    let mut before = String::new();
    wait_until("init has settled", || {
        before = switches(init);
        std::thread::sleep(Duration::from_millis(300));
        switches(init) == before
    });
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(switches(init), before);
}

/// How often a process has gone to sleep by itself.
fn switches(pid: i32) -> String {
    crate::support::status_line(pid, "voluntary_ctxt_switches").expect("it runs")
}

fn open_files(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("readable").count()
}
