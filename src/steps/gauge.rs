//! Measures the machine while a command runs: facts for [`Machine`].
//!
//! What a build could not write is often gone before emerge tells that it failed: a compiler removes the file that
//! it could not finish, Portage the half of a binary package. So the least room is looked for as long as it works.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;

use super::cgroup;
use crate::model::machine::{Machine, Place, Purpose, UserLimit};
use crate::portage::files::settings::Settings;
use crate::portage::output::scanner::Progress;
use crate::procs;

/// How often the room is looked at.
pub(crate) const EVERY: Duration = Duration::from_millis(200);
/// Processes are counted at every so manieth look: that reads a directory for each of them.
const PROCESSES: u32 = 5;

/// A directory that Portage writes to.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    purpose: Purpose,
    path: PathBuf,
    prunable: bool,
}

/// The directories that Portage writes to with these settings. What `[prune]` removes lies in some of them.
pub(crate) fn directories(settings: &Settings, volume: &Path) -> Vec<Directory> {
    let volume_is = |path: &Path| device(volume).is_some_and(|volume| device(path) == Some(volume));
    let mut directories = Vec::new();
    let mut add = |purpose: Purpose, path: &Path, pruned: bool| {
        let prunable = pruned || volume_is(path);
        directories.push(Directory { purpose, path: path.to_owned(), prunable });
    };
    add(Purpose::Build, &settings.tmpdir.join("portage"), false);
    add(Purpose::Packages, &settings.pkgdir, true);
    add(Purpose::Sources, &settings.distdir, true);
    add(Purpose::Logs, settings.logdir.as_deref().unwrap_or(&settings.emerge_log_dir), false);
    add(Purpose::Root, Path::new("/"), false);
    for root in ["/var/db/pkg", "/var/cache/edb", "/var/lib/portage"] {
        add(Purpose::Root, Path::new(root), false);
    }
    add(Purpose::Scratch, &settings.tmpdir, false);
    for scratch in ["/tmp", "/dev/shm", "/run"] {
        add(Purpose::Scratch, Path::new(scratch), false);
    }
    directories
}

/// What is measured while a command runs.
pub(crate) struct Gauge {
    places: Vec<Place>,
    begun: Counters,
    peak: u64,
    looks: u32,
    /// What had been measured when a package began, and the least room since.
    running: BTreeMap<String, (Counters, Vec<Place>)>,
    moments: BTreeMap<String, Machine>,
}

#[derive(Clone, Copy, Default)]
struct Counters {
    oom_kills: Option<u64>,
    refused: Option<u64>,
}

impl Counters {
    fn now() -> Self {
        Self { oom_kills: cgroup::oom_kills(), refused: cgroup::refused() }
    }

    fn since(self, before: Self) -> Self {
        let rise = |now: Option<u64>, before: Option<u64>| {
            now.zip(before).map(|(now, before)| now.saturating_sub(before))
        };
        Self {
            oom_kills: rise(self.oom_kills, before.oom_kills),
            refused: rise(self.refused, before.refused),
        }
    }
}

impl Gauge {
    /// Begins to measure.
    pub(crate) fn begin(directories: &[Directory]) -> Self {
        let mut gauge = Self {
            places: directories.iter().filter_map(place).collect(),
            begun: Counters::now(),
            peak: 0,
            looks: 0,
            running: BTreeMap::new(),
            moments: BTreeMap::new(),
        };
        gauge.look();
        gauge
    }

    /// Measures once more.
    pub(crate) fn look(&mut self) {
        for index in 0..self.places.len() {
            let Some((free, inodes)) = self.places.get(index).and_then(|place| left(&place.path)) else {
                continue;
            };
            let running = self.running.values_mut().filter_map(|(_, places)| places.get_mut(index));
            for place in running.chain(self.places.get_mut(index)) {
                place.free = place.free.min(free);
                place.inodes_free = place.inodes_free.min(inodes);
            }
        }
        if self.looks.is_multiple_of(PROCESSES) && user_limit().is_some() {
            self.peak = self.peak.max(most_processes_of_a_user());
        }
        self.looks = self.looks.wrapping_add(1);
    }

    /// Takes note of where a package is.
    pub(crate) fn note(&mut self, progress: &Progress) {
        match progress {
            Progress::Emerging { package, .. } => {
                let mut places = self.places.clone();
                for place in &mut places {
                    (place.free, place.inodes_free) =
                        left(&place.path).unwrap_or((place.free, place.inodes_free));
                }
                self.running.insert(package.to_string(), (Counters::now(), places));
            }
            Progress::Failed { package, .. } => {
                self.look();
                let package = package.to_string();
                // What never began failed in a phase before, or while it was checked.
                let (before, places) =
                    self.running.remove(&package).unwrap_or_else(|| (self.begun, self.places.clone()));
                let machine = self.machine(before, places);
                self.moments.entry(package).or_insert(machine);
            }
            Progress::Completed { package, .. } => drop(self.running.remove(package.as_str())),
            _ => {}
        }
    }

