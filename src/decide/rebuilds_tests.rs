use super::*;
use crate::model::Exit;
use crate::model::machine::Machine;
use crate::portage::files::vdb;
use crate::portage::output::scanner::Scanner;

/// A package with these dependencies, required and provided libraries.
fn package(cpv: &str, slot: &str, values: &[(&str, &str)]) -> Installed {
    let value = |name: &str| match name {
        "SLOT" => slot.to_owned(),
        "BUILD_TIME" => "100".to_owned(),
        _ => values
            .iter()
            .find(|(key, _)| *key == name)
            .map_or_else(String::new, |(_, text)| (*text).to_owned()),
    };
    Installed::read(Cpv::parse(cpv.as_bytes()).unwrap(), value).unwrap()
}

fn perl(version: &str) -> Installed {
    let sub: Vec<&str> = version.splitn(3, '.').take(2).collect();
    let sub = sub.join(".");
    let provides = format!("x86_64: libperl.so.{sub}");
    package(&format!("dev-lang/perl-{version}"), &format!("0/{sub}"), &[("PROVIDES", &provides)])
}

fn words(stale: &[Stale]) -> Vec<String> {
    stale.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_stale_and_what_only_looks_like_it() {
    let installed = [
        perl("5.42.0-r1"),
        package("a/bound-1", "0", &[("DEPEND", "dev-lang/perl:0/5.40=")]),
        package("a/bound-anew-1", "0", &[("RDEPEND", "dev-lang/perl:0/5.42=")]),
        package("a/bound-to-nothing-1", "0", &[("RDEPEND", "dev-lang/gone:0/1=")]),
        package("a/module-1", "0", &[("RDEPEND", "dev-lang/perl")]),
        package("a/script-1", "0", &[("RDEPEND", "dev-lang/perl")]),
        package("a/embeds-1", "3", &[("REQUIRES", "x86_64: libc.so.6 libperl.so.5.40")]),
        package("a/embeds32-1", "0", &[("REQUIRES", "x86_32: libperl.so.5.40")]),
        package("a/embeds-anew-1", "0", &[("REQUIRES", "x86_64: libc.so.6 libperl.so.5.42")]),
    ];
    let modules =
        [(Cpv::parse(b"a/module-1").unwrap(), "/usr/lib64/perl5/vendor_perl/5.40".to_owned())].into();
    let found = stale(&installed, &modules, &Directories::new());
    assert_eq!(
        words(&found),
        [
            "a/bound-1 was built against dev-lang/perl:0/5.40, which is dev-lang/perl:0/5.42 now",
            "a/module-1 has modules in /usr/lib64/perl5/vendor_perl/5.40, where Perl 5.42 does not look for them",
            "a/embeds-1 links to libperl.so.5.40, which now exists only as libperl.so.5.42",
        ]
    );
    assert_eq!(found[2].atom, "a/embeds:3");
    assert_eq!(stale(&[], &BTreeMap::new(), &Directories::new()), []);
}

#[test]
fn a_library_in_two_versions_is_there() {
    let installed = [
        package("llvm-core/llvm-18.1", "18", &[("PROVIDES", "x86_64: libLLVM.so.18.1")]),
        package("llvm-core/llvm-19.1", "19", &[("PROVIDES", "x86_64: libLLVM.so.19.1")]),
        package("a/mesa-1", "0", &[("REQUIRES", "x86_64: libLLVM.so.18.1")]),
        package("a/older-1", "0", &[("REQUIRES", "x86_64: libLLVM-17.so")]),
    ];
    let found = stale(&installed, &BTreeMap::new(), &Directories::new());
    assert_eq!(
        words(&found),
        ["a/older-1 links to libLLVM-17.so, which now exists only as libLLVM.so.18.1, libLLVM.so.19.1"]
    );
}

#[test]
fn directories_of_a_perl_that_is_gone() {
    let all = || {
        ["5.40", "5.42", "5.42.0", "5.42.1", "5.40.2", "vendor_perl", "5"]
            .map(|name| format!("/usr/lib64/perl5/{name}"))
            .to_vec()
    };
    let old = of_another_perl(all(), &[perl("5.42.0-r1")]);
    assert_eq!(old, ["5.40", "5.42.1", "5.40.2"].map(|name| format!("/usr/lib64/perl5/{name}")));
    assert_eq!(of_another_perl(all(), &[package("a/b-1", "0", &[])]), [""; 0]);
}

#[test]
fn what_changed() {
    let before = Settled {
        slots: slots(&[
            perl("5.40.2"),
            package("sys-devel/gcc-13.3", "13", &[]),
            package("dev-lang/python-3.12.8", "3.12", &[]),
            package("dev-lang/ruby-3.2.1", "3.2", &[]),
            package("dev-lang/ruby-3.3.1", "3.3", &[]),
            package("dev-libs/icu-74.1", "0/74", &[]),
            package("dev-libs/removed-1", "0", &[]),
        ]),
        targets: [("PYTHON_TARGETS", "python3_12"), ("RUBY_TARGETS", "ruby33"), ("LLVM_SLOT", "18")]
            .map(|(name, word)| (name.to_owned(), [word.to_owned()].into()))
            .into(),
        ..Settled::default()
    };
    let now = slots(&[
        perl("5.42.0"),
        package("sys-devel/gcc-13.3", "13", &[]),
        package("sys-devel/gcc-14.2", "14", &[]),
        package("dev-lang/python-3.13.1", "3.13", &[]),
        package("dev-lang/ruby-3.3.2", "3.3", &[]),
        package("dev-libs/icu-74.2", "0/74", &[]),
        package("dev-libs/added-1", "0", &[]),
    ]);
    let targets = [("PYTHON_TARGETS", "python3_13"), ("RUBY_TARGETS", "ruby33")]
        .map(|(name, word)| (name.to_owned(), [word.to_owned()].into()))
        .into();
    let found: Vec<String> = changes(&before, &now, &targets).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "dev-lang/perl went from 5.40 to 5.42",
            "dev-lang/python went from slot 3.12 to 3.13",
            "dev-lang/ruby is no longer in slot 3.2",
            "sys-devel/gcc has slot 14 beside 13; the compiler in use stays until another is selected: \
             gcc-config --list-profiles",
            "LLVM_SLOT changed: -18",
            "PYTHON_TARGETS changed: +python3_13 -python3_12",
        ]
    );
}

