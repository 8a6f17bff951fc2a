//! That what is offered can be checked to the last byte, and put right by what is printed then.

use crate::support::Builder;

#[test]
fn what_a_bad_disk_did_is_found_and_put_right() {
    let mut builder = Builder::with_world(&["test-quick/t1", "test-quick/t2"]);
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
