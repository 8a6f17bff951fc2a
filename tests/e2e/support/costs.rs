//! What each test costs: a line for each in the file that `GBSUP_TEST_COSTS` names.

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

thread_local! {
    /// Of the test that runs in this thread; what it cost is known when the thread ends.
    static COSTS: RefCell<Option<Costs>> = const { RefCell::new(None) };
}

struct Costs {
    file: PathBuf,
    test: String,
    /// The control group that all its containers are in, and that counts also what those used that are gone.
    group: String,
    began: Instant,
    waited: Duration,
}

impl Costs {
    fn begin() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let file = PathBuf::from(std::env::var_os("GBSUP_TEST_COSTS")?);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        let group = format!("/gbsup-test/{}-{number}", std::process::id());
        Some(Self { file, test, group, began: Instant::now(), waited: Duration::ZERO })
    }

    /// How long the CPUs worked in its containers.
    fn used(&self) -> Duration {
        let group = self.group.trim_start_matches('/');
        let first = Path::new("/sys/fs/cgroup/cpuacct").join(group).join("cpuacct.usage");
        if let Ok(nanoseconds) = fs::read_to_string(first) {
            return Duration::from_nanos(nanoseconds.trim().parse().unwrap_or(0));
        }
        let second = fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("cpu.stat"));
        let second = second.unwrap_or_default();
        let microseconds = second.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
        Duration::from_micros(microseconds.unwrap_or(0))
    }
}

impl Drop for Costs {
    fn drop(&mut self) {
        let took = self.began.elapsed().saturating_sub(self.waited).as_secs_f64();
        let (used, waited) = (self.used().as_secs_f64(), self.waited.as_secs_f64());
        let line = format!("{used:7.1} {took:7.1} {waited:7.1}  {}\n", self.test);
        let file = fs::OpenOptions::new().append(true).create(true).open(&self.file);
        // One write, so that lines of other tests do not get in between.
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("{}: {error}", self.file.display());
        }
    }
}

fn of_this_test<T>(ask: impl FnOnce(&mut Costs) -> T) -> Option<T> {
    // Where the thread ends already, containers are removed and none is made.
    COSTS
        .try_with(|costs| {
            let mut costs = costs.borrow_mut();
            if costs.is_none() {
                *costs = Costs::begin();
            }
            costs.as_mut().map(ask)
        })
        .ok()?
}

/// In which control group to make a container of this test, when somebody wants to know what it costs.
pub(super) fn group() -> Option<String> {
    of_this_test(|costs| costs.group.clone())
}

/// Runs what waits for other tests.
pub(super) fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    let began = of_this_test(|_| Instant::now());
    let done = wait();
    if let Some(began) = began {
        of_this_test(|costs| costs.waited += began.elapsed());
    }
    done
}
