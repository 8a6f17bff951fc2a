//! In which release something broke: the one to try next.

use crate::model::release::Id;

/// What follows from a good release and a bad one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// The one to try; absent when nothing is between them, so that the bad one is the first.
    pub between: Option<Id>,
    /// How many are between them.
    pub left: usize,
}

impl Next {
    /// How many are still to be tried, at the most.
    #[must_use]
    pub fn tries(&self) -> u32 {
        usize::BITS - self.left.leading_zeros()
    }
}

/// Of the releases that are there, the middle one between a good one and a newer bad one; nothing when the good one is not older.
#[must_use]
pub fn next(ids: &[Id], good: Id, bad: Id) -> Option<Next> {
    if good >= bad {
        return None;
    }
    let mut between: Vec<Id> = ids.iter().copied().filter(|id| good < *id && *id < bad).collect();
    between.sort_unstable();
    Some(Next { between: between.get(between.len() / 2).copied(), left: between.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_is_found_in_few_steps() {
        let id = |number: usize| -> Id { format!("2026-11-22.{number}").parse().unwrap() };
        for count in 2..40 {
            let ids: Vec<Id> = (1..=count).rev().map(id).collect();
            for first_bad in 2..=count {
                let (mut good, mut bad) = (id(1), id(count));
                let most = next(&ids, good, bad).unwrap().tries();
                let mut tried = 0;
                while let Some(between) = next(&ids, good, bad).unwrap().between {
                    if between >= id(first_bad) {
                        bad = between;
                    } else {
                        good = between;
                    }
                    tried += 1;
                }
                assert!(bad == id(first_bad) && tried <= most, "{count}, {first_bad}: {tried} of {most}");
            }
        }
        assert_eq!((next(&[], id(2), id(1)), next(&[], id(1), id(1))), (None, None));
    }
}
