//! Packages that are there, and that Portage does not see.

use crate::model::Ran;
use crate::portage::names::atom::Atom;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::scanner::FailedPackage;

/// Why Portage does not see a package that is there, where it says so.
pub(super) fn why(ran: &Ran, atom: &str) -> Option<String> {
    if is_unlisted(ran, atom) {
        return Some(UNLISTED.to_owned());
    }
    if let Some(new) = renamed(ran, atom) {
        return Some(format!("{RENAMED} {new} (change /var/lib/portage/world, or the set)"));
    }
    // An ebuild says what it needs in its phase `depend`, which is run for it without anything being built.
    let unread = |failed: &&FailedPackage| {
        is_of(atom, failed.package.cp())
            && failed.die.as_ref().is_some_and(|die| die.phase.as_deref() == Some("depend"))
    };
    let words = ran.evidence.failed.iter().find(unread)?.die.as_ref()?.message.lines().next()?;
    Some(format!("its ebuild cannot be read ({words})"))
}

/// What a repository calls the package now that an atom names.
pub(super) fn renamed<'a>(ran: &'a Ran, atom: &str) -> Option<&'a str> {
    ran.renamed.iter().find(|(old, _)| is_of(atom, old)).map(|(_, new)| new.as_str())
}

/// How that is said, before the new name.
pub(super) const RENAMED: &str = "the repository has renamed it to";

/// Why, where no repository lists its category.
pub(super) const UNLISTED: &str =
    "its category is listed neither in profiles/categories of a repository nor in /etc/portage/categories";

/// Whether Portage said that of what an atom names.
pub(super) fn is_unlisted(ran: &Ran, atom: &str) -> bool {
    let mut told = ran.evidence.problems.iter().filter(|problem| problem.kind == ProblemKind::Category);
    told.any(|problem| problem.subject.as_ref().is_some_and(|package| is_of(atom, package)))
}

/// Whether an atom is one of this package.
fn is_of(atom: &str, package: &str) -> bool {
    Atom::parse(atom).is_ok_and(|atom| atom.cp() == package)
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn an_atom_is_of_one_package() {
        for atom in ["a/b", "=a/b-1.2-r3", ">=a/b-1:0=", "a/b:2", "a/b[x,-y]", "~a/b-1"] {
            assert!(is_of(atom, "a/b"), "{atom}");
        }
        for atom in ["a/b-c", "a/b-c:0", "=a/b-c-1", "a/bc", "c/b", "@b", ""] {
            assert!(!is_of(atom, "a/b"), "{atom}");
        }
    }
}
