//! Whether a job has stalled: nothing printed, no build log grown and no processor used for as long as
//! `build.stall`.
//!
//! It is looked at eight times in that time, and only looks count: a container that was frozen for a
//! day was looked at once meanwhile, so its job is not blamed. Waiting for a lock of another Portage is not a
//! stall either; see [`crate::decide::view::LOCKED`].

use std::time::Duration;

use super::duration::in_words;

/// How many looks in a row have to find nothing.
const LOOKS: u32 = 8;
/// What emerge itself uses while it waits for its builds is a third of this part of the time (it writes
/// down every two seconds what it does: FEATURES=observability).
const IDLE_PART: u32 = 100;
/// Processor time is counted in ticks of 10 ms; so little may be chance.
const IDLE_LEAST: Duration = Duration::from_millis(30);
/// Processes shown as evidence; the log of the step has all of them, with what they have open.
const SHOWN: usize = 20;

/// What was to be seen of a job at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The processor time of its processes and of those they have waited for.
    pub cpu: Duration,
    /// The size of all that it writes: the log of the step and those of the packages in work.
    pub output: u64,
    /// It waits for a lock of another Portage.
    pub waits: bool,
}

/// The watch over one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The time after which a job without a sign of life has stalled.
    stall: Duration,
    due: Duration,
    last: Pulse,
    /// How many looks in a row found nothing.
    quiet: u32,
}

impl Watch {
    /// A watch that begins now, in monotonic time.
    pub(crate) fn begin(stall: Duration, now: Duration) -> Self {
        Self { stall, due: now.saturating_add(stall / LOOKS), last: Pulse::default(), quiet: 0 }
    }

    /// When to look next, in monotonic time.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// The time after which it has stalled.
    pub(crate) fn stall(&self) -> Duration {
        self.stall
    }

    /// Somebody looks now; the next look is a while away.
    pub(crate) fn look(&mut self, now: Duration) {
        self.due = now.saturating_add(self.stall / LOOKS);
    }

    /// Takes in what was seen. True once: when the job has stalled.
    pub(crate) fn note(&mut self, pulse: Pulse) -> bool {
        let idle = (self.stall / LOOKS / IDLE_PART).max(IDLE_LEAST);
        // What a process used is forgotten when it ends and nobody waits for it: less is a sign of life, too.
        let worked = pulse.cpu.checked_sub(self.last.cpu).is_none_or(|used| used > idle);
        let alive = worked || pulse.waits || pulse.output != self.last.output;
        self.last = pulse;
        self.quiet = if alive { 0 } else { self.quiet.saturating_add(1) };
        self.quiet == LOOKS
    }
}

/// A process of a job that has stalled, as `/proc` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number in the container.
    pub pid: i32,
    /// The number of its parent.
    pub parent: i32,
    /// Its state, one letter; see proc(5).
    pub state: char,
    /// The function of the kernel in which it waits; empty when the kernel does not tell.
    pub waits_in: String,
    /// Its command line.
    pub command: String,
    /// The files it has open, by descriptor: `1 -> /var/log/x`.
    pub files: Vec<String>,
}

impl Process {
    fn line(&self, depth: usize) -> String {
        let Self { pid, parent, state, waits_in, command, .. } = self;
        let waits_in = if waits_in.is_empty() { "-" } else { waits_in };
        format!("{pid} (parent {parent}, {state}, {waits_in}) {}{command}", "  ".repeat(depth))
    }
}

/// A job that has stalled, and what was seen of it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// How long it gave no sign of life, at the least.
    pub stall: Duration,
    /// The packages in work, as `category/name-version`, with their phase where it is known.
    pub packages: Vec<(String, Option<String>)>,
    /// Its processes, each below its parent.
    pub processes: Vec<String>,
}

impl Stalled {
    /// `printed nothing and used no processor for 2 h`
    pub(crate) fn sentence(&self) -> String {
        format!("printed nothing and used no processor for {}", in_words(self.stall))
    }

    /// What a person is shown of the processes; `log` has all of it.
    pub(crate) fn evidence(&self, log: &str) -> Vec<String> {
        let more = self.processes.len().saturating_sub(SHOWN);
        let more = (more > 0).then(|| format!("and {more} more processes"));
        let shown = self.processes.iter().take(SHOWN).cloned();
        shown.chain(more).chain([format!("the files they had open are listed in {log}")]).collect()
    }
}

