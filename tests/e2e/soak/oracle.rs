//! What has to be true after each round, whatever happened in it. What is read of the volume is read by `oracle.py` in a client's
//! container, with Portage's own code and none of gbsup's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gbsup::model::status::{Mode, Status};

use super::plan::{Fault, Hand, Plan, Round};
use super::world::World;
use crate::support::{Client, feed};

const SCRIPT: &str = include_str!("oracle.py");
/// More emerges than this in one round are a builder that tries for ever.
const EMERGES: usize = 40;
/// How often processes may give up the CPU in a second while nothing is to be done.
const IDLE: u64 = 12;

/// A client's container in which `oracle.py` reads a volume.
pub struct Reader(Client);

impl Reader {
    /// For the volume in this directory.
    #[track_caller]
    pub fn new(volume: &Path) -> Self {
        let mount = format!("{}:/srv:ro", volume.display());
        Self(Client::with(&["--network", "none", "--volume", &mount]))
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// What is wrong with the files on the volume. `--read-only`: without installing anything; `--releases`: the releases alone.
    #[track_caller]
    pub fn files(&self, args: &[&str]) -> Vec<String> {
        let python = ["exec", "--interactive", self.name(), "python3", "-"];
        let ran = feed(&[&python, args].concat(), SCRIPT.as_bytes());
        let mut wrong: Vec<String> = ran.out.lines().map(str::to_owned).collect();
        if ran.code != 0 {
            wrong.push(format!("the oracle failed: {}", ran.err));
        }
        wrong
    }
}

/// What is compared with what was before.
pub struct Oracle {
    /// The client that installs.
    pub reader: Reader,
    watcher: Watcher,
    started: String,
    ours: String,
    emerges: usize,
}

impl Oracle {
    /// For a builder that is done with its first cycle.
    #[track_caller]
    pub fn new(world: &World) -> Self {
        let volume = world.ground.volume();
        Self {
            reader: Reader::new(&volume),
            watcher: Watcher::begin(volume.join("releases")),
            started: started(world),
            ours: ours(world),
            emerges: world.builder.emerges().len(),
        }
    }

    /// Everything that is wrong after this round.
    #[track_caller]
    pub fn examine(&mut self, world: &mut World, round: &Round, plan: &Plan, status: &Status) -> Vec<String> {
        // What is built against s1.
        let mut wrong = self.reader.files(if plan.s1_failed { &["--again=s3"] } else { &[] });
        wrong.extend(self.watcher.seen());
        wrong.extend(self.process_one(world, round));
        wrong.extend(self.configuration(world));
        wrong.extend(self.work(world));
        wrong.extend(built(world, plan, status));
        // What somebody went back to stays until a cycle is done, or has built something before it pauses.
        let went_back = status.release.as_ref().is_some_and(|release| release.again.is_some());
        let stays = went_back && status.state == Mode::Paused;
        if !stays && !matches!(round.hand, Some((Hand::Rollback, _))) {
            wrong.extend(offered(world, plan));
        }
        if status.state == Mode::Degraded {
            wrong.push(format!("it is {}", status.headline));
        }
        world.builder.assert_tidy();
        if round.number % 10 == 5 {
            let idle = world.builder.idle(Duration::from_secs(1));
            if idle.init + idle.supervisor > IDLE {
                wrong.push(format!("it polls while it is idle: {idle:?}"));
            }
        }
        wrong
    }

    /// Promise 1: PID 1 is the one that was started, unless the round killed it.
    fn process_one(&mut self, world: &World, round: &Round) -> Option<String> {
        let killed = matches!(round.fault, Some((Fault::KillContainer | Fault::ClockJumps(_), _)));
        let before = std::mem::replace(&mut self.started, started(world));
        (!killed && before != self.started)
            .then(|| format!("PID 1 was started again: {before}, {}", self.started))
    }

    /// Promise 6: of gbsup's files below /etc/portage none stays, and none of anybody else's is touched; rounds change
    /// `package.use` and `repos.conf`.
    fn configuration(&self, world: &World) -> Option<String> {
        let ours = ours(world);
        (ours != self.ours).then(|| format!("/etc/portage was\n{}and is\n{ours}", self.ours))
    }

