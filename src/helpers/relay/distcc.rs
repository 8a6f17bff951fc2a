//! A helper of distcc: its compilers are asked for what is known of those here before it is given anything, and again while it has work.

use std::future::pending;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::farm::{Gone, MOST_SLOTS, PATIENCE, Place, Visit, Wanted};
use super::gate::{Behind, hand_on};
use super::proof::{Proved, Unfit, answers, prove};
use crate::helpers::{BEAT, READY, REFUSED, VERSION, probe};
use crate::icecream::wire::is_name;
use crate::model::helpers::{Announced, BUILDER, Helper, LeftOut, Probe};

/// How long until one is asked again that is given nothing for a reason which may be over by then.
pub(super) const AGAIN: Duration = Duration::from_mins(3);
/// How long nobody can be proved before a person is told: compilers change in a moment, and are proved in a few.
pub(super) const NOBODY: Duration = Duration::from_mins(1);
/// How long whoever is turned away has to say who it is: what is closed before all of it was read loses what was said last.
const LISTENS: Duration = Duration::from_secs(2);
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
                say.send_replace(Some(probes.into()));
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
    let announced = match read(&said) {
        Ok(announced) => announced,
        Err(why) => {
            stream.write_all(format!("{REFUSED}{why}\n").as_bytes()).await?;
            return Err(Gone::Out(why));
        }
    };
    stream.write_all(format!("{READY}{VERSION}\n").as_bytes()).await?;
    let (mut from, to) = stream.into_split();
    let to = Mutex::new(to);
    let gone = tokio::select! {
        () = end_of(&mut from) => Ok(Gone::Left),
        () = beat(&to) => Ok(Gone::Left),
        gone = Helping { visit, announced, to: &to }.attend() => gone,
    };
    if let Ok(Gone::Out(why) | Gone::Stuck(why)) | Err(Gone::Out(why) | Gone::Stuck(why)) = &gone {
        say(&to, &format!("is given nothing any more: {why}")).await;
    }
    gone
}

/// Says why it is not let in.
pub(super) async fn turn_away(mut stream: TcpStream, why: &str) {
    if let Ok(Ok(Some(_))) = timeout(LISTENS, line(&mut stream)).await {
        drop(stream.write_all(format!("{REFUSED}{why}\n").as_bytes()).await);
    }
}

/// For its own log.
async fn say(to: &Mutex<OwnedWriteHalf>, what: &str) {
    // When it is gone, that is noticed elsewhere.
    drop(to.lock().await.write_all(format!("{what}\n").as_bytes()).await);
}

/// A helper hears from here as long as there is a way, which may end without a word to either; returns when it has.
async fn beat(to: &Mutex<OwnedWriteHalf>) {
    loop {
        sleep(BEAT).await;
        if to.lock().await.write_all(b"\n").await.is_err() {
            return;
        }
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

/// What one may do.
enum Standing {
    In,
    Out(Unfit),
    /// Nobody can be proved.
    Unknown,
}

struct Helping<'a> {
    visit: &'a Visit<'a>,
    announced: Announced,
    to: &'a Mutex<OwnedWriteHalf>,
}

impl Helping<'_> {
    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.visit.from.ip(), self.announced.port)
    }

    async fn attend(self) -> Result<Gone, Gone> {
        let mut wanted = self.visit.farm.wanted.clone();
        let jobs = self.visit.jobs;
        let (refuse, mut refused) = mpsc::channel(1);
        let proofs = watch::Sender::new(None::<Arc<Proved>>);
        let mut gate = JoinSet::<()>::new();
        loop {
            let probes = wanted.borrow_and_update().clone();
            let is_said = probes.is_some();
            let probes = probes.unwrap_or_default();
            let first = probes.iter().find(|probe| probe.needed);
            // Whoever comes meanwhile waits for a moment.
            proofs.send_replace(None);
            let found = async {
                match first {
                    Some(_) => prove(self.address(), &probes).await.map(Some),
                    None => Ok(None),
                }
            };
            let found = tokio::select! {
                biased;
                changed = wanted.changed() => {
                    changed.map_err(|_| Gone::Left)?;
                    continue;
                }
                found = found => found.map_err(Gone::Out)?,
            };
            let standing = match found {
                Some(Ok(proved)) => {
                    if gate.is_empty() {
                        let listener = TcpListener::bind(self.visit.here(self.announced.port)).await?;
                        let to = Behind {
                            address: self.address(),
                            slots: self.slots(),
                            jobs: jobs.clone(),
                            proofs: proofs.subscribe(),
                            refuse: refuse.clone(),
                        };
                        gate.spawn(hand_on(listener, to));
                    }
                    say(self.to, "helps").await;
                    proofs.send_replace(Some(Arc::new(proved)));
                    self.put(None);
                    Standing::In
                }
                Some(Err(unfit)) => {
                    gate.shutdown().await;
                    say(self.to, &format!("is given nothing: {}", unfit.why)).await;
                    self.put_out(unfit.why.clone());
                    Standing::Out(unfit)
                }
                None => {
                    // What is compiled there may be compiled by what is no longer the same.
                    gate.shutdown().await;
                    if is_said {
                        self.visit.put(Place::Coming);
                    }
                    Standing::Unknown
                }
            };
            let silent = async {
                match (first, &standing) {
                    (Some(first), Standing::In) => {
                        probe::until_silent(|| answers(self.address(), first), jobs).await
                    }
                    _ => pending().await,
                }
            };
            let later = async {
                match &standing {
                    Standing::Out(unfit) if unfit.passes => sleep(AGAIN).await,
                    Standing::Unknown if is_said => sleep(NOBODY).await,
                    _ => pending().await,
                }
            };
            tokio::pin!(silent, later);
            let (mut told, mut is_later) = (false, false);
            loop {
                tokio::select! {
                    changed = wanted.changed() => {
                        changed.map_err(|_| Gone::Left)?;
                        break;
                    }
                    why = &mut silent => return Ok(Gone::Out(why)),
                    why = jobs.until_stuck() => return Ok(Gone::Stuck(why)),
                    Some(why) = refused.recv() => {
                        // The first is enough for a person to look.
                        if matches!(standing, Standing::In) && !std::mem::replace(&mut told, true) {
                            self.put(Some(why));
                        }
                    }
                    () = &mut later, if !is_later => {
                        if matches!(standing, Standing::Out(_)) {
                            break;
                        }
                        is_later = true;
                        self.put_out("what the builder's own compilers make is not known".into());
                    }
                }
            }
        }
    }

    /// It takes files, but for some.
    fn put(&self, short: Option<String>) {
        let Announced { name, port, .. } = &self.announced;
        let helper = Helper {
            name: name.clone(),
            address: self.visit.from.ip().to_string(),
            slots: self.slots(),
            gate: Some(self.visit.here(*port).to_string()),
        };
        self.visit.put(Place::In(helper, short));
    }

    /// It is given nothing.
    fn put_out(&self, why: String) {
        self.visit.put(Place::Out(LeftOut { name: self.announced.name.clone(), why }));
    }

    fn slots(&self) -> u32 {
        self.announced.slots.min(MOST_SLOTS)
    }
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
}