/// What is rebuilt in vain is not rebuilt for ever, and what was left out is tried again.
#[test]
fn no_package_is_rebuilt_again_and_again() {
    let stale = |built: i64, soname: &str| Stale {
        package: Cpv::parse(b"a/b-1").unwrap(),
        atom: "a/b:0".into(),
        built: Some(built),
        proof: Proof::Library { soname: soname.into(), instead: vec!["libx.so.9".into()] },
    };
    let (first, rebuilt, other) = (stale(100, "libx.so.1"), stale(200, "libx.so.1"), stale(200, "libx.so.2"));
    let list = |these: &[&Stale]| these.iter().map(|&stale| stale.clone()).collect::<Vec<_>>();
    for (found, left, tried, again, kept) in [
        (&first, None, None, true, false),
        // Within the step: rebuilt, and no different; not rebuilt at all; stale in another way now.
        (&rebuilt, None, Some(&first), false, true),
        (&first, None, Some(&first), false, false),
        (&other, None, Some(&first), true, false),
        // In later cycles: as it was left; built once more by somebody since.
        (&rebuilt, Some(&rebuilt), None, false, true),
        (&first, Some(&rebuilt), None, true, false),
    ] {
        let (left, tried) = (left.cloned(), tried.cloned());
        let (left, tried) = (left.as_slice(), tried.as_slice());
        assert_eq!(
            !to_rebuild(list(&[found]), left, tried).is_empty(),
            again,
            "{found:?} {left:?} {tried:?}"
        );
        assert_eq!(!unchanged(list(&[found]), left, tried).is_empty(), kept, "{found:?} {left:?} {tried:?}");
    }
}

/// A container made anew: the volume has what was built since, and the build did not take it.
#[test]
fn a_later_build_is_taken_once() {
    let stale = stale(
        &[
            perl("5.42.0"),
            package("a/b-1", "0", &[("RDEPEND", "dev-lang/perl:0/5.40=")]),
            package("a/c-1", "0", &[("RDEPEND", "dev-lang/perl:0/5.40=")]),
        ],
        &BTreeMap::new(),
        &Directories::new(),
    );
    let binary = |cpv: &str, built| Binary {
        cpv: Cpv::parse(cpv.as_bytes()).unwrap(),
        flags: BTreeSet::new(),
        built: Some(built),
    };
    let binaries = [binary("a/b-1", 100), binary("a/b-1", 101), binary("a/c-1", 100), binary("a/c-2", 101)];
    let ready = built_since(&stale, &binaries, &[]);
    assert_eq!(ready.iter().map(|stale| stale.package.as_str()).collect::<Vec<_>>(), ["a/b-1"]);
    assert_eq!(built_since(&stale, &binaries, &ready), []);
}

#[test]
fn what_is_kept_is_read_back() {
    let settled = Settled {
        slots: slots(&[perl("5.42.0")]),
        targets: [("LLVM_SLOT".to_owned(), ["19".to_owned()].into())].into(),
        left: stale(
            &[perl("5.42.0"), package("a/b-1", "0", &[("RDEPEND", "dev-lang/perl:0/5.40=")])],
            &BTreeMap::new(),
            &Directories::new(),
        ),
        preserved: vec!["a/b-1 /usr/lib/libx.so.1".into()],
    };
    assert_eq!(settled.left.len(), 1);
    let text = serde_json::to_string(&settled).unwrap();
    assert_eq!(serde_json::from_str::<Settled>(&text).unwrap(), settled);
}

