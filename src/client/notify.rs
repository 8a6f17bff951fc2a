//! `gbsup notify --test`: sends a message every way that is configured, here and now.

use super::answer::print;
use super::error::{DEADLINE, Error};
use super::socket::Supervisor;
use crate::cli::Exit;
use crate::config;
use crate::decide::news;
use crate::host::delivery::Parcel;
use crate::model::notice::Way;

pub(super) fn test(supervisor: &Supervisor) -> Result<Exit, Error> {
    let config = config::load()?.notify;
    let note = news::test(&config.name);
    // A message has a status where there is one.
    let status = supervisor.status(DEADLINE).ok();
    let message = |way| {
        Parcel::Message(way, Box::new(note.clone()), status.as_ref().map(|status| Box::new(status.clone())))
    };
    let mut parcels: Vec<Parcel> = Way::of_messages(&config).into_iter().map(message).collect();
    parcels.extend(config.heartbeat.as_ref().map(|_| Parcel::Beat));
    if parcels.is_empty() {
        let nothing = "there is nobody to tell: set command, webhook or heartbeat below [notify]";
        return Err(Error::Failed(nothing.into()));
    }
    let mut problems = Vec::new();
    for parcel in parcels {
        let way = parcel.way();
        match parcel.send(&config) {
            Ok(()) => drop(print(format!("notify.{way}: sent without an error\n"))?),
            Err(problem) => problems.push(format!("notify.{way}: {problem}")),
        }
    }
    if problems.is_empty() { Ok(Exit::Done) } else { Err(Error::Failed(problems.join("\n"))) }
}
