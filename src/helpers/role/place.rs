//! This container, the daemon in it, and where the builder is.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use nix::sys::statvfs::{FsFlags, statvfs};
use tokio::sync::oneshot;

use crate::decide::helpers::Means;
use crate::helpers::PORT;
use crate::host::build::cpus;
use crate::steps::cgroup;

/// Where icecream unpacks environments, and has its own files.
pub(super) const ICECREAM_DIRECTORY: &str = "/var/cache/icecc";
/// Where distcc keeps what it is sent, and what comes of that.
pub(super) const DISTCC_DIRECTORY: &str = "/tmp";
/// So many times the name of the builder is looked up, a second apart.
const TRIES: u32 = 5;

/// What there is of this container.
pub(super) fn means(directory: &str) -> Result<Means, String> {
    fs::create_dir_all(directory).map_err(|problem| format!("{directory} cannot be made: {problem}"))?;
    let room = statvfs(directory).map_err(|problem| format!("{directory} cannot be looked at: {problem}"))?;
    if room.flags().contains(FsFlags::ST_RDONLY) {
        let exec = if directory == ICECREAM_DIRECTORY { ", with exec" } else { "" };
        return Err(format!("{directory} is read-only; mount a tmpfs there{exec}"));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Ok(Means {
        capabilities: effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(u64::MAX),
        cpus: cpus(),
        memory: cgroup::memory_limit(),
        free: free(Path::new(directory)),
        starts_programs: !room.flags().contains(FsFlags::ST_NOEXEC),
    })
}

/// `2 files`
pub(super) fn files(slots: u32) -> String {
    format!("{slots} {}", if slots == 1 { "file" } else { "files" })
}

pub(super) fn free(directory: &Path) -> u64 {
    statvfs(directory).map_or(0, |room| room.blocks_available() * room.fragment_size())
}

/// `HOST` or `HOST:PORT`. The name may be one that the engine gives out only now.
pub(super) fn look_up(builder: &str) -> Result<SocketAddr, String> {
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

pub(super) fn end_of(mut daemon: Child) -> io::Result<oneshot::Receiver<String>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_builder_is() {
        assert_eq!(look_up("127.0.0.1"), Ok("127.0.0.1:8765".parse().unwrap()));
        assert_eq!(look_up("127.0.0.1:99"), Ok("127.0.0.1:99".parse().unwrap()));
        assert_eq!(look_up("127.0.0.1:x"), Err("\"x\" is no port".into()));
    }
}
