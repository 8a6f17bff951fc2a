//! What is shown of the builder: which path has which view, and how each is answered. All of it comes from what the
//! supervisor told ([`super::known`]); nothing is asked of it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, Response};
use jiff::Timestamp;

use super::body::Answer;
use super::crowd::Place;
use super::known::{Known, News};
use super::live::{self, Events, event};
use super::reply::{body, missing};
use super::tree::Tree;
use crate::model::status::Status;

/// A view by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The status, as `gbsup status --json` prints it.
    Status,
    /// The same whenever it changes.
    Events,
}

/// Each view that has a path of its own.
const VIEWS: &[(&str, View)] = &[("/api/v1/status", View::Status), ("/api/v1/events", View::Events)];

/// The view that a path leads to.
pub(super) fn find(path: &str) -> Option<View> {
    VIEWS.iter().find(|(known, _)| *known == path).map(|(_, view)| *view)
}

/// What answers are made of.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) tree: Tree,
    pub(super) news: News,
}

/// A request for a view.
pub(super) struct Asked<'a> {
    pub(super) site: &'a Site,
    pub(super) headers: &'a HeaderMap,
    /// Only the head of the answer is wanted.
    pub(super) head: bool,
    pub(super) place: &'a Place,
}

impl Asked<'_> {
    /// Answers it.
    pub(super) fn view(&self, view: View) -> Response<Answer> {
        match view {
            View::Status => self.status(),
            View::Events => self.events(),
        }
    }

    fn status(&self) -> Response<Answer> {
        let Some(status) = now(&self.site.news.newest()) else { return self.nobody() };
        // As the command prints it.
        let text = serde_json::to_string_pretty(&status).unwrap_or_default() + "\n";
        body(self.headers, text, "application/json")
    }

    fn events(&self) -> Response<Answer> {
        if self.site.news.is_alone() {
            return self.nobody();
        }
        if self.head {
            return body(self.headers, Bytes::new(), "text/event-stream");
        }
        if !self.place.stays_open() {
            return live::full();
        }
        live::follow(&self.site.news, Statuses::default())
    }

    fn nobody(&self) -> Response<Answer> {
        missing(if self.site.news.is_alone() {
            "No builder tells this server how it is: it only serves what is published."
        } else {
            "The builder has not told yet how it is."
        })
    }
}

/// The status as it is at this moment.
fn now(known: &Known) -> Option<Status> {
    known.status.as_ref().map(|status| status.later(Timestamp::now()))
}

/// Sends the status when it has changed.
#[derive(Debug, Default)]
struct Statuses {
    sent: Option<Arc<Status>>,
}

impl Events for Statuses {
    fn next(&mut self, known: &Known) -> Option<Bytes> {
        let status = known.status.as_ref()?;
        if self.sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, status)) {
            return None;
        }
        self.sent = Some(Arc::clone(status));
        let text = serde_json::to_string(status.as_ref()).ok()?;
        Some(event("status", &text))
    }
}
