//! A helper of distcc: its compilers are asked for what is known of those here before it is given anything, and again while it has work.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::farm::{Gone, MOST_SLOTS, PATIENCE, Place, Visit, Wanted, hand_over, next};
use crate::distcc::{probe as unit, wire};
use crate::helpers::jobs::Counter;
use crate::helpers::probe;
use crate::helpers::{READY, VERSION};
use crate::icecream::wire::is_name;
use crate::model::helpers::{Announced, BUILDER, Helper, LeftOut, Probe};

/// Whoever takes longer for each of its units is slow: none is a tenth of a second's work.
const SLOW: Duration = Duration::from_secs(2);
/// Bytes of what a helper says of itself.
const LONGEST: usize = 1024;

/// What the builder says on standard input, a line each time.
///
/// # Errors
/// When there can be no thread that reads it.
pub(super) fn wanted() -> io::Result<watch::Receiver<Wanted>> {
    let (say, said) = watch::channel(Wanted::default());
    thread::Builder::new().name("proofs".into()).spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(probes) = serde_json::from_str::<Vec<Probe>>(&line) {
                say.send_replace(probes.into());
            }
        }
        // Without the builder there is nobody to compile for.
        std::process::exit(1);
    })?;
    Ok(said)
}

/// Lets it in as long as it is proved, until it goes.
pub(super) async fn introduce(visit: &Visit<'_>, mut stream: TcpStream) -> Result<Gone, Gone> {
    let late = |_| Gone::Out(format!("it did not say within {} s who it is", PATIENCE.as_secs()));
    let Some(said) = timeout(PATIENCE, line(&mut stream)).await.map_err(late)?? else {
        return Ok(Gone::Left);
    };
    let announced = read(&said).map_err(Gone::Out)?;
    stream.write_all(READY.as_bytes()).await?;
    let (mut from, to) = stream.into_split();
    tokio::select! {
        () = end_of(&mut from) => Ok(Gone::Left),
        gone = Helping { visit, announced, to }.attend() => gone,
    }
}

/// A line; nothing from whoever says nothing.
async fn line(stream: &mut TcpStream) -> Result<Option<Vec<u8>>, Gone> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await {
            Ok(b'\n') => return Ok(Some(line)),
            Ok(byte) if line.len() < LONGEST => line.push(byte),
            Ok(_) => return Err(Gone::Out("it does not say who it is".into())),
            Err(_) if line.is_empty() => return Ok(None),
            Err(_) => return Err(Gone::Out("it is no helper of distcc".into())),
        }
    }
}

fn read(said: &[u8]) -> Result<Announced, String> {
    let said: Announced = serde_json::from_slice(said).map_err(|_| "it is no helper of distcc")?;
    if said.distcc != VERSION || said.port == 0 || said.slots == 0 {
        return Err("it is a helper of another version of gbsup".into());
    }
    if !is_name(said.name.as_bytes()) {
        return Err(
            "it has a name that is none: letters, digits, dots, hyphens and underscores, at most 64".into()
        );
    }
    if said.name == BUILDER {
        return Err(format!("it calls itself {BUILDER}, as the builder does"));
    }
    Ok(said)
}

async fn end_of(from: &mut OwnedReadHalf) {
    let mut bytes = [0; 64];
    while from.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
}

/// What compilers there are the same as here.
struct Proved {
    same: BTreeSet<String>,
    /// Why others are not.
    others: BTreeMap<String, String>,
}

struct Helping<'a> {
    visit: &'a Visit<'a>,
    announced: Announced,
    to: tokio::net::tcp::OwnedWriteHalf,
}

impl Helping<'_> {
    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.visit.from.ip(), self.announced.port)
    }

    async fn attend(mut self) -> Result<Gone, Gone> {
        let mut wanted = self.visit.farm.wanted.clone();
        let jobs = self.visit.jobs;
        let (refuse, mut refused) = mpsc::unbounded_channel();
        let proofs = watch::Sender::new(None::<Arc<Proved>>);
        let mut gate = JoinSet::new();
        loop {
            let probes = Arc::clone(&wanted.borrow_and_update());
            let Some(first) = probes.iter().find(|probe| probe.needed) else {
                wanted.changed().await.map_err(|_| Gone::Left)?;
                continue;
            };
            // Whoever comes meanwhile waits.
            proofs.send_replace(None);
            let is_in = match prove(self.address(), &probes).await.map_err(Gone::Out)? {
                Ok(proved) => {
                    if gate.is_empty() {
                        let listener = TcpListener::bind(self.visit.here(self.announced.port)).await?;
                        gate.spawn(hand_on(
                            listener,
                            self.address(),
                            proofs.subscribe(),
                            jobs.clone(),
                            refuse.clone(),
                        ));
                    }
                    proofs.send_replace(Some(Arc::new(proved)));
                    self.put(None);
                    self.say("helps").await;
                    true
                }
                Err(why) => {
                    gate = JoinSet::new();
                    self.say(&format!("is given nothing: {why}")).await;
                    let name = self.announced.name.clone();
                    self.visit.put(Place::Out(LeftOut { name, why }));
                    false
                }
            };
            let silent = probe::until_silent(|| answers(self.address(), first), jobs);
            tokio::pin!(silent);
            let mut told = false;
            loop {
                tokio::select! {
                    changed = wanted.changed() => {
                        changed.map_err(|_| Gone::Left)?;
                        break;
                    }
                    why = &mut silent, if is_in => return Ok(Gone::Out(why)),
                    why = jobs.until_stuck() => return Ok(Gone::Stuck(why)),
                    Some(why) = refused.recv() => {
                        // The first is enough for a person to look.
                        if is_in && !std::mem::replace(&mut told, true) {
                            self.put(Some(why));
                        }
                    }
                }
            }
        }
    }

    /// It takes files, but for some.
    fn put(&self, short: Option<String>) {
        let Announced { name, slots, port, .. } = &self.announced;
        let helper = Helper {
            name: name.clone(),
            address: self.visit.from.ip().to_string(),
            slots: (*slots).min(MOST_SLOTS),
            gate: Some(self.visit.here(*port).to_string()),
        };
        self.visit.put(Place::In(helper, short));
    }

    /// For its own log.
    async fn say(&mut self, what: &str) {
        // When it is gone, that is noticed elsewhere.
        drop(self.to.write_all(format!("{what}\n").as_bytes()).await);
    }
}

