//! The output of `emerge --pretend --verbose --tree`.
//!
//! Sources: `_emerge/resolver/output.py` and `output_helpers.py` for the list (its letters are those
//! of emerge(1) under `--pretend`), `_emerge/depgraph.py:_show_abi_rebuild_info` for what follows it.
//! With `--tree` the list stands in reverse order, what needs a package above it and less indented:
//!
//! ```text
//! [nomerge       ] media-libs/freetype-2.12.1:0/2::pocket  USE="bzip2 png -harfbuzz"
//! [ebuild     U  ]  sys-libs/zlib-1.3:0/1::pocket [1.2.13:0/1::pocket] 1211 KiB
//! ```
//!
//! Portage keeps to itself why it merges an installed package again, or why it builds one that has a
//! binary package (FEATURES=buildpkg-proactive silences its notes about that). The index of binary
//! packages tells these cases apart.

use std::collections::BTreeMap;

use super::{Action, Plan, Planned, Reason};
use crate::portage::files::index::Binary;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::progress::{Listed, package_in_parentheses};

/// A plan has at most as many packages as this: the whole tree of Gentoo has fewer.
const MAX_PACKAGES: usize = 30_000;
/// As much of a line is shown, in characters.
const SHOWN: usize = 120;
/// How far up it is told who needs a package.
const MAX_PARENTS: usize = 8;

/// Why what was read is no plan. The text follows "it" or the name of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is something else, was cut short, or was made without `--verbose` or with `--quiet`.
    #[error("has no line that begins with \"Total: \", with which emerge --pretend --verbose ends its list")]
    NoTotal,
    /// Which of them is meant?
    #[error("has {0} lists of packages, and not one")]
    Several(usize),
    /// A part of the list is missing or is written in another way (`--columns`).
    #[error(
        "is not understood: Portage counts {counted} packages, and {read} could be read{}",
        .line.as_ref().map(|line| format!("; the first line that could not: {line}")).unwrap_or_default()
    )]
    Miscounted {
        /// What Portage counts.
        counted: u64,
        /// How many there are in the plan.
        read: usize,
        /// The first line of the list that was not understood.
        line: Option<String>,
    },
}

/// Reads a plan, line by line. What is no part of one is passed over; [`Reader::unread`] tells whether that was
/// too much.
#[derive(Debug, Default)]
pub struct Reader {
    plan: Plan,
    /// What Portage itself counts below each list.
    totals: Vec<Option<u64>>,
    /// The first line of the list that was not understood.
    odd: Option<String>,
    /// The flags of each package, beside it.
    flags: Vec<Vec<Flag>>,
    /// The list has the order of `--tree`.
    tree: bool,
    /// The entries above the present line that are less indented, with their indentation. A blocker
    /// has no package.
    above: Vec<(usize, Option<Cpv>)>,
    rebuilds: Rebuilds,
}

/// `The following packages are causing rebuilds:`
#[derive(Debug, Default)]
struct Rebuilds {
    /// The lines that are being read are about them.
    open: bool,
    cause: Option<Cpv>,
    /// Who causes the rebuild, of each that is rebuilt.
    pairs: BTreeMap<Cpv, Vec<Cpv>>,
}

impl Reader {
    /// A reader for one run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line, without its newline.
    pub fn line(&mut self, line: &[u8]) {
        let Ok(line) = std::str::from_utf8(line) else { return };
        if let Some(entry) = Entry::parse(line) {
            if !self.entry(&entry) {
                self.odd.get_or_insert_with(|| line.trim_end().chars().take(SHOWN).collect());
            }
        } else if let Some(total) = line.strip_prefix("Total: ") {
            self.totals.push(total.split(' ').next().and_then(|number| number.parse().ok()));
        } else if line.starts_with("These are the packages that would be") {
            self.tree = line.ends_with("in reverse order:");
        } else if self.rebuilds.open && line.starts_with("  ") {
            self.rebuilds.line(line);
        } else if !line.is_empty() {
            self.rebuilds.open = line == "The following packages are causing rebuilds:";
        }
    }

    /// Why what was read so far is not all that emerge listed; nothing when it is. Portage counts what it lists
    /// (`_emerge/resolver/output_helpers.py:_PackageCounters`), and only its own count shows that nothing was missed.
    pub(crate) fn unread(&self) -> Option<Unread> {
        let read = self.plan.packages.len();
        match self.totals.as_slice() {
            [] => Some(Unread::NoTotal),
            [Some(counted)] if u64::try_from(read) == Ok(*counted) && self.odd.is_none() => None,
            [counted] => {
                Some(Unread::Miscounted { counted: counted.unwrap_or(0), read, line: self.odd.clone() })
            }
            several => Some(Unread::Several(several.len())),
        }
    }

