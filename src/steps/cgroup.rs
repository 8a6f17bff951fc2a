//! The limits of this container, and how often the kernel enforced them.
//!
//! Both versions of control groups have a counter for each: `oom_kill` in `memory.events` (v2) or in
//! `memory.oom_control` (v1), `max` in `pids.events` (both); see cgroups(7) and the kernel's documentation of both.
//! `oom_kill` counts whatever killed, the container's own limit or the machine's. Only the rise of a counter means
//! anything.

use std::fs;
use std::path::{Path, PathBuf};

/// What the files of a controller are called.
struct Controller {
    name: &'static str,
    events: [&'static str; 2],
    limit: [&'static str; 2],
}

/// Version 2 first.
const MEMORY: Controller = Controller {
    name: "memory",
    events: ["memory.events", "memory.oom_control"],
    limit: ["memory.max", "memory.limit_in_bytes"],
};
const PIDS: Controller =
    Controller { name: "pids", events: ["pids.events", "pids.events"], limit: ["pids.max", "pids.max"] };

/// What a limit of memory that is none looks like in version 1: the largest number of pages.
const NO_LIMIT: u64 = 1 << 60;

/// How many processes were killed for lack of memory up to now; nothing where the kernel does not tell.
pub(crate) fn oom_kills() -> Option<u64> {
    read(&MEMORY, |controller| controller.events, |text| counted(text, "oom_kill "))
}

/// The bytes that may be used; nothing without a limit.
pub(crate) fn memory_limit() -> Option<u64> {
    read(&MEMORY, |controller| controller.limit, limit).filter(|bytes| *bytes < NO_LIMIT)
}

/// How many processes were refused up to now; nothing where the kernel does not tell.
pub(crate) fn refused() -> Option<u64> {
    read(&PIDS, |controller| controller.events, |text| counted(text, "max "))
}

/// How many processes and threads there may be; nothing without a limit.
pub(crate) fn process_limit() -> Option<u64> {
    read(&PIDS, |controller| controller.limit, limit)
}

fn read<T>(
    controller: &Controller,
    files: impl Fn(&Controller) -> [&'static str; 2],
    meaning: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut places = own_groups(&own, controller.name, files(controller));
    // A container sees its own group at the root of the mount, as a rule. Where it sees the whole tree
    // (`docker run --cgroupns host`), /proc/self/cgroup says where in it it is.
    let root = Path::new("/sys/fs/cgroup");
    let [unified, separate] = files(controller);
    places.extend([root.join(unified), root.join(controller.name).join(separate)]);
    let mut texts = places.into_iter().filter_map(|place| fs::read_to_string(place).ok());
    texts.find_map(|text| meaning(&text))
}

/// `0::/docker/4711` (v2), `5:memory:/docker/4711` (v1)
fn own_groups(text: &str, controller: &str, [unified, separate]: [&str; 2]) -> Vec<PathBuf> {
    let group = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let root = Path::new("/sys/fs/cgroup");
        if controllers.is_empty() {
            return Some(root.join(path).join(unified));
        }
        let is_it = controllers.split(',').any(|name| name == controller);
        is_it.then(|| root.join(controller).join(path).join(separate))
    };
    text.lines().filter_map(group).collect()
}

/// The number on the line `oom_kill 3`.
fn counted(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// A number, or `max` where there is no limit.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_both_versions() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let v2 = "low 0\nhigh 0\nmax 12\noom 2\noom_kill 4\noom_group_kill 0\n";
        let kills = |text| counted(text, "oom_kill ");
        assert_eq!((kills(v1), kills(v2)), (Some(3), Some(4)));
        assert_eq!((kills(""), kills("oom_kill x\n")), (None, None));
        assert_eq!(counted("max 7\n", "max "), Some(7));
        assert_eq!((limit("20\n"), limit("max\n")), (Some(20), None));
    }

    #[test]
    fn where_the_counters_are() {
        let v1 = "9:name=systemd:/\n5:cpu,memory:/docker/47:11\n4:pids:/docker/47:11\n";
        let memory = |text| own_groups(text, "memory", MEMORY.events);
        assert_eq!(memory(v1), [PathBuf::from("/sys/fs/cgroup/memory/docker/47:11/memory.oom_control")]);
        assert_eq!(memory("0::/\n"), [PathBuf::from("/sys/fs/cgroup/memory.events")]);
        assert_eq!(memory("nonsense\n"), Vec::<PathBuf>::new());
        let pids = own_groups(v1, "pids", PIDS.events);
        assert_eq!(pids, [PathBuf::from("/sys/fs/cgroup/pids/docker/47:11/pids.events")]);
    }
}
