//! Power losses: the disk with the volume forgets what it was not told to keep, at a hundred moments of a builder's life.
//!
//! The life is recorded once, with what the builder had acknowledged and when. Each cut makes the disk as it would be after
//! it, starts the builder on that, and looks whether everything acknowledged is there.

use std::fs;

use gbsup::model::status::{Mode, Status, Why};

use super::disk::Disk;
use super::oracle::{Reader, look};
use crate::support::{Builder, Random, Recipe, VOLUME, docker};

const CONFIG: &str = "[cycle]\ninterval = \"never\"\non_start = false\n\
                      [sync]\ncommand = [\"emaint\", \"sync\", \"-a\"]\nmin_interval = \"1s\"\nretries = [\"1s\"]\n";
/// After every so many cuts there is a whole cycle; in between it only goes on with what it was at.
const WHOLE: u64 = 5;
/// The package that is skipped.
const SKIPPED: &str = "test-fail/broken";
const WORLD: &[&str] = &["test-quick/t1", "test-quick/t4", "test-quick/t5", SKIPPED];

/// What the builder had said is so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fact {
    /// Clients are offered this release, or a later one.
    Release(String),
    /// A person holds it, or does not any more.
    Held(bool),
    /// The package is left out.
    Skip,
}

/// What was recorded.
struct Life {
    disk: Disk,
    facts: Vec<(usize, Fact)>,
    /// The root file system at its end, which no power loss takes back.
    image: String,
}

/// What was acknowledged, and how long the disk's log was then.
struct Recorder<'a> {
    builder: Builder,
    disk: &'a Disk,
    facts: Vec<(usize, Fact)>,
}

impl Recorder<'_> {
    fn said(&mut self, fact: Fact) {
        self.facts.push((self.disk.log().len(), fact));
    }

    /// The newest release, as the status has it.
    #[track_caller]
    fn released(&mut self) {
        let id = self.builder.status().release.expect("a release").id;
        self.said(Fact::Release(id));
    }

    #[track_caller]
    fn cycle(&mut self, id: u64) {
        self.builder.gbsup(&["sync"]).ok();
        self.builder.wait_cycle(id);
        self.builder.wait_waiting();
        self.released();
    }

    /// The whole life.
    #[track_caller]
    fn record(&mut self) {
        self.builder.wait_paused();
        self.builder.gbsup(&["skip", SKIPPED]).ok();
        self.said(Fact::Skip);
        self.builder.resume();
        self.builder.wait_waiting();
        self.released();
        for cycle in 2..=4 {
            let (old, new) = ((cycle - 1).to_string(), cycle.to_string());
            self.builder.tree(&["bump", "test-quick/t4", &old, &new, ""]);
            self.builder.tree(&["bump", "test-quick/t1", &old, &new, ""]);
            self.cycle(cycle);
            self.builder.gbsup(&["pause", "--now", "--reason", "power"]).ok();
            self.builder.wait_paused_by_operator();
            self.said(Fact::Held(true));
            self.builder.gbsup(&["publish", "--once"]);
            self.builder.gbsup(&["rollback"]).ok();
            self.released();
            // From here on both are right until it is said.
            self.said(Fact::Held(false));
            self.builder.resume();
            self.builder.wait_waiting();
        }
    }
}

/// What is known for certain when the log is so long: the last of each kind.
fn known(facts: &[(usize, Fact)], length: usize) -> (Option<&str>, bool, bool) {
    let before = facts.iter().filter(|(at, _)| *at <= length).map(|(_, fact)| fact);
    let (mut release, mut held, mut skipped) = (None, false, false);
    for fact in before {
        match fact {
            Fact::Release(id) => release = Some(id.as_str()),
            Fact::Held(is) => held = *is,
            Fact::Skip => skipped = true,
        }
    }
    (release, held, skipped)
}

/// Whether one release came after another: `DAY.NUMBER`.
fn is_older(one: &str, than: &str) -> bool {
    let parts = |id: &str| {
        let (day, number) = id.split_once('.').unwrap_or((id, "0"));
        (day.to_owned(), number.parse::<u32>().unwrap_or(0))
    };
    parts(one) < parts(than)
}

#[track_caller]
fn rest(builder: &mut Builder) -> Status {
    builder.look_away();
    builder.wait_for("it is at rest", |status| {
        matches!(status.state, Mode::Waiting | Mode::Paused | Mode::Degraded) && status.pending.is_empty()
    })
}

