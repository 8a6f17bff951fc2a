//! What is checked without a file, and a real package.

use std::io::Cursor;

use super::digests::Whole;
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
    let bytes = include_bytes!("../../../../tests/captured/t1-1-1.gpkg.tar");
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
    assert_eq!(without("Manifest"), Err(Damage::Missing("Manifest".into())));
    assert_eq!(without("gpkg-1"), Err(Damage::Missing("gpkg-1".into())));
    assert_eq!(without("image.tar.zst"), Err(Damage::Missing("image".into())));
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
    assert_eq!(Damage::Empty.told(), "is damaged: it is empty");
}

/// As BINPKG_COMPRESS=none leaves it: it is whole, and that is told; what is wrong besides comes first.
#[test]
fn without_compression_is_no_damage() {
    let line = |image: u32| format!("DATA gpkg-1 0\nDATA metadata.tar 4\nDATA image.tar {image}\n");
    let look = |line: &str| {
        run(&tar(&[
            ("x-1-1/gpkg-1", &b""[..]),
            ("x-1-1/metadata.tar", b"meta"),
            ("x-1-1/image.tar", b"image"),
            ("x-1-1/Manifest", line.to_owned().into_bytes().leak()),
        ]))
    };
    assert_eq!(look(&line(5)), Err(Damage::Uncompressed));
    assert!(Damage::Uncompressed.told().starts_with("is whole, but it was packed without compression"));
    assert_eq!(look(&line(6)), Err(Damage::Mismatch("image.tar".into())));
}

/// Whatever byte of it changes, it is seen: in the Manifest's digests, or in those of the whole file.
#[test]
fn every_changed_byte_is_seen() {
    let mut bytes = include_bytes!("../../../../tests/captured/t1-1-1.gpkg.tar").to_vec();
    let good = verify(Cursor::new(&bytes), bytes.len() as u64).expect("it is good");
    let whole = Whole::read(Cursor::new(&bytes)).expect("it is in memory");
    assert_eq!(good, Sound { whole, is_signed: false });
    assert_eq!(good.whole.size, bytes.len() as u64);
    for at in (0..bytes.len()).step_by(61) {
        bytes[at] ^= 1;
        let found = verify(Cursor::new(&bytes), bytes.len() as u64);
        assert_ne!(found.as_ref(), Ok(&good), "byte {at}");
        bytes[at] ^= 1;
    }
}

#[test]
fn a_digest_that_is_wrong_or_unknown() {
    let digest = |hash: &str, value: &str| {
        let line = format!(
            "DATA gpkg-1 0 {hash} {value}\nDATA metadata.tar.zst 4 SHA512 00\nDATA image.tar.zst 2000 SHA512 00\n"
        );
        let mut members = good();
        members[3].1 = line.into_bytes().leak();
        let tar = tar(&members);
        verify(Cursor::new(&tar), tar.len() as u64)
    };
    let mismatch = |name: &str| Err(Damage::Mismatch(name.into()));
    let of_nothing = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    assert_eq!(digest("SHA512", "00"), mismatch("gpkg-1"));
    assert_eq!(
        digest("WHIRLPOOL", "00"),
        mismatch("gpkg-1"),
        "a digest of which nothing is known proves nothing"
    );
    assert_eq!(digest("SHA512", of_nothing), mismatch("image.tar.zst"), "the first was right");
}
