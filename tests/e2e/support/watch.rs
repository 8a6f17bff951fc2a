//! The stream of statuses of one builder: `gbsup status --watch --json`, read as it comes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use gbsup::model::status::{Mode, Status};

/// How long nothing may happen before a test gives up. Machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_mins(8);
/// How long it may wait although something happens.
const LONGEST: Duration = Duration::from_mins(25);

/// One running `gbsup status --watch --json`.
pub struct Watch {
    child: Child,
    statuses: Receiver<Result<Status, String>>,
    /// The last one that was returned; what is asked next may be true of it already.
    last: Option<Status>,
}

/// Why no status came.
pub enum Ended {
    /// The deadline is over; the last status there was.
    Late(Option<Box<Status>>),
    /// The stream is over: the container or its supervisor is gone.
    Closed,
}

impl Watch {
    /// Begins to watch. Closed at once when nobody answers yet.
    pub fn begin(container: &str) -> Self {
        let mut child = Command::new("docker")
            .args(["exec", "--interactive", container, "gbsup", "status", "--watch", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker starts");
        let stdout = child.stdout.take().expect("it is piped");
        let (send, statuses) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                let status = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"));
                if send.send(status).is_err() {
                    return;
                }
            }
        });
        Self { child, statuses, last: None }
    }

    /// The first status from the last returned one on of which `is_so` is true. Statuses come in
    /// order and are looked at one by one, so what was true only for a moment is seen too.
    pub fn until(&mut self, is_so: &mut dyn FnMut(&Status) -> bool) -> Result<Status, Ended> {
        if let Some(status) = self.last.as_ref().filter(|status| is_so(status)) {
            return Ok(status.clone());
        }
        let begun = Instant::now();
        let mut moved = begun;
        loop {
            let deadline = (moved + PATIENCE).min(begun + LONGEST);
            let left = deadline.saturating_duration_since(Instant::now());
            match self.statuses.recv_timeout(left) {
                Ok(Err(nonsense)) => panic!("not a status: {nonsense}"),
                Ok(Ok(status)) => {
                    if self.last.as_ref().is_none_or(|last| place(last) != place(&status)) {
                        moved = Instant::now();
                    }
                    let found = is_so(&status);
                    self.last = Some(status.clone());
                    if found {
                        return Ok(status);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(Ended::Late(self.last.clone().map(Box::new))),
                Err(RecvTimeoutError::Disconnected) => return Err(Ended::Closed),
            }
        }
    }
}

/// Where a builder is: what changes when it gets on.
fn place(status: &Status) -> (Mode, &str, Option<u64>, u64, u64) {
    let cycle = status.cycle.as_ref().map(|cycle| cycle.id);
    (status.state, &status.step, cycle, status.progress.done, status.progress.failed)
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The command in the container ends with its standard input, and docker exec with it; when
        // docker exec is killed instead, the command may stay.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
