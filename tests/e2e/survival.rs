//! What dies, hangs, is frozen or is replaced under a build, and how it goes on.

use std::os::unix::fs::FileExt;

use gbsup::model::status::Mode;

use crate::support::{Builder, QUICK, Recipe, Slot, docker, host_wait};

/// Kills the supervisor as a defect or the kernel short of memory would.
fn kill_supervisor(builder: &Builder) {
    builder.sh("kill -KILL $(pgrep -f '^gbsup: supervisor')");
}

#[test]
fn a_supervisor_that_dies_takes_its_job_along_and_goes_on() {
    // One at a time, so that nothing but the slow one is in work when it happens.
    let world = [QUICK, &["test-slow/compile"]].concat();
    let mut builder = Recipe::new(&world).config("[build]\njobs = 1\n").start();
    builder.wait_at("compile");
    builder.sh("rm /run/test/at-compile");
    kill_supervisor(&builder);
    builder.wait_at("compile");
    assert!(builder.is_running());
    // Of the old build nothing is left; of the new one there is one.
    let builds = builder.sh("pgrep -c -f 'ebuild.sh compile' || true");
    let emerges = builder.emerges();
    assert_eq!(emerges.len(), 2, "{emerges:?}, and {builds} builds");
    builder.go("compile");
    let status = builder.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(1), "the cycle goes on");
    assert!(builder.logs().contains("supervisor died by signal 9"), "{}", builder.logs());
    let mut compiled = builder.compiled();
    compiled.retain(|package| package != "test-slow/compile-1");
    compiled.sort();
    assert_eq!(compiled, ["test-quick/t1-1", "test-quick/t2-1", "test-quick/t3-1", "test-quick/t4-1"]);
    builder.assert_tidy();
    builder.assert_nothing_runs();
}

/// It says which postinst has failed when it ends, so a person was never told; the package is installed, and no plan has it.
#[test]
fn what_a_killed_emerge_did_not_say_is_told() {
    let world = ["test-fail/broken-postinst", "test-slow/compile"];
    let mut builder = Recipe::new(&world).config("[build]\njobs = 1\n").start();
    builder.wait_at("compile");
    builder.sh("pkill -KILL -o -f 'emerge .*--keep-going'");
    let status = builder.wait_paused();
    let words = "emerge was killed by signal 9; in work was test-slow/compile-1";
    assert!(status.headline.contains(words), "{}", status.headline);
    builder.go("compile");
    builder.resume();
    let status = builder.wait_paused();
    let words = "test-fail/broken-postinst-1 failed in postinst: the bell does not ring";
    assert!(status.headline.contains(words), "{}", status.headline);
    assert!(builder.has("test-slow/compile-1"), "what can be built is built");
}

#[test]
fn a_supervisor_that_keeps_dying_is_let_lie_and_init_answers() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    builder.look_away();
    for death in 1..=5 {
        kill_supervisor(&builder);
        let said = match death {
            5 => "degraded: the supervisor keeps dying".to_owned(),
            _ => format!("death {death} of 5"),
        };
        Slot::lend(|| host_wait(&said, || builder.logs().contains(&said)));
        if death < 5 {
            builder.wait_for("the next one answers", |status| status.state == Mode::Waiting);
            builder.look_away();
        }
    }
    let status = builder.wait_for("init answers", |status| status.state == Mode::Degraded);
    assert!(status.headline.contains("gbsup resume"), "{}", status.headline);
    builder.gbsup(&["health"]).exited(5);
    builder.gbsup(&["sync"]).exited(4);
    builder.gbsup(&["resume"]).ok();
    builder.wait_for("the supervisor is back", |status| status.state == Mode::Waiting);
    assert_eq!(builder.stop().1, 0);
}

/// The supervisor's pid on this machine.
fn supervisor(builder: &Builder) -> String {
    let init = builder.pid();
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).expect("it runs");
    let is_it = |pid: &&str| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"gbsup: supervisor"))
    };
    children.split_whitespace().find(is_it).expect("the supervisor is a child of init").to_owned()
}

#[test]
fn a_supervisor_that_is_stopped_goes_on_with_its_build() {
    let mut builder = Builder::with_world(&["test-slow/compile"]);
    builder.wait_at("compile");
    builder.look_away();
    builder.sh("kill -STOP $(pgrep -f '^gbsup: supervisor')");
    let said = builder.gbsup(&["status"]);
    assert!(
        said.err.contains("it is stopped, and init tells it to go on in a minute at most"),
        "{}",
        said.err
    );
    said.exited(3);
    assert!(builder.logs().contains("the supervisor was stopped by signal 19"), "{}", builder.logs());
    let status = Slot::lend(|| builder.wait_for("it goes on", |status| !status.warnings.is_empty()));
    assert!(status.warnings[0].contains("was stopped for a while and goes on"), "{:?}", status.warnings);
    assert_eq!(status.state, Mode::Running);
    builder.go("compile");
    builder.wait_waiting();
    assert_eq!(builder.emerges().len(), 1, "{:?}", builder.emerges());
    let logs = builder.logs();
    assert!(logs.contains("gbsup[1]: the supervisor goes on") && !logs.contains("death"), "{logs}");
    builder.signal("USR1");
    builder.wait_cycle(2);
    assert_eq!(builder.wait_waiting().warnings, [""; 0]);
    builder.assert_tidy();
}

