//! Binary packages that nothing needs any more are removed, and the index with them.

use crate::support::Recipe;

#[test]
fn a_build_that_a_newer_one_took_the_place_of_goes() {
    let mut builder = Recipe::settled(&["test-quick/t1"]).config("[prune]\nbinpkgs = \"1s\"\n").start();
    builder.wait_waiting();
    builder.sh(
        "for build in 1 2; do emerge --oneshot --usepkg=n --buildpkg --quiet test-quick/t2; done && sleep 2",
    );
    let packages = "ls /var/lib/gbsup/binpkgs/test-quick/t2 && grep PATH: /var/lib/gbsup/binpkgs/Packages";
    assert_eq!(
        builder.sh(packages),
        "t2-1-1.gpkg.tar\nt2-1-2.gpkg.tar\n\
         PATH: test-quick/t1/t1-1-1.gpkg.tar\n\
         PATH: test-quick/t2/t2-1-1.gpkg.tar\nPATH: test-quick/t2/t2-1-2.gpkg.tar\n"
    );
    for (options, verb) in [(&["prune", "--dry-run"][..], "would go"), (&["prune"], "removed")] {
        let gone = builder.gbsup(options).ok();
        let file = "binary package\t/var/lib/gbsup/binpkgs/test-quick/t2/t2-1-1.gpkg.tar\t10.0 KiB\t";
        assert!(gone.starts_with(file) && gone.contains("\tnothing needs it\n"), "{gone}");
        assert!(gone.ends_with(&format!("{verb}: 1 file, 10.0 KiB\n")), "{gone}");
    }
    assert_eq!(
        builder.sh(packages),
        "t2-1-2.gpkg.tar\nPATH: test-quick/t1/t1-1-1.gpkg.tar\nPATH: test-quick/t2/t2-1-2.gpkg.tar\n"
    );
    builder.sh("emaint --check binhost && emerge --usepkgonly --oneshot --quiet test-quick/t2");
    assert_eq!(builder.gbsup(&["prune"]).ok(), "there is nothing to remove\n");
    builder.assert_tidy();
}
