//! A PID namespace with gbsup as its PID 1, and what can be seen of it from outside.
//!
//! It needs root and `unshare`, and no container engine.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gbsup::signals::SignalSet;
use nix::libc;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const GBSUP: &str = env!("CARGO_BIN_EXE_gbsup");
/// How long anything that must happen may take on a busy machine, where a hanging supervisor is given a minute.
const PATIENCE: Duration = Duration::from_secs(100);

/// Waits until `condition` holds; panics with `what` when it does not come true.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still not so after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// A container about to be started.
pub(crate) struct Setup {
    dir: TempDir,
    args: Vec<String>,
    outer: Vec<String>,
    inner: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Stdio,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
}

impl Setup {
    /// `gbsup init -- ARGV`.
    pub(crate) fn command(argv: &[&str]) -> Setup {
        Setup::new(&[&["init", "--"], argv].concat())
    }

    /// `gbsup init -- sh -c SCRIPT`; `$DIR` is the container's directory.
    pub(crate) fn script(script: &str) -> Setup {
        Setup::command(&["sh", "-c", script])
    }

    /// `gbsup` as the container's entry point, with a shell script in the supervisor's place.
    pub(crate) fn supervisor(script: &str) -> Setup {
        let setup = Setup::new(&[]);
        let path = setup.dir.path().join("supervisor");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the script is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is made executable");
        let path = path.display().to_string();
        setup.env("GBSUP_SUPERVISOR", &path).env("GBSUP_HTTP_LISTEN", "")
    }

