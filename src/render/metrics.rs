//! The status as numbers for Prometheus: its text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use jiff::Timestamp;

use crate::model::ccache::CacheUse;
use crate::model::failure::Class;
use crate::model::records::{CycleRow, Outcome};
use crate::model::status::{ClientInfo, Mode, Status};

/// The media type of [`metrics`].
pub const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const MODES: [Mode; 6] =
    [Mode::Starting, Mode::Running, Mode::Paused, Mode::Waiting, Mode::Stopping, Mode::Degraded];

/// Everything that can be counted: of the status, of what is left to do (how many packages), and of the cycles that are
/// known, the newest first. Times are those of the status.
#[must_use]
pub fn metrics(status: &Status, left: usize, cycles: &[&CycleRow]) -> String {
    let mut text = Text::default();
    let now = status.now;
    let version: &[(&str, &str)] = &[("version", &status.version)];
    text.gauge("gbsup_info", "The version of gbsup.", [(version, 1.0)]);
    let modes = MODES.map(|mode| ([("state", mode.to_string())], truth(status.state == mode)));
    text.gauge("gbsup_state", "1 for the state that the builder is in.", modes);
    text.gauge("gbsup_step", "1 for the step that it is at.", [([("step", status.step.as_str())], 1.0)]);
    text.one(
        "gbsup_state_since_timestamp_seconds",
        "Since when it is in this state and step.",
        seconds(status.since),
    );
    text.one(
        "gbsup_supervisor_restarts",
        "How often the supervisor was started again since the container began.",
        f64::from(status.restarts),
    );
    cycle(&mut text, status, cycles);

    let progress = &status.progress;
    let counts = [
        ("built", progress.source),
        ("binary", progress.binary),
        ("failed", progress.failed),
        ("left", progress.left()),
    ];
    let counts = counts.map(|(result, count)| ([("result", result)], count as f64));
    text.gauge("gbsup_packages", "Packages of the cycle, by what became of them.", counts);
    text.one("gbsup_queue_packages", "Packages that are listed and not begun.", left as f64);
    text.one("gbsup_jobs", "Packages in work.", status.jobs.len() as f64);
    let eta = progress.eta.into_iter().flat_map(|eta| {
        [("low", eta.low), ("likely", eta.likely), ("high", eta.high)]
            .map(|(bound, seconds)| ([("bound", bound)], seconds as f64))
    });
    text.gauge(
        "gbsup_eta_seconds",
        "Until the packages of this step are done; absent while that is not known.",
        eta,
    );
    failures(&mut text, status);

    if let Some(release) = &status.release {
        let name = [("release", release.id.as_str())];
        text.gauge("gbsup_release", "1 for the release on offer.", [(name, 1.0)]);
        text.one("gbsup_release_packages", "Packages of the release on offer.", release.packages as f64);
        text.one("gbsup_release_timestamp_seconds", "When it was published.", seconds(release.published));
        text.one("gbsup_release_age_seconds", "How long ago that was.", age(now, release.published));
    }
    sync(&mut text, status);
    clients(&mut text, status);
    helpers(&mut text, status);
    if let Some(CacheUse { hits, misses, size }) = status.ccache {
        text.one("gbsup_ccache_hits", "Compilations of the cycle whose result ccache had.", hits as f64);
        text.one("gbsup_ccache_misses", "Those whose result it had not.", misses as f64);
        text.one("gbsup_ccache_bytes", "What it keeps.", size as f64);
    }
    text.one("gbsup_volume_free_bytes", "Free on the volume.", status.volume.free as f64);
    text.one("gbsup_volume_mounted", "1 when something is mounted there.", truth(status.volume.mounted));
    text.one("gbsup_warnings", "Things that a person should know.", status.warnings.len() as f64);
    text.0
}

fn cycle(text: &mut Text, status: &Status, cycles: &[&CycleRow]) {
    if let Some(cycle) = &status.cycle {
        text.one("gbsup_cycle", "The number of the newest cycle.", cycle.id as f64);
        text.one("gbsup_cycle_start_timestamp_seconds", "When it began.", seconds(cycle.started));
    }
    if let Some(next) = status.next_cycle {
        text.one("gbsup_next_cycle_timestamp_seconds", "When the next one begins by itself.", seconds(next));
    }
    let ended = cycles.iter().find_map(|cycle| Some((cycle, cycle.ended?)));
    if let Some((cycle, ended)) = ended {
        let took = age(ended, cycle.started);
        text.one("gbsup_last_cycle_duration_seconds", "How long the last finished cycle took.", took);
        let outcomes = [Outcome::Done, Outcome::Failed, Outcome::Interrupted];
        let outcomes = outcomes
            .map(|outcome| ([("outcome", outcome.to_string())], truth(cycle.outcome == Some(outcome))));
        text.gauge("gbsup_last_cycle_outcome", "1 for how it ended.", outcomes);
    }
    let done = cycles.iter().find(|cycle| cycle.outcome == Some(Outcome::Done)).and_then(|cycle| cycle.ended);
    if let Some(done) = done {
        text.one("gbsup_last_success_timestamp_seconds", "When a cycle was last finished.", seconds(done));
    }
}

