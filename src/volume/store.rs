//! The volume: taken by a lock, and the state on it, written so that it is whole at any instant.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::step_logs;
use crate::model::Claimed;
use crate::model::failure::{Class, Failure};
use crate::model::state::{CyclePlan, Durable, Format, SCHEMA};
use crate::volume::kept::{self, Kept, Reading};
use crate::volume::{Locked, foreign, replace};

/// The identity of this root file system, on it and not on the volume: it stays through
/// `docker stop` and `start` and goes along with `docker commit`; a new container has none.
const ROOT_ID: &str = "/var/cache/gbsup/root-id";

/// The volume, locked for this process as long as the value lives.
pub(crate) struct Store {
    path: PathBuf,
    lock: Locked,
    /// What the state on it holds besides.
    kept: Kept,
}

/// What taking the volume brought.
pub(crate) struct Taken {
    /// The volume.
    pub store: Store,
    /// What was on it.
    pub claimed: Claimed,
    /// What an operator should know, by the key of the warning.
    pub warnings: Vec<(&'static str, String)>,
}

impl Store {
    /// Takes the volume: makes its directories, locks it and reads its state. A damaged state file
    /// is set aside and does not stop the start. One that cannot be, or that a newer gbsup has to go on with, does: it would be
    /// overwritten.
    pub(crate) fn take(path: &Path, boot: bool) -> Result<Taken, Box<Failure>> {
        let state = path.join("state");
        let made = fs::create_dir_all(path).and_then(|()| private(&state));
        made.map_err(|error| unusable(path, &state, &error))?;
        let lock = lock(path)?;
        let mut warnings = Vec::new();
        let (durable, kept) = load(path, &mut warnings)?;
        // One that is missing or damaged is made anew before the next build.
        let plan = fs::read(plan_file(path)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let claimed = Claimed {
            durable,
            plan,
            last_cycle: step_logs::last_cycle(path),
            root: root_id(&mut warnings),
            boot,
        };
        let store = Self { path: path.to_owned(), lock, kept };
        // A job that an earlier process was in the middle of is gone with it.
        drop(fs::remove_file(job_file(path)));
        Ok(Taken { store, claimed, warnings })
    }

    /// Writes the state, and with it what an earlier one held besides.
    pub(crate) fn save(&mut self, durable: &Durable) -> io::Result<()> {
        let file = state_file(&self.path);
        if self.kept.is_empty() {
            replace(&file, durable)
        } else {
            replace(&file, &self.kept.restore(durable)?)
        }
    }

    /// The same volume as this one, taken anew: what its state held besides is not on it any more.
    pub(crate) fn succeeds(&mut self, lost: Option<Self>) {
        self.kept = lost.map(|store| store.kept).unwrap_or_default();
    }

    /// Writes the plan.
    pub(crate) fn save_plan(&self, plan: &CyclePlan) -> io::Result<()> {
        replace(&plan_file(&self.path), plan)
    }

    /// Whether the lock is still the one that others would meet: a volume whose files were removed
    /// or that was unmounted has another one, or none.
    pub(crate) fn still_ours(&self) -> bool {
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let there = fs::metadata(self.path.join("state/lock")).map(identity);
        matches!((there, self.lock.metadata().map(identity)), (Ok(a), Ok(b)) if a == b)
    }
}

/// Where the number and pid of the running job stand, for PID 1; see [`crate::init`].
pub(crate) fn job_file(volume: &Path) -> PathBuf {
    volume.join("state/job")
}

/// Where the state is on a volume: a [`Durable`], as JSON.
pub(crate) fn state_file(volume: &Path) -> PathBuf {
    volume.join("state/state.json")
}

/// Where the plan of the newest cycle is on a volume: a [`CyclePlan`], as JSON.
pub(crate) fn plan_file(volume: &Path) -> PathBuf {
    volume.join("state/plan.json")
}

fn lock(path: &Path) -> Result<Locked, Box<Failure>> {
    let name = path.join("state/lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(|error| unusable(path, &name, &error))?;
    let mut locked = match Locked::unless_held(file) {
        Ok(locked) => locked,
        Err((file, TryLockError::WouldBlock)) => {
            let mut holder = String::new();
            drop(file.take(500).read_to_string(&mut holder));
            return Err(held(path, holder.trim()));
        }
        Err((_, TryLockError::Error(error))) => return Err(unusable(path, &name, &error)),
    };
    let holder = format!("{}, since {:.0}\n", host(), Timestamp::now());
    // The name is for people; a lock without it is a lock all the same.
    let file = locked.file();
    drop(file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes())));
    Ok(locked)
}

/// The name of this container.
fn host() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn held(path: &Path, holder: &str) -> Box<Failure> {
    let holder = if holder.is_empty() { "unknown" } else { holder };
    let message = format!("the volume {} is in use by another builder (container {holder})", path.display());
    let name = holder.split(',').next().unwrap_or_default();
    let suggestions =
        vec![format!("docker stop {name}   # on the host, or give this builder another volume")];
    Box::new(Failure { suggestions, ..Failure::new(Class::Volume, message) })
}

fn unusable(path: &Path, at: &Path, error: &io::Error) -> Box<Failure> {
    let path = path.display();
    let message = match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => format!("the volume {path} is mounted read-only"),
        io::ErrorKind::StorageFull => format!("the volume {path} is full"),
        io::ErrorKind::PermissionDenied => format!("the volume {path} may not be written by root"),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            format!("{} is not a directory", at.display())
        }
        _ => format!("the volume {path} cannot be used: {}: {error}", at.display()),
    };
    let suggestions = vec![format!("df -h {path}; mount | grep {path}")];
    Box::new(Failure { suggestions, ..Failure::new(Class::Volume, message) })
}

