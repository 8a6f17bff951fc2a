//! The one that is told about, and the events it meets.

use std::collections::BTreeMap;
use std::time::Duration;

use gbsup::config::{Config, Http};
use gbsup::decide::step::step;
use gbsup::decide::view;
use gbsup::model::records::Record;
use gbsup::model::request::{PauseMode, Reply, Request};
use gbsup::model::state::{CyclePlan, State};
use gbsup::model::status::{Mode, Status};
use gbsup::model::work::{Target, Untried};
use gbsup::model::{Action, Asker, Claimed, Event, Force, JobId, Now, Report, Step, Work};
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::output::plan::{Action as Merge, Plan, Planned, Reason};
use gbsup::portage::output::scanner::{Evidence, Progress, Scanner};
use gbsup::portage::output::sync::{Outcome, Synced};
use jiff::Timestamp;

pub(crate) use crate::common::ran;

/// The state, and what a story needs to know of what it asked for.
pub(crate) struct Story {
    pub state: State,
    pub seconds: u64,
    pub job: Option<(JobId, Work)>,
    pub plan: Option<CyclePlan>,
    pub forces: Vec<Force>,
    pub records: Vec<Record>,
    /// How the server was started last.
    pub served: Option<Http>,
    pub gone: bool,
    /// What a build left untried is part of the story; otherwise nothing comes of it.
    pub looks_at_rest: bool,
}

impl Story {
    /// A container that has just started on this volume.
    pub(crate) fn begin(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        let now = Now { mono: Duration::ZERO, wall: Timestamp::from_second(1_800_000_000).unwrap() };
        let state = State::new(config, now);
        let mut story = Self {
            state,
            seconds: 0,
            job: None,
            plan: None,
            forces: Vec::new(),
            records: Vec::new(),
            served: None,
            gone: false,
            looks_at_rest: false,
        };
        story.claim(None, "one", true);
        story
    }

    pub(crate) fn claim(&mut self, durable: Option<gbsup::model::state::Durable>, root: &str, boot: bool) {
        let plan = self.plan.clone();
        let claimed = Claimed { durable, plan, last_cycle: 0, root: root.to_owned(), boot };
        self.take(Event::Claimed(Box::new(claimed)));
    }

    /// The process ends and another one begins on the same volume.
    pub(crate) fn restart(&mut self, root: &str, boot: bool) {
        let durable = self.state.durable.clone();
        let held = self.state.live.hold;
        self.state = State::new(self.state.live.config.clone(), self.now());
        self.job = None;
        // The flag file is looked for before the volume's state is told.
        self.take(Event::Hold(held));
        self.claim(Some(durable), root, boot);
    }

    pub(crate) fn now(&self) -> Now {
        let wall = 1_800_000_000 + i64::try_from(self.seconds).unwrap();
        Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::from_second(wall).unwrap() }
    }

    pub(crate) fn take(&mut self, event: Event) -> Vec<Action> {
        let (state, actions) = step(self.state.clone(), event, self.now());
        self.state = state;
        for action in &actions {
            match action {
                Action::Start { job, work, .. } => self.job = Some((*job, work.clone())),
                Action::Signal { force, .. } => self.forces.push(*force),
                Action::PersistPlan => self.plan = self.state.plan.as_deref().cloned(),
                Action::Record(record) => self.records.push(record.clone()),
                Action::Serve(http) => self.served = Some(http.clone()),
                Action::Exit(_) => self.gone = true,
                _ => {}
            }
        }
        actions
    }

    pub(crate) fn ask(&mut self, request: Request) -> Reply {
        let actions = self.take(Event::Asked { by: Asker::Client(1), request });
        let answer = |action| match action {
            Action::Answer { reply, .. } => Some(reply),
            _ => None,
        };
        actions.into_iter().find_map(answer).unwrap()
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.seconds += seconds;
        self.take(Event::Timer);
    }

    #[track_caller]
    pub(crate) fn running(&self) -> Step {
        self.job.as_ref().expect("a job runs").1.step()
    }

    pub(crate) fn running_step(&self) -> Option<Step> {
        self.job.as_ref().map(|(_, work)| work.step())
    }

    #[track_caller]
    pub(crate) fn end(&mut self, report: Report) {
        let (job, _) = self.job.take().expect("a job runs");
        self.take(Event::Ended { job, report });
        if let (false, Some((_, Work::Rest { .. }))) = (self.looks_at_rest, &self.job) {
            let (job, _) = self.job.take().expect("a job runs");
            self.take(Event::Ended { job, report: Report::Rest { ran: None, untried: Vec::new() } });
        }
    }

    /// Lets this step and those before it go well.
    #[track_caller]
    pub(crate) fn through(&mut self, last: Step) {
        loop {
            let now = self.running();
            self.end(match now {
                Step::Sync => synced(),
                Step::Plan => planned(&["a", "b", "c"]),
                Step::Build => match &self.job {
                    Some((_, Work::Rest { targets, .. })) => untried(targets),
                    _ => Report::Ran(ran(0)),
                },
                _ => Report::Nothing,
            });
            if now == last {
                return;
            }
        }
    }

    pub(crate) fn print(&mut self, progress: Progress) {
        let (job, _) = self.job.clone().expect("a job runs");
        self.take(Event::Progress { job, progress });
    }

    pub(crate) fn status(&self) -> Status {
        view::status(&self.state, self.now())
    }

    /// What the history was told of remedies: what was done for which class, and what came of each.
    pub(crate) fn remedies(&self) -> Vec<String> {
        let told = self.records.iter().filter_map(|record| match record {
            Record::RemedyStarted { class, packages, what, .. } => {
                Some(format!("{class} {}: {what}", packages.join(" ")))
            }
            Record::RemedyEnded { outcome, .. } => Some(outcome.to_string()),
            _ => None,
        });
        told.collect()
    }

    /// This package alone is built again, which goes well, and so does the rest of the cycle.
    #[track_caller]
    pub(crate) fn builds_again(&mut self, name: &str) {
        let Some((_, Work::Again { packages, .. })) = &self.job else { panic!("{:?}", self.job) };
        assert_eq!(packages, &[cpv(name).to_string()]);
        self.print(emerging(name));
        self.print(completed(name));
        self.end(Report::Ran(ran(0)));
        self.through(Step::Prune);
        self.expect(Mode::Waiting, "everything is up to date");
    }

    #[track_caller]
    pub(crate) fn expect(&self, state: Mode, headline: &str) {
        let status = self.status();
        assert_eq!(status.state, state, "{}", status.headline);
        assert!(status.headline.contains(headline), "{} lacks {headline}", status.headline);
    }
}