    /// The plan, once emerge has ended. `binaries` is what lies in PKGDIR.
    #[must_use]
    pub fn finish(self, binaries: &[Binary]) -> Plan {
        let mut plan = self.plan;
        let mut builds: BTreeMap<&Cpv, Vec<&Binary>> = BTreeMap::new();
        for binary in binaries {
            builds.entry(&binary.cpv).or_default().push(binary);
        }
        for (package, flags) in plan.packages.iter_mut().zip(&self.flags) {
            let because = self.rebuilds.pairs.get(&package.cpv).cloned().unwrap_or_default();
            let builds = builds.get(&package.cpv).map(Vec::as_slice).unwrap_or_default();
            explain(package, because, unfit(flags, builds));
        }
        if self.tree {
            plan.packages.reverse();
        }
        plan
    }

    /// False when a package cannot be read that should stand there.
    fn entry(&mut self, entry: &Entry) -> bool {
        self.above.retain(|(indent, _)| *indent < entry.indent);
        let parents = self.above.iter().rev().map_while(|(_, cpv)| cpv.clone());
        let packages: Vec<Cpv> = parents.take(MAX_PARENTS).collect();
        let target = self.above.is_empty();
        let package = Package::parse(entry.rest);
        self.above.push((entry.indent, package.as_ref().map(|package| package.cpv.clone())));
        let Some(package) = package else { return matches!(entry.kind, Kind::Context) };
        match entry.kind {
            Kind::Merge { binary } if self.plan.packages.len() < MAX_PACKAGES => {
                let flags = flags(package.rest);
                let mut planned = package.planned(binary, entry.letters, &flags);
                // What is forced into the list is a target of the resolver's own.
                if self.tree && target && !entry.letters.contains('r') {
                    planned.why.push(Reason::Target);
                } else if !packages.is_empty() {
                    planned.why.push(Reason::NeededBy { packages });
                }
                self.plan.packages.push(planned);
                self.flags.push(flags);
            }
            Kind::Uninstall => self.plan.removed.push(package.cpv),
            Kind::Merge { .. } | Kind::Context => {}
        }
        true
    }
}

impl Rebuilds {
    /// `  (cat/pf:0/2::repo, ebuild scheduled for merge) causes rebuilds for:`, or one of those below it.
    fn line(&mut self, line: &str) {
        let Some((package, rest)) = package_in_parentheses(line.as_bytes()) else { return };
        if rest.starts_with(b" causes rebuilds for") {
            self.cause = Some(package);
        } else if let Some(cause) = &self.cause {
            self.pairs.entry(package).or_default().push(cause.clone());
        }
    }
}

// --- Reasons ----------------------------------------------------------------------------------------

/// What the binary packages of this version are like.
enum Unfit {
    /// There is none.
    None,
    /// The newest differs in these flags, and so do the others.
    Use(Vec<String>),
    /// There is one with the right flags.
    Otherwise,
}

fn unfit(flags: &[Flag], builds: &[&Binary]) -> Unfit {
    let mut newest = Unfit::None;
    for binary in builds {
        let differs = |flag: &&Flag| flag.is_known && flag.on != binary.flags.contains(&flag.name);
        let differing: Vec<_> = flags.iter().filter(differs).collect();
        if differing.is_empty() {
            return Unfit::Otherwise;
        }
        let has = |flag: &&Flag| format!("{}{}", if flag.on { "-" } else { "" }, flag.name);
        newest = Unfit::Use(differing.iter().map(has).collect());
    }
    newest
}

/// Puts the reasons that are not told beside the package before the one that is: who needs it.
fn explain(package: &mut Planned, because: Vec<Cpv>, unfit: Unfit) {
    let again = matches!(package.action, Action::Reinstall | Action::Rebuild);
    let mut why = Vec::new();
    if package.action == Action::Rebuild || !because.is_empty() {
        why.push(Reason::SlotRebuild { because });
    }
    // The only reason of this kind that was put there while reading.
    if let Some(at) = package.why.iter().position(|reason| matches!(reason, Reason::SlotChanged { .. })) {
        why.push(package.why.remove(at));
    }
    if again && package.use_changes.iter().any(|flag| flag.contains('*')) {
        why.push(Reason::UseChanged);
    }
    let reason = match unfit {
        // It would not be merged over the same version for any other reason.
        _ if again && package.binary => Some(Reason::DependenciesChanged),
        _ if package.binary => None,
        Unfit::None => again.then_some(Reason::NoBinary),
        Unfit::Use(flags) => Some(Reason::BinaryUse { flags }),
        Unfit::Otherwise if again => Some(Reason::DependenciesChanged),
        Unfit::Otherwise => Some(Reason::BinaryUnfit),
    };
    // What changed in the installed package changed for its binary package as well.
    if why.is_empty() {
        why.extend(reason);
    }
    why.append(&mut package.why);
    package.why = why;
}

/// A package in the list that emerge prints before it merges.
pub(in crate::portage) fn listed(line: &[u8]) -> Option<Listed> {
    let entry = Entry::parse(std::str::from_utf8(line).ok()?)?;
    let Kind::Merge { binary } = entry.kind else { return None };
    Some(Listed { package: Package::parse(entry.rest)?.cpv, binary })
}

// --- A line of the list -----------------------------------------------------------------------------

