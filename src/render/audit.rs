//! `gbsup audit`: what clients are not offered, and what can be done about it.

use std::collections::BTreeSet;

use super::{clean, count};
use crate::decide::audit::{Fates, Linked};
use crate::model::offer::{Broken, Held};

/// One line about all of them, one for each that is held back, what to type, each command once, and a note on what is no
/// fault.
#[must_use]
pub fn audited(counts: Fates, held: &[Held], broken: &[Broken], linked: &[Linked]) -> String {
    let mut text = format!("{}: {}\n", count(counts.total(), "binary package"), parts(counts).join(", "));
    for Held { cpv, what, .. } in held {
        text += &format!("  {cpv} {}\n", clean(what));
    }
    // A line for each of them that is not said above.
    let is_said =
        |broken: &Broken| broken.needed_by.is_empty() && held.iter().any(|held| held.cpv == broken.package);
    for broken in broken.iter().filter(|broken| !is_said(broken)) {
        text += &format!("  {}\n", clean(&broken.to_string()));
    }
    let atoms: BTreeSet<String> = broken.iter().map(|broken| broken.package.atom()).collect();
    for atom in atoms {
        text += &format!("try: emerge --oneshot --usepkg=n {atom}\n");
    }
    let users: BTreeSet<_> = linked.iter().map(|one| (&one.package, &one.slot)).collect();
    if !users.is_empty() {
        text += &format!(
            "note: built with another version of a library than is offered, as its soname allows: {} (--json has the list; \
             [rebuild] linked)\n",
            count(users.len(), "package")
        );
    }
    text
}

/// The fates there are, in words; they add up to all of them.
fn parts(counts: Fates) -> Vec<String> {
    let mut parts = vec![format!("{} can be offered", counts.offered)];
    match counts.replaced {
        0 => {}
        1 => parts.push("1 gives way to another build of it".to_owned()),
        more => parts.push(format!("{more} give way to other builds of them")),
    }
    match counts.held {
        0 => parts.push("nothing is held back".to_owned()),
        held => parts.push(format!("{held} held back")),
    }
    match counts.unwanted {
        0 => {}
        unwanted => parts.push(format!("{unwanted} incomplete and not installed here")),
    }
    match counts.unreadable {
        0 => {}
        unreadable => parts.push(format!("{unreadable} without a readable entry in the index")),
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::offer::Why;
    use crate::portage::names::cpv::Cpv;

    #[test]
    fn what_is_held_back_and_what_to_type() {
        let counts = Fates { offered: 28, ..Fates::default() };
        assert_eq!(
            audited(counts, &[], &[], &[]),
            "28 binary packages: 28 can be offered, nothing is held back\n"
        );
        let cpv = |name: &str| Cpv::parse(name.as_bytes()).unwrap();
        let held = |name, why, what: &str| Held { cpv: cpv(name), slot: "0".into(), why, what: what.into() };
        let broken = |name, what: &str, needed_by: &[&str]| {
            let needed_by = needed_by.iter().map(|name| cpv(name)).collect();
            Broken { package: cpv(name), slot: "0".into(), what: what.into(), needed_by }
        };
        let held = [
            held("a/low-1", Why::Missing("a/gone".into()), "needs a/gone, which nothing offers"),
            held("a/top-1", Why::Needs(cpv("a/low-1")), "needs a/low-1, which is held back"),
        ];
        let broken = [
            broken("a/low-1", "needs a/gone, which nothing offers", &[]),
            broken("b/x-2", "is damaged", &[]),
            broken("c/y-2", "has no binary package", &["a/p-1", "a/q-1", "a/r-1"]),
            broken("c/y-2", "was damaged", &[]),
        ];
        let linked = |name: &str| Linked {
            package: cpv("a/user-1"),
            slot: "0".into(),
            library: cpv(&format!("a/{name}-2")),
            built_with: cpv(&format!("a/{name}-1")),
        };
        let counts = Fates { offered: 27, replaced: 4, held: 2, unwanted: 1, unreadable: 1 };
        assert_eq!(
            audited(counts, &held, &broken, &[linked("liba"), linked("libb")]),
            "35 binary packages: 27 can be offered, 4 give way to other builds of them, 2 held back, \
             1 incomplete and not installed here, 1 without a readable entry in the index\n  \
               a/low-1 needs a/gone, which nothing offers\n  \
               a/top-1 needs a/low-1, which is held back\n  \
               b/x-2 is damaged\n  \
               c/y-2 has no binary package, and a/p-1, a/q-1 and a/r-1 need it\n  \
               c/y-2 was damaged\n\
             try: emerge --oneshot --usepkg=n =a/low-1\n\
             try: emerge --oneshot --usepkg=n =b/x-2\n\
             try: emerge --oneshot --usepkg=n =c/y-2\n\
             note: built with another version of a library than is offered, as its soname allows: 1 package (--json has the list; \
             [rebuild] linked)\n"
        );
    }
}
