//! A release rehearsed as a client: Portage's own resolver says what an update there would do.
//!
//! The configuration of a client is what a stranger wrote, and one of Portage can name programs in a dozen places. So the resolver is
//! a child without rights:
//!
//! ```text
//!   gbsup ──► gbsup rehearse     a user of its own, no capabilities; landlock: the system and the repositories to read, its
//!     │                          own directory to write; bounds of memory, time, files
//!     │                └──► python3   Portage is loaded, then the kernel is told to start no program and no connection any more
//!     │                               (confine::filter); after that the first file of the client is read
//!     └── /run/gbsup/clients/…   what is heeded of the capture (Capture::heeds): the only place that it can write
//! ```
//!
//! Ebuilds without a cache would have to be run to be known. The child names them, and Portage as the builder asks them: they are of
//! the builder's own repositories.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use std::{process, thread};

use jiff::Timestamp;
use nix::unistd::execvp;

use super::output::Sink;
use super::process::{Handle, Launch, ask_here};
use super::trees::{PLACE, Trees, cache_of};
use crate::binhost::release::Releases;
use crate::config::Config;
use crate::confine::{self, filter};
use crate::decide::clients::{self as decide, Said};
use crate::model::client::{Fit, Name};
use crate::model::duration::in_words;
use crate::model::release::Id;
use crate::model::{Exit, Force};
use crate::portage::command::{self, Inherits};
use crate::portage::files::capture::{Capture, Node};
use crate::portage::files::gpkg::digests::hex;
use crate::portage::files::repository;
use crate::render::client_config::rehearsal;
use crate::volume::clients;

/// So long Portage may take for one client where nobody waits for it: ten times what 2000 packages take on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);
/// So often the ebuilds are asked that have no cache.
const ROUNDS: usize = 4;
/// The most bytes that a child says.
const MOST: usize = 32 << 20;
/// What the system is, for a child to read and to start; as far as it is there. Nothing of it is a secret.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/env.d",
    "/etc/passwd",
    "/etc/profile.env",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/python-exec",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    // What Portage as the builder knows of ebuilds without a cache.
    "/var/cache/edb/dep",
];

/// How a release fits a client, which Portage may take so long to say. Nothing when it was told to stop.
pub(crate) fn rehearse(
    config: &Config,
    (volume, old): (&Path, &Trees<'_>),
    name: &Name,
    release: Id,
    handle: &Handle,
    limit: Duration,
) -> Option<Fit> {
    let said = clients::capture(volume, name)
        .map_err(|error| Unknown::Because(format!("its capture cannot be read: {error}")))
        .and_then(|capture| Ok(Stage::set(config, (volume, old), &capture, release, handle)?))
        .and_then(|stage| stage.play(handle, limit));
    let (binary, compile, drift, problem) = match said {
        Ok(said) => decide::understood(said),
        Err(_) if handle.stopped() => return None,
        Err(Unknown::Stopped) => return None,
        Err(Unknown::Because(problem)) => (0, Vec::new(), Vec::new(), Some(decide::short(&problem))),
    };
    let (schema, rehearsed) = (Fit::SCHEMA, Timestamp::now());
    Some(Fit { schema, release, rehearsed, binary, compile, drift, problem })
}

/// Why nobody knows.
enum Unknown {
    /// Something else was to be done.
    Stopped,
    /// In words.
    Because(String),
}

impl From<String> for Unknown {
    fn from(words: String) -> Self {
        Self::Because(words)
    }
}

/// Everything that a child needs.
struct Stage<'a> {
    more: &'a [String],
    /// Its own directory, which goes with this.
    place: PathBuf,
    release: PathBuf,
    /// What `portageq repos_config` says, without how the repositories are synced.
    repositories: String,
    /// Some of them are not where the builder has them.
    are_moved: bool,
    trees: Vec<PathBuf>,
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.place));
    }
}

