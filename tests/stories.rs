//! What the core decides, told as stories: fast, without a process or a file.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use gbsup::config::{Config, OnFailure};
use gbsup::core::failure::{Class, Failure};
use gbsup::core::request::{PauseMode, Reply, Request};
use gbsup::core::state::{CyclePlan, State};
use gbsup::core::status::{Mode, Status};
use gbsup::core::step::step;
use gbsup::core::{Action, Asker, Claimed, Event, Exit, Force, JobId, Now, Ran, Report, Step, Work, view};
use gbsup::portage::buildlog::BuildLog;
use gbsup::portage::circular::{Circle, Solution};
use gbsup::portage::cpv::Cpv;
use gbsup::portage::fetch::Trouble;
use gbsup::portage::output::{Evidence, FailedPackage, How, Progress, Scanner};
use gbsup::portage::plan::{Action as Merge, Plan, Planned, Reason};
use gbsup::portage::problem::{Problem, ProblemKind};
use gbsup::portage::sync::Outcome;

struct Story {
    state: State,
    seconds: u64,
    job: Option<(JobId, Work)>,
    plan: Option<CyclePlan>,
    forces: Vec<Force>,
    gone: bool,
}

impl Story {
    /// A container that has just started on this volume.
    fn begin(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        let now = Now { mono: Duration::ZERO, wall: Timestamp::from_second(1_800_000_000).unwrap() };
        let state = State::new(config, now);
        let mut story = Self { state, seconds: 0, job: None, plan: None, forces: Vec::new(), gone: false };
        story.claim(None, "one", true);
        story
    }

    fn claim(&mut self, durable: Option<gbsup::core::state::Durable>, root: &str, boot: bool) {
        let plan = self.plan.clone();
        let claimed = Claimed { durable, plan, last_cycle: 0, root: root.to_owned(), boot };
        self.take(Event::Claimed(Box::new(claimed)));
    }

    /// The process ends and another one begins on the same volume.
    fn restart(&mut self, root: &str, boot: bool) {
        let durable = self.state.durable.clone();
        let held = self.state.live.hold;
        self.state = State::new(self.state.live.config.clone(), self.now());
        self.job = None;
        // The flag file is looked for before the volume's state is told.
        self.take(Event::Hold(held));
        self.claim(Some(durable), root, boot);
    }

    fn now(&self) -> Now {
        let wall = 1_800_000_000 + i64::try_from(self.seconds).unwrap();
        Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::from_second(wall).unwrap() }
    }

    fn take(&mut self, event: Event) -> Vec<Action> {
        let (state, actions) = step(self.state.clone(), event, self.now());
        self.state = state;
        for action in &actions {
            match action {
                Action::Start { job, work, .. } => self.job = Some((*job, work.clone())),
                Action::Signal { force, .. } => self.forces.push(*force),
                Action::PersistPlan => self.plan = self.state.plan.as_deref().cloned(),
                Action::Exit(_) => self.gone = true,
                _ => {}
            }
        }
        actions
    }

    fn ask(&mut self, request: Request) -> Reply {
        let actions = self.take(Event::Asked { by: Asker::Client(1), request });
        let answer = |action| match action {
            Action::Answer { reply, .. } => Some(reply),
            _ => None,
        };
        actions.into_iter().find_map(answer).unwrap()
    }

    fn pass(&mut self, seconds: u64) {
        self.seconds += seconds;
        self.take(Event::Timer);
    }

    #[track_caller]
    fn running(&self) -> Step {
        self.job.as_ref().expect("a job runs").1.step()
    }

    #[track_caller]
    fn end(&mut self, report: Report) {
        let (job, _) = self.job.take().expect("a job runs");
        self.take(Event::Ended { job, report });
    }

    /// Lets this step and those before it go well.
    #[track_caller]
    fn through(&mut self, last: Step) {
        loop {
            let now = self.running();
            self.end(match now {
                Step::Sync => synced(Outcome::Synced),
                Step::Plan => planned(&["a", "b", "c"]),
                Step::Build => Report::Ran(ran(0)),
                _ => Report::Nothing,
            });
            if now == last {
                return;
            }
        }
    }

    fn print(&mut self, progress: Progress) {
        let (job, _) = self.job.clone().expect("a job runs");
        self.take(Event::Progress { job, progress });
    }

    fn status(&self) -> Status {
        view::status(&self.state, self.now())
    }

    #[track_caller]
    fn expect(&self, state: Mode, headline: &str) {
        let status = self.status();
        assert_eq!(status.state, state, "{}", status.headline);
        assert!(status.headline.contains(headline), "{} lacks {headline}", status.headline);
    }
}

