//! What emerge would do, from what it really said; see tests/captured/capture-plans.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use gbsup::portage::files::index;
use gbsup::portage::output::plan::{Action, Plan, Planned, Reader, Reason, Totals};

fn read(text: &str, packages: &str) -> Plan {
    let mut reader = Reader::new();
    for line in text.lines() {
        reader.line(line.as_bytes());
    }
    reader.finish(&index::binaries(packages.as_bytes()))
}

/// A captured plan, and the index of that time where there is one.
macro_rules! captured {
    ($name:literal) => {
        read(include_str!(concat!("captured/plan-", $name, ".txt")), "")
    };
    ($name:literal with index) => {
        read(
            include_str!(concat!("captured/plan-", $name, ".txt")),
            include_str!(concat!("captured/plan-", $name, ".packages")),
        )
    };
}

/// Each package in one line: what happens to it, its slot, what it replaces, and why.
fn told(plan: &Plan) -> Vec<String> {
    plan.packages.iter().map(line).collect()
}

fn line(package: &Planned) -> String {
    let kind = if package.binary { "binary" } else { "source" };
    let slot = format!("{}/{}", package.slot, package.sub_slot);
    let why: Vec<_> = package.why.iter().map(reason).collect();
    let Planned { cpv, action, old, use_changes, .. } = package;
    format!("{action:?} {cpv} {kind} {slot} {old:?} {use_changes:?}: {}", why.join(", ")).replace('"', "")
}

fn reason(reason: &Reason) -> String {
    let names = |packages: &[gbsup::portage::names::cpv::Cpv]| {
        packages.iter().map(ToString::to_string).collect::<Vec<_>>().join(" < ")
    };
    match reason {
        Reason::SlotRebuild { because } => format!("slot of {}", names(because)),
        Reason::SlotChanged { from } => format!("slot was {from}"),
        Reason::UseChanged => "USE".into(),
        Reason::DependenciesChanged => "dependencies".into(),
        Reason::NoBinary => "no binary".into(),
        Reason::BinaryUse { flags } => format!("binary has {}", flags.join(" ")),
        Reason::BinaryUnfit => "binary does not fit".into(),
        Reason::NeededBy { packages } => format!("for {}", names(packages)),
        Reason::Target => "target".into(),
    }
}

#[test]
fn every_kind_of_package() {
    for (plan, packages) in [
        (
            captured!("new"),
            &[
                "New test-quick/t1-1 source 0/1 [] []: for test-quick/t2-1 < test-quick/t3-1",
                "New test-quick/t2-1 source 0/1 [] []: for test-quick/t3-1",
                "New app-misc/hello-2.10 source 0/0 [] []: target",
                "New test-quick/t3-1 source 0/0 [] []: target",
                "New test-quick/t4-1 source 0/0 [] []: target",
            ][..],
        ),
        (captured!("nothing"), &[]),
        (
            captured!("update"),
            &[
                "Update test-quick/t3-2 source 0/0 [1] [fast%*, -doc%]: target",
                "NewSlot test-quick/t4-2 source 2/2 [1] []: target",
            ],
        ),
        (
            captured!("subslot"),
            &[
                "Update test-quick/t1-2 source 0/2 [1] []: for test-quick/t2-1",
                "Rebuild test-quick/t2-1 source 0/1 [] []: slot of test-quick/t1-2",
            ],
        ),
        (captured!("use"), &["Reinstall test-quick/t3-2 source 0/0 [] [doc*, -fast*]: USE, target"]),
        (captured!("downgrade"), &["Downgrade test-quick/t3-1 binary 0/0 [2] [(-doc%*), (-fast%)]: target"]),
        (
            captured!("dependencies" with index),
            &[
                "New test-quick/t5-1 source 0/0 [] []: for test-quick/t4-2",
                "Reinstall test-quick/t4-2 source 2/2 [] []: dependencies, target",
            ],
        ),
        (
            captured!("slot"),
            &["Reinstall test-quick/t5-1 source 0/5 [1] []: slot was 0/0, for test-quick/t4-2"],
        ),
        (
            captured!("unpackaged" with index),
            &["Reinstall app-misc/hello-2.10 source 0/0 [] []: no binary, target"],
        ),
        (
            captured!("packaged" with index),
            &[
                "New app-misc/hello-2.10 binary 0/0 [] []: target",
                "New test-quick/t3-2 source 0/0 [] []: binary has doc, target",
            ],
        ),
        (
            captured!("unfit" with index),
            &[
                "New test-quick/t6-1 source 0/0 [] []: for test-quick/t4-2",
                "New test-quick/t4-2 source 2/2 [] []: binary does not fit, target",
            ],
        ),
        (captured!("uninstall"), &["New test-quick/t7-2 source 0/0 [] []: target"]),
        (captured!("by-hand"), &["New test-quick/t8-1 source 0/0 [] []: target"]),
    ] {
        assert_eq!(told(&plan), packages, "{plan:#?}");
        assert!(plan.packages.iter().all(|package| package.repo == "pocket"));
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "{json}");
    }
    let removed: Vec<_> = captured!("uninstall").removed.iter().map(ToString::to_string).collect();
    assert_eq!(removed, ["test-quick/t6-1"]);
}

