//! That clients are offered what they can install, and nothing else.

use std::collections::BTreeSet;
use std::fs;

use gbsup::model::failure::{Class, Failure};
use gbsup::model::offer::Offer;
use gbsup::model::status::Status;

use crate::support::{Builder, Recipe};

/// A byte of the files in a package, which nobody looks at but who reads all of it, as if it had never been read.
fn damage(name: &str) -> String {
    format!(
        r#"
cd /var/lib/gbsup/binpkgs/test-quick/{name} && rm /var/lib/gbsup/state/verified.json && touch -r {name}-1-1.gpkg.tar /tmp/time
python3 -c '
import tarfile
name = "{name}-1-1.gpkg.tar"
place = next(one.offset_data + 20 for one in tarfile.open(name) if "image.tar" in one.name)
with open(name, "r+b") as file:
    file.seek(place)
    file.write(b"X")
'
touch -r /tmp/time {name}-1-1.gpkg.tar
"#
    )
}

/// What is set aside, and what `verify` says of the rest.
fn aside(builder: &Builder) -> (String, String) {
    let listed = builder.sh("cd /var/lib/gbsup/quarantine && ls *.gpkg.tar");
    (listed, builder.gbsup(&["verify", "--all"]).ok())
}

fn offer(builder: &Builder) -> Offer {
    let text = fs::read(builder.on_volume("state/offer.json")).expect("there is an offer");
    serde_json::from_slice(&text).expect("it is an offer")
}

/// The packages that are offered.
fn offered(builder: &Builder) -> Vec<String> {
    let mut paths: Vec<_> = offer(builder).packages.into_iter().map(|one| one.path).collect();
    paths.sort();
    paths
}

#[track_caller]
fn next_cycle(builder: &mut Builder, id: u64) -> Status {
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(id);
    builder.wait_waiting()
}

fn ebuild(needs: &str) -> String {
    format!(
        "EAPI=8\ninherit test-control\nDESCRIPTION=\"A link of a chain\"\nSLOT=\"0\"\nRDEPEND=\"{needs}\"\n"
    )
}

