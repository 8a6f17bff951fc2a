use super::*;

mod linked;

/// An index of blocks: `CPV[:SLOT][#BUILD] KEY=VALUE; KEY=VALUE`.
fn index(lines: &[&str]) -> Index {
    let mut text =
        "VERSION: 0\nIUSE_IMPLICIT: abi\nUSE_EXPAND_IMPLICIT: ELIBC ARCH\nUSE_EXPAND_UNPREFIXED: ARCH\n\
                    USE_EXPAND_VALUES_ELIBC: glibc musl\nUSE_EXPAND_VALUES_ARCH: amd64\n\n"
            .to_owned();
    for line in lines {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (name, build) = name.split_once('#').unwrap_or((name, "1"));
        let (cpv, slot) = name.split_once(':').unwrap_or((name, "0"));
        text += &format!(
            "CPV: {cpv}\nSLOT: {slot}\nBUILD_ID: {build}\nBUILD_TIME: {build}00\nPATH: {cpv}-{build}\n"
        );
        for value in rest.split("; ").filter(|value| !value.is_empty()) {
            let (key, value) = value.split_once('=').unwrap();
            text += &format!("{key}: {value}\n");
        }
        text.push('\n');
    }
    Index::parse(text.as_bytes())
}

/// What is installed: `CPV[:SLOT][#BUILD]`, with what it provides.
fn installed(names: &[(&str, &str)]) -> Vec<Installed> {
    let one = |(name, provides): &(&str, &str)| {
        let (name, build) = name.split_once('#').unwrap_or((name, "1"));
        let (cpv, slot) = name.split_once(':').unwrap_or((name, "0"));
        let value = |key: &str| match key {
            "SLOT" => slot.to_owned(),
            "BUILD_TIME" => format!("{build}00"),
            "PROVIDES" => (*provides).to_owned(),
            _ => String::new(),
        };
        Installed::read(Cpv::parse(cpv.as_bytes()).unwrap(), value).unwrap()
    };
    names.iter().map(one).collect()
}

struct Case {
    index: Index,
    installed: Vec<Installed>,
    damaged: BTreeMap<String, String>,
    lost: BTreeMap<Cpv, String>,
    provided: Vec<Provided>,
}

impl Case {
    fn of(lines: &[&str]) -> Self {
        let (damaged, lost) = (BTreeMap::new(), BTreeMap::new());
        Self { index: index(lines), installed: Vec::new(), damaged, lost, provided: Vec::new() }
    }

    fn installed(self, names: &[(&str, &str)]) -> Self {
        Self { installed: installed(names), ..self }
    }

    fn damaged(self, paths: &[&str]) -> Self {
        let damaged = paths.iter().map(|path| ((*path).to_owned(), "is damaged".to_owned())).collect();
        Self { damaged, ..self }
    }

    fn lost(self, names: &[&str]) -> Self {
        let cpv = |name: &&str| Cpv::parse(name.as_bytes()).unwrap();
        Self { lost: names.iter().map(|name| (cpv(name), "is damaged".to_owned())).collect(), ..self }
    }

    fn provided(self, names: &[&str]) -> Self {
        Self { provided: names.iter().map(|name| Provided::parse(name).unwrap()).collect(), ..self }
    }

    fn audit(&self) -> Audit {
        let Self { index, installed, damaged, lost, provided } = self;
        audit(Facts { index, damaged, lost, installed, provided, wanted: &[] })
    }

    /// The paths that are offered, and what is held back.
    fn told(&self) -> (Vec<String>, Vec<String>) {
        let audit = self.audit();
        let path = |n: &usize| self.index.packages[*n].file().path;
        let held = |held: &Held| format!("{} {}", held.cpv, held.what);
        (audit.offered.iter().map(path).collect(), audit.held.iter().map(held).collect())
    }

    #[track_caller]
    fn expect(&self, offered: &[&str], held: &[&str]) {
        let (paths, why) = self.told();
        assert_eq!(
            (paths.iter().map(String::as_str).collect(), why),
            (offered.to_vec(), held.iter().map(|s| (*s).to_owned()).collect())
        );
    }

