//! The first page, for those who have it open: it is painted, and what changed of it written, once for all of them.
//!
//! What only counts on is no change: the script in the page counts it. So nobody is woken each second of a build.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::body::Answer;
use super::known::{Known, News};
use super::live::{self, BEAT, Events, event};
use crate::render::html::{Page, without_ages};

/// The supervisor tells what belongs together in several messages, one right after the other.
const TOGETHER: Duration = Duration::from_millis(5);
/// How long from one change to the next, so that a burst costs one.
const GAP: Duration = Duration::from_millis(100);

/// The page, and whoever looks for what changes of it.
#[derive(Debug)]
pub(super) struct OpenPage {
    /// As it was when something of it changed.
    changed: watch::Sender<Arc<Painted>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody looks.
    looking: bool,
    /// As it is: of it, other ages may be true than when it changed.
    newest: Arc<Painted>,
    /// What was sent last to one that has it open: most of them are sent the same.
    last: Option<Sent>,
}

/// From one state of the page to another.
#[derive(Debug)]
struct Sent {
    /// The [`Painted::version`] of both.
    between: (Option<u64>, u64),
    /// Nothing, when they are the same.
    event: Option<Bytes>,
}

impl Default for OpenPage {
    fn default() -> Self {
        Self { changed: watch::channel(Arc::default()).0, state: Mutex::default() }
    }
}

/// Makes it of what is known at a moment.
pub(super) trait Paint: Fn(&Known, Timestamp) -> Page + Send + Sync + 'static {}

impl<T: Fn(&Known, Timestamp) -> Page + Send + Sync + 'static> Paint for T {}

/// Answers with what changes of the page, all of it at first.
pub(super) fn follow(open: &Arc<OpenPage>, news: &News, paint: impl Paint) -> Response<Answer> {
    // Before the first is painted, so that nobody who looks ends meanwhile.
    let changed = open.changed.subscribe();
    open.refresh(&news.newest(), &paint);
    if !std::mem::replace(&mut open.lock().looking, true) {
        tokio::spawn(look(Arc::clone(open), news.watch(), paint));
    }
    live::follow(changed, Changes { open: Arc::clone(open), sent: None })
}

/// Looks for changes as long as somebody has the page open.
async fn look(open: Arc<OpenPage>, mut told: watch::Receiver<Arc<Known>>, paint: impl Paint) {
    loop {
        let known = Arc::clone(&told.borrow_and_update());
        let gap = open.refresh(&known, &paint).then(|| Instant::now() + GAP);
        tokio::select! {
            () = open.changed.closed() => {
                let mut state = open.lock();
                // Somebody may have come by now.
                if open.changed.receiver_count() == 0 {
                    state.looking = false;
                    return;
                }
            }
            changed = told.changed() => {
                if changed.is_err() {
                    return;
                }
                sleep(TOGETHER).await;
            }
            () = sleep(BEAT) => {}
        }
        if let Some(gap) = gap {
            sleep_until(gap).await;
        }
    }
}

impl OpenPage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Paints it, unless that was done in this second of the same, and tells everybody if it has changed: whether it has.
    fn refresh(&self, known: &Known, paint: &impl Paint) -> bool {
        let now = Timestamp::now();
        let of = (known.number, now.as_second());
        let mut state = self.lock();
        // Whoever comes may have seen something newer than whoever looks.
        if state.newest.of.is_some_and(|last| last == of || last.0 > of.0) {
            return false;
        }
        let mut new = Painted::new(paint(known, now));
        new.of = Some(of);
        let changed = !new.is(&state.newest);
        new.version = state.newest.version + u64::from(changed);
        let new = Arc::new(new);
        state.newest = Arc::clone(&new);
        if changed {
            self.changed.send_replace(new);
        }
        changed
    }

    /// What is sent to whoever has this version of it. To whoever has none: all of it, with the ages of now.
    fn event(&self, has: Option<&Painted>, new: &Painted) -> Option<Bytes> {
        let mut state = self.lock();
        if has.is_none() && new.version == state.newest.version {
            return state.newest.event_after(None);
        }
        let between = (has.map(|has| has.version), new.version);
        match &state.last {
            Some(last) if last.between == between => last.event.clone(),
            _ => {
                let event = new.event_after(has);
                state.last = Some(Sent { between, event: event.clone() });
                event
            }
        }
    }
}

/// The page in its parts.
#[derive(Debug, Default)]
struct Painted {
    /// Of which message, and in which second.
    of: Option<(u64, i64)>,
    /// Counts its changes.
    version: u64,
    title: String,
    tone: &'static str,
    about: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    id: &'static str,
    text: String,
    /// The same [`without_ages`].
    lasting: String,
}

impl Painted {
    fn new(page: Page) -> Self {
        let parts = page.parts.into_iter().chain(page.column).chain(page.aside);
        let parts = parts.map(|(id, part)| {
            let text = part.into_string();
            Part { id, lasting: without_ages(&text), text }
        });
        Self {
            title: page.title,
            tone: page.tone.name(),
            about: page.key,
            parts: parts.collect(),
            ..Self::default()
        }
    }

    /// Whether the other has the same around its parts.
    fn is_around(&self, other: &Self) -> bool {
        (&self.title, self.tone, &self.about) == (&other.title, other.tone, &other.about)
    }

    /// What of it is another than in what was sent.
    fn parts_after<'a>(&'a self, sent: Option<&'a Self>) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().filter(move |part| {
            let was = sent.and_then(|sent| sent.parts.iter().find(|was| was.id == part.id));
            was.is_none_or(|was| was.lasting != part.lasting)
        })
    }

    /// Whether whoever has the other has this.
    fn is(&self, other: &Self) -> bool {
        self.is_around(other) && self.parts_after(Some(other)).next().is_none()
    }

    fn event_after(&self, sent: Option<&Self>) -> Option<Bytes> {
        if sent.is_some_and(|sent| self.is(sent)) {
            return None;
        }
        let parts = self.parts_after(sent).map(|part| (part.id, part.text.as_str())).collect();
        let change = Change { title: &self.title, tone: self.tone, key: &self.about, parts };
        Some(event("page", &serde_json::to_string(&change).unwrap_or_default()))
    }
}

/// What is sent of a page.
#[derive(Serialize)]
pub(super) struct Change<'a> {
    pub(super) title: &'a str,
    pub(super) tone: &'a str,
    pub(super) key: &'a str,
    pub(super) parts: BTreeMap<&'a str, &'a str>,
}

/// What changes of the page, for one who has it open.
#[derive(Debug)]
struct Changes {
    open: Arc<OpenPage>,
    sent: Option<Arc<Painted>>,
}

impl Events<Painted> for Changes {
    fn next(&mut self, newest: &Arc<Painted>) -> Option<Bytes> {
        let event = self.open.event(self.sent.as_deref(), newest);
        self.sent = Some(Arc::clone(newest));
        event
    }
}
