//! What compile helpers need here: icecream's scheduler and its daemon on loopback, and the relay that helpers come to (`crate::helpers`). Each is
//! kept running by a thread of its own, for as long as the configuration wants it, and nothing of the loop waits for any. For distcc there are the
//! relay, and two threads more: one finds out what the compilers here make, and one reads what clients write.

mod clients;
mod keep;
mod known;
mod proofs;
mod stage;
mod told;
mod whose;

use std::io::{self, PipeWriter};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use known::News;
use proofs::Wish;
use stage::Stage;
use tokio::sync::mpsc::UnboundedSender;
use told::Told;

use crate::config::Engine;
use crate::host::build::cpus;
use crate::host::places::found;
use crate::model::Event;
use crate::model::helpers::BUILDER;
use crate::model::state::{State, Volume};

/// Where the scheduler listens, on loopback.
const SCHEDULER: &str = "8767";

/// What runs, where it is wanted.
#[derive(Default)]
pub(super) struct Helping {
    running: Option<Running>,
    /// Which of those that were started the loop hears of.
    heard: Arc<Mutex<u64>>,
}

struct Running {
    engine: Engine,
    stage: Arc<Stage>,
    told: Sender<Told>,
    of_distcc: Option<OfDistcc>,
    cycle: Option<u64>,
    /// How much of the cycle was merged.
    merged: usize,
}

/// What only distcc needs.
struct OfDistcc {
    /// Where it is found out what compilers make.
    wishes: Sender<Wish>,
    /// Closed, it ends the reading of what clients write.
    _end: PipeWriter,
}

impl Helping {
    /// Starts and stops them as the configuration wants it.
    pub(super) fn look(&mut self, state: &State, events: &UnboundedSender<Event>) {
        let live = &state.live;
        let engine = live.config.helpers.engine;
        // What is not installed is told by the preflight, and may be installed by whoever reads that.
        let installed = match engine {
            Engine::None => false,
            Engine::Icecream => self.running.is_some() || found("icecc-scheduler"),
            Engine::Distcc => self.running.is_some() || found("distcc"),
        };
        let wanted = installed && live.volume == Volume::Ours && !live.stopping;
        if self.running.as_ref().is_some_and(|running| !wanted || running.engine != engine) {
            self.stop();
        }
        let cycle = state.durable.cycle.as_ref();
        let (id, merged) = (cycle.map(|cycle| cycle.id), cycle.map_or(0, |cycle| cycle.merged.len()));
        match &mut self.running {
            Some(running) => running.look(id, merged),
            None if wanted => self.running = Running::begin(engine, id, events, &self.heard),
            None => {}
        }
    }

    /// Ends them.
    pub(super) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stage.stop();
        }
    }
}

impl Running {
    /// A cycle begins with proofs, and what was merged may have been a compiler.
    fn look(&mut self, cycle: Option<u64>, merged: usize) {
        let begins = self.cycle != cycle;
        if begins {
            drop(self.told.send(Told::Cycle(cycle)));
        }
        if let Some(OfDistcc { wishes, .. }) = &self.of_distcc
            && (begins || self.merged != merged)
        {
            drop(wishes.send(if begins && cycle.is_some() { Wish::Cycle } else { Wish::Merged }));
        }
        (self.cycle, self.merged) = (cycle, merged);
    }

    /// Begins; nothing when there could be no thread, and then the next look tries again.
    fn begin(
        engine: Engine,
        cycle: Option<u64>,
        events: &UnboundedSender<Event>,
        last: &Arc<Mutex<u64>>,
    ) -> Option<Self> {
        let (told, heard) = mpsc::channel();
        let stage = Arc::new(Stage::default());
        drop(told.send(Told::Cycle(cycle)));
        let (events, last) = (events.clone(), Arc::clone(last));
        let tells = move || known::tell(&heard, &News::next(&last, events));
        thread::Builder::new().name("helpers".into()).spawn(tells).ok()?;
        let begun = if engine == Engine::Distcc {
            OfDistcc::begin(&stage, &told).map(Some)
        } else {
            of_icecream(cpus())
                .into_iter()
                .try_for_each(|(program, argv)| spawn(program, argv, &stage, &told, None))
                .map(|()| None)
        };
        let Ok(of_distcc) = begun else {
            stage.stop();
            return None;
        };
        Some(Self { engine, stage, told, of_distcc, cycle, merged: 0 })
    }
}

impl OfDistcc {
    /// The relay, with what reads that of clients and what finds out about compilers.
    fn begin(stage: &Arc<Stage>, told: &Sender<Told>) -> io::Result<Self> {
        let (wish, wished) = mpsc::channel();
        let (ended, end) = io::pipe()?;
        let (kept, tells) = (Arc::clone(stage), told.clone());
        thread::Builder::new().name("proofs".into()).spawn(move || proofs::keep(&wished, &kept, &tells))?;
        let (kept, tells) = (Arc::clone(stage), told.clone());
        thread::Builder::new().name("clients".into()).spawn(move || clients::read(&kept, &tells, &ended))?;
        let argv = vec!["/proc/self/exe".to_owned(), "relay".to_owned(), "distcc".to_owned()];
        spawn("relay", argv, stage, told, Some(wish.clone()))?;
        Ok(Self { wishes: wish, _end: end })
    }
}

/// Keeps a program running in a thread of its own.
fn spawn(
    program: &'static str,
    argv: Vec<String>,
    stage: &Arc<Stage>,
    told: &Sender<Told>,
    wishes: Option<Sender<Wish>>,
) -> io::Result<()> {
    let (kept, told) = (Arc::clone(stage), told.clone());
    let keeper = move || keep::keep(program, argv, &kept, &told, wishes.as_ref());
    thread::Builder::new().name(program.to_owned()).spawn(keeper).map(drop)
}

/// What is kept running for icecream, by the names that `ps` shows.
fn of_icecream(slots: u32) -> [(&'static str, Vec<String>); 3] {
    let slots = slots.to_string();
    let scheduler = format!("127.0.0.1:{SCHEDULER}");
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    [
        ("icecc-scheduler", argv(&["icecc-scheduler", "-i", "lo", "-p", SCHEDULER, "-vvv"])),
        (
            "iceccd",
            argv(&[
                "iceccd",
                "--no-remote",
                "-m",
                &slots,
                "-s",
                &scheduler,
                "-N",
                BUILDER,
                "-b",
                "/var/cache/icecc",
            ]),
        ),
        ("relay", argv(&["/proc/self/exe", "relay"])),
    ]
}