    /// Promise 5: nothing is tried for ever.
    fn work(&mut self, world: &World) -> Option<String> {
        let now = world.builder.emerges().len();
        let before = std::mem::replace(&mut self.emerges, now);
        (now > before + EMERGES).then(|| format!("{} emerges in one round", now - before))
    }
}

/// Promises 2 and 8: of what compiles the newest is offered, as far as nothing that it is built with fails.
fn offered(world: &World, plan: &Plan) -> Vec<String> {
    let path = world.ground.volume().join("releases/current/Packages");
    let index = match fs::read_to_string(&path) {
        Ok(index) => index,
        Err(error) => return vec![format!("{}: {error}", path.display())],
    };
    let has = |cpv: &str| index.lines().any(|line| line.strip_prefix("CPV: ") == Some(cpv));
    let together = ["s1", "s2", "s3"];
    let doubtful = together.iter().any(|name| plan.packages[*name].is_broken());
    let sure = plan
        .packages
        .iter()
        .filter(|(name, package)| !(package.is_broken() || doubtful && together.contains(&name.as_str())));
    let names = sure.map(|(name, package)| format!("test-quick/{name}-{}", package.good));
    let missing = names.filter(|cpv| !has(cpv));
    missing.map(|cpv| format!("{cpv} is not offered, in an index of {} bytes", index.len())).collect()
}

/// Promise 8: what compiles is installed; or it is told that what is installed of a failing package does not go with it.
fn built(world: &World, plan: &Plan, status: &Status) -> Vec<String> {
    let there = world.builder.sh("ls /var/db/pkg/test-quick");
    let is = |name: &str| there.lines().any(|line| line == name);
    let newest = plan.packages.iter().filter(|(_, package)| package.good > 0);
    let newest = newest.map(|(name, package)| format!("{name}-{}", package.good));
    let told =
        |name: &str| status.warnings.iter().any(|warning| warning.contains(&format!("test-quick/{name}")));
    newest
        .filter(|name| !is(name) && !told(name))
        .map(|name| format!("{name} is not installed: {there}"))
        .collect()
}

/// When the container was started.
fn started(world: &World) -> String {
    crate::support::docker(&["inspect", "--format", "{{.State.StartedAt}}", world.builder.name()]).ok()
}

/// What is below /etc/portage, but what rounds change.
fn ours(world: &World) -> String {
    world.builder.sh(
        "cd /etc/portage && find . -type f ! -path './package.use/s*' -exec sha256sum {} + | sort -k2; find . -name '*gbsup*' | sort",
    )
}

/// A client that looks all the time: whatever it finds as the current release has to be there as its index says.
struct Watcher {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    fn begin(releases: PathBuf) -> Self {
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (is_over, found) = (Arc::clone(&over), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                if let Some(wrong) = look(&releases) {
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    if found.len() < 20 {
                        found.push(wrong);
                    }
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { over, seen, thread: Some(thread) }
    }

    /// What was wrong since the last time.
    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What is wrong with what clients get at this moment. No volume, or none mounted: nothing is.
pub fn look(releases: &Path) -> Option<String> {
    let name = fs::read_link(releases.join("current")).ok()?;
    let place = releases.join(&name);
    let index = fs::read_to_string(place.join("Packages"));
    let missing = index.as_ref().map_or_else(
        |error| Some(format!("{}: Packages: {error}", name.display())),
        |index| incomplete(&place, index).map(|wrong| format!("{}: {wrong}", name.display())),
    )?;
    // The volume may have gone away in the middle of the look.
    (fs::read_link(releases.join("current")).ok()? == name).then_some(missing)
}

fn incomplete(place: &Path, index: &str) -> Option<String> {
    let mut blocks = index.split("\n\n").map(|block| {
        block.lines().filter_map(|line| line.split_once(": ")).collect::<BTreeMap<&str, &str>>()
    });
    let told: usize = blocks.next()?.get("PACKAGES")?.parse().ok()?;
    let packages: Vec<_> = blocks.filter(|block| !block.is_empty()).collect();
    if packages.len() != told {
        return Some(format!("an index with {} of {told} packages", packages.len()));
    }
    packages.iter().find_map(|package| {
        let path = package.get("PATH")?;
        match fs::metadata(place.join(path)) {
            Ok(meta) if Some(&*meta.len().to_string()) == package.get("SIZE").copied() => None,
            Ok(meta) => Some(format!("{path} has {} bytes", meta.len())),
            Err(error) => Some(format!("{path}: {error}")),
        }
    })
}
