//! What a sync prints.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::command::Syncer;
use gbsup::portage::files::repository;
use gbsup::portage::output::sync::{self, Heard};

fuzz_target!(|data: &[u8]| {
    let repositories = repository::configured(data).unwrap_or_default();
    let mut heard = Heard::default();
    for line in data.split(|&byte| byte == b'\n') {
        heard.line(line, &repositories.all);
    }
    for exit in [Some(0), Some(1), None] {
        let mut synced = sync::conclude(&heard, &Syncer::Emaint, exit, &repositories.all);
        sync::compare(&mut synced, &repositories, &[].into(), &sync::revisions(data));
        drop(synced.sentence());
    }
});
