//! How many processes of this container the kernel killed for lack of memory.
//!
//! The counter is that of the container's memory group: `oom_kill` in `memory.events` (cgroup v2) or in
//! `memory.oom_control` (v1); see cgroups(7) and the kernel's documentation of both. It counts whatever
//! killed them, the container's own limit or the machine's. Only its rise means anything.

use std::fs;
use std::path::PathBuf;

/// The count up to now; nothing where the kernel does not tell.
pub(super) fn oom_kills() -> Option<u64> {
    let mut texts = places().into_iter().filter_map(|place| fs::read_to_string(place).ok());
    texts.find_map(|text| oom_kill(&text))
}

/// A container sees its own group at the root of the mount, as a rule. Where it sees the whole tree
/// (`docker run --cgroupns host`), `/proc/self/cgroup` says where in it it is.
fn places() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut places = own_groups(&own);
    places.extend(
        ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"].map(PathBuf::from),
    );
    places
}

/// `0::/docker/4711` (v2), `5:memory:/docker/4711` (v1)
fn own_groups(text: &str) -> Vec<PathBuf> {
    let group = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        if controllers.is_empty() {
            return Some(PathBuf::from("/sys/fs/cgroup").join(path).join("memory.events"));
        }
        let memory = controllers.split(',').any(|controller| controller == "memory");
        memory.then(|| PathBuf::from("/sys/fs/cgroup/memory").join(path).join("memory.oom_control"))
    };
    text.lines().filter_map(group).collect()
}

/// The number on the line `oom_kill 3`.
fn oom_kill(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_of_both_versions() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let v2 = "low 0\nhigh 0\nmax 12\noom 2\noom_kill 4\noom_group_kill 0\n";
        assert_eq!((oom_kill(v1), oom_kill(v2)), (Some(3), Some(4)));
        assert_eq!((oom_kill(""), oom_kill("oom_kill x\n")), (None, None));
    }

    #[test]
    fn where_the_counter_is() {
        let v1 = "9:name=systemd:/\n5:cpu,memory:/docker/47:11\n";
        assert_eq!(own_groups(v1), [PathBuf::from("/sys/fs/cgroup/memory/docker/47:11/memory.oom_control")]);
        assert_eq!(own_groups("0::/\n"), [PathBuf::from("/sys/fs/cgroup/memory.events")]);
        assert_eq!(own_groups("nonsense\n"), Vec::<PathBuf>::new());
    }
}
