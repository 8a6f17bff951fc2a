//! One container with gbsup as PID 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gbsup::model::status::{Mode, Status, Why};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::docker::{Ran, docker, feed, is_kept};
use super::recipe::{Recipe, Volume};
use super::slot::Slot;
use super::watch::{Ended, PATIENCE, Watch};

/// A container that ends with the test.
pub struct Builder {
    name: String,
    volume: Option<Arc<Volume>>,
    watch: Option<Watch>,
    // Last, so that the next builder begins when this one is gone.
    slot: Arc<Slot>,
}

impl Builder {
    /// A running builder with these atoms as its world.
    #[track_caller]
    pub fn with_world(world: &[&str]) -> Self {
        Recipe::new(world).start()
    }

    /// The same at rest after its first cycle; see [`Recipe::settled`].
    #[track_caller]
    pub fn settled(world: &[&str]) -> Self {
        Recipe::settled(world).start()
    }

    pub(super) fn new(name: String, volume: Option<Arc<Volume>>, slot: Arc<Slot>) -> Self {
        Self { name, volume, watch: None, slot }
    }

    pub(super) fn shared_volume(&self) -> Option<Arc<Volume>> {
        self.volume.clone()
    }

    pub(super) fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file of the volume, seen from this machine.
    #[track_caller]
    pub fn on_volume(&self, path: impl AsRef<Path>) -> PathBuf {
        self.volume.as_ref().expect("this builder has no volume").path().join(path)
    }

    // --- Life ---------------------------------------------------------------------------------------

    /// `docker start`.
    #[track_caller]
    pub fn start(&mut self) {
        self.watch = None;
        docker(&["start", &self.name]).ok();
    }

    /// `docker stop`; how long it took, and the exit code.
    #[track_caller]
    pub fn stop(&mut self) -> (Duration, i32) {
        let begun = Instant::now();
        docker(&["stop", &self.name]).ok();
        (begun.elapsed(), self.wait_exit())
    }

    /// `docker kill`: SIGKILL to everything in it.
    #[track_caller]
    pub fn kill(&mut self) {
        docker(&["kill", &self.name]).ok();
        self.wait_exit();
    }

