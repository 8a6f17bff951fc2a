//! Releases: made by cycles, compared, gone back to, and installed from by a client that knows nothing of gbsup.

use gbsup::model::failure::Class;
use gbsup::model::release::Release;

use crate::support::{Builder, Client, Recipe};

/// A security advisory in the form of Gentoo's (`metadata/glsa`); what is not asked for is short.
const ADVISORY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE glsa SYSTEM "http://www.gentoo.org/dtd/glsa.dtd">
<glsa id="202611-01">
    <title>Trivial Package: Multiple Vulnerabilities</title>
    <synopsis>Multiple vulnerabilities have been found in t1.</synopsis>
    <product type="ebuild">t1</product>
    <announced>2026-11-20</announced>
    <revised count="1">2026-11-20</revised>
    <access>remote</access>
    <affected>
        <package name="test-quick/t1" auto="yes" arch="*">
            <unaffected range="ge">2</unaffected>
            <vulnerable range="lt">2</vulnerable>
        </package>
    </affected>
    <background><p>t1 is trivial.</p></background>
    <description><p>It is too trivial.</p></description>
    <impact type="normal"><p>None.</p></impact>
    <workaround><p>There is none.</p></workaround>
    <resolution><p>All users should upgrade.</p></resolution>
    <references><uri link="https://example.org/">CVE-2026-0001</uri></references>
</glsa>
"#;

/// It may be used, and not handed on.
const SECRET: &str = "EAPI=8\ninherit test-control\nDESCRIPTION=\"For a test\"\nSLOT=\"0\"\nRESTRICT=\"bindist\"\n\
                      src_install() {\n\ttest_file\n}\n";

/// What the client has of `test-quick/t1` when it has asked the release directory.
fn installs(client: &Client, options: &str) -> String {
    client.sh(&format!("emerge --quiet --getbinpkgonly --oneshot {options} test-quick/t1 >/dev/null && ls /var/db/pkg/test-quick"))
}

/// The lines of `gbsup releases` without the identifier, the time and the sizes. Identifiers count from 1 on each day, and a test may run
/// past midnight.
fn releases(builder: &Builder) -> Vec<String> {
    let listed = builder.gbsup(&["releases"]).ok();
    let short = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        format!("{} {}", columns[2], columns[5])
    };
    listed.lines().map(short).collect()
}

