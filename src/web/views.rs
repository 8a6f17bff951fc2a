//! What is shown of the builder: how each view (`routes`) is answered. All of it comes from what the
//! supervisor told ([`super::known`]) and from the releases; nothing is asked of anybody.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header;
use hyper::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::accept::choose;
use super::body::Answer;
use super::crowd::Place;
use super::farm::Farm;
use super::known::{Known, News};
use super::live::{self, Events, event};
use super::logs::Logs;
use super::open::{self, Change, OpenPage};
use super::reply::{HTML, body, missing, moved, set, text};
use super::routes::View;
use super::shelf::Shelf;
use super::sources::Sources;
use super::tree::Tree;
use crate::model;
use crate::model::farm::Member;
use crate::model::records::CycleRow;
use crate::model::release::{Id, Labels, Listed, Release, Told};
use crate::model::status::Status;
use crate::render::html::{self, Builder, Frame, Page};
use crate::render::{self, Look, api, atom, metrics};

pub(super) const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
/// Others that were asked have answered after so long, or are away.
const ANSWERED: Duration = Duration::from_secs(3);
/// Bytes of a `CHANGES` that are looked at for its first line.
const FIRST_LINE: u64 = 4096;

/// What answers are made of.
#[derive(Debug)]
pub(super) struct Site {
    /// What the builder is called.
    pub(super) name: String,
    /// Nothing of the volume is served; see [`super::Options::bare`].
    pub(super) bare: bool,
    pub(super) tree: Tree,
    pub(super) news: News,
    /// The other builders.
    pub(super) farm: Farm,
    /// Where logs are read from; absent when nobody may.
    pub(super) logs: Option<Logs>,
    /// Where source archives are read from; absent when nobody may.
    pub(super) sources: Option<Sources>,
    /// The volume, as paths of the container have it.
    volume: String,
    /// What the releases have in them.
    pub(super) shelf: Shelf,
    /// The first page, for those who have it open.
    open: Arc<OpenPage>,
    /// What releases say of themselves, which never changes.
    told: Mutex<BTreeMap<Id, Told>>,
}

impl Site {
    /// Of a builder with this name, whose volume has the releases.
    pub(super) fn new(
        name: String,
        volume: String,
        tree: Tree,
        news: News,
        farm: Farm,
        logs: Option<Logs>,
        sources: Option<Sources>,
    ) -> Self {
        Self {
            name,
            bare: false,
            tree,
            news,
            farm,
            logs,
            sources,
            volume,
            shelf: Shelf::default(),
            open: Arc::default(),
            told: Mutex::default(),
        }
    }

    /// What all of its pages have in common.
    pub(super) fn frame(&self) -> Frame<'_> {
        Frame { name: &self.name, farm: self.farm.is_one() }
    }

    /// This builder and the others.
    fn all(&self, now: Timestamp) -> model::farm::Farm {
        let own = (!self.news.is_alone())
            .then(|| self.look(now, |builder| Member::own(builder.name, builder.status)));
        self.farm.all(own)
    }

    /// Calls `make` with what is known of the builder now.
    pub(super) fn look<T>(&self, now: Timestamp, make: impl FnOnce(Builder<'_>) -> T) -> T {
        self.with(&self.news.newest(), now, make)
    }

    /// Calls `make` with what is known of the builder.
    fn with<T>(&self, known: &Known, now: Timestamp, make: impl FnOnce(Builder<'_>) -> T) -> T {
        let status = known.status.as_ref().map(|status| status.later(now));
        let cycles: Vec<&CycleRow> = known.cycles.iter().map(AsRef::as_ref).collect();
        // As the builder names it: here it may be mounted elsewhere.
        let volume = status.as_ref().map_or(self.volume.as_str(), |status| &status.volume.path);
        let logs = self.logs.as_ref().map(|_| volume);
        make(Builder { name: &self.name, status: status.as_ref(), left: &known.left, cycles: &cycles, logs })
    }

    /// The releases, the newest first.
    fn releases(&self) -> Vec<Listed> {
        let ids = self.tree.ids().unwrap_or_default();
        let current = self.tree.current();
        // What people say may change at any time, unlike the releases.
        let labels =
            self.tree.text(Labels::FILE).ok().and_then(|text| serde_json::from_str::<Labels>(&text).ok());
        let labels = labels.unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|id, _| ids.contains(id));
        let listed = ids.into_iter().map(|id| {
            if let Entry::Vacant(place) = told.entry(id)
                && let Some(new) = self.tell(id)
            {
                place.insert(new);
            }
            Listed { id, current: current == Some(id), label: labels.of(id), told: told.get(&id).cloned() }
        });
        listed.collect()
    }

    fn tell(&self, id: Id) -> Option<Told> {
        let release: Release =
            serde_json::from_str(&self.tree.text(&format!("{id}/release.json")).ok()?).ok()?;
        let changes = self.tree.beginning(&format!("{id}/CHANGES"), FIRST_LINE).unwrap_or_default();
        Some(Told::of(&release, &changes))
    }
}