/// `[ebuild  N     ]  cat/pf ...`, taken apart.
struct Entry<'a> {
    kind: Kind,
    /// What emerge(1) calls the status of the package.
    letters: &'a str,
    /// How deep it stands in the tree.
    indent: usize,
    /// The package and what is said about it.
    rest: &'a str,
}

#[derive(Clone, Copy)]
enum Kind {
    Merge {
        binary: bool,
    },
    Uninstall,
    /// Shown only for what stands below it: a package that is not merged here, or a blocker.
    Context,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (bracket, rest) = line.strip_prefix('[')?.split_once("] ")?;
        let (kind, letters) = bracket.split_once(' ')?;
        let kind = match kind {
            "ebuild" => Kind::Merge { binary: false },
            "binary" => Kind::Merge { binary: true },
            "uninstall" => Kind::Uninstall,
            "nomerge" | "blocks" => Kind::Context,
            _ => return None,
        };
        let text = rest.trim_start_matches(' ');
        Some(Self { kind, letters, indent: rest.len() - text.len(), rest: text })
    }
}

/// `cat/pf:slot/sub::repo [old:slot/sub::repo, ...] USE="..." EXPANDED="..." 12 KiB`
struct Package<'a> {
    cpv: Cpv,
    slot: &'a str,
    sub_slot: &'a str,
    repo: &'a str,
    /// Version, and slot with sub-slot where they are shown.
    old: Vec<(&'a str, Option<&'a str>)>,
    rest: &'a str,
}

impl<'a> Package<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (name, repo) = name.split_once("::").unwrap_or((name, ""));
        let (name, slots) = name.split_once(':').unwrap_or((name, "0"));
        let (slot, sub_slot) = slots.split_once('/').unwrap_or((slots, slots));
        let cpv = Cpv::parse_built(name.as_bytes())?;
        let (old, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((old, rest)) => (old.split(", ").map(installed).collect(), rest),
            None => (Vec::new(), rest),
        };
        Some(Self { cpv, slot, sub_slot, repo, old, rest })
    }

    fn planned(self, binary: bool, letters: &str, flags: &[Flag]) -> Planned {
        let has = |letter| letters.contains(letter);
        let action = if has('N') {
            if has('S') { Action::NewSlot } else { Action::New }
        } else if has('D') {
            Action::Downgrade
        } else if has('U') {
            Action::Update
        } else if has('r') {
            Action::Rebuild
        } else {
            Action::Reinstall
        };
        let mut why = Vec::new();
        if matches!(action, Action::Reinstall | Action::Rebuild)
            && let Some((_, Some(from))) = self.old.first()
            && *from != format!("{}/{}", self.slot, self.sub_slot)
            && *from != self.slot
        {
            why.push(Reason::SlotChanged { from: (*from).to_owned() });
        }
        Planned {
            cpv: self.cpv,
            slot: self.slot.to_owned(),
            sub_slot: self.sub_slot.to_owned(),
            repo: self.repo.to_owned(),
            binary,
            action,
            old: self.old.iter().map(|(version, _)| (*version).to_owned()).collect(),
            use_changes: flags.iter().filter_map(|flag| flag.change.clone()).collect(),
            why,
            download: download(self.rest),
            flags: flags.iter().filter(|flag| flag.is_known).map(Flag::state).collect(),
            inputs: String::new(),
        }
    }
}

/// `1.2:0/1::repo` to version and slot.
fn installed(text: &str) -> (&str, Option<&str>) {
    let text = text.split("::").next().unwrap_or(text);
    match text.split_once(':') {
        Some((version, slot)) => (version, Some(slot)),
        None => (text, None),
    }
}

/// A flag of the list.
#[derive(Debug)]
struct Flag {
    /// With the name of the variable it is part of, where that is expanded.
    name: String,
    on: bool,
    /// The package has it; others are shown because an older version had them.
    is_known: bool,
    /// It as Portage prints it, when it is not as in the installed version.
    change: Option<String>,
}

impl Flag {
    fn state(&self) -> String {
        format!("{}{}", if self.on { "" } else { "-" }, self.name)
    }
}

/// The flags in `USE="a b* (-c%)" PYTHON_TARGETS="python3_13*"`.
fn flags(text: &str) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut quoted = text.split('"');
    while let (Some(variable), Some(words)) = (quoted.next(), quoted.next()) {
        let variable = variable.trim().trim_end_matches('=').to_ascii_lowercase();
        let prefix = if variable == "use" { String::new() } else { variable + "_" };
        for word in words.split_whitespace() {
            let bare = word.trim_start_matches(['(', '-']);
            let sign = &word[..word.len() - bare.len()];
            flags.push(Flag {
                name: format!("{prefix}{}", bare.trim_end_matches([')', '*', '%'])),
                on: !sign.contains('-'),
                is_known: !(sign == "(-" && word.contains('%')),
                change: word.contains(['*', '%']).then(|| format!("{sign}{prefix}{bare}")),
            });
        }
    }
    flags
}

/// The bytes of `... 1211 KiB`; nothing where the size is not known.
fn download(text: &str) -> u64 {
    let kib = text.trim_end().strip_suffix(" KiB").and_then(|text| text.rsplit(' ').next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024)
}