#[test]
fn clients_get_what_each_release_offers() {
    // The test Gentoo has neither advisories nor groups of licences: they come with the sync.
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/t4"])
        .in_tree("metadata/glsa/glsa-202611-01.xml", ADVISORY)
        .in_tree("profiles/license_groups", "BINARY-REDISTRIBUTABLE MIT\n")
        .config("[publish]\nredistributable_only = true\n")
        .start();
    let status = builder.wait_waiting();
    let first = status.release.expect("the first cycle publishes").id;
    let headline =
        format!("waiting: everything is up to date (release {first}, 2 packages; 2 packages built); ");
    assert!(status.headline.starts_with(&headline), "{}", status.headline);
    assert_eq!(releases(&builder), ["2 current, not signed"]);

    let releases_of = builder.on_volume("releases");
    let mount = format!("{}:/srv/releases:ro", releases_of.display());
    let client = Client::with(&["--volume", &mount]);
    client.sh(
        "mkdir -p /etc/portage/binrepos.conf && printf '%s\\n' '[b]' 'sync-uri = file:///srv/releases/current' \
         'location = /var/cache/binhost/b' 'verify-signature = false' >/etc/portage/binrepos.conf/b.conf",
    );
    assert_eq!(installs(&client, ""), "t1-1\n");

    // An update, and what clients are told of it.
    builder.tree(&["bump", "test-quick/t1", "1", "2", ""]);
    builder.add_ebuild("test-quick", "secret-1", SECRET);
    builder.set_world(&["test-quick/t1", "test-quick/t4", "test-quick/secret"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    assert_eq!(releases(&builder), ["2 current, not signed", "2 previous, not signed"]);
    let changes = builder.gbsup(&["diff"]).ok();
    assert!(changes.starts_with("upgraded\ttest-quick/t1\t1\t2\t"), "{changes}");
    assert!(changes.ends_with("\tasked for\n") && changes.lines().count() == 1, "{changes}");
    let changes = builder.sh("cat /var/lib/gbsup/releases/current/CHANGES");
    for line in [
        "\n  test-quick/t1  1 -> 2  ",
        "\nsecurity fixes\n  GLSA 202611-01 Trivial Package: Multiple Vulnerabilities (test-quick/t1; CVE-2026-0001)\n",
        "\nheld back\n  test-quick/secret-1 may not be handed on: RESTRICT has bindist\n",
    ] {
        assert!(changes.contains(line), "{changes}");
    }
    let release = builder.sh("cat /var/lib/gbsup/releases/current/release.json");
    let release: Release = serde_json::from_str(&release).expect("release.json");
    assert_eq!((release.fixes.len(), release.origin.open.map(|open| open.len())), (1, Some(0)));
    assert_eq!(release.origin.portage.as_deref(), Some("3.0.83"));
    assert!(release.origin.configuration.is_some_and(|digest| digest.len() == 64));
    assert!(release.origin.revisions.get("pocket").is_some_and(|commit| commit.len() == 40));
    assert_eq!(installs(&client, "--update"), "t1-2\n");

    // Back, also for a client that has seen the newer index.
    let said = builder.gbsup(&["rollback"]).ok();
    assert!(
        said.starts_with(&format!("clients are offered what release {first} offered, as release ")),
        "{said}"
    );
    let listed = releases(&builder);
    assert_eq!((listed.len(), &listed[0]), (3, &format!("2 current, offers {first} again, not signed")));
    let status = builder.status();
    let back = status.release.expect("it is offered");
    assert_eq!(back.again, Some(first.clone()));
    assert!(status.warnings.iter().any(|warning| warning.contains("somebody rolled back to it")));
    assert_eq!(installs(&client, ""), "t1-1\n");
    assert!(builder.gbsup(&["rollback", &first]).exited(1).contains("offered already"));

    // Forward again, and only once.
    for cycle in [3, 4] {
        builder.gbsup(&["publish"]).ok();
        builder.wait_cycle(cycle);
        let status = builder.wait_waiting();
        let release = status.release.expect("it is offered");
        assert!(release.id > back.id && release.again.is_none(), "{release:?}");
        assert_eq!(releases(&builder).len(), 4);
    }
    assert_eq!(installs(&client, "--update"), "t1-2\n");
    assert!(builder.gbsup(&["publish", "--once"]).ok().starts_with("nothing to publish: "));
    let history = builder.gbsup(&["history"]).ok();
    assert!(
        history.lines().nth(2).is_some_and(|line| line.contains(&format!("{} ({first} again)\t", back.id))),
        "{history}"
    );
    assert_eq!(builder.compiled().len(), 4, "nothing was built twice");
    builder.assert_tidy();
}

#[test]
fn a_full_disk_leaves_the_old_release_in_place() {
    let mut builder = Recipe::new(&["test-quick/t1"])
        .no_volume()
        .args(&["--tmpfs", "/var/lib/gbsup:exec,size=140m,nr_inodes=2000"])
        .config("[remedy]\ndisk_full = false\n")
        .start();
    let first = builder.wait_waiting().release.expect("the first cycle publishes");
    // The disk becomes full when everything is built: six files more, and there is no room for another.
    let fill = "EAPI=8\ninherit test-control\nDESCRIPTION=\"For a test\"\nSLOT=\"0\"\nsrc_install() {\n\ttest_file\n}\n\
                pkg_postinst() {\n\tmkdir /var/lib/gbsup/full && cd /var/lib/gbsup/full || die\n\
                \tfor n in {1..3000}; do : >$n || break; done 2>/dev/null\n\trm -f {1..6}\n}\n";
    builder.add_ebuild("test-quick", "fill-1", fill);
    builder.set_world(&["test-quick/t1", "test-quick/fill"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_paused();
    let failure = &status.pause.as_ref().expect("it is paused").failures[0];
    assert_eq!((failure.class, status.step.as_str()), (Class::DiskFull, "publish"), "{}", failure.message);
    assert!(failure.message.starts_with("nothing was published: "), "{}", failure.message);
    assert_eq!(status.release, Some(first));
    assert_eq!(releases(&builder), ["1 current, not signed"]);
    builder.sh("cd /var/lib/gbsup/releases && gunzip --test current/Packages.gz && ls -A . | grep -c '^\\.' | grep -x 0");
    builder.sh("rm -r /var/lib/gbsup/full");
    builder.resume();
    builder.wait_waiting();
    assert_eq!(releases(&builder), ["2 current, not signed", "1 previous, not signed"]);
    let now = builder.release();
    assert!(!now.ends_with(".2"), "the name of the one that came to nothing is not used again: {now}");
    builder.assert_tidy();
}