/// The state on the volume, and what its file holds besides. One that cannot be read is set aside under a dated name.
fn load(
    path: &Path,
    warnings: &mut Vec<(&'static str, String)>,
) -> Result<(Option<Durable>, Kept), Box<Failure>> {
    let file = state_file(path);
    let problem = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, Kept::default())),
        Err(error) => error.to_string(),
        Ok(text) => {
            let format = serde_json::from_slice(&text).unwrap_or(Format { schema: SCHEMA, oldest_reader: 0 });
            if format.oldest_reader > SCHEMA {
                return Err(too_new(&file, format));
            }
            match kept::read::<Durable>(&text, foreign::in_state) {
                Ok(Reading { value, kept, foreign }) => {
                    warnings
                        .extend(not_understood(format, &foreign).map(|sentence| ("state-foreign", sentence)));
                    return Ok((Some(value), kept));
                }
                Err(error) => error.to_string(),
            }
        }
    };
    let aside = set_aside(&file).map_err(|error| {
        let message =
            format!("the state on the volume is damaged ({problem}), and cannot be set aside: {error}");
        let suggestions = vec![format!("mv {0} {0}.damaged", file.display())];
        Box::new(Failure { suggestions, ..Failure::new(Class::Volume, message) })
    })?;
    let aside = aside.display();
    let sentence = format!(
        "the state on the volume was damaged ({problem}); it was set aside as {aside}, and a new one begins: pauses, skips and \
         what is known to fail are only there"
    );
    warnings.push(("state-damaged", sentence));
    Ok((None, Kept::default()))
}

/// What is said of a state that this version understands in part.
fn not_understood(format: Format, foreign: &[String]) -> Option<String> {
    let what = match foreign {
        [] => "it is read as far as that goes, and nothing of it is lost".to_owned(),
        foreign => format!("what is not understood is kept as it is: {}", foreign.join(", ")),
    };
    if format.schema > SCHEMA {
        let newer = format!("format {}, this one knows {SCHEMA}", format.schema);
        return Some(format!("the state on the volume was written by a newer gbsup ({newer}); {what}"));
    }
    (!foreign.is_empty()).then(|| format!("the state on the volume was written by another gbsup; {what}"))
}

fn too_new(file: &Path, format: Format) -> Box<Failure> {
    let file = file.display();
    let message = format!(
        "the state on the volume was written by a newer gbsup (format {}, this one knows {SCHEMA}) and would be misread; \
         nothing was changed",
        format.schema
    );
    let suggestions = vec![format!(
        "mv {file} {file}.newer   # begins without its pauses and skips; or start the newer image again"
    )];
    Box::new(Failure { suggestions, ..Failure::new(Class::Volume, message) })
}