    /// What was measured of the whole command, and of each package that failed.
    pub(crate) fn finish(mut self) -> (Machine, BTreeMap<String, Machine>) {
        self.look();
        let machine = self.machine(self.begun, self.places.clone());
        (machine, self.moments)
    }

    fn machine(&self, before: Counters, places: Vec<Place>) -> Machine {
        let counted = Counters::now().since(before);
        Machine {
            places,
            oom_kills: counted.oom_kills,
            memory_limit: cgroup::memory_limit(),
            refused: counted.refused,
            process_limit: cgroup::process_limit(),
            user_limit: user_limit().map(|limit| UserLimit { limit, peak: self.peak }),
            container: container(),
        }
    }
}

/// The counters alone, for what is no command.
pub(crate) struct Limits(Counters);

impl Limits {
    /// Begins to count.
    pub(crate) fn begin() -> Self {
        Self(Counters::now())
    }

    /// What was counted since.
    pub(crate) fn finish(&self) -> Machine {
        let gauge = Gauge {
            places: Vec::new(),
            begun: self.0,
            peak: 0,
            looks: 0,
            running: BTreeMap::new(),
            moments: BTreeMap::new(),
        };
        gauge.machine(self.0, Vec::new())
    }
}

/// Docker calls a container by its host name unless it was given another.
fn container() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn place(directory: &Directory) -> Option<Place> {
    let there = directory.path.ancestors().find(|path| path.exists())?;
    let path = mount_point(there);
    let fs = statvfs(&path).ok()?;
    let (free, inodes_free) = left(&path.display().to_string())?;
    Some(Place {
        purpose: directory.purpose,
        directory: directory.path.display().to_string(),
        size: fs.blocks() * fs.fragment_size(),
        free,
        inodes: fs.files(),
        inodes_free,
        in_memory: statfs(&path).is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC),
        prunable: directory.prunable,
        path: path.display().to_string(),
    })
}

/// Bytes and inodes that are left.
fn left(path: &str) -> Option<(u64, u64)> {
    let fs = statvfs(path).ok()?;
    Some((fs.blocks_available() * fs.fragment_size(), fs.files_available()))
}

fn device(path: &Path) -> Option<u64> {
    path.ancestors().find_map(|path| path.metadata().ok()).map(|meta| meta.dev())
}

/// The last directory on the way up that is on the same file system.
fn mount_point(path: &Path) -> PathBuf {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own = device(&path);
    let same = path.ancestors().take_while(|above| device(above) == own);
    same.last().unwrap_or(Path::new("/")).to_owned()
}

/// RLIMIT_NPROC, which jobs inherit.
fn user_limit() -> Option<u64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
    (soft != RLIM_INFINITY).then_some(soft)
}

/// Processes and threads of the user who has most; threads count as well (getrlimit(2)).
fn most_processes_of_a_user() -> u64 {
    let mut users: BTreeMap<u32, u64> = BTreeMap::new();
    for process in procs::all().unwrap_or_default() {
        let tasks = PathBuf::from(format!("/proc/{}/task", process.pid));
        if let Ok(meta) = fs::metadata(&tasks) {
            *users.entry(meta.uid()).or_default() += meta.nlink().saturating_sub(2).max(1);
        }
    }
    users.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::names::cpv::Cpv;

    #[test]
    fn what_is_measured_of_a_package_begins_with_it() {
        let settings = Settings::parse(b"PORTAGE_TMPDIR=/no/such/place\n");
        let mut gauge = Gauge::begin(&directories(&settings, Path::new("/")));
        let package = Cpv::parse(b"a/b-1").unwrap();
        let emerging =
            |package: &Cpv| Progress::Emerging { n: 1, total: 1, package: package.clone(), binary: false };
        gauge.places[0].free = 0;
        gauge.note(&emerging(&package));
        gauge.note(&Progress::Failed {
            package,
            how: crate::portage::output::scanner::How::Build,
            log: None,
        });
        let (machine, moments) = gauge.finish();
        let build = machine.place(Purpose::Build).unwrap();
        assert_eq!((build.path.as_str(), build.directory.as_str()), ("/", "/no/such/place/portage"));
        assert!(build.is_full() && !moments["a/b-1"].place(Purpose::Build).unwrap().is_full());
    }
}
