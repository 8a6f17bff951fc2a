//! Dependencies of every kind, and a package of each that fails: whatever can be built is built, each package is tried
//! once, and what cannot be is named.

use std::collections::BTreeSet;

use gbsup::model::failure::Class;

use crate::support::{Builder, Recipe};

/// A package of a shape: its name, what it needs, and whether it dies.
type Package = (&'static str, &'static str, bool);

/// Shapes that have nothing to do with each other. What can be built of each is what does not die and needs nothing that
/// does, before it is merged.
const SHAPES: &[Package] = &[
    // A ring through PDEPEND, whose first member is merged before the second one fails.
    ("ring-a", "PDEPEND=test-quick/ring-b", false),
    ("ring-b", "DEPEND=test-quick/ring-a", true),
    ("ring-c", "RDEPEND=test-quick/ring-a", false),
    ("ring-d", "DEPEND=test-quick/ring-c", false),
    ("ring-e", "RDEPEND=test-quick/ring-b", false),
    // Plain ones.
    ("sick", "", true),
    ("run", "RDEPEND=test-quick/sick", false),
    ("tool", "BDEPEND=test-quick/sick", false),
    ("inst", "IDEPEND=test-quick/sick", false),
    ("deep", "DEPEND=test-quick/run", false),
    // One of two, of which the second is not wanted for itself.
    ("either", "RDEPEND=|| ( test-quick/sick test-quick/other )", false),
    ("beside", "DEPEND=test-quick/either", false),
];
/// Wanted by nobody.
const OTHER: Package = ("other", "", false);
const BUILT: &[&str] = &["ring-a", "ring-c", "ring-d", "either", "beside", "other"];

fn ebuild((name, needs, dies): &Package) -> String {
    let needs =
        needs.split_once('=').map(|(kind, atoms)| format!("{kind}=\"{atoms}\"\n")).unwrap_or_default();
    let dies = if *dies { "src_compile() { die \"it is sick\"; }\n" } else { "" };
    format!(
        "EAPI=8\ninherit test-control\nDESCRIPTION=\"{name}\"\nSLOT=\"0\"\n{needs}{dies}src_install() {{ test_file; }}\n"
    )
}

#[track_caller]
fn assert_built(builder: &Builder) {
    let all = SHAPES.iter().chain([&OTHER]).map(|(name, ..)| *name);
    let there: BTreeSet<&str> = all.filter(|name| builder.has(&format!("test-quick/{name}-1"))).collect();
    assert_eq!(there, BUILT.iter().copied().collect());
    let compiled = builder.compiled();
    let once: BTreeSet<&String> = compiled.iter().collect();
    assert_eq!(once.len(), compiled.len(), "tried twice: {compiled:?}");
}

#[test]
fn whatever_can_be_built_is_built() {
    let wanted: Vec<String> = SHAPES.iter().map(|(name, ..)| format!("test-quick/{name}")).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut recipe = Recipe::new(&wanted).config("[build]\njobs = 1\n");
    for package in SHAPES.iter().chain([&OTHER]) {
        recipe = recipe.in_tree(&format!("test-quick/{0}/{0}-1.ebuild", package.0), &ebuild(package));
    }
    let mut builder = recipe.start();
    let status = builder.wait_paused();
    assert_built(&builder);
    assert_eq!((status.progress.done, status.progress.failed), (6, 2), "{}", status.headline);
    let failures = status.pause.expect("a pause").failures;
    let (sick, untried): (Vec<_>, Vec<_>) =
        failures.iter().partition(|failure| failure.class != Class::NotTried);
    let names: Vec<_> = sick.iter().filter_map(|failure| failure.package.as_deref()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 2, "{names:?}");
    // Each of the others is named, by Portage's summary or by itself.
    let told: Vec<String> = failures.iter().map(|failure| failure.evidence.join("\n")).collect();
    for name in ["ring-e", "run", "tool", "inst", "deep"] {
        let package = format!("test-quick/{name}-1");
        let alone = untried.iter().any(|failure| failure.package.as_deref() == Some(package.as_str()));
        assert!(alone || told.iter().any(|lines| lines.contains(&package)), "{package}: {failures:#?}");
    }

    // Nor does a later cycle try what fails, and one for which a person has left it out is as good.
    builder.gbsup(&["skip", "test-quick/ring-b"]).ok();
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("test-quick/sick-1 still failing"), "{}", status.headline);
    assert!(!status.warnings.iter().any(|warning| warning.contains("masked")), "{:?}", status.warnings);
    assert_built(&builder);
}

// --- A table ---------------------------------------------------------------------------------------

/// A package of the table.
struct Cell {
    /// `category/name`.
    name: String,
    /// What its ebuild says of its dependencies.
    says: String,
    /// Of each of these it needs one before it is built.
    needs: Vec<Vec<String>>,
    dies: bool,
}

