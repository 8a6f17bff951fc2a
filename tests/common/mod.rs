//! What the stories and the random tests of the decisions both tell of a command.

use std::collections::BTreeMap;

use gbsup::model::machine::Machine;
use gbsup::model::{Exit, Ran};
use gbsup::portage::output::scanner::Evidence;

/// An emerge that ended so and left nothing remarkable.
pub(crate) fn ran(code: i32) -> Box<Ran> {
    Box::new(Ran {
        program: "emerge".into(),
        command: "emerge @world".into(),
        log: "/v/log".into(),
        exit: Exit::Code(code),
        evidence: Evidence::default(),
        logs: BTreeMap::new(),
        machine: Machine { oom_kills: Some(0), ..Machine::default() },
        moments: BTreeMap::new(),
        single_files: Vec::new(),
        renamed: BTreeMap::new(),
        toolchain: "gcc-14".into(),
    })
}
