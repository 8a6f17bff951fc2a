//! Whether the supervisor still takes what comes for it.
//!
//! Nothing looks at it as long as nobody has a reason to doubt. A signal that was passed on, a client that waited in
//! vain and a stop are reasons: then the supervisor is asked for a sign of life, which its loop gives, and looked at
//! until it has. A limit is a number of looks and not a time, so that a container that was frozen is not blamed.

use std::time::{Duration, Instant};

/// How long after one look comes the next.
const LOOK: Duration = Duration::from_secs(10);
/// After so many looks without an answer something is done: a minute.
const LOOKS: u32 = 6;

/// Why the supervisor is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Doubt {
    /// It was passed this signal.
    Signal(i32),
    /// A client got no answer.
    Client,
    /// This signal has stopped it.
    Stopped(i32),
}

/// How a process stands that gives no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stands {
    /// It could answer.
    Free,
    /// It was stopped.
    Stopped,
    /// This process traces it.
    Traced(i32),
    /// It waits in the kernel, which no signal ends.
    InKernel,
    /// It has ended.
    Gone,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Ask it again.
    Ask,
    /// Tell it to go on.
    GoOn,
    /// Wait: it is not its fault. To be said the first time.
    Excuse { first: bool },
    /// It hangs.
    Kill,
}

/// A supervisor that was asked and has not answered.
#[derive(Debug)]
pub(super) struct Watch {
    doubt: Doubt,
    looks: u32,
    next: Instant,
    /// It was told to go on.
    helped: bool,
    excused: bool,
}

impl Watch {
    /// Begins, the supervisor being asked now.
    pub(super) fn begin(doubt: Doubt, now: Instant) -> Watch {
        Watch { doubt, looks: 0, next: now + LOOK, helped: false, excused: false }
    }

    /// When to look next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, when it is time to.
    pub(super) fn look(&mut self, stands: impl FnOnce() -> Stands, now: Instant) -> Option<Next> {
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        self.looks += 1;
        if self.looks < LOOKS {
            return Some(Next::Ask);
        }
        self.looks = 0;
        Some(match stands() {
            Stands::Stopped if !self.helped => {
                self.helped = true;
                Next::GoOn
            }
            Stands::Free | Stands::Stopped => Next::Kill,
            Stands::Traced(_) | Stands::InKernel => {
                Next::Excuse { first: !std::mem::replace(&mut self.excused, true) }
            }
            Stands::Gone => Next::Ask,
        })
    }

    /// What to say when it answers; nothing when nobody was told that it might not.
    pub(super) fn answered(self) -> Option<&'static str> {
        match self.doubt {
            _ if self.helped || matches!(self.doubt, Doubt::Stopped(_)) => Some("the supervisor goes on"),
            Doubt::Signal(_) if !self.excused => None,
            _ => Some("the supervisor gives a sign of life"),
        }
    }

    /// What has become of it, as part of a sentence about it.
    pub(super) fn in_words(&self) -> String {
        let time = "for a minute";
        match self.doubt {
            _ if self.helped => format!("was stopped and did not go on {time}, and was killed"),
            Doubt::Signal(signal) => {
                format!("hung and gave no sign of life {time} after signal {signal}, and was killed")
            }
            Doubt::Client | Doubt::Stopped(_) => {
                format!("hung and gave no sign of life {time}, and was killed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done within so many looks at a process that stands so, the time of a look being `apart`.
    fn looked(stands: Stands, looks: u32, apart: Duration) -> Vec<(u32, Next)> {
        let mut now = Instant::now();
        let mut watch = Watch::begin(Doubt::Client, now);
        let mut done = Vec::new();
        for look in 1..=looks {
            now += apart;
            match watch.look(|| stands, now) {
                Some(Next::Ask) | None => {}
                Some(then) => done.push((look, then)),
            }
        }
        done
    }

    #[test]
    fn what_hangs_is_killed_after_a_minute() {
        assert_eq!(looked(Stands::Free, 6, LOOK), [(6, Next::Kill)]);
        assert_eq!(LOOK * LOOKS, Duration::from_mins(1));
    }

    #[test]
    fn what_is_stopped_is_helped_once() {
        assert_eq!(looked(Stands::Stopped, 12, LOOK), [(6, Next::GoOn), (12, Next::Kill)]);
    }

    #[test]
    fn what_cannot_answer_is_left_alone_and_said_once() {
        for stands in [Stands::Traced(7), Stands::InKernel] {
            let (first, again) = (Next::Excuse { first: true }, Next::Excuse { first: false });
            assert_eq!(looked(stands, 12, LOOK), [(6, first), (12, again)]);
        }
        assert_eq!(looked(Stands::Gone, 12, LOOK), []);
    }

    /// Frozen for an hour after the first look, it has as many looks before it as without that.
    #[test]
    fn the_time_of_a_freezer_is_one_look() {
        let mut now = Instant::now();
        let mut watch = Watch::begin(Doubt::Client, now);
        for apart in [LOOK, Duration::from_hours(1), LOOK, LOOK, LOOK] {
            now += apart;
            assert_eq!(watch.look(|| Stands::Free, now), Some(Next::Ask));
        }
        assert_eq!(watch.look(|| Stands::Free, now + LOOK / 2), None);
        assert_eq!(watch.look(|| Stands::Free, now + LOOK), Some(Next::Kill));
    }
}
