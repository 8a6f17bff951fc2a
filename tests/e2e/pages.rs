//! What the pages show, in the order in which a person would see it.

use crate::support::Recipe;

const WORLD: &[&str] = &["test-quick/t3", "test-quick/t4", "app-misc/hello", "test-fail/broken"];

#[test]
fn what_the_pages_show_is_what_one_sees() {
    let mut builder = Recipe::new(WORLD)
        .config("[build]\njobs = 1\n[notify]\ncommand = [\"true\"]\n")
        .env("GBSUP_SYNC_MIN_INTERVAL", "1s")
        .start();
    builder.wait_for("hello is configured", |status| {
        status.jobs.iter().any(|job| job.package.starts_with("app-misc/hello") && job.phase == "configure")
    });
    builder.shows("running");
    builder.wait_paused();
    builder.shows("paused");
    builder.is_the_picture();
    builder.shows("notify");

    // The next day: another version of a library, and a binary package that is gone.
    builder.tree(&["bump", "test-quick/t1", "1", "2", "s|^SLOT.*|SLOT=\"0/2\"|"]);
    builder.tree(&["bump", "test-quick/t3", "1", "2"]);
    builder.sh("rm -r /var/lib/gbsup/binpkgs/app-misc/hello; emaint --fix binhost");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_for("hello is configured again", |status| {
        status.jobs.iter().any(|job| job.package.starts_with("app-misc/hello") && job.phase == "configure")
    });
    builder.shows("estimate");
    builder.shows("plan");
    builder.wait_waiting();
    builder.shows("failing");
    builder.shows("releases");

    builder.sh("printf '[build]\\njobs = \"many\"\\n[stop]\\ngrase = \"2m\"\\n' >/etc/gbsup/gbsup.toml");
    builder.shows("config");
}
