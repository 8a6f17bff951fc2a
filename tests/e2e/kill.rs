//! SIGKILL to the whole container, twenty times in the course of a build: whatever the moment, the
//! next start repairs what is left and goes on, and nothing that was finished is built again.
//!
//! `GBSUP_TEST_SEED` repeats a run as far as the machine allows.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
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
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Some time after the start.
    Start,
    /// The phase on the volume is this one.
    Phase(&'static str),
    /// The log of Portage got a line with these words.
    Said(&'static str),
    /// A binary package is being written.
    Packaging,
    /// The index is being written.
    Indexing,
}

const MOMENTS: &[Moment] = &[
    Moment::Start,
    Moment::Phase("preflight"),
    Moment::Phase("sync"),
    Moment::Phase("build"),
    Moment::Said(") Compiling/"),
    Moment::Packaging,
    Moment::Indexing,
    Moment::Said(") Merging ("),
    Moment::Said(") Post-Build Cleaning"),
    Moment::Said("::: completed emerge"),
];

/// What is looked at from outside while the container runs.
struct Scene<'a> {
    builder: &'a Builder,
    said_before: usize,
    left_before: HashSet<PathBuf>,
}

impl Scene<'_> {
    fn is(&self, moment: Moment) -> bool {
        match moment {
            Moment::Start => true,
            Moment::Phase(step) => phase(self.builder)["running"] == step,
            Moment::Said(words) => {
                let log = emerge_log(self.builder);
                log.get(self.said_before..).is_some_and(|new| new.contains(words))
            }
            Moment::Packaging => self.has_new(|name, size| {
                name.ends_with(".gpkg.tar") && size == 0
                    || name.contains(".gpkg.tar") && name.rsplit_once('.').is_none_or(|(_, end)| end != "tar")
            }),
            Moment::Indexing => self.has_new(|name, _| {
                name.starts_with("Packages") && !["Packages", "Packages.gz"].contains(&name)
            }),
        }
    }

    /// Whether there is a file among the packages with such a name and size that was not left by an
    /// earlier kill.
    fn has_new(&self, is_so: impl Fn(&str, u64) -> bool) -> bool {
        let is_new = |(path, size): (PathBuf, u64)| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            is_so(&name, size) && !self.left_before.contains(&path)
        };
        files_below(&self.builder.on_volume("binpkgs")).into_iter().any(is_new)
    }
}

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

/// Every file below a directory, with its size.
fn files_below(directory: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    found
        .flat_map(|(path, meta)| if meta.is_dir() { files_below(&path) } else { vec![(path, meta.len())] })
        .collect()
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

/// Lets the container run up to the moment and kills it. False when the cycle ended before; it still
/// runs then.
fn kill_at(builder: &mut Builder, moment: Moment, random: &mut Random) -> bool {
    let said_before = emerge_log(builder).len();
    let left_before = files_below(&builder.on_volume("binpkgs")).into_iter().map(|(path, _)| path).collect();
    let before = phase(builder);
    builder.start();
    let started = Instant::now();
    let pid = builder.pid();
    let delay = match moment {
        Moment::Start => Duration::from_millis(random.below(5000).into()),
        Moment::Packaging | Moment::Indexing => Duration::from_micros(random.below(2000).into()),
        _ => Duration::from_millis(random.below(700).into()),
    };
    let scene = Scene { builder, said_before, left_before };
    let over = || {
        let phase = phase(builder);
        phase["waiting"] != serde_json::Value::Null && phase != before
    };
    catch("the moment has come", || scene.is(moment), over);
    if over() {
        return false;
    }
    std::thread::sleep(delay);
    println!("{moment:?} and {delay:?}, {:?} after the start", started.elapsed());
    assert_eq!(builder.kill_now(pid), 137);
    true
}

#[test]
fn at_twenty_moments_it_goes_on_and_loses_nothing() {
    let mut random = Random::from_environment();
    let mut builder = Recipe::new(WORLD)
        .config("[sync]\nmin_interval = \"1s\"\nretries = [\"1s\"]\n")
        .file("/run/test/files", "3000\n")
        .create();
    let mut version = 1;
    let mut finished = Packages::new();
    for moment in random.shuffled(MOMENTS.repeat(TIMES)) {
        while !kill_at(&mut builder, moment, &mut random) {
            // Everything is built: there is something new to do.
            assert_installed(&builder, version);
            for package in BUMPED {
                builder.tree(&["bump", package, &version.to_string(), &(version + 1).to_string()]);
            }
            version += 1;
            builder.kill();
        }
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
	use take && newins - owner <<<"taken"
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
