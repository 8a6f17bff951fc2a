//! Flag files, touched from the host side of the volume.

use std::fs;

use gbsup::model::status::{Mode, Why};

use crate::support::{Builder, host_wait};

fn touch(builder: &Builder, name: &str) {
    fs::write(builder.on_volume("control").join(name), "").expect("a flag file");
}

#[track_caller]
fn assert_taken(builder: &Builder, name: &str) {
    let flag = builder.on_volume("control").join(name);
    host_wait(&format!("{name} is taken"), || !flag.exists());
}

#[test]
fn sync_resume_and_stop_are_taken_and_removed() {
    let mut builder = Builder::settled(&["test-quick/t1", "test-fail/broken"]);
    builder.wait_paused();
    builder.repair();
    touch(&builder, "resume");
    builder.wait_for("it goes on", |status| status.state == Mode::Running);
    builder.wait_waiting();
    assert_taken(&builder, "resume");

    touch(&builder, ".resume.swp");
    touch(&builder, "restart");
    touch(&builder, "sync");
    builder.wait_cycle(2);
    builder.wait_waiting();
    assert_taken(&builder, "sync");
    let logs = builder.logs();
    assert!(logs.contains("control/restart means nothing"), "{logs}");
    assert!(!logs.contains("resume.swp"));
    builder.assert_tidy();

    touch(&builder, "stop");
    assert_eq!(builder.wait_exit(), 0);
    assert_taken(&builder, "stop");
}

#[test]
fn pause_holds_while_it_is_there_and_a_sync_stays_pending() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    touch(&builder, "pause");
    let status = builder.wait_paused_by_operator();
    assert!(status.headline.contains("control/pause"), "{}", status.headline);
    builder.gbsup(&["health"]).ok();

    touch(&builder, "sync");
    let status = builder.wait_for("the sync is pending", |status| status.pending == ["sync"]);
    assert_eq!(status.state, Mode::Paused);
    assert!(builder.gbsup(&["resume"]).exited(4).contains("control/pause"));
    builder.signal("USR1");
    builder.signal("USR2");
    // It outlives the container's restart.
    assert_eq!(builder.stop().1, 0);
    builder.start();
    let status = builder.wait_paused_by_operator();
    assert_eq!(status.pending, ["sync"]);
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(1));

    fs::remove_file(builder.on_volume("control/pause")).expect("it is there");
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(status.pending.len(), 0);
    assert!(builder.steps(3).is_empty());
}

#[test]
fn pause_while_building_lets_the_step_end_and_its_removal_goes_on() {
    let mut builder = Builder::with_world(&["test-slow/compile"]);
    builder.wait_at("compile");
    touch(&builder, "pause");
    let status = builder.wait_for("it is seen", |status| {
        status.warnings.iter().any(|warning| warning.contains("control/pause"))
    });
    assert_eq!(status.state, Mode::Running);
    builder.go("compile");
    let status = builder.wait_paused_by_operator();
    assert_eq!(status.step, "rebuild", "the step that comes next");
    assert!(builder.has("test-slow/compile-1"));
    fs::remove_file(builder.on_volume("control/pause")).expect("it is there");
    builder.wait_for("it goes on", |status| status.state == Mode::Running);
    builder.wait_waiting();
    assert_eq!(builder.compiled(), ["test-slow/compile-1"]);
}

#[test]
fn an_entry_that_cannot_be_taken_is_told_and_the_others_are_honoured() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    fs::create_dir(builder.on_volume("control/resume")).expect("a directory");
    touch(&builder, "sync");
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    let warning = "the flag /var/lib/gbsup/control/resume is a directory and no file, so it is not followed: \
                   rmdir /var/lib/gbsup/control/resume";
    assert_eq!(status.warnings, [warning]);
    fs::remove_dir(builder.on_volume("control/resume")).expect("it is there");
    let status = builder.wait_for("it is over", |status| status.warnings.is_empty());
    assert_eq!(status.state, Mode::Waiting);
}

/// A flag file that was there before the builder.
#[test]
fn a_pause_flag_holds_the_very_first_step() {
    let recipe = crate::support::Recipe::new(&["test-quick/t1"]);
    let mut builder = recipe.create();
    fs::create_dir_all(builder.on_volume("control")).expect("the volume is ours");
    touch(&builder, "pause");
    builder.start();
    let status = builder.wait_paused_by_operator();
    assert_eq!(status.pause.map(|pause| pause.why), Some(Why::Operator));
    assert!(builder.steps(1).is_empty(), "nothing ran");
    fs::remove_file(builder.on_volume("control/pause")).expect("it is there");
    builder.wait_for("it goes on", |status| status.state == Mode::Running);
    builder.wait_waiting();
}
