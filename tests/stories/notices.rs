//! Who is told what, and when.

use gbsup::config::{Config, News, Url};
use gbsup::model::failure::{Class, Failure};
use gbsup::model::notice::{Note, Way};
use gbsup::model::release::Current;
use gbsup::model::request::{PauseMode, Request};
use gbsup::model::state::{State, Volume};
use gbsup::model::status::Mode;
use gbsup::model::{Action, Asker, Claimed, Event, Report, Step, Work};
use gbsup::portage::output::scanner::{FailedPackage, How};
use jiff::Timestamp;

use crate::story::{Story, completed, cpv, emerging, pause, planned, ran, resume, unreachable};

/// A builder that tells a webhook, and what it told.
struct Told {
    story: Story,
    notes: Vec<Note>,
    beats: usize,
}

pub(crate) fn configured(config: &mut Config) {
    config.notify.webhook = Some(Url::try_from("https://example.org/secret").unwrap());
}

impl Told {
    fn begin(configure: impl FnOnce(&mut Config)) -> Self {
        let story = Story::begin(|config| {
            configured(config);
            configure(config);
        });
        Self { story, notes: Vec::new(), beats: 0 }
    }

    /// What this leads to arrives at once.
    fn take(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.story.take(event) {
                match action {
                    Action::Notify { way, note } => {
                        self.notes.push(*note);
                        events.push(Event::Delivered { way, problem: None });
                    }
                    Action::Beat => {
                        self.beats += 1;
                        events.push(Event::Delivered { way: Way::Heartbeat, problem: None });
                    }
                    _ => {}
                }
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.story.seconds += seconds;
        self.take(Event::Timer);
    }

    fn end(&mut self, report: Report) {
        let (job, _) = self.story.job.take().expect("a job runs");
        self.take(Event::Ended { job, report });
    }

    /// Up to this step, which fails for these packages.
    fn fail(&mut self, packages: &[&str]) {
        while self.story.running() != Step::Build {
            let step = self.story.running();
            self.end(if step == Step::Plan { planned(&["a", "b", "c"]) } else { Report::Nothing });
        }
        let mut report = ran(1);
        for name in packages {
            let failed = FailedPackage { package: cpv(name), how: How::Build, log: None, die: None };
            report.evidence.failed.push(failed);
        }
        self.end(Report::Ran(report));
        if let Some((_, Work::Rest { .. })) = &self.story.job {
            self.end(Report::Rest { ran: None, untried: Vec::new() });
        }
        self.story.expect(Mode::Paused, &format!("app-misc/{}-1", packages[0]));
    }

    /// Resumed, and all goes well.
    fn repair(&mut self) {
        self.ask(resume());
        self.finish();
    }

    fn ask(&mut self, request: Request) {
        self.take(Event::Asked { by: Asker::Client(1), request });
    }

    fn last(&self) -> &Note {
        self.notes.last().expect("somebody was told something")
    }

    fn finish(&mut self) {
        while self.story.job.is_some() {
            let step = self.story.running();
            self.end(if step == Step::Plan { planned(&["a"]) } else { Report::Nothing });
        }
        self.story.expect(Mode::Waiting, "up to date");
    }

    /// A cycle that leaves out b, which is known to fail.
    fn leave_out(&mut self) {
        while self.story.running() != Step::Plan {
            self.end(Report::Nothing);
        }
        self.end(planned(&["b", "c"]));
        self.end(planned(&["c"]));
        while self.story.job.is_some() {
            self.end(Report::Nothing);
        }
        self.story.expect(Mode::Waiting, "app-misc/b-1 still failing");
    }

    fn kinds(&self) -> Vec<News> {
        self.notes.iter().map(|note| note.kind).collect()
    }
}

#[test]
fn a_failure_is_told_once_and_that_it_is_over() {
    let mut told = Told::begin(|_| {});
    told.fail(&["a", "b"]);
    assert_eq!(told.kinds(), [News::Paused]);
    let Note { title, text, .. } = told.last();
    assert_eq!(title, "gbsup: paused, 2 failures");
    assert!(text.contains("app-misc/a-1") && text.contains("app-misc/b-1"), "{text}");
    assert!(text.ends_with("when it is repaired, go on with: gbsup resume"), "{text}");

    // Tried again without a repair, also in another process and in another cycle: nothing new.
    told.pass(3600);
    told.ask(resume());
    told.fail(&["a", "b"]);
    told.story.restart("one", true);
    told.pass(3600);
    told.ask(Request::Sync);
    told.fail(&["b"]);
    told.pass(3600);
    assert_eq!(told.kinds(), [News::Paused]);

    told.repair();
    assert_eq!(told.kinds(), [News::Paused, News::Recovered]);
    let Note { title, text, .. } = told.last();
    assert_eq!(title, "gbsup: works again");
    assert!(text.contains("app-misc/a-1") && text.contains("app-misc/b-1"), "{text}");

    // The same again is news again.
    told.pass(86_400);
    told.fail(&["a"]);
    assert_eq!(told.last().title, "gbsup: paused, app-misc/a-1 failed");
    assert_eq!(told.notes.len(), 3);
}

#[test]
fn another_failure_is_news_although_one_is_known() {
    let mut told = Told::begin(|_| {});
    told.fail(&["a"]);
    told.pass(3600);
    told.ask(resume());
    told.fail(&["a", "c"]);
    assert_eq!(told.kinds(), [News::Paused, News::Paused]);
    assert!(told.last().text.contains("app-misc/c-1"), "{}", told.last().text);
}

#[test]
fn what_still_fails_is_neither_over_nor_news() {
    let mut told = Told::begin(|_| {});
    told.fail(&["b"]);
    told.pass(86_400);
    told.ask(Request::Sync);
    told.leave_out();
    told.pass(3600);
    assert_eq!(told.kinds(), [News::Paused]);
}

#[test]
fn a_pause_that_is_repaired_within_the_cooldown_is_not_told() {
    let mut told = Told::begin(|_| {});
    told.fail(&["a"]);
    told.repair();
    told.pass(60);
    assert_eq!(told.kinds(), [News::Paused], "it waits for the cooldown");
    told.ask(Request::Sync);
    told.fail(&["b"]);
    told.repair();
    told.pass(540);
    assert_eq!(told.kinds(), [News::Paused, News::Recovered]);
    assert!(!told.last().text.contains("app-misc/b-1"), "{}", told.last().text);
    told.pass(86_400);
    told.finish();
    assert_eq!(told.notes.len(), 2);
}

#[test]
fn a_failure_within_the_cooldown_is_told_when_it_is_over() {
    let mut told = Told::begin(|_| {});
    told.fail(&["a"]);
    told.pass(60);
    told.repair();
    told.ask(Request::Sync);
    told.fail(&["b"]);
    // The cooldown is not forgotten either.
    told.story.restart("one", true);
    told.pass(539);
    assert_eq!(told.notes.len(), 1);
    assert_eq!(told.story.state.wake().map(|at| at.as_secs()), Some(told.story.seconds + 1));
    told.pass(1);
    assert_eq!(told.kinds(), [News::Paused, News::Paused]);
    assert_eq!(told.last().title, "gbsup: paused, app-misc/b-1 failed");
    assert_eq!(told.story.state.wake(), None, "nothing more to wait for");
}

#[test]
fn what_a_person_does_is_no_news() {
    let mut told = Told::begin(|_| {});
    told.ask(pause(PauseMode::Now));
    told.end(Report::Nothing);
    told.story.expect(Mode::Paused, "lunch");
    told.pass(86_400);
    told.ask(resume());
    told.finish();
    told.pass(60);
    assert_eq!(told.notes, []);
}

#[test]
fn an_old_tree_is_told_and_so_is_a_new_one() {
    let mut told = Told::begin(|config| config.sync.retries.clear());
    told.end(Report::Nothing);
    told.end(unreachable());
    told.finish();
    assert_eq!(told.kinds(), [News::Stale]);
    assert!(told.last().text.contains("no route to host"), "{}", told.last().text);
    told.pass(86_400);
    told.end(Report::Nothing);
    told.end(unreachable());
    told.finish();
    assert_eq!(told.notes.len(), 1);
    told.pass(86_400);
    told.end(Report::Nothing);
    told.end(crate::story::synced());
    told.finish();
    assert_eq!(told.kinds(), [News::Stale, News::Recovered]);
}

#[test]
fn a_dead_repository_is_told_of_once() {
    let mut told = Told::begin(|config| config.sync.retries.clear());
    for gone in [Some("no route"), Some("no such host"), None] {
        told.end(Report::Nothing);
        told.end(crate::story::repositories(&[("gone", gone), ("pocket", None)]));
        told.finish();
        told.pass(86_400);
    }
    assert_eq!(told.kinds(), [News::Stale, News::Recovered]);
    assert_eq!(told.notes[0].title, "gbsup: a repository is old");
    assert!(told.notes[0].text.starts_with("the repository gone was never synced: no route"));
}

#[test]
fn a_cycle_that_merged_something_is_news_to_those_who_want_it() {
    let finished = |config: &mut Config| config.notify.events.push(News::Finished);
    let mut told = Told::begin(finished);
    told.story.through(Step::Plan);
    told.story.print(emerging("a"));
    told.story.print(completed("a"));
    told.finish();
    assert_eq!(told.kinds(), [News::Finished]);
    assert_eq!(told.last().title, "gbsup: 1 package merged");
    told.story.restart("one", true);
    told.finish();
    told.pass(86_400);
    told.finish();
    assert_eq!(told.notes.len(), 1, "nothing was merged, nothing is told");
}

#[test]
fn another_release_is_news_once_to_those_who_want_it() {
    let offered = |number: u32, again: Option<u32>| {
        let id = |number: u32| format!("2026-11-22.{number}").parse().unwrap();
        let published = Timestamp::UNIX_EPOCH;
        Event::Offered(Some(Current { id: id(number), packages: 1, published, again: again.map(id) }))
    };
    let mut told = Told::begin(|config| config.notify.events.extend([News::Finished, News::Published]));
    told.story.through(Step::Plan);
    told.story.print(emerging("a"));
    told.story.print(completed("a"));
    told.take(offered(1, None));
    told.finish();
    assert_eq!(told.kinds(), [News::Published], "not the packages as well");
    assert_eq!(told.last().title, "gbsup: release 2026-11-22.1 is published");
    told.story.restart("one", true);
    told.finish();
    assert_eq!(told.notes.len(), 1);
    told.pass(86_400);
    told.finish();
    told.take(offered(2, Some(1)));
    assert_eq!(told.kinds(), [News::Published, News::Published]);

    let mut told = Told::begin(|config| config.notify.events.push(News::Finished));
    told.story.through(Step::Plan);
    told.story.print(emerging("a"));
    told.story.print(completed("a"));
    told.take(offered(1, None));
    told.finish();
    assert_eq!(told.kinds(), [News::Finished]);
}

#[test]
fn a_volume_that_is_refused_is_told() {
    let mut told = Told::begin(|_| {});
    told.story.state.live.volume = Volume::Claiming;
    told.take(Event::Refused(Box::new(Failure::new(Class::Volume, "the volume is read-only"))));
    assert_eq!(told.last().title, "gbsup: paused (volume)");
    assert!(told.story.status().headline.ends_with(". Repair it, then: gbsup resume"));
    // What an engine withholds is given to another container.
    told.take(Event::Refused(Box::new(Failure::new(Class::Engine, "start it with --cap-add CHOWN"))));
    assert_eq!(told.story.status().headline, "paused: start it with --cap-add CHOWN");
}

#[test]
fn a_supervisor_that_died_says_so_when_it_is_back() {
    let mut told = Told::begin(|_| {});
    for (seconds, notes) in [(0, 1), (60, 1), (539, 1), (1, 2), (86_400, 2)] {
        told.pass(seconds);
        if seconds < 100 && notes == 1 {
            let durable = Some(told.story.state.durable.clone());
            told.story.state = State::new(told.story.state.live.config.clone(), told.story.now());
            let claimed = Claimed { durable, plan: None, last_cycle: 0, root: "one".into(), boot: false };
            told.take(Event::Claimed(Box::new(claimed)));
        }
        assert_eq!(told.notes.len(), notes, "after {seconds} s more");
    }
    assert_eq!(told.kinds(), [News::Crashed, News::Crashed]);
}

#[test]
fn the_heart_beats_as_long_as_no_failure_holds_it() {
    let mut told = Told::begin(|config| {
        config.notify.heartbeat = Some(Url::try_from("https://example.org/beat").unwrap());
    });
    // The first one was at the start, when nobody counted.
    told.take(Event::Delivered { way: Way::Heartbeat, problem: None });
    told.pass(299);
    assert_eq!(told.beats, 0);
    told.pass(1);
    assert_eq!(told.beats, 1);
    told.fail(&["a"]);
    let before = told.beats;
    told.pass(86_400);
    assert_eq!(told.beats, before, "silence means trouble");
    assert_eq!(told.story.state.wake(), None);
    told.ask(resume());
    assert_eq!(told.beats, before + 1, "and at once when there is none");
    told.ask(pause(PauseMode::Now));
    told.end(Report::Nothing);
    told.pass(300);
    assert_eq!(told.beats, before + 2, "an operator's pause is healthy");
}

#[test]
fn what_was_failing_when_nobody_could_be_told_is_told_later() {
    let mut told = Told::begin(|config| config.notify.webhook = None);
    told.fail(&["b"]);
    let mut config = told.story.state.live.config.clone();
    configured(&mut config);
    // Somebody saw the pause, asked for a sync, and set up messages.
    told.ask(Request::Sync);
    told.take(Event::Reloaded(Ok(Box::new(config))));
    for _ in 0..2 {
        told.leave_out();
        assert_eq!(told.kinds(), [News::Paused], "once");
        assert_eq!(told.last().title, "gbsup: still failing, app-misc/b-1");
        told.pass(86_400);
    }
}

/// What stops nothing is told once, also after a restart, and again only when something comes to it.
#[test]
fn what_waits_for_a_person_is_told_once() {
    let mut told = Told::begin(|config| config.notify.events.push(News::Finished));
    let news = |titles: &str| {
        let text = format!("unread news: {titles}; eselect news read new");
        Event::Warning { key: "news", text: Some(text) }
    };
    told.take(news("Signed packages"));
    assert!(told.notes.is_empty(), "a cycle is on its way");
    told.story.through(Step::Plan);
    told.story.print(emerging("a"));
    told.story.print(completed("a"));
    told.finish();
    assert_eq!(told.kinds(), [News::Finished]);
    told.pass(3600);
    assert_eq!(told.kinds(), [News::Finished, News::Attention]);
    let text = &told.last().text;
    assert!(text.contains("For a person to look at:\n- unread news: Signed packages"), "{text}");

    // Another process has not looked yet, and has no cycle to do at once if the root is the same.
    for _ in 0..2 {
        told.story.restart("one", true);
        told.pass(3600);
        told.take(news("Signed packages"));
        told.finish();
    }
    told.pass(3600);
    assert_eq!(told.notes.len(), 2, "nothing is new in that");
    told.take(news("Signed packages, Another profile"));
    told.pass(3600);
    assert_eq!(told.notes.len(), 3);
    assert!(told.last().text.contains("Another profile"), "{}", told.last().text);

    // What was gone when a cycle was done is news again.
    told.take(Event::Warning { key: "news", text: None });
    told.ask(Request::Sync);
    told.finish();
    told.take(news("Signed packages"));
    told.pass(3600);
    assert_eq!(told.notes.len(), 4);
}

#[test]
fn that_a_client_would_compile_more_is_told_once() {
    let worse = |lines: &[&str]| Event::Rehearsed {
        clients: std::sync::Arc::default(),
        worse: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    let mut told = Told::begin(|_| {});
    told.take(worse(&[]));
    assert_eq!(told.kinds(), []);
    told.take(worse(&["laptop: 1 from the release, 1 compiled (a/b: USE -x)"]));
    assert_eq!(told.last().title, "gbsup: laptop would compile more");
    assert!(told.last().text.contains("- laptop: 1 from the release, 1 compiled (a/b: USE -x)\n"));
    // What comes soon after that waits, and is told in one.
    told.take(worse(&["desk: 1 from the release, 1 compiled (a/b: USE -x)"]));
    told.take(worse(&["lap: 1 from the release, 1 compiled (a/b: USE -x)"]));
    assert_eq!(told.kinds(), [News::Drift]);
    told.pass(700);
    assert_eq!(
        (told.kinds(), told.last().title.as_str()),
        (vec![News::Drift; 2], "gbsup: 2 clients would compile more")
    );
    told.pass(86_400);
    assert_eq!(told.kinds(), [News::Drift; 2]);
    // Whoever does not want to hear of it is not told later either.
    let mut deaf = Told::begin(|config| config.notify.events.retain(|news| *news != News::Drift));
    deaf.take(worse(&["laptop: 1 from the release, 1 compiled (a/b: USE -x)"]));
    assert_eq!((deaf.kinds(), deaf.story.state.durable.notices.drift.len()), (vec![], 0));
}
