//! What the loop does with each event costs as much more as there are more failures, and not the square of that.

use nix::sys::resource::{UsageWho, getrusage};

use super::*;
use gbsup::portage::names::cpv::Cpv;

const NOW: Now = Now { mono: Duration::from_secs(1), wall: Timestamp::UNIX_EPOCH };
/// Eight times as many cost eight times as much, or 64 times when each is held against each. What lies between tells these apart on a machine
/// that is busy with other things, too.
const BETWEEN: f64 = 24.0;

/// A builder that is paused for so many failures, all of which it knows, beside as many packages that a person keeps out.
fn paused(failures: usize) -> Durable {
    let name = |n: usize| Cpv::parse(format!("app-misc/package{n}-1.0").as_bytes()).unwrap();
    let mut durable = begun(None).durable;
    let failure = |n| Failure {
        package: Some(name(n).to_string()),
        phase: Some("compile".to_owned()),
        ..Failure::new(Class::Compile, "no luck")
    };
    let failures: Vec<Failure> = (0..failures).map(failure).collect();
    durable.known = failures
        .iter()
        .enumerate()
        .map(|(n, failure)| {
            let at = Timestamp::UNIX_EPOCH;
            serde_json::from_value(serde_json::json!({
                "package": name(n), "slot": "0", "class": "compile", "phase": "compile", "message": failure.message,
                "log": null, "since": at, "last": at, "inputs": { "package": "x", "toolchain": "" }, "asked": null, "untold": true
            }))
            .unwrap()
        })
        .collect();
    let skip = |n: usize| ToSkip { package: format!("app-misc/other-{n}"), version: name(n) };
    let request = Request::Skip { packages: (0..failures.len()).map(skip).collect() };
    let at = Some(Step::Build);
    durable.phase =
        Phase::Paused(Pause { why: Why::Failure, by_flag: false, failures, reason: None, at, due: None });
    step(begun(Some(durable)), Event::Asked { by: Asker::Client(1), request }, NOW).0.durable
}

/// A supervisor that has taken a volume with this on it.
fn begun(durable: Option<Durable>) -> State {
    step(State::new(config(OnFailure::Continue), NOW), claimed(durable, None, 0, true), NOW).0
}

/// The time of this thread.
fn spent() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(used.user_time()) + seconds(used.system_time())
}

/// The least time of some rounds of events, and of what is shown after each.
fn cost(failures: usize) -> f64 {
    let durable = paused(failures);
    assert_eq!((durable.known.len(), durable.skips.len()), (failures, failures));
    let round = |_| {
        let packages = durable.skips.iter().map(|skip| skip.package.clone()).collect();
        let unskip = Event::Asked { by: Asker::Client(2), request: Request::Unskip { packages } };
        let before = spent();
        let mut state = begun(Some(durable.clone()));
        for event in [Event::Timer, unskip] {
            state = step(state, event, NOW).0;
            assert_eq!(view::status(&state, NOW).state, Mode::Paused);
        }
        spent() - before
    };
    (0..5).map(round).fold(f64::INFINITY, f64::min)
}

#[test]
fn eight_times_as_many_failures_do_not_cost_the_square_of_that() {
    let [few, many] = [1000, 8000].map(cost);
    assert!(many < few * BETWEEN, "{few} {many}");
}
