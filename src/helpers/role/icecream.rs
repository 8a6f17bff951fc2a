//! What helps with icecream: its daemon takes us for the scheduler.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use super::place::{ICECREAM_DIRECTORY as DIRECTORY, end_of, files, free, look_up};
use crate::decide::helpers as decide;
use crate::helpers::probe;
use crate::icecream::wire::{Messages, Piece};
use crate::portage::command::Inherits;
use crate::{children, sys};

/// Helps until the daemon ends.
///
/// # Errors
/// Why it cannot, or cannot any more.
pub(super) async fn help(builder: &str, slots: u32) -> Result<(), String> {
    let address = look_up(builder)?;
    probe::ask(address).await.map_err(|why| format!("no builder can be helped: {why}"))?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|problem| problem.to_string())?;
    let port = listener.local_addr().map_err(|problem| problem.to_string())?.port();
    let daemon = start(port, slots).map_err(|problem| format!("iceccd cannot be started: {problem}"))?;
    println!("gbsup: helps {address}, {} at a time", files(slots));
    let ended = end_of(daemon).map_err(|problem| format!("iceccd cannot be waited for: {problem}"))?;
    let relay = async {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(introduce(stream, address, slots));
            }
        }
    };
    tokio::select! {
        how = ended => Err(format!("iceccd {}", how.unwrap_or_else(|_| "has ended".into()))),
        () = relay => Ok(()),
    }
}

/// The daemon, which takes us for its scheduler. It becomes another user first, to whom a directory of its own must belong.
fn start(port: u16, slots: u32) -> io::Result<Child> {
    let mut command = Command::new("iceccd");
    command.args(["-s", &format!("127.0.0.1:{port}"), "-m", &slots.to_string(), "-b", DIRECTORY]);
    if let Some((name, user, group)) = user(&fs::read_to_string("/etc/passwd").unwrap_or_default()) {
        chown(DIRECTORY, Some(user), Some(group))?;
        command.args(["-u", name]);
    }
    command.env_clear().envs(children::environment(Inherits::Nothing, [("", ""); 0]));
    command.stdin(Stdio::null());
    sys::isolate(&mut command, sys::Child::default());
    command.spawn()
}

/// icecream's user, as distributions call it, with its number and that of its group.
fn user(passwd: &str) -> Option<(&'static str, u32, u32)> {
    ["icecc", "icecream"].into_iter().find_map(|name| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((name, fields.next()?.ok()?, fields.next()?.ok()?))
    })
}

/// One conversation of the daemon with the scheduler. It begins another when this one ends.
async fn introduce(daemon: TcpStream, builder: SocketAddr, slots: u32) {
    let Ok(scheduler) = probe::connect(builder).await else { return };
    let (mut from_daemon, mut to_daemon) = daemon.into_split();
    let (mut from_scheduler, mut to_scheduler) = scheduler.into_split();
    let said = async {
        let (mut messages, mut bytes) = (Messages::default(), vec![0; 16 << 10]);
        loop {
            let length = from_daemon.read(&mut bytes).await?;
            if length == 0 {
                return io::Result::Ok(());
            }
            messages.feed(&bytes[..length]);
            while let Some(piece) = messages.take().map_err(io::Error::other)? {
                match piece {
                    Piece::Greeting(greeting) => to_scheduler.write_all(&greeting).await?,
                    Piece::Message(mut message) => {
                        if message.is_stats() {
                            message.set_load(decide::load(slots, free(Path::new(DIRECTORY))));
                        }
                        to_scheduler.write_all(message.bytes()).await?;
                    }
                }
            }
        }
    };
    tokio::select! {
        _ = said => {}
        _ = copy(&mut from_scheduler, &mut to_daemon) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_the_directory_is() {
        let passwd = "root:x:0:0::/root:/bin/bash\nicecream:x:271:272::/var:/bin/false\n";
        assert_eq!(user(passwd), Some(("icecream", 271, 272)));
        assert_eq!(user(&format!("{passwd}icecc:x:100:101::/:/bin/false\n")), Some(("icecc", 100, 101)));
        assert_eq!((user("icecc:x:a:b"), user("")), (None, None));
    }
}
