use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, symlink};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha512};

use super::*;
use crate::binhost::signing::Signatory;
use crate::model::fingerprint::Fingerprint;
use crate::model::offer::{Held, Offer, Offered, Why};
use crate::model::release::{Origin, Published, Snapshot};
use crate::portage::files::gpkg::digests::{Whole, hex};
use crate::portage::files::gpkg::sign::{Signer, Unsigned, tests as signing};
use crate::portage::files::gpkg::verify;
use crate::portage::files::index::Index;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::facts::Fact;

mod backup;
mod damage;
mod labels;
mod signed;
mod trees;

/// A volume with binary packages, and what is offered of them.
struct Place {
    dir: tempfile::TempDir,
    offer: Offer,
    now: Timestamp,
    key: Option<Signatory<Pen>>,
    trees: Option<BTreeMap<String, Snapshot>>,
}

/// Signs without a key, as long as it writes.
struct Pen(bool);

impl Signer for Pen {
    type Detached = io::Empty;

    fn begin(&self) -> io::Result<io::Empty> {
        Ok(io::empty())
    }

    fn finish(&self, _: io::Empty) -> io::Result<Vec<u8>> {
        if self.0 { Ok(b"signed".to_vec()) } else { Err(io::Error::other("the agent is gone")) }
    }

    fn clear(&self, text: &str) -> io::Result<Vec<u8>> {
        self.finish(io::empty()).map(|signature| [text.as_bytes(), &signature].concat())
    }
}

/// A package of Portage.
const GPKG: &[u8] = include_bytes!("../../../tests/captured/t1-1-1.gpkg.tar");

fn cpv(name: &str) -> Cpv {
    Cpv::parse(format!("app-misc/{name}").as_bytes()).unwrap()
}

impl Place {
    fn new() -> Self {
        let now: Timestamp = "2026-11-22T10:00:00.5Z".parse().unwrap();
        let offer =
            Offer { schema: Offer::SCHEMA, made: now, cycle: None, packages: Vec::new(), held: Vec::new() };
        Self { dir: tempfile::tempdir().unwrap(), offer, now, key: None, trees: None }
    }

    fn volume(&self) -> &Path {
        self.dir.path()
    }

    fn pkgdir(&self) -> PathBuf {
        self.volume().join("binpkgs")
    }

    fn releases(&self) -> Releases {
        Releases::on(self.volume())
    }

    /// A package with this content joins PKGDIR and the offer, in place of another version.
    fn add(&mut self, name: &str, build: u32, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        let cpv = cpv(name);
        let path = format!("{}/{}-{build}.gpkg.tar", cpv.cp(), cpv.pf());
        let file = self.pkgdir().join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        let Whole { size, sha1, .. } = Whole::read(content).unwrap();
        self.offer.packages.retain(|offered| offered.cpv.cp() != cpv.cp());
        self.offer.packages.push(Offered { cpv, slot: "0".into(), path, size, sha1, beside: None });
        self.index();
    }

    /// Writes the index of everything in PKGDIR that is offered, in the form of Portage.
    fn index(&self) {
        let packages = self.offer.packages.len();
        let mut text =
            format!("ARCH: amd64\nPACKAGES: {packages}\nREPO_REVISIONS: {{\"x\": \"abc\"}}\nTIMESTAMP: 1\n");
        for Offered { cpv, path, size, sha1, .. } in &self.offer.packages {
            let file = self.pkgdir().join(path);
            let whole = Whole::read(fs::File::open(&file).unwrap()).unwrap();
            let time = fs::metadata(&file).unwrap().mtime();
            let _ = write!(
                text,
                "\nBUILD_ID: 1\nCPV: {cpv}\nDESC: it\nMD5: {}\nMTIME: {time}\nPATH: {path}\nSHA1: {sha1}\nSIZE: {size}\n",
                whole.md5
            );
        }
        fs::write(self.pkgdir().join("Packages"), text + "\n").unwrap();
    }

