//! A publisher that is killed at any moment leaves clients with something complete, and the next one leaves
//! nothing of it behind.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use gbsup::binhost::release::Releases;
use gbsup::model::offer::{Offer, Offered};
use gbsup::model::release::Id;
use gbsup::portage::files::gpkg::digests::Whole;
use gbsup::portage::files::index::Index;
use gbsup::portage::names::cpv::Cpv;
use jiff::Timestamp;

/// Enough that making a release of them takes a while.
const PACKAGES: usize = 300;
/// A kill at each thirtieth of the time that it takes.
const KILLS: usize = 30;

struct Volume(tempfile::TempDir);

impl Volume {
    fn new() -> Self {
        // In memory where there is such a place: how long a disk takes says nothing here.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let volume = Self(dir.unwrap());
        fs::create_dir(volume.path().join("state")).unwrap();
        volume
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// PKGDIR and the offer as a cycle leaves them that built every package whose number `round` divides.
    fn build(&self, round: usize) {
        let pkgdir = self.path().join("binpkgs");
        let mut index = "VERSION: 0\nTIMESTAMP: 1\n".to_owned();
        let mut packages = Vec::new();
        for number in 0..PACKAGES {
            let build = (1..=round).rfind(|round| number % round == 0).unwrap_or(1);
            let cpv = Cpv::parse(format!("app-misc/p{number}-1").as_bytes()).unwrap();
            let path = format!("{}/{}-{build}.gpkg.tar", cpv.cp(), cpv.pf());
            let content = format!("{path}\n").repeat(20);
            let file = pkgdir.join(&path);
            if !file.exists() {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, &content).unwrap();
            }
            let Whole { size, md5, sha1 } = Whole::read(content.as_bytes()).unwrap();
            index += &format!(
                "\nBUILD_ID: {build}\nCPV: {cpv}\nMD5: {md5}\nPATH: {path}\nSHA1: {sha1}\nSIZE: {size}\n"
            );
            packages.push(Offered { cpv, slot: "0".into(), path, size, sha1, beside: None });
        }
        fs::write(pkgdir.join("Packages"), index + "\n").unwrap();
        let offer = Offer {
            schema: Offer::SCHEMA,
            made: Timestamp::UNIX_EPOCH,
            cycle: None,
            packages,
            held: Vec::new(),
        };
        fs::write(self.path().join("state/offer.json"), serde_json::to_vec(&offer).unwrap()).unwrap();
    }

    fn publisher(&self) -> Command {
        self.publisher_through(&[])
    }

    /// Run by another program, which replaces itself by it.
    fn publisher_through(&self, outer: &[&str]) -> Command {
        let words = [outer, &[env!("CARGO_BIN_EXE_gbsup"), "publish", "--once"]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("GBSUP_VOLUME_PATH", self.path()).env("GBSUP_SOCKET", self.path().join("control.sock"));
        // Nobody has a key here, and these packages are no tar files that could be signed.
        command.env("GBSUP_PUBLISH_SIGN_KEY", "none");
        command
    }

    /// Everything that clients are offered is there, and is what the index says.
    #[track_caller]
    fn check(&self) -> Id {
        let releases = Releases::on(self.path());
        let id = releases.current().expect("something is offered");
        let place = releases.place(id);
        let release = releases.read(id).unwrap();
        releases.check(&release).unwrap();
        let index = Index::parse(fs::read(place.join("Packages")).unwrap());
        assert_eq!(index.packages.len(), PACKAGES);
        for package in &index.packages {
            let file = package.file();
            let whole = Whole::read(fs::File::open(place.join(&file.path)).unwrap()).unwrap();
            assert_eq!(file.disagreement(&whole), None, "{}", file.path);
        }
        id
    }

    /// What has no business in `releases/`.
    fn litter(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("releases")).unwrap().flatten().map(|entry| entry.path());
        let is_hidden = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
        entries.filter(is_hidden).collect()
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_complete_release() {
    let volume = Volume::new();
    volume.build(1);
    assert!(volume.publisher().status().unwrap().success());
    volume.build(2);
    let begun = Instant::now();
    assert!(volume.publisher().status().unwrap().success());
    let takes = begun.elapsed();
    let mut newest = volume.check();
    for round in 3..KILLS + 3 {
        volume.build(round);
        if round % 3 == 0 {
            // In the middle for certain: by the kernel, when it writes what is longer than this.
            let ended = volume.publisher_through(&["prlimit", "--fsize=30000"]).status().unwrap();
            assert_eq!(ended.signal(), Some(nix::libc::SIGXFSZ));
            assert!(!volume.litter().is_empty());
        } else {
            let mut publisher = volume.publisher().spawn().unwrap();
            // Spread over the whole of it, in no order.
            thread::sleep(takes * u32::try_from(round * 7 % KILLS).unwrap() / u32::try_from(KILLS).unwrap());
            publisher.kill().unwrap();
            publisher.wait().unwrap();
        }
        let offered = volume.check();
        assert!(offered >= newest, "clients went back");
        // The next one has to clean up, and to publish what that one did not.
        assert!(volume.publisher().status().unwrap().success());
        assert_eq!(volume.litter(), Vec::<PathBuf>::new());
        newest = volume.check();
        let releases = Releases::on(volume.path());
        assert!(releases.ids().iter().all(|id| *id <= newest), "one that was never offered");
        assert!(releases.previous().is_some_and(|id| id < newest));
    }
}

#[test]
fn two_publishers_at_once_do_not_meet() {
    let volume = Volume::new();
    volume.build(1);
    let publishers: Vec<_> = (0..4).map(|_| volume.publisher().spawn().unwrap()).collect();
    for mut publisher in publishers {
        assert!(publisher.wait().unwrap().success());
    }
    volume.check();
    assert_eq!(Releases::on(volume.path()).ids().len(), 1, "one made it, the others found it there");
}