    fn rebuild(&self) -> Vec<String> {
        self.audit().rebuild.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn the_real_index_is_complete() {
    let index = Index::parse(include_bytes!("../../../tests/captured/Packages"));
    let (damaged, lost) = (BTreeMap::new(), BTreeMap::new());
    let facts =
        Facts { index: &index, damaged: &damaged, lost: &lost, installed: &[], provided: &[], wanted: &[] };
    let audit = audit(facts);
    assert_eq!(audit.held, []);
    let mut slots: Vec<_> = index.packages.iter().map(|one| (one.cpv.cp(), one.slot().0)).collect();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(audit.offered.len(), slots.len());
}

/// Each build has one fate, and the numbers agree with the lists.
fn adds_up(case: &Case) -> Audit {
    let audit = case.audit();
    assert_eq!(audit.fates.len(), case.index.packages.len());
    let places = |fate| (0..audit.fates.len()).filter(|n| audit.fates[*n] == fate).collect::<Vec<_>>();
    assert_eq!(places(Fate::Offered), audit.offered);
    let slot = |n: &usize| {
        let package = &case.index.packages[*n];
        (package.cpv.cp(), package.slot().0)
    };
    let slots = |places: &[usize]| places.iter().map(slot).collect::<BTreeSet<_>>();
    let (offered, held) = (slots(&audit.offered), slots(&places(Fate::Held)));
    assert_eq!(offered.len(), audit.offered.len(), "one build of each slot");
    assert!(slots(&places(Fate::Replaced)).is_subset(&offered));
    assert!(held.is_disjoint(&offered) && slots(&places(Fate::Unwanted)).is_disjoint(&offered));
    let told: BTreeSet<_> = audit.held.iter().map(|one| (one.cpv.cp(), one.slot.as_str())).collect();
    assert_eq!(told.len(), audit.held.len(), "each is told once");
    let lost = told.difference(&held).filter(|one| !case.lost.keys().any(|cpv| cpv.cp() == one.0));
    assert!(held.is_subset(&told) && lost.count() == 0, "{held:?} {told:?}");
    for (n, one) in audit.rebuild.iter().enumerate() {
        assert!(!audit.rebuild[..n].iter().any(|other| other.is(one)), "{one} is advised twice");
    }
    assert_eq!(Fates::of(&audit.fates, &case.index).total(), case.index.packages.len());
    audit
}

/// On a machine that has other packages than those of the index, and some of them.
#[test]
fn the_real_index_adds_up_also_where_other_packages_are_installed() {
    let real = include_str!("../../../tests/captured/Packages");
    let mut case = Case::of(&[]);
    case.index = Index::parse(real.as_bytes());
    assert_eq!(adds_up(&case).held, []);
    // What most of the others need is not there.
    let is_zlib = |block: &&str| !block.contains("CPV: sys-libs/zlib");
    let without: Vec<&str> = real.split("\n\n").filter(is_zlib).collect();
    case.index = Index::parse(without.join("\n\n").as_bytes());
    let unbound = adds_up(&case);
    assert!(!unbound.held.is_empty());
    let case = case.installed(&[
        ("sys-libs/zlib-1.2.13:0/1", ""),
        ("a/foreign-1", ""),
        ("media-libs/libpng-1.6.39", ""),
    ]);
    let audit = adds_up(&case);
    let counts = Fates::of(&audit.fates, &case.index);
    assert_eq!((counts.held, counts.offered), (1, unbound.offered.len()));
    assert!(counts.unwanted > 0, "{counts:?}");
    let [only] = audit.rebuild.as_slice() else { panic!("{:?}", audit.rebuild) };
    assert_eq!(
        only.to_string(),
        "sys-libs/zlib-1.2.13 has no binary package, and media-libs/libpng-1.6.39 needs it"
    );
}

#[test]
fn one_advice_for_all_that_need_it() {
    let users: Vec<String> = (1..=12).map(|n| format!("a/user{n:02}-1 RDEPEND=b/lib")).collect();
    let lines: Vec<&str> = users.iter().map(String::as_str).collect();
    let names: Vec<String> = (1..=12).map(|n| format!("a/user{n:02}-1")).collect();
    let here: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "")).chain([("b/lib-2", "")]).collect();
    let mut case = Case::of(&lines).installed(&here);
    let audit = adds_up(&case);
    let [only] = audit.rebuild.as_slice() else { panic!("{:?}", audit.rebuild) };
    assert_eq!(only.needed_by.len(), 12);
    let text = only.to_string();
    assert!(text.starts_with("b/lib-2 has no binary package, and a/user01-1, a/user02-1"), "{text}");
    assert!(text.ends_with("a/user08-1 and 4 more need it"), "{text}");
    // It was built once for some of them; that there is another one now is no other trouble.
    case.index = index(&lines[..11]);
    assert_eq!(to_rebuild(&case.audit().rebuild, &audit.rebuild, &[]), []);
}

