//! Files that are not what they should be: the state, the history, the configuration.

use std::fs;

use gbsup::model::status::{Mode, Status};

use crate::support::{Builder, Recipe, Slot, docker};

/// What a power loss, a full disk or another version may leave as `state.json`.
const STATES: &[&str] = &["", "{\"schema\": 1, \"ph", "{\"schema\": 99}", "\0\0\0\0\0\0\0\0"];

fn set_aside(builder: &Builder, prefix: &str) -> usize {
    let names = fs::read_dir(builder.on_volume("state")).expect("it is there").flatten();
    names.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).count()
}

#[test]
fn a_damaged_state_is_set_aside_and_costs_no_package() {
    let mut builder = Builder::settled(&["test-quick/t4", "test-quick/t5"]);
    builder.wait_waiting();
    let before = builder.packages();
    for (count, text) in STATES.iter().enumerate() {
        let cycle = builder.status().cycle.map_or(0, |cycle| cycle.id);
        builder.kill();
        fs::write(builder.on_volume("state/state.json"), text).expect("it can be written");
        builder.start();
        let status = builder.wait_waiting();
        let said = status.warnings.iter().any(|warning| warning.contains("state on the volume was damaged"));
        assert!(said, "{text:?}: {:?}", status.warnings);
        assert_eq!(set_aside(&builder, "state.json.damaged-"), count + 1, "{text:?}");
        let now = status.cycle.map_or(0, |cycle| cycle.id);
        assert!(now > cycle, "{text:?}: cycle {now} comes after {cycle}, whose logs are there");
    }
    assert_eq!(builder.packages(), before);
    assert_eq!(builder.compiled().len(), 2, "{:?}", builder.compiled());
    builder.kill();
    builder.start();
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, Vec::<String>::new(), "that was then");
    builder.assert_tidy();
}

#[test]
fn a_damaged_history_is_set_aside() {
    let mut builder = Builder::with_world(&["test-quick/t4"]);
    builder.wait_waiting();
    for text in
        ["", "this is no database, and it is long enough to have a header of its own", "SQLite format 3\0"]
    {
        builder.kill();
        for file in ["history.db-wal", "history.db-shm"] {
            drop(fs::remove_file(builder.on_volume("state").join(file)));
        }
        fs::write(builder.on_volume("state/history.db"), text).expect("it can be written");
        builder.start();
        let status = builder.wait_waiting();
        // An empty file is an empty database.
        let said = status.warnings.iter().any(|warning| warning.contains("history"));
        assert_eq!(said, !text.is_empty(), "{text:?}: {:?}", status.warnings);
        assert!(builder.gbsup(&["history"]).ok().contains("start"), "{text:?}: the new cycle is in it");
    }
    assert_eq!(set_aside(&builder, "history.db.damaged-"), 2);
    builder.assert_tidy();
}

#[test]
fn a_bad_configuration_ends_it_with_every_problem() {
    let config = "[cycle]\ninterval = \"4x\"\nfoo = 1\n[bulid]\n[build]\nargs = [\"--ask\"]\n";
    let mut builder = Recipe::new(&["test-quick/t4"]).config(config).env("GBSUP_STOP_GRACE", "soon").create();
    docker(&["start", builder.name()]).ok();
    assert_eq!(builder.wait_exit(), 2);
    let logs = builder.logs();
    for problem in ["interval", "4x", "foo", "bulid", "--ask", "GBSUP_STOP_GRACE"] {
        assert!(logs.contains(problem), "{problem} is not named: {logs}");
    }
    assert!(logs.contains("/etc/gbsup/gbsup.toml:2:"), "with its line: {logs}");
    assert!(!builder.on_volume("state").exists(), "nothing was touched");
}

/// The same file, but the configuration was good when the container began: nothing ends.
#[test]
fn a_bad_configuration_does_not_end_a_builder_whose_supervisor_died() {
    let mut builder = Builder::settled(&["test-quick/t4"]);
    builder.wait_waiting();
    builder.sh(
        "mkdir -p /etc/gbsup; echo '[bulid]' >/etc/gbsup/gbsup.toml; pkill -KILL -f '^gbsup: supervisor'",
    );
    let given_up = |status: &Status| status.state == Mode::Degraded;
    let status = Slot::lend(|| builder.wait_for("init gives up on it", given_up));
    assert!(status.headline.contains("gbsup resume"), "{}", status.headline);
    assert!(builder.logs().contains("bulid"));
    builder.sh("rm /etc/gbsup/gbsup.toml");
    builder.signal("USR2");
    builder.wait_for("it is back", |status| status.state == Mode::Waiting);
    builder.assert_tidy();
}
