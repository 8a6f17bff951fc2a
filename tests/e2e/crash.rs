//! SIGKILL to the container that publishes, thirty times and at any moment, with real keys: clients are offered
//! something complete all the time, and the next who comes leaves nothing of it behind.
//!
//! `GBSUP_TEST_SEED` repeats a run as far as the machine allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gbsup::binhost::release::Releases;
use gbsup::model::release::{Entry, Id, Release};
use gbsup::portage::files::index::Index;

use crate::support::{Builder, Client, Home, Random, Recipe, catch, command};

const WORLD: &[&str] = &["test-quick/big", "test-quick/t1", "test-quick/t2"];
/// Enough to sign, and for the disk to write, that there is time for a kill.
const BIG: &str = "EAPI=8\ninherit test-control\nDESCRIPTION=\"Noise\"\nSLOT=\"0\"\n\
                   src_install() {\n\tinsinto /usr/share/gbsup-test\n\thead -c 8M /dev/urandom | newins - big\n}\n";
/// Signs nothing as long as this file is on the volume, so that whoever waits for it is killed there for certain.
const HOLD: &str = "hold";
const GPG: &str = "#!/bin/bash\ncase \"$*\" in *sign*) [ -e /var/lib/gbsup/hold ] && exec sleep infinity ;; esac\nexec /usr/bin/gpg \"$@\"\n";
const KILLS: usize = 30;
/// How many times a client looks.
const LOOKS: usize = 2;

/// When to kill, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Moment {
    /// Some time after the start.
    Start,
    /// Packages are signed.
    Signing,
    /// The index is written.
    Index,
    /// All is written, and not yet on the disk.
    Written,
    /// The release has its name.
    Named,
    /// Clients are offered it.
    Offered,
}

/// Each as often as it comes.
const MOMENTS: &[(Moment, usize)] = &[
    (Moment::Start, 6),
    (Moment::Signing, 8),
    (Moment::Index, 4),
    (Moment::Written, 4),
    (Moment::Named, 4),
    (Moment::Offered, 4),
];

impl Moment {
    /// How long after it the kill may come at most, in microseconds.
    fn spread(self) -> u32 {
        match self {
            Self::Start => 350_000,
            Self::Signing => 150_000,
            Self::Index => 2_000,
            Self::Written | Self::Offered => 20_000,
            Self::Named => 1,
        }
    }
}

/// What a kill hit, by what it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hit {
    /// Nothing was begun.
    Before,
    /// The release was being made.
    Making,
    /// It had its name, and nobody was offered it.
    Named,
    /// Clients were offered it, and the publisher still ran.
    Offered,
    /// The publisher had ended by itself.
    Ended,
}

/// The releases of a volume, before a publisher comes.
struct Scene {
    releases: Releases,
    current: Option<Id>,
    names: BTreeSet<String>,
}

impl Scene {
    fn of(builder: &Builder) -> Self {
        let releases = Releases::on(&builder.on_volume(""));
        Self { current: releases.current(), names: names(&releases), releases }
    }

    /// The directory of a release that is being made, and was not left by an earlier kill.
    fn begun(&self) -> Option<PathBuf> {
        let new = names(&self.releases).into_iter().find(|name| self.is_new(name, ".new-"));
        new.map(|name| self.releases.directory().join(name))
    }

    fn is_new(&self, name: &str, prefix: &str) -> bool {
        name.starts_with(prefix) && !self.names.contains(name)
    }

    fn is_named(&self) -> bool {
        names(&self.releases).iter().any(|name| self.is_new(name, "2"))
    }

    /// Whether a moment has come, or is over.
    fn is(&self, moment: Moment) -> bool {
        let has = |file: &str| self.begun().is_some_and(|new| new.join(file).exists());
        let is_there = match moment {
            Moment::Start => true,
            Moment::Signing => self.begun().is_some(),
            Moment::Index => has("Packages"),
            Moment::Written => has("CHANGES"),
            Moment::Named | Moment::Offered => false,
        };
        is_there || moment < Moment::Offered && self.is_named() || self.releases.current() != self.current
    }

    /// What was hit, by the exit code of who was.
    fn hit(&self, code: i32) -> Hit {
        match code {
            0 => Hit::Ended,
            _ if self.releases.current() != self.current => Hit::Offered,
            _ if self.is_named() => Hit::Named,
            _ if self.begun().is_some() => Hit::Making,
            _ => Hit::Before,
        }
    }
}