/// `pause(2)`, and a jump back to it: mov eax, 34; syscall; jmp -9.
#[cfg(target_arch = "x86_64")]
const PAUSES: &[u8] = &[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
/// The same by `ppoll(2)` of nothing: mov x0 to x3, 0; mov x8, 73; svc 0; b -24.
#[cfg(target_arch = "aarch64")]
const PAUSES: &[u8] = &[
    0, 0, 0x80, 0xd2, 1, 0, 0x80, 0xd2, 2, 0, 0x80, 0xd2, 3, 0, 0x80, 0xd2, 0x28, 9, 0x80, 0xd2, 1, 0, 0,
    0xd4, 0xfa, 0xff, 0xff, 0x17,
];

/// Makes the supervisor's loop wait for ever: where it waits for what comes next, it finds a wait that only a signal ends, and then
/// the same again. It could as well turn on the spot, but for that the tests beside it would pay.
fn hang(builder: &Builder) {
    let pid = supervisor(builder);
    // Busy with something, it shows nothing of it.
    host_wait("the supervisor waits", || {
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).expect("this is root");
        let next = call
            .split_whitespace()
            .last()
            .and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
        let memory = std::fs::File::options().write(true).open(format!("/proc/{pid}/mem"));
        next.is_some_and(|next| memory.expect("this is root").write_all_at(PAUSES, next).is_ok())
    });
}

#[test]
fn a_supervisor_that_hangs_is_started_again_and_goes_on() {
    let mut builder =
        Recipe::new(&["test-quick/t1", "test-slow/compile"]).config("[build]\njobs = 1\n").start();
    builder.wait_at("compile");
    builder.sh("rm /run/test/at-compile");
    builder.look_away();
    hang(&builder);
    let said = builder.gbsup(&["status"]);
    assert!(said.err.contains("init was told, and starts it again if"), "{}", said.err);
    said.exited(3);
    let hung = "supervisor hung and gave no sign of life for a minute, and was killed";
    Slot::lend(|| host_wait("init notices", || builder.logs().contains(hung)));
    builder.wait_at("compile");
    // Of the old build nothing is left; of the new one there is one.
    let emerges = builder.emerges();
    assert_eq!(emerges.len(), 2, "{emerges:?}");
    assert_eq!(builder.sh("pgrep -c -f '^python /usr/bin/emerge'"), "1\n");
    builder.go("compile");
    let status = builder.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(1), "the cycle goes on");
    assert!(status.warnings.iter().any(|warning| warning.contains(hung)), "{:?}", status.warnings);
    let mut compiled = builder.compiled();
    compiled.retain(|package| package != "test-slow/compile-1");
    assert_eq!(compiled, ["test-quick/t1-1"]);

    // While it waits, a signal that is not taken is enough.
    builder.look_away();
    hang(&builder);
    builder.signal("USR1");
    let hung = "supervisor hung and gave no sign of life for a minute after signal 10, and was killed";
    Slot::lend(|| host_wait("init notices", || builder.logs().contains(hung)));
    builder.wait_for("it waits again", |status| status.warnings.iter().any(|warning| warning.contains(hung)));
    builder.assert_nothing_runs();
    builder.assert_tidy();
}

/// A frozen copy of a paused builder, run with the same volume, is the same builder.
#[test]
fn a_snapshot_of_a_paused_builder_goes_on() {
    let mut first = Builder::settled(&["test-quick/t1", "test-fail/broken"]);
    let paused = first.wait_paused();
    let snapshot = Snapshot::of(&first);
    let recipe = Recipe::beside(&first).image(&snapshot.0);
    first.remove();
    let mut second = recipe.start();
    let status = second.wait_paused();
    assert_eq!((status.headline, status.since), (paused.headline, paused.since));
    assert!(second.has("test-quick/t1-1"));
    second.repair();
    second.resume();
    let status = second.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(1), "the same cycle goes on");
    // The first two were built side by side.
    let mut compiled = second.compiled();
    compiled.sort();
    assert_eq!(compiled, ["test-fail/broken-1", "test-fail/broken-1", "test-quick/t1-1"]);
    second.assert_tidy();
}

/// An image that is removed with the test.
struct Snapshot(String);

impl Snapshot {
    fn of(builder: &Builder) -> Self {
        let image = format!("{}-snapshot", builder.name());
        docker(&["commit", builder.name(), &image]).ok();
        Self(image)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        docker(&["rmi", "--force", &self.0]);
    }
}

/// `make recreate`: another container, the old volume. Also while the old cycle had failed.
#[test]
fn a_new_container_takes_what_the_volume_has() {
    let world = [QUICK, &["test-fail/broken"]].concat();
    let mut first = Builder::with_world(&world);
    first.wait_paused();
    let (packages, compiled) = (first.packages(), first.compiled());
    let recipe = Recipe::beside(&first).world(&world);
    first.kill();
    first.remove();
    let mut second = recipe.file("/etc/gbsup-test/repaired", "").start();
    let status = second.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| (cycle.id, cycle.reason)), Some((2, "new-root".to_owned())));
    assert_eq!((status.progress.binary, status.progress.source), (4, 1));
    assert_eq!(second.compiled()[compiled.len()..], ["test-fail/broken-1"]);
    for (package, inode) in packages {
        assert_eq!(second.packages().get(&package), Some(&inode), "{package} was made anew");
    }
    // A new container brings its own tree, but a loop of them shall not hammer the mirror.
    assert!(!second.steps(2).contains(&"sync".to_owned()));
    second.assert_tidy();
}
