//! Packages that are there, and that Portage does not see.

use crate::model::Ran;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::scanner::FailedPackage;

/// Why Portage does not see a package that is there, where it says so.
pub(super) fn why(ran: &Ran, atom: &str) -> Option<String> {
    if is_unlisted(ran, atom) {
        return Some(UNLISTED.to_owned());
    }
    // An ebuild says what it needs in its phase `depend`, which is run for it without anything being built.
    let unread = |failed: &&FailedPackage| {
        names(atom, failed.package.cp())
            && failed.die.as_ref().is_some_and(|die| die.phase.as_deref() == Some("depend"))
    };
    let words = ran.evidence.failed.iter().find(unread)?.die.as_ref()?.message.lines().next()?;
    Some(format!("its ebuild cannot be read ({words})"))
}

/// Whether an atom is one of this package.
fn names(atom: &str, package: &str) -> bool {
    let rest = atom.trim_start_matches(['=', '<', '>', '~']).strip_prefix(package);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':', '[']))
}

/// Why, where no repository lists its category.
pub(super) const UNLISTED: &str =
    "its category is listed neither in profiles/categories of a repository nor in /etc/portage/categories";

/// Whether Portage said that of what an atom names.
pub(super) fn is_unlisted(ran: &Ran, atom: &str) -> bool {
    let mut told = ran.evidence.problems.iter().filter(|problem| problem.kind == ProblemKind::Category);
    told.any(|problem| problem.subject.as_ref().is_some_and(|package| names(atom, package)))
}
