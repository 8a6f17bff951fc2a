//! What can be wrong with a volume: full, read-only, emptied, taken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gbsup::model::failure::{Class, Failure};
use gbsup::model::status::{Mode, Status};

use crate::support::{Builder, QUICK, Recipe, VOLUME, docker, remove};

/// A small volume in memory; it lives as long as the container runs.
fn small(world: &[&str], megabytes: u32) -> Recipe {
    let mount = format!("type=tmpfs,destination={VOLUME},tmpfs-size={megabytes}m");
    Recipe::new(world).no_volume().args(&["--mount", &mount])
}

#[track_caller]
fn failure(status: &Status) -> Failure {
    let failures = status.pause.as_ref().map(|pause| pause.failures.clone()).unwrap_or_default();
    failures.into_iter().next().unwrap_or_else(|| panic!("no failure: {}", status.headline))
}

/// Every package that was built from source, as the log on a volume in memory has it.
fn compiled(builder: &Builder) -> String {
    builder.sh(&format!("sed -n 's/.*) Compiling.*(\\([^:]*\\)::.*/\\1/p' {VOLUME}/log/emerge.log | sort"))
}

#[test]
fn full_in_the_middle_of_a_package() {
    let mut builder = small(&["test-quick/t4", "test-slow/compile"], 100).start();
    builder.wait_at("compile");
    builder.wait_for("the other is done", |status| status.progress.done == 1);
    // Up to the last byte; the package itself cannot be written any more.
    builder.sh(&format!("cat /dev/zero >{VOLUME}/ballast 2>/dev/null || true; rm /run/test/at-compile"));
    builder.go("compile");
    let status = builder.wait_paused();
    assert_eq!(failure(&status).class, Class::DiskFull, "{:#?}", status.pause);
    assert!(status.headline.contains(&format!("no space is left on {VOLUME}")), "{}", status.headline);
    assert_eq!(status.volume.free, 0);

    // Not one step further while it is so, and no busy loop either.
    builder.gbsup(&["resume"]).ok();
    let status = builder.wait_for("it is looked at", |status| status.headline.contains("is full"));
    assert_eq!((status.state, failure(&status).class), (Mode::Paused, Class::DiskFull));
    builder.gbsup(&["failures"]).ok();
    assert_eq!(builder.gbsup(&["health"]).code, 5);

    builder.sh(&format!("rm {VOLUME}/ballast"));
    builder.resume();
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, Vec::<String>::new(), "nothing of it is left");
    assert_eq!(compiled(&builder), "test-quick/t4-1\ntest-slow/compile-1\ntest-slow/compile-1\n");
    builder.gbsup(&["history"]).ok();
    builder.assert_tidy();
    assert_eq!(builder.stop().1, 0);
}

#[test]
fn full_of_logs() {
    let mut builder = small(&["test-quick/t4", "test-slow/loud"], 80)
        .file("/run/test/megabytes", "200\n")
        .config("[build]\njobs = 1\n")
        .start();
    let status = builder.wait_paused();
    assert_eq!(failure(&status).class, Class::DiskFull, "{:#?}", status.pause);
    builder.sh(&format!("rm -f {VOLUME}/log/test-slow*; echo 1 >/run/test/megabytes"));
    builder.resume();
    builder.wait_waiting();
    assert_eq!(compiled(&builder), "test-quick/t4-1\ntest-slow/loud-1\ntest-slow/loud-1\n");
    builder.assert_tidy();
}

/// Mounts the volume of a running container anew, from outside, where one may.
#[track_caller]
fn remount(builder: &Builder, how: &str) {
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", builder.name()]).ok();
    let options = format!("remount,bind,{how}");
    let mut command = Command::new("nsenter");
    command.args(["--target", pid.trim(), "--mount", "mount", "-o", &options, VOLUME]);
    let output = command.output().expect("nsenter (util-linux) starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn read_only_from_the_start() {
    let directory = Directory::new();
    let volume = format!("{}:{VOLUME}:ro", directory.0.display());
    let mut builder = Recipe::new(&["test-quick/t4"]).no_volume().args(&["--volume", &volume]).start();
    let status = builder.wait_paused();
    assert_eq!(failure(&status).class, Class::Volume);
    assert!(status.headline.contains("is mounted read-only"), "{}", status.headline);
    // A browser is told the same, and nothing of the volume.
    let ask = |path: &str| {
        builder.sh(&format!(
            "ask() {{ exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3; }}
             until said=$(ask 2>/dev/null) && [[ $said == *'paused: '* ]] || ((SECONDS > 60)); do :; done; printf '%s' \"$said\""
        ))
    };
    let page = ask("/api/v1/status");
    assert!(page.contains("200 OK") && page.contains(&status.headline), "{page}");
    let index = ask("/binpkgs/Packages");
    assert!(index.contains(" 503 ") && index.contains(&status.headline), "{index}");
    builder.gbsup(&["resume"]).ok();
    let refused = |status: &Status| status.state == Mode::Paused;
    builder.wait_for("it was looked at again", refused);
    builder.gbsup(&["sync"]).exited(4);
    builder.gbsup(&["history"]);
    assert!(fs::read_dir(&directory.0).expect("it is there").next().is_none(), "nothing was written");
    assert_eq!(builder.stop().1, 0);
    builder.start();
    builder.wait_paused();
    remount(&builder, "rw");
    builder.gbsup(&["resume"]).ok();
    builder.wait_for("the volume is taken", |status| status.state == Mode::Running);
    builder.wait_waiting();
    builder.assert_tidy();
}

/// Removes everything on the volume, from outside and through a container, since root's files are in it.
fn empty(builder: &Builder) {
    // The builder may write a file into a directory while that is being emptied.
    let emptied = format!("find {VOLUME} -mindepth 1 -delete");
    builder.sh(&format!("{emptied} 2>/dev/null || {emptied}"));
}

#[test]
fn emptied_while_it_waits() {
    let mut builder = Builder::settled(&["test-quick/t4", "test-quick/t5"]);
    builder.wait_waiting();
    assert_eq!(builder.packages().len(), 2);
    empty(&builder);
    builder.wait_for("it is said", |status| !status.warnings.is_empty());
    builder.gbsup(&["status"]).ok();
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, Vec::<String>::new());
    assert_eq!(builder.packages().len(), 2, "what is installed is packaged again");
    // Flag files work as before.
    fs::write(builder.on_volume("control/sync"), "").expect("it can be written");
    builder.wait_cycle(3);
    builder.wait_waiting();
    builder.assert_tidy();
}

