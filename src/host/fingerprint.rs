//! What decides whether the packages of this machine fit another one, asked of Portage.

use std::fs::File;

use super::output::Capture;
use super::process::{Handle, Launch};
use crate::config::Config;
use crate::portage::command::{self, Inherits};
use crate::portage::output::facts::{self, Fact};

/// The facts, without a supervisor; nothing when Portage does not tell them.
pub(crate) fn gather(config: &Config) -> Option<Vec<Fact>> {
    let handle = Handle::default();
    gather_by(&Launch::new(&handle, Inherits::Portage(&config.build.environment)))
}

/// The same as a process of a job. It is long, and no part of what the job says.
pub(crate) fn gather_by(launch: &Launch<'_>) -> Option<Vec<Fact>> {
    let mut nowhere = File::options().write(true).open("/dev/null").ok()?;
    let mut sink = Capture { file: &mut nowhere, text: Vec::new() };
    launch.run(&command::facts(), &mut sink);
    facts::facts(&sink.text)
}
