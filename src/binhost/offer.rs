//! What clients are to be offered, as far as the files themselves tell.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::verify::{self, Known};
use crate::core::offer::{Held, Offer, Offered, Why};
use crate::portage::index::{Index, Package};
use crate::portage::version;
use crate::volume::replace;

/// Where an offer is on a volume, as JSON.
pub const FILE: &str = "state/offer.json";

/// Offers of each package and slot the newest build of the newest version whose file is good. Where there is none the
/// package is held back. It is written to `state/offer.json`.
///
/// # Errors
/// When the index cannot be read, or the offer not be written.
pub fn make(volume: &Path, pkgdir: &Path, cycle: Option<u64>, now: Timestamp) -> io::Result<Offer> {
    let list = volume.join("state/verified.json");
    let mut known: Known =
        fs::read(&list).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let verified = verify::verify(pkgdir, false, &mut known)?;
    replace(&list, &known)?;
    let wrong: BTreeMap<&str, &str> =
        verified.findings.iter().map(|finding| (finding.path.as_str(), finding.what.as_str())).collect();
    let index = Index::parse(&fs::read(pkgdir.join("Packages"))?);
    let mut offer = Offer { schema: Offer::SCHEMA, made: now, cycle, packages: Vec::new(), held: Vec::new() };
    for package in newest(&index, |path| !wrong.contains_key(path)) {
        let (slot, file) = (package.slot().0.to_owned(), package.file());
        match (wrong.get(file.path.as_str()), file.size, file.sha1) {
            (None, Some(size), Some(sha1)) => {
                let cpv = package.cpv.clone();
                offer.packages.push(Offered { cpv, slot, path: file.path, size, sha1 });
            }
            (what, ..) => {
                let what = what.map_or("is not described by the index", |what| *what).to_owned();
                offer.held.push(Held { cpv: package.cpv.clone(), slot, why: Why::File, what });
            }
        }
    }
    replace(&volume.join(FILE), &offer)?;
    Ok(offer)
}

/// Of each package and slot the newest good build of the newest version, else the newest there is; in the order
/// of the index.
fn newest(index: &Index, is_good: impl Fn(&str) -> bool) -> Vec<&Package> {
    let order = |a: &Package, b: &Package| {
        let good = |package: &Package| is_good(&package.file().path);
        let builds = || a.build_id().cmp(&b.build_id()).then_with(|| a.built().cmp(&b.built()));
        let versions = || version::compare(a.cpv.version(), b.cpv.version());
        good(a).cmp(&good(b)).then_with(versions).then_with(builds)
    };
    let mut best: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (number, package) in index.packages.iter().enumerate() {
        let place = best.entry((package.cpv.cp(), package.slot().0)).or_insert(number);
        if order(&index.packages[*place], package).is_le() {
            *place = number;
        }
    }
    let mut numbers: Vec<usize> = best.into_values().collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| &index.packages[number]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_good_build_of_each_slot_is_offered() {
        let mut text = "VERSION: 0\n".to_owned();
        for (cpv, slot, build) in [
            ("a/x-1.9", "0/1", 1),
            ("a/x-1.10", "0/2", 1),
            ("a/x-1.10", "0/2", 10),
            ("a/x-1.10", "0/2", 9),
            ("a/x-2", "2", 1),
            ("a/y-1", "0", 1),
            ("a/y-2", "0", 1),
            ("a/z-1", "0", 1),
        ] {
            text += &format!("\nCPV: {cpv}\nSLOT: {slot}\nBUILD_ID: {build}\nPATH: {cpv}-{build}\n");
        }
        let index = Index::parse(text.as_bytes());
        let bad = ["a/y-2-1", "a/z-1-1"];
        let newest: Vec<_> =
            newest(&index, |path| !bad.contains(&path)).iter().map(|package| package.file().path).collect();
        assert_eq!(newest, ["a/x-1.10-10", "a/x-2-1", "a/y-1-1", "a/z-1-1"]);
    }
}
