//! Versions and atoms, compared with what the real Portage says of thousands of made-up ones
//! (`tests/captured/capture-atoms`).

use std::cmp::Ordering;
use std::collections::BTreeSet;

use gbsup::portage::names::atom::{Atom, Candidate};
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::names::version::compare;

#[test]
fn versions_are_ordered_as_portage_orders_them() {
    let mut cases = 0;
    for line in include_str!("captured/versions.txt").lines() {
        let [first, order, second] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let want = match order {
            "<" => Ordering::Less,
            ">" => Ordering::Greater,
            _ => Ordering::Equal,
        };
        assert_eq!(compare(first, second), want, "{line}");
        assert_eq!(compare(second, first), want.reverse(), "{line}");
        cases += 1;
    }
    assert_eq!(cases, 2500);
}

struct Package<'a> {
    cpv: Cpv,
    slot: (&'a str, &'a str),
    on: BTreeSet<&'a str>,
    known: BTreeSet<&'a str>,
}

impl Candidate for Package<'_> {
    fn cpv(&self) -> &Cpv {
        &self.cpv
    }

    fn slot(&self) -> (&str, &str) {
        self.slot
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.known.contains(name).then(|| self.on.contains(name))
    }
}

/// `a,b`, or `-` for none.
fn list(text: &str) -> BTreeSet<&str> {
    text.split(',').filter(|word| *word != "-").collect()
}

#[test]
fn atoms_mean_what_portage_takes_them_to_mean() {
    let (packages, atoms) = include_str!("captured/atoms.txt").split_once("\n\n").expect("two parts");
    let read = |line| {
        let [cpv, slot, on, known] = str::split(line, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let cpv = Cpv::parse(cpv.as_bytes()).expect("well formed");
        Package { cpv, slot: slot.split_once('/').unwrap_or((slot, slot)), on: list(on), known: list(known) }
    };
    let packages: Vec<Package> = packages.lines().map(read).collect();
    let mut cases = 0;
    for line in atoms.lines() {
        let [text, flags, want] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let atom = Atom::parse(text).expect(line);
        let flags = list(flags);
        let means = |package: &Package| atom.means(package, |flag| flags.contains(flag));
        let got: BTreeSet<String> =
            (0..packages.len()).filter(|n| means(&packages[*n])).map(|n| n.to_string()).collect();
        assert_eq!(got.iter().map(String::as_str).collect::<BTreeSet<_>>(), list(want), "{line}");
        cases += 1;
    }
    assert_eq!((packages.len(), cases), (56, 2500));
}