pub(crate) fn planned(names: &[&str]) -> Report {
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
        flags: Vec::new(),
        inputs: format!("inputs of {name}"),
    };
    let packages = names.iter().map(package).collect();
    Report::Planned { ran: ran(0), plan: Plan { packages, removed: Vec::new() }, offered: BTreeMap::new() }
}

/// None of these can be tried, since they need `b`.
pub(crate) fn untried(targets: &[Target]) -> Report {
    let why = "needs app-misc/b, which failed".to_owned();
    let untried = |target: &Target| Untried { package: target.package.clone(), why: why.clone() };
    Report::Rest { ran: None, untried: targets.iter().map(untried).collect() }
}

/// What a run with this output leaves.
pub(crate) fn evidence(text: &[u8]) -> Evidence {
    let mut scanner = Scanner::new();
    for line in text.split(|byte| *byte == b'\n') {
        scanner.line(line);
    }
    scanner.finish()
}

/// A sync of everything that worked.
pub(crate) fn synced() -> Report {
    repositories(&[("pocket", None)])
}

pub(crate) fn unreachable() -> Report {
    repositories(&[("pocket", Some("no route to host"))])
}

/// A sync of these repositories, each with the reason why it failed; `pocket` is the main one.
pub(crate) fn repositories(each: &[(&str, Option<&str>)]) -> Report {
    let outcome = |(name, why): &(&str, Option<&str>)| Outcome {
        name: (*name).to_owned(),
        revision: why.is_none().then(|| format!("{name}-abc")),
        why: why.map(str::to_owned),
        repair: None,
    };
    let synced = Synced {
        repositories: each.iter().map(outcome).collect(),
        configured: ["pocket", "gone", "local"].map(str::to_owned).to_vec(),
        main: Some("pocket".into()),
        ..Synced::default()
    };
    Report::Synced { ran: ran(i32::from(!synced.is_whole())), synced: Box::new(synced) }
}

pub(crate) fn cpv(name: &str) -> Cpv {
    Cpv::parse(format!("app-misc/{name}-1").as_bytes()).unwrap()
}

pub(crate) fn emerging(name: &str) -> Progress {
    Progress::Emerging { n: 1, total: 3, package: cpv(name), binary: false }
}

pub(crate) fn installing(name: &str) -> Progress {
    Progress::Installing { n: 1, total: 3, package: cpv(name) }
}

pub(crate) fn completed(name: &str) -> Progress {
    Progress::Completed { n: 1, total: 3, package: cpv(name) }
}

pub(crate) fn resume() -> Request {
    Request::Resume { skip: Vec::new() }
}

pub(crate) fn pause(mode: PauseMode) -> Request {
    Request::Pause { mode, reason: Some("lunch".into()) }
}
