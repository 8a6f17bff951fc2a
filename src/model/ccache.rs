//! What ccache was good for in a cycle.

use serde::{Deserialize, Serialize};

use crate::portage::output::ccache::Counters;

/// What of a cycle's compilations was there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// Compilations whose result was there.
    pub hits: u64,
    /// Those whose result was not.
    pub misses: u64,
    /// Bytes of all that is kept.
    pub size: u64,
}

impl CacheUse {
    /// `212 of 240`; nothing where nothing was compiled.
    pub(crate) fn share(self) -> Option<String> {
        let all = self.hits.saturating_add(self.misses);
        (all > 0).then(|| format!("{} of {all}", self.hits))
    }
}

/// When a command's compilations are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// What others compiled since the last time does not belong to the cycle.
    Before,
    /// What was counted since then does.
    After,
}

/// What was counted for a cycle so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What there is to tell.
    pub used: CacheUse,
    /// The counters when they were last looked at.
    pub seen: Counters,
}

impl Counted {
    /// Takes note of the counters.
    pub(crate) fn note(&mut self, moment: Moment, now: Counters) {
        // Somebody may have set them to zero meanwhile.
        let since = |now: u64, seen: u64| now.checked_sub(seen).unwrap_or(now);
        if moment == Moment::After {
            let used = &mut self.used;
            used.hits = used.hits.saturating_add(since(now.hits, self.seen.hits));
            used.misses = used.misses.saturating_add(since(now.misses, self.seen.misses));
        }
        self.used.size = now.size;
        self.seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(hits: u64, misses: u64) -> Counters {
        Counters { hits, misses, size: 5 << 20 }
    }

    #[test]
    fn only_what_the_cycle_compiled_counts() {
        let mut counted = Counted::default();
        for (moment, now, used) in [
            (Moment::Before, counters(100, 50), (0, 0)),
            (Moment::After, counters(110, 53), (10, 3)),
            // A person compiled something by hand.
            (Moment::Before, counters(200, 60), (10, 3)),
            (Moment::After, counters(201, 60), (11, 3)),
            // And set the counters to zero, the second time while the cycle compiled.
            (Moment::Before, counters(0, 0), (11, 3)),
            (Moment::After, counters(4, 0), (15, 3)),
            (Moment::After, counters(1, 1), (16, 4)),
        ] {
            counted.note(moment, now);
            assert_eq!((counted.used.hits, counted.used.misses), used, "{now:?}");
        }
        assert_eq!(counted.used.share().as_deref(), Some("16 of 20"));
        assert_eq!(CacheUse { size: 2048, ..CacheUse::default() }.share(), None);
    }
}