/// Compares its compilers with those here; why it is given nothing when one that is needed is another.
///
/// # Errors
/// When it does not answer.
async fn prove(address: SocketAddr, probes: &[Probe]) -> Result<Result<Proved, String>, String> {
    let mut proved = Proved { same: BTreeSet::new(), others: BTreeMap::new() };
    let mut fastest = PATIENCE;
    for probe in probes {
        let begun = Instant::now();
        match compare(address, probe).await {
            Ok(None) => {
                fastest = fastest.min(begun.elapsed());
                proved.same.insert(probe.compiler.clone());
            }
            Ok(Some(why)) if probe.needed => return Ok(Err(why)),
            Ok(Some(why)) => drop(proved.others.insert(probe.compiler.clone(), why)),
            Err(why) => return Err(why),
        }
    }
    Ok(if fastest > SLOW {
        Err(format!("it is slow: what takes a moment takes it {} s and more", fastest.as_secs()))
    } else {
        Ok(proved)
    })
}

/// Whether it is still there, and its compiler with it.
async fn answers(address: SocketAddr, probe: &Probe) -> Result<(), String> {
    compare(address, probe).await.and_then(|other| other.map_or(Ok(()), Err))
}

/// Has it compile something; why what comes back shows another compiler.
///
/// # Errors
/// When nothing comes back.
async fn compare(address: SocketAddr, probe: &Probe) -> Result<Option<String>, String> {
    let compiler = &probe.compiler;
    let asked =
        wire::ask(&unit::arguments(compiler, unit::file(compiler), "gbsup.o"), unit::source(compiler));
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&asked).await?;
        let mut came = Vec::new();
        loop {
            if let Some(answer) = wire::answer(&came).map_err(io::Error::other)? {
                let made = answer.status == 0;
                return Ok(if made {
                    unit::differs(compiler, &probe.object, answer.object)
                } else {
                    Some(format!("its {compiler} fails"))
                });
            }
            // Of what goes wrong before a compiler is started a daemon says nothing.
            if stream.read_buf(&mut came).await? == 0 {
                let why = format!("it answers nothing when it is to use {compiler}: it has none, or no room");
                return Ok(Some(why));
            }
        }
    };
    probe::in_time(address, exchange).await
}

/// Hands files on until it is dropped: to compilers that are proved, and where it is no matter on which machine they are compiled.
async fn hand_on(
    listener: TcpListener,
    address: SocketAddr,
    proofs: watch::Receiver<Option<Arc<Proved>>>,
    jobs: Counter,
    refuse: UnboundedSender<String>,
) {
    let mut running = JoinSet::new();
    loop {
        let client = next(&listener, &mut running).await;
        let (jobs, proofs, refuse) = (jobs.clone(), proofs.clone(), refuse.clone());
        running.spawn(async move {
            // A client that is sent away compiles by itself.
            drop(file(client, address, proofs, &jobs, &refuse).await);
        });
    }
}

