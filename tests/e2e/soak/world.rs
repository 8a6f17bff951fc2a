//! The builder of a soak and what is done to it.

use std::process::{Child, Command, Stdio};

use gbsup::model::status::{Mode, Status};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ground::Ground;
use super::plan::{Ask, Change, Fault, Hand, Package, Plan, Round};
use crate::support::{Builder, Recipe, VOLUME, host_wait};

const CONFIG: &str = "[cycle]\ninterval = \"never\"\n\
                      [sync]\ncommand = [\"emaint\", \"sync\", \"-a\"]\nmin_interval = \"1s\"\nretries = [\"1s\"]\n\
                      [build]\njobs = 2\n[publish]\nkeep = 4\n";
/// Makes the overlay once. Monotonic time begins at another moment: what another machine, or the same after a reboot, looks like
/// to a volume.
const ENTRY: &str = "#!/bin/bash\n\
                     if [ ! -e /srv/made ]; then\n\
                     cat /srv/overlay.conf >>/etc/portage/repos.conf\n\
                     (cd /srv/overlay && git init -q && git add -A && git commit -qm first && /opt/test/tree commit first) >/dev/null\n\
                     touch /srv/made\nfi\n\
                     offset=$(cat /etc/soak-offset)\n\
                     exec unshare --time --monotonic \"$offset\" --boottime \"$offset\" /usr/bin/gbsup \"$@\"\n";
const OVERLAY: &str = "\n[soak-overlay]\nlocation = /var/db/repos/soak-overlay\nsync-type = git\n\
                       sync-uri = file:///srv/overlay\nauto-sync = yes\n";
/// How often somebody resumes before it counts as a builder that does not go on.
const RESUMES: u32 = 3;

/// The text of an ebuild.
fn ebuild(name: &str, version: u32, broken: bool) -> String {
    let depends = match name {
        "s2" => "RDEPEND=\"test-quick/s1\"\n",
        "s3" => "DEPEND=\"test-quick/s1:=\"\nRDEPEND=\"${DEPEND}\"\n",
        _ => "",
    };
    // That of s1 changes, so that s3 is built anew.
    let slot = if name == "s1" { format!("0/{version}") } else { "0".to_owned() };
    let compile =
        if broken { "src_compile() {\n\tdie \"it is broken until somebody repairs it\"\n}\n" } else { "" };
    format!(
        "EAPI=8\ninherit test-control\nDESCRIPTION=\"For a soak\"\nSLOT=\"{slot}\"\nIUSE=\"soak\"\n{depends}{compile}\
         src_install() {{\n\ttest_file\n}}\n"
    )
}

/// The commands that write one into a repository.
fn write(name: &str, version: u32, broken: bool) -> String {
    let repository = if name == "o1" { "/srv/overlay" } else { "/srv/tree" };
    let text = ebuild(name, version, broken);
    let place = format!("{repository}/test-quick/{name}");
    format!("mkdir -p {place}\ncat >{place}/{name}-{version}.ebuild <<'END'\n{text}END\n")
}

/// Everything that a round has and needs.
pub struct World {
    /// The builder.
    pub builder: Builder,
    /// Its volume.
    pub ground: Ground,
    /// What is stopped while the cycle runs.
    stopped: Vec<Child>,
}

