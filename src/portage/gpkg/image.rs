//! What is in a binary package, as far as it has to be known before it is offered: which kernel its programs and
//! libraries demand.

use std::io::{self, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzipReader, XzReader};
use ruzstd::decoding::StreamingDecoder;
use serde::{Deserialize, Serialize};
use tar::Archive;

use crate::portage::elf::{self, Kernel};

/// The highest kernel that a package demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// That kernel.
    pub kernel: Kernel,
    /// The file that demands it, as it is installed.
    pub file: String,
}

/// The most memory for a dictionary of xz, in KiB; `xz -9` needs 64 MiB.
const MOST: u32 = 256 << 10;

/// Reads a gpkg up to its image, and that to its end; nothing when no file in it says anything. Of files that
/// demand the same the first one is named.
///
/// # Errors
/// When the package is damaged, or compressed with something that is not looked into, such as lzop. (The endings are
/// those of `portage/util/compression_probe.py`.)
pub fn demand(package: impl Read) -> io::Result<Option<Demand>> {
    let mut archive = Archive::new(package);
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(path.split(|&byte| byte == b'/').next_back().unwrap_or_default());
        match name.strip_prefix("image.tar") {
            None => {}
            Some(ending) if ending.split('.').next_back() == Some("sig") => {}
            Some("") => return of_image(entry),
            Some(".bz2") => return of_image(MultiBzDecoder::new(entry)),
            Some(".gz") => return of_image(MultiGzDecoder::new(entry)),
            Some(".lz") => return of_image(LzipReader::new(entry)),
            Some(".lz4") => return of_image(FrameDecoder::new(entry)),
            Some(".xz") => return of_image(XzReader::new_mem_limit(entry, true, MOST)),
            Some(".zst") => return of_image(StreamingDecoder::new(entry).map_err(io::Error::other)?),
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
    let mut archive = Archive::new(image);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        start.clear();
        entry.by_ref().take(elf::PREFIX).read_to_end(&mut start)?;
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
    use crate::portage::elf::tests::library;

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
            let found = demand(&package(name, &image)[..]).unwrap().unwrap();
            assert_eq!(
                (found.kernel.to_string().as_str(), found.file.as_str()),
                ("4.11.0", "/usr/lib64/libQt.so.6"),
                "{name}"
            );
            // A power loss in the middle, or a disk that rots.
            let cut = &image[..image.len() / 2];
            assert!(demand(&package(name, cut)[..]).is_err(), "{name}");
        }
    }

    #[test]
    fn a_package_of_portage_without_programs_demands_nothing() {
        let package = include_bytes!("../../../tests/captured/t1-1-1.gpkg.tar");
        assert_eq!(demand(&package[..]).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_looked_into_is_told() {
        let problem = demand(&package("image.tar.lzo", b"LZO")[..]).unwrap_err().to_string();
        assert_eq!(problem, "its image is compressed in a way that is not looked into: .lzo");
        for ending in ["bz2", "lz", "lz4", "xz"] {
            assert!(
                demand(&package(&format!("image.tar.{ending}"), b"none of these")[..]).is_err(),
                "{ending}"
            );
        }
        assert!(demand(&tar(&[("a-1-1/gpkg-1", b"")])[..]).is_err());
    }
}
