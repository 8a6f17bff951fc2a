//! Whether a binary package is whole.
//!
//! A gpkg is an uncompressed tar with one directory level: `PF-N/gpkg-1` (empty), `metadata.tar*`,
//! `image.tar*`, perhaps their `.sig`, and `Manifest` with a line `DATA name size HASH hex ...` for
//! each of them (GLEP 78, `portage/gpkg.py:_verify_binpkg`). This checks structure and sizes, which
//! is what a killed write damages; it does not compute digests.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

/// What is wrong with a file. The text is what the operator reads after its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Nothing was written into the reserved name.
    #[error("it is empty")]
    Empty,
    /// The tar ends too early or is none.
    #[error("it is cut short or not a tar file: {0}")]
    Unreadable(String),
    /// A member's data would lie beyond the end of the file.
    #[error("it is cut short: {0} is incomplete")]
    CutShort(String),
    /// Not exactly one directory level, the same for all, or one name twice.
    #[error("it is not laid out like a binary package: {0}")]
    Layout(String),
    /// A part that every package has is not there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A member and the Manifest do not agree.
    #[error("{0} is not what its Manifest says")]
    Mismatch(String),
}

/// More members, or a longer Manifest, than any package has.
const MAX_MEMBERS: usize = 64;
const MAX_MANIFEST: u64 = 1 << 20;

/// Checks one package; `size` is the length of the file. Member data is skipped, not read.
///
/// # Errors
/// The first [`Damage`] found. An error of the reader counts as damage, too.
pub fn check<R: Read + Seek>(reader: R, size: u64) -> Result<(), Damage> {
    if size == 0 {
        return Err(Damage::Empty);
    }
    let unreadable = |error: std::io::Error| Damage::Unreadable(error.to_string());
    let mut archive = tar::Archive::new(reader);
    let mut prefix: Option<String> = None;
    let mut sizes = BTreeMap::new();
    let mut manifest = None;
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((directory, name)) = path.split_once('/').filter(|(d, n)| !d.is_empty() && !n.contains('/'))
        else {
            return Err(Damage::Layout(path));
        };
        if prefix.get_or_insert_with(|| directory.to_owned()) != directory || sizes.len() >= MAX_MEMBERS {
            return Err(Damage::Layout(path));
        }
        if entry.raw_file_position().saturating_add(entry.size()) > size {
            return Err(Damage::CutShort(name.to_owned()));
        }
        if name == "Manifest" {
            let mut text = Vec::new();
            entry.by_ref().take(MAX_MANIFEST).read_to_end(&mut text).map_err(unreadable)?;
            manifest = Some(String::from_utf8_lossy(&text).into_owned());
        }
        if sizes.insert(name.to_owned(), entry.size()).is_some() {
            return Err(Damage::Layout(format!("{name} twice")));
        }
    }
    sizes.remove("Manifest");
    let manifest = manifest.ok_or(Damage::Missing("Manifest"))?;
    for (part, start) in [("gpkg-1", "gpkg-1"), ("metadata", "metadata.tar"), ("image", "image.tar")] {
        if !sizes.keys().any(|name| name.starts_with(start)) {
            return Err(Damage::Missing(part));
        }
    }
    compare(&sizes, &manifest)
}

/// Every member is listed with its size, and every listed file is a member.
fn compare(sizes: &BTreeMap<String, u64>, manifest: &str) -> Result<(), Damage> {
    let mut listed = BTreeMap::new();
    for line in manifest.lines() {
        let mut words = line.split_whitespace();
        // A signed Manifest has lines of the signature around these.
        if words.next() != Some("DATA") {
            continue;
        }
        if let (Some(name), Some(Ok(size))) = (words.next(), words.next().map(str::parse::<u64>)) {
            listed.insert(name, size);
        }
    }
    for (name, size) in sizes {
        if listed.remove(name.as_str()) != Some(*size) {
            return Err(Damage::Mismatch(name.clone()));
        }
    }
    match listed.keys().next() {
        Some(name) => Err(Damage::Mismatch((*name).to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, data) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *data).expect("into memory");
        }
        builder.into_inner().expect("into memory")
    }

    const MANIFEST: &[u8] =
        b"DATA gpkg-1 0 SHA512 00\nDATA metadata.tar.zst 4 SHA512 00\nDATA image.tar.zst 2000 SHA512 00\n";
    const IMAGE: &[u8] = &[7; 2000];

    fn good() -> Vec<(&'static str, &'static [u8])> {
        vec![
            ("x-1-1/gpkg-1", b""),
            ("x-1-1/metadata.tar.zst", b"meta"),
            ("x-1-1/image.tar.zst", IMAGE),
            ("x-1-1/Manifest", MANIFEST),
        ]
    }

    fn run(bytes: &[u8]) -> Result<(), Damage> {
        check(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn a_whole_package_in_any_order_signed_or_not() {
        assert_eq!(run(&tar(&good())), Ok(()));
        let mut members = good();
        members.reverse();
        assert_eq!(run(&tar(&members)), Ok(()));
        let signed = [
            &b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"[..],
            MANIFEST,
            b"-----BEGIN PGP SIGNATURE-----\n",
        ]
        .concat();
        members = good();
        members[3].1 = signed.leak();
        assert_eq!(run(&tar(&members)), Ok(()));
    }

    /// Made by Portage 3.0.83.
    #[test]
    fn a_real_package() {
        let bytes = include_bytes!("../../tests/captured/t1-1-1.gpkg.tar");
        assert_eq!(run(bytes), Ok(()));
        // The rest is padding: of the Manifest to a block, of the tar to 10 KiB.
        let end_of_data = 7539;
        for length in 0..end_of_data {
            assert!(run(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn every_truncation_up_to_the_manifest_is_seen() {
        let whole = tar(&good());
        let end_of_data = whole.len() - 1024 - (512 - MANIFEST.len() % 512);
        for length in 0..end_of_data {
            assert!(run(&whole[..length]).is_err(), "{length} of {}", whole.len());
        }
        assert_eq!(run(&[]), Err(Damage::Empty));
    }

    #[test]
    fn damage_is_named() {
        let without = |name: &str| {
            let members: Vec<_> = good().into_iter().filter(|(path, _)| !path.ends_with(name)).collect();
            run(&tar(&members))
        };
        assert_eq!(without("Manifest"), Err(Damage::Missing("Manifest")));
        assert_eq!(without("gpkg-1"), Err(Damage::Missing("gpkg-1")));
        assert_eq!(without("image.tar.zst"), Err(Damage::Missing("image")));
        for (change, want) in [
            (("x-1-1/metadata.tar.zst", &b"metadata"[..]), Damage::Mismatch("metadata.tar.zst".into())),
            (("x-2-1/metadata.tar.zst", b"meta"), Damage::Layout("x-2-1/metadata.tar.zst".into())),
            (("x-1-1/a/metadata.tar.zst", b"meta"), Damage::Layout("x-1-1/a/metadata.tar.zst".into())),
            (("metadata.tar.zst", b"meta"), Damage::Layout("metadata.tar.zst".into())),
            (("x-1-1/gpkg-1", b""), Damage::Layout("gpkg-1 twice".into())),
        ] {
            let mut members = good();
            members[1] = change;
            assert_eq!(run(&tar(&members)), Err(want));
        }
        let mut members = good();
        members.insert(1, ("x-1-1/unlisted", b"x"));
        assert_eq!(run(&tar(&members)), Err(Damage::Mismatch("unlisted".into())));
        assert!(matches!(run(&[b'x'; 4096]), Err(Damage::Unreadable(_))));
    }
}
