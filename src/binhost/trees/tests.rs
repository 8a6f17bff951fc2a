use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::*;
use crate::git::{Commit, Kind};
use crate::portage::files::gpkg::sign::tests::Nobody;

mod plain;

/// A repository, and a volume.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("profiles/repo_name", "own\n");
        place
    }

    fn repository(&self) -> PathBuf {
        self.0.path().join("repository")
    }

    fn releases(&self) -> PathBuf {
        self.0.path().join("releases")
    }

    fn store(&self) -> Store {
        Store::of(&self.releases(), "own")
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.repository().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn gather(&self) -> Result<Id, Error> {
        gather(&self.store(), &self.repository(), || u64::MAX, || false)
    }

    /// Writes a commit of the tree, and makes it the one that git finds there.
    fn commit(&self, tree: Id, parent: Option<Id>) -> Id {
        let commit = Commit { tree, parent, time: 1_700_000_000, message: "release 2026-11-22.1" };
        let id = write_commit(&self.store(), &commit, None::<&Nobody>).unwrap();
        let git = self.git();
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        fs::write(git.join("refs/heads/main"), format!("{id}\n")).unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        id
    }

    fn git(&self) -> PathBuf {
        self.releases().join("tree/own.git")
    }

    /// What git says, of what it has checked for damage; nothing without one.
    fn ask(&self, args: &[&str]) -> Option<String> {
        let run = |args: &[&str]| {
            let ran =
                Command::new("git").arg("--git-dir").arg(self.git()).args(args).env("LC_ALL", "C").output();
            let ran = ran.ok()?;
            assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
            Some(String::from_utf8(ran.stdout).unwrap())
        };
        run(&["fsck", "--full", "--strict", "--no-dangling"])?;
        run(args)
    }

    fn packs(&self) -> usize {
        self.store().told().len()
    }
}

/// Runs a program of Python; what it printed, and whether it ended well.
fn python(args: &[&str], program: &str) -> (String, bool) {
    let mut command = Command::new("python3");
    let pipes = command.args(["-I", "-"]).args(args).stdin(Stdio::piped());
    let mut child = pipes.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), ran.status.success())
}