#[test]
fn sizes_and_names() {
    let plan = captured!("new");
    assert_eq!(plan.totals(), Totals { packages: 5, source: 5, binary: 0, download: 709 * 1024 });
    for (name, found) in [
        ("hello", 1),
        ("app-misc/hello", 1),
        ("app-misc/hello-2.10", 1),
        ("=app-misc/hello-2.10", 1),
        ("hello-2.10", 1),
        ("app-misc/hello-2.11", 0),
        ("ello", 0),
        ("", 0),
    ] {
        assert_eq!(plan.named(name).count(), found, "{name}");
    }
}

/// The list that a build prints, in the order of merging and without a tree.
#[test]
fn a_list_without_a_tree_tells_less() {
    let plan = read(include_str!("captured/rebuild-subslot.txt"), "");
    assert_eq!(
        told(&plan),
        [
            "Update test-quick/t1-2 source 0/2 [1] []: ",
            "Rebuild test-quick/t2-1 source 0/1 [] []: slot of test-quick/t1-2",
            "Reinstall media-libs/freetype-2.12.1 binary 0/2 [] [-harfbuzz*]: USE",
        ]
    );
}

#[test]
fn damaged_lines_are_passed_over() {
    let mut reader = Reader::new();
    for line in [
        &b"[ebuild  N     ] \xff\xfe-1::x"[..],
        b"[ebuild  N     ]",
        b"[ebuild] a/b-1",
        b"[ebuild  N     ] a/b::x 0 KiB",
        b"[ebuild  N     ] a/b-1:0/2::x USE=\"c d 99999999999999999999999 KiB",
        b"[binary  N~    ] a/b-2-17:::: [ KiB",
        b"The following packages are causing rebuilds:",
        b"  (a/b-1:0/2::x, ebuild scheduled for merge) causes",
        b"    (a/b",
    ] {
        reader.line(line);
    }
    let plan = reader.finish(&[]);
    let packages: Vec<_> =
        plan.packages.iter().map(|package| (package.cpv.as_str(), package.action)).collect();
    assert_eq!(packages, [("a/b-1", Action::New), ("a/b-2", Action::New)]);
    assert_eq!(plan.totals().download, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/portage_plan.txt"))), ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_printed_does_harm(
        lines in prop::collection::vec(
            prop_oneof![
                ".*",
                r#"\[(ebuild|binary|nomerge|blocks|uninstall) [ NSRrUDfFgI~*#]{0,8}\] {0,4}[a-c]/[a-c0-9-]{1,6}(:[0-2](/[0-2])?)?(::x)? (\[[0-9:/, ]{0,8}\])? ?(USE="[abc()%* -]{0,12}"? )?[0-9]{0,25} KiB"#,
                r"  ?\([a-c]/[a-c0-9-]{1,6}:0/0::x, ebuild scheduled for merge\)( causes rebuilds for:)?",
                Just("The following packages are causing rebuilds:".to_owned()),
                Just("These are the packages that would be merged, in reverse order:".to_owned()),
            ],
            0..20,
        ),
        packages in "(\n\n(CPV|USE): [a-c]/[a-c0-9-]{1,6}){0,4}",
    ) {
        let plan = read(&lines.join("\n"), &packages);
        let entries = lines.iter().filter(|line| line.starts_with("[ebuild") || line.starts_with("[binary"));
        prop_assert!(plan.packages.len() <= entries.count());
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
