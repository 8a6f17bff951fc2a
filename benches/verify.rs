//! Binary packages for scripts/bench-verify: made up, and good to their last byte.
//!
//! ```text
//! verify packages DIR COUNT BYTES      so many gpkgs with images of so many bytes, and the index that belongs to them
//! verify digest NAME THREADS SECONDS   how fast gbsup works out one digest alone, with so many threads: GB/s
//! ```

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use blake2::Blake2b512;
use gbsup::portage::files::gpkg::digests::{Whole, hex};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha512};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["packages", dir, count, bytes] => packages(Path::new(dir), count.parse()?, bytes.parse()?),
        ["digest", "blake2b", threads, seconds] => speed::<Blake2b512>(threads, seconds),
        ["digest", "sha512", threads, seconds] => speed::<Sha512>(threads, seconds),
        ["digest", "md5", threads, seconds] => speed::<Md5>(threads, seconds),
        ["digest", "sha1", threads, seconds] => speed::<Sha1>(threads, seconds),
        _ => Err("see the top of benches/verify.rs".into()),
    }
}

/// As much as is worked on at a time, as a package is read.
const CHUNK: usize = 64 << 10;

fn speed<D: Digest>(threads: &str, seconds: &str) -> Result<(), Box<dyn Error>> {
    let (threads, seconds) = (threads.parse()?, Duration::from_secs_f64(seconds.parse()?));
    let data = noise(1, CHUNK);
    let work = || {
        let (began, mut digest, mut bytes) = (Instant::now(), D::new(), 0);
        while began.elapsed() < seconds {
            digest.update(&data);
            bytes += CHUNK;
        }
        black_box(digest.finalize());
        bytes as f64 / began.elapsed().as_secs_f64() / 1e9
    };
    let sum: f64 = thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|one| one.join().unwrap_or_default()).sum()
    });
    println!("{sum:.3}");
    Ok(())
}

fn packages(dir: &Path, count: u64, bytes: usize) -> Result<(), Box<dyn Error>> {
    let mut index = format!("PACKAGES: {count}\nVERSION: 0\n\n");
    fs::create_dir_all(dir.join("bench/package"))?;
    for n in 1..=count {
        let path = format!("bench/package/package-{n}-1.gpkg.tar");
        let file = dir.join(&path);
        package(&file, &format!("package-{n}-1"), &noise(n, bytes))?;
        let Whole { size, md5, sha1 } = Whole::read(File::open(&file)?)?;
        let time = fs::metadata(&file)?.mtime();
        write!(
            index,
            "BUILD_ID: 1\nCPV: bench/package{n}-1\nMD5: {md5}\nPATH: {path}\nSHA1: {sha1}\nSIZE: {size}\nMTIME: {time}\n\n"
        )?;
    }
    Ok(fs::write(dir.join("Packages"), index)?)
}

fn package(file: &Path, name: &str, image: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut archive = tar::Builder::new(BufWriter::new(File::create(file)?));
    let mut manifest = String::new();
    let members: [(&str, &[u8]); 3] =
        [("gpkg-1", b""), ("metadata.tar.zst", &image[..image.len().min(4096)]), ("image.tar.zst", image)];
    for (member, data) in members {
        let [blake2b, sha512] = [hex(&Blake2b512::digest(data)), hex(&Sha512::digest(data))];
        writeln!(manifest, "DATA {member} {} BLAKE2B {blake2b} SHA512 {sha512}", data.len())?;
        append(&mut archive, &format!("{name}/{member}"), data)?;
    }
    append(&mut archive, &format!("{name}/Manifest"), manifest.as_bytes())?;
    Ok(archive.into_inner()?.flush()?)
}

fn append(archive: &mut tar::Builder<impl Write>, path: &str, data: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, path, data)
}

/// Bytes that do not repeat (xorshift64*).
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        noise.extend(state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}
