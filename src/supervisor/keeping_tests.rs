//! The loop with a disk that takes its time: the thread of the volume stops at a gate before it writes a state.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::time::{timeout, timeout_at};

use super::super::Supervisor;
use super::super::viewers::Viewer;
use super::*;
use crate::config::Config;
use crate::host::console::Console;
use crate::model::Asker;
use crate::model::request::{Reply, Request};
use crate::model::skip::ToSkip;
use crate::model::status::{Mode, Status};
use crate::portage::names::cpv::Cpv;
use crate::volume::store::state_file;

/// Longer than anything takes that does not wait.
const LONG: Duration = Duration::from_mins(1);

/// A builder on a slow disk, with a pause flag, so that no job begins.
struct Scene {
    volume: tempfile::TempDir,
    supervisor: Supervisor,
    events: UnboundedReceiver<Event>,
    sights: UnboundedReceiver<Vec<Event>>,
    done: UnboundedReceiver<Done>,
    /// One message lets one state be written.
    gate: mpsc::Sender<()>,
    /// One message for each order, with its name, when it has been carried out.
    carried_out: mpsc::Receiver<&'static str>,
}

impl Scene {
    fn new() -> Self {
        let volume = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.volume.path = volume.path().to_owned();
        // What would be started as the server is this test.
        config.http.listen = None;
        let taken = Store::take(volume.path(), true).ok().unwrap();
        let (done, done_in) = unbounded_channel();
        let (orders, given) = mpsc::channel();
        let (gate, open) = mpsc::channel();
        let (report, carried_out) = mpsc::channel();
        let keeping = Keeping { orders };
        let mut keeper = Keeper::new(keeping.clone(), Watch::new().unwrap());
        keeper.path = volume.path().to_owned();
        let obey = move |keeper: &mut Keeper, order: Order| {
            let name = match &order {
                Order::Save(_) => "save",
                Order::Record(_) => "record",
                _ => "other",
            };
            if name == "save" {
                open.recv().unwrap();
            }
            let done = keeper.obey(order);
            report.send(name).unwrap();
            done
        };
        keeper.begin(taken.store, &mut Vec::new());
        let keeping = Keeping::run(keeping, given, done, keeper, obey).unwrap();
        let output = Console::start(&UnixStream::pair().unwrap().0).unwrap();
        let (supervisor, events, sights) =
            Supervisor::made(config, output, keeping, watch::channel(()).0).unwrap();
        let mut scene = Self { volume, supervisor, events, sights, done: done_in, gate, carried_out };
        scene.supervisor.take(Event::Hold(true));
        scene.supervisor.take(Event::Claimed(Box::new(taken.claimed)));
        scene
    }

