//! The packages and the releases as somebody looks them up: pages, and the same for programs.

use hyper::{Response, StatusCode};
use jiff::Timestamp;

use super::body::Answer;
use super::path;
use super::reply::{body, failed, missing, text};
use super::views::{Asked, JSON, json};
use crate::decide::catalogue::{About, Item, items};
use crate::model::release::{Diff, Id, Release};
use crate::portage::names::cpv::is_cp;
use crate::render::api;
use crate::render::html;
use crate::render::html::Builder;

/// Bytes of the words that are searched for.
const LONGEST: usize = 200;
/// Cycles that are told when nobody says how many, and at the most.
const CYCLES: usize = 50;
const MOST: usize = 500;

impl Asked<'_> {
    /// What the query has for a key, decoded.
    fn asked(&self, key: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == key)?;
        let value = value.replace('+', " ");
        let text = percent_encoding::percent_decode_str(&value).decode_utf8_lossy();
        Some(text[..text.floor_char_boundary(LONGEST)].to_owned())
    }

    /// The name of the package that the path ends with.
    fn name(&self, below: &str) -> Option<String> {
        let place = path::below(self.path.strip_prefix(below)?).ok()?;
        (!place.slash && is_cp(&place.path)).then_some(place.path)
    }

    fn about<T>(
        &self,
        below: &str,
        now: Timestamp,
        make: impl FnOnce(Builder<'_>, &About<'_>) -> T,
    ) -> Option<T> {
        let name = self.name(below)?;
        let site = self.site;
        let (offered, releases) = (site.shelf.offered(&site.tree), site.shelf.releases(&site.tree));
        let releases: Vec<&Release> = releases.iter().map(AsRef::as_ref).collect();
        self.builder(now, |builder| {
            let about = About::new(&name, &offered, &releases, builder.cycles)?;
            Some(make(builder, &about))
        })
    }

    fn found<T>(&self, now: Timestamp, make: impl FnOnce(Builder<'_>, &[Item<'_>], &str) -> T) -> T {
        let words = self.asked("q").unwrap_or_default();
        let site = self.site;
        let offered = site.shelf.offered(&site.tree);
        let current = offered.id.and_then(|id| site.shelf.release(&site.tree, id));
        let built = site.shelf.built(&site.news.newest().cycles);
        self.builder(now, |builder| {
            let items = items(&offered, current.as_deref(), &built, &words);
            make(builder, &items, &words)
        })
    }

    pub(super) fn packages(&self, now: Timestamp) -> Response<Answer> {
        let from = self.asked("from").and_then(|from| from.parse().ok()).unwrap_or_default();
        self.page(&self.found(now, |builder, items, words| html::packages(builder, items, words, from)))
    }

    pub(super) fn package(&self, now: Timestamp) -> Response<Answer> {
        match self.about("/packages/", now, html::about) {
            Some(page) => self.page(&page),
            None => missing("No package of this name was built or published."),
        }
    }

    pub(super) fn packages_json(&self, now: Timestamp) -> Response<Answer> {
        body(self.headers, self.found(now, |_, items, _| json(&items)), JSON)
    }

    pub(super) fn package_json(&self, now: Timestamp) -> Response<Answer> {
        match self.about("/api/v1/packages/", now, |_, about| json(&api::package(about))) {
            Some(text) => body(self.headers, text, JSON),
            None => missing("No package of this name was built or published."),
        }
    }

    pub(super) fn cycles_json(&self, now: Timestamp) -> Response<Answer> {
        let limit = match self.asked("limit").map(|limit| limit.parse()) {
            None => CYCLES,
            Some(Ok(limit)) if limit <= MOST => limit,
            Some(_) => return text(StatusCode::BAD_REQUEST, "limit is a number from 0 to 500."),
        };
        let cycles = self.builder(now, |builder| json(&api::cycles(builder.cycles, limit)));
        body(self.headers, cycles, JSON)
    }

    pub(super) fn cycle_json(&self, id: u64, now: Timestamp) -> Response<Answer> {
        let found = self.builder(now, |builder| builder.cycles.iter().find(|cycle| cycle.id == id).map(json));
        match found {
            Some(text) => body(self.headers, text, JSON),
            None => missing("No such cycle is known."),
        }
    }

    /// As it was written when it was published.
    pub(super) fn release_json(&self, id: Id) -> Response<Answer> {
        match self.site.tree.text(&format!("{id}/release.json")) {
            Ok(text) => body(self.headers, text, JSON),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                missing("There is no such release.")
            }
            Err(error) => failed(&error, "release.json"),
        }
    }

    fn diff(&self, from: Id, to: Id) -> Option<Diff> {
        let site = self.site;
        let (from, to) = (site.shelf.release(&site.tree, from)?, site.shelf.release(&site.tree, to)?);
        Some(Diff::new(Some(&from), &to))
    }

    pub(super) fn compare(&self, from: Id, to: Id) -> Response<Answer> {
        match self.diff(from, to) {
            Some(diff) => self.page(&html::compare(&diff)),
            None => missing("One of these releases is not there."),
        }
    }

    pub(super) fn compare_json(&self, from: Id, to: Id) -> Response<Answer> {
        match self.diff(from, to) {
            Some(diff) => body(self.headers, json(&diff), JSON),
            None => missing("One of these releases is not there."),
        }
    }
}
