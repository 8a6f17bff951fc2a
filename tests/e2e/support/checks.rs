//! The promises, looked at from outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::builder::Builder;
use super::docker::docker;

/// The binary packages on a volume: their path below `binpkgs/`, and the inode, which stays as long
/// as nobody makes the package anew.
pub type Packages = BTreeMap<String, u64>;

/// Prints what is not tidy. One command and one Python for all of it, since each takes longer than what it does.
const TIDY: &str = r#"
sed 's/^/two emerges at a time: /' /run/test/two-emerges 2>/dev/null
cd /var/lib/gbsup || exit
{
    find binpkgs \( -name '*.gpkg.tar?*' -o -name 'Packages?*' ! -name Packages.gz -o -size 0 ! -name '.*' \) -type f
    find state -name '.state.json.new' -o -name 'job'
    find /var/db/pkg -maxdepth 2 -name '-MERGING-*'
} | sed 's/^/left over: /'
python3 - <<'END'
import contextlib, io
import portage
portage._internal_caller = True
from portage.emaint.main import emaint_main
for check in ("binhost", "merges"):
    said, code = io.StringIO(), None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            emaint_main(["--check", check])
        except SystemExit as end:
            code = end.code
    if code:
        print("emaint --check", check, "ends with", code, said.getvalue())
END
"#;

/// Whether a line of `docker top` is about the server.
fn is_server(line: &str) -> bool {
    line.contains("gbsup: web")
}

/// How often processes gave up the CPU by themselves while nothing was to be done.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// PID 1.
    pub init: u64,
    /// The supervisor, all threads.
    pub supervisor: u64,
}

impl Builder {
    /// The finished binary packages.
    #[track_caller]
    pub fn packages(&self) -> Packages {
        let mut found = Packages::new();
        let root = self.on_volume("binpkgs");
        each_file(&root, &mut |path, meta| {
            let name = path.strip_prefix(&root).expect("below it").display().to_string();
            if name.ends_with(".gpkg.tar") && meta.len() > 0 {
                found.insert(name, meta.ino());
            }
        });
        found
    }

    /// Whether a package (`category/name-version`) is installed in the container.
    pub fn has(&self, package: &str) -> bool {
        self.in_root(&format!("/var/db/pkg/{package}/CONTENTS")).exists()
    }

    /// The arguments of every emerge that was started in this container to merge something.
    pub fn emerges(&self) -> Vec<String> {
        let lines = fs::read_to_string(self.in_root("/run/test/emerges")).unwrap_or_default();
        lines.lines().filter(|line| !line.contains("--pretend")).map(str::to_owned).collect()
    }

    /// Every package (`category/name-version`) that was built from source on this volume, as often as
    /// it was, in order.
    #[track_caller]
    pub fn compiled(&self) -> Vec<String> {
        let log = fs::read(self.on_volume("log/emerge.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let compiling = log.lines().filter_map(|line| line.split_once(") Compiling/"));
        let packages = compiling.filter_map(|(_, rest)| rest.split_once('(')?.1.split_once("::"));
        packages.map(|(package, _)| package.to_owned()).collect()
    }

    /// The steps of a cycle that ran, from its logs on the volume.
    #[track_caller]
    pub fn steps(&self, cycle: u64) -> Vec<String> {
        let entries = fs::read_dir(self.on_volume(format!("steps/{cycle}"))).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        names
    }

    /// The log of a step.
    #[track_caller]
    pub fn step_log(&self, cycle: u64, step: &str) -> String {
        let path = self.on_volume(format!("steps/{cycle}/{step}.log"));
        let log = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Asserts what has to be true whenever nothing is built: no leftovers of Portage's, the index
    /// and the installed packages are in order, and there were never two emerges at a time.
    #[track_caller]
    pub fn assert_tidy(&self) {
        assert_eq!(self.sh(TIDY), "", "not as it has to be");
    }

    /// Asserts that nothing runs in the container but init, the supervisor, and the server that waits for clients.
    #[track_caller]
    pub fn assert_nothing_runs(&mut self) {
        self.look_away();
        let mut top = String::new();
        // The command of a watcher that has just left may still be there for a moment.
        super::host_wait("nothing but init and the supervisor runs", || {
            top = docker(&["top", self.name(), "-o", "pid,args"]).out;
            top.lines().filter(|line| !is_server(line)).count() == 3
        });
        assert!(top.contains("supervisor"), "{top}");
    }

    /// Counts voluntary context switches while nobody asks for anything.
    #[track_caller]
    pub fn idle(&mut self, how_long: Duration) -> Idle {
        self.assert_nothing_runs();
        let top = docker(&["top", self.name(), "-o", "pid,args"]).ok();
        let processes = top.lines().filter(|line| !is_server(line));
        let pids: Vec<u32> =
            processes.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        let [init, supervisor] = pids[..] else { panic!("{top}") };
        let before = (switches(init), switches(supervisor));
        std::thread::sleep(how_long);
        Idle { init: switches(init) - before.0, supervisor: switches(supervisor) - before.1 }
    }
}

/// Calls `visit` with every file below a directory.
fn each_file(directory: &Path, visit: &mut dyn FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            each_file(&entry.path(), visit);
        } else {
            visit(&entry.path(), &meta);
        }
    }
}

/// The voluntary context switches of a process, by its pid on this machine, over all its threads.
#[track_caller]
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there").flatten();
    let counts = tasks.map(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    });
    counts.sum()
}