proptest::proptest! {
    /// Whatever is installed, damaged, lost or missing.
    #[test]
    fn every_build_has_one_fate(
        builds in proptest::collection::vec((0..6_u8, 1..3_u8, 0..2_u8, 0..9_u8, 0..4_u8), 0..20),
        here in proptest::collection::btree_map(0..9_u8, 1..3_u8, 0..6),
        (damaged, lost) in (proptest::collection::vec(0..20_usize, 0..4), proptest::collection::vec(0..9_u8, 0..3)),
    ) {
        let line = |(n, (name, version, slot, needs, soname)): (usize, &(u8, u8, u8, u8, u8))| {
            let (needs, requires) = (format!("RDEPEND=a/p{needs}"), format!("REQUIRES=x: lib{soname}.so.1"));
            format!("a/p{name}-{version}:{slot}#{n} {needs}; {requires}; PROVIDES=x: lib{name}.so.{version}")
        };
        let lines: Vec<String> = builds.iter().enumerate().map(line).collect();
        let here: Vec<(String, String)> =
            here.iter().map(|(n, version)| (format!("a/p{n}-{version}"), format!("x: lib{n}.so.{version}"))).collect();
        let here: Vec<(&str, &str)> = here.iter().map(|(name, provides)| (name.as_str(), provides.as_str())).collect();
        let lost: Vec<String> = lost.iter().map(|n| format!("a/p{n}-1")).collect();
        let case = Case::of(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let paths = case.index.packages.iter().map(|one| one.file().path).collect::<Vec<_>>();
        let paths: Vec<&str> = damaged.iter().filter_map(|n| Some(paths.get(*n)?.as_str())).collect();
        let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
        adds_up(&case.installed(&here).damaged(&paths).lost(&lost));
    }
}

#[test]
fn one_build_of_each_slot() {
    let lines = ["a/x-1.9", "a/x-1.10", "a/x-1.10#2", "a/x-2:2", "a/x-1.10_rc1#7"];
    Case::of(&lines).expect(&["a/x-1.10-2", "a/x-2-1"], &[]);
    Case::of(&lines).installed(&[("a/x-1.10#1", "")]).expect(&["a/x-1.10-1", "a/x-2-1"], &[]);
    Case::of(&lines).installed(&[("a/x-1.9#1", "")]).expect(&["a/x-1.9-1", "a/x-2-1"], &[]);
    Case::of(&lines).installed(&[("a/x-1.9#5", "")]).expect(&["a/x-1.10-2", "a/x-2-1"], &[]);
}

#[test]
fn what_is_incomplete_is_held_back_with_all_that_needs_it() {
    Case::of(&[
        "a/top-1 RDEPEND=a/middle",
        "a/middle-1 PDEPEND=|| ( a/low a/other )",
        "a/low-1 RDEPEND=a/gone:0/2=",
        "a/apart-1 RDEPEND=!a/low",
    ])
    .expect(
        &["a/apart-1-1"],
        &[
            "a/top-1 needs a/middle-1, which is held back",
            "a/middle-1 needs a/low-1, which is held back",
            "a/low-1 needs a/gone:0/2=, which nothing offers",
        ],
    );
    Case::of(&["a/ring-1 RDEPEND=b/ring", "b/ring-1 RDEPEND=a/ring"])
        .expect(&["a/ring-1-1", "b/ring-1-1"], &[]);
    Case::of(&["a/x-1 RDEPEND=a/x-1"])
        .expect(&[], &["a/x-1 has dependencies that nobody can read: `a/x-1` is no atom"]);
}

#[test]
fn an_older_build_takes_the_place_of_a_bad_one() {
    let lines = [
        "a/lib-1:0/1",
        "a/lib-2:0/2 RDEPEND=a/gone",
        "a/user-1#1 RDEPEND=a/lib:0/1=",
        "a/user-1#2 RDEPEND=a/lib:0/2=",
    ];
    Case::of(&lines).expect(&["a/lib-1-1", "a/user-1-1"], &[]);
    let whole = ["a/lib-1#1", "a/lib-1#2"];
    Case::of(&whole).damaged(&["a/lib-1-2"]).expect(&["a/lib-1-1"], &[]);
    Case::of(&whole).damaged(&["a/lib-1-2", "a/lib-1-1"]).expect(&[], &["a/lib-1 is damaged"]);
}

/// It was given up for a build of the library that gave way itself.
#[test]
fn what_is_right_in_the_end_is_offered() {
    Case::of(&["a/lib-1:0/1", "a/lib-2:0/2 RDEPEND=a/gone", "a/user-1 RDEPEND=a/lib:0/1="])
        .expect(&["a/lib-1-1", "a/user-1-1"], &[]);
}

#[test]
fn flags_are_those_of_the_provider() {
    for (provider, wanted, is_offered) in [
        ("IUSE=+x; USE=x", "a/p[x]", true),
        ("IUSE=x", "a/p[x]", false),
        ("IUSE=x", "a/p[-x]", true),
        ("", "a/p[x]", false),
        ("", "a/p[x(+)]", true),
        ("USE=abi amd64", "a/p[elibc_glibc]", false),
        ("USE=abi amd64 elibc_glibc", "a/p[abi,-elibc_musl,elibc_glibc,amd64]", true),
        ("IUSE=on; USE=on", "a/p[on=]", true),
        ("IUSE=on", "a/p[on?]", false),
        ("IUSE=off", "a/p[off?,!on?]", false),
        ("IUSE=off on", "on? ( a/p[off?] ) off? ( a/none )", true),
    ] {
        let case = Case::of(&[
            &format!("a/p-1 {provider}"),
            &format!("a/user-1 IUSE=on off; USE=on; RDEPEND={wanted}"),
        ]);
        assert_eq!(case.told().0.len(), if is_offered { 2 } else { 1 }, "{provider} {wanted}");
    }
}

#[test]
fn libraries_have_to_be_there() {
    let lines = [
        "a/lib-2 PROVIDES=x86_64: liba.so.2",
        "a/new-1 REQUIRES=x86_64: liba.so.2 libc.so.6",
        "a/old-1 REQUIRES=x86_64: liba.so.1 libc.so.6",
        "a/other-1 REQUIRES=x86_32: liba.so.1",
        "a/own-1 REQUIRES=x86_64: libown.so.1; PROVIDES=x86_64: libown.so.1",
    ];
    let rest = ["a/lib-2-1", "a/new-1-1", "a/other-1-1", "a/own-1-1"];
    Case::of(&lines).expect(&rest, &["a/old-1 links to liba.so.1, which nothing offers"]);
    // A library that belongs to a package which clients have.
    let base = ("sys-libs/glibc-2.41", "x86_64: libc.so.6");
    let all = [("a/lib-2", ""), ("a/new-1", ""), ("a/old-1", ""), ("a/other-1", ""), ("a/own-1", ""), base];
    let case = Case::of(&lines).installed(&all);
    assert_eq!(case.told().0, ["a/lib-2-1", "a/other-1-1", "a/own-1-1"]);
    assert_eq!(
        case.rebuild(),
        [
            "a/old-1 links to liba.so.1, which nothing offers",
            "sys-libs/glibc-2.41 has no binary package, and a/new-1 needs it"
        ]
    );
    assert_eq!(case.provided(&["sys-libs/glibc"]).told().0, rest);
}

#[test]
fn what_clients_have_anyway() {
    let lines = ["a/user-1 RDEPEND=>=sys-libs/glibc-2.40:2.2[x]"];
    Case::of(&lines).provided(&["sys-libs/glibc"]).expect(&["a/user-1-1"], &[]);
    Case::of(&lines).provided(&["sys-libs/glibc-2.41"]).expect(&["a/user-1-1"], &[]);
    let held = ["a/user-1 needs >=sys-libs/glibc-2.40:2.2[x], which nothing offers"];
    Case::of(&lines).provided(&["sys-libs/glibc-2.39"]).expect(&[], &held);
}

#[test]
fn what_a_new_build_may_put_right() {
    let lines = [
        "a/low-1",
        "a/low-1#2",
        "a/user-1 RDEPEND=a/gone",
        "a/top-1 RDEPEND=a/user",
        "a/past-1 RDEPEND=a/gone",
    ];
    let all = [("a/low-1#2", ""), ("a/user-1", ""), ("a/top-1", "")];
    let case = Case::of(&lines).installed(&all).damaged(&["a/low-1-2"]);
    case.expect(
        &["a/low-1-1"],
        &["a/user-1 needs a/gone, which nothing offers", "a/top-1 needs a/user-1, which is held back"],
    );
    assert_eq!(case.rebuild(), ["a/low-1 is damaged", "a/user-1 needs a/gone, which nothing offers"]);
    // It is installed, and somebody removed its binary package.
    let case = case.installed(&[("a/user-1", ""), ("a/gone-1", "")]);
    assert_eq!(case.rebuild(), ["a/gone-1 has no binary package, and a/user-1 needs it"]);
}

/// As long as there is no new build, the reason stays what it was before the damaged one was set aside.
#[test]
fn what_was_set_aside_is_missed_where_it_is_installed() {
    let lines = ["a/user-1 RDEPEND=a/low", "b/linked-1 REQUIRES=x: liblow.so.1"];
    let all = [("a/user-1", ""), ("b/linked-1", ""), ("a/low-1", "x: liblow.so.1")];
    let case = Case::of(&lines).installed(&all).lost(&["a/low-1", "a/other-1"]);
    let held = [
        "a/user-1 needs a/low-1, which is held back",
        "b/linked-1 links to liblow.so.1, which nothing offers",
        "a/low-1 is damaged",
    ];
    case.expect(&[], &held);
    assert_eq!(case.rebuild(), ["a/low-1 is damaged"]);
    Case::of(&lines)
        .provided(&["a/low"])
        .installed(&all)
        .lost(&["a/low-1"])
        .expect(&["a/user-1-1", "b/linked-1-1"], &[]);
    // An older version takes its place; what is built anew ends it.
    let with = |line| Case::of(&[lines[0], lines[1], line]).installed(&all).lost(&["a/low-1"]);
    let older = with("a/low-0.9 PROVIDES=x: liblow.so.1");
    older.expect(&["a/user-1-1", "b/linked-1-1", "a/low-0.9-1"], &[]);
    assert_eq!(older.rebuild(), ["a/low-1 is damaged"]);
    let anew = with("a/low-1#2 PROVIDES=x: liblow.so.1");
    anew.expect(&["a/user-1-1", "b/linked-1-1", "a/low-1-2"], &[]);
    assert_eq!(anew.rebuild(), [""; 0]);
}

#[test]
fn twenty_thousand_packages() {
    let lines: Vec<String> = (0..20_000)
        .map(|n| format!("a/p{n}-1:0/3 IUSE=x; USE=x; RDEPEND=>=a/p{}-1:0/3=[x] a/p{}; REQUIRES=x86_64: lib{}.so.1; PROVIDES=x86_64: lib{n}.so.1", (n + 1) % 19_000, n / 2, n / 3))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let case = Case::of(&lines);
    assert_eq!(case.told().0.len(), 20_000);
    // One of them takes all of them with it, one after the other.
    let audit = case.damaged(&["a/p18999-1-1"]).audit();
    assert_eq!((audit.offered.len(), audit.held.len()), (0, 20_000));
}

/// What it lacks fails, and would only fail again.
#[test]
fn nothing_is_built_anew_for_the_lack_of_what_fails() {
    let broken = |what: &str| Broken {
        package: Cpv::parse(b"a/b-1").unwrap(),
        slot: "0".into(),
        what: what.into(),
        needed_by: Vec::new(),
    };
    let lacks = [broken("needs >=a/c-1:2=, which nothing offers"), broken("is damaged")];
    for (failing, left) in [("a/c:2", 1), ("a/c", 1), ("a/*", 1), ("a/d:2", 2)] {
        assert_eq!(to_rebuild(&lacks, &[], &[failing.to_owned()]).len(), left, "{failing}");
    }
}

#[test]
fn a_build_beside_the_common_one_is_the_one_with_just_these_flags() {
    let index = index(&[
        "a/b-1 IUSE=+bar foo; USE=bar amd64",
        "a/b-1#2 IUSE=+bar foo; USE=foo amd64",
        "a/b-1#3 IUSE=+bar foo; USE=amd64; RDEPEND=a/gone",
        "a/b-2 IUSE=+bar foo; USE=bar amd64",
        "a/b-1#4 IUSE=+bar foo; USE=bar foo amd64",
    ]);
    let installed = installed(&[("a/b-1", "")]);
    let wants = |flags: &[(&str, bool)]| Wanted {
        package: "a/b".into(),
        flags: flags.iter().map(|(flag, enabled)| ((*flag).to_owned(), *enabled)).collect(),
    };
    let (damaged, lost) = (BTreeMap::new(), BTreeMap::new());
    let of = |wanted: &[Wanted]| {
        let audit = audit(Facts {
            index: &index,
            damaged: &damaged,
            lost: &lost,
            installed: &installed,
            provided: &[],
            wanted,
        });
        assert_eq!(audit.offered, [0], "the common one stays");
        audit.beside.iter().map(|one| (one.flags(), one.build)).collect::<Vec<_>>()
    };
    assert_eq!(of(&[wants(&[("bar", false), ("foo", true)])]), [("-bar foo".to_owned(), Some(1))]);
    assert_eq!(
        of(&[wants(&[("foo", true)]), wants(&[("foo", true), ("other", false)])]),
        [("foo".to_owned(), Some(4))]
    );
    // What it would need is not offered, and of another version there may be any.
    assert_eq!(of(&[wants(&[("bar", false)])]), [("-bar".to_owned(), None)]);
    assert_eq!(of(&[wants(&[("bar", true)]), wants(&[("unknown", true)])]), [], "that is what it is");
}