fn failures(text: &mut Text, status: &Status) {
    let held = status.pause.iter().flat_map(|pause| &pause.failures).chain(&status.failed);
    let now = count(held.map(|failure| failure.class));
    text.gauge(
        "gbsup_failures",
        "What failed in this cycle and is not over, by class.",
        now.iter().map(|(class, count)| ([("class", class)], *count)),
    );
    let known = count(status.known.iter().map(|known| known.class));
    text.gauge(
        "gbsup_known_failures",
        "Packages that are left out because they are known to fail, by class.",
        known.iter().map(|(class, count)| ([("class", class)], *count)),
    );
}

fn count(classes: impl Iterator<Item = Class>) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for class in classes {
        *counts.entry(class.to_string()).or_default() += 1.0;
    }
    counts
}

fn sync(text: &mut Text, status: &Status) {
    let repositories = || status.sync.repositories.iter();
    let last = repositories().filter_map(|one| Some(([("repository", one.name.as_str())], one.last?)));
    let times = last.clone().map(|(name, last)| (name, seconds(last)));
    text.gauge("gbsup_sync_timestamp_seconds", "When a repository was last synced.", times);
    let ages = last.map(|(name, last)| (name, age(status.now, last)));
    text.gauge("gbsup_sync_age_seconds", "How long ago that was.", ages);
    let failing = repositories().map(|one| ([("repository", one.name.as_str())], truth(one.error.is_some())));
    text.gauge("gbsup_sync_failing", "1 for a repository that could not be synced since.", failing);
}

fn clients(text: &mut Text, status: &Status) {
    let name = |client: &ClientInfo| client.name.clone();
    let known = || status.clients.iter().filter(|one| one.release.is_some() && one.problem.is_none());
    let packages = known().flat_map(|one| {
        [("release", one.binary), ("source", one.compiled)]
            .map(|(from, count)| ([("client", name(one)), ("from", from.to_owned())], count as f64))
    });
    text.gauge(
        "gbsup_client_packages",
        "Packages that an update of a client would install from the release, and compile from source.",
        packages,
    );
    let seconds = known().filter_map(|one| Some(([("client", name(one))], one.seconds? as f64)));
    text.gauge(
        "gbsup_client_compile_seconds",
        "How long the packages that it would compile take here, as far as that is known.",
        seconds,
    );
    let unknown = status.clients.iter().map(|one| ([("client", name(one))], truth(one.problem.is_some())));
    text.gauge("gbsup_client_unknown", "1 for a client for which that is not known.", unknown);
}

fn helpers(text: &mut Text, status: &Status) {
    let Some(helpers) = &status.helpers else { return };
    text.one("gbsup_helpers", "Helpers that take files.", helpers.present.len() as f64);
    let slots: u64 = helpers.present.iter().map(|helper| u64::from(helper.slots)).sum();
    text.one("gbsup_helper_slots", "Files that they compile at a time.", slots as f64);
    let files = [("helper", helpers.remote), ("builder", helpers.local)];
    text.gauge(
        "gbsup_compiled_files",
        "Files of the newest cycle, by where they were compiled.",
        files.map(|(place, count)| ([("on", place)], count as f64)),
    );
    let of_packages = status.jobs.iter().filter_map(|job| Some((job.package.as_str(), job.files?)));
    let of_packages = of_packages.flat_map(|(package, files)| {
        [("helper", files.remote), ("builder", files.local)]
            .map(|(place, count)| ([("package", package), ("on", place)], count as f64))
    });
    text.gauge(
        "gbsup_package_compiled_files",
        "The same of each package in work. A file of which it is not known for which package it was is in none.",
        of_packages,
    );
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}

fn age(now: Timestamp, then: Timestamp) -> f64 {
    now.duration_since(then).as_secs().max(0) as f64
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// A metric without labels.
    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.gauge(name, help, [([("", ""); 0], value)]);
    }

    /// One with a value for each set of labels; left out when there is none.
    fn gauge<L: AsRef<[(&'static str, S)]>, S: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let text = &mut self.0;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let labels: Vec<String> = labels
                .as_ref()
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", Escaped(value.as_ref())))
                .collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
}

/// The value of a label, as the format has it.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
