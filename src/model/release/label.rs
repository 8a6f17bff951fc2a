//! What a person says of a release.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Id;

/// Of one release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Names that a person gave it, each of which one release has.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// A sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// It stays, however many newer ones there are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

impl Label {
    /// In a few words: `kept; good; the last with the old driver`; empty when nobody said anything.
    #[must_use]
    pub fn in_words(&self) -> String {
        let tags = self.tags.iter().map(String::as_str);
        let parts: Vec<&str> =
            self.keep.then_some("kept").into_iter().chain(tags).chain(self.note.as_deref()).collect();
        parts.join("; ")
    }
}

/// Of all releases: what [`Labels::FILE`] holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// By the name of the release; what is said of one that is gone goes with it.
    pub labels: BTreeMap<Id, Label>,
}

impl Labels {
    /// Its file, beside the releases.
    pub const FILE: &str = "labels.json";

    /// What is said of a release.
    #[must_use]
    pub fn of(&self, id: Id) -> Label {
        self.labels.get(&id).cloned().unwrap_or_default()
    }

    /// Whether it stays whatever is pruned.
    #[must_use]
    pub fn keeps(&self, id: Id) -> bool {
        self.labels.get(&id).is_some_and(|label| label.keep)
    }

    /// Gives a release a tag, which any other loses.
    pub(crate) fn tag(&mut self, id: Id, tag: &str) {
        for label in self.labels.values_mut() {
            label.tags.remove(tag);
        }
        self.labels.entry(id).or_default().tags.insert(tag.to_owned());
    }

    /// Forgets what nobody says any more, and releases that are not among these.
    pub(crate) fn tidy(&mut self, there: &[Id]) {
        self.labels.retain(|id, label| there.contains(id) && *label != Label::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_of_one_release() {
        let id = |number: u32| -> Id { format!("2026-11-22.{number}").parse().unwrap() };
        let mut labels = Labels::default();
        labels.tag(id(1), "good");
        labels.tag(id(1), "old");
        labels.tag(id(2), "good");
        labels.labels.entry(id(1)).or_default().keep = true;
        labels.labels.entry(id(1)).or_default().note = Some("before the driver".into());
        assert_eq!(
            (labels.of(id(1)).in_words().as_str(), labels.of(id(2)).in_words().as_str()),
            ("kept; old; before the driver", "good")
        );
        assert!(labels.keeps(id(1)) && !labels.keeps(id(2)) && !labels.keeps(id(3)));
        let text = serde_json::to_string(&labels).unwrap();
        assert_eq!(
            text,
            r#"{"labels":{"2026-11-22.1":{"tags":["old"],"note":"before the driver","keep":true},"2026-11-22.2":{"tags":["good"]}}}"#
        );
        assert_eq!(serde_json::from_str::<Labels>(&text).unwrap(), labels);
        labels.tidy(&[id(2), id(3)]);
        assert_eq!(labels.labels.len(), 1);
    }
}
