//! Which packages of a plan need which others, from the metadata cache of the repository (`metadata/md5-cache/CATEGORY/PF`: a line
//! `KEY=VALUE` for each value, and `_eclasses_` with the names and digests of what the ebuild inherits).

use std::fs;
use std::path::Path;

use gbsup::portage::names::depend::{self, Need, Problem};
use gbsup::portage::output::plan::Planned;

/// The kinds of dependencies that count.
const KEYS: [&str; 4] = ["DEPEND", "BDEPEND", "IDEPEND", "RDEPEND"];
/// Flags that Portage does not show, of a plan for Linux with glibc.
const HIDDEN: [&str; 3] = ["elibc_glibc", "kernel_linux", "userland_GNU"];
/// Categories of which nothing is compiled, or by no C compiler.
const PLAIN: [&str; 7] =
    ["acct-group", "acct-user", "app-alternatives", "app-eselect", "dev-python", "sec-keys", "virtual"];
/// What needs one of these to be built asks nobody for help.
const OTHER_COMPILERS: [&str; 6] = [
    "dev-lang/go",
    "dev-lang/go-bootstrap",
    "dev-lang/rust",
    "dev-lang/rust-bin",
    "virtual/jdk",
    "virtual/rust",
];
/// gcc compiles itself with what it has just compiled, which it calls by its path; so do these.
const BY_PATH: [&str; 3] = ["dev-lang/go-bootstrap", "dev-lang/rust", "sys-devel/gcc"];

/// What is known of a package of the plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// The cache has it, and its dependencies can be read.
    pub(crate) known: bool,
    /// What must be built and installed before it can be built: places in the plan.
    pub(crate) after: Vec<usize>,
    /// A C or C++ compiler that is called by its name does most of the work.
    pub(crate) helped: bool,
    /// How many of its needs come later in the plan: the version that is installed serves.
    pub(crate) later: usize,
}

/// Reads what is known of each package of a plan, in its order. What the cache does not have waits for the package before it.
pub(crate) fn read(plan: &[Planned], cache: &Path) -> Vec<Node> {
    let entry = |package: &Planned| {
        let text = fs::read_to_string(cache.join(package.cpv.as_str())).ok()?;
        KEYS.iter().all(|key| needs(package, value(&text, key)).is_ok()).then_some(text)
    };
    let entries: Vec<Option<String>> = plan.iter().map(entry).collect();
    let needed = |keys: &[&str]| -> Vec<Vec<usize>> {
        let of = |(package, entry): (&Planned, &Option<String>)| {
            let text = entry.as_deref().unwrap_or_default();
            let needs = keys.iter().flat_map(|key| needs(package, value(text, key)).unwrap_or_default());
            fulfilled(plan, &needs.collect::<Vec<_>>())
        };
        plan.iter().zip(&entries).map(of).collect()
    };
    let (to_build, to_run) = (needed(&KEYS[..3]), needed(&KEYS[2..]));
    let node = |(place, (package, entry)): (usize, (&Planned, &Option<String>))| {
        let Some(entry) = entry else {
            return Node { after: place.checked_sub(1).into_iter().collect(), ..Node::default() };
        };
        let mut after = vec![false; plan.len()];
        let mut later = 0;
        let mut open = to_build[place].clone();
        while let Some(other) = open.pop() {
            // What comes later cannot be needed: Portage broke a circle there, with what is installed.
            later += usize::from(other > place);
            if other < place && !std::mem::replace(&mut after[other], true) {
                open.extend(&to_run[other]);
            }
        }
        let after = (0..place).filter(|&other| after[other]).collect();
        Node { known: true, after, helped: is_helped(package, entry), later }
    };
    plan.iter().zip(&entries).enumerate().map(node).collect()
}

fn value<'a>(entry: &'a str, key: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    entry.lines().find_map(value).unwrap_or_default()
}

/// One kind of dependencies of a package, with its flags.
fn needs<'a>(package: &Planned, text: &'a str) -> Result<Vec<Need<'a>>, Problem> {
    let has = |flag: &str| HIDDEN.contains(&flag) || package.flags.iter().any(|other| other == flag);
    depend::parse(text, has)
}

/// The packages of the plan that fulfil needs.
fn fulfilled(plan: &[Planned], needs: &[Need]) -> Vec<usize> {
    let mut found = Vec::new();
    for need in needs {
        fulfil(plan, need, &mut found);
    }
    found
}

/// Adds what fulfils a need; false when the plan does not, and something that is installed must.
fn fulfil(plan: &[Planned], need: &Need, found: &mut Vec<usize>) -> bool {
    match need {
        // What must not be there keeps nothing from being built elsewhere.
        Need::Atom(atom) if atom.blocks() => true,
        Need::Atom(atom) => {
            let means =
                |package: &Planned| atom.means_build(&package.cpv, (&package.slot, &package.sub_slot));
            let places = (0..plan.len()).filter(|&place| means(&plan[place]));
            let before = found.len();
            found.extend(places);
            found.len() > before
        }
        Need::All(needs) => {
            // Each of them, whether or not the others are there.
            let there: Vec<bool> = needs.iter().map(|need| fulfil(plan, need, found)).collect();
            !there.is_empty() && there.into_iter().all(|there| there)
        }
        Need::Any(needs) => needs.iter().any(|need| {
            let mut own = Vec::new();
            let fulfilled = fulfil(plan, need, &mut own);
            if fulfilled {
                found.append(&mut own);
            }
            fulfilled
        }),
    }
}

fn is_helped(package: &Planned, entry: &str) -> bool {
    let cp = package.cpv.cp();
    let category = cp.split('/').next().unwrap_or_default();
    let python = value(entry, "_eclasses_").split('\t').step_by(2).any(|name| name == "distutils-r1");
    let mut others = false;
    for need in
        ["DEPEND", "BDEPEND"].iter().flat_map(|key| needs(package, value(entry, key)).unwrap_or_default())
    {
        need.for_each(&mut |atom| others |= OTHER_COMPILERS.contains(&atom.cp()));
    }
    !python && !others && !PLAIN.contains(&category) && !BY_PATH.contains(&cp)
}
