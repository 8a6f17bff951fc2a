//! A release as a person is shown it.

use jiff::Timestamp;
use serde::Serialize;

use super::Id;

/// One line of `gbsup releases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its name.
    pub id: Id,
    /// When it was made.
    pub published: Timestamp,
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
    /// The release whose packages these are, when somebody went back to it.
    pub again: Option<Id>,
    /// The fingerprint of the key that it is signed with.
    pub signed: Option<String>,
    /// What is wrong with it, in one sentence.
    pub problem: Option<String>,
}
