//! The server while init answers in the supervisor's place: clients get packages as before, and a browser is told what
//! `gbsup status` tells.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::common::settings;
use super::say::say;
use crate::children;
use crate::config;
use crate::model::status::Status;
use crate::model::told::Told;
use crate::portage::command::Inherits;
use crate::sys::{Child, isolate};

/// What the server gets as its `oom_score_adj`: the kernel shall take it before init.
const OOM_SCORE_ADJ: i16 = 200;

/// A server, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pages {
    _tells: UnixStream,
}

impl Pages {
    /// Starts one, where one is wanted.
    pub(super) fn begin(status: &Status) -> Option<Self> {
        let begun = start(status).inspect_err(|error| say(&format!("clients are not served: {error}")));
        begun.ok().flatten()
    }
}

fn start(status: &Status) -> io::Result<Option<Pages>> {
    let config = settings();
    if config.http.listen.is_none() {
        return Ok(None);
    }
    let (mut tells, told) = UnixStream::pair()?;
    tells.shutdown(Shutdown::Read)?;
    // It is far less than a socket holds, and nobody is waited for.
    tells.set_nonblocking(true)?;
    let mut line = serde_json::to_vec(&Told::Status { status: Box::new(status.clone()) })?;
    line.push(b'\n');
    tells.write_all(&line)?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["serve", "--told", "--parent", &std::process::id().to_string()]);
    command
        .env_clear()
        .envs(children::environment(Inherits::Certificates, config::server(&config, &config.http)));
    command.stdin(OwnedFd::from(told)).stdout(Stdio::null());
    isolate(&mut command, Child { session: true, oom_score_adj: Some(OOM_SCORE_ADJ), ..Child::default() });
    // Init reaps whatever has ended.
    drop(command.spawn()?);
    Ok(Some(Pages { _tells: tells }))
}
