//! `gbsup status --all`: this builder and the others, each asked once. Since when one is away the server of this builder knows, if anybody does.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use jiff::Timestamp;

use super::answer::{json, print};
use super::error::Error;
use super::terminal;
use crate::cli::Exit;
use crate::config::{self, Http};
use crate::decide::farm::Memory;
use crate::model::farm::{Heard, Member};
use crate::model::status::Status;
use crate::{peers, render};

pub(super) fn all(status: &Status, as_json: bool) -> Result<Exit, Error> {
    let config = config::load()?;
    // All of it is as of now: that one took its time to fail is not since when it is away.
    let now = Timestamp::now();
    let others = asked(&config.http, now)?;
    let farm = others.farm(Some(Member::own(&config.notify.name, Some(status))));
    if as_json {
        return print(json(&farm)?);
    }
    print(render::farm(&farm, now, terminal::look()))
}

fn asked(http: &Http, now: Timestamp) -> Result<Memory, Error> {
    let mut memory = Memory::new(&http.peers);
    if http.peers.is_empty() {
        return Ok(memory);
    }
    let failed = |error| Error::Failed(format!("the other builders cannot be asked: {error}"));
    let (port, server) = (http.listen.map(|address| address.port()), http.listen.map(from_here));
    let (mut child, socket) = peers::start(&http.peers, port, server).map_err(failed)?;
    let ended = || Error::Failed("whoever asks the other builders ended before it had asked all".into());
    let mut done = false;
    // A round takes no longer.
    socket.set_read_timeout(Some(peers::PATIENCE * 5)).map_err(failed)?;
    (&socket).write_all(b"\n").map_err(failed)?;
    for line in BufReader::new(&socket).lines().map_while(Result::ok) {
        let Ok(heard) = serde_json::from_str(&line) else { continue };
        done = heard == Heard::Done;
        memory.take(heard, now);
        if done {
            break;
        }
    }
    drop(child.kill());
    drop(child.wait());
    if done { Ok(memory) } else { Err(ended()) }
}

/// Where a server that listens there is reached on this machine.
fn from_here(mut listens: SocketAddr) -> SocketAddr {
    match listens.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => listens.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => listens.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    listens
}