fn ran(code: i32) -> Box<Ran> {
    Box::new(Ran {
        program: "emerge".into(),
        command: "emerge @world".into(),
        log: "/v/log".into(),
        exit: Exit::Code(code),
        evidence: Evidence::default(),
        logs: BTreeMap::new(),
        full: None,
        oom_kills: Some(0),
        single_files: Vec::new(),
    })
}

fn planned(names: &[&str]) -> Report {
    let package = |name: &&str| Planned {
        cpv: cpv(name),
        slot: "0".into(),
        sub_slot: "0".into(),
        repo: "pocket".into(),
        binary: false,
        action: Merge::New,
        old: Vec::new(),
        use_changes: Vec::new(),
        why: vec![Reason::Target],
        download: 1024,
    };
    let packages = names.iter().map(package).collect();
    Report::Planned { ran: ran(0), plan: Plan { packages, removed: Vec::new() } }
}

/// What a run with this output leaves.
fn evidence(text: &[u8]) -> Evidence {
    let mut scanner = Scanner::new();
    for line in text.split(|byte| *byte == b'\n') {
        scanner.line(line);
    }
    scanner.finish()
}

fn synced(outcome: Outcome) -> Report {
    let code = i32::from(matches!(outcome, Outcome::Failed(_)));
    Report::Synced { ran: ran(code), outcome, revision: Some("abc".into()) }
}

fn unreachable() -> Report {
    synced(Outcome::Failed("no route to host".into()))
}

fn cpv(name: &str) -> Cpv {
    Cpv::parse(format!("app-misc/{name}-1").as_bytes()).unwrap()
}

fn emerging(name: &str) -> Progress {
    Progress::Emerging { n: 1, total: 3, package: cpv(name), binary: false }
}

fn installing(name: &str) -> Progress {
    Progress::Installing { n: 1, total: 3, package: cpv(name) }
}

fn completed(name: &str) -> Progress {
    Progress::Completed { n: 1, total: 3, package: cpv(name) }
}

fn resume() -> Request {
    Request::Resume { skip: Vec::new() }
}

fn pause(mode: PauseMode) -> Request {
    Request::Pause { mode, reason: Some("lunch".into()) }
}

#[test]
fn a_first_cycle_goes_through_its_steps_and_waits() {
    let mut story = Story::begin(|_| {});
    for step in [Step::Preflight, Step::Sync, Step::SelfUpdate, Step::Plan, Step::Build, Step::Rebuild] {
        assert_eq!(story.running(), step);
        story.through(step);
    }
    story.expect(Mode::Waiting, "everything is up to date; next sync in 1 d");
    assert_eq!(story.state.wake(), Some(Duration::from_hours(24)));
    story.pass(86_400);
    assert_eq!(story.running(), Step::Preflight);
    assert_eq!(story.status().cycle.unwrap().reason, "interval");
}

#[test]
fn five_syncs_while_building_are_one_cycle_more() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    assert!(matches!(story.ask(Request::Sync), Reply::Accepted { .. }));
    for _ in 0..4 {
        assert!(matches!(story.ask(Request::Sync), Reply::Already { .. }));
    }
    assert!(story.forces.is_empty(), "emerge was disturbed");
    story.through(Step::Rebuild);
    assert_eq!(story.status().cycle.unwrap().id, 2);
    story.through(Step::Rebuild);
    story.expect(Mode::Waiting, "");
}