    fn publish(&mut self) -> Result<Published, Error> {
        self.now += SignedDuration::from_secs(60);
        let facts = Facts {
            origin: Origin { portage: Some("3.0.83".into()), ..Origin::default() },
            reasons: [(cpv("a-2"), "asked for".to_owned())].into(),
            seconds: [(cpv("a-1").cp().to_owned(), u64::try_from(self.now.as_second()).unwrap())].into(),
            fingerprint: Some(Fingerprint::of(vec![Fact {
                kind: "accept".into(),
                name: "now".into(),
                value: self.now.to_string(),
                place: None,
            }])),
            trees: self.trees.clone(),
        };
        let signatory = self.key.as_ref();
        let signed = signatory.map(|signatory| signatory.fingerprint.as_str());
        let same_trees = self.trees.as_ref().is_none_or(|trees| self.releases().has(trees));
        let offered = self.releases().offers(&self.offer, signed) && same_trees;
        let published =
            publish(self.volume(), &self.pkgdir(), &self.offer, &facts, signatory, self.now, || false);
        if let Ok(published) = &published {
            assert_eq!(published.new, !offered, "it could be told before");
        }
        published
    }

    fn roll_back(&mut self, to: Option<&str>) -> Result<Id, Error> {
        self.now += SignedDuration::from_secs(60);
        roll_back(self.volume(), to.map(|id| id.parse().unwrap()), self.key.as_ref(), false, self.now)
            .map(|(_, published)| published.current.id)
    }

    /// What lies in `releases/`.
    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.releases().directory()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// What is offered is complete, and everything in it is what it says.
    #[track_caller]
    fn sound(&self) -> Release {
        let releases = self.releases();
        let id = releases.current().unwrap();
        let release = releases.read(id).unwrap();
        releases.check(&release).unwrap();
        let place = releases.place(id);
        let read = |name: &str| fs::read(place.join(name)).unwrap();
        for file in &release.index {
            assert_eq!(hex(&Sha512::digest(read(&file.name))), file.sha512, "{}", file.name);
            let time = fs::metadata(place.join(&file.name)).unwrap().modified().unwrap();
            assert_eq!(Timestamp::try_from(time).unwrap(), release.published);
        }
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&read("Packages.gz")[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, read("Packages"));
        let index = Index::parse(&unpacked);
        assert_eq!(index.header.get("PACKAGES"), Some(index.packages.len().to_string().as_str()));
        assert_eq!(index.header.get("TIMESTAMP"), Some(release.published.as_second().to_string().as_str()));
        assert_eq!(index.packages.len(), release.packages.len());
        for (package, entry) in index.packages.iter().zip(&release.packages) {
            let bytes = read(&entry.path);
            let whole = Whole::read(&bytes[..]).unwrap();
            assert_eq!(package.file().disagreement(&whole), None);
            assert_eq!((&whole.md5, &whole.sha1), (&entry.md5, &entry.sha1));
            assert_eq!(hex(&Sha512::digest(&bytes)), entry.sha512);
        }
        release
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_release_is_what_was_offered_and_stays_so() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    place.add("b-1", 1, "bee");
    let first = place.publish().unwrap();
    assert_eq!((first.current.id.to_string().as_str(), first.new), ("2026-11-22.1", true));
    let release = place.sound();
    assert_eq!(release.origin.portage.as_deref(), Some("3.0.83"));
    let index = fs::read_to_string(place.releases().place(release.id).join("Packages")).unwrap();
    let expected = fs::read_to_string(place.pkgdir().join("Packages")).unwrap();
    let stamp = release.published.as_second();
    let expected = expected.replace("TIMESTAMP: 1", &format!("TIMESTAMP: {stamp}"));
    assert_eq!(index, expected, "all else is as Portage wrote it");

    assert!(!place.publish().unwrap().new, "nothing changed");
    place.add("a-2", 1, "two");
    place.offer.held =
        vec![Held { cpv: cpv("c-1"), slot: "0".into(), why: Why::File, what: "is damaged".into() }];
    let second = place.publish().unwrap();
    assert_eq!(
        (second.current.id.to_string().as_str(), second.changes.as_str()),
        ("2026-11-22.2", "1 upgraded")
    );
    let release = place.sound();
    assert_eq!(
        place.names(),
        ["2026-11-22.1", "2026-11-22.2", "current", "previous"].map(String::from).into()
    );
    assert_eq!(place.releases().previous(), Some(first.current.id));
    let kept = "app-misc/b/b-1-1.gpkg.tar";
    let inodes =
        [place.releases().place(first.current.id), place.releases().place(release.id), place.pkgdir()]
            .map(|at| inode(&at.join(kept)));
    assert!(inodes.iter().all(|inode| *inode == inodes[0]), "one file in all places");
    let changes = fs::read_to_string(place.releases().place(release.id).join("CHANGES")).unwrap();
    assert_eq!(
        changes,
        "Release 2026-11-22.2, 2026-11-22 10:03:00 UTC: 2 packages, 6 B\n\
         The packages are not signed: clients need verify-signature = false in binrepos.conf.\n\
         Compared with 2026-11-22.1: 1 upgraded; 1 as before; 3 B to download\n\
         \n\
         upgraded\n\
         \x20 app-misc/a  1 -> 2  3 B  asked for\n\
         \n\
         held back\n\
         \x20 app-misc/c-1 is damaged\n\
         \n\
         It is not known which kernel app-misc/b-1 and 1 more demands: failed to read entire block.\n"
    );
    // What happens to PKGDIR later changes no release.
    fs::remove_dir_all(place.pkgdir()).unwrap();
    place.sound();
}

#[test]
fn what_decides_whether_packages_fit_is_that_of_the_time_when_they_were_built() {
    let mut place = Place::new();
    let fingerprint = |place: &Place| {
        let id = place.releases().current().unwrap();
        fs::read_to_string(place.releases().place(id).join(FINGERPRINT)).unwrap()
    };
    place.add("a-1", 1, "one");
    place.publish().unwrap();
    let first = fingerprint(&place);
    let read: Fingerprint = serde_json::from_str(&first).unwrap();
    assert_eq!((read.schema, read.facts[0].value.clone()), (Fingerprint::SCHEMA, place.now.to_string()));
    place.add("b-1", 1, "bee");
    place.publish().unwrap();
    assert_ne!(fingerprint(&place), first);
    // How long a package takes is learnt anew, also of one that an earlier release had.
    let seconds: Vec<_> = place.sound().packages.iter().map(|package| package.seconds).collect();
    assert_eq!(seconds, [u64::try_from(place.now.as_second()).ok(), None]);
    place.roll_back(None).unwrap();
    assert_eq!(fingerprint(&place), first);
}

#[test]
fn a_file_that_is_not_the_one_that_was_offered_is_refused() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    place.publish().unwrap();
    place.add("b-1", 1, "bee");
    let file = place.pkgdir().join(&place.offer.packages[1].path);
    for (content, what) in [("longer", "its size is another one"), ("eel", "its SHA1 is another one")] {
        fs::write(&file, content).unwrap();
        assert!(place.publish().is_err_and(|error| error.to_string().ends_with(what)), "{what}");
    }
    fs::remove_file(&file).unwrap();
    assert!(matches!(place.publish(), Err(Error::Io { .. })));
    place.offer.packages[0].path = "app-misc/a/a-1-2.gpkg.tar".into();
    let gone = "the index does not name it any more";
    assert!(place.publish().is_err_and(|error| error.to_string().ends_with(gone)));
    assert_eq!(place.sound().id.to_string(), "2026-11-22.1");
    assert_eq!(place.names(), ["2026-11-22.1", "current"].map(String::from).into());
}

