//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Numbers that are the same for the same seed (xorshift64); `GBSUP_TEST_SEED` is one.
pub struct Random(u64);

impl Random {
    /// With a seed that is printed.
    pub fn from_environment() -> Self {
        let clock =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| u64::from(now.subsec_micros()));
        let seed = std::env::var("GBSUP_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(clock).max(1);
        println!("GBSUP_TEST_SEED={seed}");
        Self(seed)
    }

    /// With this seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Self(seed.max(1));
        // Of small seeds the first numbers are small as well.
        for _ in 0..8 {
            random.below(1);
        }
        random
    }

    /// The same in random order.
    pub fn shuffled<T>(&mut self, mut all: Vec<T>) -> Vec<T> {
        for last in (1..all.len()).rev() {
            let limit = u32::try_from(last + 1).unwrap_or(u32::MAX);
            all.swap(last, self.below(limit) as usize);
        }
        all
    }

    /// A number below another one.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 32).unwrap_or(0) % limit
    }
}
