//! Properties of the transition function under any sequence of events.

#[path = "../common/mod.rs"]
mod common;
mod jobs;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use gbsup::config::{Config, News, OnFailure, Url};
use gbsup::decide::step::step;
use gbsup::decide::view;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::job::{Job, Stage};
use gbsup::model::notice::Way;
use gbsup::model::request::{PauseMode, Reply, Request};
use gbsup::model::skip::ToSkip;
use gbsup::model::stall::Pulse;
use gbsup::model::state::{CyclePlan, Durable, Phase, State, Volume};
use gbsup::model::status::{Mode, Status, Why};
use gbsup::model::{Action, Asker, Claimed, Event, JobId, Now, Report, Step, Work, known};

use jobs::{End, change, cpv, estimates, offered, progress, report, stale};

/// What the world does next.
#[derive(Clone, Debug)]
enum Move {
    Claim { root: u8, boot: bool },
    Refuse,
    Wait(u32),
    Finish(End),
    Stale(u64),
    Ask(Request, bool),
    Hold(bool),
    Reload(bool),
    Terminate,
    Print(u8, u8),
    Learn(u32),
    Look(u64),
    Examine,
    Deliver(Way, bool),
    Find(u8),
    Offer(u8),
    Restart { root: u8, boot: bool },
}

fn requests() -> impl Strategy<Value = Request> {
    let modes = prop_oneof![Just(PauseMode::Now), Just(PauseMode::AfterPackage), Just(PauseMode::AfterCycle)];
    prop_oneof![
        Just(Request::Status),
        Just(Request::Left),
        vec("[a-c]/[x-z]", 0..2).prop_map(|skip| Request::Resume { skip }),
        modes.prop_map(|mode| Request::Pause { mode, reason: None }),
        Just(Request::Sync),
        Just(Request::Publish),
        Just(Request::Stop),
        (0..2u8).prop_map(|n| Request::Skip {
            packages: vec![ToSkip { package: format!("app-misc/p{n}"), version: cpv(n, 1) }]
        }),
        (0..2u8).prop_map(|n| Request::Unskip { packages: vec![format!("app-misc/p{n}")] }),
    ]
}

fn moves() -> impl Strategy<Value = Move> {
    let ends = prop_oneof![
        4 => Just(End::Well),
        2 => Just(End::Badly),
        2 => Just(End::Nothing),
        2 => Just(End::Ready),
        1 => Just(End::Trouble),
        2 => Just(End::Unfetched),
        4 => Just(End::Otherwise),
        2 => Just(End::Full),
    ];
    let ways = prop_oneof![Just(Way::Command), Just(Way::Webhook), Just(Way::Heartbeat)];
    prop_oneof![
        2 => (0..2u8, any::<bool>()).prop_map(|(root, boot)| Move::Claim { root, boot }),
        1 => Just(Move::Refuse),
        4 => (0..200_000u32).prop_map(Move::Wait),
        8 => ends.prop_map(Move::Finish),
        1 => any::<u64>().prop_map(Move::Stale),
        6 => (requests(), any::<bool>()).prop_map(|(request, flag)| Move::Ask(request, flag)),
        2 => any::<bool>().prop_map(Move::Hold),
        1 => any::<bool>().prop_map(Move::Reload),
        1 => Just(Move::Terminate),
        6 => (0..7u8, 0..4u8).prop_map(|(kind, package)| Move::Print(kind, package)),
        2 => (0..5000u32).prop_map(Move::Learn),
        4 => (0..3u64).prop_map(Move::Look),
        1 => Just(Move::Examine),
        3 => (ways, any::<bool>()).prop_map(|(way, arrived)| Move::Deliver(way, arrived)),
        2 => (0..4u8).prop_map(Move::Find),
        1 => (0..4u8).prop_map(Move::Offer),
        1 => (0..2u8, any::<bool>()).prop_map(|(root, boot)| Move::Restart { root, boot }),
    ]
}

fn config(on_failure: OnFailure) -> Config {
    let mut config = Config::default();
    config.sync.on_failure = on_failure;
    config.sync.retries = vec![Duration::from_mins(1), Duration::from_mins(5)];
    config.notify.events.extend([News::Finished, News::Published]);
    config.notify.command = vec!["tell".into()];
    config.notify.webhook = Url::try_from("https://example.org/x").ok();
    config.notify.heartbeat = Url::try_from("https://example.org/y").ok();
    config.notify.cooldown = Duration::from_hours(4);
    config
}