    /// Its PID 1, as this machine counts.
    #[track_caller]
    pub fn pid(&self) -> Pid {
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &self.name]).ok();
        Pid::from_raw(pid.trim().parse().expect("a pid"))
    }

    /// What `docker kill` does, without the detour through the engine: SIGKILL to PID 1, and with it to everything in
    /// its namespace. The exit code of the container, which may have ended before.
    #[track_caller]
    pub fn kill_now(&mut self, pid: Pid) -> i32 {
        // Somebody else could have its number by then.
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if command.starts_with(b"/usr/bin/gbsup\0") || command.starts_with(b"gbsup: init\0") {
            match kill(pid, Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => panic!("this is not root: {error}"),
            }
        }
        self.wait_exit()
    }

    /// `docker kill -s`: a signal to PID 1.
    #[track_caller]
    pub fn signal(&self, signal: &str) {
        docker(&["kill", "--signal", signal, &self.name]).ok();
    }

    /// Waits until the container has ended; its exit code.
    #[track_caller]
    pub fn wait_exit(&mut self) -> i32 {
        self.watch = None;
        let mut waiting = Command::new("docker")
            .args(["wait", &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker starts");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if waiting.try_wait().expect("it is a child").is_some() {
                break;
            }
            if Instant::now() >= deadline {
                drop(waiting.kill());
                panic!("the container did not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = waiting.wait_with_output().expect("it has ended");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("an exit code")
    }

    /// Whether the container runs.
    pub fn is_running(&self) -> bool {
        docker(&["inspect", "--format", "{{.State.Running}}", &self.name]).out.trim() == "true"
    }

    /// `docker rm -f`; the volume stays as long as somebody has it.
    pub fn remove(self) {
        drop(self);
    }

    // --- Commands in it -----------------------------------------------------------------------------

    /// `docker exec`.
    pub fn exec(&self, args: &[&str]) -> Ran {
        docker(&[&["exec", self.name.as_str()], args].concat())
    }

    /// A shell script in the container, which has to succeed; what it printed.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let ran = self.exec(&["bash", "-c", script]);
        assert_eq!(ran.code, 0, "{script}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// `gbsup` with these arguments.
    pub fn gbsup(&self, args: &[&str]) -> Ran {
        self.exec(&[&["gbsup"], args].concat())
    }

    /// The same with something on its standard input.
    pub fn gbsup_reading(&self, args: &[&str], input: &str) -> Ran {
        feed(&[&["exec", "--interactive", self.name.as_str(), "gbsup"], args].concat(), input.as_bytes())
    }

    /// `gbsup resume`, which has to be accepted, and has to have an effect.
    #[track_caller]
    pub fn resume(&mut self) -> String {
        let said = self.gbsup(&["resume"]).ok();
        self.wait_for("it is not paused any more", |status| status.state != Mode::Paused);
        said
    }

    /// Lets a package of the test repository go on that waits in it (`test-slow/NAME`).
    #[track_caller]
    pub fn go(&self, name: &str) {
        self.write("/run/test", &format!("go-{name}"), "");
    }

    /// Waits until a package of the test repository waits in its phase.
    #[track_caller]
    pub fn wait_at(&self, name: &str) {
        self.wait_file(&format!("/run/test/at-{name}"));
    }

    /// A file of the container that runs, seen from this machine, on whose path there is no link.
    #[track_caller]
    pub(super) fn in_root(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid()))
    }

    /// Writes a file of the container that runs.
    #[track_caller]
    fn write(&self, directory: &str, name: &str, text: &str) {
        let directory = self.in_root(directory);
        let written = fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join(name), text));
        written.unwrap_or_else(|error| panic!("{}/{name}: {error}", directory.display()));
    }

    /// Waits until a file is there in the container.
    #[track_caller]
    pub fn wait_file(&self, path: &str) {
        // A command in the container for each look would be most of what a test costs that waits.
        let file = self.in_root(path);
        let root = self.in_root("");
        let deadline = Instant::now() + PATIENCE;
        while !file.exists() {
            assert!(root.exists(), "the container ended before {path} was there");
            assert!(Instant::now() < deadline, "waited in vain for {path}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Another world, for the next step that looks at it.
    #[track_caller]
    pub fn set_world(&self, atoms: &[&str]) {
        self.write("/var/lib/portage", "world", &(atoms.join("\n") + "\n"));
    }

    /// Starts a server in the container and waits until it listens on this port of 127.0.0.1.
    #[track_caller]
    pub fn serve(&self, command: &str, port: u16) {
        self.sh(&format!(
            "setsid {command} >/dev/null 2>&1 & \
             until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done"
        ));
    }

    /// The repair that the packages of `test-fail` ask for.
    #[track_caller]
    pub fn repair(&self) {
        self.write("/etc/gbsup-test", "repaired", "");
    }

    /// Changes the repository that the container syncs from; see `/opt/test/tree` there.
    #[track_caller]
    pub fn tree(&self, args: &[&str]) {
        let ran = self.exec(&[&["/opt/test/tree"], args].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    }

    /// Adds a version of a package to the repository that the container syncs from.
    #[track_caller]
    pub fn add_ebuild(&self, category: &str, package: &str, text: &str) {
        let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
        let place = format!("/srv/tree/{category}/{name}");
        self.sh(&format!("mkdir -p {place} && cat >{place}/{package}.ebuild <<'END'\n{text}END"));
        self.tree(&["commit", &format!("{category}/{name}: add {package}")]);
    }

    // --- What it says -------------------------------------------------------------------------------

    /// `docker logs`, both streams.
    pub fn logs(&self) -> String {
        let ran = docker(&["logs", &self.name]);
        ran.out + &ran.err
    }

    /// `gbsup status --json`.
    #[track_caller]
    pub fn status(&self) -> Status {
        let text = self.gbsup(&["status", "--json"]).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not a status ({error}): {text}"))
    }

    /// The release that clients are offered.
    #[track_caller]
    pub fn release(&self) -> String {
        self.status().release.expect("there is a release").id
    }

    /// Waits for the first status of which `is_so` is true, beginning with the one that was waited
    /// for last. Statuses are looked at in order, none is passed over.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, mut is_so: impl FnMut(&Status) -> bool) -> Status {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let watch = self.watch.get_or_insert_with(|| Watch::begin(&self.name));
            match watch.until(&mut is_so) {
                Ok(status) => return status,
                Err(Ended::Late(last)) => {
                    let last = last.map_or_else(|| "there was none".to_owned(), |status| status.headline);
                    panic!("waited in vain until {what}; the last headline: {last}");
                }
                Err(Ended::Closed) => {
                    self.watch = None;
                    assert!(Instant::now() < deadline, "waited in vain until {what}; nobody answers");
                    assert!(self.is_running(), "the container ended while waiting until {what}");
                }
            }
        }
    }

    /// Waits until it waits for the next cycle. A pause on the way is a failure of the test.
    #[track_caller]
    pub fn wait_waiting(&mut self) -> Status {
        let at_rest = |status: &Status| matches!(status.state, Mode::Waiting | Mode::Paused | Mode::Degraded);
        let status = self.wait_for("it waits", at_rest);
        assert_eq!(status.state, Mode::Waiting, "{}", status.headline);
        status
    }

    /// Waits until it is paused. That the cycle ends instead is a failure of the test.
    #[track_caller]
    pub fn wait_paused(&mut self) -> Status {
        let at_rest = |status: &Status| matches!(status.state, Mode::Waiting | Mode::Paused | Mode::Degraded);
        let status = self.wait_for("it is paused", at_rest);
        assert_eq!(status.state, Mode::Paused, "{}", status.headline);
        status
    }

    /// Waits until an operator's pause is in effect, wherever it is now.
    #[track_caller]
    pub fn wait_paused_by_operator(&mut self) -> Status {
        let status = self.wait_for("it is paused", |status| status.state == Mode::Paused);
        let why = status.pause.as_ref().map(|pause| pause.why);
        assert_eq!(why, Some(Why::Operator), "{}", status.headline);
        status
    }

    /// Waits until cycle `id` runs, or a later one does.
    #[track_caller]
    pub fn wait_cycle(&mut self, id: u64) -> Status {
        self.wait_for(&format!("cycle {id} runs"), |status| {
            status.state == Mode::Running && status.cycle.as_ref().is_some_and(|cycle| cycle.id >= id)
        })
    }

    /// Waits until this package is in work.
    #[track_caller]
    pub fn wait_building(&mut self, package: &str) -> Status {
        self.wait_for(&format!("{package} is built"), |status| {
            status.jobs.iter().any(|job| job.package.starts_with(package))
        })
    }

    /// Stops watching: what watches costs the supervisor a wake-up each second.
    pub fn look_away(&mut self) {
        self.watch = None;
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.watch = None;
        if std::thread::panicking() {
            let logs = docker(&["logs", "--tail", "150", &self.name]);
            let status = self.gbsup(&["status"]);
            let processes = docker(&["top", &self.name, "-eo", "pid,ppid,stat,args"]);
            eprintln!(
                "---- {}: the end of its log ----\n{}{}---- its status ----\n{}{}---- its processes ----\n{}{}",
                self.name, logs.out, logs.err, status.out, status.err, processes.out, processes.err
            );
        }
        if is_kept() {
            let name = &self.name;
            let enter = if self.is_running() {
                format!("docker exec -it {name} bash")
            } else {
                format!("it has ended; docker start {name} goes on with it")
            };
            eprintln!("---- it is kept ----\n{enter}\nafterwards: docker rm --force --volumes {name}");
            return;
        }
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}
