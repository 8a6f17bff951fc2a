//! Dependencies of every kind against an oracle: whatever can be built is built, once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What a package needs: to be built and merged, and besides, once it is merged (PDEPEND). Each is a choice.
#[derive(Clone, Debug, Default)]
struct Needs {
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
}

type World = BTreeMap<u8, Needs>;

fn cpv(n: u8) -> Cpv {
    Cpv::parse(format!("a/p{n}-1").as_bytes()).unwrap()
}

fn number(package: &Cpv) -> u8 {
    package.pn()[1..].parse().unwrap()
}

/// A small Portage: it looks for what is not installed, refuses a list of which something cannot be had, and stops
/// trying when something fails that a merged package needs.
struct Portage<'a> {
    world: &'a World,
    sick: &'a BTreeSet<u8>,
    installed: BTreeSet<u8>,
    tried: Vec<u8>,
}

impl Portage<'_> {
    /// The order in which this would be merged, or who needs what cannot be had, the nearest first. What needs
    /// something after its merge that cannot be had is masked, as by Portage's backtracking.
    fn resolve(&self, target: u8, without: &BTreeSet<u8>, order: &mut Vec<u8>) -> Result<(), Vec<u8>> {
        let mut without = without.clone();
        let mut first = None;
        loop {
            let mut tried = order.clone();
            match self.closure(target, &without, &mut tried) {
                Ok(()) => {
                    *order = tried;
                    return Ok(());
                }
                Err((by, hindered)) => {
                    let by = first.get_or_insert(by);
                    match hindered.filter(|n| *n != target && !without.contains(n)) {
                        Some(n) => drop(without.insert(n)),
                        None => return Err(by.clone()),
                    }
                }
            }
        }
    }

    /// With this all that its members need, at first before their merge, then after it.
    fn closure(
        &self,
        target: u8,
        without: &BTreeSet<u8>,
        order: &mut Vec<u8>,
    ) -> Result<(), (Vec<u8>, Option<u8>)> {
        let mut next = order.len();
        self.before(target, without, order, &[]).map_err(|by| (by, None))?;
        while let Some(&n) = order.get(next) {
            for need in &self.world[&n].after {
                self.any(need, without, order, &[target, n]).map_err(|by| (by, Some(n)))?;
            }
            next += 1;
        }
        Ok(())
    }

    fn before(&self, n: u8, without: &BTreeSet<u8>, order: &mut Vec<u8>, by: &[u8]) -> Result<(), Vec<u8>> {
        if self.installed.contains(&n) || order.contains(&n) {
            return Ok(());
        }
        if without.contains(&n) {
            return Err(by.iter().rev().copied().collect());
        }
        let by = [by, &[n]].concat();
        for need in &self.world[&n].before {
            self.any(need, without, order, &by)?;
        }
        order.push(n);
        Ok(())
    }

    fn any(
        &self,
        need: &[u8],
        without: &BTreeSet<u8>,
        order: &mut Vec<u8>,
        by: &[u8],
    ) -> Result<(), Vec<u8>> {
        let mut first = None;
        for &one in need {
            let mut tried = order.clone();
            match self.before(one, without, &mut tried, by) {
                Ok(()) => {
                    *order = tried;
                    return Ok(());
                }
                Err(by) => first = first.or(Some(by)),
            }
        }
        Err(first.unwrap_or_default())
    }

    /// One run of emerge.
    fn run(&mut self, targets: &[u8], without: &BTreeSet<u8>) -> Tried {
        let mut order = Vec::new();
        for &target in targets {
            if let Err(by) = self.resolve(target, without, &mut order) {
                let left_out = Some("a/p0".to_owned());
                return Tried { needed_by: by.into_iter().map(cpv).collect(), left_out, ..Tried::default() };
            }
        }
        let mut out = Tried { well: true, ..Tried::default() };
        for n in order {
            let lacks = |need: &Vec<u8>| !need.iter().any(|one| self.installed.contains(one));
            if self.world[&n].before.iter().any(lacks) {
                continue;
            }
            self.tried.push(n);
            if self.sick.contains(&n) {
                out.failed.push(cpv(n));
                out.well = false;
                // The list cannot be made shorter then.
                let needs = |one: &u8| self.world[one].after.iter().any(|need| need.contains(&n));
                if self.installed.iter().any(needs) {
                    break;
                }
            } else {
                self.installed.insert(n);
                out.merged.push(cpv(n));
            }
        }
        out
    }
}

