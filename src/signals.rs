//! Sets of signals, real-time ones included.

/// The highest signal number of Linux, real-time signals included.
pub(crate) const LAST_SIGNAL: i32 = 64;

/// Signal numbers, one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    pub(crate) const EMPTY: SignalSet = SignalSet(0);
    /// The real-time signals, 32 and 33 among them, which the C library keeps to itself.
    pub const REAL_TIME: SignalSet = SignalSet(!0 << 31);

    /// The set of `signals`; numbers outside 1 to 64 are left out.
    pub(crate) const fn of(signals: &[i32]) -> SignalSet {
        let mut set = SignalSet::EMPTY;
        let mut rest = signals;
        while let [signal, tail @ ..] = rest {
            set = set.with(*signal);
            rest = tail;
        }
        set
    }

    /// The set whose bits these are, the lowest for signal 1.
    pub(crate) const fn from_bits(bits: u64) -> SignalSet {
        SignalSet(bits)
    }

    /// The set in the hexadecimal form of `/proc/PID/status`, such as `SigCgt`.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<SignalSet> {
        u64::from_str_radix(text.trim(), 16).ok().map(SignalSet)
    }

    /// This set and `signal`.
    pub(crate) const fn with(self, signal: i32) -> SignalSet {
        SignalSet(self.0 | bit(signal))
    }

    /// This set without `signal`.
    pub(crate) const fn without(self, signal: i32) -> SignalSet {
        SignalSet(self.0 & !bit(signal))
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    pub(crate) const fn minus(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }

    /// Whether `signal` is in the set.
    #[must_use]
    pub const fn contains(self, signal: i32) -> bool {
        self.0 & bit(signal) != 0
    }

    /// Whether no signal is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signals in the set, lowest number first.
    pub fn iter(self) -> impl Iterator<Item = i32> {
        (1..=LAST_SIGNAL).filter(move |signal| self.contains(*signal))
    }
}

/// The bit of `signal`, 0 for what is no signal number.
pub(crate) const fn bit(signal: i32) -> u64 {
    if signal >= 1 && signal <= LAST_SIGNAL { 1 << (signal - 1) } else { 0 }
}
