//! `gbsup verify`: what is wrong with the binary packages, and what to do about it.

use std::path::Path;

use super::{clean, count, size};
use crate::model::release::Id;
use crate::model::verified::{Finding, Kind, Verified};

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
            Kind::Missing | Kind::Unfit | Kind::Key | Kind::Signature => {}
        }
    }
    let any = |kinds: &[Kind]| findings.iter().any(|finding| kinds.contains(&finding.kind));
    if any(&[Kind::Damaged, Kind::Missing, Kind::Index]) {
        text += "try: emaint --fix binhost\n";
    }
    if any(&[Kind::Damaged, Kind::Missing]) {
        text += "what is gone then is built again in the next cycle: gbsup sync\n";
    }
    if any(&[Kind::Unfit]) {
        text += "what clients cannot read is not offered, and built again in the next cycle: gbsup sync\n";
    }
    if any(&[Kind::Key]) {
        text += "what a key has signed that has expired counts again as soon as the key is extended: gbsup sync says how\n";
    }
    if any(&[Kind::Signature]) {
        text += "what cannot be trusted is built again in the next cycle, unless Portage trusts its key by then: gbsup sync\n";
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
    let good = match (findings.len(), packages) {
        (0, 1) => "as it should be".to_owned(),
        (0, _) => "as they should be".to_owned(),
        (1, 1) => "something is wrong with it".to_owned(),
        (1, _) => "something is wrong with one of them".to_owned(),
        (wrong, _) => format!("something is wrong with {wrong} of them"),
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn what_is_wrong_with_packages() {
        let good =
            Verified { packages: 213, read: 23, bytes: 912_000_000, findings: Vec::new(), unchecked: None };
        let page = verified(&good, Path::new("/b"));
        assert_eq!(
            page,
            "213 packages: as they should be (870 MiB read; 190 found good before and unchanged since)\n"
        );
        let one = Verified { packages: 1, read: 1, ..good.clone() };
        assert_eq!(verified(&one, Path::new("/b")), "1 package: as it should be (870 MiB read)\n");
        let finding = |path: &str, kind, what: &str| Finding { path: path.into(), kind, what: what.into() };
        let findings = vec![
            finding(
                "a/x/x-1-1.gpkg.tar",
                Kind::Damaged,
                "is damaged: image.tar.zst is not what its Manifest says",
            ),
            finding("a/y/y-1-1.gpkg.tar", Kind::Index, "is whole, but its MD5 is not what the index says"),
        ];
        let mut bad = Verified { packages: 2, read: 2, bytes: 2048, findings, unchecked: None };
        let page = verified(&bad, Path::new("/b"));
        assert_snapshot!(page, @r"
        2 packages: something is wrong with 2 of them (2.0 KiB read)
          a/x/x-1-1.gpkg.tar is damaged: image.tar.zst is not what its Manifest says
          a/y/y-1-1.gpkg.tar is whole, but its MD5 is not what the index says
        try: rm /b/a/x/x-1-1.gpkg.tar
        try: touch /b/a/y/y-1-1.gpkg.tar
        try: emaint --fix binhost
        what is gone then is built again in the next cycle: gbsup sync
        ");
        let doubt = "cannot be trusted: it is signed by a key that is not known: 0123456789ABCDEF";
        bad.findings = vec![finding("a/x/x-1-2.gpkg.tar", Kind::Signature, doubt)];
        bad.unchecked =
            Some("the signature of 1 binary package is not checked: there are no keys in /k".into());
        assert_snapshot!(verified(&bad, Path::new("/b")), @r"
        2 packages: something is wrong with one of them (2.0 KiB read)
          a/x/x-1-2.gpkg.tar cannot be trusted: it is signed by a key that is not known: 0123456789ABCDEF
        the signature of 1 binary package is not checked: there are no keys in /k
        what cannot be trusted is built again in the next cycle, unless Portage trusts its key by then: gbsup sync
        ");
    }
}
