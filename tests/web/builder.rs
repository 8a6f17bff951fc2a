//! What a builder tells, for the tests: statuses made by the core itself.

use std::time::Duration;

use gbsup::config::Config;
use gbsup::decide::view;
use gbsup::model::Now;
use gbsup::model::state::State;
use gbsup::model::status::{JobInfo, Mode, Progress, Status};
use gbsup::model::told::Told;
use jiff::Timestamp;

/// A builder that has just begun, with this headline.
pub(crate) fn status(state: Mode, headline: &str) -> Status {
    let now = Now { mono: Duration::ZERO, wall: Timestamp::now() };
    let begun = view::status(&State::new(Config::default(), now), now);
    Status { state, headline: headline.to_owned(), ..begun }
}

/// One that builds.
pub(crate) fn building(done: u64) -> Status {
    let mut status = status(
        Mode::Running,
        &format!("running: building {} of 57, www-client/firefox-145.0 (compile, 41 min)", done + 1),
    );
    "build".clone_into(&mut status.step);
    status.progress = Progress { done, total: 57, failed: 1, binary: 0, source: done, eta: None };
    status.jobs = vec![JobInfo {
        package: "www-client/firefox-145.0".into(),
        phase: "compile".into(),
        elapsed: 2460,
        estimate: Some(4200),
        binary: false,
    }];
    status
}

pub(crate) fn told(status: &Status) -> Told {
    Told::Status { status: Box::new(status.clone()) }
}
