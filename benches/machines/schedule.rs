//! How long a list of packages takes on several machines, each of which builds one package at a time.
//!
//! The order is that of the critical path: of all packages that can begin, the one from which the longest way leads to the end. That is
//! not always the best order there is, but never more than twice as long (R. L. Graham, 1969), and seldom more than some per cent.

/// A package to build.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// What a machine of its own takes for it.
    pub(crate) seconds: f64,
    /// The part of that which other machines can take over, from 0 to 1.
    pub(crate) share: f64,
    /// What must be built before, and be installed where it is built: places in the list, all of them before its own.
    pub(crate) after: Vec<usize>,
}

/// What builds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Farm {
    /// How many machines there are.
    pub(crate) machines: usize,
    /// How many of them build packages.
    pub(crate) workers: usize,
    /// Those that build none help those that compile.
    pub(crate) help: bool,
    /// What it takes to fetch and install one package that was built elsewhere, in seconds.
    pub(crate) install: f64,
}

/// A package in work.
struct Job {
    task: usize,
    worker: usize,
    /// Seconds of work that are left: what nobody can help with comes first.
    alone: f64,
    shared: f64,
}

impl Farm {
    /// Seconds until everything is built.
    pub(crate) fn run(&self, tasks: &[Task]) -> f64 {
        let ranks = ranks(tasks);
        let mut waits: Vec<usize> = tasks.iter().map(|task| task.after.len()).collect();
        let mut ready: Vec<usize> = (0..tasks.len()).filter(|&task| waits[task] == 0).collect();
        let mut installed = vec![vec![false; tasks.len()]; self.workers];
        let mut idle: Vec<usize> = (0..self.workers).collect();
        let (mut jobs, mut now): (Vec<Job>, f64) = (Vec::new(), 0.0);
        loop {
            ready.sort_by(|&a, &b| ranks[a].total_cmp(&ranks[b]));
            while !idle.is_empty()
                && let Some(task) = ready.pop()
            {
                let Task { seconds, share, after } = &tasks[task];
                let missing =
                    |worker: usize| after.iter().filter(|&&other| !installed[worker][other]).count();
                let at = (0..idle.len()).min_by_key(|&at| missing(idle[at])).unwrap_or(0);
                let worker = idle.swap_remove(at);
                let alone = seconds * (1.0 - share) + self.install * missing(worker) as f64;
                for &other in after {
                    installed[worker][other] = true;
                }
                jobs.push(Job { task, worker, alone, shared: seconds * share });
            }
            if jobs.is_empty() {
                return now;
            }
            let compiling = jobs.iter().filter(|job| job.alone <= 0.0).count().max(1);
            let helpers = if self.help { self.machines.saturating_sub(jobs.len()) } else { 0 };
            let speed = 1.0 + helpers as f64 / compiling as f64;
            let left = |job: &Job| if job.alone > 0.0 { job.alone } else { job.shared / speed };
            let passed = jobs.iter().map(left).fold(f64::INFINITY, f64::min);
            now += passed;
            let mut done = Vec::new();
            jobs.retain_mut(|job| {
                // What ends now has nothing left, whatever the rounding says.
                let ends = left(job) <= passed * (1.0 + 1e-12);
                let (rest, worked) = if job.alone > 0.0 {
                    (&mut job.alone, passed)
                } else {
                    (&mut job.shared, passed * speed)
                };
                *rest = if ends { 0.0 } else { *rest - worked };
                let ended = job.alone <= 0.0 && job.shared <= 0.0;
                if ended {
                    done.push((job.task, job.worker));
                }
                !ended
            });
            for (task, worker) in done {
                installed[worker][task] = true;
                idle.push(worker);
                for (other, waiting) in waits.iter_mut().enumerate().skip(task + 1) {
                    if tasks[other].after.contains(&task) {
                        *waiting -= 1;
                        if *waiting == 0 {
                            ready.push(other);
                        }
                    }
                }
            }
        }
    }
}

/// The seconds from the begin of each package to the end of everything, if there were machines enough.
pub(crate) fn ranks(tasks: &[Task]) -> Vec<f64> {
    let mut ranks: Vec<f64> = tasks.iter().map(|task| task.seconds).collect();
    for place in (0..tasks.len()).rev() {
        for &before in &tasks[place].after {
            ranks[before] = ranks[before].max(tasks[before].seconds + ranks[place]);
        }
    }
    ranks
}

/// The packages of the longest way through the list, the first one first.
pub(crate) fn critical_path(tasks: &[Task]) -> Vec<usize> {
    let ranks = ranks(tasks);
    let longest =
        |places: &mut dyn Iterator<Item = usize>| places.max_by(|&a, &b| ranks[a].total_cmp(&ranks[b]));
    let mut path: Vec<usize> = longest(&mut (0..tasks.len())).into_iter().collect();
    while let Some(&last) = path.last()
        && let Some(next) =
            longest(&mut (last + 1..tasks.len()).filter(|&place| tasks[place].after.contains(&last)))
    {
        path.push(next);
    }
    path
}
