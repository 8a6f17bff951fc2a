//! What is known of helpers, from what the threads tell.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::stage::STEADY;
use super::told::Told;
use crate::decide::helpers::is_about;
use crate::model::Event;
use crate::model::helpers::{Helpers, Present};

/// The loop is told at most so often.
const OFTEN: Duration = Duration::from_secs(1);
/// Of those that were not let in one is told, and the next after so long.
const STRANGERS: Duration = Duration::from_mins(1);
/// So many names are told apart.
const MOST_NAMES: usize = 1000;
/// What all those are called who are not.
const OTHERS: &str = "others";
/// And so many packages.
const MOST_PACKAGES: usize = 10_000;

/// What is told the loop by one of those that follow each other. Each goes on for a while when it is to end, and says nothing more once the
/// next has begun.
pub(super) struct News {
    events: UnboundedSender<Event>,
    /// Which of them is the last.
    last: Arc<Mutex<u64>>,
    own: u64,
}

impl News {
    /// That of the next one.
    pub(super) fn next(last: &Arc<Mutex<u64>>, events: UnboundedSender<Event>) -> Self {
        let mut number = last.lock().unwrap_or_else(PoisonError::into_inner);
        *number += 1;
        Self { events, last: Arc::clone(last), own: *number }
    }

    fn tell(&self, helpers: Helpers) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == self.own {
            drop(self.events.send(Event::Helped(Box::new(helpers))));
        }
    }
}

/// Tells the loop what comes of it, until nobody can tell anything any more; then, that there are no helpers.
pub(super) fn tell(heard: &Receiver<Told>, news: &News) {
    let mut known = Known::default();
    loop {
        let next = match known.due() {
            Some(due) => heard.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(told) => known.take(told),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let until = Instant::now() + OFTEN;
        while let Ok(told) = heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            known.take(told);
        }
        if known.settle(Instant::now()) {
            news.tell(known.helpers.clone());
        }
    }
    news.tell(Helpers::default());
}

/// What is known, and what of that is new.
#[derive(Default)]
pub(super) struct Known {
    pub(super) helpers: Helpers,
    changed: bool,
    /// Who is where, or was there last.
    gates: HashMap<SocketAddr, String>,
    /// Those that ended: why, and when they were started again.
    ended: BTreeMap<&'static str, (String, Option<Instant>)>,
    /// The loop was told of the last loss.
    is_told: bool,
    /// When one that was never in was told last.
    stranger: Option<Instant>,
}

impl Known {
    pub(super) fn take(&mut self, told: Told) {
        self.changed = true;
        match told {
            Told::Present(present) => {
                self.gates.extend(gates(&present));
                self.present(present, Instant::now());
            }
            Told::Compiled(by, package) => self.compiled(by, package),
            Told::CompiledAt(gate, package) => {
                let by = gate.and_then(|gate| self.gates.get(&gate));
                self.compiled(by.map_or(OTHERS, |by| by).to_owned(), package);
            }
            Told::Kept(option) => *self.helpers.kept.entry(option.to_owned()).or_default() += 1,
            Told::Cycle(cycle) => {
                self.helpers.compiled.clear();
                self.helpers.packages.clear();
                self.helpers.kept.clear();
                self.helpers.cycle = cycle;
                // What is compiled at the end of the step before is one of others.
                self.gates = gates(&self.helpers.present).collect();
            }
            Told::Started(program) => {
                if let Some((_, since)) = self.ended.get_mut(program) {
                    *since = Some(Instant::now());
                }
            }
            Told::Ended(program, why) => {
                if program == "relay" {
                    self.helpers.present.helpers.clear();
                    self.helpers.present.left_out.clear();
                }
                self.ended.insert(program, (why, None));
            }
        }
    }

