//! Makes a signed package out of an unsigned one, as Portage does (`portage/gpkg.py:update_signature`).
//!
//! Behind `metadata.tar*` and `image.tar*` stands a detached signature, `.sig`, and the Manifest, which lists these
//! as well, is signed in clear. Everything else stays as it is, to the byte.

use std::cell::Cell;
use std::io::{self, Read, Seek, Write};

use tar::{Archive, Builder, Entry, Header};

use super::bounds::Allowed;
use super::digests::{Hashing, Member, Tee, Whole};
use super::members::{Damage, ENDING, members};

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

/// Why there is no signed package.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// What should be signed is damaged.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// It could not be written.
    #[error("{0}")]
    Written(io::Error),
    /// No signature was made.
    #[error("{0}")]
    Refused(io::Error),
}

/// Reads a package, `size` bytes long, and writes it to `out` with signatures; those that it had are left out. What
/// it is made of is checked on the way, so that nothing damaged is ever signed. `now` is in seconds since 1970.
/// What comes back is what the package was without signatures.
///
/// # Errors
/// See [`Unsigned`]. What was written by then is of no use.
pub(crate) fn sign<R: Read, W: Write + Seek, S: Signer>(
    package: R,
    size: u64,
    out: W,
    signer: &S,
    now: u64,
) -> Result<Whole, Unsigned> {
    let out = Builder::new(Out { out, failed: None });
    let mut signing = Signing { out, signer, now, manifest: String::new(), last: None, refused: None };
    signing.package(package, size).map_err(|damage| signing.reason(damage))
}

struct Signing<'a, W: Write, S> {
    out: Builder<Out<W>>,
    signer: &'a S,
    now: u64,
    /// What the new Manifest says.
    manifest: String,
    /// The header and the path of the last member.
    last: Option<(Header, String)>,
    /// Why no signature was made.
    refused: Option<io::Error>,
}

impl<W: Write + Seek, S: Signer> Signing<'_, W, S> {
    fn package<R: Read>(&mut self, package: R, size: u64) -> Result<Whole, Damage> {
        let left = Cell::new(None);
        let mut archive = Archive::new(Allowed::new(Tee::new(package), &left));
        members(archive.entries()?, size, &left, |entry| self.member(entry).map(Some))?.compare()?;
        let whole = archive.into_inner().into_inner().finish()?;
        let (header, path) = self.last.take().ok_or(Damage::Missing("image".into()))?;
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let manifest = self.signer.clear(&self.manifest);
        let manifest = self.made(manifest)?;
        self.add(&header, &format!("{directory}/Manifest"), &manifest)?;
        self.out.finish()?;
        let out = self.out.get_mut();
        let over = out.out.stream_position()? % RECORD;
        if over > 0 {
            out.write_all(&vec![0; usize::try_from(RECORD - over).unwrap_or_default()])?;
        }
        out.flush()?;
        Ok(whole)
    }

    /// What is behind an error: the package itself, unless something else went wrong.
    fn reason(&mut self, damage: Damage) -> Unsigned {
        let written = self.out.get_mut().failed.take().map(Unsigned::Written);
        written.or(self.refused.take().map(Unsigned::Refused)).unwrap_or(Unsigned::Damaged(damage))
    }
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
        let signature = if size == 0 { None } else { Some(self.signer.begin()) };
        let signature = signature.map(|begun| self.made(begun)).transpose()?;
        let mut reader = Reader { entry, hashing: Hashing::default(), signature, refused: None };
        let added = self.out.append_data(&mut header, &path, &mut reader);
        let Reader { hashing, signature, refused, .. } = reader;
        self.made(refused.map_or(Ok(()), Err))?;
        added?;
        let member = hashing.finish();
        self.manifest += &member.line(&name, size);
        if let Some(signature) = signature {
            let signature = self.signer.finish(signature);
            let signature = self.made(signature)?;
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

    /// Remembers what the signer said.
    fn made<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            self.refused = Some(error);
            kind.into()
        })
    }
}

/// Lets what is read be hashed, and signed.
struct Reader<'a, R, D> {
    entry: &'a mut R,
    hashing: Hashing,
    signature: Option<D>,
    refused: Option<io::Error>,
}

impl<R: Read, D: Write> Read for Reader<'_, R, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.entry.read(buffer)?;
        self.hashing.update(&buffer[..count]);
        if let Some(Err(error)) =
            self.signature.as_mut().map(|signature| signature.write_all(&buffer[..count]))
        {
            let kind = error.kind();
            self.refused = Some(error);
            return Err(kind.into());
        }
        Ok(count)
    }
}

/// Remembers why nothing could be written.
struct Out<W> {
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> Out<W> {
    fn kept<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.out.write(data);
        self.kept(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.kept(flushed)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::portage::files::gpkg::{check, verify};

    pub(crate) const PACKAGE: &[u8] = include_bytes!("../../../../tests/captured/t1-1-1.gpkg.tar");

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

    /// The package with signatures that count what they sign.
    pub(crate) fn signed(package: &[u8]) -> Result<Vec<u8>, Unsigned> {
        let mut out = Cursor::new(Vec::new());
        let whole = sign(package, package.len() as u64, &mut out, &Counter, 1_800_000_000)?;
        assert_eq!(whole, Whole::read(package).unwrap());
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
        assert!(verify(&signed[..], size).unwrap().is_signed);
        // Signing again takes the old signatures out, and nothing else changes.
        assert_eq!(tests::signed(&signed).unwrap(), signed);
    }

    #[test]
    fn nothing_damaged_is_signed() {
        let mut broken = PACKAGE.to_vec();
        broken[3000] ^= 1;
        assert!(matches!(signed(&broken), Err(Unsigned::Damaged(Damage::Mismatch(_)))));
        assert!(signed(&PACKAGE[..4000]).is_err());
    }

    /// Has no key any more.
    pub(crate) struct Nobody;

    impl Signer for Nobody {
        type Detached = io::Empty;

        fn begin(&self) -> io::Result<io::Empty> {
            Ok(io::empty())
        }

        fn finish(&self, _: io::Empty) -> io::Result<Vec<u8>> {
            Err(io::Error::other("the key is gone"))
        }

        fn clear(&self, _: &str) -> io::Result<Vec<u8>> {
            self.finish(io::empty())
        }
    }

    /// A disk without space.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Full {
        fn seek(&mut self, _: io::SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    #[test]
    fn whose_fault_it_was_is_told() {
        let size = PACKAGE.len() as u64;
        let refused = sign(PACKAGE, size, Cursor::new(Vec::new()), &Nobody, 0).unwrap_err();
        assert!(matches!(&refused, Unsigned::Refused(_)), "{refused:?}");
        assert_eq!(refused.to_string(), "the key is gone");
        let full = sign(PACKAGE, size, Full, &Counter, 0).unwrap_err();
        assert!(matches!(&full, Unsigned::Written(_)), "{full:?}");
    }
}
