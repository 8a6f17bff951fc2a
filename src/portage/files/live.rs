//! What emerge is doing right now, as it publishes it itself with `FEATURES=observability`.
//!
//! `/run/portage/emerge-PID.json` holds one snapshot, `emerge-PID.sock` streams them, one JSON
//! object a line. Source: `_emerge/_observability.py:build_snapshot` of Portage 3.0.82 and later;
//! its rule for readers: look at `type`, ignore kinds and fields that are not known.

use serde_json::Value;

use crate::portage::names::cpv::Cpv;

/// One moment of a running emerge.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// emerge's process; a file whose name says another one is a leftover.
    pub pid: u32,
    /// When it was taken, in seconds since 1970.
    pub timestamp: f64,
    /// Packages being built.
    pub running: u32,
    /// Packages done in this pass.
    pub completed: u32,
    /// Packages in this pass.
    pub total: u32,
    /// Packages that failed in this pass.
    pub failed: u32,
    /// Packages built and waiting to be merged.
    pub merge_wait: u32,
    /// What is being built or merged, the oldest first.
    pub jobs: Vec<LiveJob>,
}

/// One package in the works.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveJob {
    /// The package.
    pub package: Cpv,
    /// The ebuild phase, such as `compile`; `merge-wait` while it waits to be merged.
    pub phase: Option<String>,
    /// Whether it is installed from a binary package.
    pub binary: bool,
    /// Whether its files are being copied to the system right now, so that emerge should not be
    /// stopped.
    pub merging: bool,
    /// Seconds since work on it began.
    pub elapsed: Option<f64>,
    /// Seconds its build took or has taken so far, without the merge.
    pub build_elapsed: Option<f64>,
}

impl LiveJob {
    /// A package of which nothing is known but its phase.
    pub(crate) fn in_phase(package: Cpv, phase: &str) -> Self {
        let phase = Some(phase.to_owned());
        Self { package, phase, binary: false, merging: false, elapsed: None, build_elapsed: None }
    }
}

/// The phase of a build by the marks it has left in its directory, one at the end of each phase
/// (`bin/phase-functions.sh`). `None`: it has left none yet.
pub(crate) fn phase_after(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    const MARKS: &[(&str, &str)] = &[
        (".packaged", "package"),
        (".installed", "package"),
        (".tested", "install"),
        (".compiled", "install"),
        (".configured", "compile"),
        (".prepared", "configure"),
        (".unpacked", "prepare"),
        (".setuped", "unpack"),
    ];
    MARKS.iter().find(|(mark, _)| has(mark)).map(|(_, next)| *next)
}

/// Reads one snapshot. `None` for other types of message, other schemas and damaged text.
pub(crate) fn snapshot(text: &[u8]) -> Option<Snapshot> {
    let value: Value = serde_json::from_slice(text).ok()?;
    if value["type"] != "snapshot" || value["schema"] != 1 {
        return None;
    }
    let count = |name: &str| value["jobs"][name].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Some(Snapshot {
        pid: u32::try_from(value["emerge_pid"].as_u64()?).ok()?,
        timestamp: value["timestamp"].as_f64().unwrap_or(0.0),
        running: count("running"),
        completed: count("completed"),
        total: count("total"),
        failed: count("failed"),
        merge_wait: count("merge_wait"),
        jobs: value["tasks"].as_array()?.iter().filter_map(job).collect(),
    })
}

fn job(task: &Value) -> Option<LiveJob> {
    let waiting = task["merge_wait"].as_bool().unwrap_or(false);
    Some(LiveJob {
        package: Cpv::parse(task["cpv"].as_str()?.as_bytes())?,
        phase: task["phase"].as_str().map(str::to_owned),
        binary: task["binary"].as_bool().unwrap_or(false),
        merging: task["kind"] == "merge" && !waiting,
        elapsed: task["elapsed"].as_f64(),
        build_elapsed: task["build_elapsed"].as_f64(),
    })
}

