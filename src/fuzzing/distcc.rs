//! What clients and helpers of distcc send, and the log of clients.
use crate::distcc::{log, probe, wire};

/// Reads it.
pub fn run(data: &[u8]) {
    if let Ok(Some(asked)) = wire::request(data) {
        let _wanted = (asked.stays_for(), asked.compiler());
    }
    if let Ok(Some(answer)) = wire::answer(data) {
        let _why = probe::differs("gcc", data, answer.object);
    }
    for line in String::from_utf8_lossy(data).lines() {
        if let Some(log::Line { said: log::Said::Runs(arguments), .. }) = log::read(line) {
            let _why = log::stays_for(arguments);
        }
    }
}
