//! A pack: many objects in one file.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use sha1::{Digest, Sha1};

use super::delta::delta;
use super::id::{Id, Kind};
use super::index::{self, Packed};

/// The kind of an object that is what is other than in its base.
const OF_BASE: u8 = 7;
/// The end of what an index without long offsets can name.
const LONGEST: u64 = 1 << 31;

/// A pack that is being made.
#[derive(Debug)]
pub(crate) struct Pack<W> {
    out: W,
    at: u64,
    packed: Vec<Packed>,
}

impl<W: Write> Pack<W> {
    /// Begins one, without a count.
    pub(crate) fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(b"PACK\0\0\0\x02\0\0\0\0")?;
        Ok(Self { out, at: 12, packed: Vec::new() })
    }

    /// How many objects are in it.
    pub(crate) fn count(&self) -> usize {
        self.packed.len()
    }

    /// Bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.at
    }

    /// Adds an object.
    pub(crate) fn add(&mut self, kind: Kind, id: Id, content: &[u8]) -> io::Result<()> {
        self.copy(id, &raw(kind, content)?)
    }

    /// Adds an object as it is in another pack.
    pub(crate) fn copy(&mut self, id: Id, raw: &[u8]) -> io::Result<()> {
        let offset = u32::try_from(self.at).ok().filter(|offset| u64::from(*offset) < LONGEST);
        let offset = offset.ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.write_all(raw)?;
        let mut crc = Crc::new();
        crc.update(raw);
        self.packed.push(Packed { id, crc: crc.sum(), offset });
        self.at += raw.len() as u64;
        Ok(())
    }

    /// Ends it. What it was written to has to be [`seal`]ed, and gets its index by that.
    pub(crate) fn end(mut self) -> io::Result<(W, Vec<Packed>)> {
        self.out.flush()?;
        Ok((self.out, self.packed))
    }
}

/// Writes the count and the sum into a pack; its index.
pub(crate) fn seal(file: &mut (impl Read + Write + Seek), packed: Vec<Packed>) -> io::Result<Vec<u8>> {
    let count = u32::try_from(packed.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    file.seek(SeekFrom::Start(8))?;
    file.write_all(&count.to_be_bytes())?;
    file.rewind()?;
    let mut sum = Sha1::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => sum.update(&buffer[..read]),
        }
    }
    let sum: [u8; 20] = sum.finalize().into();
    file.write_all(&sum)?;
    Ok(index::write(packed, sum))
}

/// What a pack without a sum begins with.
pub(crate) fn beginning(count: u32) -> Vec<u8> {
    [b"PACK\0\0\0\x02".as_slice(), &count.to_be_bytes()].concat()
}

/// How many objects follow what a pack begins with.
pub(crate) fn count(beginning: &[u8]) -> Option<u32> {
    let (magic, count) = beginning.split_last_chunk::<4>()?;
    (magic == b"PACK\0\0\0\x02").then(|| u32::from_be_bytes(*count))
}

/// An object as it is in a pack.
pub(crate) fn raw(kind: Kind, content: &[u8]) -> io::Result<Vec<u8>> {
    deflated(head(kind.number(), content.len()), content)
}

/// The same as what is other in it than in a base, which whoever reads the pack has.
pub(crate) fn raw_against(base: (Id, &[u8]), content: &[u8]) -> io::Result<Vec<u8>> {
    let delta = delta(base.1, content);
    let mut raw = head(OF_BASE, delta.len());
    raw.extend(base.0.0);
    deflated(raw, &delta)
}

fn deflated(mut raw: Vec<u8>, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(&mut raw, Compression::default());
    packed.write_all(content)?;
    packed.finish()?;
    Ok(raw)
}

/// The kind of an object and its length, as they begin it: three bits and four, then seven in each byte.
fn head(kind: u8, length: usize) -> Vec<u8> {
    let low = |length: usize, mask: usize| u8::try_from(length & mask).unwrap_or_default();
    let mut raw = vec![(kind << 4) | low(length, 0xf)];
    let mut rest = length >> 4;
    while rest > 0 {
        if let Some(last) = raw.last_mut() {
            *last |= 0x80;
        }
        raw.push(low(rest, 0x7f));
        rest >>= 7;
    }
    raw
}