#[test]
fn a_failure_pauses_and_resume_runs_that_step_again() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(Progress::Planned { total: 3, list: Vec::new() });
    story.print(emerging("a"));
    story.print(completed("a"));
    let failure = Failure { package: Some("app-misc/b-1".into()), ..Failure::new(Class::Compile, "no luck") };
    story.end(Report::Failed(Box::new(failure)));
    story.expect(Mode::Paused, "app-misc/b-1: no luck; 1 of 3 built. Repair it, then: gbsup resume");
    story.restart("one", true);
    story.expect(Mode::Paused, "no luck; 1 of 3 built");
    assert!(matches!(story.ask(resume()), Reply::Accepted { .. }));
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan);
    assert_eq!(story.status().progress.total, 3, "until there is another plan");
    story.end(planned(&["b"]));
    assert_eq!(story.running(), Step::Build);
    assert_eq!(story.status().progress.total, 2, "what is merged, and what is left");
    story.through(Step::Rebuild);
    assert_eq!(story.status().progress.total, 1, "nothing is left to do");
    assert!(matches!(story.ask(resume()), Reply::Denied { .. }));
}

#[test]
fn what_the_tree_has_nothing_for_is_not_passed_over_in_silence() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let mut ran = ran(0);
    ran.evidence = evidence(include_bytes!("captured/world-atom-gone.txt"));
    story.end(Report::Ran(ran));
    story.through(Step::Rebuild);
    story.expect(Mode::Waiting, "everything else is up to date");
    let warnings = story.status().warnings;
    assert!(
        warnings.iter().any(|warning| warning.contains("gone from the tree: test-none/gone")),
        "{warnings:?}"
    );
}

#[test]
fn a_new_root_on_an_old_volume_begins_anew_even_when_paused() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Sync);
    story.end(Report::Failed(Box::new(Failure::new(Class::Internal, "broken"))));
    story.restart("another", true);
    assert_eq!(story.running(), Step::Preflight);
    assert_eq!(story.status().cycle.unwrap().reason, "new-root");
    // Its own tree may be old, but the mirror was asked a moment ago.
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::SelfUpdate);
}

#[test]
fn a_sync_that_fails_is_tried_again_and_then_the_old_tree_is_built() {
    let mut story = Story::begin(|config| {
        config.sync.retries = vec![Duration::from_mins(1), Duration::from_mins(5)];
    });
    story.through(Step::Preflight);
    story.end(unreachable());
    story.expect(Mode::Running, "no route to host; trying again in 1 min (attempt 2 of 3)");
    story.pass(59);
    assert!(story.job.is_none());
    story.pass(1);
    story.end(unreachable());
    story.restart("one", false);
    story.through(Step::Preflight);
    assert!(story.job.is_none(), "a restart shortened the wait");
    story.pass(300);
    story.end(unreachable());
    assert_eq!(story.running(), Step::SelfUpdate);
    assert!(story.status().sync.stale_since.is_some());
    story.through(Step::Rebuild);
    story.expect(Mode::Waiting, "with the tree of an earlier sync");
}

#[test]
fn a_sync_that_fails_pauses_when_configured_so() {
    let mut story = Story::begin(|config| {
        config.sync.retries = Vec::new();
        config.sync.on_failure = OnFailure::Pause;
    });
    story.through(Step::Preflight);
    story.end(unreachable());
    story.expect(Mode::Paused, "the sync failed: no route to host");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync, "whatever the least interval says");
    story.through(Step::Rebuild);
    assert_eq!(story.status().sync.stale_since, None);
}

#[test]
fn the_least_interval_between_syncs_survives_restarts_and_yields_to_a_request() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Rebuild);
    for _ in 0..3 {
        story.seconds += 600;
        story.restart("one", true);
        story.through(Step::Preflight);
        assert_eq!(story.running(), Step::SelfUpdate, "a restart synced again");
        story.through(Step::Rebuild);
    }
    story.ask(Request::Sync);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
}