    /// A loss stays until the next one, or until the one that was lost is back: it may be lost again.
    fn present(&mut self, present: Present, now: Instant) {
        let about = |lost: &str, present: &Present| present.helpers.iter().any(|one| is_about(lost, one));
        let before = &mut self.helpers.present;
        let lost = present.lost.filter(|lost| {
            let is_stranger = !about(lost, before);
            let is_quiet = self.stranger.is_none_or(|said| now >= said + STRANGERS);
            if is_stranger && is_quiet {
                self.stranger = Some(now);
            }
            !is_stranger || is_quiet
        });
        let present = Present { lost: None, ..present };
        let before = before.lost.take().filter(|lost| !self.is_told || !about(lost, &present));
        self.is_told &= lost.is_none();
        self.helpers.present = Present { lost: lost.or(before), ..present };
    }

    fn compiled(&mut self, by: String, package: Option<String>) {
        let compiled = &mut self.helpers.compiled;
        let known = compiled.contains_key(&by) || compiled.len() < MOST_NAMES;
        let by = if known { by } else { OTHERS.to_owned() };
        *compiled.entry(by.clone()).or_default() += 1;
        let packages = &mut self.helpers.packages;
        let known = |package: &String| packages.contains_key(package) || packages.len() < MOST_PACKAGES;
        if let Some(package) = package.filter(known) {
            *packages.entry(package).or_default().entry(by).or_default() += 1;
        }
    }

    /// When one that was started again has run for long enough.
    fn due(&self) -> Option<Instant> {
        self.ended.values().filter_map(|(_, since)| Some((*since)? + STEADY)).min()
    }

    /// Whether there is something to tell.
    fn settle(&mut self, now: Instant) -> bool {
        self.ended.retain(|_, (_, since)| since.is_none_or(|since| now < since + STEADY));
        let down = self.ended.values().next().map(|(why, _)| why.clone());
        let changed = std::mem::take(&mut self.changed) || down != self.helpers.down;
        self.helpers.down = down;
        self.is_told |= changed;
        changed
    }
}

