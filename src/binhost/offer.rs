//! What clients are to be offered: the files are verified, [`crate::decide::audit`] decides, and the outcome is
//! written to the volume for whoever publishes it.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use jiff::Timestamp;

use super::trust::Trust;
use super::{aside, verify};
use crate::decide::audit::{self, Beside, Facts, Fate, Linked, Wanted};
use crate::model::offer::{Broken, Offer, Offered};
use crate::model::verified::Finding;
use crate::portage::files::index::{Index, Package};
use crate::portage::files::vdb::Installed;
use crate::portage::names::atom::Provided;
use crate::volume::replace;

/// Where an offer is on a volume, as JSON.
pub(crate) const FILE: &str = "state/offer.json";

/// What came of an audit.
pub(crate) struct Audited {
    /// What there is.
    pub index: Index,
    /// Which builds of the index are offered.
    pub offered: Vec<usize>,
    /// What clients want beside it.
    pub beside: Vec<Beside>,
    /// The same for a publisher, and what is held back.
    pub offer: Offer,
    /// What a build from source may put right.
    pub broken: Vec<Broken>,
    /// What was built with another version of a library than the one that is offered.
    pub linked: Vec<Linked>,
    /// What becomes of each build, in the order of the index.
    pub fates: Vec<Fate>,
    /// What is wrong with files, in the order of the index.
    pub findings: Vec<Finding>,
    /// That there are signatures which were not checked, and why, in one sentence.
    pub unchecked: Option<String>,
}

/// Audits what is in PKGDIR. Nothing is written but what was found good of the files.
///
/// # Errors
/// When the index cannot be read.
pub(crate) fn audit(
    volume: &Path,
    pkgdir: &Path,
    installed: &[Installed],
    provided: &[Provided],
    wanted: &[Wanted],
    trust: &Trust,
    cycle: Option<u64>,
) -> io::Result<Audited> {
    let index = verify::read_index(pkgdir)?;
    let mut known = verify::known(volume);
    let verified = verify::verify_index(pkgdir, &index, false, &mut known, trust);
    verify::keep(volume, &known);
    let findings = verified.findings;
    let mut damaged: BTreeMap<String, String> =
        findings.iter().map(|finding| (finding.path.clone(), finding.what.clone())).collect();
    // Without a size and a digest Portage trusts no index (3.0.83), and neither does a publisher.
    let bare = index.packages.iter().map(Package::file);
    let bare = bare.filter(|file| file.size.is_none() || file.sha1.is_none());
    damaged.extend(bare.map(|file| (file.path, "is not described by the index".to_owned())));
    let lost = aside::reasons(volume);
    let found =
        audit::audit(Facts { index: &index, damaged: &damaged, lost: &lost, installed, provided, wanted });
    let offered = found.offered.iter().filter_map(|n| {
        let package = &index.packages[*n];
        let file = package.file();
        let (cpv, slot) = (package.cpv.clone(), package.slot().0.to_owned());
        Some(Offered { cpv, slot, path: file.path, size: file.size?, sha1: file.sha1?, beside: None })
    });
    let packages = offered.collect();
    let offer = Offer { schema: Offer::SCHEMA, made: Timestamp::now(), cycle, packages, held: found.held };
    let audit::Audit { offered, beside, rebuild: broken, linked, fates, .. } = found;
    Ok(Audited {
        index,
        offered,
        beside,
        offer,
        broken,
        linked,
        fates,
        findings,
        unchecked: verified.unchecked,
    })
}

/// Writes an offer down for whoever publishes it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn keep(volume: &Path, offer: &Offer) -> io::Result<()> {
    replace(&volume.join(FILE), offer)
}

/// The offer that was written down last; nothing when there is none.
///
/// # Errors
/// When it cannot be read, or is none.
pub(crate) fn read(volume: &Path) -> io::Result<Option<Offer>> {
    match fs::read(volume.join(FILE)) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::files::gpkg::digests::Whole;

    const GOOD: &[u8] = include_bytes!("../../tests/captured/t1-1-1.gpkg.tar");

    #[test]
    fn what_is_good_is_offered_as_it_is_and_can_be_read_again() {
        let volume = tempfile::tempdir().unwrap();
        let pkgdir = volume.path().join("binpkgs");
        fs::create_dir_all(pkgdir.join("a")).unwrap();
        fs::create_dir(volume.path().join("state")).unwrap();
        let Whole { size, md5, sha1 } = Whole::read(GOOD).unwrap();
        let mut index = "VERSION: 0\n".to_owned();
        for (name, digest) in [("x-1", sha1.as_str()), ("y-1", "00"), ("z-1", "")] {
            fs::write(pkgdir.join(format!("a/{name}.gpkg.tar")), GOOD).unwrap();
            index += &format!("\nCPV: a/{name}\nPATH: a/{name}.gpkg.tar\nSIZE: {size}\nMD5: {md5}\n");
            if !digest.is_empty() {
                index += &format!("SHA1: {digest}\n");
            }
        }
        fs::write(pkgdir.join("Packages"), index).unwrap();
        assert_eq!(read(volume.path()).unwrap(), None);
        let Audited { offer, .. } =
            audit(volume.path(), &pkgdir, &[], &[], &[], &Trust::Ignored, Some(7)).unwrap();
        let [only] = offer.packages.as_slice() else { panic!("{offer:?}") };
        assert_eq!(
            (only.path.as_str(), only.size, only.sha1.as_str()),
            ("a/x-1.gpkg.tar", size, sha1.as_str())
        );
        let held: Vec<_> = offer.held.iter().map(|held| format!("{} {}", held.cpv, held.what)).collect();
        assert_eq!(
            held,
            [
                "a/y-1 is whole, but its SHA1 is not what the index says",
                "a/z-1 is not described by the index"
            ]
        );
        keep(volume.path(), &offer).unwrap();
        assert_eq!(read(volume.path()).unwrap(), Some(offer));
        fs::write(volume.path().join(FILE), "{}").unwrap();
        assert!(read(volume.path()).is_err());
    }
}