/// Each kind of dependency, and of each kind once for each of its packages that could fail.
fn table() -> Vec<Cell> {
    let mut cells = Vec::new();
    // Members: a letter with what stands in its ebuild, in which `%x` is the member x, and what it needs.
    let mut shape = |name: &str, members: &[(&str, &str, &[&str])], sick: &[&str]| {
        for sick in sick {
            let full = |letter: &str| match letter {
                "v" => format!("virtual/{name}-{sick}"),
                letter => format!("test-quick/{name}-{sick}-{letter}"),
            };
            for (letter, says, needs) in members {
                let said = ["a", "b", "v"].iter().fold((*says).to_owned(), |said, letter| {
                    said.replace(&format!("%{letter}"), &full(letter))
                });
                let needs = needs.iter().map(|any| any.split('|').map(full).collect()).collect();
                cells.push(Cell { name: full(letter), says: said, needs, dies: letter == sick });
            }
        }
    };
    for kind in ["DEPEND", "RDEPEND", "BDEPEND", "IDEPEND"] {
        let says = format!("{kind}=\"%a\"");
        shape(&kind.to_lowercase(), &[("a", "", &[]), ("b", &says, &["a"])], &["a", "b"]);
    }
    // What is to come after it and has failed before keeps Portage from it, and clients could not be offered it. In a ring it comes first.
    shape("pdepend", &[("a", "", &[]), ("b", "PDEPEND=\"%a\"", &["a"])], &["a", "b"]);
    let user = ("c", "RDEPEND=\"|| ( %a %b )\"", &["a|b"][..]);
    shape("any", &[("a", "", &[]), ("b", "", &[]), user], &["a", "b", "c"]);
    let is_virtual = ("v", "RDEPEND=\"|| ( %a %b )\"", &["a|b"][..]);
    let members = [("a", "", &[][..]), ("b", "", &[]), is_virtual, ("c", "DEPEND=\"%v\"", &["v"])];
    shape("virtual", &members, &["a", "v", "c"]);
    let members =
        [("a", "PDEPEND=\"%b\"", &[][..]), ("b", "DEPEND=\"%a\"", &["a"]), ("c", "RDEPEND=\"%a\"", &["a"])];
    shape("ring", &members, &["a", "b", "c"]);
    cells
}

/// What can be built: what does not die, once all that it needs is.
fn oracle(table: &[Cell]) -> BTreeSet<&str> {
    let mut built = BTreeSet::new();
    loop {
        let has = |any: &Vec<String>| any.iter().any(|name| built.contains(name.as_str()));
        let next: Vec<&str> = table
            .iter()
            .filter(|cell| !cell.dies && !built.contains(cell.name.as_str()) && cell.needs.iter().all(has))
            .map(|cell| cell.name.as_str())
            .collect();
        if next.is_empty() {
            return built;
        }
        built.extend(next);
    }
}

#[test]
fn each_kind_of_dependency_whichever_of_its_packages_fails() {
    let table = table();
    let wanted: Vec<&str> = table.iter().map(|cell| cell.name.as_str()).collect();
    let mut recipe = Recipe::new(&wanted).config("[build]\njobs = 1\n");
    for Cell { name, says, dies, .. } in &table {
        let dies = if *dies { "src_compile() { die \"it is sick\"; }\n" } else { "" };
        let text = format!(
            "EAPI=8\ninherit test-control\nDESCRIPTION=\"x\"\nSLOT=\"0\"\n{says}\n{dies}src_install() {{ test_file; }}\n"
        );
        let (_, package) = name.split_once('/').expect("a category");
        recipe = recipe.in_tree(&format!("{name}/{package}-1.ebuild"), &text);
    }
    let mut builder = recipe.start();
    let status = builder.wait_paused();
    let expected = oracle(&table);
    let there: BTreeSet<&str> =
        wanted.iter().copied().filter(|name| builder.has(&format!("{name}-1"))).collect();
    assert_eq!(there, expected);
    let compiled = builder.compiled();
    assert_eq!(compiled.iter().collect::<BTreeSet<_>>().len(), compiled.len(), "tried twice: {compiled:?}");
    let dying = table.iter().filter(|cell| cell.dies).count() as u64;
    assert_eq!(
        (status.progress.done, status.progress.failed),
        (expected.len() as u64, dying),
        "{}",
        status.headline
    );
    // Each of the others is named, by Portage's summary or by itself.
    let failures = status.pause.expect("a pause").failures;
    for cell in table.iter().filter(|cell| !expected.contains(cell.name.as_str())) {
        let package = format!("{}-1", cell.name);
        let named = failures.iter().any(|failure| {
            let own = failure.package.as_ref() == Some(&package);
            let class =
                if cell.dies { failure.class == Class::Compile } else { failure.class == Class::NotTried };
            (own && class) || (!cell.dies && failure.evidence.iter().any(|line| line.contains(&package)))
        });
        assert!(named, "{package}: {failures:#?}");
    }
}
