//! Conversations with helpers of distcc.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{advance, pause, resume};

use super::distcc::{AGAIN, NOBODY};
use super::farm::Wanted;
use super::proof::tests::{answer, daemon, object, probe, wait_for};
use super::*;
use crate::helpers::{BEAT, VERSION};
use crate::model::helpers::Announced;

/// The builder, and who is told.
struct Builder {
    farm: Arc<Farm>,
    told: UnboundedReceiver<Present>,
    wanted: watch::Sender<Wanted>,
}

impl Builder {
    fn new() -> Self {
        let (wanted, knows) = watch::channel(None);
        let (farm, told) = Farm::telling(knows);
        Self { farm: Arc::new(farm), told, wanted }
    }

    /// It has proofs, or none.
    fn wants(&self, probes: &[crate::model::helpers::Probe]) {
        self.wanted.send_replace(Some(probes.into()));
    }

    /// A helper comes; what it hears.
    async fn comes(&self, distcc: u32, port: u16) -> BufReader<TcpStream> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut helper = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, from) = listener.accept().await.unwrap();
        let farm = Arc::clone(&self.farm);
        tokio::spawn(async move { serve(&farm, Engine::Distcc, stream, from).await });
        let said = Announced { distcc, name: "h1".into(), port, slots: 2 };
        let said = serde_json::to_string(&said).unwrap() + "\n";
        helper.write_all(said.as_bytes()).await.unwrap();
        BufReader::new(helper)
    }

    /// The names of those that are in, and why others are out.
    async fn told(&mut self) -> (Vec<String>, Vec<String>) {
        let told = self.told.recv().await.unwrap();
        let names = told.helpers.into_iter().map(|one| one.name).collect();
        (names, told.left_out.into_iter().map(|one| one.why).collect())
    }
}

async fn hears(helper: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    helper.read_line(&mut line).await.unwrap();
    line
}

async fn passes(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

fn nobody() -> Vec<String> {
    Vec::new()
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[test]
fn nobody_is_given_anything_while_nobody_can_be_proved() {
    wait_for(async {
        let mut builder = Builder::new();
        let daemon = daemon(vec![answer(0, &object("14")), answer(0, &object("14"))]);
        let mut helper = builder.comes(VERSION, daemon.port()).await;
        assert_eq!(hears(&mut helper).await, "gbsup distcc 1\n");
        builder.wants(&[probe("gcc", true)]);
        assert_eq!(builder.told().await, (one("h1"), nobody()));
        let gate = SocketAddr::from(([127, 0, 1, 1], daemon.port()));
        drop(TcpStream::connect(gate).await.unwrap());
        builder.wants(&[]);
        assert_eq!(builder.told().await, (nobody(), nobody()));
        assert!(TcpStream::connect(gate).await.is_err(), "it is still given files");
        passes(NOBODY).await;
        let why = "what the builder's own compilers make is not known";
        assert_eq!(builder.told().await, (nobody(), one(why)));
        builder.wants(&[probe("gcc", true)]);
        assert_eq!(builder.told().await, (one("h1"), nobody()));
    });
}

#[test]
fn what_passes_is_tried_again() {
    wait_for(async {
        let mut builder = Builder::new();
        let answers = vec![Vec::new(), answer(256, b""), answer(0, &object("14"))];
        let _helper = builder.comes(VERSION, daemon(answers).port()).await;
        builder.wants(&[probe("gcc", true)]);
        let why = "it answers nothing when it is to use gcc: it has none, or no room";
        assert_eq!(builder.told().await, (nobody(), one(why)));
        passes(AGAIN).await;
        assert_eq!(builder.told().await, (nobody(), one("its gcc fails")));
        passes(AGAIN).await;
        assert_eq!(builder.told().await, (one("h1"), nobody()));
    });
}

#[test]
fn another_compiler_stays_another_until_compilers_change() {
    wait_for(async {
        let mut builder = Builder::new();
        let answers = vec![answer(0, &object("15")), answer(0, &object("14"))];
        let _helper = builder.comes(VERSION, daemon(answers).port()).await;
        builder.wants(&[probe("gcc", true)]);
        let why = "its gcc is gcc (Gentoo 15), and the one here is gcc (Gentoo 14)";
        assert_eq!(builder.told().await, (nobody(), one(why)));
        passes(2 * AGAIN).await;
        builder.wants(&[probe("gcc", true)]);
        assert_eq!(builder.told().await, (one("h1"), nobody()));
    });
}

#[test]
fn whoever_helps_hears_that_there_is_a_builder() {
    wait_for(async {
        let mut builder = Builder::new();
        let mut helper = builder.comes(VERSION, daemon(vec![answer(0, &object("14"))]).port()).await;
        assert_eq!(hears(&mut helper).await, "gbsup distcc 1\n");
        passes(BEAT).await;
        assert_eq!(hears(&mut helper).await, "\n");
        builder.wants(&[probe("gcc", true)]);
        assert_eq!(hears(&mut helper).await, "helps\n");
        assert_eq!(builder.told().await, (one("h1"), nobody()));
        passes(BEAT).await;
        assert_eq!(hears(&mut helper).await, "\n");
        builder.wants(&[probe("g++", true)]);
        // Nobody listens there any more.
        assert!(hears(&mut helper).await.starts_with("is given nothing any more: "));
        let lost = builder.told.recv().await.unwrap().lost.unwrap();
        assert!(lost.starts_with("h1 was taken out: "), "{lost}");
    });
}

#[test]
fn whoever_is_turned_away_is_told_why() {
    wait_for(async {
        let builder = Builder::new();
        let mut other = builder.comes(9, 3632).await;
        assert_eq!(hears(&mut other).await, "gbsup refuses it is a helper of another version of gbsup\n");
        builder.farm.leave_out([127, 0, 0, 1].into());
        let mut out = builder.comes(VERSION, 3632).await;
        let why = "it brought nothing back, and is left out for some minutes";
        assert_eq!(hears(&mut out).await, format!("gbsup refuses {why}\n"));
    });
}