/// A build in which these packages failed to be fetched, for a reason that may pass or not.
fn unfetched(packages: &[(&str, bool)]) -> Report {
    let mut ran = ran(1);
    for (name, may_pass) in packages {
        let package = cpv(name);
        let log = BuildLog {
            fetch: if *may_pass { Trouble::Passing } else { Trouble::Lasting },
            problems: vec![Problem {
                kind: ProblemKind::Fetch,
                subject: Some(format!("{name}.tar.gz")),
                package: None,
                lines: vec![format!("!!! Couldn't download '{name}.tar.gz'. Aborting.")],
                omitted: 0,
            }],
            ..BuildLog::default()
        };
        ran.logs.insert(package.to_string(), log);
        ran.evidence.failed.push(FailedPackage { package, how: How::Build, log: None, die: None });
    }
    Report::Ran(ran)
}

#[track_caller]
fn again(story: &Story) -> Vec<String> {
    match &story.job.as_ref().expect("a job runs").1 {
        Work::Again { packages, .. } => packages.clone(),
        other => panic!("it is not tried again but {other:?}"),
    }
}

#[test]
fn what_could_not_be_fetched_is_fetched_later_and_then_all_is_built() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Running, "app-misc/a-1 could not be fetched; trying again in 1 min (attempt 2 of 4)");
    assert!(story.job.is_none());
    // In the middle of the wait the container is started again.
    story.seconds += 20;
    story.restart("one", true);
    story.through(Step::Preflight);
    story.expect(Mode::Running, "trying again in 40 s");
    story.pass(40);
    assert_eq!(again(&story), ["app-misc/a-1"]);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Running, "trying again in 5 min (attempt 3 of 4)");
    story.pass(300);
    story.print(emerging("a"));
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    assert!(matches!(story.job, Some((_, Work::Build { .. }))), "what waited for it is built");
    story.through(Step::Rebuild);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(story.status().remedies, ["app-misc/a-1 could not be fetched at first; attempt 3 worked"]);
}

#[test]
fn a_server_that_does_not_come_back_is_left_to_a_person() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    for minutes in [1, 5, 15] {
        story.end(unfetched(&[("a", true)]));
        story.pass(minutes * 60);
        assert_eq!(again(&story), ["app-misc/a-1"]);
    }
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Paused, "app-misc/a-1 failed in fetch");
    let evidence = &story.status().pause.unwrap().failures[0].evidence;
    assert_eq!(evidence.last().map(String::as_str), Some("tried again 3 times, in vain"));
    // Somebody who says resume wants all of it again.
    story.ask(resume());
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Running, "attempt 2 of 4");
}

#[test]
fn only_what_may_pass_is_tried_again_and_the_rest_waits_for_a_person() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true), ("b", false)]));
    assert_eq!(story.status().remedies.len(), 1);
    assert_eq!(story.ask(resume()), Reply::Accepted { message: "trying the build again now".into() });
    assert_eq!(again(&story), ["app-misc/a-1"]);
    story.print(emerging("a"));
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    story.expect(Mode::Paused, "app-misc/b-1 failed in fetch");
    assert_eq!(story.status().progress.failed, 1);
}

/// A plan that met a circular dependency.
fn tangled() -> Report {
    let Report::Ran(ran) = tangled_within() else { panic!("emerge was run") };
    Report::Planned { ran, plan: Plan::default() }
}

/// The same, of a package that was built to break one.
fn tangled_within() -> Report {
    let mut ran = ran(1);
    ran.evidence.problems.push(Problem {
        kind: ProblemKind::Circular,
        subject: None,
        package: None,
        lines: vec![" * Error: circular dependencies:".to_owned()],
        omitted: 0,
    });
    Report::Ran(ran)
}

fn circle(solutions: &[&str]) -> Report {
    let solution =
        |name: &&str| Solution { package: cpv(name), flags: BTreeMap::from([("loop".to_owned(), false)]) };
    Report::Circle(Circle {
        packages: vec![cpv("a"), cpv("b")],
        solutions: solutions.iter().map(solution).collect(),
    })
}

#[track_caller]
fn untangled(story: &Story) -> String {
    match &story.job.as_ref().expect("a job runs").1 {
        Work::Untangle { solution, .. } => solution.package.to_string(),
        other => panic!("nothing is untangled but {other:?}"),
    }
}