/// A request for a view.
pub(super) struct Asked<'a> {
    pub(super) site: &'a Arc<Site>,
    pub(super) path: &'a str,
    /// What stands behind the question mark.
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// Only the head of the answer is wanted.
    pub(super) head: bool,
    pub(super) place: &'a Place,
}

impl Asked<'_> {
    /// Answers it.
    pub(super) fn view(&self, view: View) -> Response<Answer> {
        let now = Timestamp::now();
        match view {
            View::Now => self.now(now),
            View::Plan => self.page(&self.builder(now, |builder| html::plan(builder, now))),
            View::Cycles => self.page(&self.builder(now, |builder| html::cycles(builder, now))),
            View::Cycle(id) => match self.builder(now, |builder| html::cycle(builder, id, now)) {
                Some(page) => self.page(&page),
                None => missing("No such cycle is known."),
            },
            View::Farm if self.site.farm.is_one() => self.page(&html::farm(&self.site.all(now), now)),
            View::FarmJson if self.site.farm.is_one() => body(self.headers, json(&self.site.all(now)), JSON),
            View::Farm | View::FarmJson => missing("No other builder is configured here (http.peers)."),
            View::Releases => self.page(&html::releases(&self.site.releases())),
            View::Style => body(self.headers, html::STYLE, "text/css; charset=utf-8"),
            View::Script => body(self.headers, html::SCRIPT, "text/javascript; charset=utf-8"),
            View::LogScript => body(self.headers, html::LOG_SCRIPT, "text/javascript; charset=utf-8"),
            View::Icon => body(self.headers, html::icon(self.query), "image/svg+xml"),
            View::Status => self.status(now),
            View::Events => self.events(),
            View::Clients => self.builder(now, |builder| match builder.status {
                Some(status) => body(self.headers, json(&status.clients), JSON),
                None => self.nobody(),
            }),
            View::ReleasesJson => body(self.headers, json(&self.site.releases()), JSON),
            View::Packages => self.packages(now),
            View::Package => self.package(now),
            View::Compare(from, to) => self.compare(from, to),
            View::CyclesJson => self.cycles_json(now),
            View::CycleJson(id) => self.cycle_json(id, now),
            View::PackagesJson => self.packages_json(now),
            View::PackageJson => self.package_json(now),
            View::ReleaseJson(id) => self.release_json(id),
            View::CompareJson(from, to) => self.compare_json(from, to),
            View::OpenApi => body(self.headers, api::OPENAPI, JSON),
            View::Metrics => self.metrics(now),
            View::FeedOfReleases => {
                body(self.headers, atom::releases(&self.site.name, &self.site.releases()), atom::TYPE)
            }
            View::FeedOfFailures => {
                let feed = self.builder(now, |builder| atom::failures(builder.name, builder.cycles));
                body(self.headers, feed, atom::TYPE)
            }
            View::Slash => moved(&format!("{}/", self.path)),
        }
    }

    pub(super) fn builder<T>(&self, now: Timestamp, make: impl FnOnce(Builder<'_>) -> T) -> T {
        self.site.look(now, make)
    }

    pub(super) fn page(&self, page: &Page) -> Response<Answer> {
        body(self.headers, html::document(page, self.site.frame()), HTML)
    }

    fn now(&self, now: Timestamp) -> Response<Answer> {
        let accept = self.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let mut response = match choose(accept, &["text/html", JSON, "text/plain"]) {
            Some(JSON) => self.status(now),
            Some("text/plain") => self.builder(now, |builder| match builder.status {
                Some(status) => body(self.headers, render::page(status, Look::PLAIN), PLAIN),
                None => self.nobody(),
            }),
            Some(_) => self.page(&self.builder(now, |builder| html::now(builder, now))),
            None => text(StatusCode::NOT_ACCEPTABLE, "There is text/html, application/json and text/plain."),
        };
        set(&mut response, header::VARY, "Accept");
        response
    }

    fn status(&self, now: Timestamp) -> Response<Answer> {
        self.builder(now, |builder| match builder.status {
            // As the command prints it.
            Some(status) => body(self.headers, json(status), JSON),
            None => self.nobody(),
        })
    }

    fn metrics(&self, now: Timestamp) -> Response<Answer> {
        self.builder(now, |builder| match builder.status {
            Some(status) => {
                let text = metrics::metrics(status, builder.left.len(), builder.cycles);
                body(self.headers, text, metrics::TYPE)
            }
            None => self.nobody(),
        })
    }

    fn events(&self) -> Response<Answer> {
        let of_several = self.query == "farm" && self.site.farm.is_one();
        if self.site.news.is_alone() && !of_several {
            return self.nobody();
        }
        if self.head {
            return body(self.headers, Bytes::new(), "text/event-stream");
        }
        if !self.place.stays_open() {
            return live::full();
        }
        match self.query {
            "farm" if of_several => live::follow(self.site.news.watch(), Table::of(self.site)),
            "page" => {
                let site = Arc::clone(self.site);
                open::follow(&self.site.open, &self.site.news, move |known, now| {
                    site.with(known, now, |builder| html::now(builder, now))
                })
            }
            _ => live::follow(self.site.news.watch(), Statuses::default()),
        }
    }

    fn nobody(&self) -> Response<Answer> {
        missing(if self.site.news.is_alone() {
            "No builder tells this server how it is: it only serves what is published."
        } else {
            "The builder has not told yet how it is."
        })
    }
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Sends the status when it has changed.
#[derive(Debug, Default)]
struct Statuses {
    sent: Option<Arc<Status>>,
}

impl Events<Known> for Statuses {
    fn next(&mut self, known: &Arc<Known>) -> Option<Bytes> {
        let status = known.status.as_ref()?;
        if self.sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, status)) {
            return None;
        }
        self.sent = Some(Arc::clone(status));
        let text = serde_json::to_string(status.as_ref()).ok()?;
        Some(event("status", &text))
    }
}

/// Sends the table of several builders when it has changed, and has them asked as long as somebody looks.
#[derive(Debug)]
struct Table {
    site: Arc<Site>,
    sent: Option<String>,
}

impl Table {
    fn of(site: &Arc<Site>) -> Self {
        Self { site: Arc::clone(site), sent: None }
    }
}

impl Events<Known> for Table {
    fn next(&mut self, _: &Arc<Known>) -> Option<Bytes> {
        self.site.farm.ask();
        let now = Timestamp::now();
        let page = html::farm(&self.site.all(now), now);
        let parts: Vec<_> = page.parts.into_iter().map(|(id, part)| (id, part.into_string())).collect();
        let parts = parts.iter().map(|(id, part)| (*id, part.as_str())).collect();
        let change = Change { title: &page.title, tone: page.tone.name(), key: &page.key, parts };
        let new = serde_json::to_string(&change).unwrap_or_default();
        let event = (self.sent.as_ref() != Some(&new)).then(|| event("page", &new));
        self.sent = Some(new);
        event
    }

    fn beat(&self) -> Duration {
        ANSWERED
    }
}
