//! `gbsup audit`: what clients are not offered, and what can be done about it.

use std::collections::BTreeSet;

use super::{clean, count};
use crate::core::audit::{Broken, Linked};
use crate::core::offer::Held;

/// One line about all of them, one for each that is held back, what to type, and a note on what is no fault.
#[must_use]
pub fn audited(
    packages: usize,
    offered: usize,
    held: &[Held],
    broken: &[Broken],
    linked: &[Linked],
) -> String {
    let all = count(packages, "binary package");
    let mut text = match held.len() {
        0 => format!("{all}: {offered} can be offered, nothing is held back\n"),
        held => format!("{all}: {offered} can be offered, {} held back\n", count(held, "package")),
    };
    for Held { cpv, what, .. } in held {
        text += &format!("  {cpv} {}\n", clean(what));
    }
    // A line for each of them that is not said above.
    for broken in broken.iter().filter(|broken| !held.iter().any(|held| held.cpv == broken.package)) {
        text += &format!("  {} {}\n", broken.package, clean(&broken.what));
    }
    for Broken { package, .. } in broken {
        text += &format!("try: emerge --oneshot --usepkg=n {}\n", package.atom());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::offer::Why;
    use crate::portage::cpv::Cpv;

    #[test]
    fn what_is_held_back_and_what_to_type() {
        assert_eq!(
            audited(30, 28, &[], &[], &[]),
            "30 binary packages: 28 can be offered, nothing is held back\n"
        );
        let cpv = |name: &str| Cpv::parse(name.as_bytes()).unwrap();
        let held = |name, why, what: &str| Held { cpv: cpv(name), slot: "0".into(), why, what: what.into() };
        let broken = |name, what: &str| Broken { package: cpv(name), slot: "0".into(), what: what.into() };
        let held = [
            held("a/low-1", Why::Missing("a/gone".into()), "needs a/gone, which nothing offers"),
            held("a/top-1", Why::Needs(cpv("a/low-1")), "needs a/low-1, which is held back"),
        ];
        let broken = [broken("a/low-1", "needs a/gone, which nothing offers"), broken("b/x-2", "is damaged")];
        let linked = |name: &str| Linked {
            package: cpv("a/user-1"),
            slot: "0".into(),
            library: cpv(&format!("a/{name}-2")),
            built_with: cpv(&format!("a/{name}-1")),
        };
        assert_eq!(
            audited(30, 27, &held, &broken, &[linked("liba"), linked("libb")]),
            "30 binary packages: 27 can be offered, 2 packages held back\n  \
               a/low-1 needs a/gone, which nothing offers\n  \
               a/top-1 needs a/low-1, which is held back\n  \
               b/x-2 is damaged\n\
             try: emerge --oneshot --usepkg=n =a/low-1\n\
             try: emerge --oneshot --usepkg=n =b/x-2\n\
             note: built with another version of a library than is offered, as its soname allows: 1 package (--json has the list; \
             [rebuild] linked)\n"
        );
    }
}