/// Where those are that have a place here.
fn gates(present: &Present) -> impl Iterator<Item = (SocketAddr, String)> {
    present.helpers.iter().filter_map(|one| Some((one.gate.as_ref()?.parse().ok()?, one.name.clone())))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::model::helpers::Helper;

    #[test]
    fn whoever_is_followed_by_another_says_nothing_more() {
        let (events, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let last = Arc::default();
        let (before, now) = (News::next(&last, events.clone()), News::next(&last, events));
        let here = Helpers { cycle: Some(2), ..Helpers::default() };
        now.tell(here.clone());
        before.tell(Helpers { cycle: Some(1), ..Helpers::default() });
        let nobody = mpsc::channel().1;
        tell(&nobody, &before);
        let mut next = || match heard.blocking_recv() {
            Some(Event::Helped(helpers)) => Some(*helpers),
            _ => None,
        };
        assert_eq!(next(), Some(here));
        tell(&nobody, &now);
        drop((before, now));
        assert_eq!((next(), next()), (Some(Helpers::default()), None));
    }

    #[test]
    fn what_ended_is_told_until_it_has_run_again_for_a_while() {
        let mut known = Known::default();
        known.take(Told::Started("iceccd"));
        assert!(known.settle(Instant::now()) && known.helpers.down.is_none());
        known.take(Told::Ended("iceccd", "signal 9 ended iceccd".into()));
        assert!(known.settle(Instant::now()) && known.due().is_none());
        known.take(Told::Started("iceccd"));
        known.settle(Instant::now());
        assert_eq!(known.helpers.down.as_deref(), Some("signal 9 ended iceccd"));
        assert!(known.settle(known.due().unwrap()) && known.helpers.down.is_none());
        assert!(!known.settle(Instant::now()));
    }

    #[test]
    fn files_are_counted_for_each_cycle_and_names_are_bounded() {
        let mut known = Known::default();
        for n in 0..2 * MOST_NAMES {
            known.take(Told::Compiled(format!("h{n}"), (n % 2 == 0).then(|| "a/b-1".to_owned())));
        }
        assert_eq!(known.helpers.compiled.len(), MOST_NAMES + 1);
        assert_eq!(known.helpers.files().1, 2 * MOST_NAMES as u64);
        assert_eq!(known.helpers.packages["a/b-1"].values().sum::<u64>(), MOST_NAMES as u64);
        known.take(Told::Cycle(Some(2)));
        assert_eq!((known.helpers.files(), known.helpers.cycle), ((0, 0), Some(2)));
        assert!(known.helpers.packages.is_empty());
        for n in 0..=MOST_PACKAGES {
            known.take(Told::Compiled("h1".into(), Some(format!("a/b-{n}"))));
        }
        assert_eq!(known.helpers.packages.len(), MOST_PACKAGES);
        assert_eq!(known.helpers.files().1, MOST_PACKAGES as u64 + 1, "all count for the cycle");
    }

    #[test]
    fn who_leaves_twice_is_told_twice_and_strangers_once_a_minute() {
        let h1 = Helper { name: "h1".into(), address: "10.0.0.2".into(), slots: 2, gate: None };
        let says = |helpers: &[Helper], lost: Option<&str>| Present {
            helpers: helpers.to_vec(),
            lost: lost.map(str::to_owned),
            ..Present::default()
        };
        let (here, gone) = (says(&[h1], None), says(&[], Some("h1 has left")));
        let now = Instant::now();
        let mut known = Known { changed: true, ..Known::default() };
        let mut take = |present: &Present, seconds: u64, is_told: bool| {
            known.present(present.clone(), now + Duration::from_secs(seconds));
            known.changed |= is_told;
            known.settle(now);
            known.helpers.present.lost.clone()
        };
        let left = Some("h1 has left".to_owned());
        assert_eq!(take(&here, 0, true), None);
        assert_eq!(take(&gone, 0, false), left);
        assert_eq!(take(&here, 0, true), left, "it has not been told yet");
        assert_eq!(take(&here, 0, true), None);
        assert_eq!(take(&gone, 0, true), left);
        let stranger = |number: u64| format!("10.0.0.{number} was not let in: it is no helper of distcc");
        let told: Vec<_> = (10..160)
            .filter_map(|second| take(&says(&[], Some(&stranger(second % 2 + 7))), second, true))
            .collect();
        assert_eq!(told.len(), 150);
        let changes = told.windows(2).filter(|two| two[0] != two[1]).count();
        assert!(changes <= 2 && told[0] == stranger(7), "{changes}");
        assert_eq!(take(&here, 160, true), Some(told[149].clone()));
        assert_eq!(take(&gone, 160, true), left, "one that was in is always told");
    }

    #[test]
    fn who_compiled_is_known_by_where_it_is_even_when_it_has_gone() {
        let mut known = Known::default();
        let at = |gate: &str| Told::CompiledAt(gate.parse().ok(), Some("a/b-1".to_owned()));
        let gate = Some("127.0.1.1:3632".to_owned());
        let helper = Helper { name: "h1".into(), address: "10.0.0.2".into(), slots: 2, gate };
        known.take(Told::Present(Present { helpers: vec![helper], ..Present::default() }));
        known.take(at("127.0.1.1:3632"));
        known.take(Told::Present(Present::default()));
        known.take(at("127.0.1.1:3632"));
        known.take(Told::Kept("-flto"));
        assert_eq!(known.helpers.compiled, BTreeMap::from([("h1".to_owned(), 2)]));
        assert_eq!((known.helpers.packages["a/b-1"]["h1"], known.helpers.kept["-flto"]), (2, 1));
        for unknown in ["127.0.1.2:3632", "a name that a build has written"] {
            known.take(at(unknown));
        }
        assert_eq!(known.helpers.compiled, BTreeMap::from([("h1".to_owned(), 2), (OTHERS.to_owned(), 2)]));
        known.take(Told::Cycle(Some(2)));
        assert!(known.helpers.kept.is_empty() && known.gates.is_empty(), "nobody is there any more");
    }
}
