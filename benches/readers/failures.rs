//! What the loop does with an event, and what is shown after it, while a builder is paused for many failures, all of which it knows, beside as
//! many packages that a person keeps out.

use std::hint::black_box;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use gbsup::config::Config;
use gbsup::decide::step::step;
use gbsup::decide::view;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::request::Request;
use gbsup::model::skip::ToSkip;
use gbsup::model::state::{Durable, Pause, Phase, State};
use gbsup::model::status::Why;
use gbsup::model::{Asker, Claimed, Event, Now, Step};
use gbsup::portage::names::cpv::Cpv;

const NOW: Now = Now { mono: Duration::from_secs(1), wall: Timestamp::UNIX_EPOCH };

/// Meets a timer and a request with so many failures.
pub(crate) fn events(failures: usize) -> impl Fn() {
    let durable = paused(failures);
    assert_eq!((durable.known.len(), durable.skips.len()), (failures, failures));
    let packages: Vec<String> = durable.skips.iter().map(|skip| skip.package.clone()).collect();
    move || {
        let request = Request::Unskip { packages: packages.clone() };
        let mut state = begun(Some(durable.clone()));
        for event in [Event::Timer, Event::Asked { by: Asker::Client(2), request }] {
            state = step(state, event, NOW).0;
            black_box(view::status(&state, NOW));
        }
    }
}

fn paused(failures: usize) -> Durable {
    let name = |n: usize| Cpv::parse(format!("app-misc/package{n}-1.0").as_bytes()).expect("a name");
    let mut durable = begun(None).durable;
    let failure = |n| Failure {
        package: Some(name(n).to_string()),
        phase: Some("compile".to_owned()),
        ..Failure::new(Class::Compile, "no luck")
    };
    let known = |n| {
        let at = Timestamp::UNIX_EPOCH;
        let known = json!({
            "package": name(n), "slot": "0", "class": "compile", "phase": "compile", "message": "no luck", "log": null,
            "since": at, "last": at, "inputs": { "package": "x", "toolchain": "" }, "asked": null, "untold": true
        });
        serde_json::from_value(known).expect("what is known of a failure")
    };
    durable.known = (0..failures).map(known).collect();
    let skip = |n| ToSkip { package: format!("app-misc/other-{n}"), version: name(n) };
    let request = Request::Skip { packages: (0..failures).map(skip).collect() };
    durable.phase = Phase::Paused(Pause {
        why: Why::Failure,
        by_flag: false,
        failures: (0..failures).map(failure).collect(),
        reason: None,
        at: Some(Step::Build),
        due: None,
    });
    step(begun(Some(durable)), Event::Asked { by: Asker::Client(1), request }, NOW).0.durable
}

/// A supervisor that has taken a volume with this on it.
fn begun(durable: Option<Durable>) -> State {
    let claimed = Claimed { durable, plan: None, last_cycle: 0, root: "root".to_owned(), boot: true };
    step(State::new(Config::default(), NOW), Event::Claimed(Box::new(claimed)), NOW).0
}