/// What can be built: all that is not sick and whose needs before the merge can be. What is needed after it is needed
/// to begin with as well, unless the package is merged before anybody knows that it fails.
fn possible(world: &World, sick: &BTreeSet<u8>) -> BTreeSet<u8> {
    let mut can: BTreeSet<u8> = world.keys().copied().filter(|n| !sick.contains(n)).collect();
    loop {
        let before = can.len();
        let all = can.clone();
        can.retain(|n| world[n].before.iter().all(|need| need.iter().any(|one| all.contains(one))));
        if can.len() == before {
            return can;
        }
    }
}

/// The build and what follows it.
fn build(world: &World, sick: &BTreeSet<u8>) -> (BTreeSet<u8>, Vec<u8>, Vec<Untried>) {
    let mut portage = Portage { world, sick, installed: BTreeSet::new(), tried: Vec::new() };
    let all: Vec<u8> = world.keys().copied().collect();
    let first = portage.run(&all, &BTreeSet::new());
    let names = |packages: &[Cpv]| packages.iter().map(number).collect::<BTreeSet<_>>();
    let (merged, failed) = (names(&first.merged), names(&first.failed));
    let left = all.iter().filter(|n| !merged.contains(n) && !failed.contains(n));
    let targets: Vec<Target> = left.map(|&n| Target { package: cpv(n), slot: "0".into() }).collect();
    let failed: Vec<String> = failed.iter().map(|n| format!("a/p{n}:0")).collect();
    let mut rest = Rest::begin(&targets, &[], &failed);
    while let Some(Attempt { targets, exclude }) = rest.attempt() {
        let targets: Vec<u8> = targets.iter().map(number).collect();
        let atoms = exclude.iter().map(|atom| atom["a/p".len()..].split(':').next().unwrap());
        let without = atoms.map(|n| n.parse().unwrap()).collect();
        rest.note(&portage.run(&targets, &without));
    }
    (portage.installed, portage.tried, rest.untried())
}

#[track_caller]
fn assert_all_is_built(world: &World, sick: &BTreeSet<u8>) {
    let (installed, tried, untried) = build(world, sick);
    let possible = possible(world, sick);
    // What is needed after a merge may keep a package from being begun, once it is known to fail.
    let hindered = |n: &u8| {
        let gone = |need: &Vec<u8>| !need.iter().any(|one| possible.contains(one));
        world[n].after.iter().any(gone)
    };
    let mut free = possible.clone();
    loop {
        let before = free.len();
        let all = free.clone();
        free.retain(|n| {
            !hindered(n)
                && world[n]
                    .before
                    .iter()
                    .chain(&world[n].after)
                    .all(|need| need.iter().any(|one| all.contains(one)))
        });
        if free.len() == before {
            break;
        }
    }
    assert!(installed.is_superset(&free), "{free:?} of which {installed:?}: {world:?} {sick:?}");
    assert!(installed.is_subset(&possible));
    let once: BTreeSet<u8> = tried.iter().copied().collect();
    assert_eq!(once.len(), tried.len(), "tried twice: {tried:?} {world:?} {sick:?}");
    for n in world.keys().filter(|n| !once.contains(n)) {
        assert!(untried.iter().any(|one| one.package == cpv(*n)), "{n} is not accounted for");
    }
}

fn needs(before: &[&[u8]], after: &[&[u8]]) -> Needs {
    let owned = |needs: &[&[u8]]| needs.iter().map(|need| need.to_vec()).collect();
    Needs { before: owned(before), after: owned(after) }
}

