//! What keys mean, and which log is shown: the state of the screen, without the terminal.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::model::request::{PauseMode, Request};
use crate::model::skip::ToSkip;
use crate::model::status::{Mode, Status};
use crate::portage::names::cpv::Cpv;
use crate::render::top::{Foot, Pane, Place, View, count, failing, panes};

/// Columns that a long line is moved by.
const ACROSS: u16 = 20;

/// What is to be done because of a key.
#[derive(Debug, PartialEq)]
pub(super) enum Act {
    /// Nothing but to draw.
    Draw,
    /// Leave.
    Leave,
    /// Give the terminal back until somebody says fg.
    Suspend,
    /// Ask the builder.
    Send(Request),
}

/// A log that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The newest one of a package.
    Package(String),
    /// One at a path that the builder named.
    File(String),
}

/// Whose log is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Choice {
    /// That of whatever is at work.
    #[default]
    Newest,
    /// That of the step.
    Step,
    /// That of a package while it is in work.
    Job(String),
    /// That of something that failed.
    Failed(String),
}

/// The state of the screen.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) place: Place,
    pub(super) foot: Foot,
    asking: Option<Request>,
    choice: Choice,
    shown: Option<Source>,
    /// Somebody has gone to a list, and is left there.
    has_gone: bool,
}

impl Desk {
    /// Shows the list that matters now, until somebody goes to another.
    pub(super) fn turn_to_what_matters(&mut self, status: &Status) {
        if !self.has_gone {
            self.place.pane = match status.state {
                _ if !status.jobs.is_empty() => Pane::Jobs,
                Mode::Paused if !failing(status).is_empty() => Pane::Failed,
                Mode::Running => Pane::Jobs,
                _ => Pane::Around,
            };
        }
    }

    /// Whose log is to be shown now. Nobody is taken away from what they went back to.
    pub(super) fn source(&mut self, status: &Status) -> Option<Source> {
        let at_work = |package: &String| status.jobs.iter().any(|job| job.package == *package);
        if matches!(&self.choice, Choice::Job(package) if !at_work(package)) {
            if self.place.end.is_some() {
                return self.shown.clone();
            }
            self.choice = Choice::Newest;
        }
        let step = || status.log.clone().map(Source::File);
        let wanted = match &self.choice {
            Choice::Newest if self.place.end.is_some() && self.shown.is_some() => self.shown.clone(),
            Choice::Newest => {
                let job = status.jobs.first().map(|job| Source::Package(job.package.clone()));
                let held = status.pause.iter().flat_map(|pause| &pause.failures);
                let failed = held.filter_map(|failure| failure.log.clone()).map(Source::File).next();
                job.or(failed).or_else(step)
            }
            Choice::Step => step(),
            Choice::Job(package) => Some(Source::Package(package.clone())),
            Choice::Failed(log) => Some(Source::File(log.clone())),
        };
        self.shown.clone_from(&wanted);
        wanted
    }

    /// What the builder said.
    pub(super) fn answered(&mut self, answer: Result<String, String>) {
        self.foot = match answer {
            Ok(words) => Foot::Answer(words),
            Err(words) => Foot::Refusal(words),
        };
    }