#[test]
fn a_circle_is_broken_and_the_build_goes_on() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(tangled());
    assert!(matches!(story.job, Some((_, Work::Circle { .. }))));
    story.end(circle(&["a", "b"]));
    story.expect(Mode::Running, "packages need each other; app-misc/a-1 is built with USE=\"-loop\" first");
    // Killed meanwhile, it does the same again.
    story.restart("one", true);
    story.through(Step::Preflight);
    assert_eq!(untangled(&story), "app-misc/a-1");
    story.end(Report::Ran(ran(0)));
    assert!(matches!(story.job, Some((_, Work::Plan { .. }))));
    story.through(Step::Rebuild);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(
        story.status().remedies,
        ["app-misc/a-1 was built with USE=\"-loop\" for a while, because packages needed each other"]
    );
}

#[test]
fn a_circle_within_a_circle_is_broken_first() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(tangled());
    story.end(circle(&["a"]));
    assert_eq!(untangled(&story), "app-misc/a-1");
    story.end(tangled_within());
    let Some((_, Work::Circle { within: Some(within), .. })) = &story.job else { panic!("{:?}", story.job) };
    assert_eq!(within.package, cpv("a"));
    story.end(circle(&["b"]));
    assert_eq!(untangled(&story), "app-misc/b-1");
    story.end(Report::Ran(ran(0)));
    story.end(tangled());
    story.end(circle(&["a"]));
    assert_eq!(untangled(&story), "app-misc/a-1", "it was not the solution that was wrong");
    story.end(Report::Ran(ran(0)));
    story.through(Step::Rebuild);
    assert_eq!(story.status().remedies.len(), 2);
}

#[test]
fn a_circle_that_cannot_be_broken_is_named() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(tangled());
    story.end(circle(&["b"]));
    // It builds, and the circle is still there.
    story.end(Report::Ran(ran(0)));
    story.end(tangled());
    story.end(circle(&["b"]));
    story.expect(
        Mode::Paused,
        "packages need each other to be built: app-misc/a-1 needs app-misc/b-1 needs app-misc/a-1",
    );
    let evidence = &story.status().pause.unwrap().failures[0].evidence;
    assert_eq!(evidence.last().map(String::as_str), Some("tried in vain: app-misc/b-1 with USE=\"-loop\""));

    let mut story = Story::begin(|config| config.remedy.circular = false);
    story.through(Step::SelfUpdate);
    story.end(tangled());
    story.expect(Mode::Paused, "packages need each other to be built");
}

/// Each way out leads to the next circle, for ever if it were let.
#[test]
fn circles_come_to_an_end() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    let names: Vec<String> = (0..30).map(|n| format!("p{n}")).collect();
    let mut attempts = 0;
    for name in &names {
        story.end(tangled());
        story.end(circle(&[name]));
        if story.job.is_none() {
            break;
        }
        story.end(Report::Ran(ran(0)));
        attempts += 1;
    }
    assert_eq!(attempts, 10);
    story.expect(Mode::Paused, "packages need each other to be built");
}

#[test]
fn without_the_remedy_a_person_is_asked_at_once() {
    let mut story = Story::begin(|config| config.remedy.fetch.clear());
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Paused, "app-misc/a-1 failed in fetch");
}

/// Half a tree is not built, however lately the sync that left it was begun.
#[test]
fn a_sync_that_was_cut_short_is_made_up_for() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
    story.restart("one", true);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
    story.restart("one", true);
    story.through(Step::Preflight);
    story.expect(Mode::Running, "the last 2 syncs did not come to an end; syncing in 1 min");
    assert!(story.job.is_none(), "killed again and again it would hammer the mirror");
    story.pass(60);
    story.through(Step::Sync);
    story.restart("one", true);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::SelfUpdate, "it ended");
}

#[test]
fn a_sync_interrupted_by_a_pause_is_run_again_on_resume() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Preflight);
    story.ask(pause(PauseMode::Now));
    story.end(Report::Ran(ran(130)));
    story.expect(Mode::Paused, "lunch");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
}

