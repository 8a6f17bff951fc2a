//! What is in a binary package, as far as it has to be known before it is offered: which kernel its programs and
//! libraries demand.

use std::cell::Cell;
use std::io::{self, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzipReader, XzReader};
use ruzstd::decoding::StreamingDecoder;
use serde::{Deserialize, Serialize};
use tar::Archive;

use super::bounds::{self, Allowed, Unpacked};
use crate::portage::files::elf::{self, Kernel};

/// The highest kernel that a package demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// That kernel.
    pub kernel: Kernel,
    /// The file that demands it, as it is installed.
    pub file: String,
}

/// The most bytes of what was unpacked that zstd looks back on, for which its decoder keeps room for twice as many. `zstd -19`
/// needs 8 MiB, `--ultra` and `--long` more than these.
const WINDOW: u64 = 16 << 20;
/// The most memory for xz, in KiB: `xz -8` looks back on 32 MiB.
const MEMORY: u32 = 34 << 10;

/// Reads a gpkg of so many bytes up to its image, and that to its end; nothing when no file in it says anything. Of files that
/// demand the same the first one is named.
///
/// # Errors
/// When the package is damaged, unpacks to more than any package does, or is compressed with something that is not looked into,
/// such as lzop or `xz -9`. (The endings are those of `portage/util/compression_probe.py`.)
pub(crate) fn demand(package: impl Read, size: u64) -> io::Result<Option<Demand>> {
    let left = Cell::new(None);
    let mut archive = Archive::new(Allowed::new(package, &left));
    let mut entries = archive.entries()?;
    let mut unread = 0;
    while let Some(entry) = bounds::next(&mut entries, &left, unread) {
        let entry = entry?;
        unread = entry.size();
        let path = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(path.split(|&byte| byte == b'/').next_back().unwrap_or_default());
        let unpacked =
            |error: io::Error| io::Error::new(error.kind(), format!("{name} cannot be read: {error}"));
        let of_image = |image: Box<dyn Read + '_>| of_image(Unpacked::new(image, size)).map_err(unpacked);
        match name.strip_prefix("image.tar") {
            None => {}
            Some(ending) if ending.split('.').next_back() == Some("sig") => {}
            Some("") => return of_image(Box::new(entry)),
            Some(".bz2") => return of_image(Box::new(MultiBzDecoder::new(entry))),
            Some(".gz") => return of_image(Box::new(MultiGzDecoder::new(entry))),
            Some(".lz") => return of_image(Box::new(LzipReader::new(entry))),
            Some(".lz4") => return of_image(Box::new(FrameDecoder::new(entry))),
            Some(".xz") => return of_image(Box::new(XzReader::new_mem_limit(entry, true, MEMORY))),
            Some(".zst") => {
                let decoder = StreamingDecoder::new_with_max_window_size(entry, WINDOW);
                return of_image(Box::new(decoder.map_err(io::Error::other).map_err(unpacked)?));
            }
            Some(other) => {
                let what = format!("its image is compressed in a way that is not looked into: {other}");
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it has no image"))
}

fn of_image(image: impl Read) -> io::Result<Option<Demand>> {
    let mut highest: Option<Demand> = None;
    let mut start = Vec::new();
    let left = Cell::new(None);
    let mut archive = Archive::new(Allowed::new(image, &left));
    let mut entries = archive.entries()?;
    let mut unread = 0;
    while let Some(entry) = bounds::next(&mut entries, &left, unread) {
        let mut entry = entry?;
        unread = entry.size();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        start.clear();
        entry.by_ref().take(elf::PREFIX).read_to_end(&mut start)?;
        unread = unread.saturating_sub(start.len() as u64);
        let Some(kernel) = elf::demanded(&start) else { continue };
        if highest.as_ref().is_none_or(|highest| highest.kernel < kernel) {
            let path = entry.path_bytes();
            let path = String::from_utf8_lossy(path.strip_prefix(b"image").unwrap_or(&path));
            highest = Some(Demand { kernel, file: path.into_owned() });
        }
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bzip2::write::BzEncoder;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use lz4_flex::frame::FrameEncoder;
    use lzma_rust2::{LzipOptions, LzipWriter, XzOptions, XzWriter};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;
    use crate::portage::files::elf::tests::library;

    fn demanded(package: &[u8]) -> io::Result<Option<Demand>> {
        demand(package, package.len() as u64)
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, data) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *data).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn image() -> Vec<u8> {
        let [old, new] = [[0, 3, 2, 0], [0, 4, 11, 0]].map(|words| library(*b"GNU\0", 1, words));
        let big = vec![b'x'; 200_000];
        tar(&[
            ("image/usr/share/big", &big),
            ("image/usr/bin/a", &old),
            ("image/usr/lib64/libQt.so.6", &new),
            ("image/usr/lib64/libb.so", &new),
        ])
    }

    fn package(name: &str, image: &[u8]) -> Vec<u8> {
        tar(&[("a-1-1/gpkg-1", b""), ("a-1-1/metadata.tar.zst", b"m"), (&format!("a-1-1/{name}"), image)])
    }

    #[test]
    fn the_highest_is_found_in_every_compression() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut bzip2 = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        let mut lz4 = FrameEncoder::new(Vec::new());
        let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
        let mut lzip = LzipWriter::new(Vec::new(), LzipOptions::with_preset(0));
        for writer in [&mut gzip as &mut dyn Write, &mut bzip2, &mut lz4, &mut xz, &mut lzip] {
            writer.write_all(&image()).unwrap();
        }
        let zstd = compress_to_vec(&image()[..], CompressionLevel::Fastest);
        for (name, image) in [
            ("image.tar", image()),
            ("image.tar.bz2", bzip2.finish().unwrap()),
            ("image.tar.gz", gzip.finish().unwrap()),
            ("image.tar.lz", lzip.finish().unwrap()),
            ("image.tar.lz4", lz4.finish().unwrap()),
            ("image.tar.xz", xz.finish().unwrap()),
            ("image.tar.zst", zstd),
        ] {
            let found = demanded(&package(name, &image)).unwrap().unwrap();
            assert_eq!(
                (found.kernel.to_string().as_str(), found.file.as_str()),
                ("4.11.0", "/usr/lib64/libQt.so.6"),
                "{name}"
            );
            // A power loss in the middle, or a disk that rots.
            let cut = &image[..image.len() / 2];
            assert!(demanded(&package(name, cut)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_package_of_portage_without_programs_demands_nothing() {
        let package = include_bytes!("../../../../tests/captured/t1-1-1.gpkg.tar");
        assert_eq!(demanded(package).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_looked_into_is_told() {
        let problem = demanded(&package("image.tar.lzo", b"LZO")).unwrap_err().to_string();
        assert_eq!(problem, "its image is compressed in a way that is not looked into: .lzo");
        for ending in ["bz2", "lz", "lz4", "xz"] {
            assert!(
                demanded(&package(&format!("image.tar.{ending}"), b"none of these")).is_err(),
                "{ending}"
            );
        }
        assert!(demanded(&tar(&[("a-1-1/gpkg-1", b"")])).is_err());
    }

    #[test]
    fn what_takes_more_memory_than_there_is_is_told() {
        // As `xz -9`.
        let mut options = XzOptions::with_preset(0);
        options.lzma_options.dict_size = 64 << 20;
        let mut xz = XzWriter::new(Vec::new(), options).unwrap();
        xz.write_all(&image()).unwrap();
        let problem = demanded(&package("image.tar.xz", &xz.finish().unwrap())).unwrap_err().to_string();
        assert_eq!(problem, "image.tar.xz cannot be read: needed memory too big for mem_limit_kb");
        // The head of a frame of `zstd --long=27`: a window of 128 MiB (RFC 8878, 3.1.1.1).
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00];
        let problem = demanded(&package("image.tar.zst", &zstd)).unwrap_err().to_string();
        assert_eq!(
            problem,
            "image.tar.zst cannot be read: Specified window_size is too big; Requested: 134217728, Max: 16777216"
        );
    }

    /// As many of the same byte as it says, packed. Nothing that unpacks is as small.
    fn same(byte: u8, count: u64) -> Vec<u8> {
        let mut zstd = Vec::new();
        ruzstd::encoding::compress(io::repeat(byte).take(count), &mut zstd, CompressionLevel::Fastest);
        zstd
    }

    #[test]
    fn what_asks_for_more_than_it_is_long_is_refused() {
        // The header of a member whose data are its headers.
        let header = |kind: tar::EntryType, size: u64| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let zeros = |kind, size| {
            let mut zstd = compress_to_vec(&header(kind, size)[..], CompressionLevel::Fastest);
            zstd.extend(same(0, size));
            zstd
        };
        for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader] {
            let plain = [header(kind, 1 << 20), vec![0; 1 << 20]].concat();
            let told = demanded(&package("image.tar", &plain)).unwrap_err().to_string();
            assert_eq!(
                told,
                "image.tar cannot be read: the headers of one of its files are longer than 64 KiB"
            );
            let short = [header(kind, 60 << 10), vec![b'x'; 60 << 10]].concat();
            let told = demanded(&package("image.tar", &short)).unwrap_err().to_string();
            assert!(told.contains("no future member found"), "{told}");
            assert!(demanded(&package("image.tar.zst", &zeros(kind, 1 << 20))).is_err());
        }
        // 8 GiB, of which nothing is there.
        let mut holes = tar::Header::new_gnu();
        holes.set_entry_type(tar::EntryType::GNUSparse);
        holes.set_size(0);
        let map = holes.as_gnu_mut().unwrap();
        map.realsize.copy_from_slice(b"77777777777\0");
        map.sparse[0].offset.copy_from_slice(b"77777777777\0");
        map.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
        holes.set_cksum();
        let holes = [holes.as_bytes().to_vec(), vec![0; 1024]].concat();
        let told = demanded(&package("image.tar", &holes)).unwrap_err().to_string();
        assert_eq!(told, "image.tar cannot be read: a file in it has holes");
    }
}