#[test]
fn what_is_broken_is_built_anew_and_what_stays_so_is_held_back() {
    let config = "[sync]\nmin_interval = \"1s\"\n";
    let mut builder = Recipe::new(&["test-quick/t1", "test-major/embeds"]).config(config).start();
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, [""; 0]);
    let perl = "dev-lang/perl/perl-5.40.2-1.gpkg.tar";
    let first = [perl, "test-major/embeds/embeds-1-1.gpkg.tar", "test-quick/t1/t1-1-1.gpkg.tar"];
    assert_eq!(offered(&builder), first);
    builder.gbsup(&["audit"]).ok();

    // A file is damaged: a new build of it. What is new is offered with it.
    builder.add_ebuild("test-quick", "low-1", &ebuild(""));
    builder.add_ebuild("test-quick", "middle-1", &ebuild("test-quick/low"));
    builder.add_ebuild("test-quick", "top-1", &ebuild("test-quick/middle"));
    builder.add_ebuild("test-quick", "part-1", &ebuild("").replace("SLOT=\"0\"", "SLOT=\"2\""));
    builder.add_ebuild("test-quick", "whole-1", &ebuild("!test-quick/part:2"));
    builder.set_world(&["test-quick/t1", "test-major/embeds", "test-quick/top", "test-quick/part"]);
    builder.sh(&damage("t1"));
    let told = builder.gbsup(&["audit"]);
    assert!(
        told.code == 5 && told.out.contains("\ntry: emerge --oneshot --usepkg=n =test-quick/t1-1\n"),
        "{told:?}"
    );
    let before = builder.compiled().len();
    let status = next_cycle(&mut builder, 2);
    assert_eq!(status.warnings, [""; 0]);
    let mut compiled = builder.compiled().split_off(before);
    compiled.sort();
    assert_eq!(compiled, ["low", "middle", "part", "t1", "top"].map(|name| format!("test-quick/{name}-1")));
    let path = |name: &str, build: u8| format!("test-quick/{name}/{name}-1-{build}.gpkg.tar");
    let whole = [path("low", 1), path("middle", 1), path("part", 1), path("t1", 2), path("top", 1)];
    assert_eq!(offered(&builder)[2..], whole);
    let (listed, verified) = aside(&builder);
    assert_eq!(listed, "test-quick_t1_t1-1-1.gpkg.tar\n");
    assert!(verified.starts_with("7 packages: as they should be"), "{verified}");

    // What the chain hangs from is damaged, and cannot be built any more. And a package links to a library that is gone,
    // by what the index says. (Its time is that of the compressed one: where they differ, it is made anew.)
    builder.sh(&damage("low"));
    builder.sh("cd /var/lib/gbsup/binpkgs && rm -r /srv/tree/test-quick/low && \
         sed -i '/REQUIRES/s/libperl.so.5.40/libperl.so.5.38/' Packages && touch -r Packages.gz Packages");
    builder.tree(&["commit", "test-quick/low: remove"]);
    // This one takes the place of another one, which stays on offer.
    builder.sh("emerge --quiet --unmerge test-quick/part && echo test-quick/whole >>/var/lib/portage/world");
    let before = builder.compiled().len();
    let status = next_cycle(&mut builder, 3);
    assert_eq!(
        status.warnings,
        [
            "held back from clients: test-quick/low-1 is damaged: image.tar.zst is not what its Manifest says; \
          test-quick/middle-1 needs test-quick/low-1, which is held back; \
          test-quick/top-1 needs test-quick/middle-1, which is held back"
        ]
    );
    assert_eq!(builder.compiled()[before..], ["test-quick/whole-1", "test-major/embeds-1"]);
    let embeds = "test-major/embeds/embeds-1-2.gpkg.tar".to_owned();
    let rest = [perl.to_owned(), embeds, path("part", 1), path("t1", 2), path("whole", 1)];
    assert_eq!(offered(&builder), rest);
    // That is still the reason when its file is set aside.
    let (listed, verified) = aside(&builder);
    assert_eq!(listed, "test-quick_low_low-1-1.gpkg.tar\ntest-quick_t1_t1-1-1.gpkg.tar\n");
    assert!(verified.contains(" packages: as they should be"), "{verified}");
    let told = builder.gbsup(&["audit"]).exited(5);
    let why = "test-quick/low-1 is damaged: image.tar.zst is not what its Manifest says\n";
    assert!(told.contains(why) && told.contains("test-quick/top-1 needs test-quick/middle-1"), "{told}");

    // Clients have it anyway, but the resolver would not give them what something else needs. Whoever asks it again is told
    // the same.
    builder.sh("printf '[publish]\nprovided = [\"test-quick/low\"]\n[build]\nargs = [\"--exclude\", \"test-quick/part\"]\n' \
          >>/etc/gbsup/gbsup.toml
        mkdir -p /etc/portage/package.mask && echo dev-lang/perl >/etc/portage/package.mask/perl");
    builder.signal("HUP");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(4);
    let refused = refused(&mut builder, Class::Masked);
    assert_eq!(offer(&builder).held.len(), 3, "the offer is as it was");
    let again = builder.exec(&["sh", "-c", &refused.suggestions[0]]);
    assert!(again.code == 1 && again.err.contains(&refused.evidence[0]), "{refused:?} {again:?}");

    // What clients want, by a set of theirs, cannot be had together.
    builder.sh("rm /etc/portage/package.mask/perl && mkdir -p /etc/portage/sets
        echo test-quick/part:2 >/etc/portage/sets/mine && echo @mine >/var/lib/portage/world_sets");
    builder.resume();
    let refused = self::refused(&mut builder, Class::Blocker);
    assert!(
        refused.evidence.iter().any(|line| line.contains("test-quick/part:2 required by @selected")),
        "{refused:?}"
    );
    builder.sh("rm /var/lib/portage/world_sets");
    builder.resume();
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, [""; 0]);
    assert_eq!(offer(&builder).held, []);
    builder.sh("[ ! -e /run/gbsup/trial ]");

    // What could not be built is no reason to refuse the rest, whoever wants it: a person or the profile.
    builder.add_ebuild("test-quick", "late-1", &ebuild(""));
    builder.sh("printf '%s\n' test-quick/late test-fail/broken >>/var/lib/portage/world
        mkdir -p /etc/portage/profile && echo '*test-fail/broken-install' >/etc/portage/profile/packages");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(5);
    let failures = builder.wait_paused().pause.expect("it is paused").failures;
    let failed: BTreeSet<_> = failures.iter().filter_map(|failure| failure.package.as_deref()).collect();
    assert_eq!(failed, ["test-fail/broken-1", "test-fail/broken-install-1"].into());
    assert!(offered(&builder).contains(&path("late", 1)));
    builder.assert_tidy();
}

/// Perl gets another version that is compatible, by its sub-slot and the name of its library.
#[test]
fn what_links_to_a_library_of_another_version_is_told_and_built_anew_where_that_is_wanted() {
    let mut builder = Recipe::new(&["test-major/embeds"]).config("[sync]\nmin_interval = \"1s\"\n").start();
    builder.wait_waiting();
    builder.tree(&["bump", "dev-lang/perl", "5.40.2", "5.40.2-r1"]);
    next_cycle(&mut builder, 2);
    let perls = ["dev-lang/perl-5.40.2", "test-major/embeds-1", "dev-lang/perl-5.40.2-r1"];
    assert_eq!(builder.compiled(), perls);
    let told = builder.gbsup(&["audit"]).ok();
    assert!(told.contains("\nnote: built with another version of a library than is offered, as its soname allows: 1 package ("), "{told}");
    let linked = |builder: &Builder| {
        let told = builder.gbsup(&["audit", "--json"]).ok();
        serde_json::from_str::<serde_json::Value>(&told).expect("it is JSON")["linked"].take()
    };
    let embeds = serde_json::json!([{
        "package": "test-major/embeds-1",
        "slot": "0",
        "library": "dev-lang/perl-5.40.2-r1",
        "built_with": "dev-lang/perl-5.40.2",
    }]);
    assert_eq!(linked(&builder), embeds);

    // Who wants it so has it built anew, which is once.
    builder.sh("printf '[rebuild]\nlinked = \"version\"\n' >>/etc/gbsup/gbsup.toml");
    builder.signal("HUP");
    let status = next_cycle(&mut builder, 3);
    assert_eq!(status.warnings, [""; 0]);
    assert_eq!(builder.compiled()[3..], ["test-major/embeds-1"]);
    assert_eq!(linked(&builder), serde_json::json!([]));
    assert_eq!(
        offered(&builder),
        ["dev-lang/perl/perl-5.40.2-r1-1.gpkg.tar", "test-major/embeds/embeds-1-2.gpkg.tar"]
    );
    builder.tree(&["bump", "dev-lang/perl", "5.40.2", "5.40.2-r2"]);
    next_cycle(&mut builder, 4);
    next_cycle(&mut builder, 5);
    assert_eq!(builder.compiled()[4..], ["dev-lang/perl-5.40.2-r2", "test-major/embeds-1"]);
    builder.assert_tidy();
}

/// The resolver refuses, and that is all.
#[track_caller]
fn refused(builder: &mut Builder, class: Class) -> Failure {
    let failures = builder.wait_paused().pause.expect("it is paused").failures;
    let [only]: [Failure; 1] = failures.try_into().expect("there is one failure");
    assert_eq!(only.class, class, "{only:?}");
    assert!(only.message.starts_with("clients could not install what is there"), "{only:?}");
    only
}