#[test]
fn every_file_is_taken_as_it_is() {
    let place = Place::new();
    let repository = place.repository();
    place.write(".gitignore", "metadata/md5-cache\n*.patch\n");
    place.write(".gitattributes", "* text eol=crlf\n");
    place.write("metadata/md5-cache/a/b-1", "EAPI=8\n");
    place.write("a/b/files/x.patch", b"+\r\n\xff\0");
    place.write("a/b/run", "#!/bin/sh\n");
    fs::set_permissions(repository.join("a/b/run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", repository.join("a/link")).unwrap();
    fs::create_dir_all(repository.join("empty/still")).unwrap();
    nix::unistd::mkfifo(&repository.join("a/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // What is nothing of it.
    place.write(".git/config", "[core]\n\tfsmonitor = /bin/false\n");
    place.write("a/.GIT/x", "");
    place.write("distfiles/x.tar", "");

    let tree = place.gather().unwrap();
    place.commit(tree, None);
    let Some(listed) = place.ask(&["ls-tree", "-r", "main"]) else { return };
    let names: Vec<_> = listed.lines().map(|line| (&line[..6], line.split_once('\t').unwrap().1)).collect();
    let expected = [
        ("100644", ".gitattributes"),
        ("100644", ".gitignore"),
        ("100644", "a/b/files/x.patch"),
        ("100755", "a/b/run"),
        ("120000", "a/link"),
        ("100644", "metadata/md5-cache/a/b-1"),
        ("100644", "profiles/repo_name"),
    ];
    assert_eq!(names, expected);
    let blob = listed.lines().find(|line| line.ends_with("x.patch")).unwrap();
    assert!(blob.contains(&Id::of(Kind::Blob, b"+\r\n\xff\0").to_string()), "{blob}");
    assert_eq!(
        place.ask(&["show", "main:a/link"]).unwrap(),
        "/etc/passwd",
        "the link and not what it leads to"
    );
}

#[test]
fn what_is_there_is_not_written_again() {
    let place = Place::new();
    for number in 0..300 {
        place.write(&format!("a/p{number}/p{number}-1.ebuild"), format!("EAPI=8\nSLOT={number}\n"));
    }
    let first = place.gather().unwrap();
    let size = |place: &Place| {
        let files = fs::read_dir(place.git().join("objects/pack")).unwrap().flatten();
        files
            .filter(|file| file.path().extension().is_some_and(|end| end == "pack"))
            .map(|file| file.metadata().unwrap().len())
            .sum::<u64>()
    };
    let whole = size(&place);
    assert_eq!((place.gather().unwrap(), place.packs()), (first, 1));
    place.write("a/p7/p7-2.ebuild", "EAPI=8\nSLOT=7\n# newer\n");
    let second = place.gather().unwrap();
    assert!(second != first && place.packs() == 2);
    assert!(size(&place) - whole < whole / 3, "{} {whole}", size(&place));
    // Back again: it is all there.
    fs::remove_file(place.repository().join("a/p7/p7-2.ebuild")).unwrap();
    assert_eq!((place.gather().unwrap(), place.packs()), (first, 2));
    assert!(place.store().has(second));

    // A pack that is damaged, and one that a kill left without anybody being told of it.
    let pack = place.store().of_pack(&place.store().told()[0], "pack");
    let text = fs::read(&pack).unwrap();
    fs::write(&pack, &text[..text.len() - 1]).unwrap();
    fs::write(place.git().join("objects/pack/.new"), "PACK").unwrap();
    assert_eq!(place.gather().unwrap(), first);
    place.commit(first, None);
    assert!(!place.git().join("objects/pack/.new").exists());
    drop(place.ask(&["ls-tree", "-r", "main"]));
}

#[test]
fn packages_come_first_where_there_is_little_room() {
    let place = Place::new();
    let full = gather(&place.store(), &place.repository(), || 1 << 20, || false);
    assert!(full.is_err_and(|error| error.to_string() == "less than 256 MiB are left on the volume"));
    let stopped = gather(&place.store(), &place.repository(), || u64::MAX, || true);
    assert!(matches!(stopped, Err(Error::Stopped)));
    let missing = gather(&place.store(), Path::new("/nonexistent"), || u64::MAX, || false);
    assert!(matches!(missing, Err(Error::Io { .. })));
    let nothing = place.repository().join("nothing");
    fs::create_dir(&nothing).unwrap();
    assert!(matches!(gather(&place.store(), &nothing, || u64::MAX, || false), Err(Error::Empty(_))));
    fs::File::create(place.repository().join("long")).unwrap().set_len((64 << 20) + 1).unwrap();
    assert!(matches!(place.gather(), Err(Error::TooLong(_))));
    assert_eq!(place.packs(), 0);
    assert_eq!(fs::read_dir(place.git().join("objects/pack")).unwrap().count(), 0, "nothing is left of it");
}

/// A year of releases: few packs, all that a kept release has, and nothing that none has.
#[test]
fn packs_stay_few_and_what_is_needed_stays() {
    let place = Place::new();
    let store = place.store();
    let (mut kept, mut commits, mut most) = (Vec::new(), Vec::new(), 0);
    let mut now = SystemTime::now();
    for day in 0..150 {
        place.write(&format!("a/b/b-{}.ebuild", day % 40), format!("EAPI=8\n# {day}\n"));
        let tree = place.gather().unwrap();
        // The history is cut once.
        let parent = commits.last().copied().filter(|_| day != 70);
        commits.push(place.commit(tree, parent));
        kept.push(tree);
        now += Duration::from_hours(25);
        let needed: Vec<Id> = kept.iter().rev().take(5).copied().collect();
        let offered: Vec<Id> = commits.iter().rev().take(5).copied().collect();
        tidy(&store, &needed, &offered, now).unwrap();
        most = most.max(place.packs());
    }
    assert!(most <= 48, "{most}");
    for tree in kept.iter().rev().take(5) {
        place.commit(*tree, None);
        drop(place.ask(&["ls-tree", "-r", "main"]));
    }
    assert!(!store.has(kept[0]), "nobody needs it");
    let files = fs::read_dir(place.git().join("objects/pack")).unwrap().count();
    // Those of the last fold may still go.
    assert!(files <= 3 * 48 + 2 * 33, "{files}");
    assert!(!store.loose(commits[5]).exists(), "what the cut history led to is gone");
    assert!(store.loose(commits[70]).exists() && store.loose(commits[100]).exists());
}

#[test]
fn a_release_says_which_commit_it_has() {
    let place = Place::new();
    let release = place.releases().join("2026-11-22.1");
    references(&release, "own", "c0ffee").unwrap();
    assert_eq!(
        fs::read_to_string(release.join("tree/own.git/info/refs")).unwrap(),
        "c0ffee\trefs/heads/main\n"
    );
    assert_eq!(fs::read_to_string(release.join("tree/own.git/HEAD")).unwrap(), "ref: refs/heads/main\n");
    // Nobody signs, and somebody should: then there is no commit.
    let commit = Commit { tree: place.gather().unwrap(), parent: None, time: 0, message: "x" };
    assert!(write_commit(&place.store(), &commit, Some(&Nobody)).is_err());
}

#[test]
fn a_tree_comes_back_as_files() {
    let place = Place::new();
    place.write("a/b/b-1.ebuild", "EAPI=8\n");
    place.write("a/b/files/run", "#!/bin/sh\n");
    let run = place.repository().join("a/b/files/run");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("b-1.ebuild", place.repository().join("a/b/link")).unwrap();
    let first = place.gather().unwrap();
    fs::remove_dir_all(place.repository().join("a")).unwrap();
    place.write("a/b/b-2.ebuild", "EAPI=8\n");
    place.gather().unwrap();

    let to = place.0.path().join("old");
    checkout(&place.store(), first, &to, || false).unwrap();
    let read = |path: &str| fs::read_to_string(to.join(path)).unwrap();
    assert_eq!((read("profiles/repo_name"), read("a/b/b-1.ebuild")), ("own\n".into(), "EAPI=8\n".into()));
    assert_eq!(fs::read_link(to.join("a/b/link")).unwrap(), Path::new("b-1.ebuild"));
    let mode = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a/b/files/run"), mode("a/b")), (0o755, 0o755));
    assert!(!to.join("a/b/b-2.ebuild").exists());

    // Into nothing that is there; and nothing of what is lost, or once it was told to stop.
    let again = |to: &str, tree, stopped: bool| {
        checkout(&place.store(), tree, &place.0.path().join(to), || stopped)
            .map_err(|error| error.to_string())
    };
    assert!(again("old", first, false).is_err());
    assert_eq!(again("stopped", first, true).unwrap_err(), "it was stopped");
    let lost = Id::of(Kind::Tree, b"");
    assert_eq!(again("lost", lost, false).unwrap_err(), format!("the object {lost} is not there any more"));
}
