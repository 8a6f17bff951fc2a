//! Other builders, asked how they are.
//!
//! ```text
//!   web, or `gbsup status --all` ── a byte: ask ──► gbsup: peers ── GET /api/v1/status ──► each of http.peers
//!                                ◄── lines of JSON ──┘
//! ```
//!
//! Neither what listens on the network nor a process of root's makes a connection: a child does that. Of what others send it hands on numbers,
//! a few words, and a sentence ([`crate::model::farm`]). It has a user of its own, opens nothing but what names and certificates are looked up in,
//! and connects to nothing but the ports of those it asks. It asks when it is told to, and is otherwise asleep.

mod ask;
mod round;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Peer;
use crate::model::farm::Heard;
use crate::portage::command::{CERTIFICATES, Inherits};
use crate::procs::Role;
use crate::{children, confine, sys};
use round::Rounds;

pub(crate) use round::PATIENCE;

/// From the beginning of one round to that of the next, whoever asks for it.
const GAP: Duration = Duration::from_secs(1);

/// Starts the child that asks these, and does not ask itself where it listens on the port `own`. It asks for each byte that is written to
/// the socket, tells by that what it hears, and ends when that is closed. With a `server` of this builder it asks that too, since when others are away.
///
/// # Errors
/// The system's, when there can be no child.
pub(crate) fn start(
    peers: &[Peer],
    own: Option<u16>,
    server: Option<SocketAddr>,
) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.arg("peers");
    if let Some(port) = own {
        command.args(["--own", &port.to_string()]);
    }
    if let Some(server) = server {
        command.args(["--server", &server.to_string()]);
    }
    command.args(peers.iter().map(Peer::url));
    command.env_clear().envs(children::environment(Inherits::Certificates, [("", ""); 0]));
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
    sys::isolate(&mut command, sys::Child::default());
    Ok((command.spawn()?, ours))
}

/// Is that child.
///
/// # Errors
/// When its rights could not be given up, or nobody hears it any more.
pub(crate) fn run(peers: &[Peer], own: Option<u16>, server: Option<SocketAddr>) -> io::Result<()> {
    Role::Peers.show();
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let ports: Vec<_> = peers.iter().map(Peer::port).chain(server.map(|server| server.port())).collect();
    let certificates = CERTIFICATES.iter().filter_map(std::env::var_os).map(PathBuf::from);
    confine::asks(&ports, &certificates.collect::<Vec<_>>())?;
    let mut rounds = Rounds::new(peers, own, server);
    let mut asked = [0; 64];
    while socket.read(&mut asked)? > 0 {
        let began = Instant::now();
        let mut told = Ok(());
        rounds.ask(&mut |heard| {
            if told.is_ok() {
                told = tell(&mut socket, heard);
            }
        });
        told?;
        thread::sleep(GAP.saturating_sub(began.elapsed()));
    }
    Ok(())
}

fn tell(socket: &mut UnixStream, heard: &Heard) -> io::Result<()> {
    let mut line = serde_json::to_vec(heard)?;
    line.push(b'\n');
    socket.write_all(&line)
}
