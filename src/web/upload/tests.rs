//! Asked by git itself, where there is one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::*;
use crate::binhost::trees::{Store, gather, references, tidy, write_commit, write_step};
use crate::portage::files::gpkg::sign::tests::Nobody;
use crate::web::farm;
use crate::web::known::News;
use crate::web::server::{Limits, serve};

/// A builder's releases, and a server that offers them.
struct Builder {
    place: tempfile::TempDir,
    url: String,
    /// The commits and their trees.
    offered: Vec<(Id, Id)>,
}

impl Builder {
    fn new() -> Option<Self> {
        Command::new("git").arg("--version").output().ok()?;
        let place = tempfile::tempdir().unwrap();
        let releases = place.path().join("releases");
        fs::create_dir(&releases).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/tree/own.git", listener.local_addr().unwrap());
        let tree = Tree::open(&releases, "").unwrap();
        // It goes with the test's process.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let minute = Duration::from_mins(1);
                let limits = Limits { connections: 8, pages: 8, request: minute, stall: minute };
                let (_newest, news) = News::none();
                let farm = farm::start(&[], None).listened_to().unwrap();
                serve(listener, Site::new("b".into(), "/v".into(), tree, news, farm, None, None), limits)
                    .await;
            });
        });
        let builder = Self { place, url, offered: Vec::new() };
        builder.write("profiles/repo_name", "own\n");
        Some(builder)
    }

    fn store(&self) -> Store {
        Store::of(&self.place.path().join("releases"), "own")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.place.path().join("repository").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A version of a package, much of which is as in others.
    fn ebuild(&self, package: u32, version: u32) {
        let common: String = (0..40).fold(String::new(), |text, line| {
            text + &format!("# {} {line}\n", (package + 7) * (line + 3) * 7919)
        });
        let digest = |seed: u32| {
            (0..16_u32).fold(String::new(), |text, n| {
                text + &format!("{:08x}", (seed + n).wrapping_mul(2_654_435_761))
            })
        };
        let name = format!("cat{}/p{package}", package % 5);
        self.write(&format!("{name}/p{package}-{version}.ebuild"), &format!("{common}# {version}\n"));
        self.write(
            &format!("{name}/Manifest"),
            &format!("DIST {}\nDIST {}\n", digest(package * 31), digest(version)),
        );
        self.write(
            &format!("metadata/md5-cache/cat{}/p{package}-{version}", package % 5),
            &format!("{common}{version}"),
        );
    }

    /// Offers what is there, as the next release.
    fn offer(&mut self) {
        let repository = self.place.path().join("repository");
        let tree = gather(&self.store(), &repository, || u64::MAX, || false).unwrap();
        let parent = self.offered.last().map(|(commit, _)| *commit);
        let time = 1_700_000_000 + i64::try_from(self.offered.len()).unwrap();
        let commit = Commit { tree, parent, time, message: "x" };
        let commit = write_commit(&self.store(), &commit, None::<&Nobody>).unwrap();
        if let Some(last) = self.offered.last() {
            write_step(&self.store(), *last, (commit, tree), time.try_into().unwrap()).unwrap();
        }
        self.offered.push((commit, tree));
        let releases = self.place.path().join("releases");
        let id = format!("2026-11-22.{}", self.offered.len());
        references(&releases.join(&id), "own", &commit.to_string()).unwrap();
        symlink(&id, releases.join("next")).unwrap();
        fs::rename(releases.join("next"), releases.join("current")).unwrap();
    }

    fn clone(&self, name: &str) -> Client {
        let place = self.place.path().join(name);
        run(Command::new("git").args(["clone", "--quiet", &self.url]).arg(&place));
        Client(place)
    }

    fn newest(&self) -> (Id, Id) {
        *self.offered.last().unwrap()
    }
}

struct Client(PathBuf);

impl Client {
    fn git(&self, args: &[&str]) -> String {
        run(Command::new("git").arg("-C").arg(&self.0).args(args))
    }

    /// Fetches; how many bytes and requests with a body that took.
    fn fetch(&self) -> (u64, usize) {
        self.fetch_by(Command::new("git"))
    }

    /// The same as from a server of plain files.
    fn fetch_files(&self) -> u64 {
        let mut git = Command::new("git");
        git.env("GIT_SMART_HTTP", "0");
        let (bytes, asked) = self.fetch_by(git);
        assert_eq!(asked, 0);
        bytes
    }

    fn fetch_by(&self, mut git: Command) -> (u64, usize) {
        git.arg("-C").arg(&self.0).args(["-c", "fetch.unpackLimit=1", "fetch", "origin"]);
        git.env("GIT_TRACE_CURL", self.0.join("curl"));
        drop(fs::remove_file(self.0.join("curl")));
        run(&mut git);
        let trace = fs::read_to_string(self.0.join("curl")).unwrap();
        let sizes = trace.lines().filter_map(|line| {
            let (_, said) = line.split_once("<= Recv data, ")?;
            said.split_once(" bytes")?.0.parse::<u64>().ok()
        });
        (sizes.sum(), trace.matches("=> Send header: POST").count())
    }