#[test]
fn emptied_in_the_middle_of_a_build() {
    let mut builder = Builder::with_world(&["test-quick/t4", "test-slow/compile"]);
    builder.wait_at("compile");
    builder.wait_for("the other is done", |status| status.progress.done == 1);
    empty(&builder);
    builder.go("compile");
    let status = builder.wait_paused();
    assert_eq!(failure(&status).class, Class::Volume, "{:#?}", status.pause);
    assert!(status.headline.contains("were removed"), "{}", status.headline);
    builder.resume();
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, Vec::<String>::new());
    assert_eq!(builder.packages().len(), 2, "what is installed is packaged again");
    builder.gbsup(&["history"]).ok();
    builder.assert_tidy();
}

#[test]
fn two_builders() {
    let world = [QUICK, &["test-slow/compile"]].concat();
    let mut first = Builder::with_world(&world);
    first.wait_at("compile");
    first.wait_for("the others are done", |status| status.progress.done == 4);
    let mut second = Recipe::beside(&first).world(&world).start();
    let status = second.wait_paused();
    assert_eq!(failure(&status).class, Class::Volume);
    let held = format!("in use by another builder (container {}", first.name());
    assert!(status.headline.contains(&held), "{}", status.headline);
    assert!(status.pause.is_some_and(|pause| pause.actions.iter().any(|a| a.contains(first.name()))));
    second.gbsup(&["sync"]).exited(4);
    second.gbsup(&["resume"]).ok();
    let status = second.wait_for("it has looked again", |status| status.state == Mode::Paused);
    assert!(status.headline.contains(&held), "{}", status.headline);
    assert!(second.emerges().is_empty(), "it keeps its hands off: {:?}", second.emerges());
    assert_eq!(first.status().state, Mode::Running, "the first is not disturbed");

    let before = first.packages();
    first.kill();
    second.gbsup(&["resume"]).ok();
    second.wait_for("the volume is taken", |status| status.state == Mode::Running);
    second.wait_at("compile");
    second.go("compile");
    let status = second.wait_waiting();
    assert_eq!((status.progress.binary, status.progress.source), (4, 1), "{}", status.headline);
    for (package, inode) in &before {
        assert_eq!(second.packages().get(package), Some(inode), "{package} was made anew");
    }
    second.assert_tidy();
}

/// A file where a directory should be, and a directory where a file should be.
#[test]
fn something_in_the_way() {
    let mut builder = Recipe::new(&["test-quick/t4"]).create();
    fs::write(builder.on_volume("state"), "precious").expect("it can be written");
    builder.start();
    let status = builder.wait_paused();
    assert_eq!(failure(&status).class, Class::Volume);
    assert!(status.headline.contains("state is not a directory"), "{}", status.headline);
    builder.sh(&format!("rm {VOLUME}/state; touch {VOLUME}/binpkgs"));
    builder.gbsup(&["resume"]).ok();
    let status = builder.wait_for("the next thing is found", |status| status.headline.contains("binpkgs"));
    assert_eq!((status.state, failure(&status).class), (Mode::Paused, Class::Volume));
    builder.sh(&format!("rm {VOLUME}/binpkgs"));
    builder.resume();
    builder.wait_waiting();
    builder.assert_tidy();
}

/// A directory of this machine for a mount that the harness does not make.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = tempfile::Builder::new().prefix("volume-").tempdir_in(parent);
        Self(made.expect("a directory for the volume").keep())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

#[test]
fn packages_that_go_elsewhere_are_offered_to_nobody() {
    let mut builder = Recipe::settled(&["test-quick/t4"]).start();
    builder.wait_waiting();
    let releases = |builder: &Builder| builder.gbsup(&["releases"]).ok().lines().count();
    assert_eq!(releases(&builder), 1);
    let conf = "/etc/portage/make.conf/zz-gbsup.conf";
    builder.sh(&format!("sed -i 's:/binpkgs\":/elsewhere\":' {conf}"));
    builder.tree(&["bump", "test-quick/t4", "1", "2", ""]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    let warning = format!(
        "PKGDIR is {VOLUME}/elsewhere, and clients are offered only what is in {VOLUME}/binpkgs: set it in make.conf"
    );
    assert!(status.warnings.contains(&warning), "{:?}", status.warnings);
    assert_eq!(releases(&builder), 1, "the old one, which is good, stays");

    builder.sh(&format!(
        "sed -i 's:/elsewhere\":/binpkgs\":' {conf}
         cd {VOLUME} && cp -a elsewhere/test-quick binpkgs/ && rm -r elsewhere && emaint --fix binhost"
    ));
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(3);
    assert_eq!(builder.wait_waiting().warnings, Vec::<String>::new());
    assert_eq!(releases(&builder), 2);
    builder.assert_tidy();
}
