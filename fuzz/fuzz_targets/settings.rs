//! What portageq prints of the configuration, and what Portage has against it.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::command::{self, probe};
use gbsup::portage::files::settings::Settings;
use gbsup::portage::files::{makeopts, repository, world};
use gbsup::portage::output::complaints;

fuzz_target!(|data: &[u8]| {
    let settings = Settings::parse(data);
    let _ = makeopts::jobs(&settings.makeopts);
    let text = String::from_utf8_lossy(data);
    for complaint in &mut complaints::read(data) {
        complaint.locate(&text);
        drop(complaint.sentence());
    }
    let _ = complaints::is_answer(data);
    drop(complaints::env_files(&text));
    drop((repository::configured(data), repository::locations(data), probe::Capabilities::read(data)));
    drop((command::passed_over(data), command::versions(data)));
    drop(world::atoms(&text, &text, |name| (name.len() < 2).then(|| text.clone().into_owned())));
});
