//! Messages of init, which go to stderr and never wait for a reader.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::libc;
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{SFlag, fstat};

/// Prints one sentence as `gbsup[PID]: sentence`, or drops it when stderr does not take it now.
///
/// A stopped reader of the container's log blocks whoever writes to its pipe. So this writes through
/// an open file of its own, which alone does not block: the flag on descriptor 2 itself would be
/// shared with every other process that has it.
pub(super) fn say(sentence: &str) {
    let line = format!("gbsup[{}]: {sentence}\n", std::process::id());
    let _ = write(line.as_bytes());
}

/// Writes `line` with one call, and says nothing about failing.
fn write(line: &[u8]) -> io::Result<()> {
    let stderr = io::stderr();
    let kind = SFlag::from_bits_truncate(fstat(stderr.as_fd())?.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFREG {
        // A file does not block, and reopened it would be written from its start.
        stderr.lock().write_all(line)?;
    } else if kind == SFlag::S_IFSOCK {
        // A socket cannot be reopened; a log daemon may have handed us one.
        send(stderr.as_raw_fd(), line, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?;
    } else {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let mut private = File::options().write(true).custom_flags(flags).open("/proc/self/fd/2")?;
        private.write_all(line)?;
    }
    Ok(())
}