#[test]
fn a_pause_after_the_package_waits_for_those_in_work_and_no_others() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(emerging("b"));
    story.ask(pause(PauseMode::AfterPackage));
    story.print(completed("a"));
    story.print(emerging("c"));
    assert!(story.forces.is_empty());
    story.print(completed("b"));
    assert_eq!(story.forces, [Force::Interrupt]);
    story.end(Report::Ran(ran(130)));
    story.expect(Mode::Paused, "held by an operator (lunch)");
    story.ask(resume());
    story.through(Step::Plan);
    assert_eq!(story.running(), Step::Build);
}

#[test]
fn a_merge_is_let_finish_before_a_stop() {
    let mut story = Story::begin(|config| config.stop.grace = Duration::from_secs(100));
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(emerging("b"));
    story.print(installing("a"));
    story.take(Event::Terminate);
    assert!(story.forces.is_empty());
    story.expect(Mode::Stopping, "letting app-misc/a-1 finish merging");
    story.print(completed("a"));
    assert_eq!(story.forces, [Force::Interrupt]);
    story.end(Report::Ran(ran(130)));
    assert!(story.gone);
    story.restart("one", true);
    story.through(Step::Plan);
    assert_eq!(story.running(), Step::Build, "it did not go on where it was");
}

#[test]
fn a_merge_that_does_not_finish_is_interrupted_within_the_grace() {
    let mut story = Story::begin(|config| config.stop.grace = Duration::from_secs(100));
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(installing("a"));
    story.take(Event::Terminate);
    for (seconds, forces) in [(59, 0), (1, 1), (14, 1), (1, 2), (9, 2), (1, 3)] {
        story.pass(seconds);
        assert_eq!(story.forces.len(), forces, "after {} s", story.seconds);
    }
    assert_eq!(story.forces, [Force::Interrupt, Force::Terminate, Force::Kill]);
}

#[test]
fn a_second_stop_hurries() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.take(Event::Terminate);
    story.take(Event::Terminate);
    story.take(Event::Terminate);
    assert_eq!(story.forces, [Force::Interrupt, Force::Terminate, Force::Kill]);
}

#[test]
fn the_pause_flag_holds_and_a_sync_waits_for_it() {
    let mut story = Story::begin(|_| {});
    story.take(Event::Hold(true));
    story.through(Step::Preflight);
    story.expect(Mode::Paused, "held by the flag file /var/lib/gbsup/control/pause; remove it to go on");
    assert!(matches!(story.ask(resume()), Reply::Denied { .. }));
    assert!(matches!(story.ask(Request::Sync), Reply::Accepted { .. }));
    assert_eq!(story.status().pending, ["sync"]);
    story.restart("one", true);
    assert_eq!(story.status().pending, ["sync"]);
    story.take(Event::Hold(false));
    assert_eq!(story.running(), Step::Preflight);
}

#[test]
fn a_pause_keeps_the_time_of_the_next_cycle() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Rebuild);
    story.pass(3600);
    story.ask(pause(PauseMode::AfterCycle));
    story.expect(Mode::Paused, "lunch");
    story.seconds += 3600;
    story.ask(resume());
    story.expect(Mode::Waiting, "next sync in 22 h");
}

#[test]
fn what_cannot_change_while_running_stays() {
    let mut story = Story::begin(|_| {});
    let mut config = Config::default();
    config.volume.path = "/elsewhere".into();
    config.build.keep_going = false;
    story.take(Event::Reloaded(Ok(Box::new(config))));
    assert_eq!(story.state.live.config.volume.path.to_str(), Some("/var/lib/gbsup"));
    assert!(!story.state.live.config.build.keep_going);
    assert!(story.status().warnings.iter().any(|warning| warning.contains("next start")));
    story.take(Event::Reloaded(Err("gbsup.toml:3: nonsense\nand more".into())));
    assert!(!story.state.live.config.build.keep_going);
    assert!(story.status().warnings.iter().any(|warning| warning.contains("gbsup.toml:3: nonsense")));
}

#[test]
fn another_interval_counts_from_the_end_of_the_cycle() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Rebuild);
    story.pass(3600);
    let interval = |hours| {
        let mut config = Config::default();
        config.cycle.interval = hours;
        Event::Reloaded(Ok(Box::new(config)))
    };
    story.take(interval(Some(Duration::from_hours(2))));
    story.expect(Mode::Waiting, "next sync in 1 h");
    story.take(interval(None));
    story.expect(Mode::Waiting, "on request");
    story.take(interval(Some(Duration::from_hours(2))));
    story.pass(3599);
    story.expect(Mode::Waiting, "next sync in 1 s");
    story.pass(1);
    assert_eq!(story.running(), Step::Preflight);
}

