//! How long it will take, and what has been done: stories of the decisions.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use gbsup::config::Config;
use gbsup::decide::step::step;
use gbsup::decide::view;
use gbsup::model::duration::Eta;
use gbsup::model::estimates::Estimates;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::records::{Outcome, Record};
use gbsup::model::request::{PauseMode, Request};
use gbsup::model::state::State;
use gbsup::model::status::Status;
use gbsup::model::{Action, Asker, Claimed, Event, JobId, Now, Report, Step};
use gbsup::portage::files::built::Built;
use gbsup::portage::files::durations::Durations;
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::output::scanner::{How, Listed, Progress};

/// A builder that has just begun to build.
struct Story {
    state: State,
    seconds: u64,
    job: JobId,
    records: Vec<Record>,
}

impl Story {
    fn begin() -> Self {
        let now = Now { mono: Duration::ZERO, wall: Timestamp::from_second(1_800_000_000).unwrap() };
        let state = State::new(Config::default(), now);
        let mut story = Self { state, seconds: 0, job: JobId(0), records: Vec::new() };
        story.take(claimed(None));
        story.until(Step::Build);
        story
    }

    /// Everything is killed, and started again on the same volume.
    fn kill(&mut self) {
        let durable = self.state.durable.clone();
        self.state = State::new(Config::default(), self.now());
        self.take(claimed(Some(durable)));
        self.until(Step::Build);
    }

    fn now(&self) -> Now {
        let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(self.seconds).unwrap()).unwrap();
        Now { mono: Duration::from_secs(self.seconds), wall }
    }

    fn take(&mut self, event: Event) {
        let (state, actions) = step(self.state.clone(), event, self.now());
        self.state = state;
        for action in actions {
            match action {
                Action::Start { job, .. } => self.job = job,
                Action::Record(record) => self.records.push(record),
                _ => {}
            }
        }
    }

    /// Lets every step before this one go well.
    fn until(&mut self, last: Step) {
        while self.state.live.job.as_ref().is_some_and(|job| job.work.step() != last) {
            self.end(Report::Nothing);
        }
    }

    fn end(&mut self, report: Report) {
        let job = self.job;
        self.take(Event::Ended { job, report });
    }

    fn print(&mut self, progress: Progress) {
        let job = self.job;
        self.take(Event::Progress { job, progress });
    }

    fn ask(&mut self, request: Request) {
        self.take(Event::Asked { by: Asker::Client(1), request });
    }

    fn build(&mut self, name: &str, seconds: u64) {
        self.print(emerging(name));
        self.seconds += seconds;
        self.print(completed(name));
    }

    fn status(&self) -> Status {
        view::status(&self.state, self.now())
    }

    fn done_and_total(&self) -> (u64, u64) {
        let progress = self.status().progress;
        (progress.done, progress.total)
    }

    fn predictions(&self) -> Vec<(u64, u64, Eta)> {
        let made = self.records.iter().filter_map(|record| match record {
            Record::Predicted { after, packages, eta, .. } => Some((*after, *packages, *eta)),
            _ => None,
        });
        made.collect()
    }

    /// How long the build worked, by the end of its cycle.
    fn worked(&self) -> Vec<(Outcome, Option<u64>)> {
        let ended = self.records.iter().filter_map(|record| match record {
            Record::CycleEnded { outcome, worked, .. } => Some((*outcome, *worked)),
            _ => None,
        });
        ended.collect()
    }
}

fn claimed(durable: Option<gbsup::model::state::Durable>) -> Event {
    Event::Claimed(Box::new(Claimed { durable, plan: None, last_cycle: 0, root: "one".into(), boot: true }))
}

fn cpv(name: &str) -> Cpv {
    Cpv::parse(format!("app-misc/{name}-1").as_bytes()).unwrap()
}