impl World {
    /// A builder that is done with its first cycle.
    #[track_caller]
    pub fn new(plan: &Plan) -> Self {
        let ground = Ground::new();
        let volume = format!("{}:{VOLUME}:rslave", ground.volume().display());
        let names: Vec<String> = plan.packages.keys().map(|name| format!("test-quick/{name}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut recipe = Recipe::new(&names)
            .no_volume()
            .args(&["--volume", &volume, "--entrypoint", "/usr/local/bin/entry"])
            // For the time namespace.
            .args(&["--cap-add", "SYS_ADMIN", "--cap-add", "SYS_TIME"])
            .executable("/usr/local/bin/entry", ENTRY)
            .file("/etc/soak-offset", "0\n")
            .file("/srv/overlay.conf", OVERLAY)
            .config(CONFIG)
            .command(&["init"]);
        for name in plan.packages.keys().filter(|name| *name != "o1") {
            recipe =
                recipe.file(&format!("/srv/tree/test-quick/{name}/{name}-1.ebuild"), &ebuild(name, 1, false));
        }
        let recipe = recipe
            .file("/srv/overlay/test-quick/o1/o1-1.ebuild", &ebuild("o1", 1, false))
            .file("/srv/overlay/profiles/repo_name", "soak-overlay\n")
            .file("/srv/overlay/metadata/layout.conf", "masters = pocket\nthin-manifests = true\n");
        let mut builder = recipe.create();
        builder.start();
        Self { builder, ground, stopped: Vec::new() }
    }

    /// Comes to rest; resumes where that is what a person would do.
    #[track_caller]
    pub fn rest(&mut self, cycle: u64, plan: &Plan) -> Status {
        for _ in 0..=RESUMES {
            let status = self.settle(cycle);
            if status.state == Mode::Waiting || is_expected(&status, plan) {
                return status;
            }
            println!("    resumed: {}", status.headline);
            self.builder.gbsup(&["resume"]);
        }
        let status = self.settle(cycle);
        panic!("resumed {RESUMES} times, and it is still {}", status.headline);
    }

    #[track_caller]
    fn settle(&mut self, cycle: u64) -> Status {
        // A watch begins with what is so now; what was true before is nothing to go by.
        self.builder.look_away();
        self.builder.wait_for("it is at rest", |status| {
            matches!(status.state, Mode::Waiting | Mode::Paused | Mode::Degraded)
                && status.pending.is_empty()
                && status.cycle.as_ref().is_none_or(|now| now.id >= cycle)
        })
    }

    /// One round up to the rest after it.
    #[track_caller]
    pub fn run(&mut self, round: &Round, plan: &Plan) -> Status {
        self.change(&round.changes, plan);
        let before = self.builder.status().cycle.map_or(0, |cycle| cycle.id);
        self.ask(round.ask);
        if let Some((hand, true)) = round.hand {
            self.by_hand(hand);
        }
        let mut status = None;
        if let Some((fault, delay)) = round.fault {
            // Chance, and nothing that anybody waits for.
            std::thread::sleep(delay);
            self.strike(fault);
            self.hold(fault);
            self.lift(fault);
            self.rest(0, plan);
            // Whatever became of the first, this one sees everything.
            let before = self.builder.status().cycle.map_or(0, |cycle| cycle.id);
            self.builder.gbsup(&["sync"]).ok();
            status = Some(self.rest(before + 1, plan));
        }
        let mut status = status.unwrap_or_else(|| self.rest(before + 1, plan));
        if let Some((hand, false)) = round.hand {
            self.by_hand(hand);
            status = self.rest(0, plan);
        }
        status
    }

    #[track_caller]
    fn change(&self, changes: &[Change], plan: &Plan) {
        let mut script = String::from("set -e\n");
        for change in changes {
            match change {
                Change::Add(name) => {
                    script += &write(name, 1, false);
                    script += &format!("echo test-quick/{name} >>/var/lib/portage/world\n");
                }
                Change::Bump(name) | Change::Repair(name) => {
                    script += &write(name, version(name, changes, change, plan), false);
                }
                Change::Break(name) => script += &write(name, version(name, changes, change, plan), true),
                Change::Use(name) => {
                    let file = format!("/etc/portage/package.use/{name}");
                    script += &format!(
                        "mkdir -p /etc/portage/package.use\nif [ -e {file} ]; then rm {file}; else echo 'test-quick/{name} soak' >{file}; fi\n"
                    );
                }
                Change::OverlayGone => script += "mv /srv/overlay /srv/overlay.gone\n",
                Change::OverlayBack => script += "mv /srv/overlay.gone /srv/overlay\n",
                Change::CloneLost => script += "rm -rf /var/db/repos/soak-overlay\n",
            }
        }
        script +=
            "[ -z \"$(git -C /srv/tree status --porcelain)\" ] || /opt/test/tree commit soak >/dev/null\n";
        self.builder.sh(&script);
    }

    #[track_caller]
    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Verb => drop(self.builder.gbsup(&["sync"]).ok()),
            Ask::Flag => drop(self.builder.sh(&format!("touch {VOLUME}/control/sync"))),
            Ask::Signal => self.builder.signal("USR1"),
        }
    }

    #[track_caller]
    fn by_hand(&self, hand: Hand) {
        let ran = self.builder.gbsup(&[hand.verb()]);
        // Not possible in this state is an answer, too.
        assert!([0, 4].contains(&ran.code), "{hand:?} ended with {}: {}{}", ran.code, ran.out, ran.err);
    }

