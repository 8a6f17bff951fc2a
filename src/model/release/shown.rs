//! A release as a person is shown it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Id, Label};

/// One line of `gbsup releases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its name.
    pub id: Id,
    /// When it was made; absent when what it says of itself cannot be read.
    pub published: Option<Timestamp>,
    /// How many packages it has.
    pub packages: usize,
    /// Bytes of all of them.
    pub size: u64,
    /// Bytes of those that are in no other release.
    pub own_size: u64,
    /// How many packages are held back.
    pub held: usize,
    /// Clients are offered it.
    pub current: bool,
    /// They were offered it before.
    pub previous: bool,
    /// The release whose packages these are, when somebody rolled back to it.
    pub again: Option<Id>,
    /// The fingerprint of the key that it is signed with.
    pub signed: Option<String>,
    /// That a package demands a newer kernel than there is, in one sentence.
    pub too_new: Option<String>,
    /// What a person says of it.
    #[serde(flatten)]
    pub label: Label,
    /// What is wrong with it, in one sentence.
    pub problem: Option<String>,
}

impl Shown {
    /// One of which nothing is known but its name, and why.
    pub(crate) fn unreadable(id: Id, problem: String) -> Self {
        Self {
            id,
            published: None,
            packages: 0,
            size: 0,
            own_size: 0,
            held: 0,
            current: false,
            previous: false,
            again: None,
            signed: None,
            too_new: None,
            label: Label::default(),
            problem: Some(problem),
        }
    }
}