/// What is wrong after one power loss; `whole`: a cycle of everything follows, and a client installs what that offers.
fn examine(life: &Life, length: usize, whole: bool, random: &mut Random) -> Vec<String> {
    let Life { disk, facts, image } = life;
    let (release, held, skipped) = known(facts, length);
    let place = match disk.after(length, random) {
        Ok(place) => place,
        Err(error) => return vec![format!("the file system cannot be mounted: {error}")],
    };
    let mut wrong = Vec::new();
    // Before anything could be repaired: that is what a server of these files has.
    wrong.extend(look(&place.join("releases")));
    let current = fs::read_link(place.join("releases/current")).ok().map(|name| name.display().to_string());
    match (release, &current) {
        (Some(acknowledged), None) => {
            wrong.push(format!("{acknowledged} was published, and nothing is offered"));
        }
        (Some(acknowledged), Some(current)) if is_older(current, acknowledged) => {
            wrong.push(format!("{acknowledged} was published, and {current} is offered"));
        }
        _ => {}
    }
    let reader = Reader::new(&place);
    wrong.extend(reader.files(&["--releases"]));

    let mount = format!("{}:{VOLUME}", place.display());
    let mut builder = Recipe::new(&[]).no_volume().image(image).args(&["--volume", &mount]).start();
    let status = rest(&mut builder);
    let by_operator = status.pause.as_ref().is_some_and(|pause| pause.why == Why::Operator);
    if held && !by_operator {
        wrong.push(format!("a person holds it, and it is {}", status.headline));
    }
    if skipped && !status.skipped.iter().any(|skip| skip.package == SKIPPED) {
        wrong.push(format!("{SKIPPED} is not skipped any more: {:?}", status.skipped));
    }
    for warning in status.warnings.iter().filter(|warning| warning.contains("damaged")) {
        wrong.push(warning.clone());
    }
    // What the power took was perhaps that it shall be left out.
    builder.gbsup(&["skip", SKIPPED]);
    if whole {
        builder.gbsup(&["sync"]).ok();
    } else if status.state == Mode::Paused {
        builder.gbsup(&["resume"]);
    }
    let status = rest(&mut builder);
    if status.state != Mode::Waiting {
        wrong.push(format!("it does not go on: {}", status.headline));
    }
    wrong.extend(reader.files(if whole { &[] } else { &["--read-only"] }));
    builder.assert_tidy();
    wrong
}

/// `make soak`: `CUTS` power losses, chosen by `SEED`.
#[test]
#[ignore = "it takes half an hour, and needs FUSE and loop devices"]
fn power_losses() {
    if let Some(lack) = Disk::lacks() {
        println!("power losses are NOT tried on this machine: {lack}");
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or_else(super::clock);
    let cuts = number("CUTS").unwrap_or(100);
    println!("SEED={seed} CUTS={cuts}");
    let disk = Disk::new();
    let mount = format!("{}:{VOLUME}", disk.volume().display());
    let builder = Recipe::new(WORLD).no_volume().args(&["--volume", &mount]).config(CONFIG).start();
    let image = format!("{}-power", builder.name());
    let mut recorder = Recorder { builder, disk: &disk, facts: Vec::new() };
    recorder.record();
    let Recorder { mut builder, facts, .. } = recorder;
    builder.stop();
    docker(&["commit", builder.name(), &image]).ok();
    builder.remove();
    let length = disk.log().len();
    disk.unmount("volume");
    let (writes, flushes) = disk.log().counted();
    println!("a life of {writes} writes and {flushes} flushes, of which {length} count; {facts:?}");
    let life = Life { disk, facts, image };
    let mut random = Random::of(seed);
    let mut all = Vec::new();
    for cut in 1..=cuts {
        let at = random.below(u32::try_from(length).expect("a short life")) as usize + 1;
        let wrong = examine(&life, at, cut % WHOLE == 0, &mut random);
        println!(
            "cut {cut} after {at}: {}",
            if wrong.is_empty() { "nothing lost".to_owned() } else { wrong.join("; ") }
        );
        all.extend(wrong.into_iter().map(|wrong| format!("cut {cut} after {at}: {wrong}")));
    }
    docker(&["rmi", "--force", &life.image]);
    assert!(all.is_empty(), "SEED={seed}:\n{}", all.join("\n"));
    println!("SEED={seed}: {cuts} power losses, nothing lost");
}
