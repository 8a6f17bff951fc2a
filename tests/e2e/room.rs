//! A volume that is too small, until what nobody needs is removed from it.

use crate::support::Recipe;

/// Its binary package takes 80 MB.
const BIG: &str = "EAPI=8\ninherit test-control\nDESCRIPTION=\"For a test\"\nSLOT=\"0\"\n\
src_install() {\n\thead --bytes=80M /dev/urandom >big || die\n\tinsinto /usr/share/gbsup-test\n\tdoins big\n}\n";

#[test]
fn an_old_source_makes_room_for_a_new_package() {
    let mut builder = Recipe::new(&["test-quick/t1"])
        .no_volume()
        .args(&["--tmpfs", "/var/lib/gbsup:exec,size=140m"])
        .config("[prune]\ndistfiles = \"1s\"\n")
        .start();
    builder.wait_waiting();
    builder.add_ebuild("test-quick", "big-1", BIG);
    // One that a Manifest refers to is as old, and stays.
    builder.sh(
        "cd /var/lib/gbsup/distfiles && cp /srv/distfiles/baddigest-1.tar.gz . && head --bytes=64M /dev/zero >nobody-1.tar && sleep 2",
    );
    let listed = builder.gbsup(&["prune", "--dry-run"]).ok();
    assert!(listed.contains("source\t/var/lib/gbsup/distfiles/nobody-1.tar\t64.0 MiB"), "{listed}");
    assert!(!listed.contains("baddigest"), "{listed}");

    builder.set_world(&["test-quick/t1", "test-quick/big"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(
        status.remedies,
        [
            "test-quick/big-1 found no space left at first; attempt 2 worked",
            "no space was left; 64.0 MiB were freed by pruning"
        ]
    );
    assert!(builder.has("test-quick/big-1"));
    assert_eq!(builder.sh("ls /var/lib/gbsup/distfiles").trim(), "baddigest-1.tar.gz");
    assert!(builder.sh("cat /var/lib/gbsup/steps/2/build.log").contains("removed: source "));
    let history = builder.gbsup(&["history"]).ok();
    assert!(history.lines().next().is_some_and(|line| line.contains("\tdisk-full 2\t")), "{history}");
    builder.assert_tidy();
}