#[test]
fn what_a_kill_left_is_swept_and_no_name_is_used_twice() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    place.publish().unwrap();
    let directory = place.releases().directory();
    for name in [".new-2026-11-22.7/app-misc", ".old-2026-11-22.3/app-misc", "2026-11-22.5/app-misc"] {
        fs::create_dir_all(directory.join(name)).unwrap();
    }
    symlink("2026-11-22.5", directory.join(".link-current")).unwrap();
    assert_eq!(sweep(place.volume(), place.now).unwrap().len(), 4);
    assert_eq!(place.names(), ["2026-11-22.1", "current"].map(String::from).into());
    fs::create_dir_all(directory.join(".new-2026-11-22.7")).unwrap();
    place.add("a-2", 1, "two");
    assert_eq!(place.publish().unwrap().current.id.to_string(), "2026-11-22.8");
    // A lost ledger is made anew, and a clock that was set back does no harm.
    fs::write(place.volume().join("state/releases.json"), "{").unwrap();
    place.now -= SignedDuration::from_hours(48);
    place.add("a-3", 1, "three");
    let before = place.sound().published;
    assert_eq!(place.publish().unwrap().current.id.to_string(), "2026-11-22.9");
    assert_eq!(place.sound().published, before + SignedDuration::from_secs(1), "clients take it over");
}

#[test]
fn what_a_newer_version_wrote_beside_the_turns_stays() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let id = place.publish().unwrap().current.id;
    let file = place.volume().join("state/releases.json");
    let text = fs::read_to_string(&file).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["tags"] = serde_json::json!({ "good": id.to_string() });
    value["turns"][0]["note"] = "it works".into();
    fs::write(&file, value.to_string()).unwrap();
    place.add("a-2", 1, "two");
    place.publish().unwrap();
    let after: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&after["tags"], &after["turns"][0]["note"]), (&value["tags"], &value["turns"][0]["note"]));
    assert_eq!(after["turns"].as_array().unwrap().len(), 2);
}