#[test]
fn a_package_whose_postinst_failed_is_merged_again_on_resume() {
    use gbsup::portage::output::FailedPackage;
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(completed("a"));
    assert_eq!(story.status().progress.done, 1);
    story.print(Progress::Failed { package: cpv("a"), how: How::Postinst, log: None });
    let progress = story.status().progress;
    assert_eq!((progress.done, progress.failed), (0, 1), "Completed was not true");
    let mut failed = ran(1);
    failed.evidence.failed =
        vec![FailedPackage { package: cpv("a"), how: How::Postinst, log: None, die: None }];
    story.end(Report::Ran(failed));
    story.expect(Mode::Paused, "app-misc/a-1");
    story.ask(resume());
    story.through(Step::Preflight);
    // What the resolver meets meanwhile does not make it forget.
    story.end(Report::Planned { ran: ran(1), plan: Plan::default() });
    story.ask(resume());
    story.through(Step::Preflight);
    // Portage has nothing to do any more, gbsup has.
    story.end(planned(&[]));
    let (_, work) = story.job.clone().unwrap();
    assert_eq!(work, Work::Build { exclude: vec![], merge_again: vec!["app-misc/a-1".into()] });
    assert_eq!(story.status().progress.total, 1);

    // Not once more when the preflight has found it and merged it.
    story.end(Report::Failed(Box::new(Failure::new(Class::Unknown, "something else"))));
    story.state.durable.cycle.as_mut().unwrap().merge_again = vec!["app-misc/a-1".into()];
    story.ask(resume());
    story.print(emerging("a"));
    story.print(completed("a"));
    story.through(Step::Plan);
    let (_, work) = story.job.clone().unwrap();
    assert_eq!(work, Work::Build { exclude: vec![], merge_again: vec![] });
}

/// Portage itself does not survive a log that it cannot write.
#[test]
fn a_full_volume_is_named_whatever_it_did_to_emerge() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let ran = Ran { exit: Exit::Signal(15), full: Some("/var/lib/gbsup".into()), ..*ran(1) };
    story.end(Report::Ran(Box::new(ran)));
    story.expect(Mode::Paused, "no space is left on /var/lib/gbsup");
    let pause = story.status().pause.unwrap();
    assert_eq!(pause.failures[0].class, Class::DiskFull);
    assert_eq!(pause.actions[1], "try: df -h /var/lib/gbsup");
}

#[test]
fn what_the_resolver_finds_pauses_before_anything_is_built() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    let evidence = evidence(include_bytes!("captured/missing-dependency.txt"));
    let ran = Box::new(Ran { evidence, ..*ran(1) });
    story.end(Report::Planned { ran, plan: Plan::default() });
    story.expect(Mode::Paused, "test-none/gone: nothing in the repositories satisfies it");
    let status = story.status();
    assert_eq!((status.step.as_str(), status.plan), ("plan", None));
    let failure = &status.pause.unwrap().failures[0];
    assert_eq!(failure.class, Class::MissingPackage);
    assert!(failure.evidence.iter().any(|line| line.contains("dependency required by")), "{failure:#?}");
    assert!(story.plan.is_none(), "a plan that cannot be carried out was kept");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan);
}

#[test]
fn a_build_of_nothing_is_left_out() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    let mut report = planned(&[]);
    if let Report::Planned { ran, .. } = &mut report {
        ran.evidence = evidence(include_bytes!("captured/world-atom-gone.txt"));
    }
    story.end(report.clone());
    assert_eq!(story.running(), Step::Rebuild);
    story.through(Step::Rebuild);
    story.expect(Mode::Waiting, "everything else is up to date; next sync");
    let status = story.status();
    assert!(status.log.unwrap().ends_with("/plan.log"), "there is no other");
    assert!(
        status.warnings.iter().any(|warning| warning.contains("test-none/gone")),
        "{:?}",
        status.warnings
    );

    // A list that could not be read is not an empty one.
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.print(Progress::Planned { total: 2, list: Vec::new() });
    story.end(report);
    assert_eq!(story.running(), Step::Build);
    assert_eq!(story.status().progress.total, 2);
}