async fn file(
    mut client: TcpStream,
    address: SocketAddr,
    mut proofs: watch::Receiver<Option<Arc<Proved>>>,
    jobs: &Counter,
    refuse: &UnboundedSender<String>,
) -> io::Result<()> {
    let mut head = Vec::new();
    let compiler = loop {
        if let Some(asked) = wire::request(&head).map_err(io::Error::other)? {
            break asked.compiler().filter(|_| asked.stays_for().is_none()).map(str::to_owned);
        }
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    let Some(compiler) = compiler else { return Ok(()) };
    let proved = proofs.wait_for(Option::is_some).await.ok().and_then(|proved| proved.clone());
    let Some(proved) = proved else { return Ok(()) };
    if !proved.same.contains(&compiler) {
        let why = proved.others.get(&compiler).cloned();
        let why = why.unwrap_or_else(|| format!("a build uses {compiler}, of which nothing is known here"));
        drop(refuse.send(why));
        return Ok(());
    }
    let job = jobs.begin();
    let mut helper = probe::connect(address).await?;
    helper.write_all(&head).await?;
    hand_over(job, &mut client, &mut helper).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_says_who_it_is() {
        let said = |name: &str, port: u16, slots: u32, distcc: u32| {
            let said = Announced { distcc, name: name.into(), port, slots };
            read(&serde_json::to_vec(&said).unwrap())
        };
        assert_eq!(said("h1", 3632, 2, VERSION).unwrap().port, 3632);
        for (found, words) in [
            (said("h1", 0, 2, VERSION), "another version"),
            (said("h1", 3632, 0, VERSION), "another version"),
            (said("h1", 3632, 2, 9), "another version"),
            (said("a b", 3632, 2, VERSION), "name that is none"),
            (said("builder", 3632, 2, VERSION), "as the builder does"),
            (read(&[43, 0, 0, 0]), "no helper of distcc"),
        ] {
            assert!(found.unwrap_err().contains(words), "{words}");
        }
    }

    fn wait_for<T>(what: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
    }

    fn object(version: &str) -> Vec<u8> {
        format!("\u{7f}ELF GCC: (Gentoo {version})\0").into_bytes()
    }

    fn probe(compiler: &str, needed: bool) -> Probe {
        Probe { compiler: compiler.into(), needed, object: object("14") }
    }

    fn answer(status: u32, object: &[u8]) -> Vec<u8> {
        let head = format!("DONE00000001STAT{status:08x}SERR00000000SOUT00000000DOTO{:08x}", object.len());
        [head.as_bytes(), object].concat()
    }

    /// A daemon that answers one after the other so.
    fn daemon(answers: Vec<Vec<u8>>) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut asked, mut bytes) = (Vec::new(), [0; 4096]);
                // All of it, so that closing it resets nothing.
                while !asked.ends_with(b"}\n") {
                    let length = io::Read::read(&mut stream, &mut bytes).unwrap();
                    asked.extend(&bytes[..length]);
                }
                io::Write::write_all(&mut stream, &answer).unwrap();
            }
        });
        address
    }

    #[test]
    fn only_the_same_compiler_is_let_in() {
        let same = || answer(0, &object("14"));
        let probes = [probe("gcc", true), probe("g++", true), probe("clang", false), probe("cc", false)];
        let address = daemon(vec![same(), same(), Vec::new(), same()]);
        let proved = wait_for(prove(address, &probes)).unwrap().unwrap();
        assert_eq!(proved.same, ["cc", "g++", "gcc"].map(str::to_owned).into());
        assert_eq!(
            proved.others["clang"],
            "it answers nothing when it is to use clang: it has none, or no room"
        );
        for (answers, words) in [
            (
                vec![answer(0, &object("15"))],
                "its gcc is gcc (Gentoo 15), and the one here is gcc (Gentoo 14)",
            ),
            (vec![answer(256, b"")], "its gcc fails"),
            (
                vec![same(), answer(0, &[&object("14")[..], b"x"].concat())],
                "its g++ makes another object than the one here",
            ),
            (vec![Vec::new()], "it answers nothing when it is to use gcc: it has none, or no room"),
        ] {
            let why = wait_for(prove(daemon(answers), &probes)).unwrap().err();
            assert_eq!(why.as_deref(), Some(words));
        }
        let gone = wait_for(prove(daemon(vec![b"HTTP/1.1 400".to_vec()]), &probes)).err().unwrap();
        assert!(gone.contains("does not speak distcc"), "{gone}");
    }

    #[test]
    fn only_what_was_proved_is_handed_on() {
        let sent = |arguments: &[&str]| wire::ask(arguments, unit::source("gcc"));
        wait_for(async {
            let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let here = gate.local_addr().unwrap();
            let proved = Proved {
                same: ["gcc".to_owned()].into(),
                others: [("g++".to_owned(), "its g++ fails".to_owned())].into(),
            };
            let proofs = watch::Sender::new(None);
            let (refuse, mut refused) = mpsc::unbounded_channel();
            let address = daemon(vec![answer(0, b"made")]);
            tokio::spawn(hand_on(gate, address, proofs.subscribe(), Counter::default(), refuse));
            let mut waits = TcpStream::connect(here).await.unwrap();
            waits.write_all(&sent(&["gcc", "-c", "a.c"])).await.unwrap();
            proofs.send_replace(Some(Arc::new(proved)));
            let mut came = Vec::new();
            waits.read_to_end(&mut came).await.unwrap();
            assert_eq!(came, answer(0, b"made"));
            for arguments in [&["gcc", "-mcpu=native"][..], &["/bin/gcc"], &["g++"], &["clang"]] {
                let mut client = TcpStream::connect(here).await.unwrap();
                // It may be sent away before it has said all.
                drop(client.write_all(&sent(arguments)).await);
                assert!(client.read_u8().await.is_err(), "{arguments:?}");
            }
            let said = [refused.recv().await, refused.recv().await].map(Option::unwrap_or_default);
            assert_eq!(said, ["its g++ fails", "a build uses clang, of which nothing is known here"]);
        });
    }
}