fn names(releases: &Releases) -> BTreeSet<String> {
    let entries = fs::read_dir(releases.directory()).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// What has no business there.
fn litter(releases: &Releases) -> BTreeSet<String> {
    let current = releases.current();
    let is_litter = |name: &String| {
        name.starts_with('.')
            || name.parse::<Id>().is_ok_and(|id| current.is_some_and(|current| id > current))
    };
    names(releases).into_iter().filter(is_litter).collect()
}

/// Lets a container run up to the moment, and so much longer, and kills it; what that hit.
fn kill_at(container: &mut Builder, scene: &Scene, moment: Moment, delay: Duration) -> Hit {
    let hold = container.on_volume(HOLD);
    if moment == Moment::Signing {
        fs::write(&hold, "").expect("it can be written");
    }
    container.start();
    let pid = container.pid();
    let process = PathBuf::from(format!("/proc/{pid}"));
    catch(&format!("{moment:?}"), || scene.is(moment), || !process.exists());
    std::thread::sleep(delay);
    let code = container.kill_now(pid);
    drop(fs::remove_file(&hold));
    assert!([0, 137].contains(&code), "it ended with {code}: {}", container.logs());
    let hit = scene.hit(code);
    println!("{moment:?} and {delay:?}: {hit:?}");
    hit
}

/// What clients are offered is there, to the last byte; nothing when nothing was published yet.
#[track_caller]
fn check(releases: &Releases) -> Option<Release> {
    let id = releases.current()?;
    let release = releases.read(id).expect("release.json");
    let place = releases.place(id);
    let index = release.index.iter().map(|file| (&file.name, &file.sha512));
    let files = release.packages.iter().map(|package| (&package.path, &package.sha512)).chain(index);
    let sums: Vec<String> = files.map(|(path, sha512)| format!("{sha512}  {path}\n")).collect();
    let checked = command("sha512sum", &["--check", "--quiet"], Some(&place), sums.concat().as_bytes());
    assert_eq!(checked.code, 0, "{id}: {checked:?}");
    let Index { header, packages, .. } = Index::parse(fs::read(place.join("Packages")).expect("an index"));
    assert_eq!(header.get("TIMESTAMP"), Some(release.published.as_second().to_string().as_str()));
    assert_eq!((packages.len(), release.packages.len()), (WORLD.len(), WORLD.len()));
    for (package, Entry { path, size, md5, sha1, .. }) in packages.iter().zip(&release.packages) {
        let said = ["PATH", "SIZE", "MD5", "SHA1"].map(|key| package.get(key));
        assert_eq!(said, [path.as_str(), &size.to_string(), md5, sha1]);
    }
    Some(release)
}

/// A client is offered all of it.
#[track_caller]
fn look(client: &Client) {
    let said = client.sh(&format!("emerge --getbinpkgonly --pretend --quiet {} 2>&1", WORLD.join(" ")));
    assert_eq!(said.lines().filter(|line| line.starts_with("[binary ")).count(), WORLD.len(), "{said}");
    assert!(!said.contains("!!!"), "{said}");
}

#[test]
fn killed_at_any_moment_of_publishing() {
    let mut random = Random::from_environment();
    let homes = [Home::new(), Home::new()];
    let keys = [homes[0].fingerprint(), homes[1].fingerprint()];
    let with_key = |recipe: Recipe, number: usize| {
        let recipe = recipe.executable("/usr/local/bin/gpg", GPG);
        recipe.args(&["--volume", &homes[number].mount()]).env("GBSUP_PUBLISH_SIGN_KEY", &keys[number])
    };

    // The builder in its own cycle.
    let mut builder = with_key(Recipe::new(WORLD).in_tree("test-quick/big/big-1.ebuild", BIG), 0).create();
    let releases = Releases::on(&builder.on_volume(""));
    let mut hits: BTreeMap<Hit, usize> = BTreeMap::new();
    for moment in [Moment::Signing, Moment::Written, Moment::Offered] {
        let scene = Scene::of(&builder);
        let hit = kill_at(&mut builder, &scene, moment, Duration::ZERO);
        check(&releases);
        *hits.entry(hit).or_default() += 1;
        if hit >= Hit::Offered {
            break;
        }
    }
    assert!(hits.contains_key(&Hit::Making), "{hits:?}");
    builder.start();
    builder.wait_waiting();
    let mut newest = check(&releases).expect("it is published");
    assert_eq!(litter(&releases), BTreeSet::new());
    assert_eq!(builder.sh("ls /dev/shm"), "");
    assert_eq!(builder.compiled().len(), WORLD.len());
    builder.stop();

    // Publishers with two keys in turn: each has to sign everything anew.
    let client = Client::of_releases(&builder);
    client.trust(&homes[0].run(&[], &["key", "show"]).ok());
    client.sh("mkdir -p /etc/portage/binrepos.conf && printf '[b]\\nsync-uri = file:///srv/current\\n' >/etc/portage/binrepos.conf/b.conf");
    look(&client);
    let mut publishers = [0, 1].map(|number| {
        let recipe = with_key(Recipe::beside(&builder), number).args(&["--cap-drop", "ALL"]);
        recipe.command(&["publish", "--once"]).create()
    });
    let moments = MOMENTS.iter().flat_map(|(moment, times)| vec![*moment; *times]).collect();
    let mut hits: BTreeMap<Hit, usize> = BTreeMap::new();
    for (number, moment) in random.shuffled(moments).into_iter().enumerate() {
        let key = usize::from(newest.signed.as_ref() == Some(&keys[0]));
        let (scene, left) = (Scene::of(&builder), litter(&releases));
        let delay = Duration::from_micros(random.below(moment.spread()).into());
        let hit = kill_at(&mut publishers[key], &scene, moment, delay);
        *hits.entry(hit).or_default() += 1;
        let release = check(&releases).expect("something is offered");
        if [Hit::Offered, Hit::Ended].contains(&hit) {
            assert!(release.id > newest.id && release.published > newest.published, "clients take it over");
        } else {
            assert_eq!(release, newest);
        }
        newest = release;
        if hit != Hit::Before {
            // Only links have the same name each time.
            let there = names(&releases);
            let left: Vec<_> = left.intersection(&there).filter(|name| !name.starts_with(".link-")).collect();
            assert!(left.is_empty(), "the kill before left {left:?}");
        }
        if number % (KILLS / LOOKS) == 0 {
            look(&client);
        }
    }
    println!("{hits:?}");
    let often = |hit| hits.get(&hit).copied().unwrap_or_default();
    assert_eq!(hits.values().sum::<usize>(), KILLS);
    // Those that were held, and those that began to kill when clients were offered it, if it had not ended by then.
    assert!(often(Hit::Making) >= 5 && often(Hit::Offered) + often(Hit::Ended) >= 2, "{hits:?}");

    // To its end, with the key that the client does not know yet.
    while newest.signed.as_ref() != Some(&keys[1]) || !litter(&releases).is_empty() {
        let key = usize::from(newest.signed.as_ref() == Some(&keys[0]));
        publishers[key].start();
        assert_eq!(publishers[key].wait_exit(), 0, "{}", publishers[key].logs());
        newest = check(&releases).expect("it is published");
        assert_eq!(litter(&releases), BTreeSet::new());
    }
    client.trust(&homes[1].run(&[], &["key", "show"]).ok());
    look(&client);
    client
        .sh("emerge --getbinpkgonly --oneshot --quiet test-quick/t1 2>&1 && [ -e /usr/share/gbsup-test/t1 ]");
    // Back to what the other key signed: the key that clients trust now signs it anew, and without that key nobody goes back.
    let volume = format!("{}:/var/lib/gbsup", builder.on_volume("").display());
    let gbsup = |home: usize, args: &[&str]| homes[home].run(&["--volume", &volume], args);
    let is_older = |id: &Id| releases.read(*id).is_ok_and(|one| one.signed != newest.signed);
    let older = releases.ids().into_iter().rfind(is_older).expect("none was removed");
    let refused = gbsup(0, &["rollback", &older.to_string()]).exited(1);
    assert!(refused.contains("they would refuse every package of it"), "{refused}");
    gbsup(1, &["rollback", &older.to_string()]).ok();
    assert_eq!(releases.signed_by().as_ref(), Some(&keys[1]));
    let verified = gbsup(1, &["verify", "--release"]).ok();
    assert!(verified.contains(", with their signatures: 3 packages: as they should be"), "{verified}");
}
