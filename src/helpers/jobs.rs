//! The files that a helper has, and how long it may have them: a daemon answers whatever its compilers do, and icecream itself waits twelve
//! minutes for those.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// A file that takes no longer is waited for, whatever others take.
const SHORT: Duration = Duration::from_mins(1);
/// So many times what the longest took that came back, and a file is compiled here.
const FACTOR: u32 = 3;

/// What a helper has and had.
#[derive(Clone, Copy, Debug, Default)]
struct Jobs {
    /// Files that it has.
    open: usize,
    /// When it brought one back last.
    back: Option<Instant>,
    /// What the longest took that it brought back.
    longest: Duration,
    /// How long one was waited for while nothing came back.
    in_vain: Option<Duration>,
}

impl Jobs {
    /// How long it may have one file.
    fn limit(&self) -> Duration {
        SHORT.max(self.longest.saturating_mul(FACTOR))
    }
}

/// Those of one helper, as whoever hands them on counts them.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(watch::Sender<Jobs>);

impl Counter {
    /// It is given one more, which it has for as long as this lives.
    pub(super) fn begin(&self) -> Job {
        self.0.send_modify(|jobs| jobs.open += 1);
        self.begun()
    }

    fn begun(&self) -> Job {
        Job { jobs: self.0.clone(), since: Instant::now() }
    }

    /// The next, as soon as it has fewer than so many.
    pub(super) async fn turn(&self, slots: u32) -> Job {
        let slots = slots as usize;
        loop {
            let mut begun = false;
            self.0.send_if_modified(|jobs| {
                begun = jobs.open < slots;
                jobs.open += usize::from(begun);
                begun
            });
            if begun {
                return self.begun();
            }
            self.until(|jobs| jobs.open < slots).await;
        }
    }

    /// Whether it has brought back any.
    pub(super) fn has_brought_back(&self) -> bool {
        self.0.borrow().back.is_some()
    }

    /// Returns once it has something to do.
    pub(super) async fn is_at_work(&self) {
        self.until(|jobs| jobs.open > 0).await;
    }

    /// Returns when a file was waited for in vain, and for half of that time nothing else came back either: why it is no helper.
    pub(super) async fn until_stuck(&self) -> String {
        let waited = self.until(|jobs| jobs.in_vain.is_some()).await.in_vain.unwrap_or_default();
        format!("a file did not come back within {} s, nor did another", waited.as_secs())
    }

    async fn until(&self, is_so: impl Fn(&Jobs) -> bool) -> Jobs {
        let mut jobs = self.0.subscribe();
        // There is a sender for as long as there is this.
        let known = jobs.wait_for(is_so).await.map(|jobs| *jobs);
        known.unwrap_or_default()
    }
}

/// One file that it has.
#[derive(Debug)]
pub(super) struct Job {
    jobs: watch::Sender<Jobs>,
    since: Instant,
}

impl Job {
    /// It came back.
    pub(super) fn done(self) {
        let took = self.since.elapsed();
        self.jobs.send_modify(|jobs| {
            jobs.back = Some(Instant::now());
            jobs.longest = jobs.longest.max(took);
        });
    }

    /// Returns when it has had this one for longer than it may.
    pub(super) async fn overdue(&self) {
        loop {
            let limit = self.jobs.borrow().limit();
            if self.since + limit <= Instant::now() {
                // It may have waited for its turn, behind others that came back meanwhile.
                let quiet = self.jobs.borrow().back.is_none_or(|back| back.elapsed() >= limit / 2);
                if quiet {
                    self.jobs.send_modify(|jobs| jobs.in_vain = Some(limit));
                }
                return;
            }
            sleep_until(self.since + limit).await;
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.jobs.send_modify(|jobs| jobs.open = jobs.open.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    /// With a clock that goes on by itself when nothing else does.
    fn wait_for<T>(what: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(what)
    }

    #[test]
    fn what_brings_nothing_back_is_stuck() {
        wait_for(async {
            let (counter, begun) = (Counter::default(), Instant::now());
            let (one, two, three) = (counter.begin(), counter.begin(), counter.begin());
            sleep(SHORT / 6).await;
            one.done();
            sleep(SHORT / 3).await;
            // Somebody ended it here.
            drop(two);
            three.overdue().await;
            assert_eq!(counter.until_stuck().await, "a file did not come back within 60 s, nor did another");
            assert_eq!((begun.elapsed(), counter.has_brought_back()), (SHORT, true));
        });
    }

    #[test]
    fn nobody_has_more_than_its_slots() {
        wait_for(async {
            let counter = Counter::default();
            let (one, _two) = (counter.turn(2).await, counter.turn(2).await);
            assert!(timeout(SHORT, counter.turn(2)).await.is_err());
            let waits = counter.turn(2);
            tokio::pin!(waits);
            assert!(timeout(SHORT, &mut waits).await.is_err());
            one.done();
            let _three = timeout(SHORT, waits).await.expect("one is free");
            assert!(timeout(SHORT, counter.turn(2)).await.is_err());
        });
    }

    #[test]
    fn one_that_is_never_done_is_given_up_while_others_are() {
        wait_for(async {
            let (counter, begun) = (Counter::default(), Instant::now());
            let others = async {
                for took in [1, 40, 30].map(Duration::from_secs) {
                    let job = counter.begin();
                    sleep(took).await;
                    job.done();
                }
                std::future::pending::<()>().await;
            };
            let slow = counter.begin();
            tokio::select! {
                () = slow.overdue() => {}
                () = others => unreachable!(),
            }
            assert_eq!(begun.elapsed(), 3 * Duration::from_secs(40));
            assert!(counter.has_brought_back());
            assert!(timeout(SHORT, counter.until_stuck()).await.is_err(), "others came back");
        });
    }
}
