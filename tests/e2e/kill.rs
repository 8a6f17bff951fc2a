//! SIGKILL to the whole container, twenty times in the course of a build: whatever the moment, the
//! next start repairs what is left and goes on, and nothing that was finished is built again.
//!
//! `GBSUP_TEST_SEED` repeats a run as far as the machine allows.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{Builder, Packages, Random, Recipe, catch};

const WORLD: &[&str] = &[
    "test-quick/t1",
    "test-quick/t2",
    "test-quick/t3",
    "test-quick/t4",
    "test-quick/t5",
    "test-quick/t6",
    "test-quick/t7",
    "test-quick/t8",
    "test-slow/files",
];
/// Of those, the ones that get new versions when everything is built.
const BUMPED: &[&str] = &["test-quick/t4", "test-quick/t5"];
/// How often each kind of moment comes.
const TIMES: usize = 2;

/// When to kill.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// Some time after the start.
    Start,
    /// This program was called, for the first time since the start (see [`HELD`] and [`HELD_PYTHON`]).
    Held(&'static str),
    /// The log of Portage got a line with these words.
    Said(&'static str),
}

const MOMENTS: &[Moment] = &[
    Moment::Start,
    // The preflight.
    Moment::Held("portageq"),
    // The sync.
    Moment::Held("emaint"),
    Moment::Said("  *** emerge "),
    Moment::Said(") Compiling/"),
    // A binary package has been begun.
    Moment::Held("zstd"),
    // The index is written and has not got its name.
    Moment::Held("index"),
    Moment::Said(") Merging ("),
    Moment::Said(") Post-Build Cleaning"),
    Moment::Said("::: completed emerge"),
];

/// In place of a program: where `hold` on the volume names it, it says so and begins when `hold` is gone. So whoever kills it after that
/// has met it for certain.
const HELD: &str = r#"#!/bin/bash
name=${0##*/} volume=/var/lib/gbsup
case "$name $1" in 'zstd -d' | 'emaint --'*) ;; *)
    if [ "$(cat $volume/hold 2>/dev/null)" = "$name" ]; then
        touch $volume/held
        while [ -e $volume/hold ]; do sleep 0.01; done
    fi ;;
esac
for place in /usr/bin /usr/sbin; do
    [ ! -x $place/$name ] || exec $place/$name "$@"
done
"#;
/// The same for Portage that gives the index its name.
const HELD_PYTHON: &str = r#"
import os, sys, time
volume = "/var/lib/gbsup/"
def hold(event, args):
    if event == "os.rename" and os.fsdecode(args[1]) == volume + "binpkgs/Packages" and os.path.exists(volume + "hold"):
        with open(volume + "hold") as wanted:
            if wanted.read() != "index":
                return
        open(volume + "held", "w").close()
        while os.path.exists(volume + "hold"):
            time.sleep(0.01)
sys.addaudithook(hold)
"#;

/// The phase on the volume.
fn phase(builder: &Builder) -> serde_json::Value {
    let state = fs::read(builder.on_volume("state/state.json")).unwrap_or_default();
    let mut state: serde_json::Value = serde_json::from_slice(&state).unwrap_or_default();
    state["phase"].take()
}

fn emerge_log(builder: &Builder) -> String {
    let log = fs::read(builder.on_volume("log/emerge.log")).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}

/// The packages that were finished are there, each once, and the same as before.
#[track_caller]
fn assert_kept(builder: &Builder, finished: &Packages) {
    let now = builder.packages();
    for (package, inode) in finished {
        assert_eq!(now.get(package), Some(inode), "{package} was lost or made anew");
    }
}

/// The whole world is there, with the newest versions.
#[track_caller]
fn assert_installed(builder: &Builder, version: usize) {
    for atom in WORLD {
        let version = if BUMPED.contains(atom) { version } else { 1 };
        assert!(builder.has(&format!("{atom}-{version}")), "{atom}-{version} is not installed");
    }
}

/// Lets the container run up to the moment, and somewhat longer, and kills it. With `news`, the version that is newest and the one
/// that shall be, there is something new to build first.
fn kill_at(builder: &mut Builder, moment: Moment, random: &mut Random, news: Option<(usize, usize)>) {
    let [hold, met, pause, sync] =
        ["hold", "held", "control/pause", "control/sync"].map(|name| builder.on_volume(name));
    let (before, said_before) = (phase(builder), emerge_log(builder).len());
    // No step begins before the tree is as it shall be.
    fs::create_dir_all(builder.on_volume("control")).expect("a directory");
    fs::write(&pause, "").expect("a flag");
    builder.start();
    builder.wait_paused_by_operator();
    builder.look_away();
    if let Some((old, new)) = news {
        for package in BUMPED {
            builder.tree(&["bump", package, &old.to_string(), &new.to_string()]);
        }
    }
    if let Moment::Held(name) = moment {
        fs::write(&hold, name).expect("it can be written");
    }
    if news.is_some() || moment == Moment::Held("emaint") {
        // A cycle that was cut short goes on after its sync.
        fs::write(&sync, "").expect("a flag");
    }
    let pid = builder.pid();
    fs::remove_file(&pause).expect("it is there");
    let started = Instant::now();
    let delay = match moment {
        Moment::Start => Duration::from_secs(5),
        Moment::Held("zstd") => Duration::from_millis(20),
        Moment::Held("index") => Duration::from_millis(2),
        _ => Duration::from_millis(700),
    };
    let delay =
        Duration::from_micros(random.below(u32::try_from(delay.as_micros()).unwrap_or(u32::MAX)).into());
    let has_come = || match moment {
        Moment::Start => true,
        Moment::Held(_) => met.exists(),
        Moment::Said(words) => emerge_log(builder).get(said_before..).is_some_and(|new| new.contains(words)),
    };
    let over = || {
        let phase = phase(builder);
        phase["waiting"] != serde_json::Value::Null && phase != before
    };
    catch("the moment has come", has_come, over);
    assert!(has_come(), "all was over before {moment:?}");
    drop(fs::remove_file(&hold));
    std::thread::sleep(delay);
    println!("{moment:?} and {delay:?}, {:?} after the start", started.elapsed());
    assert_eq!(builder.kill_now(pid), 137);
    drop(fs::remove_file(&met));
}

