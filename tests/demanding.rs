//! Packages that ask for more than they are long: none costs more memory than any other, and each is named.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use gbsup::binhost::examine::{self, Examiner};
use gbsup::portage::files::gpkg::digests::Whole;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tar::{EntryType, Header};

const GBSUP: &str = env!("CARGO_BIN_EXE_gbsup");
const GOOD: &[u8] = include_bytes!("captured/t1-1-1.gpkg.tar");
/// How many packages there are, a tenth of them good.
const PACKAGES: usize = 2000;
/// What any process may take, in bytes.
const PEAK: u64 = 64 << 20;

fn header(name: &str, kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A member of a tar.
fn member(name: &str, data: &[u8]) -> Vec<u8> {
    let padding = vec![0; data.len().next_multiple_of(512) - data.len()];
    [header(name, EntryType::Regular, data.len() as u64), data.to_vec(), padding].concat()
}

/// A package with this image.
fn package(ending: &str, image: &[u8]) -> Vec<u8> {
    [
        member("a-1-1/gpkg-1", b""),
        member("a-1-1/metadata.tar.zst", b"m"),
        member(&format!("a-1-1/image.tar.{ending}"), image),
        member("a-1-1/Manifest", b""),
        vec![0; 1024],
    ]
    .concat()
}

/// The most memory that any child had so far that has ended, and any of theirs; in bytes.
fn peak() -> u64 {
    u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()).unwrap() << 10
}

/// A file of 8 GiB of which nothing is there.
fn holes() -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path("a-1-1/x").unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(0);
    let map = header.as_gnu_mut().unwrap();
    map.realsize.copy_from_slice(b"77777777777\0");
    map.sparse[0].offset.copy_from_slice(b"77777777777\0");
    map.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    header.set_cksum();
    [header.as_bytes().to_vec(), vec![0; 1024]].concat()
}

/// Nine kinds of packages that are none.
fn hostile(number: usize) -> Vec<u8> {
    let mebi = 1 << 20;
    let long = |kind| [header("x", kind, mebi), vec![0; 1 << 20]].concat();
    match number % 9 {
        0 => long(EntryType::GNULongName),
        1 => long(EntryType::GNULongLink),
        2 => long(EntryType::XHeader),
        3 => holes(),
        4 => [member("a-1-1/Manifest", &vec![b'x'; 1 << 20]), vec![0; 1024]].concat(),
        5 => [member("a-1-1/image.tar.zst.sig", &vec![b'x'; 1 << 20]), vec![0; 1024]].concat(),
        6 => (0..2000).flat_map(|number| header(&format!("a-1-1/{number}"), EntryType::Regular, 0)).collect(),
        7 => header("a-1-1/x", EntryType::Regular, u64::MAX >> 12),
        _ => header(&"x/".repeat(49), EntryType::Regular, 0),
    }
}

