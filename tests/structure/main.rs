//! Rules of the source tree that the compiler does not know.

mod layers;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file without comments and without its tests, which may do what they like.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Init's own two children get the container's environment: the supervisor is configured by it, and a person's command is
/// the person's. `gbsup top` is one command in two processes.
const WHOLE_ENVIRONMENT: &[&str] =
    &["init/supervise.rs", "init/command.rs", "client/top/keeper.rs", "sys.rs"];

#[test]
fn every_child_has_an_environment_made_for_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let starts = |code: &str| code.contains("Command::new(") || code.contains("duct::cmd(");
    let made = |code: &str| {
        code.matches("children::environment(").count() > 0
            && !code.contains(".env(")
            && (code.contains(".env_clear()") || !code.contains("Command::new("))
            && code.matches("duct::cmd(").count() == code.matches(".full_env(").count()
    };
    let broken: Vec<_> = sources(&root)
        .into_iter()
        .filter(|file| file.file_stem().is_none_or(|name| name != "tests"))
        .filter(|file| !WHOLE_ENVIRONMENT.iter().any(|known| file.ends_with(known)))
        .filter(|file| starts(&code(file)) && !made(&code(file)))
        .collect();
    assert_eq!(broken, [""; 0].map(PathBuf::from));
}

/// What panics, or makes a library panic, where the system makes no further thread.
const TAKES_THREADS_FOR_GRANTED: &[&str] = &[
    "thread::spawn(",
    "scope.spawn(",
    "s.spawn(",
    "spawn_blocking",
    "block_in_place",
    // duct writes and reads in threads.
    "stdin_bytes",
    "stdout_capture",
    "stderr_capture",
    "stdout_to_stderr().read(",
    // tokio's workers are such threads; [`sys::threads`] is asked before.
    "new_multi_thread",
    "rayon",
];

#[test]
fn nothing_takes_it_for_granted_that_a_thread_can_be_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for file in sources(&root) {
        let is_a_test = file.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"));
        let code = code(&file);
        if is_a_test || (file.ends_with("web/mod.rs") && code.contains("sys::threads(")) {
            continue;
        }
        let found = TAKES_THREADS_FOR_GRANTED.iter().filter(|call| code.contains(**call));
        broken.extend(found.map(|call| format!("{} uses {call}", file.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What looks into places that others may write: `log/`, `distfiles/`, the build directory, `/run/portage`, the repositories,
/// the news, what Portage keeps in directories of its group; and what takes binary packages as they come.
const AMONG_OTHERS: &[&str] = &[
    "binhost/licence.rs",
    "client/logs/mod.rs",
    "client/logs/files.rs",
    "client/logs/elog.rs",
    "client/logs/failed.rs",
    "client/logs/follow.rs",
    "client/logs/package.rs",
    "client/top/tail.rs",
    "steps/attention.rs",
    "steps/clones.rs",
    "host/facts.rs",
    "host/inputs.rs",
    "host/live.rs",
    "host/places.rs",
    "host/prune/mod.rs",
    "host/prune/parts.rs",
    "steps/quarantine.rs",
    "steps/repair.rs",
    "steps/sync.rs",
    "host/unusable.rs",
];
/// Ways there by a path, which whoever may write there can lead elsewhere.
const BY_PATH: &[&str] = &[
    "fs::read",
    "fs::remove",
    "fs::rename",
    "fs::write",
    "fs::copy",
    "fs::hard_link",
    "File::open",
    "File::create",
    "OpenOptions",
];
/// Names of such places; nobody else may build a path to them.
const THEIRS: &[&str] = &["\"log/", "join(\"log\")", "\"/var/tmp/", "tmpdir.join"];

#[test]
fn places_of_others_are_looked_into_through_one_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for file in sources(&root) {
        let code = code(&file);
        // What does no I/O may know how a place is called, and so may what only asks how much room a file system has.
        let pure =
            ["decide", "model", "portage", "render"].iter().any(|part| file.starts_with(root.join(part)))
                || file.ends_with("steps/gauge.rs");
        let by_path = |what: &str| !pure && code.contains(what) && !code.contains("beneath");
        if AMONG_OTHERS.iter().any(|known| file.ends_with(known)) {
            let ways = BY_PATH.iter().filter(|way| code.contains(**way));
            broken.extend(ways.map(|way| format!("{} uses {way}", file.display())));
        }
        broken.extend(
            THEIRS.iter().filter(|what| by_path(what)).map(|what| format!("{} names {what}", file.display())),
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn unsafe_code_is_in_one_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let with: Vec<_> = sources(&root)
        .into_iter()
        .filter(|file| {
            code(file).split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
        })
        .collect();
    assert_eq!(with, [root.join("sys.rs")]);
}

/// Each finding is a script that can be run as it is, says what it is about, and stands in the list.
#[test]
fn findings_are_listed_and_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let list = fs::read_to_string(place.join("README.md")).unwrap();
    let names =
        fs::read_dir(&place).unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let scripts: Vec<String> = names.filter(|name| name.strip_suffix(".sh").is_some()).collect();
    assert!(scripts.len() >= 10, "{scripts:?}");
    for name in &scripts {
        let path = place.join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(path.metadata().unwrap().permissions().mode() & 0o111 == 0o111, "{name} is not executable");
        assert!(text.starts_with("#!/usr/bin/env bash\n# ") && text.contains("\nset -eu\n"), "{name}");
        assert!(["# Expected: ", "# Happens: ", "# Seen: "].iter().all(|part| text.contains(part)), "{name}");
        assert!(!text.contains("gbsup"), "{name} is about others");
        assert!(list.contains(&format!("`{name}`")), "{name} is not in the list");
    }
    let listed =
        list.split('`').filter(|word| word.strip_suffix(".sh").is_some() && !word.contains(['/', ' ']));
    assert_eq!(
        listed.filter(|name| scripts.iter().any(|script| script == name)).count(),
        scripts.len(),
        "each once"
    );
}
