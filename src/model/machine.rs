//! What the machine had to do with the end of a command: its counters, its limits, and the room that was left.
//!
//! These are facts. What a log says only points to one of them: a test suite prints `No space left on device`
//! on a machine with plenty of it.

use super::status::size;

/// What was measured while a command ran, or while one of its packages was in work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The file systems that Portage works on.
    pub places: Vec<Place>,
    /// How many processes of the container the kernel killed for lack of memory; absent where it does not
    /// count them.
    pub oom_kills: Option<u64>,
    /// The bytes that the container may use, where there is a limit.
    pub memory_limit: Option<u64>,
    /// How often the kernel refused a process or a thread because of the container's limit; absent where it
    /// does not count that.
    pub refused: Option<u64>,
    /// How many processes and threads the container may have, where there is a limit.
    pub process_limit: Option<u64>,
    /// The limit of processes of one user (RLIMIT_NPROC in getrlimit(2)), where there is one.
    pub user_limit: Option<UserLimit>,
    /// The container's name for Docker.
    pub container: String,
}

/// The limit of processes of one user, and how near it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimit {
    /// Processes and threads that one user may have.
    pub limit: u64,
    /// The most that one was seen to have.
    pub peak: u64,
}

/// What a file system is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `portage` below PORTAGE_TMPDIR.
    Build,
    /// DISTDIR.
    Sources,
    /// PKGDIR.
    Packages,
    /// PORTAGE_LOGDIR.
    Logs,
    /// What is installed, and Portage's records of it.
    Root,
    /// `/tmp`, `/dev/shm` and `/run`.
    Scratch,
}

/// A file system, and the least that was left on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What for.
    pub purpose: Purpose,
    /// The directory that is used so.
    pub directory: String,
    /// Where it is mounted.
    pub path: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes left to users.
    pub free: u64,
    /// Inodes in all; 0 where the file system has no such limit.
    pub inodes: u64,
    /// Inodes left to users.
    pub inodes_free: u64,
    /// It is a tmpfs.
    pub in_memory: bool,
    /// What `[prune]` of the configuration removes lies on it.
    pub prunable: bool,
}

/// With less than this nothing can be built.
const FULL: u64 = 1 << 20;
/// What a program that found no space may have removed before anybody looked: a part of the file system, at most
/// so much.
const REMOVED: u64 = 256 << 20;
const REMOVED_PART: u64 = 16;

impl Place {
    /// Nothing is left.
    pub(crate) fn is_full(&self) -> bool {
        self.free < FULL.min(self.size / 2) || self.no_inodes()
    }

    /// So little is left that whoever says that there was no space may be believed.
    pub(crate) fn is_short(&self) -> bool {
        self.is_full() || self.free < REMOVED.min(self.size / REMOVED_PART).max(FULL)
    }

    fn no_inodes(&self) -> bool {
        self.inodes > 0 && self.inodes_free < 4
    }

    /// `no space is left on /var/tmp/portage, the build directory (a tmpfs of 3.0 MiB)`, or of a directory that is
    /// no file system of its own `no space is left on /, with the build directory /var/tmp/portage (...)`
    pub(crate) fn complaint(&self) -> String {
        let what = match self.purpose {
            Purpose::Build => "the build directory",
            Purpose::Sources => "DISTDIR",
            Purpose::Packages => "PKGDIR",
            Purpose::Logs => "PORTAGE_LOGDIR",
            Purpose::Root | Purpose::Scratch => "",
        };
        let what = match what {
            "" => String::new(),
            what if self.directory == self.path => format!(", {what}"),
            what => format!(", with {what} {}", self.directory),
        };
        let of = if self.no_inodes() { format!("{} inodes", self.inodes) } else { size(self.size) };
        let kind = if self.in_memory { "a tmpfs" } else { "a file system" };
        let no = if self.no_inodes() { "no inodes are" } else { "no space is" };
        format!("{no} left on {}{what} ({kind} of {of})", self.path)
    }

    /// What shows it, and for a tmpfs how to give it more: that is said when the container is made.
    pub(crate) fn remedies(&self) -> Vec<String> {
        let option = if self.no_inodes() { "-i" } else { "-h" };
        let mut commands = vec![format!("df {option} {}", self.path)];
        if self.in_memory {
            let mode = if self.purpose == Purpose::Build { ",mode=1777,exec" } else { "" };
            let limit = if self.no_inodes() {
                format!("nr_inodes={}", self.inodes.saturating_mul(4).max(1 << 20))
            } else {
                let least = if self.purpose == Purpose::Build { 16 } else { 1 };
                format!("size={}g", (self.size.saturating_mul(4) >> 30).max(least))
            };
            commands.push(format!("docker run --tmpfs {}:{limit}{mode} ... # on the host", self.path));
        }
        commands
    }
}

impl Machine {
    /// All uses, those first by which a build meets a full file system.
    pub(crate) const USES: [Purpose; 6] =
        [Purpose::Build, Purpose::Packages, Purpose::Logs, Purpose::Root, Purpose::Sources, Purpose::Scratch];

    /// The first of these uses whose file system is full.
    pub(crate) fn full(&self, uses: &[Purpose]) -> Option<&Place> {
        self.first(uses, Place::is_full)
    }

    /// The first of these uses whose file system may have been full: to be asked only about somebody who said so.
    pub(crate) fn short(&self, uses: &[Purpose]) -> Option<&Place> {
        self.full(uses).or_else(|| self.first(uses, Place::is_short))
    }

    /// The file system with this use.
    pub(crate) fn place(&self, purpose: Purpose) -> Option<&Place> {
        self.places.iter().find(|place| place.purpose == purpose)
    }