    /// What is shown to somebody who asks.
    async fn status(&mut self) -> Status {
        let (client, mut answer) = oneshot::channel();
        self.supervisor.show(Viewer::Client(client));
        loop {
            let late = self.supervisor.viewers.due().unwrap();
            match timeout_at(late.into(), self.sights.recv()).await {
                Ok(sight) => drop(self.supervisor.seen(sight.unwrap())),
                Err(_) => self.supervisor.show_the_late(),
            }
            match answer.try_recv() {
                Ok(Reply::Status { status }) => return *status,
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
        }
    }

    fn skip(&mut self, package: &str) -> oneshot::Receiver<Reply> {
        let (client, answer) = oneshot::channel();
        self.supervisor.requests += 1;
        let number = self.supervisor.requests;
        self.supervisor.replies.insert(number, client);
        let version = Cpv::parse(format!("{package}-1").as_bytes()).unwrap();
        let skip = ToSkip { package: package.to_owned(), version };
        let request = Request::Skip { packages: vec![skip] };
        self.supervisor.take(Event::Asked { by: Asker::Client(number), request });
        answer
    }

    /// Lets one state be written, and everything happen that waited for it.
    async fn write(&mut self) {
        self.gate.send(()).unwrap();
        self.one().await;
    }

    /// The end of one order.
    async fn one(&mut self) {
        let done = timeout(LONG, self.done.recv()).await.unwrap().unwrap();
        self.supervisor.done(done);
    }

    fn on_disk(&self) -> String {
        std::fs::read_to_string(state_file(self.volume.path())).unwrap_or_default()
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn a_slow_disk_holds_up_what_depends_on_it_and_nothing_else() {
    run(async {
        let mut scene = Scene::new();
        // What was decided is not on the disk, so nobody is told of it, but everybody is answered.
        let status = scene.status().await;
        assert_eq!((status.state, status.cycle), (Mode::Starting, None));
        assert_eq!(scene.on_disk(), "");
        scene.write().await;
        while scene.status().await.state == Mode::Starting {
            scene.one().await;
        }
        let status = scene.status().await;
        assert_eq!(status.state, Mode::Paused);
        assert!(scene.on_disk().contains("paused"), "{}", scene.on_disk());
        let told = scene.events.try_recv();
        assert!(told.is_err(), "{told:?}");
    });
}

#[test]
fn an_answer_comes_when_what_it_says_is_on_the_disk_and_one_write_does_for_many() {
    run(async {
        let mut scene = Scene::new();
        scene.write().await;
        while scene.status().await.state == Mode::Starting {
            scene.one().await;
        }
        scene.carried_out.try_iter().for_each(drop);

        let mut answers = [scene.skip("a/one"), scene.skip("a/two"), scene.skip("a/three")];
        assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
        assert!(scene.status().await.skipped.is_empty(), "it is not so before it is on the disk");
        scene.write().await;
        answers[0].try_recv().expect("the first is on the disk");
        assert!(
            scene.on_disk().contains("a/one") && !scene.on_disk().contains("a/two"),
            "{}",
            scene.on_disk()
        );
        assert!(answers[1].try_recv().is_err() && answers[2].try_recv().is_err());
        scene.write().await;
        assert!(scene.on_disk().contains("a/three"), "{}", scene.on_disk());
        answers[1].try_recv().expect("it is in the newer state");
        answers[2].try_recv().expect("it is on the disk");
        assert_eq!(scene.status().await.skipped.len(), 3);
        assert_eq!(scene.carried_out.try_iter().collect::<Vec<_>>(), ["save", "save"]);
    });
}

#[test]
fn a_look_that_hangs_costs_one_asker_a_second_and_the_next_ones_no_more_than_a_moment() {
    run(async {
        let mut scene = Scene::new();
        scene.write().await;
        while scene.status().await.state == Mode::Starting {
            scene.one().await;
        }
        let moment = Duration::from_millis(100);
        let ask = |scene: &mut Scene| {
            let (client, answer) = oneshot::channel();
            scene.supervisor.show(Viewer::Client(client));
            (answer, scene.supervisor.viewers.due().unwrap() - std::time::Instant::now())
        };
        while scene.supervisor.viewers.are_slow(moment) {
            scene.status().await;
        }
        let (release, hang) = mpsc::channel::<()>();
        scene.supervisor.beside(move |_| hang.recv().unwrap_or_default());
        let (mut first, wait) = ask(&mut scene);
        assert!(wait > moment, "a look is worth a wait");
        tokio::time::sleep(wait).await;
        scene.supervisor.show_the_late();
        assert!(matches!(first.try_recv(), Ok(Reply::Status { .. })));
        let (_second, wait) = ask(&mut scene);
        assert!(wait <= moment, "it hangs");
        drop(release);
        while scene.supervisor.viewers.are_slow(moment) {
            scene.status().await;
        }
        let (_third, wait) = ask(&mut scene);
        assert!(wait > moment, "looks are fast again");
    });
}

#[test]
fn a_look_that_does_not_end_keeps_nobody_waiting() {
    run(async {
        let mut scene = Scene::new();
        let (release, hang) = mpsc::channel::<()>();
        scene.supervisor.beside(move |_| hang.recv().unwrap_or_default());
        let (client, mut answer) = oneshot::channel();
        scene.supervisor.show(Viewer::Client(client));
        tokio::time::sleep_until(scene.supervisor.viewers.due().unwrap().into()).await;
        scene.supervisor.show_the_late();
        assert!(matches!(answer.try_recv(), Ok(Reply::Status { .. })));
        drop(release);
        assert_eq!(scene.status().await.state, Mode::Starting);
    });
}
