//! A cycle from its beginning to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{Builder, Recipe};

/// What the world of the image comes to, dependencies and all.
const REAL_WORLD: &[&str] = &[
    "app-admin/logrotate",
    "app-arch/bzip2",
    "app-arch/lz4",
    "app-arch/lzop",
    "app-misc/figlet",
    "app-misc/hello",
    "app-text/tree",
    "dev-lang/lua",
    "dev-libs/libpcre2",
    "dev-libs/lzo",
    "dev-libs/popt",
    "dev-lua/lpeg",
    "media-gfx/pngcheck",
    "media-libs/freetype",
    "media-libs/libpng",
    "sys-libs/zlib",
];

/// `category/name` of every binary package.
fn names(builder: &Builder) -> BTreeSet<String> {
    let packages = builder.packages();
    packages.keys().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned())).collect()
}

/// Asserts that the builder sleeps: nothing runs, and nobody wakes up to see whether there is work.
#[track_caller]
fn assert_idle(builder: &mut Builder) {
    let idle = builder.idle(Duration::from_secs(5));
    assert_eq!(idle.init, 0, "{idle:?}");
    assert!(idle.supervisor <= 1, "{idle:?}");
}

/// Fresh volume: the world is built from real sources, then nothing runs and nothing polls. And a new
/// container that is given the volume builds none of it again; nor does a client of that one.
#[test]
fn a_fresh_volume_gets_the_world_and_new_containers_and_clients_take_it_from_there() {
    let mut first = Recipe::real_world().start();
    let status = first.wait_waiting();
    assert_eq!(status.cycle.as_ref().map(|cycle| (cycle.id, cycle.reason.as_str())), Some((1, "first")));
    assert!(status.headline.starts_with("waiting: everything is up to date"), "{}", status.headline);
    assert!(status.volume.mounted);
    assert_eq!(status.warnings, [""; 0]);
    let wanted: BTreeSet<String> = REAL_WORLD.iter().map(ToString::to_string).collect();
    assert!(names(&first).is_superset(&wanted), "{:?}", wanted.difference(&names(&first)));
    assert_eq!(status.progress.source, first.packages().len() as u64);
    assert_eq!(first.sh("hello"), "Hello, world!\n");
    first.assert_tidy();
    assert_idle(&mut first);

    let (packages, compiled) = (first.packages(), first.compiled());
    let recipe = Recipe::beside(&first).env("GBSUP_PUBLISH_SIGN_KEY", "");
    assert_eq!(first.stop().1, 0);
    first.remove();
    let mut second = recipe.start();
    let status = second.wait_waiting();
    assert_eq!(status.cycle.as_ref().map(|cycle| (cycle.id, cycle.reason.as_str())), Some((2, "new-root")));
    assert_eq!(status.progress.source, 0);
    assert_eq!(status.progress.binary, packages.len() as u64);
    assert_eq!(second.packages(), packages, "a package was made anew");
    assert_eq!(second.compiled(), compiled, "something was compiled");
    assert_eq!(second.sh("hello"), "Hello, world!\n");
    second.assert_tidy();
    assert_idle(&mut second);
    crate::client::assert_installs_the_world(&mut second);
}

#[test]
fn a_newer_portage_comes_first() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    assert!(!builder.step_log(1, "self-update").contains("emerge "), "there was nothing to update");
    builder.tree(&["bump", "sys-apps/portage", "3.0.83", "3.0.84"]);
    builder.tree(&["bump", "test-quick/t1", "1", "2"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert!(builder.has("sys-apps/portage-3.0.84"));
    assert_eq!(builder.compiled(), ["test-quick/t1-1", "sys-apps/portage-3.0.84", "test-quick/t1-2"]);
    assert!(builder.step_log(2, "self-update").contains(">>> Completed (1 of 1) sys-apps/portage-3.0.84"));
    assert_eq!((status.progress.done, status.progress.total), (2, 2));
    builder.assert_tidy();
}

/// The packages are there as long as the container is, and every status says so.
#[test]
fn without_a_volume_it_runs_and_warns() {
    let mut builder = Recipe::new(&["test-quick/t1"]).env("GBSUP_VOLUME_PATH", "/srv/elsewhere").start();
    let status = builder.wait_waiting();
    assert!(!status.volume.mounted);
    let warned = |needle: &str| status.warnings.iter().any(|warning| warning.contains(needle));
    assert!(warned("nothing is mounted at /srv/elsewhere"), "{:?}", status.warnings);
    assert!(warned("PKGDIR is /var/lib/gbsup/binpkgs"), "{:?}", status.warnings);
    assert!(builder.gbsup(&["status"]).ok().contains("docker run -v"), "a person is told what to do");
    // What the volume has to hold is made wherever it is.
    builder.sh("test -d /srv/elsewhere/steps/1 && test -f /srv/elsewhere/state/state.json");
}
