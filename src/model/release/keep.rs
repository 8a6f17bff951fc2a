//! Which releases may go.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Id;

/// A client that read the index of a release may still be fetching from it so long after another one took its
/// place.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// When a release was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Which.
    pub id: Id,
    /// From when.
    pub since: Timestamp,
    /// Until when; absent while it is.
    pub until: Option<Timestamp>,
}

impl Turn {
    /// Whether clients may be in the middle of it.
    pub(crate) fn is_recent(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now.duration_since(until) < GRACE)
    }
}

/// Which of the releases that are there go when so many are kept, the oldest first. Those in `linked` (the
/// current one and the one before) always stay, and those that were offered within the last 24 hours.
#[must_use]
pub fn retired(there: &[Id], linked: &[Id], turns: &[Turn], keep: usize, now: Timestamp) -> Vec<Id> {
    let stays =
        |id: &Id| linked.contains(id) || turns.iter().any(|turn| turn.id == *id && turn.is_recent(now));
    let mut ids = there.to_vec();
    ids.sort_unstable();
    let surplus = ids.len().saturating_sub(keep);
    ids.truncate(surplus);
    ids.retain(|id| !stays(id));
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        format!("2026-11-22.{number}").parse().unwrap()
    }

    #[test]
    fn the_oldest_go_unless_somebody_may_need_them() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let ago = |hours: i64| now - SignedDuration::from_hours(hours);
        let turn = |number, until| Turn { id: id(number), since: ago(99), until };
        let there: Vec<_> = (1..=6).rev().map(id).collect();
        let turns = [turn(2, Some(ago(23))), turn(3, Some(ago(24))), turn(4, None)];
        let retired = |linked: &[Id], keep| retired(&there, linked, &turns, keep, now);
        assert_eq!(retired(&[id(6), id(5)], 3), [id(1), id(3)]);
        assert_eq!(retired(&[id(6), id(1)], 3), [id(3)]);
        assert_eq!(retired(&[id(6), id(5)], 5), [id(1)]);
        assert_eq!(retired(&[id(6), id(5)], 6), []);
        assert_eq!(retired(&[id(6), id(5)], 0), [id(1), id(3)]);
    }
}