fn planned(names: &[&str]) -> Progress {
    let list = names.iter().map(|name| Listed { package: cpv(name), binary: false });
    Progress::Planned { total: u32::try_from(names.len()).unwrap(), list: list.collect() }
}

fn emerging(name: &str) -> Progress {
    Progress::Emerging { n: 1, total: 1, package: cpv(name), binary: false }
}

fn completed(name: &str) -> Progress {
    Progress::Completed { n: 1, total: 1, package: cpv(name) }
}

fn failed(name: &str) -> Progress {
    Progress::Failed { package: cpv(name), how: How::Build, log: None }
}

/// Earlier builds: each name with the seconds it took.
fn known(builds: &[(&str, u64)], jobs: u32) -> Event {
    let mut log = String::new();
    for (name, seconds) in builds {
        let _ = writeln!(log, "1000:  >>> emerge (1 of 1) {} to /", cpv(name));
        let _ = writeln!(log, "{}:  ::: completed emerge (1 of 1) {} to /", 1000 + seconds, cpv(name));
        let _ = writeln!(log, "{}:  *** terminating.", 1000 + seconds);
    }
    let mut durations = Durations::default();
    durations.read(log.as_bytes(), &Built::unknown());
    Event::Estimates(Arc::new(Estimates::new(&durations, jobs)))
}

fn trouble() -> Report {
    Report::Failed(Box::new(Failure::new(Class::Unknown, "no luck")))
}

#[test]
fn what_was_built_before_says_how_long_it_takes() {
    let mut story = Story::begin();
    story.take(known(&[("a", 4200), ("b", 3600)], 1));
    story.print(planned(&["a", "b"]));
    story.print(emerging("a"));
    story.seconds += 2460;
    let status = story.status();
    assert_eq!(
        status.headline,
        "running: building 1 of 2, app-misc/a-1 (build, 41 min of about 1 h 10 min), all done in about 1 h 29 min"
    );
    assert_eq!((status.jobs[0].elapsed, status.jobs[0].estimate), (2460, Some(4200)));
    let eta = status.progress.eta.unwrap();
    assert_eq!((eta.likely, eta.unknown), (1740 + 3600, 0));
    story.seconds += 1000;
    story.print(completed("a"));
    assert_eq!(story.status().progress.eta.unwrap().likely, 3600);
    story.build("b", 3600);
    assert_eq!(story.status().progress.eta.unwrap().likely, 0);
}

#[test]
fn without_earlier_builds_nothing_is_promised() {
    let mut story = Story::begin();
    story.print(planned(&["a", "b"]));
    story.print(emerging("a"));
    let status = story.status();
    assert_eq!((status.progress.eta, status.jobs[0].estimate), (None, None));
    assert_eq!(status.headline, "running: building 1 of 2, app-misc/a-1 (build, 0 s)");
    assert!(story.predictions().is_empty());
    story.take(known(&[("b", 100)], 1));
    let eta = story.status().progress.eta.unwrap();
    assert_eq!((eta.likely, eta.unknown), (200, 1));
}

#[test]
fn a_prediction_is_measured_by_the_time_that_was_worked() {
    let mut story = Story::begin();
    story.take(known(&[("a", 100), ("b", 100), ("c", 100)], 1));
    story.seconds += 5;
    story.print(planned(&["a", "b", "c"]));
    story.build("a", 110);
    story.print(emerging("b"));
    story.seconds += 10;
    story.ask(Request::Pause { mode: PauseMode::Now, reason: None });
    story.seconds += 3;
    story.end(trouble());
    // A night passes.
    story.seconds += 40_000;
    story.ask(Request::Resume { skip: Vec::new() });
    story.until(Step::Build);
    story.seconds += 7;
    story.print(planned(&["b", "c"]));
    story.build("b", 90);
    story.print(Progress::Resuming);
    story.print(planned(&["c"]));
    story.build("c", 95);
    story.end(Report::Nothing);
    assert!(story.worked().is_empty(), "the cycle is not over");
    story.until(Step::Preflight);

    let predictions = story.predictions();
    let said: Vec<_> =
        predictions.iter().map(|(after, packages, eta)| (*after, *packages, eta.likely)).collect();
    assert_eq!(said, [(0, 3, 300), (123, 2, 200)], "one for each time it began");
    assert_eq!(story.worked(), [(Outcome::Done, Some(123 + 185))]);
    assert_eq!(story.status().progress.eta, None);
}

