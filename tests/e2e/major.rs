//! Major updates: what was built against the old version is built anew, whatever happens on the way.

use std::collections::BTreeMap;
use std::fs;

use gbsup::model::failure::Class;

use crate::support::{Builder, Client, Recipe};

const WORLD: &[&str] = &[
    "test-major/bound",
    "test-major/unbound",
    "test-major/embeds",
    "test-major/script",
    "test-major/snake",
    "virtual/perl-Test",
];

/// A client that knows the releases and nothing else.
const BINHOST: &str = r"
mkdir -p /etc/portage/binrepos.conf
cat >/etc/portage/binrepos.conf/builder.conf <<'END'
[builder]
sync-uri = file:///srv/releases/current
location = /var/cache/binhost/builder
verify-signature = false
END
";

/// The world from binary packages alone, into the root $1. What of it has a version of Perl in its name; what
/// the program with Perl in it says, which has to find its library there; and the targets.
const INSTALL: &str = r"
mkdir -p $1 && cd / && export ROOT=$1
emerge --ignore-default-opts --color=n --quiet --oneshot --getbinpkgonly --update --deep --rebuilt-binaries=y @@ \
    >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
find $1/usr -name '*5.4*' | sed 's|.*/||' | sort -u
LD_LIBRARY_PATH=$1/usr/lib $1/usr/bin/embeds
cat $1/usr/share/gbsup-test/snake
";

/// A stand-in for perl-cleaner, which is in no Gentoo this small: it knows which module is left behind.
const PERL_CLEANER: &str = r#"
cat >/usr/local/sbin/perl-cleaner <<'EOF'
#!/bin/sh
echo "$@" >/run/test/perl-cleaner
while [ "$1" != -- ]; do shift; done
shift
exec emerge --oneshot "$@" test-major/unbound
EOF
chmod +x /usr/local/sbin/perl-cleaner
"#;

/// A client of this builder that installs the world into a root of this name, anew or over what is there.
fn client(builder: &Builder) -> impl Fn(&str) -> String + use<> {
    let mount = format!("{}:/srv/releases:ro", builder.on_volume("releases").display());
    let client = Client::with(&["--volume", &mount]);
    client.sh(BINHOST);
    move |root| client.sh(&INSTALL.replace("@@", &WORLD.join(" ")).replace("$1", &format!("/tmp/{root}")))
}

/// The entries of the index that clients take, of each slot the newest, without the list of alternatives of
/// the virtual, which names every Perl that would do.
fn offered(builder: &Builder) -> BTreeMap<String, String> {
    let index = fs::read_to_string(builder.on_volume("binpkgs/Packages")).expect("there is an index");
    let mut newest = BTreeMap::new();
    for entry in index.split("\n\n").skip(1) {
        let value = |key: &str| entry.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        let name = value("CPV: ").rsplit_once('-').map_or("", |(name, _)| name).to_owned();
        let built: u64 = value("BUILD_TIME: ").parse().unwrap_or(0);
        let text = entry.replace("|| ( =dev-lang/perl-5.44* =dev-lang/perl-5.42* =dev-lang/perl-5.40* )", "");
        if newest.get(&name).is_none_or(|(other, _)| built >= *other) {
            newest.insert(name, (built, text));
        }
    }
    newest.into_iter().map(|(name, (_, entry))| (name, entry)).collect()
}

/// How often each package was compiled since there were `before` of them.
fn compiled(builder: &Builder, before: usize) -> Vec<String> {
    let mut compiled = builder.compiled().split_off(before);
    compiled.sort();
    compiled
}

/// The packages on offer that need this version of Perl.
fn need(builder: &Builder, perl: &str) -> Vec<String> {
    let needing = offered(builder).into_iter().filter(|(_, entry)| entry.contains(perl));
    needing.map(|(name, _)| name).collect()
}