    #[track_caller]
    fn assert_has(&self, (commit, tree): (Id, Id)) {
        let there = self.git(&["rev-parse", "origin/main", "origin/main^{tree}"]);
        assert_eq!(there, format!("{commit}\n{tree}\n"));
        self.git(&["fsck", "--full", "--strict", "--connectivity-only"]);
        self.git(&["fsck", "--full"]);
        self.git(&["reset", "--quiet", "--hard", "origin/main"]);
    }
}

#[track_caller]
fn run(command: &mut Command) -> String {
    command.env("LC_ALL", "C").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn a_client_is_sent_what_is_new_to_it() {
    let Some(mut builder) = Builder::new() else { return };
    (0..400).for_each(|package| builder.ebuild(package, 1));
    builder.offer();
    let [daily, lagging] = ["daily", "lagging"].map(|name| builder.clone(name));
    daily.assert_has(builder.newest());
    let whole: u64 = fs::read_dir(builder.place.path().join("releases/tree/own.git/objects/pack"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();

    for day in 2..6 {
        for package in 0..5 {
            builder.ebuild(package * 61 + day, day);
        }
        builder.offer();
        let (bytes, asked) = daily.fetch();
        daily.assert_has(builder.newest());
        assert!(bytes > 0 && bytes < whole / 30 && asked == 1, "{bytes} of {whole} in {asked}");
    }
    let (bytes, asked) = lagging.fetch();
    lagging.assert_has(builder.newest());
    assert!(bytes < whole / 8 && asked == 1, "{bytes} of {whole} in {asked}");
    // git packs anew what it has, and is sent no more by that.
    daily.git(&["gc", "--quiet", "--prune=now"]);
    builder.ebuild(1, 7);
    builder.offer();
    let (bytes, _) = daily.fetch();
    daily.assert_has(builder.newest());
    assert!(bytes < whole / 100, "{bytes} of {whole}");
    assert_eq!(daily.fetch().1, 0, "nothing is new");

    // One that has something else, one that is told nothing, and one whose step is gone or damaged.
    let other = Client(builder.place.path().join("other"));
    run(Command::new("git").args(["init", "--quiet"]).arg(&other.0));
    for _ in 0..40 {
        other.git(&[
            "-c",
            "user.name=x",
            "-c",
            "user.email=x",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "own",
        ]);
    }
    other.git(&["remote", "add", "origin", &builder.url]);
    other.fetch();
    other.assert_has(builder.newest());
    let plain = builder.place.path().join("plain");
    run(Command::new("git").args(["clone", "--quiet", &builder.url]).arg(&plain).env("GIT_SMART_HTTP", "0"));
    Client(plain).assert_has(builder.newest());
    for damage in
        [|path: &Path| fs::remove_file(path).unwrap(), |path: &Path| fs::write(path, "gbsup st\0\0").unwrap()]
    {
        builder.ebuild(2, u32::try_from(builder.offered.len()).unwrap() + 20);
        builder.offer();
        let [.., (before, _), (now, _)] = builder.offered[..] else { unreachable!() };
        damage(&builder.store().step(before, now));
        daily.fetch();
        daily.assert_has(builder.newest());
    }
    let refused = Command::new("git")
        .args(["clone", "--depth=1", &builder.url])
        .arg(builder.place.path().join("shallow"))
        .output();
    assert!(!refused.unwrap().status.success());
}

#[test]
fn what_goes_back_and_forth_arrives() {
    let Some(mut builder) = Builder::new() else { return };
    (0..60).for_each(|package| builder.ebuild(package, 1));
    builder.offer();
    let clients: Vec<Client> = (0..6).map(|number| builder.clone(&format!("c{number}"))).collect();
    let read = |path: &str| fs::read_to_string(builder.place.path().join("repository").join(path)).unwrap();
    let (a, b) = ("cat1/p1/p1-1.ebuild", "cat2/p2/p2-1.ebuild");
    let (first, second) = (read(a), read(b));
    for round in 0..6 {
        // Two files change places, and one changes to what it was.
        let (one, other) = if round % 2 == 0 { (&second, &first) } else { (&first, &second) };
        builder.write(a, one);
        builder.write(b, other);
        builder.ebuild(3, 1 + round % 2);
        builder.offer();
        clients[usize::try_from(round).unwrap()].fetch();
    }
    for client in clients {
        client.fetch();
        client.assert_has(builder.newest());
    }
}

/// Whether git reads lists of bundles, as it does since 2.40.
fn knows_bundles() -> bool {
    let version = run(Command::new("git").arg("--version"));
    let numbers =
        version.trim_start_matches("git version ").split('.').map_while(|part| part.parse::<u32>().ok());
    numbers.take(2).collect::<Vec<_>>() >= vec![2, 40]
}

#[test]
fn of_plain_files_a_client_takes_what_is_new_to_it() {
    let Some(mut builder) = Builder::new() else { return };
    (0..400).for_each(|package| builder.ebuild(package, 1));
    builder.offer();
    let clone = |name: &str, url: &str| {
        let client = builder.clone(name);
        client.git(&["config", "fetch.bundleURI", &format!("{url}/bundles/list")]);
        client
    };
    let [daily, lagging] = ["daily", "lagging"].map(|name| clone(name, &builder.url));
    let without = builder.clone("without");
    let store = builder.store();
    let whole: u64 = fs::read_dir(builder.place.path().join("releases/tree/own.git/objects/pack"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let newest_bundle = || {
        let entries = fs::read_dir(store.bundles()).unwrap();
        let numbers = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u64>().ok());
        store.bundles().join(numbers.max().unwrap().to_string())
    };
    let (a, b) = ("cat1/p1/p1-1.ebuild", "cat2/p2/p2-1.ebuild");
    let read = |path: &str| fs::read_to_string(builder.place.path().join("repository").join(path)).unwrap();
    let (first, second) = (read(a), read(b));
    for day in 2..12 {
        for package in 0..5 {
            builder.ebuild(package * 61 + day, day);
        }
        // Two files change places.
        let (one, other) = if day % 2 == 0 { (&second, &first) } else { (&first, &second) };
        builder.write(a, one);
        builder.write(b, other);
        builder.offer();
        let (bytes, by_packs) = (daily.fetch_files(), without.fetch_files());
        daily.assert_has(builder.newest());
        without.assert_has(builder.newest());
        if knows_bundles() {
            assert!(bytes < whole / 30 && bytes * 2 < by_packs, "{bytes}, {by_packs} of {whole}");
            let there = daily.git(&["rev-parse", "refs/bundles/main"]);
            assert_eq!(there, format!("{}\n", builder.newest().0), "nothing was left to ask for");
        }
    }
    lagging.fetch_files();
    lagging.assert_has(builder.newest());
    assert!(daily.fetch_files() < 4_000, "nothing is new");

    // What is gone or damaged is fetched as packs, and so is what a client has that comes from elsewhere.
    for damage in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::write(path, "# v2 git bundle\n").unwrap(),
    ] {
        builder.ebuild(2, u32::try_from(builder.offered.len()).unwrap() + 20);
        builder.offer();
        damage(&newest_bundle());
        for client in [&daily, &lagging] {
            client.fetch_files();
            client.assert_has(builder.newest());
        }
    }
    builder.ebuild(2, 50);
    builder.offer();
    fs::write(store.bundles().join("list"), "[bundle]\n\tversion = 7\n").unwrap();
    daily.fetch_files();
    daily.assert_has(builder.newest());
    builder.ebuild(2, 51);
    builder.offer();
    fs::remove_dir_all(store.bundles()).unwrap();
    daily.fetch_files();
    daily.assert_has(builder.newest());
    // The next one begins anew, and a clock that went back makes no number that was there.
    builder.ebuild(2, 52);
    builder.offer();
    daily.fetch_files();
    daily.assert_has(builder.newest());
    let before = newest_bundle();
    let [.., last, now] = builder.offered[..] else { unreachable!() };
    write_step(&store, last, now, 1).unwrap();
    let number = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(number(newest_bundle()), number(before) + 1);
}

#[test]
fn steps_are_bounded() {
    let Some(mut builder) = Builder::new() else { return };
    builder.ebuild(1, 1);
    builder.offer();
    let client = builder.clone("c");
    let steps = |builder: &Builder| fs::read_dir(builder.store().steps()).unwrap().count();
    let bundles = |builder: &Builder| {
        let there = fs::read_dir(builder.store().bundles()).unwrap().count() - 1;
        let list = fs::read_to_string(builder.store().bundles().join("list")).unwrap();
        assert_eq!(list.matches("uri=").count(), there, "{list}");
        there
    };
    for version in 2..60 {
        builder.ebuild(1, version);
        builder.offer();
        let (trees, commits): (Vec<_>, Vec<_>) =
            builder.offered.iter().map(|(commit, tree)| (*tree, *commit)).unzip();
        tidy(&builder.store(), &trees, &commits, std::time::SystemTime::now()).unwrap();
    }
    assert!((1..40).contains(&steps(&builder)), "{}", steps(&builder));
    assert!((1..58).contains(&bundles(&builder)), "{}", bundles(&builder));
    client.fetch();
    client.assert_has(builder.newest());
    let later = std::time::SystemTime::now() + Duration::from_hours(24 * 90);
    tidy(&builder.store(), &[builder.newest().1], &[builder.newest().0], later).unwrap();
    assert_eq!((steps(&builder), bundles(&builder)), (1, 1));
}
