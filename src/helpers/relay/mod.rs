//! The builder's side. It has no rights, and reads of what helpers send no more than who they are.

mod distcc;
mod farm;
mod gate;
mod icecream;
mod proof;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use farm::{Farm, Gone, Place, Visit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::PORT;
use super::jobs::Counter;
use crate::config::Engine;
use crate::confine;
use crate::model::helpers::Present;
use crate::procs::Role;

/// Descriptors: four for each job, and some for each helper.
const FILES: u64 = 8192;

/// Lets helpers in until it is ended, and tells on standard output who is there.
///
/// # Errors
/// Why it cannot.
pub(crate) fn run(engine: Engine) -> io::Result<()> {
    Role::Relay.show();
    let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).map_err(|problem| {
        io::Error::new(problem.kind(), format!("cannot listen on port {PORT}: {problem}"))
    })?;
    listener.set_nonblocking(true)?;
    confine::relays(FILES)?;
    let wanted = match engine {
        Engine::Distcc => distcc::wanted()?,
        Engine::None | Engine::Icecream => watch::channel(None).1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let farm = Arc::new(Farm::new(Box::new(say), wanted));
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let farm = Arc::clone(&farm);
                    tokio::spawn(async move { serve(&farm, engine, stream, from).await });
                }
                // There are no descriptors left, most likely.
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    })
}

/// On standard output, a line for each change.
fn say(present: &Present) {
    let line = serde_json::to_string(present).unwrap_or_default();
    // Who reads it is the supervisor, without which there is no relay.
    if writeln!(io::stdout().lock(), "{line}").is_err() {
        std::process::exit(1);
    }
}

/// One has come.
async fn serve(farm: &Farm, engine: Engine, stream: TcpStream, from: SocketAddr) {
    let place = if farm.is_out(from.ip()) {
        Err("it brought nothing back, and is left out for some minutes")
    } else {
        farm.take_place(from.ip()).ok_or("there are as many helpers as there may be")
    };
    let place = match (place, engine) {
        (Ok(place), _) => place,
        (Err(why), Engine::Distcc) => return distcc::turn_away(stream, why).await,
        (Err(_), Engine::None | Engine::Icecream) => return,
    };
    let jobs = Counter::default();
    let visit = Visit { farm, place, from, jobs: &jobs };
    let (Ok(why) | Err(why)) = match engine {
        Engine::Distcc => distcc::introduce(&visit, stream).await,
        Engine::None | Engine::Icecream => icecream::introduce(&visit, stream).await,
    };
    let was = farm.places().remove(&place);
    if jobs.has_brought_back() {
        farm.forgive(from.ip());
    }
    match (was, why) {
        (Some(Place::In(helper, _)), Gone::Left) => farm.tell(Some(format!("{} has left", helper.name))),
        (Some(Place::In(helper, _)), Gone::Out(why)) => {
            farm.tell(Some(format!("{} was taken out: {why}", helper.name)));
        }
        (Some(Place::In(helper, _)), Gone::Stuck(why)) => {
            let minutes = farm.leave_out(from.ip()).as_secs() / 60;
            farm.tell(Some(format!("{} was taken out for {minutes} min: {why}", helper.name)));
        }
        (Some(Place::Out(_)), _) => farm.tell(None),
        (_, Gone::Out(why)) => farm.tell(Some(format!("{} was not let in: {why}", from.ip()))),
        // It has said nothing, as whoever asks whether somebody is here.
        (_, Gone::Left | Gone::Stuck(_)) => {}
    }
}