impl<'a> Stage<'a> {
    fn set(
        config: &'a Config,
        (volume, old): (&Path, &Trees<'_>),
        capture: &Capture,
        release: Id,
        handle: &Handle,
    ) -> Result<Self, String> {
        let more = config.build.environment.as_slice();
        let text = ask_here(more, &command::repositories()).unwrap_or_default();
        let mut trees = repository::by_name(&text);
        if trees.is_empty() {
            return Err("there is no Portage here that knows a repository".to_owned());
        }
        tidy();
        let follows: Vec<String> =
            capture.machine.follows.iter().filter(|name| trees.contains_key(*name)).cloned().collect();
        let elsewhere = old.elsewhere(release, &follows, handle)?;
        trees.extend(elsewhere.clone());
        let profile = match capture.machine.profile.split_once(':') {
            Some((name, path)) => trees.get(name).map(|tree| tree.join("profiles").join(path)),
            None => None,
        };
        let profile = profile.filter(|path| path.is_dir());
        if profile.is_none() && !capture.portage.contains_key("make.profile/parent") {
            return Err(format!(
                "its profile {} is in no repository of the builder",
                capture.machine.profile
            ));
        }
        let stage = Self {
            more,
            place: Path::new(PLACE).join(format!("{}-{}", process::id(), number())),
            release: Releases::on(volume).place(release),
            repositories: repository::moved(&text, &elsewhere),
            are_moved: !elsewhere.is_empty(),
            trees: trees.into_values().collect(),
        };
        stage
            .furnish(capture, profile.as_deref())
            .map_err(|error| format!("it cannot be laid out in {PLACE}: {error}"))?;
        Ok(stage)
    }

    /// Lays out what the child reads and where it writes.
    fn furnish(&self, capture: &Capture, profile: Option<&Path>) -> io::Result<()> {
        DirBuilder::new().mode(0o711).recursive(true).create(PLACE)?;
        DirBuilder::new().mode(0o700).create(&self.place)?;
        lay_out(&self.place, capture, profile)?;
        let index = self.place.join("binpkgs");
        fs::create_dir(&index)?;
        fs::copy(self.release.join("Packages"), index.join("Packages"))?;
        // They explain, and older releases have no fingerprint.
        for name in ["release.json", "fingerprint.json"] {
            match fs::copy(self.release.join(name), self.place.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::create_dir(self.place.join("tmp"))?;
        if nix::unistd::geteuid().is_root() { give(&self.place) } else { Ok(()) }
    }

    /// Runs the resolver until there is nothing more that it would have to ask an ebuild.
    fn play(&self, handle: &Handle, limit: Duration) -> Result<Said, Unknown> {
        let mut rounds = 1;
        loop {
            let said = self.ask(handle, limit)?;
            if said.unread.is_empty() || rounds == ROUNDS {
                return Ok(said);
            }
            rounds += 1;
            let repositories = Some(self.repositories.as_str()).filter(|_| self.are_moved);
            let (command, input) = command::read_ebuilds(&said.unread, repositories);
            let mut nowhere = Text::default();
            Launch { input: &input, ..Launch::new(handle, Inherits::Portage(self.more)) }
                .run(&command, &mut nowhere);
        }
    }

    fn ask(&self, handle: &Handle, limit: Duration) -> Result<Said, Unknown> {
        let script = rehearsal();
        let command = command::rehearse(&self.place, &self.trees, &self.repositories);
        let mut text = Text::default();
        let (exit, late) = in_time(handle, limit, || {
            let launch = Launch { input: script.as_bytes(), ..Launch::new(handle, Inherits::Nothing) };
            launch.run(&command, &mut text).exit
        });
        if late {
            return Err(format!("Portage took longer than {}", in_words(limit)).into());
        }
        if handle.stopped() {
            return Err(Unknown::Stopped);
        }
        if let Some(said) = decide::said(&text.bytes) {
            return Ok(said);
        }
        let text = String::from_utf8_lossy(&text.bytes);
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Err(Unknown::Because(match exit {
            Exit::NotStarted(why) => why,
            Exit::Code(127) => "there is no Portage here".to_owned(),
            Exit::Signal(signal) => format!("signal {signal} ended Portage"),
            Exit::Code(code) => format!("Portage ended with {code}: {last}"),
        }))
    }
}

/// Removes what processes left that were killed.
fn tidy() {
    for place in [PathBuf::from(PLACE), cache_of(Path::new(PLACE))] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
            if pid.is_none_or(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }
}

/// A number that no other stage of this process has.
fn number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Does something that a signal ends, and sends that when it takes too long; whether it did.
fn in_time<T>(handle: &Handle, limit: Duration, work: impl FnOnce() -> T) -> (T, bool) {
    thread::scope(|scope| {
        let (over, wait) = mpsc::channel::<()>();
        // Without a thread there is no bound; a step of the cycle ends it all the same.
        let watch = thread::Builder::new().spawn_scoped(scope, move || {
            let late = wait.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                handle.signal(Force::Kill);
            }
            late
        });
        let done = work();
        drop(over);
        (done, watch.is_ok_and(|watch| watch.join().unwrap_or(false)))
    })
}

/// What a child says, as it came.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
}

impl Sink for Text {
    fn answer(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.bytes.len());
        self.bytes.extend(&bytes[..bytes.len().min(room)]);
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn lines(&mut self, _: &[u8]) {}
}

/// Writes what is heeded of a capture where Portage looks for it below `place`, and what is installed as records of it.
fn lay_out(place: &Path, capture: &Capture, profile: Option<&Path>) -> io::Result<()> {
    let etc = place.join("etc/portage");
    fs::create_dir_all(&etc)?;
    for (path, node) in capture.portage.iter().filter(|(path, _)| capture.heeds(path)) {
        let path = etc.join(path);
        match node {
            Node::Directory => fs::create_dir_all(&path)?,
            Node::File(data) => write(&path, data)?,
            Node::Link(_) => {}
        }
    }
    let link = etc.join("make.profile");
    if let Some(profile) = profile.filter(|_| !link.exists()) {
        symlink(profile, link)?;
    }
    let state = place.join("var/lib/portage");
    fs::create_dir_all(&state)?;
    for (name, data) in &capture.world {
        write(&state.join(name), data)?;
    }
    fs::create_dir_all(place.join("var/cache/edb"))?;
    let records = place.join("var/db/pkg");
    fs::create_dir_all(&records)?;
    for (cpv, values) in &capture.installed {
        let record = records.join(cpv.as_str());
        fs::create_dir_all(&record)?;
        for (name, value) in values {
            write(&record.join(name), format!("{value}\n").as_bytes())?;
        }
    }
    write(&place.join("machine.json"), &serde_json::to_vec(&capture.machine)?)
}

fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(data)
}

