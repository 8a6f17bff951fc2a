//! `gbsup verify`: what is wrong with the binary packages, and what to do about it.

use std::path::Path;

use super::{clean, count, size};
use crate::binhost::verify::{Finding, Kind, Verified};
use crate::core::release::Id;

/// One line about all of them, one for each that something is wrong with, and what to type.
#[must_use]
pub fn verified(verified: &Verified, pkgdir: &Path) -> String {
    let mut text = found(verified);
    let findings = &verified.findings;
    for Finding { path, kind, .. } in findings {
        let path = pkgdir.join(path);
        match kind {
            Kind::Damaged => text += &format!("try: rm {}\n", clean(&path.to_string_lossy())),
            // Portage looks again at what has another time than in the index, and at nothing else.
            Kind::Index => text += &format!("try: touch {}\n", clean(&path.to_string_lossy())),
            Kind::Missing | Kind::Signature => {}
        }
    }
    let any = |kinds: &[Kind]| findings.iter().any(|finding| kinds.contains(&finding.kind));
    if any(&[Kind::Damaged, Kind::Missing, Kind::Index]) {
        text += "try: emaint --fix binhost\n";
    }
    if any(&[Kind::Damaged, Kind::Missing]) {
        text += "what is gone then is built again in the next cycle: gbsup sync\n";
    }
    if any(&[Kind::Signature]) {
        text += "what cannot be trusted is built anew in the next cycle, unless Portage trusts its key by then: gbsup sync\n";
    }
    text
}

/// The same of a release; `signed` when signatures were looked at.
#[must_use]
pub fn verified_release(verified: &Verified, id: Id, signed: bool) -> String {
    let signatures = if signed { "with their signatures" } else { "not signed" };
    let mut text = format!("release {id}, {signatures}: {}", found(verified));
    if !verified.findings.is_empty() {
        text += "clients refuse what is wrong; another release takes its place with: gbsup rollback\n";
    }
    text
}

fn found(verified: &Verified) -> String {
    let Verified { packages, read, bytes, findings, unchecked } = verified;
    let seen = match packages - read {
        0 => format!("{} read", size(*bytes)),
        old => format!("{} read; {old} found good before and unchanged since", size(*bytes)),
    };
    let good = match findings.len() {
        0 => "as they should be".to_owned(),
        1 => "something is wrong with one of them".to_owned(),
        wrong => format!("something is wrong with {wrong} of them"),
    };
    let mut text = format!("{}: {good} ({seen})\n", count(*packages, "package"));
    for Finding { path, what, .. } in findings {
        text += &format!("  {} {}\n", clean(path), clean(what));
    }
    if let Some(unchecked) = unchecked {
        text += &format!("{}\n", clean(unchecked));
    }
    text
}
