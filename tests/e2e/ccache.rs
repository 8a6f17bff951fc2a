//! What was compiled once is there for the next container.

use std::os::unix::fs::{MetadataExt, chown};

use gbsup::model::records::CycleRow;

use crate::support::{Builder, Recipe};

const WORLD: &[&str] = &["app-text/tree"];
const CONFIG: &str = "[ccache]\nsize = \"64 MiB\"\n";

/// What a build can leave in the directory as a configuration of ccache: whoever compiles next, or only asks, would run this, and
/// write that.
const PLANTED: &str = "prefix_command = /srv/planted\nlog_file = /srv/log\n";

fn recipe(recipe: Recipe) -> Recipe {
    // As Portage has it by default; the image has not.
    recipe.world(WORLD).config(CONFIG).env("FEATURES", "userpriv")
}

#[track_caller]
fn told(builder: &Builder, words: &str) {
    let warnings = builder.status().warnings;
    assert!(warnings.iter().any(|told| told.contains(words)), "{words}: {warnings:?}");
}

#[test]
fn a_new_container_without_packages_takes_all_from_it() {
    let mut first = recipe(Recipe::new(WORLD)).start();
    let status = first.wait_waiting();
    assert_eq!(status.warnings, [""; 0]);
    let cold = status.ccache.expect("it was counted");
    assert!(cold.hits == 0 && cold.misses >= 5 && cold.size > 0, "{cold:?}");
    let place = first.on_volume("ccache");
    let meta = place.metadata().expect("a directory");
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (0, 250, 0o2775));

    // As a build would leave it; and of what was built nothing is left but that.
    let planted = place.join("ccache.conf");
    std::fs::write(&planted, PLANTED).expect("the volume can be written");
    chown(&planted, Some(250), Some(250)).expect("this is root");
    let mut second =
        recipe(Recipe::beside(&first)).executable("/srv/planted", "#!/bin/sh\ntouch /srv/ran\n").create();
    first.stop();
    std::fs::remove_dir_all(first.on_volume("binpkgs")).expect("they are there");
    first.remove();
    second.start();
    let status = second.wait_waiting();
    assert_eq!(second.compiled(), ["app-text/tree-2.1.0"; 2], "it was built again");
    let warm = status.ccache.expect("it was counted");
    assert_eq!((warm.hits, warm.misses), (cold.misses, 0));
    second.sh("test ! -e /srv/ran && test ! -e /srv/log");

    let sentence = format!("ccache   {} of {} files were there (100 %)", warm.hits, warm.hits);
    assert!(second.gbsup(&["status"]).ok().contains(&sentence));
    let cycles: Vec<CycleRow> =
        serde_json::from_str(&second.gbsup(&["history", "--json"]).ok()).expect("cycles");
    assert_eq!(cycles.iter().map(|cycle| cycle.ccache).collect::<Vec<_>>(), [Some(warm), Some(cold)]);
    let numbers = second.sh("wget -qO- http://127.0.0.1:8080/metrics");
    assert!(numbers.contains(&format!("\ngbsup_ccache_hits {}\n", warm.hits)), "{numbers}");

    // What breaks whatever is compiled stops it, before anything is.
    second.sh("printf 'CCACHE_PREFIX=icecc\\nFEATURES=icecream\\n' >/etc/portage/make.conf/more");
    second.gbsup(&["sync"]).ok();
    second.wait_cycle(3);
    let status = second.wait_paused();
    let words = "/etc/portage/make.conf/more, line 1: CCACHE_PREFIX is icecc, and FEATURES has icecream";
    assert!(status.headline.contains(words), "{}", status.headline);

    // Without the program the builder builds.
    second.sh("rm /etc/portage/make.conf/more; mv /usr/bin/ccache /usr/bin/ccache.away");
    second.resume();
    second.wait_waiting();
    told(&second, "[ccache] size is set, and ccache is not installed");
    second.assert_tidy();
}