/// What an object in a pack is; nothing when it is damaged, or only what is other than in another one.
pub(crate) fn unpack(raw: &[u8]) -> Option<(Kind, Vec<u8>)> {
    let first = *raw.first()?;
    let kind = Kind::of_number((first >> 4) & 7)?;
    let mut length = u64::from(first & 0xf);
    let mut at = 1;
    let mut more = first & 0x80 != 0;
    while more {
        let byte = *raw.get(at)?;
        length |= u64::from(byte & 0x7f).checked_shl(u32::try_from(4 + 7 * (at - 1)).ok()?)?;
        more = byte & 0x80 != 0;
        at += 1;
    }
    let mut content = Vec::new();
    let read = ZlibDecoder::new(&raw[at..]).take(length.saturating_add(1)).read_to_end(&mut content);
    (read.is_ok() && content.len() as u64 == length).then_some((kind, content))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::process::Command;

    use super::*;
    use crate::git::{Commit, Entry, Index, Mode, loose, tree};

    #[test]
    fn git_reads_what_is_packed() {
        let long = vec![b'x'; 70_000];
        let blobs = [&b""[..], b"15 bytes long..", b"16 bytes long...", b"hello\n", &long];
        let mut pack = Pack::begin(Cursor::new(Vec::new())).unwrap();
        let mut entries = Vec::new();
        for (number, blob) in blobs.iter().enumerate() {
            let id = Id::of(Kind::Blob, blob);
            pack.add(Kind::Blob, id, blob).unwrap();
            entries.push(Entry { mode: Mode::File, name: format!("f{number}").into(), id });
        }
        let inner = tree(entries);
        let id = Id::of(Kind::Tree, &inner);
        pack.add(Kind::Tree, id, &inner).unwrap();
        let outer = tree(vec![
            Entry { mode: Mode::Tree, name: "sub".into(), id },
            Entry { mode: Mode::Executable, name: "sub.x".into(), id: Id::of(Kind::Blob, b"hello\n") },
        ]);
        let root = Id::of(Kind::Tree, &outer);
        pack.add(Kind::Tree, root, &outer).unwrap();
        assert_eq!((pack.count(), pack.size() > 100), (7, true));
        let (mut file, packed) = pack.end().unwrap();
        file.set_position(0);
        let index = seal(&mut file, packed).unwrap();
        let file = file.into_inner();

        let read = Index::read(&index).unwrap();
        assert_eq!(read.ids().count(), 7);
        let raw = |id| {
            let (from, to) = read.place(id, file.len() as u64).unwrap();
            &file[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]
        };
        assert_eq!(unpack(raw(root)), Some((Kind::Tree, outer)));
        assert_eq!(unpack(raw(id)), Some((Kind::Tree, inner)));
        assert_eq!(unpack(raw(Id::of(Kind::Blob, &long))), Some((Kind::Blob, long.clone())));
        assert_eq!(read.place(Id::of(Kind::Blob, b"other"), file.len() as u64), None);
        for end in [0, 8, 1000, index.len() - 1] {
            assert!(Index::read(&index[..end]).is_none(), "{end}");
        }

        // What git itself says of it, where there is one.
        let place = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let ran = Command::new("git").arg("-C").arg(place.path()).args(args).env("LC_ALL", "C").output();
            let Ok(ran) = ran else { return None };
            assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
            Some(String::from_utf8(ran.stdout).unwrap())
        };
        if git(&["init", "--quiet", "--bare", "."]).is_none() {
            return;
        }
        let packs = place.path().join("objects/pack");
        std::fs::write(packs.join("pack-1.pack"), &file).unwrap();
        let made = git(&["index-pack", "--strict", "-o", "made.idx", "objects/pack/pack-1.pack"]).unwrap();
        assert_eq!(std::fs::read(place.path().join("made.idx")).unwrap(), index, "{made}");
        std::fs::write(packs.join("pack-1.idx"), &index).unwrap();
        let commit = Commit { tree: root, parent: None, time: 1_700_000_000, message: "one" }.content();
        let id = Id::of(Kind::Commit, commit.as_bytes()).to_string();
        let (start, rest) = id.split_at(2);
        std::fs::create_dir_all(place.path().join("objects").join(start)).unwrap();
        let object = loose(Kind::Commit, commit.as_bytes()).unwrap();
        std::fs::write(place.path().join("objects").join(start).join(rest), object).unwrap();
        git(&["update-ref", "refs/heads/main", &id]);
        git(&["fsck", "--full", "--strict"]);
        let listed = git(&["ls-tree", "-r", "--name-only", "main"]).unwrap();
        assert_eq!(listed, "sub.x\nsub/f0\nsub/f1\nsub/f2\nsub/f3\nsub/f4\n");
    }
}
