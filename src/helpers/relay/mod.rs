//! The builder's side. It has no rights, and reads of what helpers send no more than who they are.

mod distcc;
mod farm;
mod icecream;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farm::{Farm, Gone, Place, Visit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::PORT;
use crate::config::Engine;
use crate::confine;
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
        Engine::None | Engine::Icecream => watch::channel(Arc::default()).1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let farm = Arc::new(Farm { wanted, places: Mutex::default() });
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

/// One has come.
async fn serve(farm: &Farm, engine: Engine, stream: TcpStream, from: SocketAddr) {
    let Some(place) = farm.take_place() else { return };
    let visit = Visit { farm, place, from };
    let (Ok(why) | Err(why)) = match engine {
        Engine::Distcc => distcc::introduce(&visit, stream).await,
        Engine::None | Engine::Icecream => icecream::introduce(&visit, stream).await,
    };
    let was = farm.places().remove(&place);
    match (was, why) {
        (Some(Place::In(helper, _)), Gone::Left) => farm.tell(Some(format!("{} has left", helper.name))),
        (Some(Place::In(helper, _)), Gone::Out(why)) => {
            farm.tell(Some(format!("{} was taken out: {why}", helper.name)));
        }
        (Some(Place::Out(_)), _) => farm.tell(None),
        (_, Gone::Out(why)) => farm.tell(Some(format!("{} was not let in: {why}", from.ip()))),
        // It has said nothing, as whoever asks whether somebody is here.
        (_, Gone::Left) => {}
    }
}