/// The state in a world that remembers the few things it needs to judge it.
struct World {
    state: State,
    mono: Duration,
    running: Option<(JobId, Work)>,
    /// On the volume.
    plan: Option<CyclePlan>,
    asked: u64,
    newest: u64,
    /// How many plans were made one after the other.
    plans: u32,
    /// The packages for which it was seen to be paused.
    seen: BTreeSet<String>,
    /// When people were last told something new.
    told: Option<Duration>,
    /// Messages and signs of life of this process that are on their way.
    sent: BTreeSet<Way>,
    gone: bool,
}

impl World {
    fn new(on_failure: OnFailure) -> Self {
        let wall = Timestamp::from_second(1_800_000_000).unwrap();
        let state = State::new(config(on_failure), Now { mono: Duration::ZERO, wall });
        Self {
            state,
            mono: Duration::ZERO,
            running: None,
            plan: None,
            asked: 0,
            newest: 0,
            plans: 0,
            seen: BTreeSet::new(),
            told: None,
            sent: BTreeSet::new(),
            gone: false,
        }
    }

    fn now(&self) -> Now {
        let seconds = i64::try_from(self.mono.as_secs()).unwrap();
        Now { mono: self.mono, wall: Timestamp::from_second(1_800_000_000 + seconds).unwrap() }
    }

    fn make(&mut self, next: Move) {
        let event = match next {
            Move::Claim { root, boot } => claimed(None, None, root, boot),
            Move::Refuse => Event::Refused(Box::new(Failure::new(Class::Volume, "no"))),
            Move::Wait(seconds) => {
                self.mono += Duration::from_secs(u64::from(seconds));
                Event::Timer
            }
            Move::Finish(end) => match &self.running {
                Some((job, work)) => Event::Ended { job: *job, report: report(end, work) },
                None => return,
            },
            Move::Stale(job) => return self.end_stale(JobId(job)),
            Move::Ask(request, flag) => {
                self.asked += 1;
                let by = if flag { Asker::Flag } else { Asker::Client(self.asked) };
                Event::Asked { by, request }
            }
            Move::Hold(held) => Event::Hold(held),
            Move::Reload(true) => Event::Reloaded(Ok(Box::new(config(OnFailure::Pause)))),
            Move::Reload(false) => Event::Reloaded(Err("line 3: nonsense".into())),
            Move::Terminate => Event::Terminate,
            Move::Print(kind, package) => match &self.running {
                Some((job, _)) => Event::Progress { job: *job, progress: progress(kind, package) },
                None => return,
            },
            Move::Learn(seconds) => Event::Estimates(Arc::new(estimates(seconds))),
            Move::Look(output) => match &self.running {
                Some((job, _)) => Event::Pulse { job: *job, pulse: Pulse { output, ..Pulse::default() } },
                None => return,
            },
            Move::Examine => match &self.running {
                Some((job, _)) => Event::Examined { job: *job, processes: vec!["7 sleep".into()] },
                None => return,
            },
            Move::Deliver(way, arrived) => {
                if !self.sent.remove(&way) {
                    return;
                }
                Event::Delivered { way, problem: (!arrived).then(|| "nobody listens".into()) }
            }
            Move::Find(package) => match &self.running {
                Some((job, _)) if package == 0 => Event::Changed { job: *job, changes: vec![change()] },
                Some((job, _)) => Event::Stale { job: *job, packages: vec![stale(package)] },
                None => return,
            },
            Move::Offer(0) => Event::Offered(None),
            Move::Offer(number) => Event::Offered(Some(offered(number))),
            Move::Restart { root, boot } => self.restart(root, boot),
        };
        self.take(event);
    }

    fn end_stale(&mut self, job: JobId) {
        if self.running.as_ref().is_none_or(|(id, _)| *id != job) {
            let before = self.state.clone();
            self.take(Event::Ended { job, report: Report::Nothing });
            assert_eq!(self.state, before, "a stale job changed something");
        }
    }

    /// What the next process finds is what was written down, and the job is gone.
    fn restart(&mut self, root: u8, boot: bool) -> Event {
        let text = serde_json::to_string(&self.state.durable).unwrap();
        let durable: Durable = serde_json::from_str(&text).unwrap();
        assert_eq!(durable, self.state.durable, "the state does not survive being written");
        let ours = self.state.live.volume == Volume::Ours;
        self.state = State::new(self.state.live.config.clone(), self.now());
        self.running = None;
        self.sent.clear();
        // Nobody remembers what was told before there was a volume.
        self.told.take_if(|_| !ours);
        claimed(ours.then_some(durable), self.plan.clone(), root, boot)
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        let timer = event == Event::Timer;
        let asked = match &event {
            Event::Asked { by, request } => Some((*by, request.clone())),
            _ => None,
        };
        if let Event::Ended { job, .. } = &event {
            self.running.take_if(|(id, _)| id == job);
        }
        let before = self.state.durable.clone();
        let known = match &event {
            Event::Claimed(claimed) => claimed.durable.as_ref().unwrap_or(&before).notices.last,
            _ => before.notices.last,
        };
        let (state, actions) = step(self.state.clone(), event, now);
        self.state = state;

        if self.state.live.volume == Volume::Ours && before != self.state.durable {
            assert_eq!(actions.first(), Some(&Action::Persist), "a change was not written down first");
        }
        let last = self.state.durable.notices.last;
        if last != known && last == Some(now.wall) {
            let cooldown = self.state.live.config.notify.cooldown;
            assert!(self.told.is_none_or(|told| told + cooldown <= now.mono), "people are told too much");
            self.told = Some(now.mono);
        }
        self.judge_what_was_seen();
        judge_answers(asked, &actions);
        for action in &actions {
            self.judge(action);
        }
        self.judge_state(timer, now);
    }