    fn new(args: &[&str]) -> Setup {
        let dir = TempDir::new().expect("a directory is made");
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::create_dir_all(dir.path().join("volume/state")).expect("the volume is made");
        fs::write(at("gbsup.toml"), "").expect("the configuration is written");
        let env = [
            ("DIR", dir.path().display().to_string()),
            ("GBSUP_CONFIG", at("gbsup.toml")),
            ("GBSUP_SOCKET", at("control.sock")),
            ("GBSUP_VOLUME_PATH", at("volume")),
        ];
        Setup {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            outer: Vec::new(),
            inner: Vec::new(),
            env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            stdin: Stdio::null(),
            stdout: None,
            stderr: None,
            dir,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the container through another program, such as `env --block-signal`.
    pub(crate) fn through(mut self, argv: &[&str]) -> Setup {
        self.outer = argv.iter().map(|arg| (*arg).to_owned()).collect();
        self
    }

    /// Starts PID 1 through another program that becomes it, such as `setsid`.
    pub(crate) fn becoming(mut self, argv: &[&str]) -> Setup {
        self.inner = argv.iter().map(|arg| (*arg).to_owned()).collect();
        self
    }

    pub(crate) fn stdio(mut self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Setup {
        self.stdin = stdin;
        self.stdout = Some(stdout);
        self.stderr = Some(stderr);
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it. Stdout and stderr go to files of that name unless [`Setup::stdio`] says otherwise.
    pub(crate) fn start(self) -> Container {
        let file = |name| {
            let path = self.dir.path().join(name);
            Stdio::from(File::options().create(true).append(true).open(path).expect("opens"))
        };
        let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut words: Vec<String> = self.outer.clone();
        words.extend(unshare.map(str::to_owned));
        words.extend(self.inner.clone());
        words.push(GBSUP.to_owned());
        words.extend(self.args.clone());
        let (program, words) = words.split_first().expect("it is not empty");
        let mut command = Command::new(program);
        command.args(words).envs(self.env.clone()).stdin(self.stdin);
        command.stdout(self.stdout.unwrap_or_else(|| file("stdout")));
        command.stderr(self.stderr.unwrap_or_else(|| file("stderr")));
        let unshare = command.spawn().expect("unshare is installed");
        Container { unshare, init: None, dir: self.dir }
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        self.start().end()
    }
}

/// A running container, killed when dropped.
pub(crate) struct Container {
    unshare: Child,
    init: Option<i32>,
    dir: TempDir,
}

/// A container that has ended.
pub(crate) struct Ended {
    /// The exit code of PID 1, or 128 and the signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) dir: TempDir,
}

impl Container {
    /// The pid of PID 1 outside, once it has its handlers.
    #[track_caller]
    pub(crate) fn init(&mut self) -> i32 {
        if let Some(pid) = self.init {
            return pid;
        }
        let unshare = pid_of(&self.unshare);
        let mut found = None;
        wait_until("PID 1 catches signals", || {
            found = children(unshare).first().copied();
            found.is_some_and(|pid| signals(pid, "SigCgt").contains(libc::SIGCHLD))
        });
        self.init = found;
        found.expect("it was found")
    }

    /// The pid of the command or the supervisor outside. It is the first child of PID 1.
    #[track_caller]
    pub(crate) fn main_child(&mut self) -> i32 {
        let init = self.init();
        let mut found = None;
        wait_until("PID 1 has a child", || {
            found = children(init).first().copied();
            // Before exec it is a copy of PID 1.
            found.is_some_and(|pid| exe(pid).is_some() && exe(pid) != exe(init))
        });
        found.expect("it was found")
    }

    /// Sends a signal to PID 1.
    #[track_caller]
    pub(crate) fn signal(&mut self, signal: i32) {
        let init = self.init();
        gbsup::sys::kill(init, signal).expect("PID 1 is there");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file that a script has written, or nothing.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Waits until a file of the container's directory contains `text`.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, text: &str) {
        let what = format!("{name} contains {text:?}");
        let deadline = Instant::now() + PATIENCE;
        while !(self.path(name).exists() && self.read(name).contains(text)) {
            let said = (self.read(name), self.read("stderr"));
            assert!(Instant::now() < deadline, "{what}; it has {:?}, stderr has {:?}", said.0, said.1);
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// All processes of the namespace that have not ended, PID 1 included.
    pub(crate) fn processes(&mut self) -> Vec<Process> {
        let init = self.init();
        let namespace = fs::read_link(format!("/proc/{init}/ns/pid")).ok();
        let entries = fs::read_dir("/proc").expect("/proc is mounted");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        // A process that has ended has no namespace any more.
        let inside = |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok() == namespace;
        pids.filter(inside).filter_map(Process::read).collect()
    }

    /// How many zombies PID 1 has.
    pub(crate) fn zombies(&mut self) -> usize {
        zombies(self.init())
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.unshare.try_wait().expect("it is our child").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let mut status = None;
        let deadline = Instant::now() + PATIENCE;
        while status.is_none() {
            let said = self.read("stderr");
            assert!(Instant::now() < deadline, "the container does not end; stderr: {said}");
            status = self.unshare.try_wait().expect("it is our child");
            std::thread::sleep(Duration::from_millis(1));
        }
        let (stdout, stderr) = (self.read("stdout"), self.read("stderr"));
        let dir = std::mem::replace(&mut self.dir, TempDir::new().expect("a directory is made"));
        Ended { code: code(status.expect("it has ended")), stdout, stderr, dir }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Its end is that of PID 1 (--kill-child) and so of the namespace.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// A process as seen from outside.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Its command line.
    pub(crate) line: String,
    pub(crate) state: char,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// The foreground group of its terminal.
    pub(crate) foreground: i32,
}

impl Process {
    pub(crate) fn read(pid: i32) -> Option<Process> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse().ok();
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some(Process {
            line: line.replace('\0', " "),
            state: fields.first()?.chars().next()?,
            group: number(2)?,
            session: number(3)?,
            foreground: number(5)?,
        })
    }
}

/// The children of a process, oldest first.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// How many of the children of a process are zombies.
pub(crate) fn zombies(pid: i32) -> usize {
    let dead = |pid: &i32| Process::read(*pid).is_some_and(|process| process.state == 'Z');
    children(pid).iter().filter(|pid| dead(pid)).count()
}

/// A line of `/proc/PID/status` without its name.
pub(crate) fn status_line(pid: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let prefix = format!("{name}:");
    Some(status.lines().find_map(|line| line.strip_prefix(&prefix))?.trim().to_owned())
}

/// The program a process runs.
fn exe(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// A signal set of a process, such as `SigCgt`.
pub(crate) fn signals(pid: i32, name: &str) -> SignalSet {
    status_line(pid, name).and_then(|text| SignalSet::from_hex(&text)).unwrap_or_default()
}

/// Makes a FIFO, which keeps a script from going on until the test opens the other end.
pub(crate) fn make_fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("it is made");
}

/// The pid of a child of ours.
pub(crate) fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a pid")
}

/// The exit code, or 128 and the signal.
pub(crate) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or(status.signal().map(|signal| 128 + signal)).expect("it has ended")
}