#[test]
fn what_has_to_be_merged_again_first_is_not_the_build() {
    let mut story = Story::begin();
    story.state.durable.cycle.as_mut().unwrap().merge_again = vec![cpv("a").to_string()];
    story.end(trouble());
    story.state.durable.cycle.as_mut().unwrap().merge_again = vec![cpv("a").to_string()];
    story.ask(Request::Resume { skip: Vec::new() });
    story.until(Step::Build);
    story.take(known(&[("a", 100), ("b", 50)], 1));
    story.print(planned(&["a"]));
    assert!(story.predictions().is_empty());
    story.build("a", 100);
    assert_eq!(story.done_and_total(), (1, 1));
    story.print(planned(&["b"]));
    assert_eq!(story.done_and_total(), (1, 2));
    assert_eq!(story.predictions().len(), 1);
}

#[test]
fn a_power_loss_forgets_no_package_that_was_merged() {
    let mut story = Story::begin();
    story.take(known(&[("a", 100), ("b", 100), ("c", 100)], 1));
    story.print(planned(&["a", "b", "c"]));
    assert_eq!(story.done_and_total(), (0, 3));
    story.build("a", 100);
    story.build("b", 100);
    story.print(emerging("c"));
    story.seconds += 50;
    story.kill();
    assert_eq!(story.done_and_total(), (2, 3));
    let cycle = story.state.durable.cycle.clone().unwrap();
    assert_eq!(
        cycle.merged,
        [cpv("a").to_string(), cpv("b").to_string()],
        "what perl-cleaner and others go by"
    );
    story.print(planned(&["c"]));
    assert_eq!(story.done_and_total(), (2, 3));
    story.build("c", 100);
    story.end(Report::Nothing);
    assert_eq!(story.status().progress.source, 3);
    assert_eq!(story.state.durable.cycle.as_ref().unwrap().worked, 300, "but for what the kill cost");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/forecast.txt"))), ..ProptestConfig::default() })]

    /// Packages are built, fail and take others with them; what is left is planned again, after a
    /// failure by Portage itself and after a kill by us.
    #[test]
    fn done_and_total_never_go_backwards(fates in vec(0..12_u8, 1..25)) {
        let names: Vec<String> = (0..fates.len()).map(|n| format!("p{n}")).collect();
        let mut left: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut merged = Vec::new();
        let mut story = Story::begin();
        story.print(planned(&left));
        let mut before = story.done_and_total();
        prop_assert_eq!(before, (0, fates.len() as u64));
        for (name, fate) in names.iter().zip(fates) {
            if !left.contains(&name.as_str()) {
                continue;
            }
            left.retain(|other| *other != name.as_str());
            story.print(emerging(name));
            story.seconds += 10;
            match fate {
                0 => {
                    story.print(failed(name));
                    left.pop();
                    story.print(Progress::Resuming);
                    story.print(planned(&left));
                }
                1 => {
                    story.kill();
                    // What failed is tried again, too.
                    left = names.iter().map(String::as_str).filter(|name| !merged.contains(name)).collect();
                    story.print(planned(&left));
                }
                _ => {
                    story.print(completed(name));
                    merged.push(name.as_str());
                }
            }
            let now = story.done_and_total();
            prop_assert!(now.0 >= before.0 && now.1 >= before.1, "{before:?} {now:?}");
            prop_assert!(now.1 <= names.len() as u64, "{now:?}");
            before = now;
        }
    }
}