    /// Takes in a key. `rows` are those of the log.
    pub(super) fn press(&mut self, key: KeyEvent, view: &View<'_>, rows: u16) -> Act {
        if key.kind == KeyEventKind::Release {
            return Act::Draw;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Act::Leave,
            KeyCode::Char('z') if control => return Act::Suspend,
            KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => return Act::Draw,
            _ => {}
        }
        if let Some(request) = self.asking.take() {
            return self.decide(key.code, request);
        }
        if self.place.help {
            self.place.help = false;
            if matches!(key.code, KeyCode::Char('?') | KeyCode::Esc | KeyCode::Enter) {
                return Act::Draw;
            }
        }
        self.foot = Foot::Keys;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Act::Leave,
            KeyCode::Char('?') => self.place.help = true,
            KeyCode::Char('p') => self.ask(
                Request::Pause { mode: PauseMode::AfterPackage, reason: None },
                "Pause after the packages that are being built now?",
            ),
            KeyCode::Char('P') => self.ask(
                Request::Pause { mode: PauseMode::AfterCycle, reason: None },
                "Pause when this cycle is over?",
            ),
            KeyCode::Char('r') => self.ask(Request::Resume { skip: Vec::new() }, "Resume?"),
            KeyCode::Char('s') => self.ask(Request::Sync, "Sync now, and begin a new cycle?"),
            KeyCode::Char('x') => self.skip(view),
            code => self.go(code, view, u64::from(rows)),
        }
        Act::Draw
    }

    /// Something was pasted, or typed by a terminal that says what it is: no keys.
    pub(super) fn pasted(&mut self) {
        self.asking = None;
        self.foot = Foot::Refusal("pasted text is neither an answer nor a command here".into());
    }

    fn ask(&mut self, request: Request, question: &str) {
        self.foot = Foot::Question(question.into());
        self.asking = Some(request);
    }

    fn decide(&mut self, code: KeyCode, request: Request) -> Act {
        if matches!(code, KeyCode::Char('y' | 'Y')) {
            self.foot = Foot::Asking("asking the builder".into());
            return Act::Send(request);
        }
        self.foot = Foot::Refusal("not done".into());
        Act::Draw
    }

    /// Asks whether to keep out the failed package that is chosen.
    fn skip(&mut self, view: &View<'_>) {
        let failing = failing(view.status);
        let chosen = self.place.chosen(Pane::Failed).min(failing.len().saturating_sub(1));
        let package = failing.get(chosen).and_then(|one| Cpv::parse(one.package?.as_bytes()));
        let Some(version) = package else {
            let none = if failing.is_empty() { "nothing failed" } else { "that is no package" };
            self.foot = Foot::Refusal(format!("{none}, so there is nothing to skip"));
            return;
        };
        let question =
            format!("Skip {} until another version than {} is offered?", version.cp(), version.version());
        let package = version.cp().to_owned();
        self.ask(Request::Skip { packages: vec![ToSkip { package, version }] }, &question);
    }

    fn go(&mut self, code: KeyCode, view: &View<'_>, rows: u64) {
        let page = rows.saturating_sub(1).max(1);
        self.has_gone = true;
        match code {
            KeyCode::Tab => self.turn(view, true),
            KeyCode::BackTab => self.turn(view, false),
            KeyCode::Enter => self.place.in_log = !self.place.in_log,
            KeyCode::PageUp => self.scroll(view, rows, page, true),
            KeyCode::PageDown => self.scroll(view, rows, page, false),
            KeyCode::Char('g') | KeyCode::Home => self.scroll(view, rows, u64::MAX, true),
            KeyCode::Char('G') | KeyCode::End => self.place.end = None,
            KeyCode::Left | KeyCode::Char('h') => {
                self.place.across = self.place.across.saturating_sub(ACROSS);
            }
            KeyCode::Right | KeyCode::Char('l') => {
                self.place.across = self.place.across.saturating_add(ACROSS).min(4096);
            }
            KeyCode::Up | KeyCode::Char('k') if self.place.in_log => self.scroll(view, rows, 1, true),
            KeyCode::Down | KeyCode::Char('j') if self.place.in_log => self.scroll(view, rows, 1, false),
            KeyCode::Up | KeyCode::Char('k') => self.choose(view, -1),
            KeyCode::Down | KeyCode::Char('j') => self.choose(view, 1),
            _ => {}
        }
    }

    /// To the next list, or to the log, or back.
    fn turn(&mut self, view: &View<'_>, on: bool) {
        // The log comes after the last list.
        let places: Vec<Option<Pane>> = panes(view).into_iter().map(Some).chain([None]).collect();
        let here = if self.place.in_log { None } else { Some(self.place.pane) };
        let at = places.iter().position(|place| *place == here).unwrap_or(0);
        let to = if on { at + 1 } else { at + places.len() - 1 } % places.len();
        match places[to] {
            Some(pane) => (self.place.pane, self.place.in_log) = (pane, false),
            None => self.place.in_log = true,
        }
    }

    fn choose(&mut self, view: &View<'_>, by: isize) {
        let shown = panes(view);
        if !shown.contains(&self.place.pane) {
            self.place.pane = shown.first().copied().unwrap_or(Pane::Around);
        }
        let pane = self.place.pane;
        let last = count(view, pane).saturating_sub(1);
        let to = self.place.chosen(pane).min(last).saturating_add_signed(by).min(last);
        self.place.choose(pane, to);
        let choice = match pane {
            Pane::Jobs => match view.status.jobs.get(to) {
                Some(job) => Choice::Job(job.package.clone()),
                None => Choice::Step,
            },
            Pane::Failed => match failing(view.status).get(to).and_then(|one| one.log) {
                Some(log) => Choice::Failed(log.to_owned()),
                None => return,
            },
            Pane::Next | Pane::Cycles | Pane::Around => return,
        };
        if choice != self.choice {
            self.choice = choice;
            (self.place.end, self.place.across) = (None, 0);
        }
    }

    fn scroll(&mut self, view: &View<'_>, rows: u64, by: u64, up: bool) {
        let (first, end) = (view.log.first(), view.log.end());
        let at = self.place.end.unwrap_or(end).min(end);
        // The first screen is full.
        let lowest = first.saturating_add(rows).min(end);
        let to = if up { at.saturating_sub(by).max(lowest) } else { at.saturating_add(by) };
        self.place.end = if !up && to >= end { None } else { Some(to) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::config::Config;
    use crate::decide::view;
    use crate::model::Now;
    use crate::model::state::State;
    use crate::model::status::JobInfo;
    use crate::render::Look;
    use crate::render::top::Log;

    fn working(packages: &[&str]) -> Status {
        let now = Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let job = |package: &&str| JobInfo {
            package: (*package).to_owned(),
            phase: "compile".into(),
            elapsed: 1,
            estimate: None,
            binary: false,
            files: None,
        };
        Status {
            jobs: packages.iter().map(job).collect(),
            log: Some("/v/steps/1/build.log".into()),
            ..view::status(&State::new(Config::default(), now), now)
        }
    }

    fn press(desk: &mut Desk, code: KeyCode, status: &Status, log: &Log) -> Act {
        let (place, foot) = (desk.place, desk.foot.clone());
        let (left, cycles) = (&[], &[]);
        let look = Look::PLAIN;
        let view = View { status, lost: None, left, cycles, log, place: &place, foot: &foot, look };
        desk.press(KeyEvent::new(code, KeyModifiers::NONE), &view, 10)
    }

    fn package(name: &str) -> Source {
        Source::Package(name.into())
    }

    #[test]
    fn the_log_is_that_of_what_is_at_work_or_of_what_is_chosen() {
        let (mut desk, log) = (Desk::default(), Log::default());
        let step = Some(Source::File("/v/steps/1/build.log".into()));
        assert_eq!(desk.source(&working(&["a/a-1", "a/b-1"])), Some(package("a/a-1")));
        // The next one, when that is done.
        let both = working(&["a/b-1", "a/c-1"]);
        assert_eq!(desk.source(&both), Some(package("a/b-1")));
        press(&mut desk, KeyCode::Down, &both, &log);
        assert_eq!(desk.source(&both), Some(package("a/c-1")));
        // Whatever is before it by then.
        assert_eq!(desk.source(&working(&["a/0-1", "a/c-1"])), Some(package("a/c-1")));
        press(&mut desk, KeyCode::Char('j'), &both, &log);
        assert_eq!(desk.source(&both), step);
        press(&mut desk, KeyCode::Char('k'), &both, &log);
        // It is over: whatever is at work.
        assert_eq!(desk.source(&working(&["a/d-1"])), Some(package("a/d-1")));
        assert_eq!(desk.source(&working(&[])), step);
    }

    #[test]
    fn nobody_is_taken_away_from_where_they_read() {
        let (mut desk, mut log) = (Desk::default(), Log::default());
        log.push((0..100).map(|n| n.to_string()).collect(), String::new());
        let first = working(&["a/a-1"]);
        assert_eq!(desk.source(&first), Some(package("a/a-1")));
        press(&mut desk, KeyCode::PageUp, &first, &log);
        assert_eq!(desk.place.end, Some(91));
        assert_eq!(desk.source(&working(&["a/b-1"])), Some(package("a/a-1")));
        for (code, end) in [
            (KeyCode::Char('g'), Some(10)),
            (KeyCode::PageUp, Some(10)),
            (KeyCode::PageDown, Some(19)),
            (KeyCode::Enter, Some(19)),
            (KeyCode::Down, Some(20)),
            (KeyCode::Up, Some(19)),
            (KeyCode::Char('G'), None),
        ] {
            press(&mut desk, code, &first, &log);
            assert_eq!(desk.place.end, end, "{code:?}");
        }
        assert_eq!(desk.source(&working(&["a/b-1"])), Some(package("a/b-1")));
    }

    #[test]
    fn nothing_is_sent_without_a_yes() {
        let (mut desk, log, status) = (Desk::default(), Log::default(), working(&[]));
        for no in [KeyCode::Char('n'), KeyCode::Enter, KeyCode::Esc, KeyCode::Char('s'), KeyCode::Char(' ')] {
            assert_eq!(press(&mut desk, KeyCode::Char('s'), &status, &log), Act::Draw);
            assert!(matches!(desk.foot, Foot::Question(_)));
            assert_eq!(press(&mut desk, no, &status, &log), Act::Draw);
            assert_eq!(desk.foot, Foot::Refusal("not done".into()));
        }
        assert_eq!(press(&mut desk, KeyCode::Char('y'), &status, &log), Act::Draw);
        press(&mut desk, KeyCode::Char('s'), &status, &log);
        assert_eq!(press(&mut desk, KeyCode::Char('y'), &status, &log), Act::Send(Request::Sync));
        // One yes is for one question.
        assert_eq!(press(&mut desk, KeyCode::Char('y'), &status, &log), Act::Draw);
        press(&mut desk, KeyCode::Char('x'), &status, &log);
        assert_eq!(desk.foot, Foot::Refusal("nothing failed, so there is nothing to skip".into()));
    }

    #[test]
    fn there_is_a_way_out_of_everywhere() {
        let (log, status) = (Log::default(), working(&[]));
        for before in [KeyCode::Char('?'), KeyCode::Enter, KeyCode::Tab, KeyCode::Char('r')] {
            let mut desk = Desk::default();
            press(&mut desk, before, &status, &log);
            let (place, foot) = (desk.place, desk.foot.clone());
            let view = View {
                status: &status,
                lost: None,
                left: &[],
                cycles: &[],
                log: &log,
                place: &place,
                foot: &foot,
                look: Look::PLAIN,
            };
            let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(desk.press(interrupt, &view, 10), Act::Leave, "{before:?}");
        }
    }
}
