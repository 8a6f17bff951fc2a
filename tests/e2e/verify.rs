//! That what is offered can be checked to the last byte, and put right by what is printed then.

use crate::support::{Builder, Recipe};

#[test]
fn what_a_bad_disk_did_is_found_and_put_right() {
    let mut builder = Builder::settled(&["test-quick/t1", "test-quick/t2"]);
    builder.wait_waiting();
    let verify = |args: &[&str]| builder.exec(&[&["gbsup", "verify"], args].concat());
    let all = verify(&["--all"]).ok();
    assert!(all.starts_with("2 packages: as they should be") && all.ends_with(" read)\n"), "{all}");
    assert!(verify(&[]).ok().contains("2 found good before"));

    // One byte, and neither the size nor the time tells; then a lie in the index.
    builder.sh("cd /var/lib/gbsup/binpkgs && touch -r test-quick/t1/t1-1-1.gpkg.tar /tmp/time && \
         printf X | dd of=test-quick/t1/t1-1-1.gpkg.tar bs=1 seek=3000 conv=notrunc status=none && \
         touch -r /tmp/time test-quick/t1/t1-1-1.gpkg.tar");
    assert!(verify(&[]).ok().contains("as they should be"));
    builder
        .sh("sed -i '/PATH: test-quick.t2/,/SHA1/s/SHA1: ..../SHA1: 0000/' /var/lib/gbsup/binpkgs/Packages");
    let found = verify(&["--all", "--json"]);
    assert_eq!(found.code, 5, "{found:?}");
    let found: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
    let kinds: Vec<_> = found["findings"].as_array().expect("findings").iter().map(|f| &f["kind"]).collect();
    assert_eq!(kinds, ["damaged", "index"], "{found:#}");

    // What is printed is pasted.
    let told = verify(&[]);
    assert_eq!(told.code, 5, "{told:?}");
    for typed in told.out.lines().filter_map(|line| line.strip_prefix("try: ")) {
        builder.sh(typed);
    }
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    assert!(builder.gbsup(&["verify", "--all"]).ok().starts_with("2 packages: as they should be"));
    builder.assert_tidy();
}

#[test]
fn the_older_format_is_verified_built_anew_and_offered_too() {
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/t2"])
        .file("/etc/portage/make.conf/zzz.conf", "BINPKG_FORMAT=\"xpak\"\n")
        .start();
    builder.wait_waiting();
    assert!(builder.gbsup(&["verify", "--all"]).ok().starts_with("2 packages: as they should be"));
    let offered = "cd /var/lib/gbsup/releases/current && find . -name '*.xpak' | sort";
    let packages = "./test-quick/t1/t1-1-1.xpak\n./test-quick/t2/t2-1-1.xpak\n";
    assert_eq!(builder.sh(offered), packages);

    // Cut short, as a disk that was full leaves it.
    builder.sh("cd /var/lib/gbsup/binpkgs && truncate -s -100 test-quick/t1/t1-1-1.xpak");
    let told = builder.gbsup(&["verify"]);
    assert_eq!(told.code, 5, "{told:?}");
    assert!(told.out.contains("test-quick/t1/t1-1-1.xpak is damaged: it is cut short"), "{told:?}");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    assert!(builder.gbsup(&["verify", "--all"]).ok().starts_with("2 packages: as they should be"));
    assert_eq!(builder.sh(offered), packages, "under the name that was free again");
    assert!(builder.sh("find /var/lib/gbsup/quarantine").contains("t1-1-1.xpak"));
    builder.gbsup(&["verify", "--release"]).ok();
    builder.assert_tidy();
}
