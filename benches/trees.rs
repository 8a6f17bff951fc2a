//! What scripts/bench-trees measures: an ebuild repository taken to where releases offer it from, and a repository to take.
//!
//! ```text
//! trees write DIRECTORY PACKAGES   a repository of four files for each of so many packages, made up
//! trees bump DIRECTORY DAY COUNT   another version of so many of them, others each day
//! trees take VOLUME DIRECTORY      takes it; prints the seconds that this and what is new took, the bytes that all packs have then, and
//!                                  those of what is new since it was taken before, as a step and as a bundle
//! ```

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use gbsup::binhost::release::{bytes_between, snapshot};
use gbsup::model::release::Snapshot;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", directory, packages] => {
            fs::create_dir_all(Path::new(directory).join("profiles"))?;
            fs::write(Path::new(directory).join("profiles/repo_name"), "made-up\n")?;
            (0..packages.parse()?).try_for_each(|number| package(Path::new(directory), number, 1))
        }
        ["bump", directory, day, count] => {
            let (day, count): (u64, u64) = (day.parse()?, count.parse()?);
            (0..count).try_for_each(|n| package(Path::new(directory), (day * count + n) * 61, day + 1))
        }
        ["take", volume, directory] => take(Path::new(volume), Path::new(directory)),
        _ => Err("see the top of benches/trees.rs".into()),
    }
}

fn take(volume: &Path, directory: &Path) -> Result<(), Box<dyn Error>> {
    let last = volume.join("last");
    let before = fs::read_to_string(&last).unwrap_or_default();
    let began = Instant::now();
    let Snapshot::Tree(tree) = snapshot(volume, "made-up", directory, || false)? else {
        return Err("it could not be written".into());
    };
    let (new, bundle) = bytes_between(volume, "made-up", &before, &tree).unwrap_or_default();
    let seconds = began.elapsed().as_secs_f64();
    let mut bytes = 0;
    for file in fs::read_dir(volume.join("releases/tree/made-up.git/objects/pack"))? {
        bytes += file?.metadata()?.len();
    }
    fs::write(last, tree)?;
    println!("{seconds:.2} {bytes} {new} {bundle}");
    Ok(())
}

/// Text that packs about as well as that of an ebuild, another one for each seed.
fn words(seed: u64, count: usize) -> String {
    const WORDS: [&str; 16] = [
        "econf",
        "emake",
        "die",
        "local",
        "--enable-",
        "--with-",
        "use_with",
        "src_configure",
        "default",
        "eapply",
        "if",
        "fi",
        "dodoc",
        "inherit",
        "RDEPEND",
        "${PV}",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    for n in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = usize::try_from(state % 16).unwrap_or_default();
        text += WORDS[at];
        if state.is_multiple_of(5) {
            let _ = write!(text, "{:x}", state % 65_536);
        }
        text.push(if n % 8 == 7 { '\n' } else { ' ' });
    }
    text
}

fn package(directory: &Path, number: u64, version: u64) -> Result<(), Box<dyn Error>> {
    let number = number % 7_500;
    let (category, name) = (format!("cat{}-misc", number % 150), format!("package{number}"));
    let place = directory.join(&category).join(&name);
    let cache = directory.join("metadata/md5-cache").join(&category);
    fs::create_dir_all(&place)?;
    fs::create_dir_all(&cache)?;
    let ebuild = |version: u64| format!("{name}-{version}.ebuild");
    for old in (1..version).rev().take(8) {
        // The oldest version goes when there is a new one.
        drop(fs::remove_file(place.join(ebuild(old))));
        drop(fs::remove_file(cache.join(format!("{name}-{old}"))));
    }
    fs::write(place.join(ebuild(version)), words(number, 150) + &words(number * 1000 + version, 20))?;
    fs::write(place.join("metadata.xml"), words(number + 100_000, 40))?;
    let digest =
        |seed: u64| words(seed, 0) + &format!("{:016x}", seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(8);
    let manifest = format!(
        "DIST {name}-{version}.tar.xz 12345 BLAKE2B {} SHA512 {}\n",
        digest(number + version),
        digest(number * 7 + version)
    );
    fs::write(place.join("Manifest"), manifest)?;
    fs::write(
        cache.join(format!("{name}-{version}")),
        words(number + 200_000, 60) + &digest(number * 3 + version),
    )?;
    Ok(())
}