    /// A cycle never ends well with a failure that the builder did not once pause for, whatever else was asked for.
    fn judge_what_was_seen(&mut self) {
        let State { durable, .. } = &self.state;
        let known = |package: &str| durable.known.iter().any(|past| past.package.as_str() == package);
        self.seen.retain(|package| known(package));
        match &durable.phase {
            Phase::Paused(pause) if pause.why == Why::Failure => {
                self.seen.extend(pause.failures.iter().filter_map(|failure| failure.package.clone()));
            }
            Phase::Waiting(_) => {
                let untold = durable.known.iter().find(|past| !self.seen.contains(past.package.as_str()));
                assert!(untold.is_none(), "nobody was told of {untold:?}");
            }
            _ => {}
        }
    }

    fn judge(&mut self, action: &Action) {
        let State { durable, live, .. } = &self.state;
        match action {
            Action::Start { job, work, .. } => {
                assert!(self.running.is_none(), "two jobs");
                assert!(job.0 > self.newest, "a job number was used twice");
                assert_eq!(live.volume, Volume::Ours, "a job without a volume");
                assert!(matches!(durable.phase, Phase::Running(_)), "a job started while not running");
                assert!(!live.stopping && !live.hold, "a job started while stopping or held");
                self.judge_build(work);
                self.newest = job.0;
                self.plans = if work.step() == Step::Plan { self.plans + 1 } else { 0 };
                assert!(self.plans < 25, "it plans for ever");
                self.running = Some((*job, work.clone()));
            }
            Action::Signal { job, .. } | Action::Look { job } | Action::Examine { job } => {
                assert_eq!(self.running.as_ref().map(|(id, _)| *id), Some(*job), "a signal to nobody");
            }
            Action::Notify { way, .. } => {
                assert!(self.sent.insert(*way), "two messages at a time");
                assert!(!live.stopping && *way != Way::Heartbeat);
            }
            Action::Beat => {
                assert!(self.sent.insert(Way::Heartbeat), "two signs of life at a time");
                let failed = matches!(&durable.phase, Phase::Paused(pause) if pause.why == Why::Failure);
                assert!(!live.stopping && !failed, "a sign of life while a failure holds it");
            }
            Action::PersistPlan => self.plan = self.state.plan.as_deref().cloned(),
            Action::Exit(_) => {
                assert!(live.stopping, "left without being asked");
                assert!(self.running.is_none(), "left a job behind");
                self.gone = true;
            }
            _ => {}
        }
    }

    /// A build does not only repeat what is known to fail, unless there is no way without that.
    fn judge_build(&self, work: &Work) {
        let State { durable, plan, .. } = &self.state;
        let (Work::Build { .. }, Some(cycle), Some(made)) = (work, &durable.cycle, plan) else { return };
        let repeated = known::repeated(&durable.known, &made.plan, &cycle.toolchain, cycle.id);
        assert!(repeated.is_empty(), "{repeated:?}");
    }

    fn judge_state(&self, timer: bool, now: Now) {
        let State { durable, live, .. } = &self.state;
        let running = self.running.as_ref().map(|(id, _)| *id);
        assert_eq!(live.job.as_ref().map(|job| job.id), running);
        if live.volume == Volume::Ours && !live.stopping && matches!(durable.phase, Phase::Running(_)) {
            assert!(live.job.is_some() || live.retry.is_some(), "running, but nothing is on its way");
        }
        let cycle = durable.cycle.as_ref().map(|cycle| cycle.id);
        if let Some(plan) = self.state.plan.as_deref() {
            assert_eq!(Some(plan.cycle), cycle, "the plan of another cycle");
            assert_eq!(Some(plan), self.plan.as_ref(), "a plan that was not written down");
        }
        if timer {
            assert!(self.state.wake().is_none_or(|wake| wake > now.mono), "the timer would fire for ever");
        }
        assert!(self.gone || !live.stopping || running.is_some(), "nothing to wait for, and it stays");

        let status = view::status(&self.state, now);
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
        assert_eq!(status.pause.is_some(), status.state == Mode::Paused);
        let headline = &status.headline;
        assert!(headline.starts_with(&format!("{}: ", status.state)), "{headline}");
        assert!(!headline.contains('\n'), "{headline}");
        let progress = status.progress;
        assert!(progress.done + progress.failed <= progress.total, "{progress:?}");
        assert!(
            progress.eta.is_none_or(|eta| eta.low <= eta.likely && eta.likely <= eta.high),
            "{progress:?}"
        );
    }
}

