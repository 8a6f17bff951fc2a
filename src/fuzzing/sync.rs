//! What a sync prints.
use crate::portage::command::Syncer;
use crate::portage::files::repository;
use crate::portage::output::sync::{self, Heard};

/// Reads it.
pub fn run(data: &[u8]) {
    let repositories = repository::configured(data).unwrap_or_default();
    let mut heard = Heard::default();
    for line in data.split(|&byte| byte == b'\n') {
        heard.line(line, &repositories.all);
    }
    for exit in [Some(0), Some(1), None] {
        let mut synced = sync::conclude(&heard, &Syncer::Emaint, exit, &repositories.all);
        sync::compare(&mut synced, &repositories, &[].into(), &sync::revisions(data));
        let _ = synced.sentence();
    }
}