    #[track_caller]
    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::DiskFull => self.ground.fill(),
            Fault::InodesFull => self.ground.crowd(),
            Fault::ReadOnly => self.ground.read_only(),
            Fault::Vanished => self.ground.vanish(),
            Fault::KillEmerge => drop(self.builder.exec(&["pkill", "-KILL", "-x", "emerge"])),
            Fault::KillSupervisor => {
                self.builder.sh("pkill -KILL -f '^gbsup: supervisor'");
            }
            Fault::KillContainer => self.restart(),
            Fault::ClockJumps(seconds) => {
                self.builder.sh(&format!("echo {seconds} >/etc/soak-offset"));
                self.restart();
            }
            Fault::StoppedReaders => self.stop_readers(),
            Fault::FlagStorm => {
                self.builder.exec(&[
                    "bash",
                    "-c",
                    &format!(
                        "cd {VOLUME}/control && for n in {{1..300}}; do : >x$n; : >resume; : >sync; mkdir -p d$n; done"
                    ),
                ]);
            }
        }
    }

    #[track_caller]
    fn restart(&mut self) {
        let pid = self.builder.pid();
        assert_eq!(self.builder.kill_now(pid), 137);
        self.builder.start();
    }

    /// Readers of each kind that take nothing.
    #[track_caller]
    fn stop_readers(&mut self) {
        self.builder.sh(
            "(setsid bash -c 'gbsup status --watch --json & sleep 0.3; kill -STOP $!; sleep 600' >/dev/null 2>&1 &)\n\
             (setsid bash -c 'gbsup logs -f & sleep 0.3; kill -STOP $!; sleep 600' >/dev/null 2>&1 &)\n\
             for n in {1..40}; do (setsid bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET /binpkgs/Packages HTTP/1.1\\r\\nHost: x\\r\\n\" >&3; sleep 600' >/dev/null 2>&1 &); done",
        );
        let attached = Command::new("docker")
            .args(["attach", "--no-stdin", "--sig-proxy=false", self.builder.name()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker starts");
        let pid = Pid::from_raw(i32::try_from(attached.id()).expect("a pid"));
        kill(pid, Signal::SIGSTOP).expect("it is a child");
        self.stopped.push(attached);
    }

    /// Lets a fault last until the builder has come to rest with it.
    #[track_caller]
    fn hold(&mut self, fault: Fault) {
        match fault {
            Fault::DiskFull
            | Fault::InodesFull
            | Fault::ReadOnly
            | Fault::Vanished
            | Fault::StoppedReaders => {
                self.settle(0);
            }
            Fault::FlagStorm => {
                let flags = ["sync", "resume"].map(|flag| self.ground.volume().join("control").join(flag));
                host_wait("the flags are taken", || flags.iter().all(|flag| !flag.exists()));
            }
            _ => {}
        }
    }

    #[track_caller]
    fn lift(&mut self, fault: Fault) {
        match fault {
            Fault::DiskFull | Fault::InodesFull => self.ground.free(),
            Fault::ReadOnly | Fault::Vanished => self.ground.back(),
            Fault::FlagStorm => {
                self.builder.sh(&format!("cd {VOLUME}/control && rm -rf x* d*"));
            }
            Fault::StoppedReaders => {
                for mut reader in self.stopped.drain(..) {
                    drop(reader.kill());
                    drop(reader.wait());
                }
                // The shells as well, which would go on to another sleep.
                self.builder.sh("pkill -KILL -f '[s]leep 600'; pkill -KILL -f '^gbsup (status|logs)'; true");
            }
            _ => {}
        }
    }
}

/// Whether it is paused for nothing but packages that do not compile.
fn is_expected(status: &Status, plan: &Plan) -> bool {
    let broken = |package: &str| {
        let is = |(name, package): (&String, &Package)| (name.clone(), package.is_broken());
        let broken = plan.packages.iter().map(is).filter(|(_, broken)| *broken);
        broken.map(|(name, _)| format!("test-quick/{name}-")).any(|name| package.starts_with(&name))
    };
    let failures = status.pause.as_ref().map(|pause| &pause.failures[..]).unwrap_or_default();
    status.state == Mode::Paused
        && !failures.is_empty()
        && failures.iter().all(|failure| failure.package.as_deref().is_some_and(broken))
}

/// The version that a change is about: the newest, less what comes after it in the same round.
fn version(name: &str, changes: &[Change], change: &Change, plan: &Plan) -> u32 {
    let at = changes.iter().position(|one| std::ptr::eq(one, change)).unwrap_or(0);
    let later = changes[at + 1..]
        .iter()
        .filter(|later| matches!(later, Change::Bump(other) | Change::Break(other) if other == name));
    plan.packages[name].version - u32::try_from(later.count()).unwrap_or(0)
}