/// Every request has exactly one answer, and nobody else gets one.
fn judge_answers(asked: Option<(Asker, Request)>, actions: &[Action]) {
    let answer = |action: &Action| match action {
        Action::Answer { to, reply } => Some((*to, reply.clone())),
        _ => None,
    };
    let answers: Vec<_> = actions.iter().filter_map(answer).collect();
    let Some((by, request)) = asked else { return assert!(answers.is_empty(), "an answer to nobody") };
    let reading = matches!(request, Request::Status | Request::Watch | Request::Left);
    if reading && by == Asker::Flag {
        return assert!(answers.is_empty(), "a flag file cannot read");
    }
    let [(to, reply)] = answers.as_slice() else { panic!("{} answers to {request:?}", answers.len()) };
    assert_eq!(*to, by);
    assert_eq!(matches!(reply, Reply::Status { .. } | Reply::Left { .. }), reading);
}

fn claimed(durable: Option<Durable>, plan: Option<CyclePlan>, root: u8, boot: bool) -> Event {
    Event::Claimed(Box::new(Claimed { durable, plan, last_cycle: 0, root: format!("root-{root}"), boot }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/step.txt"))), ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_events_is_met_well(
        on_failure in prop_oneof![Just(OnFailure::Continue), Just(OnFailure::Pause)],
        script in vec(moves(), 1..60),
    ) {
        let mut world = World::new(on_failure);
        for next in script {
            if world.gone {
                break;
            }
            world.make(next);
        }
    }

    /// The same after a package has failed and a cycle went through with that known.
    #[test]
    fn nothing_is_repeated_that_is_known_to_fail(script in vec(moves(), 1..40)) {
        let mut world = World::new(OnFailure::Continue);
        world.make(Move::Claim { root: 0, boot: true });
        // From the preflight to the plan, and the build.
        for end in [End::Well, End::Well, End::Well, End::Well, End::Otherwise] {
            world.make(Move::Finish(end));
        }
        prop_assert_eq!(world.state.durable.known.len(), 1);
        world.make(Move::Ask(Request::Sync, false));
        for next in script {
            if world.gone {
                break;
            }
            world.make(next);
        }
    }

    #[test]
    fn every_pause_can_be_ended(script in vec(moves(), 1..60)) {
        let mut world = World::new(OnFailure::Pause);
        for next in script {
            if !matches!(next, Move::Terminate | Move::Ask(Request::Stop, _)) {
                world.make(next);
            }
        }
        let paused = |world: &World| view::status(&world.state, world.now()).state == Mode::Paused;
        if paused(&world) {
            world.take(Event::Hold(false));
        }
        if paused(&world) {
            let request = Request::Resume { skip: vec![] };
            world.take(Event::Asked { by: Asker::Client(0), request });
        }
        prop_assert!(!paused(&world));
    }

    #[test]
    fn a_stop_comes_to_an_end_within_the_grace(script in vec(moves(), 1..40)) {
        let mut world = World::new(OnFailure::Continue);
        for next in script {
            if !world.gone && !matches!(next, Move::Terminate | Move::Ask(Request::Stop, _)) {
                world.make(next);
            }
        }
        world.take(Event::Terminate);
        let deadline = world.mono + world.state.live.config.stop.grace;
        let mut forces = Vec::new();
        while let Some(wake) = world.state.live.job.as_ref().and_then(Job::deadline) {
            prop_assert!(wake < deadline, "a signal comes after the grace");
            world.mono = wake.max(world.mono);
            let (state, actions) = step(world.state.clone(), Event::Timer, world.now());
            world.state = state;
            forces.extend(actions.into_iter().filter_map(|action| match action {
                Action::Signal { force, .. } => Some(force),
                _ => None,
            }));
        }
        if let Some((job, _)) = world.running.clone() {
            let stage = world.state.live.job.as_ref().and_then(|job| job.halt.as_ref()).map(|halt| halt.stage);
            prop_assert_eq!(stage, Some(Stage::Killed), "a job that ignores everything is killed");
            prop_assert!(forces.is_sorted_by_key(|force| *force as u8), "a weaker signal after a stronger one");
            world.take(Event::Ended { job, report: Report::Nothing });
        }
        prop_assert!(world.gone);
    }
}
