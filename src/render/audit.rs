//! `gbsup audit`: what clients are not offered, and what can be done about it.

use super::{clean, count};
use crate::core::audit::Broken;
use crate::core::offer::Held;

/// One line about all of them, one for each that is held back, and what to type.
#[must_use]
pub fn audited(packages: usize, offered: usize, held: &[Held], broken: &[Broken]) -> String {
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
            audited(30, 28, &[], &[]),
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
        assert_eq!(
            audited(30, 27, &held, &broken),
            "30 binary packages: 27 can be offered, 2 packages held back\n  \
               a/low-1 needs a/gone, which nothing offers\n  \
               a/top-1 needs a/low-1, which is held back\n  \
               b/x-2 is damaged\n\
             try: emerge --oneshot --usepkg=n =a/low-1\n\
             try: emerge --oneshot --usepkg=n =b/x-2\n"
        );
    }
}