/// One line for each process, those of a parent below it.
pub(crate) fn tree(processes: &[Process]) -> Vec<String> {
    in_order(processes).into_iter().map(|(depth, process)| process.line(depth)).collect()
}

/// What the log of the step is told: the processes, and below each the files it has open.
pub(crate) fn scene(processes: &[Process], stall: Duration) -> String {
    use std::fmt::Write;
    let mut text = format!("gbsup: nothing was printed and no processor used for {}; ", in_words(stall));
    text += "these processes are stopped (their state, what they wait in, what they have open):\n";
    for (depth, process) in in_order(processes) {
        let _never_fails = writeln!(text, "{}", process.line(depth));
        for file in &process.files {
            let _never_fails = writeln!(text, "    {file}");
        }
    }
    text
}

/// Every process once, with its depth.
fn in_order(processes: &[Process]) -> Vec<(usize, &Process)> {
    let known = |pid: i32| processes.iter().any(|process| process.pid == pid);
    let mut open: Vec<(usize, &Process)> =
        processes.iter().rev().filter(|process| !known(process.parent)).map(|process| (0, process)).collect();
    let mut ordered = Vec::new();
    while let Some((depth, process)) = open.pop() {
        ordered.push((depth, process));
        let children = processes.iter().rev().filter(|child| child.parent == process.pid);
        open.extend(children.map(|child| (depth + 1, child)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cpu: u64, output: u64) -> Pulse {
        Pulse { cpu: Duration::from_millis(cpu), output, waits: false }
    }

    /// After how many looks it has stalled.
    fn looks(pulses: impl IntoIterator<Item = Pulse>) -> Option<usize> {
        let mut watch = Watch::begin(Duration::from_hours(2), Duration::ZERO);
        pulses.into_iter().position(|pulse| watch.note(pulse)).map(|at| at + 1)
    }

    #[test]
    fn silence_and_rest_together_are_a_stall() {
        assert_eq!(looks((0..99).map(|_| seen(500, 10))), Some(9), "the first look sees that it began");
        // emerge's own notes: 3 ms in a second.
        assert_eq!(looks((0..99).map(|n| seen(n * 2700, 10))), Some(9));
    }

    #[test]
    fn each_sign_of_life_counts() {
        assert_eq!(looks((0..99).map(|n| seen(n * 10_000, 10))), None, "it works without a word");
        assert_eq!(looks((0..99).map(|n| seen(0, n / 7))), None, "it prints now and then");
        assert_eq!(looks((0..99).map(|n| seen(1000 - n * 10, 10))), None, "its processes end");
        assert_eq!(looks((0..99).map(|_| Pulse { waits: true, ..seen(0, 0) })), None);
        let once = (0..20).map(|n| seen(if n < 7 { 0 } else { 60_000 }, 0));
        assert_eq!(looks(once), Some(16), "it begins anew");
    }

    #[test]
    fn it_is_told_once_and_looked_at_in_time() {
        let mut watch = Watch::begin(Duration::from_hours(2), Duration::from_secs(5));
        assert_eq!(watch.due(), Duration::from_secs(905));
        watch.look(Duration::from_hours(9));
        assert_eq!(watch.due(), Duration::from_hours(9) + Duration::from_mins(15));
        let told = (0..99).filter(|_| watch.note(Pulse::default())).count();
        assert_eq!(told, 1);
    }

    #[test]
    fn processes_stand_below_their_parents() {
        let process = |pid, parent, command: &str| Process {
            pid,
            parent,
            state: 'S',
            waits_in: "do_wait".into(),
            command: command.into(),
            files: vec![format!("1 -> /log/{pid}")],
        };
        let all =
            [process(9, 7, "sleep"), process(5, 1, "emerge"), process(7, 5, "bash"), process(8, 5, "cc")];
        let lines = tree(&all);
        assert_eq!(
            lines,
            [
                "5 (parent 1, S, do_wait) emerge",
                "7 (parent 5, S, do_wait)   bash",
                "9 (parent 7, S, do_wait)     sleep",
                "8 (parent 5, S, do_wait)   cc"
            ]
        );
        let text = scene(&all, Duration::from_hours(2));
        assert!(text.contains("for 2 h;") && text.contains("bash\n    1 -> /log/7\n"), "{text}");
    }
}
