//! The helper's side: `gbsup helper SCHEDULER`.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::statvfs::{FsFlags, statvfs};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{PORT, probe};
use crate::decide::helpers::{self as decide, Means};
use crate::host::build::cpus;
use crate::host::places::found;
use crate::icecream::wire::{Messages, Piece};
use crate::portage::command::Inherits;
use crate::procs::Role;
use crate::steps::cgroup;
use crate::{children, sys};

/// Where environments are unpacked, and the daemon's own files.
const DIRECTORY: &str = "/var/cache/icecc";
/// So many times the name of the builder is looked up, a second apart.
const TRIES: u32 = 5;

/// Helps until it is ended.
///
/// # Errors
/// One sentence why it cannot, or cannot any more.
pub(crate) fn run(builder: &str) -> Result<(), String> {
    Role::Helper.show();
    if !found("iceccd") {
        return Err("icecream is not installed in this image: emerge --oneshot sys-devel/icecream".into());
    }
    let means = means()?;
    let slots = decide::slots(means, DIRECTORY)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|problem| problem.to_string())?.block_on(help(builder, slots))
}

/// What there is of this container.
fn means() -> Result<Means, String> {
    fs::create_dir_all(DIRECTORY).map_err(|problem| format!("{DIRECTORY} cannot be made: {problem}"))?;
    let room = statvfs(DIRECTORY).map_err(|problem| format!("{DIRECTORY} cannot be looked at: {problem}"))?;
    if room.flags().contains(FsFlags::ST_RDONLY) {
        return Err(format!("{DIRECTORY} is read-only; mount a tmpfs there, with exec"));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Ok(Means {
        capabilities: effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(u64::MAX),
        cpus: cpus(),
        memory: cgroup::memory_limit(),
        free: free(Path::new(DIRECTORY)),
        starts_programs: !room.flags().contains(FsFlags::ST_NOEXEC),
    })
}

fn free(directory: &Path) -> u64 {
    statvfs(directory).map_or(0, |room| room.blocks_available() * room.fragment_size())
}

async fn help(builder: &str, slots: u32) -> Result<(), String> {
    let address = look_up(builder)?;
    probe::ask(address).await.map_err(|why| format!("no builder can be helped: {why}"))?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|problem| problem.to_string())?;
    let port = listener.local_addr().map_err(|problem| problem.to_string())?.port();
    let daemon = start(port, slots).map_err(|problem| format!("iceccd cannot be started: {problem}"))?;
    println!("gbsup: helps {address}, {slots} {} at a time", if slots == 1 { "file" } else { "files" });
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

/// `HOST` or `HOST:PORT`. The name may be one that the engine gives out only now.
fn look_up(builder: &str) -> Result<SocketAddr, String> {
    let (host, port) = match builder.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| format!("{port:?} is no port"))?),
        None => (builder, PORT),
    };
    for n in 1..=TRIES {
        let found = (host, port).to_socket_addrs().ok();
        if let Some(address) = found.and_then(|mut all| all.find(SocketAddr::is_ipv4)) {
            return Ok(address);
        }
        if n < TRIES {
            thread::sleep(Duration::from_secs(1));
        }
    }
    Err(format!("no builder can be helped: the host {host} is not known in this network"))
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

fn end_of(mut daemon: Child) -> io::Result<oneshot::Receiver<String>> {
    let (out, ended) = oneshot::channel();
    thread::Builder::new().name("daemon".into()).spawn(move || {
        let how = match daemon.wait() {
            Ok(status) => format!("has ended: {status}"),
            Err(problem) => format!("was lost: {problem}"),
        };
        drop(out.send(how));
    })?;
    Ok(ended)
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

    #[test]
    fn where_the_builder_is() {
        assert_eq!(look_up("127.0.0.1"), Ok("127.0.0.1:8765".parse().unwrap()));
        assert_eq!(look_up("127.0.0.1:99"), Ok("127.0.0.1:99".parse().unwrap()));
        assert_eq!(look_up("127.0.0.1:x"), Err("\"x\" is no port".into()));
    }
}