/// The process of `emerge-4711.json` or `emerge-4711.sock`.
pub(crate) fn pid_of(file_name: &str) -> Option<u32> {
    let pid = file_name.strip_prefix("emerge-")?;
    let pid = pid.strip_suffix(".json").or_else(|| pid.strip_suffix(".sock"))?;
    if pid.bytes().all(|b| b.is_ascii_digit()) { pid.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"type": "snapshot", "schema": 1, "emerge_pid": 57, "timestamp": 1795352400.5,
        "jobs": {"running": 1, "max": true, "completed": 3, "total": 12, "failed": 0, "merge_wait": 1, "merges_pending": 1},
        "tasks": [
            {"cpv": "sys-libs/zlib-1.2.13", "category": "sys-libs", "pf": "zlib-1.2.13", "root": "/", "operation": "merge",
             "binary": false, "kind": "merge", "phase": "merge-wait", "merge_wait": true, "pid": null,
             "start_time": 1795352380.0, "elapsed": 12.5, "build_elapsed": 12.5},
            {"cpv": "media-libs/freetype-2.12.1", "binary": true, "kind": "merge", "phase": null, "merge_wait": false,
             "pid": 99, "start_time": null, "elapsed": null, "build_elapsed": null, "resources": {"cpu_usec": 1}, "new": []},
            {"cpv": "nonsense"}, 7]}"#;

    #[test]
    fn a_snapshot_with_a_build_and_a_merge() {
        let snapshot = snapshot(TEXT.as_bytes()).expect("a snapshot");
        assert_eq!((snapshot.pid, snapshot.completed, snapshot.total, snapshot.merge_wait), (57, 3, 12, 1));
        let [waiting, merging] = &snapshot.jobs[..] else { panic!("two jobs: {:?}", snapshot.jobs) };
        assert_eq!((waiting.phase.as_deref(), waiting.merging), (Some("merge-wait"), false));
        assert_eq!(waiting.elapsed, Some(12.5));
        assert!(merging.merging && merging.binary && snapshot.jobs.iter().any(|job| job.merging));
    }

    #[test]
    fn a_real_snapshot() {
        let snapshot =
            snapshot(include_bytes!("../../../tests/captured/observability.json")).expect("a snapshot");
        assert_eq!((snapshot.running, snapshot.completed, snapshot.total), (1, 0, 1));
        let [job] = &snapshot.jobs[..] else { panic!("one job: {:?}", snapshot.jobs) };
        assert_eq!((job.package.as_str(), job.phase.as_deref()), ("test-txt/slow-1", Some("compile")));
        assert!(
            !job.binary
                && !snapshot.jobs.iter().any(|job| job.merging)
                && job.elapsed.is_some_and(|seconds| seconds > 0.0)
        );
    }

    #[test]
    fn what_is_not_a_snapshot() {
        for text in
            ["", "{", "[]", "null", r#"{"type":"log"}"#, r#"{"type":"snapshot","schema":2,"tasks":[]}"#]
        {
            assert!(snapshot(text.as_bytes()).is_none(), "{text}");
        }
        let bare =
            snapshot(br#"{"type":"snapshot","schema":1,"emerge_pid":1,"tasks":[]}"#).expect("a snapshot");
        assert_eq!(bare, Snapshot { pid: 1, ..Snapshot::default() });
    }

    #[test]
    fn the_phase_follows_the_last_mark() {
        for (marks, phase) in [
            (&[][..], None),
            (&[".setuped"], Some("unpack")),
            (&[".setuped", ".unpacked", ".prepared", ".configured"], Some("compile")),
            (&[".unpacked", ".installed"], Some("package")),
        ] {
            assert_eq!(phase_after(|mark| marks.contains(&mark)), phase, "{marks:?}");
        }
    }

    #[test]
    fn names_of_files() {
        for (name, pid) in [
            ("emerge-57.json", Some(57)),
            ("emerge-57.sock", Some(57)),
            ("emerge-57.json.tmp", None),
            ("emerge-.json", None),
            ("emerge-+5.json", None),
            ("emerge-99999999999.json", None),
        ] {
            assert_eq!(pid_of(name), pid, "{name}");
        }
    }
}