#[test]
fn what_a_released_version_remembers_of_the_turns_is_read() {
    let volume = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/volume/0.1.0");
    let turns = ledger::turns(&Releases::on(&volume));
    let ids: Vec<String> = turns.iter().map(|turn| turn.id.to_string()).collect();
    assert_eq!(ids, ["2026-11-28.1"]);
}

#[test]
fn a_release_of_a_newer_version_is_read_and_its_packages_are_never_guessed() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let id = place.publish().unwrap().current.id;
    let file = place.releases().place(id).join(RELEASE);
    let mut value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    value["mood"] = "calm".into();
    value["packages"][0]["weight"] = 7.into();
    value["held"] = serde_json::json!([{ "cpv": "a/b-1", "slot": "0", "why": { "is": "haunted" }, "what": "is haunted" }]);
    fs::write(&file, value.to_string()).unwrap();
    let release = place.releases().read(id).unwrap();
    assert_eq!((release.packages.len(), release.held[0].what.as_str()), (1, "is haunted"));
    value["packages"][0]["size"] = "big".into();
    fs::write(&file, value.to_string()).unwrap();
    assert!(matches!(place.releases().read(id), Err(Error::Damaged { .. })));
}

#[test]
fn an_older_release_is_offered_again() {
    let mut place = Place::new();
    assert!(matches!(place.roll_back(None), Err(Error::Nothing)));
    place.add("a-1", 1, "one");
    place.publish().unwrap();
    assert!(matches!(place.roll_back(None), Err(Error::NoOlder)));
    place.add("a-2", 1, "two");
    place.publish().unwrap();
    place.add("a-3", 1, "three");
    place.publish().unwrap();
    let bad = place.sound();
    assert_eq!(place.roll_back(None).unwrap().to_string(), "2026-11-22.4");
    let again = place.sound();
    assert_eq!(again.again.unwrap().to_string(), "2026-11-22.2");
    assert_eq!(again.packages[0].cpv, cpv("a-2"));
    assert!(again.published > bad.published, "clients take it over");
    assert_eq!(place.releases().previous(), Some(bad.id));
    assert!(matches!(place.roll_back(Some("2026-11-22.2")), Err(Error::Already(_))));
    assert!(matches!(place.roll_back(Some("2026-11-22.9")), Err(Error::Unknown(_))));
    // Once more goes further back.
    place.roll_back(None).unwrap();
    assert_eq!(place.sound().packages[0].cpv, cpv("a-1"));
    // The next publication offers what is new.
    let published = place.publish().unwrap();
    assert!(published.new);
    assert_eq!((place.sound().packages[0].cpv.clone(), place.sound().again), (cpv("a-3"), None));
    fs::remove_file(place.releases().place(bad.id).join("app-misc/a/a-3-1.gpkg.tar")).unwrap();
    let error = place.roll_back(Some(&bad.id.to_string())).unwrap_err().to_string();
    assert_eq!(error, "release 2026-11-22.3 is not complete: app-misc/a/a-3-1.gpkg.tar is not there");
}

#[test]
fn a_release_that_is_not_complete_any_more_is_replaced() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let first = place.publish().unwrap().current.id;
    fs::remove_file(place.releases().place(first).join("app-misc/a/a-1-1.gpkg.tar")).unwrap();
    assert!(place.publish().unwrap().new);
    place.sound();
}

#[test]
fn old_releases_go_when_nobody_can_be_using_them() {
    let mut place = Place::new();
    for version in 1..=6 {
        place.add(&format!("a-{version}"), 1, "x".repeat(version));
        place.publish().unwrap();
        fs::remove_file(place.pkgdir().join(&place.offer.packages[0].path)).unwrap();
    }
    let expired_at = |now| {
        let expired = expired(place.volume(), 3, now);
        expired.iter().map(|gone| (gone.id.to_string(), gone.size > 500)).collect::<Vec<_>>()
    };
    assert_eq!(expired_at(place.now), []);
    let later = place.now + SignedDuration::from_hours(25);
    assert_eq!(expired_at(later), [1, 2, 3].map(|n| (format!("2026-11-22.{n}"), true)));
    let ids = place.releases().ids();
    remove(&place.releases().place(ids[0])).unwrap();
    let busy = remove(&place.releases().place(ids[4])).unwrap_err();
    assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
    assert_eq!(place.releases().ids(), ids[1..]);
    place.sound();
}
