//! What portageq prints of the configuration, and what Portage has against it.
use crate::portage::command::{self, probe};
use crate::portage::files::settings::Settings;
use crate::portage::files::{makeopts, repository, world};
use crate::portage::output::complaints;

/// Reads it.
pub fn run(data: &[u8]) {
    let settings = Settings::parse(data);
    let _ = makeopts::jobs(&settings.makeopts);
    let text = String::from_utf8_lossy(data);
    for complaint in &mut complaints::read(data) {
        complaint.locate(&text);
        let _ = complaint.sentence();
    }
    let _ = complaints::is_answer(data);
    let _ = complaints::after_atoms(&text);
    let _ = (repository::configured(data), repository::locations(data), probe::Capabilities::read(data));
    let _ = (command::passed_over(data), command::versions(data));
    let _ = world::atoms(&text, &text, |name| (name.len() < 2).then(|| text.clone().into_owned()));
}