#[test]
fn every_shape_with_every_package_sick() {
    let shapes: [&[(u8, Needs)]; 6] = [
        // A chain.
        &[(1, needs(&[], &[])), (2, needs(&[&[1]], &[])), (3, needs(&[&[2]], &[])), (4, needs(&[], &[]))],
        // A ring through PDEPEND, and what needs its first member.
        &[
            (1, needs(&[], &[&[2]])),
            (2, needs(&[&[1]], &[])),
            (3, needs(&[&[1]], &[])),
            (4, needs(&[&[1]], &[])),
            (5, needs(&[&[3], &[2]], &[])),
        ],
        // One of two, of which the second is not wanted for itself.
        &[(1, needs(&[], &[])), (2, needs(&[], &[])), (3, needs(&[&[1, 2]], &[])), (4, needs(&[&[3]], &[]))],
        // A virtual.
        &[
            (1, needs(&[], &[])),
            (2, needs(&[], &[])),
            (3, needs(&[&[2, 1]], &[])),
            (4, needs(&[&[3], &[1]], &[])),
        ],
        // A longer ring.
        &[
            (1, needs(&[], &[&[3]])),
            (2, needs(&[&[1]], &[])),
            (3, needs(&[&[2]], &[])),
            (4, needs(&[&[2]], &[])),
            (5, needs(&[&[3]], &[])),
        ],
        // Two that need each other after the merge.
        &[(1, needs(&[], &[&[2]])), (2, needs(&[], &[&[1]])), (3, needs(&[&[1]], &[])), (4, needs(&[], &[]))],
    ];
    for shape in shapes {
        let world: World = shape.iter().cloned().collect();
        for sick in world.keys() {
            assert_all_is_built(&world, &[*sick].into());
        }
    }
}

/// It is built although Portage gives up, as in the shape of which that is known.
#[test]
fn what_stands_behind_the_failure_of_a_pdepend_is_built() {
    let world: World = [
        (1, needs(&[], &[&[2]])),
        (2, needs(&[&[1]], &[])),
        (3, needs(&[&[1]], &[])),
        (4, needs(&[&[2]], &[])),
        (5, needs(&[&[3]], &[])),
    ]
    .into();
    let (installed, tried, untried) = build(&world, &[2].into());
    assert_eq!(installed, [1, 3, 5].into());
    assert_eq!(tried, [1, 2, 3, 5]);
    assert_eq!(untried.len(), 1);
    assert_eq!(untried[0].package, cpv(4));
}

/// Where nobody is named, each is tried by itself, and there is an end to it.
#[test]
fn a_refusal_that_names_nobody() {
    let target = |n| Target { package: cpv(n), slot: "0".into() };
    let mut rest = Rest::begin(&[target(1), target(2)], &["a/x".into()], &["a/p9:0".into()]);
    let refused = Tried { why: "no luck".into(), ..Tried::default() };
    let both = rest.attempt().unwrap();
    assert_eq!((both.targets.len(), both.exclude), (2, vec!["a/p9:0".to_owned(), "a/x".to_owned()]));
    rest.note(&refused);
    assert_eq!(rest.attempt().unwrap().targets, [cpv(1)]);
    rest.note(&Tried { merged: vec![cpv(1)], well: true, ..Tried::default() });
    assert_eq!(rest.attempt().unwrap().targets, [cpv(2)]);
    rest.note(&refused);
    assert_eq!(rest.attempt(), None);
    assert_eq!(rest.untried(), [Untried { package: cpv(2), why: "no luck".into() }]);
}

fn world() -> impl Strategy<Value = (World, BTreeSet<u8>)> {
    let choice = |n: u8| proptest::collection::vec(1..=n, 1..3);
    let one = move |n: u8| {
        // Rings are made by PDEPEND alone, as Portage breaks no other ones.
        let before = if n == 1 {
            Just(Vec::new()).boxed()
        } else {
            proptest::collection::vec(choice(n - 1), 0..3).boxed()
        };
        (before, proptest::collection::vec(choice(8), 0..2))
            .prop_map(move |(before, after)| (n, Needs { before, after }))
    };
    let all: Vec<_> = (1..=8).map(one).collect();
    let all = all.prop_map(|all| all.into_iter().collect());
    (all, proptest::collection::btree_set(1_u8..=8, 0..3))
}

proptest! {
    #[test]
    fn whatever_can_be_built_is_built((world, sick) in world()) {
        assert_all_is_built(&world, &sick);
    }
}