/// Makes all of a directory the child's. Nobody but root has been in it.
fn give(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path())?;
        }
        return chown(path, Some(confine::STRANGER), Some(confine::STRANGER));
    }
    lchown(path, Some(confine::STRANGER), Some(confine::STRANGER))
}

/// `gbsup rehearse`: gives up its rights and becomes the resolver. Returns only when that cannot be.
pub(crate) fn confined(place: &Path, trees: &[PathBuf]) -> io::Error {
    let Some(program) = filter::without_programs() else {
        return io::Error::other("this kind of machine has no list of calls that are refused");
    };
    let reads: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).chain(trees.iter().cloned()).collect();
    if let Err(error) = confine::within(&reads, place) {
        return error;
    }
    let argv = command::resolver(&hex(&program)).into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
    let Ok(argv) = argv else { return io::ErrorKind::InvalidInput.into() };
    let Some(first) = argv.first() else { return io::ErrorKind::InvalidInput.into() };
    // With the environment that was made for this one.
    match std::env::set_current_dir(place).and_then(|()| Ok(execvp(first, &argv)?)) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::names::cpv::Cpv;

    #[test]
    fn what_is_laid_out_is_what_is_heeded() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        let mut capture = Capture::default();
        let file = |text: &str| Node::File(text.as_bytes().to_vec());
        for (path, node) in [
            ("make.conf", file("USE=\"x\"\n")),
            ("make.profile", Node::Link("/etc".into())),
            ("package.use", Node::Directory),
            ("package.use/own", file("a/b x\n")),
            ("bashrc", file("touch /canary\n")),
            ("modules", file("portdbapi.auxdbmodule = evil\n")),
            ("repos.conf/own.conf", file("[own]\nsync-hooks-only-on-change = false\n")),
        ] {
            capture.portage.insert(path.to_owned(), node);
        }
        capture.world.insert("world", b"a/b\n".to_vec());
        let cpv = Cpv::parse(b"a/b-1").unwrap();
        capture.installed.insert(cpv, [("SLOT", "0".to_owned())].into());
        lay_out(place, &capture, Some(Path::new("/var/db/repos/x/profiles/default"))).unwrap();
        let read = |path: &str| fs::read_to_string(place.join(path)).ok();
        assert_eq!(read("etc/portage/package.use/own").as_deref(), Some("a/b x\n"));
        assert_eq!(read("var/lib/portage/world").as_deref(), Some("a/b\n"));
        assert_eq!(read("var/db/pkg/a/b-1/SLOT").as_deref(), Some("0\n"));
        assert!(read("machine.json").is_some());
        let link = fs::read_link(place.join("etc/portage/make.profile")).unwrap();
        assert_eq!(link, Path::new("/var/db/repos/x/profiles/default"));
        let mut there: Vec<_> = fs::read_dir(place.join("etc/portage"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        there.sort();
        assert_eq!(there, ["make.conf", "make.profile", "package.use"]);
    }
}