/// What perl-cleaner ends with when one of many has no ebuild.
#[test]
fn a_follow_up_that_asks_for_what_is_gone() {
    let ran = |text: &str, code: i32| {
        let mut scanner = Scanner::new();
        text.lines().for_each(|line| drop(scanner.line(line.as_bytes())));
        Ran {
            program: "perl-cleaner".into(),
            command: "perl-cleaner --all".into(),
            log: "/v/log".into(),
            exit: Exit::Code(code),
            evidence: scanner.finish(),
            logs: BTreeMap::new(),
            machine: Machine::default(),
            moments: BTreeMap::new(),
            single_files: Vec::new(),
            renamed: BTreeMap::new(),
            toolchain: String::new(),
        }
    };
    let gone = "emerge: there are no ebuilds to satisfy \"dev-perl/Gone:0\".\n";
    let sentence = refused(&ran(gone, 1)).unwrap();
    assert!(
        sentence.starts_with("perl-cleaner rebuilt nothing, since there is no ebuild of dev-perl/Gone:0"),
        "{sentence}"
    );
    assert!(sentence.ends_with("emerge --ask --depclean dev-perl/Gone:0"), "{sentence}");
    assert_eq!(refused(&ran(gone, 0)), None);
    assert_eq!(refused(&ran("no words", 1)), None);
    let failed = ">>> Failed to emerge dev-perl/Broken-1, Log file:\n>>>  '/v/log/broken'\n";
    assert_eq!(refused(&ran(&format!("{gone}{failed}"), 1)), None);
}

/// Whose directory it was, by what is installed alone.
#[test]
fn what_stayed_behind_in_the_directory_of_an_older_version() {
    let ocaml = package("dev-lang/ocaml-5.2.0", "0", &[]);
    let guile = |version: &str, slot: &str| package(&format!("dev-scheme/guile-{version}"), slot, &[]);
    let module = |name: &str, needs: &str| package(&format!("{name}-1.0"), "0", &[("RDEPEND", needs)]);
    let installed = [
        ocaml,
        guile("2.2.7", "2.2"),
        guile("3.0.9", "3.0"),
        package("dev-lang/python-3.13.1", "3.13", &[]),
        module("a/behind", "dev-lang/ocaml"),
        module("a/anew", "dev-lang/ocaml"),
        module("a/both", "dev-lang/ocaml"),
        module("a/stranger", "dev-libs/other"),
        module("a/slotted", "dev-lang/ocaml:0"),
        module("a/older-slot", "dev-scheme/guile"),
        module("a/gone-slot", ">=dev-scheme/guile-2.0"),
        module("a/targets", "dev-lang/python:3.12"),
        module("a/own", "dev-lang/ocaml"),
    ];
    let paths: &[(&str, &[&str])] = &[
        ("dev-lang/ocaml-5.2.0", &["/usr/lib64/ocaml/5.2.0"]),
        ("dev-scheme/guile-2.2.7", &["/usr/lib64/guile/2.2"]),
        ("dev-scheme/guile-3.0.9", &["/usr/lib64/guile/3.0"]),
        ("dev-lang/python-3.13.1", &["/usr/lib/python3.13"]),
        ("a/behind-1.0", &["/usr/lib64/ocaml/4.14.1"]),
        ("a/anew-1.0", &["/usr/lib64/ocaml/5.2.0"]),
        ("a/both-1.0", &["/usr/lib64/ocaml/4.14.1", "/usr/lib64/ocaml/5.2.0"]),
        ("a/stranger-1.0", &["/usr/lib64/ocaml/4.14.1"]),
        ("a/slotted-1.0", &["/usr/lib64/ocaml/4.14.1"]),
        ("a/older-slot-1.0", &["/usr/lib64/guile/2.2"]),
        ("a/gone-slot-1.0", &["/usr/lib64/guile/2.0"]),
        ("a/targets-1.0", &["/usr/lib/python3.12"]),
        ("a/own-1.0", &["/usr/share/own/1.0"]),
    ];
    let directories = paths.iter().map(|(cpv, paths)| {
        let contents: Vec<String> = paths.iter().map(|path| format!("dir {path}")).collect();
        (Cpv::parse(cpv.as_bytes()).unwrap(), vdb::versioned(&contents.join("\n")))
    });
    let found = stale(&installed, &BTreeMap::new(), &directories.collect());
    assert_eq!(
        words(&found),
        [
            "a/behind-1.0 has files in /usr/lib64/ocaml/4.14.1, while dev-lang/ocaml-5.2.0 has /usr/lib64/ocaml/5.2.0",
            "a/gone-slot-1.0 has files in /usr/lib64/guile/2.0, while dev-scheme/guile-2.2.7 has /usr/lib64/guile/2.2",
        ]
    );
}