#[test]
fn no_package_takes_much_memory_and_each_is_named() {
    let volume = tempfile::tempdir().unwrap();
    let pkgdir = volume.path().join("binpkgs");
    fs::create_dir(&pkgdir).unwrap();
    let whole = Whole::read(GOOD).unwrap();
    let mut index = format!("PACKAGES: {PACKAGES}\nVERSION: 0\n");
    let path = |number: usize| format!("p-{number}-1.gpkg.tar");
    let mut content: Vec<Vec<u8>> = (0..9).map(hostile).collect();
    content.push(GOOD.to_vec());
    for number in 0..PACKAGES {
        let first = pkgdir.join(path(number % content.len()));
        if number < content.len() {
            fs::write(&first, &content[number]).unwrap();
        } else {
            fs::hard_link(first, pkgdir.join(path(number))).unwrap();
        }
        let (md5, sha1, size) = (&whole.md5, &whole.sha1, whole.size);
        write!(
            index,
            "\nCPV: a/p-{number}\nMD5: {md5}\nPATH: {}\nSHA1: {sha1}\nSIZE: {size}\n",
            path(number)
        )
        .unwrap();
    }
    fs::write(pkgdir.join("Packages"), index).unwrap();
    let verified = Command::new(GBSUP)
        .args(["verify", "--all", "--json"])
        .env("GBSUP_VOLUME_PATH", volume.path())
        .env("GBSUP_CONFIG", "/dev/null")
        .output()
        .unwrap();
    let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap_or_default();
    let findings = verified["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), PACKAGES * 9 / 10);
    for finding in findings {
        assert_eq!(finding["kind"], "damaged", "{finding}");
    }
    assert!(peak() < PEAK, "{} MiB", peak() >> 20);
}

#[test]
fn a_reader_has_no_rights_and_when_it_is_gone_there_is_another() {
    examine::by(GBSUP.into());
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = place.path().join(name);
        File::create(&path).unwrap().write_all(content).unwrap();
        (File::open(path).unwrap(), content.len() as u64)
    };
    let mut examiner = Examiner::default();
    let mut demand = |name: &str, content: &[u8]| {
        let (file, size) = file(name, content);
        examiner.demand(&file, size)
    };
    for _ in 0..3 {
        assert_eq!(demand("good", GOOD), Ok(None));
        // It may be gone for any reason.
        let reader = reader();
        assert!(is_without_rights(reader));
        kill(Pid::from_raw(reader), Signal::SIGKILL).unwrap();
    }
    // A dictionary of 512 MiB (lzip(1), "File format"), and windows of 64 (RFC 8878, 3.1.1.1.2).
    let lzip = package("lz", b"LZIP\x01\x1d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert!(demand("lzip", &lzip).is_err());
    let window = package("zst", &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3, 1, 0, 0]);
    assert!(demand("window", &window).unwrap_err().to_string().contains("window"));
    let zstd = package("zst", &fs::read(long_name_of_zeros(place.path())).unwrap());
    let told = demand("zstd", &zstd).unwrap_err().to_string();
    assert!(told.contains("longer than 64 KiB"), "{told}");
    let mut examiner = Examiner::default();
    let (good, size) = file("good", GOOD);
    assert!(examiner.gpkg(&good, size).unwrap().verify().is_ok());
    let xpak = include_bytes!("captured/t1-1-1.xpak");
    let (old, size) = file("old", xpak);
    assert_eq!(examiner.xpak(&old, size), Ok(Whole::read(&xpak[..]).unwrap()));
    drop(examiner);
    assert!(peak() < PEAK, "{} MiB", peak() >> 20);
}

/// The only child of this thread.
fn reader() -> i32 {
    let children = fs::read_to_string("/proc/thread-self/children").unwrap();
    children.trim().parse().unwrap()
}

/// It has nobody's user, can open nothing, and its memory and time have bounds.
fn is_without_rights(reader: i32) -> bool {
    let text = |name: &str| fs::read_to_string(format!("/proc/{reader}/{name}")).unwrap();
    let (status, limits) = (text("status"), text("limits"));
    let limited = |what: &str| {
        let line = limits.lines().find(|line| line.starts_with(what)).unwrap();
        !line.contains("unlimited")
    };
    status.contains("NoNewPrivs:\t1")
        && (!nix::unistd::geteuid().is_root() || status.contains("Uid:\t65533\t65533\t65533\t65533"))
        && ["Max address space", "Max cpu time", "Max open files"].into_iter().all(limited)
}

/// A tar that begins with a name of a gibibyte, packed: its blocks all have the same byte (RFC 8878, 3.1.1.2).
fn long_name_of_zeros(place: &Path) -> std::path::PathBuf {
    let path = place.join("zeros.zst");
    // Magic number, no content size, a window of 8 MiB; the header of the name as it is.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    let block = |kind: u32, size: u32, last: u32| (size << 3 | kind << 1 | last).to_le_bytes()[..3].to_vec();
    let name = header("x", EntryType::GNULongName, 1 << 30);
    frame.extend(block(0, 512, 0));
    frame.extend(name);
    for number in 0..8192 {
        frame.extend(block(1, 128 << 10, u32::from(number == 8191)));
        frame.push(0);
    }
    fs::write(&path, frame).unwrap();
    path
}