/// The way of a Perl from one version to the next, with the container killed twice on it: when Perl is new
/// and nothing else is, and in the middle of the rebuild step.
#[test]
fn after_a_major_update_nothing_needs_the_old_version() {
    let mut builder = Recipe::new(WORLD)
        .config("[sync]\nmin_interval = \"1s\"\n")
        .file("/run/test/limit-bound", "0\n")
        .file("/run/test/limit-unbound", "0\n")
        .start();
    let status = builder.wait_waiting();
    assert_eq!(status.changes, [""; 0]);
    // One client that was there before, and others that come later.
    let install = client(&builder);
    let old = "5.40\nlibperl.so.5.40\n5.40\npython_targets_python3_12\n";
    assert_eq!(install("before"), old);
    let bound = ["dev-lang/perl", "test-major/bound", "test-major/embeds", "virtual/perl-Test"];
    assert_eq!(need(&builder, "5.40"), bound);
    let first = builder.compiled().len();

    // Another Perl, and another Python to build for.
    builder
        .sh("rm /run/test/limit-*; echo 'PYTHON_TARGETS=\"python3_13\"' >/etc/portage/make.conf/test.conf");
    builder.tree(&["bump", "dev-lang/perl", "5.40.2", "5.42.0"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_at("bound");
    builder.wait_for("all but what waits is merged", |status| status.progress.done == 3);
    assert!(builder.has("dev-lang/perl-5.42.0"));
    builder.sh("rm /run/test/at-bound");
    builder.kill();

    builder.start();
    builder.wait_at("bound");
    builder.go("bound");
    builder.wait_at("unbound");
    let status = builder.wait_for("all but what waits is merged", |status| status.progress.done == 5);
    assert_eq!(status.step, "rebuild");
    builder.sh("rm /run/test/at-unbound");
    assert_eq!(install("during"), old);
    builder.kill();

    builder.start();
    builder.wait_at("unbound");
    builder.go("unbound");
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, [""; 0]);
    let changes = status.changes.join("\n");
    assert!(changes.contains("dev-lang/perl went from 5.40 to 5.42"), "{changes}");
    assert!(changes.contains("PYTHON_TARGETS changed: +python3_13 -python3_12"), "{changes}");
    assert!(changes.contains("test-major/unbound-1"), "{changes}");
    builder.shows("changed");
    assert!(!changes.contains("test-major/script-1"), "{changes}");
    let logs = builder.logs();
    let reason =
        "test-major/unbound-1 has modules in /usr/lib/perl5/vendor_perl/5.40, where Perl 5.42 does not";
    assert!(logs.contains(reason), "{logs}");
    let reason = "test-major/embeds-1 links to libperl.so.5.40, which now exists only as libperl.so.5.42";
    assert!(logs.contains(reason), "{logs}");
    // What waited was begun a second time; everything else was built once, and the script never.
    assert_eq!(
        compiled(&builder, first),
        [
            "dev-lang/perl-5.42.0",
            "test-major/bound-1",
            "test-major/bound-1",
            "test-major/embeds-1",
            "test-major/snake-1",
            "test-major/unbound-1",
            "test-major/unbound-1",
            "virtual/perl-Test-1",
        ]
    );
    assert_eq!(need(&builder, "5.40"), [""; 0]);
    assert_eq!(need(&builder, "5.42"), bound);
    let new = old.replace("5.40", "5.42").replace("3_12", "3_13");
    for root in ["before", "during", "after"] {
        assert_eq!(install(root), new, "{root}");
    }
    assert_eq!(builder.sh("ls /usr/lib/perl5/vendor_perl"), "5.42\n");
    assert_eq!(builder.exec(&["portageq", "list_preserved_libs", "/"]).code, 1);
    builder.assert_tidy();

    // Once more without any trouble, and with a perl-cleaner, which leaves nothing else to do for modules.
    builder.sh(PERL_CLEANER);
    let second = builder.compiled().len();
    builder.tree(&["bump", "dev-lang/perl", "5.42.0", "5.44.0"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(3);
    let status = builder.wait_waiting();
    assert_eq!(status.changes.first().map(String::as_str), Some("dev-lang/perl went from 5.42 to 5.44"));
    assert_eq!(
        builder.sh("cat /run/test/perl-cleaner"),
        "--all -- --usepkg=n --buildpkg=y --quiet-build=y\n"
    );
    let changes = status.changes.join("\n");
    assert!(changes.contains("test-major/embeds") && !changes.contains("test-major/unbound"), "{changes}");
    assert_eq!(compiled(&builder, second).len(), 5, "{:?}", compiled(&builder, second));
    assert_eq!(need(&builder, "5.42"), [""; 0]);
    assert_eq!(need(&builder, "5.44"), bound);
    // An old build, as in a container made anew: the newest one is taken, and nothing is compiled.
    let third = builder.compiled().len();
    let old = "cd / && emerge --oneshot --usepkgonly --quiet $PKGDIR/test-major/unbound/unbound-1-1.gpkg.tar";
    builder.sh(&format!("PKGDIR=/var/lib/gbsup/binpkgs; {old}"));
    assert_eq!(builder.sh("ls /usr/lib/perl5/vendor_perl"), "5.40\n5.44\n");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(4);
    let status = builder.wait_waiting();
    assert_eq!((status.progress.binary, builder.compiled().len()), (1, third), "{}", status.headline);
    assert_eq!(builder.sh("ls /usr/lib/perl5/vendor_perl"), "5.44\n");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(5);
    let status = builder.wait_waiting();
    assert_eq!((status.changes, status.progress.done), (Vec::new(), 0));
    builder.assert_tidy();
}

/// A language without slots, whose modules have a directory with its version in the name, as those of OCaml, Guile and R do.
const LANGUAGE: &str = r#"EAPI=8
inherit test-control
DESCRIPTION="a language"
SLOT="0"
src_install() { insinto /usr/lib/tongue/${PV}; newins - core <<<"core"; }
"#;

/// A module of it; `@@` is what it needs besides.
const MODULE: &str = r#"EAPI=8
inherit test-control
DESCRIPTION="a module"
SLOT="0"
DEPEND="@@"
RDEPEND="test-quick/tongue"
src_install() { insinto "$(printf '%s\n' /usr/lib/tongue/* | tail -n 1)/${PN}"; newins - file <<<"module"; }
"#;

/// Modules stay behind at a jump of a language, and one of them, which nothing needs, cannot be resolved any more.
#[test]
fn what_stays_behind_is_rebuilt_without_what_cannot_be_had() {
    let module = |needs: &str| MODULE.replace("@@", needs);
    let mut builder = Recipe::new(&["test-quick/tongue", "test-quick/one", "test-quick/two"])
        .config("[sync]\nmin_interval = \"1s\"\n")
        .in_tree("test-quick/tongue/tongue-1.1.ebuild", LANGUAGE)
        .in_tree("test-quick/one/one-1.ebuild", &module(""))
        .in_tree("test-quick/two/two-1.ebuild", &module(""))
        .in_tree("test-quick/orphan/orphan-1.ebuild", &module(""))
        .start();
    builder.wait_waiting();
    builder.sh("emerge --quiet --oneshot test-quick/orphan");
    assert_eq!(modules(&builder, "1.1"), ["core", "one", "orphan", "two"]);
    builder.sh("sed -i 's|^DEPEND=.*|DEPEND=test-quick/gone|' /srv/more/test-quick/orphan/orphan-1.ebuild");
    builder.add_ebuild("test-quick", "tongue-1.2", LANGUAGE);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_paused();
    let pause = status.pause.expect("a pause");
    let [failure] = &pause.failures[..] else { panic!("{:#?}", pause.failures) };
    assert_eq!((failure.class, failure.package.as_deref()), (Class::NotTried, Some("test-quick/orphan-1")));
    let why = "it was not tried: it needs test-quick/gone, of which there is no ebuild";
    assert_eq!(failure.message, why);
    let logs = builder.logs();
    let reason = "test-quick/one-1 has files in /usr/lib/tongue/1.1, while test-quick/tongue-1.2 has /usr/lib/tongue/1.2";
    assert!(logs.contains(reason), "{logs}");
    assert_eq!(modules(&builder, "1.2"), ["core", "one", "two"]);
    assert_eq!(modules(&builder, "1.1"), ["orphan"]);
    // What could be built is offered already.
    assert!(builder.logs().contains(".2 is published: "), "{}", builder.logs());

    // With what it needs it follows.
    builder.add_ebuild("test-quick", "gone-1", LANGUAGE);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(3);
    builder.wait_waiting();
    assert_eq!(modules(&builder, "1.2"), ["core", "one", "orphan", "two"]);
    builder.assert_tidy();
}

/// What lies in the directory of a version of the language.
fn modules(builder: &Builder, version: &str) -> Vec<String> {
    let listed = builder.sh(&format!("ls /usr/lib/tongue/{version}"));
    listed.lines().map(str::to_owned).collect()
}
