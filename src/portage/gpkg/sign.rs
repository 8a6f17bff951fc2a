//! Makes a signed package out of an unsigned one, as Portage does (`portage/gpkg.py:update_signature`).
//!
//! Behind `metadata.tar*` and `image.tar*` stands a detached signature, `.sig`, and the Manifest, which lists these
//! as well, is signed in clear. Everything else stays as it is, to the byte.

use std::io::{self, Read, Seek, Write};

use tar::{Archive, Builder, Entry, Header};

use super::digests::{Hashing, Member};
use super::{Damage, members};

/// How the name of a signature ends.
pub(super) const ENDING: &str = ".sig";
/// Python's tarfile, with which Portage writes, fills a tar up to a multiple of that (`tarfile.RECORDSIZE`).
const RECORD: u64 = 10 << 10;

/// Who signs.
pub trait Signer {
    /// A signature that is being made of what is written into it.
    type Detached: Write;

    /// Begins a signature.
    ///
    /// # Errors
    /// When it cannot be begun.
    fn begin(&self) -> io::Result<Self::Detached>;

    /// Ends a signature, which comes back in ASCII armour.
    ///
    /// # Errors
    /// When none came of it.
    fn finish(&self, detached: Self::Detached) -> io::Result<Vec<u8>>;

    /// Signs a text in clear.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn clear(&self, text: &str) -> io::Result<Vec<u8>>;
}

/// Reads a package, `size` bytes long, and writes it to `out` with signatures; those that it had are left out. What
/// it is made of is checked on the way, so that nothing damaged is ever signed. `now` is in seconds since 1970.
///
/// # Errors
/// [`Damage`] of the package; a signature that was not made and an error of `out` are told as unreadable. What was
/// written by then is of no use.
pub fn sign<R: Read, W: Write + Seek, S: Signer>(
    package: R,
    size: u64,
    out: W,
    signer: &S,
    now: u64,
) -> Result<(), Damage> {
    let mut signing = Signing { out: Builder::new(out), signer, now, manifest: String::new(), last: None };
    let mut archive = Archive::new(package);
    members(archive.entries()?, size, |entry| signing.member(entry).map(Some))?.compare()?;
    let (header, path) = signing.last.take().ok_or(Damage::Missing("image"))?;
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let manifest = signer.clear(&signing.manifest)?;
    signing.add(&header, &format!("{directory}/Manifest"), &manifest)?;
    let mut out = signing.out.into_inner()?;
    let over = out.stream_position()? % RECORD;
    if over > 0 {
        out.write_all(&vec![0; usize::try_from(RECORD - over).unwrap_or_default()])?;
    }
    Ok(out.flush()?)
}

struct Signing<'a, W: Write, S> {
    out: Builder<W>,
    signer: &'a S,
    now: u64,
    /// What the new Manifest says.
    manifest: String,
    /// The header and the path of the last member.
    last: Option<(Header, String)>,
}

impl<W: Write, S: Signer> Signing<'_, W, S> {
    /// Takes a member over; its digests come back.
    fn member<R: Read>(&mut self, entry: &mut Entry<R>) -> io::Result<Member> {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if name.ends_with(ENDING) {
            return Member::read(entry);
        }
        let (size, mut header) = (entry.size(), entry.header().clone());
        header.set_size(size);
        let signature = if size == 0 { None } else { Some(self.signer.begin()?) };
        let mut reader = Reader { entry, hashing: Hashing::default(), signature };
        self.out.append_data(&mut header, &path, &mut reader)?;
        let Reader { hashing, signature, .. } = reader;
        let member = hashing.finish();
        self.manifest += &member.line(&name, size);
        if let Some(signature) = signature {
            let signature = self.signer.finish(signature)?;
            self.add(&header, &format!("{path}{ENDING}"), &signature)?;
            let length = u64::try_from(signature.len()).unwrap_or(u64::MAX);
            self.manifest += &Member::read(&signature[..])?.line(&format!("{name}{ENDING}"), length);
        }
        self.last = Some((header, path));
        Ok(member)
    }

    /// Adds a new member, of the tar format of another one.
    fn add(&mut self, like: &Header, path: &str, data: &[u8]) -> io::Result<()> {
        let mut header = like.clone();
        header.set_size(u64::try_from(data.len()).unwrap_or(u64::MAX));
        header.set_mtime(self.now);
        self.out.append_data(&mut header, path, data)
    }
}

