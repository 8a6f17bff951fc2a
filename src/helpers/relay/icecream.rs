//! A helper of icecream: between its daemon and the scheduler here, of which each takes the other's messages.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::farm::{Gone, MOST_SLOTS, PATIENCE, Place, Visit, hand_over, next};
use crate::helpers::jobs::Counter;
use crate::helpers::{SCHEDULER, probe};
use crate::icecream::wire::{Messages, Odd, Piece};
use crate::model::helpers::{BUILDER, Helper};

/// How long a connection to the scheduler lasts at least: it takes no other within a second of one, and looks again only when something else
/// happens, be it in half a minute (`scheduler.cpp`, `next_listen`). The end of this one is something.
const NOTICED: Duration = Duration::from_millis(1500);

impl From<Odd> for Gone {
    fn from(odd: Odd) -> Self {
        Self::Out(odd.to_string())
    }
}

/// Stands between them until one of them ends.
pub(super) async fn introduce(visit: &Visit<'_>, stream: TcpStream) -> Result<Gone, Gone> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(visit.here(0))?;
    let scheduler = socket.connect((Ipv4Addr::LOCALHOST, SCHEDULER).into()).await?;
    let over = Instant::now() + NOTICED;
    let (mut from_scheduler, mut to_scheduler) = scheduler.into_split();
    let (from_helper, mut to_helper) = stream.into_split();
    let (found, mut port) = watch::channel(None);
    let silent = async {
        let Ok(port) = port.wait_for(Option::is_some).await.map(|port| port.unwrap_or_default()) else {
            return std::future::pending().await;
        };
        let address = SocketAddr::new(visit.from.ip(), port);
        probe::until_silent(|| probe::ask(address), visit.jobs).await
    };
    // Whatever ends first ends all, and every job with it: a compiler that waits for this helper goes on by itself.
    let gone = tokio::select! {
        gone = listen(visit, from_helper, &mut to_scheduler, found) => gone.map(|()| Gone::Left),
        _ = copy(&mut from_scheduler, &mut to_helper) => Ok(Gone::Left),
        why = silent => Ok(Gone::Out(why)),
        why = visit.jobs.until_stuck() => Ok(Gone::Stuck(why)),
    };
    sleep_until(over).await;
    gone
}

/// Hands on what it says, once it is known that it can be reached.
async fn listen(
    visit: &Visit<'_>,
    mut from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
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
                    let address = SocketAddr::new(visit.from.ip(), login.port);
                    probe::ask(address).await.map_err(Gone::Out)?;
                    let listener = TcpListener::bind(visit.here(login.port)).await?;
                    taking.spawn(hand_on(listener, address, visit.jobs.clone()));
                    found.send_replace(Some(login.port));
                    to.write_all(message.bytes()).await?;
                    is_in = true;
                    let helper = Helper {
                        name: login.name,
                        address: visit.from.ip().to_string(),
                        slots: login.slots.min(MOST_SLOTS),
                        gate: None,
                    };
                    visit.put(Place::In(helper, None));
                }
                Piece::Message(message) if message.is_of_a_helper() => {
                    to.write_all(message.bytes()).await?;
                }
                Piece::Message(_) => return Err(Odd::Kind.into()),
            }
        }
    }
}

/// Hands jobs on until it is dropped, and the jobs with it.
async fn hand_on(listener: TcpListener, address: SocketAddr, jobs: Counter) {
    let mut running = JoinSet::new();
    loop {
        let mut client = next(&listener, &mut running).await;
        let job = jobs.begin();
        running.spawn(async move {
            if let Ok(mut helper) = probe::connect(address).await {
                hand_over(job, &mut client, &mut helper).await;
            }
        });
    }
}