#[test]
fn a_plan_survives_a_restart_and_belongs_to_its_cycle() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let known = story.status().plan;
    assert_eq!(known.map(|plan| (plan.packages, plan.source, plan.download)), Some((3, 3, 3072)));
    story.expect(Mode::Running, "getting ready to build 3 packages");
    story.restart("one", false);
    assert_eq!(story.status().plan, known);
    assert_eq!(story.status().progress.total, 3);
    // Whatever is left is planned anew before it is built.
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan);
    story.through(Step::Rebuild);
    story.restart("one", false);
    assert_eq!(story.status().plan, known, "also while it waits");
    story.restart("two", true);
    assert_eq!(story.status().plan, None, "of another cycle");
}

#[test]
fn the_total_is_that_of_the_plan_whatever_a_part_of_the_build_says() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    for (said, total) in [(1, 3), (3, 3), (4, 4)] {
        story.print(Progress::Planned { total: said, list: Vec::new() });
        assert_eq!(story.status().progress.total, total, "after a list of {said}");
    }
    story.print(emerging("a"));
    story.print(completed("a"));
    story.restart("one", false);
    assert_eq!(story.status().progress.total, 4);
}

#[test]
fn the_history_learns_why_a_package_failed() {
    use gbsup::core::history::Record;
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(Progress::Failed { package: cpv("a"), how: How::Build, log: None });
    let (job, _) = story.job.clone().unwrap();
    let failure = Failure { package: Some("app-misc/a-1".into()), ..Failure::new(Class::Compile, "no luck") };
    let actions = story.take(Event::Ended { job, report: Report::Failed(Box::new(failure)) });
    let reason = actions.iter().find_map(|action| match action {
        Action::Record(Record::Reason { package, message, .. }) => Some((package.as_str(), message.as_str())),
        _ => None,
    });
    assert_eq!(reason, Some(("app-misc/a-1", "no luck")));

    // What failed before its work began has no other record; an atom is no package.
    for (package, recorded) in [("app-misc/b-1", true), ("app-misc/b", false)] {
        story.ask(resume());
        story.through(Step::Plan);
        let (job, _) = story.job.clone().unwrap();
        let failure = Failure { package: Some(package.into()), ..Failure::new(Class::Compile, "too small") };
        let actions = story.take(Event::Ended { job, report: Report::Failed(Box::new(failure)) });
        let found = actions.iter().any(|action| {
            matches!(action, Action::Record(Record::Package { message: Some(words), .. }) if words == "too small")
        });
        assert_eq!(found, recorded, "{package}");
    }
}

#[test]
fn a_wait_for_another_portage_is_in_the_headline_and_no_failure() {
    let waits = |text: Option<&str>| Event::Warning { key: view::LOCKED, text: text.map(str::to_owned) };
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.take(waits(Some("it waits for emerge b (pid 7)")));
    story.expect(Mode::Running, ", waiting for another Portage");
    story.take(waits(None));
    assert!(!story.status().headline.contains("waiting"));
    story.print(completed("a"));
    story.end(Report::Ran(Box::new(Ran { exit: Exit::Signal(15), ..*ran(1) })));
    story.expect(Mode::Paused, "emerge was told to stop by somebody else (signal 15)");
    let class = |story: &Story| story.status().pause.unwrap().failures[0].class;
    assert_eq!(class(&story), Class::Interrupted, "it had got on");

    // Unless somebody ends the wait.
    story.ask(resume());
    story.through(Step::Plan);
    story.take(waits(Some("it waits for emerge b (pid 7)")));
    story.end(Report::Ran(Box::new(Ran { exit: Exit::Signal(15), ..*ran(1) })));
    assert_eq!(class(&story), Class::PortageLocked);
    assert_eq!(story.status().warnings, [""; 0]);
}