/// Lets what is read be hashed, and signed.
struct Reader<'a, R, D> {
    entry: &'a mut R,
    hashing: Hashing,
    signature: Option<D>,
}

impl<R: Read, D: Write> Read for Reader<'_, R, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.entry.read(buffer)?;
        self.hashing.update(&buffer[..count]);
        if let Some(signature) = &mut self.signature {
            signature.write_all(&buffer[..count])?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Doubt, check, verify, verify_signed};
    use super::*;

    const PACKAGE: &[u8] = include_bytes!("../../../tests/captured/t1-1-1.gpkg.tar");

    /// Signs by counting.
    struct Counter;

    impl Signer for Counter {
        type Detached = Vec<u8>;

        fn begin(&self) -> io::Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn finish(&self, data: Vec<u8>) -> io::Result<Vec<u8>> {
            Ok(format!("signed {} bytes", data.len()).into_bytes())
        }

        fn clear(&self, text: &str) -> io::Result<Vec<u8>> {
            Ok(format!("BEGIN\n{text}END\n").into_bytes())
        }
    }

    fn signed(package: &[u8]) -> Result<Vec<u8>, Damage> {
        let mut out = Cursor::new(Vec::new());
        sign(package, package.len() as u64, &mut out, &Counter, 1_800_000_000)?;
        Ok(out.into_inner())
    }

    fn parts(package: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = Archive::new(package);
        let part = |entry: io::Result<Entry<_>>| {
            let mut entry = entry.unwrap();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            (entry.path().unwrap().display().to_string(), data)
        };
        archive.entries().unwrap().map(part).collect()
    }

    #[test]
    fn everything_is_kept_and_the_signatures_stand_behind_what_they_sign() {
        let (before, signed) = (parts(PACKAGE), signed(PACKAGE).unwrap());
        let after = parts(&signed);
        let names: Vec<_> = after.iter().map(|(path, _)| path.strip_prefix("t1-1-1/").unwrap()).collect();
        let expected = [
            "gpkg-1",
            "metadata.tar.zst",
            "metadata.tar.zst.sig",
            "image.tar.zst",
            "image.tar.zst.sig",
            "Manifest",
        ];
        assert_eq!(names, expected);
        assert_eq!([&after[0], &after[1], &after[3]], [&before[0], &before[1], &before[2]]);
        assert_eq!(after[2].1, format!("signed {} bytes", before[1].1.len()).into_bytes());
        assert_eq!(signed.len() % 10240, 0);
        let size = signed.len() as u64;
        assert_eq!(check(Cursor::new(&signed), size), Ok(()));
        verify(&signed[..], size).unwrap();
        // Signing again takes the old signatures out, and nothing else changes.
        assert_eq!(tests::signed(&signed).unwrap(), signed);
    }

    #[test]
    fn nothing_damaged_is_signed() {
        let mut broken = PACKAGE.to_vec();
        broken[3000] ^= 1;
        assert!(matches!(signed(&broken), Err(Damage::Mismatch(_))));
        assert!(signed(&PACKAGE[..4000]).is_err());
    }

    #[test]
    fn only_what_was_signed_counts() {
        let signed = signed(PACKAGE).unwrap();
        let look = |package: &[u8], authentic: fn(&str) -> Result<String, Doubt>| {
            verify_signed(package, package.len() as u64, authentic)
        };
        assert!(look(&signed, |text| Ok(text.to_owned())).is_ok());
        assert_eq!(look(&signed, |_| Err(Doubt::Bad)), Err(Damage::Signature(Doubt::Bad)));
        // The key signed another Manifest than the one that is in the file.
        assert!(matches!(look(&signed, |_| Ok(String::new())), Err(Damage::Mismatch(_))));
        // A Manifest alone is not enough for Portage.
        let unsigned = look(PACKAGE, |text| Ok(text.to_owned()));
        assert_eq!(unsigned, Err(Damage::Signature(Doubt::Unsigned)));
    }
}