#[test]
fn at_twenty_moments_it_goes_on_and_loses_nothing() {
    let mut random = Random::from_environment();
    let mut recipe = Recipe::new(WORLD)
        .config("[sync]\nmin_interval = \"1s\"\nretries = [\"1s\"]\n")
        .file("/run/test/files", "3000\n")
        .file("/etc/python3.11/sitecustomize.py", HELD_PYTHON);
    for program in ["portageq", "emaint", "zstd"] {
        recipe = recipe.executable(&format!("/usr/local/bin/{program}"), HELD);
    }
    let mut builder = recipe.create();
    let mut version = 1;
    let mut finished = Packages::new();
    for moment in random.shuffled(MOMENTS.repeat(TIMES)) {
        // Where everything is built, most moments come with something new alone.
        let is_all_built = finished.len() == WORLD.len() + BUMPED.len() * (version - 1);
        kill_at(&mut builder, moment, &mut random, is_all_built.then_some((version, version + 1)));
        version += usize::from(is_all_built);
        assert_kept(&builder, &finished);
        finished = builder.packages();
    }
    builder.start();
    builder.wait_waiting();
    assert_kept(&builder, &finished);
    assert_installed(&builder, version);
    // Built a second time a package would have the next build number.
    let all = builder.packages();
    let again: Vec<_> = all.keys().filter(|package| !package.ends_with("-1.gpkg.tar")).collect();
    assert!(again.is_empty(), "built twice: {again:?}");
    assert_eq!(all.len(), WORLD.len() + BUMPED.len() * (version - 1), "{all:?}");
    let logs = builder.logs();
    assert!(!logs.contains("damaged"), "a file was not whole: {logs}");
    builder.assert_tidy();
    builder.gbsup(&["history"]).ok();
}

const OWNER: &str = r#"EAPI=8
inherit test-control
DESCRIPTION="Owns a file"
SLOT="0"
src_install() {
	test_file
}
"#;
const TAKER: &str = r#"EAPI=8
inherit test-control
DESCRIPTION="Installs a file of test-quick/owner if it is told to"
SLOT="0"
IUSE="take"
src_install() {
	test_file
	use take && echo taken >"${ED}"/usr/share/gbsup-test/owner
}
"#;

/// The package is recorded as installed before its `pkg_postinst` runs, so no build would look at it
/// again. The work directory of a rebuild that Portage refused looks much the same.
#[test]
fn a_merge_that_was_cut_short_after_the_record_is_made_whole() {
    let mut builder = Recipe::new(&["test-slow/postinst", "test-quick/owner", "test-quick/taker"])
        .config("[build]\njobs = 1\n")
        .in_tree("test-quick/owner/owner-1.ebuild", OWNER)
        .in_tree("test-quick/taker/taker-1.ebuild", TAKER)
        .start();
    builder.wait_at("postinst");
    assert!(builder.has("test-slow/postinst-1"));
    builder.sh("rm /run/test/at-postinst");
    builder.kill();
    let before = builder.packages();
    builder.start();
    builder.wait_at("postinst");
    builder.go("postinst");
    let status = builder.wait_waiting();
    assert_eq!(status.progress.failed, 0, "{}", status.headline);
    let logs = builder.logs();
    assert!(logs.contains("test-slow/postinst-1 was merged again"), "{logs}");
    for (package, inode) in before {
        assert_eq!(builder.packages().get(&package), Some(&inode), "{package} was made anew");
    }
    let times = |builder: &Builder, package| builder.compiled().iter().filter(|&one| one == package).count();
    assert_eq!(times(&builder, "test-slow/postinst-1"), 1);
    builder.assert_tidy();

    // A rebuild that is refused is not merged over what is there, whatever is asked for.
    builder.sh(
        "mkdir -p /etc/portage/package.use /var/tmp/portage/test-quick/owner-1/work && \
         echo 'test-quick/taker take' >/etc/portage/package.use/take && touch /var/tmp/portage/test-quick/owner-1/work/notes",
    );
    let owned = |builder: &Builder| {
        let files = "/usr/share/gbsup-test/owner /var/tmp/portage/test-quick/owner-1/work/notes";
        assert_eq!(builder.sh(&format!("cat {files}")), "owner-1 was here\n");
    };
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    for attempt in 1..=2 {
        let status = builder.wait_paused();
        assert!(status.headline.contains("belongs to test-quick/owner-1"), "{}", status.headline);
        owned(&builder);
        assert_eq!(times(&builder, "test-quick/taker-1"), 2, "once as it was and once as it is wanted");
        if attempt == 1 {
            builder.resume();
        }
    }
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(3);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("test-quick/taker-1 still failing"), "{}", status.headline);
    owned(&builder);
    assert_eq!(
        builder.emerges().iter().filter(|emerge| emerge.contains("taker")).count(),
        0,
        "it was left out"
    );
}