/// Gives a file another name, which no other has; returns that.
fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let name = format!("state.json.damaged-{}", Timestamp::now().strftime("%Y%m%d-%H%M%S"));
    let again = (1..).map(|again| format!("{name}-{again}"));
    let names = std::iter::once(name.clone()).chain(again).map(|name| file.with_file_name(name));
    for aside in names.take(100) {
        if aside.symlink_metadata().is_err() {
            return fs::rename(file, &aside).map(|()| aside);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A directory that is root's alone, whatever it was before.
fn private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

fn root_id(warnings: &mut Vec<(&'static str, String)>) -> String {
    let known = fs::read_to_string(ROOT_ID).unwrap_or_default();
    if !known.trim().is_empty() {
        return known.trim().to_owned();
    }
    let made = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_else(|_| host());
    let made = made.trim().to_owned();
    let parent = Path::new(ROOT_ID).parent().unwrap_or(Path::new("/"));
    if let Err(error) = fs::create_dir_all(parent).and_then(|()| fs::write(ROOT_ID, format!("{made}\n"))) {
        let sentence = format!("this container cannot be told from a new one: {ROOT_ID}: {error}");
        warnings.push(("root-id", sentence));
        return host();
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::Now;
    use crate::model::state::State;
    use crate::portage::output::plan::Plan;
    use std::time::{Duration, Instant};

    /// Takes the volume once more. A child that another test is just starting holds a copy of the lock
    /// until its exec.
    fn retake(volume: &Path) -> Taken {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Store::take(volume, true) {
                Ok(taken) => return taken,
                Err(_) if Instant::now() < deadline => std::thread::yield_now(),
                Err(failure) => panic!("{}", failure.message),
            }
        }
    }

    fn durable() -> Durable {
        State::new(Config::default(), Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }).durable
    }

    #[test]
    fn a_state_is_read_back_and_a_second_builder_is_refused_by_name() {
        let volume = tempfile::tempdir().unwrap();
        let mut first = Store::take(volume.path(), true).ok().unwrap();
        assert_eq!(first.claimed.durable, None);
        first.store.save(&durable()).unwrap();
        let failure = Store::take(volume.path(), true).err().unwrap();
        assert!(failure.message.contains(&host()), "{}", failure.message);
        assert!(first.store.still_ours());
        drop(first);
        let second = retake(volume.path());
        assert_eq!(second.claimed.durable, Some(durable()));
        assert!(second.warnings.is_empty(), "{:?}", second.warnings);
    }

    #[test]
    fn a_plan_is_read_back_and_a_damaged_one_is_none() {
        let volume = tempfile::tempdir().unwrap();
        let store = Store::take(volume.path(), true).ok().unwrap().store;
        let plan = CyclePlan { cycle: 7, made: Timestamp::UNIX_EPOCH, plan: Plan::default() };
        store.save_plan(&plan).unwrap();
        drop(store);
        assert_eq!(retake(volume.path()).claimed.plan, Some(plan));
        fs::write(plan_file(volume.path()), "{\"cycle\": 7,").unwrap();
        let taken = retake(volume.path());
        assert_eq!(taken.claimed.plan, None);
        assert!(taken.warnings.is_empty(), "{:?}", taken.warnings);
    }

    #[test]
    fn a_damaged_state_is_set_aside() {
        for damage in ["", "{", "{\"schema\":1}", "nonsense\0"] {
            let volume = tempfile::tempdir().unwrap();
            fs::create_dir_all(volume.path().join("state")).unwrap();
            fs::create_dir_all(volume.path().join("steps/17")).unwrap();
            fs::write(volume.path().join("state/state.json"), damage).unwrap();
            let taken = Store::take(volume.path(), true).ok().unwrap();
            assert_eq!(taken.claimed.durable, None);
            assert_eq!(taken.claimed.last_cycle, 17);
            assert!(taken.warnings[0].1.contains("set aside"), "{:?}", taken.warnings);
            let kept = fs::read_dir(volume.path().join("state")).unwrap().flatten();
            assert_eq!(kept.filter(|e| e.file_name().to_string_lossy().contains("damaged")).count(), 1);
        }
    }

    #[test]
    fn a_newer_state_is_gone_on_with_unless_it_forbids_that() {
        let newer = include_str!("../../tests/fixtures/volume/newer/state/state.json");
        let volume = tempfile::tempdir().unwrap();
        let file = volume.path().join("state/state.json");
        fs::create_dir_all(volume.path().join("state")).unwrap();
        fs::write(&file, newer).unwrap();
        let mut taken = Store::take(volume.path(), true).ok().unwrap();
        let [("state-foreign", sentence)] = taken.warnings.as_slice() else { panic!("{:?}", taken.warnings) };
        assert!(
            sentence.contains("(format 2, this one knows 1)") && sentence.contains("known.class"),
            "{sentence}"
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        taken.store.save(&taken.claimed.durable.unwrap()).unwrap();
        assert_eq!(value(&fs::read_to_string(&file).unwrap()), value(newer));
        drop(taken.store);

        let forbidding = newer.replacen("\"schema\"", "\"oldest_reader\": 2, \"schema\"", 1);
        fs::write(&file, &forbidding).unwrap();
        let failure = Store::take(volume.path(), true).err().unwrap();
        assert!(failure.message.contains("written by a newer gbsup"), "{}", failure.message);
        assert_eq!(fs::read_to_string(&file).unwrap(), forbidding);
    }

    #[test]
    fn what_was_set_aside_stays_when_another_one_is() {
        let volume = tempfile::tempdir().unwrap();
        let state = volume.path().join("state");
        fs::create_dir_all(&state).unwrap();
        for damage in ["one", "two", "three"] {
            fs::write(state.join("state.json"), damage).unwrap();
            retake(volume.path());
        }
        let aside = fs::read_dir(&state).unwrap().flatten().map(|file| file.path());
        let mut aside: Vec<String> = aside
            .filter(|file| file.to_string_lossy().contains("damaged"))
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        aside.sort();
        assert_eq!(aside, ["one", "three", "two"]);
    }

    #[test]
    fn a_removed_volume_is_no_longer_ours() {
        let volume = tempfile::tempdir().unwrap();
        let mut taken = Store::take(volume.path(), true).ok().unwrap();
        fs::remove_dir_all(volume.path().join("state")).unwrap();
        assert!(!taken.store.still_ours());
        assert!(taken.store.save(&durable()).is_err());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let failure = Store::take(&path, true).err().unwrap();
        assert!(failure.message.contains("not a directory"), "{}", failure.message);
    }
}
