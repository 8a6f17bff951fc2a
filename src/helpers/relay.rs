//! The builder's side. It has no rights, and reads of what helpers send no more than who they are.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{PORT, SCHEDULER, probe};
use crate::confine;
use crate::icecream::wire::{Messages, Odd, Piece};
use crate::model::helpers::{BUILDER, Helper, MOST, Present};
use crate::procs::Role;

/// How long one may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(15);
/// A helper that says that it has more slots is believed so many.
const MOST_SLOTS: u32 = 256;
/// Descriptors: four for each job, and some for each helper.
const FILES: u64 = 8192;

/// Lets helpers in until it is ended, and tells on standard output who is there.
///
/// # Errors
/// Why it cannot.
pub(crate) fn run() -> io::Result<()> {
    Role::Relay.show();
    let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).map_err(|problem| {
        io::Error::new(problem.kind(), format!("cannot listen on port {PORT}: {problem}"))
    })?;
    listener.set_nonblocking(true)?;
    confine::relays(FILES)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let farm = Arc::new(Farm::default());
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let farm = Arc::clone(&farm);
                    tokio::spawn(async move { farm.serve(stream, from).await });
                }
                // There are no descriptors left, most likely.
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    })
}

/// Those who are there or coming, by the last part of their address on loopback.
#[derive(Default)]
struct Farm(Mutex<BTreeMap<u8, Option<Helper>>>);

impl Farm {
    /// One has come.
    async fn serve(&self, stream: TcpStream, from: SocketAddr) {
        let Some(place) = self.take_place() else { return };
        let why = Visit { farm: self, place, from }.serve(stream).await;
        let was = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place).flatten();
        match (was, why) {
            (Some(helper), Gone::Left) => self.tell(Some(format!("{} has left", helper.name))),
            (Some(helper), Gone::Out(why)) => {
                self.tell(Some(format!("{} was taken out: {why}", helper.name)));
            }
            (None, Gone::Out(why)) => self.tell(Some(format!("{} was not let in: {why}", from.ip()))),
            // It has said nothing, as whoever asks whether somebody is here.
            (None, Gone::Left) => {}
        }
    }

    fn take_place(&self) -> Option<u8> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (1..=u8::MAX).find(|place| !all.contains_key(place)).filter(|_| all.len() < MOST)?;
        all.insert(free, None);
        Some(free)
    }

    fn joined(&self, place: u8, helper: Helper) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place, Some(helper));
        self.tell(None);
    }

    fn tell(&self, lost: Option<String>) {
        let mut helpers: Vec<_> =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect();
        helpers.sort_by(|a, b| a.name.cmp(&b.name));
        let line = serde_json::to_string(&Present { helpers, lost }).unwrap_or_default();
        // Who reads it is the supervisor, without which there is no relay.
        if writeln!(io::stdout().lock(), "{line}").is_err() {
            std::process::exit(1);
        }
    }
}

/// How one went.
enum Gone {
    Left,
    Out(String),
}

impl From<Odd> for Gone {
    fn from(odd: Odd) -> Self {
        Self::Out(odd.to_string())
    }
}

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self::Left
    }
}

/// One helper, from when it came.
struct Visit<'a> {
    farm: &'a Farm,
    place: u8,
    from: SocketAddr,
}

impl Visit<'_> {
    /// Its address here.
    fn here(&self, port: u16) -> SocketAddr {
        SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, self.place), port).into()
    }

    async fn serve(&self, stream: TcpStream) -> Gone {
        match self.introduce(stream).await {
            Ok(gone) | Err(gone) => gone,
        }
    }

    async fn introduce(&self, stream: TcpStream) -> Result<Gone, Gone> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(self.here(0))?;
        let scheduler = socket.connect((Ipv4Addr::LOCALHOST, SCHEDULER).into()).await?;
        let (mut from_scheduler, to_scheduler) = scheduler.into_split();
        let (from_helper, mut to_helper) = stream.into_split();
        let (open, mut opened) = watch::channel(0);
        let (found, mut port) = watch::channel(None);
        let silent = async {
            let Ok(port) = port.wait_for(Option::is_some).await.map(|port| port.unwrap_or_default()) else {
                return std::future::pending().await;
            };
            probe::until_silent(SocketAddr::new(self.from.ip(), port), &mut opened).await
        };
        // Whatever ends first ends all, and every job with it: a compiler that waits for this helper goes on by itself.
        tokio::select! {
            gone = self.listen(from_helper, to_scheduler, open, found) => gone.map(|()| Gone::Left),
            _ = copy(&mut from_scheduler, &mut to_helper) => Ok(Gone::Left),
            why = silent => Ok(Gone::Out(why)),
        }
    }

    /// Hands on what it says, once it is known that it can be reached.
    async fn listen(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        open: watch::Sender<usize>,
        found: watch::Sender<Option<u16>>,
    ) -> Result<(), Gone> {
        let (mut messages, mut bytes) = (Messages::default(), vec![0; 16 << 10]);
        let mut taking = JoinSet::new();
        let mut is_in = false;
        loop {
            let read = from.read(&mut bytes);
            let length = if is_in {
                read.await?
            } else {
                let late = |_| Gone::Out(format!("it did not say within {} s who it is", PATIENCE.as_secs()));
                timeout(PATIENCE, read).await.map_err(late)??
            };
            if length == 0 {
                return Ok(());
            }
            messages.feed(&bytes[..length]);
            while let Some(piece) = messages.take()? {
                match piece {
                    Piece::Greeting(greeting) => to.write_all(&greeting).await?,
                    Piece::Message(mut message) if !is_in => {
                        let login = message.login()?;
                        message.at_most(MOST_SLOTS);
                        if login.name == BUILDER {
                            return Err(Gone::Out(format!("it calls itself {BUILDER}, as the builder does")));
                        }
                        let address = SocketAddr::new(self.from.ip(), login.port);
                        probe::ask(address).await.map_err(Gone::Out)?;
                        let listener = TcpListener::bind(self.here(login.port)).await?;
                        taking.spawn(hand_on(listener, address, open.clone()));
                        found.send_replace(Some(login.port));
                        to.write_all(message.bytes()).await?;
                        is_in = true;
                        self.farm.joined(
                            self.place,
                            Helper {
                                name: login.name,
                                address: self.from.ip().to_string(),
                                slots: login.slots.min(MOST_SLOTS),
                            },
                        );
                    }
                    Piece::Message(message) if message.is_of_a_helper() => {
                        to.write_all(message.bytes()).await?;
                    }
                    Piece::Message(_) => return Err(Odd::Kind.into()),
                }
            }
        }
    }
}

/// Hands jobs on until it is dropped, and the jobs with it.
async fn hand_on(listener: TcpListener, address: SocketAddr, open: watch::Sender<usize>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((mut client, _)) => {
                    let job = Job::begin(&open);
                    running.spawn(async move {
                        let _open = job;
                        if let Ok(mut helper) = probe::connect(address).await {
                            // Either may end it; the other sees that.
                            let _ended = copy_bidirectional(&mut client, &mut helper).await;
                        }
                    });
                }
                Err(_) => sleep(Duration::from_secs(1)).await,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

/// Counts as long as it lives.
struct Job(watch::Sender<usize>);

impl Job {
    fn begin(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open.clone())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open = open.saturating_sub(1));
    }
}