    fn first(&self, uses: &[Purpose], holds: impl Fn(&Place) -> bool) -> Option<&Place> {
        let mut of = uses.iter().flat_map(|purpose| self.places.iter().filter(|p| p.purpose == *purpose));
        of.find(|place| holds(place))
    }

    /// Whether pruning may free something where it is short of.
    pub(crate) fn can_be_pruned(&self) -> bool {
        self.places.iter().any(|place| place.prunable && place.is_short())
    }

    /// Why no process could be made, when the kernel says so, and what to type. `words` tells whether somebody
    /// complained that none could be made, which a limit of users needs: the kernel does not count that.
    pub(crate) fn too_many_processes(&self, words: bool) -> Option<(String, String)> {
        if self.refused.is_some_and(|refused| refused > 0) {
            let limit = self.process_limit.map_or_else(String::new, |limit| format!(" of {limit}"));
            let more = self.process_limit.unwrap_or(0).saturating_mul(4).max(4096);
            return Some((
                format!("the container may have no more processes: its limit{limit} (pids.max) was reached"),
                format!(
                    "docker update --pids-limit {more} {} # on the host; with Kubernetes raise podPidsLimit of the kubelet",
                    self.container
                ),
            ));
        }
        let user = self.user_limit.filter(|user| words && user.peak >= user.limit / 2)?;
        Some((
            format!(
                "a user may have no more than {} processes (ulimit -u), and has had {}",
                user.limit, user.peak
            ),
            format!(
                "docker run --ulimit nproc={0}:{0} ... # on the host",
                user.limit.saturating_mul(4).max(4096)
            ),
        ))
    }

    /// What the counter of the container's memory group says, when memory ran out.
    pub(crate) fn memory(&self) -> Option<String> {
        let kills = self.oom_kills.filter(|kills| *kills > 0)?;
        let processes = if kills == 1 { "process" } else { "processes" };
        Some(format!("killed by the kernel for lack of memory meanwhile: {kills} {processes} (oom_kill)"))
    }

    /// What to type to give the container more memory, where it is its own limit that was reached.
    pub(crate) fn more_memory(&self) -> Option<String> {
        let mib = (self.memory_limit? >> 20).saturating_mul(2).max(1);
        Some(format!("docker update --memory {mib}m --memory-swap {mib}m {} # on the host", self.container))
    }

    /// `the container may use 512 MiB`
    pub(crate) fn memory_in_words(&self) -> Option<String> {
        self.memory_limit.map(|limit| format!("the container may use {}", size(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(purpose: Purpose, size: u64, free: u64) -> Place {
        Place {
            purpose,
            directory: "/x".into(),
            path: "/x".into(),
            size,
            free,
            inodes: 100,
            inodes_free: 50,
            in_memory: true,
            prunable: false,
        }
    }

    #[test]
    fn what_is_full_and_what_may_have_been() {
        for (size, free, full, short) in [
            (3 << 20, 0, true, true),
            (3 << 20, 2 << 20, false, false),
            (1 << 20, 700 << 10, false, true),
            (16 << 20, 2 << 20, false, false),
            (1 << 30, 60 << 20, false, true),
            (1 << 30, 70 << 20, false, false),
            (4 << 40, 255 << 20, false, true),
            (4 << 40, 300 << 20, false, false),
        ] {
            let place = place(Purpose::Build, size, free);
            assert_eq!((place.is_full(), place.is_short()), (full, short), "{size} {free}");
        }
        let inodes = Place { inodes_free: 0, ..place(Purpose::Build, 1 << 40, 1 << 39) };
        assert!(inodes.is_full());
        assert_eq!(
            inodes.complaint(),
            "no inodes are left on /x, the build directory (a tmpfs of 100 inodes)"
        );
        assert_eq!(inodes.remedies()[0], "df -i /x");
        // A file system without inodes of its own (btrfs) has none left at any time.
        assert!(!Place { inodes: 0, inodes_free: 0, ..inodes }.is_full());
    }

    #[test]
    fn the_place_of_the_first_use_is_named() {
        let machine = Machine {
            places: vec![place(Purpose::Root, 1 << 40, 0), place(Purpose::Build, 3 << 20, 0)],
            ..Machine::default()
        };
        let found = machine.full(&[Purpose::Sources, Purpose::Build, Purpose::Root]);
        assert_eq!(found.map(|place| place.purpose), Some(Purpose::Build));
        assert!(!machine.can_be_pruned());
        assert_eq!(
            found.unwrap().remedies(),
            ["df -h /x", "docker run --tmpfs /x:size=16g,mode=1777,exec ... # on the host"]
        );
    }

    #[test]
    fn a_limit_of_processes_is_believed_from_its_counter() {
        let machine = Machine { refused: Some(0), process_limit: Some(20), ..Machine::default() };
        assert_eq!(machine.too_many_processes(true), None);
        let machine = Machine { refused: Some(1), container: "c0ffee".into(), ..machine };
        let (why, more) = machine.too_many_processes(false).unwrap();
        assert_eq!(why, "the container may have no more processes: its limit of 20 (pids.max) was reached");
        assert!(more.starts_with("docker update --pids-limit 4096 c0ffee # "), "{more}");
        let near = |peak| Machine { user_limit: Some(UserLimit { limit: 100, peak }), ..Machine::default() };
        assert_eq!(near(10).too_many_processes(true), None);
        assert_eq!(near(90).too_many_processes(false), None);
        assert!(near(90).too_many_processes(true).is_some());
    }
}
